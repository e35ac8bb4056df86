// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// callbacks receives notifications, and counts them by their status.
func (s *service) callbacks() (url string, statuses <-chan string) {
	s.t.Helper()
	received := make(chan string, 100)
	server := httptest.NewServer(s.recorder.Notifications(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		received <- r.URL.Query().Get("status")
	})))
	s.t.Cleanup(server.Close)
	return server.URL + "/callback?token=a", received
}

// expectNotifications waits for some notifications of one status.
func expectNotifications(t *testing.T, statuses <-chan string, number int, status string) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for range number {
		select {
		case got := <-statuses:
			if got != status {
				t.Errorf("got a notification of %s, want %s", got, status)
			}
		case <-late.C:
			t.Fatalf("a notification of %s never came", status)
		}
	}
}

// contents are lists of items, each for a notification of its own: each item alone, some together, none, and nothing said.
var contents = [][]string{
	nil, {}, {"jobinfo"}, {"transcript"}, {"transcript.json-v2"}, {"transcript.txt"}, {"transcript.srt"}, {"data"}, {"text"},
	{"jobinfo", "transcript.json-v2", "transcript.txt", "transcript.srt", "data"},
	{"alignment"}, {"alignment.word_start_and_end", "alignment.one_per_line"},
}

// notifications has jobs tell of their ends: with all that can be asked for, in both layouts, by both methods.
func notifications(s *service) {
	url, statuses := s.callbacks()
	for _, layout := range []simulator.JobInfoLayout{simulator.JobInfoFlat, simulator.JobInfoNested} {
		if err := s.simulator.SetBehaviour(simulator.Behaviour{JobInfo: layout}); err != nil {
			s.t.Fatal(err)
		}
		for i, items := range contents {
			config := everything()
			config.NotificationConfig = []speechmatics.NotificationConfig{{
				URL: url, Contents: items, Method: []string{"", "post", "put"}[i%3], AuthHeaders: []string{"Authorization: Bearer token"},
			}}
			s.done(config)
			expectNotifications(s.t, statuses, 1, "success")
		}
	}
}

// failedNotifications has jobs tell of failures, which leave out what there is not.
func failedNotifications(s *service) {
	url, statuses := s.callbacks()
	for _, carries := range []simulator.FailureNotifications{simulator.FailureOmit, simulator.FailureJobInfoOnly} {
		if err := s.simulator.SetBehaviour(simulator.Behaviour{FailureNotifications: carries}); err != nil {
			s.t.Fatal(err)
		}
		for _, outcome := range []string{"error", "trim_error"} {
			if err := s.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultReject, Outcome: outcome}); err != nil {
				s.t.Fatal(err)
			}
			config := english()
			config.NotificationConfig = []speechmatics.NotificationConfig{
				{URL: url}, {URL: url, Contents: []string{"transcript"}}, {URL: url, Contents: []string{"jobinfo", "transcript"}},
			}
			s.ended(s.submit(config))
			expectNotifications(s.t, statuses, 3, outcome)
		}
	}
}

// fetched has the provider fetch media, with credentials, and fail to.
func fetched(s *service) {
	url, statuses := s.callbacks()
	media := recording(s.t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/standup.wav" || r.Header.Get("Authorization") != "Bearer media" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(media)
	}))
	s.t.Cleanup(server.Close)
	for path, want := range map[string]speechmatics.JobStatus{"/standup.wav": speechmatics.JobDone, "/missing.wav": speechmatics.JobRejected} {
		config := english()
		config.FetchData = &speechmatics.FetchData{URL: server.URL + path, AuthHeaders: []string{"Authorization: Bearer media"}}
		config.NotificationConfig = []speechmatics.NotificationConfig{{URL: url, Contents: []string{"jobinfo"}}}
		outcome := "success"
		if want == speechmatics.JobRejected {
			outcome = "fetch_error"
		}
		if job := s.ended(s.submit(config)); job.Status != want {
			s.t.Errorf("%s: the job is %s: %v", path, job.Status, job.Errors)
		}
		expectNotifications(s.t, statuses, 1, outcome)
	}
}
