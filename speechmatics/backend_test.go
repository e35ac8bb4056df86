// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCapabilities(t *testing.T) {
	want := map[Backend]Capabilities{
		SaaS: {
			CanList: true, ListHasConfig: true, ListsDeleted: true, CanDelete: true, KnowsWait: true, HasUsage: true, HasLog: true, HasData: true,
			HasDiscovery: true, HasAlignment: true, Remembers: true, Retention: 168 * time.Hour,
		},
		Appliance: {
			CanList: true, ListsDeleted: true, CanDelete: true, HasLog: true, TakesProcessingData: true,
			Remembers: true, Retention: 24 * time.Hour,
		},
		Worker:   {CanList: true, HasLog: true, TakesProcessingData: true},
		"future": {},
		"":       {},
	}
	for backend, capabilities := range want {
		if diff := cmp.Diff(capabilities, backend.Capabilities()); diff != "" {
			t.Errorf("%s: %s", backend, diff)
		}
	}
}

func TestWithBackend(t *testing.T) {
	for _, backend := range []Backend{SaaS, Appliance, Worker} {
		c, err := New("https://example.com/v2", WithBackend(backend))
		if err != nil || c.Backend() != backend {
			t.Errorf("%s: got %v", backend, err)
		}
	}
	if c, err := New("https://example.com/v2"); err != nil || c.Backend() != SaaS {
		t.Errorf("by default: got %v", err)
	}
	for _, backend := range []Backend{"", "SaaS", "cloud"} {
		var invalid *InvalidError
		if _, err := New("https://example.com/v2", WithBackend(backend)); !errors.As(err, &invalid) || invalid.Field != "backend" {
			t.Errorf("%q: got %v", backend, err)
		}
	}
}

// neverAsked fails the test if anything is sent.
func neverAsked(t *testing.T) http.HandlerFunc {
	t.Helper()
	return func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was sent", r.Method, r.URL) }
}

