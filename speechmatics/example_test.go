// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// provider stands in for the real one, at https://eu1.asr.api.speechmatics.com/v2 for example.
func provider() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/jobs", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"z2jfp1jwu1"}`)
	})
	mux.HandleFunc("GET /v2/jobs/z2jfp1jwu1", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"job":{"id":"z2jfp1jwu1","status":"done","duration":2}}`)
	})
	mux.HandleFunc("GET /v2/jobs/z2jfp1jwu1/transcript", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "Hello, world.\n")
	})
	mux.HandleFunc("GET /v2/jobs", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"jobs":[{"id":"z2jfp1jwu1","status":"done","created_at":"2026-01-02T03:04:05.678Z",`+
			`"config":{"type":"transcription","tracking":{"reference":"order-7"}}}]}`)
	})
	return httptest.NewServer(mux)
}

// Submit a recording, look how it is doing, read its transcript.
func Example() {
	server := provider()
	defer server.Close()
	ctx := context.Background()

	client, err := speechmatics.New(server.URL+"/v2", speechmatics.WithAPIKey("a-key-of-the-portal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	recording := strings.NewReader("RIFF…")
	created, err := client.CreateJob(ctx, speechmatics.CreateJobRequest{
		Config: speechmatics.JobConfig{
			Type:                "transcription",
			TranscriptionConfig: &speechmatics.TranscriptionConfig{Language: "en"},
			Tracking:            &speechmatics.Tracking{Reference: "order-7"},
		},
		Media: &speechmatics.Media{Name: "hello.wav", Reader: recording, Size: recording.Size()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err := client.GetJob(ctx, created.ID) // a real program asks again until job.Status.Terminal()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.ID, job.Status, job.Duration)
	transcript, err := client.Transcript(ctx, job.ID, speechmatics.FormatText)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = transcript.Body.Close() }()
	_, _ = io.Copy(os.Stdout, transcript.Body)
	// Output:
	// z2jfp1jwu1 done 2s
	// Hello, world.
}

// After an uncertain submission, the job is looked for by its reference before it is submitted again. That holds for every backend: one
// whose list does not say whose a job is, is asked about each, and of one that forgets, absence proves nothing.
func ExampleClient_FindSubmissions() {
	server := provider()
	defer server.Close()
	client, err := speechmatics.New(server.URL + "/v2")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	submitted := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	const clockSkew = time.Minute
	found, err := client.FindSubmissions(context.Background(), speechmatics.SubmissionQuery{
		Reference: "order-7",
		Since:     submitted.Add(-clockSkew),
	})
	switch {
	case err != nil:
		fmt.Println(err)
	case len(found.Jobs) > 0:
		fmt.Println("it exists:", found.Jobs[0].ID)
	case found.Doubt != "":
		fmt.Println("nobody can tell:", found.Doubt)
	default:
		fmt.Println("it does not exist, or is not listed yet")
	}
	// Output: it exists: z2jfp1jwu1
}

// Jobs are listed one page after the other, as far as the loop goes.
func ExampleClient_ListJobs() {
	server := provider()
	defer server.Close()
	client, err := speechmatics.New(server.URL + "/v2")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	for job, err := range client.ListJobs(context.Background(), speechmatics.ListOptions{PageSize: 50}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(job.ID, job.Status)
	}
	// Output: z2jfp1jwu1 done
}

// The fence keeps a submission from being completed too late.
func ExampleCreateJobRequest_beforeLastBytes() {
	server := provider()
	defer server.Close()
	client, err := speechmatics.New(server.URL + "/v2")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	errTooLate := errors.New("the claim has ended")
	claimEnds := time.Now().Add(-time.Second)
	recording := strings.NewReader("RIFF…")
	_, err = client.CreateJob(context.Background(), speechmatics.CreateJobRequest{
		Config: speechmatics.JobConfig{Type: "transcription", TranscriptionConfig: &speechmatics.TranscriptionConfig{Language: "en"}},
		Media:  &speechmatics.Media{Name: "hello.wav", Reader: recording, Size: recording.Size()},
		BeforeLastBytes: func() error {
			if time.Now().After(claimEnds) {
				return errTooLate
			}
			return nil
		},
	})
	fmt.Println(errors.Is(err, errTooLate), speechmatics.NotCreated(err))
	// Output: true true
}
