// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"

	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// waits has requests held open until a job has ended, with each end that this can have.
func waits(s *service) {
	for _, format := range []speechmatics.TranscriptFormat{
		"", speechmatics.FormatJSONv2, speechmatics.FormatText, speechmatics.FormatSRT,
	} {
		created := s.waited(english(), 30*time.Second, format)
		if created.Status != speechmatics.JobDone || len(created.Transcript) == 0 {
			s.t.Errorf("%s: the job is %q, with a transcript of %d bytes", format, created.Status, len(created.Transcript))
		}
	}
	job, err := s.GetJob(s.t.Context(), s.submit(english()), speechmatics.Wait(30*time.Second))
	if err != nil || job.Status != speechmatics.JobDone {
		s.t.Errorf("got %v, %v", job, err)
	}
	s.all(s.Transcript(s.t.Context(), s.submit(english()), speechmatics.FormatText, speechmatics.Wait(30*time.Second)))

	if err := s.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultReject}); err != nil {
		s.t.Fatal(err)
	}
	if created := s.waited(english(), 30*time.Second, ""); created.Status != speechmatics.JobRejected {
		s.t.Errorf("the job is %q", created.Status)
	}
}

// waitsInVain has jobs that take for ever, so that a wait ends before.
func waitsInVain(s *service) {
	created := s.waited(english(), time.Second, speechmatics.FormatText)
	if created.Status != "created" {
		s.t.Errorf("the job is %q", created.Status)
	}
	if job, err := s.GetJob(s.t.Context(), created.ID); err != nil || job.Status != speechmatics.JobRunning {
		s.t.Errorf("got %v, %v", job, err)
	}
	wantStatus(s.t, s.DeleteJob(s.t.Context(), created.ID, speechmatics.DeleteOptions{}), http.StatusLocked)
	if err := s.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultDelete, Delay: simulator.Duration(time.Millisecond)}); err != nil {
		s.t.Fatal(err)
	}
	if created = s.waited(english(), 30*time.Second, ""); created.Status != speechmatics.JobDeleted {
		s.t.Errorf("the job is %q", created.Status)
	}
}

// waited submits a job, and has the answer wait for its end.
func (s *service) waited(config speechmatics.JobConfig, wait time.Duration, format speechmatics.TranscriptFormat) *speechmatics.CreatedJob {
	s.t.Helper()
	created, err := s.CreateJob(s.t.Context(), speechmatics.CreateJobRequest{
		Config: config, Media: upload(s.t, "standup.wav"), Wait: wait, WaitFormat: format,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return created
}

// tomorrow is the real clock, a day ahead from when it is told.
type tomorrow struct {
	clock.RealClock
	ahead atomic.Int64
}

func (c *tomorrow) Now() time.Time { return c.RealClock.Now().Add(time.Duration(c.ahead.Load())) }

// calendar is the clock of the scenario usage.
var calendar = &tomorrow{}

// usage asks for what was used yesterday, in both spellings. Each of two days has a job.
func usage(s *service) {
	today := time.Now()
	s.done(english())
	calendar.ahead.Store(int64(24 * time.Hour))
	for _, name := range []simulator.UsageModel{simulator.UsageModelModel, simulator.UsageModelOperatingPoint} {
		if err := s.simulator.SetBehaviour(simulator.Behaviour{UsageModel: name}); err != nil {
			s.t.Fatal(err)
		}
		for _, query := range []speechmatics.UsageQuery{{}, {Since: today.AddDate(0, 0, -1), Until: today}} {
			used, err := s.Usage(s.t.Context(), query)
			if err != nil {
				s.t.Fatal(err)
			}
			if len(used.Details) != 1 || used.Details[0].Count != 1 || used.Details[0].Model != "standard" {
				s.t.Errorf("got %+v", used.Details)
			}
		}
	}
}

// files reads what a job was made of, and how it was made.
func files(s *service) {
	id := s.done(english())
	wantStatus(s.t, s.fails(s.Log(s.t.Context(), id)), http.StatusNotImplemented)
	if err := s.simulator.SetBehaviour(simulator.Behaviour{ServeLogs: true}); err != nil {
		s.t.Fatal(err)
	}
	if len(s.all(s.Log(s.t.Context(), id))) == 0 {
		s.t.Error("the log is empty")
	}
	if got, want := len(s.all(s.Data(s.t.Context(), id))), len(recording(s.t)); got != want {
		s.t.Errorf("the media has %d bytes, want %d", got, want)
	}
}
