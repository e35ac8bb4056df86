// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package contract_test drives the client against the simulator, and holds all that passes between them against the provider's specification.
package contract_test

import (
	"bytes"
	"context"
	"errors"
	"io"
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

func TestMain(m *testing.M) {
	// The simulator's regular expressions have a time limit; the clock for it, one for all, stops by itself some time after.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2.runClock"))
}

// patience is how long a test waits for what has to happen. Nothing takes that long.
const patience = 3 * time.Minute

const apiKey = "contract-key-0123456789"

// service is a simulator behind a recorder, and a client of it.
type service struct {
	*speechmatics.Client
	t         *testing.T
	recorder  *contract.Recorder
	simulator *simulator.Server
	base      string
	http      *http.Client
}

// serve starts a service that is fast and does not limit requests, unless the options say otherwise.
func serve(t *testing.T, coverage *contract.Coverage, options simulator.Options) *service {
	t.Helper()
	options = withDefaults(t, options)
	s := &service{t: t, recorder: contract.Open(t).Record(coverage, func(err error) { t.Error(err) })}
	s.recorder.Backend = contract.Backend(options.Backend)
	s.simulator = simulator.New(options)
	server := httptest.NewServer(s.recorder.API(s.simulator))
	s.base = server.URL + "/v2"
	s.http = server.Client()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.simulator.Close(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	s.Client = s.client(speechmatics.WithAPIKey(apiKey), speechmatics.WithIntegration("contract-1"), speechmatics.WithApp("contract"))
	return s
}

func withDefaults(t *testing.T, options simulator.Options) simulator.Options {
	t.Helper()
	if options.Backend == "" {
		options.Backend, options.APIKeys = simulator.BackendSaaS, []string{apiKey}
	}
	options.MediaDir = t.TempDir()
	options.Transcripts = scripts
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
func recording(t *testing.T) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", "media", "standup.wav"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// upload is a recording under a name of its own.
func upload(t *testing.T, name string) *speechmatics.Media {
	t.Helper()
	content := recording(t)
	return &speechmatics.Media{Name: name, Reader: bytes.NewReader(content), Size: int64(len(content))}
}

// submitAs uploads a recording under a name, which says what is in it (see scripts), and returns the job's ID.
func (s *service) submitAs(name string, config speechmatics.JobConfig) string {
	s.t.Helper()
	job, err := s.CreateJob(s.t.Context(), speechmatics.CreateJobRequest{Config: config, Media: upload(s.t, name)})
	if err != nil {
		s.t.Fatal(err)
	}
	return job.ID
}

// submit uploads a sample and returns the job's ID.
func (s *service) submit(config speechmatics.JobConfig) string {
	s.t.Helper()
	id, err := s.trySubmit(config)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *service) trySubmit(config speechmatics.JobConfig) (id string, err error) {
	s.t.Helper()
	submission := speechmatics.CreateJobRequest{Config: config}
	if config.FetchData == nil {
		submission.Media = upload(s.t, "standup.wav")
	}
	job, err := s.CreateJob(s.t.Context(), submission)
	if err != nil {
		return "", err
	}
	return job.ID, nil
}

// ended waits for a job's end, as the backend permits, and returns the job.
func (s *service) ended(id string) *speechmatics.Job {
	s.t.Helper()
	var options []speechmatics.ReadOption
	if s.Backend() == speechmatics.SaaS {
		options = append(options, speechmatics.Wait(10*time.Second))
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		job, err := s.GetJob(ctx, id, options...)
		if err != nil {
			s.t.Fatal(err)
		}
		if job.Status.Terminal() {
			return job
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("the job is still %s", job.Status)
		}
	}
}

// done submits a job, waits for its end, which has to be a good one, and returns its ID.
func (s *service) done(config speechmatics.JobConfig) string {
	s.t.Helper()
	id := s.submit(config)
	if job := s.ended(id); job.Status != speechmatics.JobDone {
		s.t.Fatalf("the job is %s: %v", job.Status, job.Errors)
	}
	return id
}

// read reads a transcript to its end.
func (s *service) read(id string, format speechmatics.TranscriptFormat) []byte {
	s.t.Helper()
	return s.all(s.Transcript(s.t.Context(), id, format))
}

// all reads a download to its end.
func (s *service) all(download *speechmatics.Download, err error) []byte {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = download.Body.Close() }()
	content, err := io.ReadAll(download.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return content
}

// fails returns the error of a download that is to fail.
func (s *service) fails(download *speechmatics.Download, err error) error {
	s.t.Helper()
	if err == nil {
		s.all(download, nil)
	}
	return err
}

// raw sends a request that the client would not send.
func (s *service) raw(method, path string) (status int, body []byte) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+apiKey)
	response, err := s.http.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, body
}

// english is the least that a job needs.
func english() speechmatics.JobConfig {
	return speechmatics.JobConfig{
		Type: speechmatics.JobTranscription, TranscriptionConfig: &speechmatics.TranscriptionConfig{Language: "en"},
	}
}

// statusOf returns the status of an error that is an answer, and 0 of any other.
func statusOf(err error) int {
	if answer := answerOf(err); answer != nil {
		return answer.StatusCode
	}
	return 0
}

// answerOf returns the answer that an error is; nil if it is none.
func answerOf(err error) *speechmatics.Error {
	var answer *speechmatics.Error
	_ = errors.As(err, &answer)
	return answer
}

// wantStatus checks that the provider refused, and how.
func wantStatus(t *testing.T, err error, status int) {
	t.Helper()
	if got := statusOf(err); got != status {
		t.Errorf("got %v, want status %d (%s)", err, status, http.StatusText(status))
	}
}
