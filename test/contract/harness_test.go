// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package contract_test drives the client against the simulator, and holds all that passes between them against the provider's specification.
package contract_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/transcription-operator/transcription-operator/internal/contract"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const apiKey = "contract-key-0123456789"

// coverage is what all tests of the package have seen.
var coverage = contract.NewCoverage()

// service is a simulator behind a recorder, and a client of it.
type service struct {
	*speechmatics.Client
	t         *testing.T
	recorder  *contract.Recorder
	simulator *simulator.Server
	base      string
}

// serve starts a service that is fast and does not limit requests, unless the options say otherwise.
func serve(t *testing.T, options simulator.Options) *service {
	t.Helper()
	s := &service{t: t, recorder: contract.Open(t).Record(coverage, func(err error) { t.Error(err) })}
	s.simulator = simulator.New(withDefaults(t, options))
	server := httptest.NewServer(s.recorder.API(s.simulator))
	s.base = server.URL + "/v2"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.simulator.Close(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	s.Client = s.client(speechmatics.WithAPIKey(apiKey), speechmatics.WithIntegration("contract-1"))
	return s
}

func withDefaults(t *testing.T, options simulator.Options) simulator.Options {
	t.Helper()
	options.APIKeys = []string{apiKey}
	options.MediaDir = t.TempDir()
	if options.Speed == 0 {
		options.Speed = 10_000
	}
	if options.Limits.ReadsPerSecond == 0 {
		options.Limits.SubmissionsPerSecond, options.Limits.ReadsPerSecond = -1, -1
	}
	return options
}

// client returns a client of the service.
func (s *service) client(options ...speechmatics.Option) *speechmatics.Client {
	s.t.Helper()
	c, err := speechmatics.New(s.base, options...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.CloseIdleConnections)
	return c
}

// recording reads one of the project's samples.
func recording(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", "media", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func upload(t *testing.T, name string) *speechmatics.Media {
	t.Helper()
	content := recording(t, name)
	return &speechmatics.Media{Name: name, Reader: bytes.NewReader(content), Size: int64(len(content))}
}

// submit uploads a sample and returns the job's ID.
func (s *service) submit(config speechmatics.JobConfig) string {
	s.t.Helper()
	job, err := s.CreateJob(s.t.Context(), speechmatics.CreateJobRequest{Config: config, Media: upload(s.t, "standup.wav")})
	if err != nil {
		s.t.Fatal(err)
	}
	return job.ID
}

// ended waits for a job's end.
func (s *service) ended(id string) *speechmatics.Job {
	s.t.Helper()
	for {
		job, err := s.GetJob(s.t.Context(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		if job.Status.Terminal() {
			return job
		}
	}
}

// english is the least that a job needs.
func english() speechmatics.JobConfig {
	return speechmatics.JobConfig{
		Type: speechmatics.JobTranscription, TranscriptionConfig: &speechmatics.TranscriptionConfig{Language: "en"},
	}
}

// wantStatus checks that the provider refused, and how.
func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	if got := statusOf(err); got != status {
		t.Errorf("got %v, want status %d (%s)", err, status, http.StatusText(status))
	}
}
