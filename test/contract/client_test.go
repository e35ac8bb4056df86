// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// statusOf returns the status of an error that is an answer, and 0 of any other.
func statusOf(err error) int {
	var answer *speechmatics.Error
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

// read reads a transcript to its end.
func (s *service) read(id string, format speechmatics.TranscriptFormat) []byte {
	s.t.Helper()
	transcript, err := s.Transcript(s.t.Context(), id, format)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = transcript.Body.Close() }()
	content, err := io.ReadAll(transcript.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return content
}

// TestLifeOfAJob walks the ordinary way: submit, wait, read in every format, list, delete.
func TestLifeOfAJob(t *testing.T) {
	s := serve(t, simulator.Options{})
	ids := []string{s.submit(english()), s.submit(english())}
	for _, id := range ids {
		if job := s.ended(id); job.Status != speechmatics.JobDone {
			t.Fatalf("got %s", job.Status)
		}
		for _, format := range []speechmatics.TranscriptFormat{
			speechmatics.FormatJSONv2, speechmatics.FormatText, speechmatics.FormatSRT,
		} {
			if len(s.read(id, format)) == 0 {
				t.Errorf("%s is empty", format)
			}
		}
	}
	if err := s.DeleteJob(t.Context(), ids[0], speechmatics.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	listed := map[string]speechmatics.JobStatus{}
	for job, err := range s.ListJobs(t.Context(), speechmatics.ListOptions{IncludeDeleted: true, PageSize: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		listed[job.ID] = job.Status
	}
	if len(listed) != 2 || listed[ids[0]] != speechmatics.JobDeleted || listed[ids[1]] != speechmatics.JobDone {
		t.Errorf("got %v", listed)
	}
}

func TestNoKey(t *testing.T) {
	s := serve(t, simulator.Options{})
	nobody := s.client()
	_, err := nobody.GetJob(t.Context(), "a")
	wantStatus(t, err, http.StatusUnauthorized)
}
