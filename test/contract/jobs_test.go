// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/transcription-operator/transcription-operator/internal/contract"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// lifeOfAJob walks the ordinary way: submit, wait, read in every format, list, delete.
func lifeOfAJob(s *service) {
	tracked := english()
	tracked.Tracking = &speechmatics.Tracking{Reference: "a/1/b"}
	ids := []string{s.done(english()), s.done(tracked)}
	s.find("a/1/b", time.Now(), ids[1])
	for _, id := range ids {
		for _, format := range []speechmatics.TranscriptFormat{
			speechmatics.FormatJSONv2, speechmatics.FormatText, speechmatics.FormatSRT,
		} {
			if len(s.read(id, format)) == 0 {
				s.t.Errorf("%s is empty", format)
			}
		}
	}
	if err := s.DeleteJob(s.t.Context(), ids[0], speechmatics.DeleteOptions{}); err != nil {
		s.t.Error(err)
	}
	if err := s.DeleteJob(s.t.Context(), s.submit(english()), speechmatics.DeleteOptions{Force: true}); err != nil {
		s.t.Error(err)
	}
	listed := map[speechmatics.JobStatus]int{}
	for job, err := range s.ListJobs(s.t.Context(), speechmatics.ListOptions{IncludeDeleted: true, PageSize: 1, CreatedBefore: time.Now().Add(time.Hour)}) {
		if err != nil {
			s.t.Fatal(err)
		}
		listed[job.Status]++
	}
	if listed[speechmatics.JobDeleted] != 2 || listed[speechmatics.JobDone] != 1 {
		s.t.Errorf("got %v", listed)
	}
}

// someJob is an ID that need not exist.
const someJob = "a1b2c3d4e5"

// calls are the client's methods that stand for an operation of the specification.
var calls = map[string]func(ctx context.Context, s *service) error{
	"POST /jobs": func(_ context.Context, s *service) error {
		_, err := s.trySubmit(english())
		return err
	},
	"GET /jobs": func(ctx context.Context, s *service) error {
		for _, err := range s.ListJobs(ctx, speechmatics.ListOptions{}) {
			return err
		}
		return nil
	},
	"GET /jobs/{jobid}": func(ctx context.Context, s *service) error {
		_, err := s.GetJob(ctx, someJob)
		return err
	},
	"DELETE /jobs/{jobid}": func(ctx context.Context, s *service) error {
		return s.DeleteJob(ctx, someJob, speechmatics.DeleteOptions{})
	},
	"GET /jobs/{jobid}/transcript": func(ctx context.Context, s *service) error {
		return s.fails(s.Transcript(ctx, someJob, speechmatics.FormatText))
	},
	"GET /jobs/{jobid}/log":  func(ctx context.Context, s *service) error { return s.fails(s.Log(ctx, someJob)) },
	"GET /jobs/{jobid}/data": func(ctx context.Context, s *service) error { return s.fails(s.Data(ctx, someJob)) },
	"GET /jobs/{jobid}/text": func(ctx context.Context, s *service) error { return s.fails(s.Text(ctx, someJob)) },
	"GET /jobs/{jobid}/alignment": func(ctx context.Context, s *service) error {
		return s.fails(s.Alignment(ctx, someJob, speechmatics.TagsOnePerLine))
	},
	"GET /usage": func(ctx context.Context, s *service) error {
		_, err := s.Usage(ctx, speechmatics.UsageQuery{})
		return err
	},
}

// errorsOfEveryOperation has each operation answer each error that the specification declares for it.
func errorsOfEveryOperation(s *service) {
	for _, name := range contract.Open(s.t).Expected() {
		operation, status, ok := cutStatus(name)
		if !ok || status < 400 {
			continue
		}
		call, ok := calls[operation]
		if !ok {
			s.t.Errorf("the client has no call for %s", operation)
			continue
		}
		if err := s.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Status: status}); err != nil {
			s.t.Fatal(err)
		}
		err := call(s.t.Context(), s)
		if operation == "DELETE /jobs/{jobid}" && (status == http.StatusNotFound || status == http.StatusGone) {
			if err != nil {
				s.t.Errorf("deleting what is gone: %v", err)
			}
			continue
		}
		wantStatus(s.t, err, status)
	}
	for _, status := range []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		if err := s.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Status: status, Body: simulator.BodyHTML}); err != nil {
			s.t.Fatal(err)
		}
		_, err := s.GetJob(s.t.Context(), someJob)
		wantStatus(s.t, err, status)
	}
}

// cutStatus takes "GET /jobs 422" apart.
func cutStatus(name string) (operation string, status int, ok bool) {
	at := strings.LastIndex(name, " ")
	status, err := strconv.Atoi(name[at+1:])
	return name[:at], status, err == nil && strings.Contains(name[:at], " /")
}

// refusals are the errors that come by themselves.
func refusals(s *service) {
	_, err := s.client().GetJob(s.t.Context(), someJob)
	wantStatus(s.t, err, http.StatusUnauthorized)
	_, err = s.GetJob(s.t.Context(), someJob)
	wantStatus(s.t, err, http.StatusNotFound)
	s.recorder.OnPurpose(func() {
		_, err := s.trySubmit(speechmatics.JobConfig{Type: "subtitling"})
		wantStatus(s.t, err, http.StatusBadRequest)
		if status, _ := s.raw(http.MethodGet, "/jobs?limit=many"); status != http.StatusUnprocessableEntity {
			s.t.Errorf("got %d", status)
		}
	})
	id := s.done(english())
	if !s.simulator.ExpireJob(id) {
		s.t.Fatal("the job does not expire")
	}
	_, err = s.GetJob(s.t.Context(), id)
	wantStatus(s.t, err, http.StatusGone)
	wantStatus(s.t, s.fails(s.Transcript(s.t.Context(), id, speechmatics.FormatText)), http.StatusGone)
	if err := s.simulator.SetBehaviour(simulator.Behaviour{ExpiredJob: simulator.GoneAnswerShow}); err != nil {
		s.t.Fatal(err)
	}
	if job := s.ended(id); job.Status != speechmatics.JobExpired {
		s.t.Errorf("the job is %s", job.Status)
	}
}

// limits are the refusals of a busy or greedy client. Jobs take for ever here.
func limits(s *service) {
	submission := speechmatics.CreateJobRequest{Config: english(), Media: &speechmatics.Media{
		Name: "a.wav", Reader: strings.NewReader(strings.Repeat("a", 20_000)), Size: 20_000,
	}}
	_, err := s.CreateJob(s.t.Context(), submission)
	wantStatus(s.t, err, http.StatusRequestEntityTooLarge)

	fetched := english()
	fetched.FetchData = &speechmatics.FetchData{URL: "http://127.0.0.1:1/a.wav"}
	running := s.submit(fetched)
	_, err = s.trySubmit(fetched)
	wantStatus(s.t, err, http.StatusTooManyRequests)
	wantStatus(s.t, s.fails(s.Transcript(s.t.Context(), running, speechmatics.FormatText)), http.StatusNotFound)
	for range 20 {
		if _, err = s.GetJob(s.t.Context(), running); statusOf(err) == http.StatusTooManyRequests {
			return
		}
	}
	s.t.Errorf("the rate is not limited: %v", err)
}