func assertUnsupported(t *testing.T, err error, operation string, backend Backend) {
	t.Helper()
	var unsupported *UnsupportedError
	if !errors.As(err, &unsupported) || !errors.Is(err, errors.ErrUnsupported) {
		t.Fatalf("got %v", err)
	}
	if unsupported.Operation != operation || unsupported.Backend != backend || unsupported.Feature == "" || unsupported.Advice == "" {
		t.Errorf("got %+v", unsupported)
	}
	for _, part := range []string{operation, string(backend), unsupported.Advice} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

// Each call is sent to the backends that have it, and refused for the others before anything is sent.
func TestUnsupported(t *testing.T) {
	type call func(context.Context, *Client) error
	create := func(change func(*CreateJobRequest)) call {
		return func(ctx context.Context, c *Client) error {
			submission := upload100(100)
			change(&submission)
			_, err := c.CreateJob(ctx, submission)
			return err
		}
	}
	tests := []struct {
		operation string
		has       func(Capabilities) bool
		call      call
	}{
		{opDeleteJob, func(can Capabilities) bool { return can.CanDelete }, func(ctx context.Context, c *Client) error {
			return c.DeleteJob(ctx, "a", DeleteOptions{})
		}},
		{opListJobs, func(can Capabilities) bool { return can.ListsDeleted }, func(ctx context.Context, c *Client) error {
			_, err := collect(c.ListJobs(ctx, ListOptions{IncludeDeleted: true}))
			return err
		}},
		{opListJobs, func(can Capabilities) bool { return can.CanList }, func(ctx context.Context, c *Client) error {
			_, err := collect(c.ListJobs(ctx, ListOptions{}))
			return err
		}},
		{opListPage, func(can Capabilities) bool { return can.CanList }, func(ctx context.Context, c *Client) error {
			return c.ListPage(ctx, time.Time{}, func(*Job) {})
		}},
		{opGetJob, func(can Capabilities) bool { return can.KnowsWait }, func(ctx context.Context, c *Client) error {
			_, err := c.GetJob(ctx, "a", Wait(1))
			return err
		}},
		{opJobDocument, func(can Capabilities) bool { return can.KnowsWait }, func(ctx context.Context, c *Client) error {
			_, err := c.JobDocument(ctx, "a", Wait(1))
			return err
		}},
		{opTranscript, func(can Capabilities) bool { return can.KnowsWait }, func(ctx context.Context, c *Client) error {
			return closing(c.Transcript(ctx, "a", FormatText, Wait(1)))
		}},
		{opLog, func(can Capabilities) bool { return can.HasLog }, func(ctx context.Context, c *Client) error { return closing(c.Log(ctx, "a")) }},
		{opData, func(can Capabilities) bool { return can.HasData }, func(ctx context.Context, c *Client) error { return closing(c.Data(ctx, "a")) }},
		{opText, func(can Capabilities) bool { return can.HasAlignment }, func(ctx context.Context, c *Client) error { return closing(c.Text(ctx, "a")) }},
		{opAlignment, func(can Capabilities) bool { return can.HasAlignment }, func(ctx context.Context, c *Client) error {
			return closing(c.Alignment(ctx, "a", ""))
		}},
		{opUsage, func(can Capabilities) bool { return can.HasUsage }, func(ctx context.Context, c *Client) error {
			_, err := c.Usage(ctx, UsageQuery{})
			return err
		}},
		{opDiscover, func(can Capabilities) bool { return can.HasDiscovery }, func(ctx context.Context, c *Client) error {
			_, err := c.Discover(ctx)
			return err
		}},
		{opWorkerCapacity, func(can Capabilities) bool { return can == Worker.Capabilities() }, func(ctx context.Context, c *Client) error {
			_, err := c.WorkerCapacity(ctx)
			return err
		}},
		{opWorkerReady, func(can Capabilities) bool { return can == Worker.Capabilities() }, func(ctx context.Context, c *Client) error {
			_, err := c.WorkerReady(ctx)
			return err
		}},
		{opCreateJob, func(can Capabilities) bool { return can.TakesProcessingData }, create(func(r *CreateJobRequest) { r.ProcessingData = &ProcessingData{} })},
		{opCreateJob, func(can Capabilities) bool { return can.KnowsWait }, create(func(r *CreateJobRequest) { r.Wait = 1 })},
		{opCreateJob, func(can Capabilities) bool { return can.HasAlignment }, create(func(r *CreateJobRequest) {
			r.Config, r.Text = alignmentConfig, file("a.txt", "words")
		})},
	}
	for i, tt := range tests {
		for _, backend := range []Backend{SaaS, Appliance, Worker} {
			t.Run(fmt.Sprintf("%d %s of %s", i, tt.operation, backend), func(t *testing.T) {
				sent := 0
				c := serve(t, func(w http.ResponseWriter, r *http.Request) {
					sent++
					_, _ = io.Copy(io.Discard, r.Body)
					answer(http.StatusTeapot, "", "")(w, r)
				}, WithBackend(backend))
				err := tt.call(testContext(t), c)
				if tt.has(backend.Capabilities()) {
					if sent != 1 || !hasStatus(err, http.StatusTeapot) {
						t.Errorf("%d requests, %v", sent, err)
					}
					return
				}
				if sent != 0 {
					t.Error("a request was sent")
				}
				assertUnsupported(t, err, tt.operation, backend)
				if tt.operation == opCreateJob && !NotCreated(err) {
					t.Error("the outcome is unknown")
				}
			})
		}
	}
}

// closing closes what a test does not read.
func closing(download *Download, err error) error {
	if err == nil {
		_ = download.Body.Close()
	}
	return err
}

// Backends that do not know wait must not be sent it: what they do with it is not documented.
func TestWaitByBackend(t *testing.T) {
	for backend, want := range map[Backend]bool{SaaS: true, Appliance: false, Worker: false} {
		t.Run(string(backend), func(t *testing.T) {
			requests := 0
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests++
				if got := r.URL.Query().Has("wait"); got != want {
					t.Errorf("%s: wait was sent: %t", r.URL, got)
				}
				_, _ = io.WriteString(w, `{"job":{"id":"a"}}`)
			}, WithBackend(backend))
			if _, err := c.GetJob(testContext(t), "a"); err != nil {
				t.Error(err)
			}
			transcript, err := c.Transcript(testContext(t), "a", FormatText)
			if err != nil {
				t.Fatal(err)
			}
			_ = transcript.Body.Close()
			if requests != 2 {
				t.Errorf("%d requests", requests)
			}
		})
	}
}

