// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
)

const testKey = "test-key"

// mediaDir holds the recordings of the samples.
var mediaDir = filepath.Join("..", "..", "config", "samples", "media")

// api is a server under test, and a client of it that knows nothing but HTTP.
type api struct {
	t      *testing.T
	server *Server
	url    string
	client *http.Client
}

// start serves a simulator over HTTP until the test ends. Unless the test says otherwise it is fast,
// has one key and no rate limits, and GETs do not block.
func start(t *testing.T, options Options) *api {
	t.Helper()
	if options.APIKeys == nil {
		options.APIKeys = []string{testKey}
	}
	orDefault(&options.Speed, 1000)
	orDefault(&options.Behaviour.DefaultWait, -1)
	orDefault(&options.Limits.SubmissionsPerSecond, -1)
	orDefault(&options.Limits.ReadsPerSecond, -1)
	options.MediaDir = t.TempDir()
	server := New(options)
	listener := httptest.NewServer(server)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
		client.CloseIdleConnections()
		listener.Close()
		left, err := os.ReadDir(options.MediaDir)
		if err != nil || len(left) > 0 {
			t.Errorf("media left behind: %v %v", left, err)
		}
	})
	return &api{t: t, server: server, url: listener.URL, client: client}
}

// answer is a response whose body was read.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var decoded map[string]any
	if err := json.Unmarshal([]byte(a.body), &decoded); err != nil {
		t.Fatalf("status %d, body is not JSON: %v\n%s", a.status, err, a.body)
	}
	return decoded
}

// try sends a request with the test's key, or without one where the header says "-".
func (a *api) try(method, path string, body io.Reader, headers ...string) (answer, error) {
	a.t.Helper()
	request, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+testKey)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := a.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(content)}, err
}

func (a *api) do(method, path string, body io.Reader, headers ...string) answer {
	a.t.Helper()
	got, err := a.try(method, path, body, headers...)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	return got
}

func (a *api) get(path string) answer { a.t.Helper(); return a.do(http.MethodGet, path, nil) }

// form is a submission's body.
func form(t *testing.T, config, fileName string, media []byte) (io.Reader, string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	if config != "" {
		check(t, w.WriteField("config", config))
	}
	if fileName != "" {
		part, err := w.CreateFormFile("data_file", fileName)
		check(t, err)
		_, err = part.Write(media)
		check(t, err)
	}
	check(t, w.Close())
	return &body, w.FormDataContentType()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// post submits, whatever comes of it.
func (a *api) post(query, config, fileName string, media []byte) answer {
	a.t.Helper()
	body, contentType := form(a.t, config, fileName, media)
	return a.do(http.MethodPost, "/v2/jobs"+query, body, "Content-Type", contentType)
}

// submit uploads media and returns the job's ID.
func (a *api) submit(config, fileName string, media []byte) string {
	a.t.Helper()
	got := a.post("", config, fileName, media)
	if got.status != http.StatusCreated {
		a.t.Fatalf("status %d: %s", got.status, got.body)
	}
	return got.json(a.t)["id"].(string)
}

// job reads a job as the API shows it.
func (a *api) job(id string) map[string]any {
	a.t.Helper()
	got := a.get("/v2/jobs/" + id + "?wait=0")
	if got.status != http.StatusOK {
		a.t.Fatalf("status %d: %s", got.status, got.body)
	}
	return got.json(a.t)["job"].(map[string]any)
}

// finished waits for the end of a job, and returns it.
func (a *api) finished(id string) map[string]any {
	a.t.Helper()
	got := a.get("/v2/jobs/" + id + "?wait=20").json(a.t)["job"].(map[string]any)
	if got["status"] == "running" {
		a.t.Fatalf("still running: %v", got)
	}
	return got
}

// messages are a job's errors.
func messages(job map[string]any) []string {
	var found []string
	items, _ := job["errors"].([]any)
	for _, item := range items {
		found = append(found, item.(map[string]any)["message"].(string))
	}
	return found
}

// wav makes a silent recording: 16 kHz, mono, 16 bit.
func wav(length time.Duration) []byte {
	size := uint32(length.Seconds() * 32000)
	le := func(n uint32, bytes int) string {
		var b strings.Builder
		for i := range bytes {
			b.WriteByte(byte(n >> (8 * i)))
		}
		return b.String()
	}
	header := "RIFF" + le(36+size, 4) + "WAVEfmt " + le(16, 4) + le(1, 2) + le(1, 2) + le(16000, 4) + le(32000, 4) +
		le(2, 2) + le(16, 2) + "data" + le(size, 4)
	return append([]byte(header), make([]byte, size)...)
}

// sample reads a recording of the samples.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(mediaDir, name))
	check(t, err)
	return content
}

const plainConfig = `{"type":"transcription","transcription_config":{"language":"en"}}`

// newClock is a clock that stands still until it is driven.
func newClock() *clocktesting.FakeClock {
	return clocktesting.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
}

var _ clock.Clock = (*clocktesting.FakeClock)(nil)

// drive lets time pass, a step at a time and only while something waits for it, until a condition holds.
func drive(t *testing.T, c *clocktesting.FakeClock, step time.Duration, until func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !until() {
		if time.Now().After(deadline) {
			t.Fatal("the condition never held")
		}
		if c.HasWaiters() {
			c.Step(step)
		}
		runtime.Gosched()
	}
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, until func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !until() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		runtime.Gosched()
	}
}