// 503 is an answer to a submission that three backends mean differently, and which proxies give, too.
func TestServerBusy(t *testing.T) {
	const busy = `{"detail": "Server busy: 8 engines not available (2 engines in use, 5 parallel allowed)"}`
	tests := []struct {
		name              string
		backend           Backend
		status            int
		contentType, body string
		notCreated        bool
	}{
		{"worker", Worker, 503, "application/json", busy, true},
		{"worker, with a charset", Worker, 503, "application/json; charset=utf-8", busy, true},
		{"another status", Worker, 500, "application/json", busy, false},
		{"another reason", Worker, 503, "application/json", `{"detail": "Shutting down"}`, false},
		{"a proxy's text", Worker, 503, "text/plain", "Server busy", false},
		{"a proxy's page", Worker, 503, "text/html", "<title>Server busy</title>", false},
		{"no body", Worker, 503, "application/json", "", false},
		{"appliance", Appliance, 503, "application/json", busy, false},
		{"hosted service", SaaS, 503, "application/json", busy, false},
		{"a configuration refused in FastAPI's way", Worker, 422, "application/json", `{"detail":[{"loc":["body","config"],"msg":"field required"}]}`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				answer(tt.status, tt.contentType, tt.body)(w, r)
			}, WithBackend(tt.backend))
			_, err := c.CreateJob(testContext(t), upload100(100))
			if NotCreated(err) != tt.notCreated {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestProcessingData(t *testing.T) {
	tests := []struct {
		data  *ProcessingData
		want  string // the header; empty for none
		field string // of the error
	}{
		{data: nil},
		{data: &ProcessingData{}, want: `{}`},
		{data: &ProcessingData{ParallelEngines: 4}, want: `{"parallel_engines":4}`},
		{data: &ProcessingData{ParallelEngines: 2, UserID: "u"}, want: `{"parallel_engines":2,"user_id":"u"}`},
		{data: &ProcessingData{UserID: "Ü😀\"\n\x7f"}, want: `{"user_id":"\u00dc\ud83d\ude00\"\n\u007f"}`},
		{data: &ProcessingData{ParallelEngines: -1}, field: "ProcessingData.ParallelEngines"},
		{data: &ProcessingData{UserID: strings.Repeat("u", maxUserIDBytes+1)}, field: "ProcessingData.UserID"},
		{data: &ProcessingData{UserID: "\xff"}, field: "ProcessingData.UserID"},
	}
	for _, tt := range tests {
		var got []string
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			got = r.Header.Values("X-SM-Processing-Data")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"a"}`)
		}, WithBackend(Worker))
		submission := upload100(100)
		submission.ProcessingData = tt.data
		_, err := c.CreateJob(testContext(t), submission)
		var invalid *InvalidError
		if errors.As(err, &invalid) != (tt.field != "") || (invalid != nil && (invalid.Field != tt.field || !NotCreated(err))) {
			t.Errorf("%+v: got %v", tt.data, err)
		}
		if header := strings.Join(got, "|"); header != tt.want {
			t.Errorf("%+v: got %s", tt.data, header)
		}
		if tt.want != "" && !json.Valid([]byte(tt.want)) {
			t.Errorf("%s is not JSON", tt.want)
		}
	}
}

func TestWithApp(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("sm-app"); got != "an-app" {
			t.Errorf("got %q", got)
		}
		_, _ = io.WriteString(w, `{"jobs":[]}`)
	}, WithApp("an-app"))
	if _, err := collect(c.ListJobs(testContext(t), ListOptions{})); err != nil {
		t.Error(err)
	}
	for _, app := range []string{"", "a b", "a\n", strings.Repeat("a", 129)} {
		if _, err := New("https://example.com/v2", WithApp(app)); err == nil {
			t.Errorf("%q is accepted", app)
		}
	}
}
