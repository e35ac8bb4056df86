// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var mediaDir = filepath.Join("..", "..", "config", "samples", "media")

// output is a log that is written and read at the same time.
type output struct {
	mu      sync.Mutex
	buffer  bytes.Buffer
	written chan struct{}
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.written <- struct{}{}:
	default:
	}
	return o.buffer.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

// program is the program under test, running.
type program struct {
	url    string
	stderr *output
	stop   context.CancelFunc
	exit   chan int
	client *http.Client
}

var addressPattern = regexp.MustCompile(`address=(\S+)`)

func launch(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	p := &program{
		stderr: &output{written: make(chan struct{}, 1)}, stop: stop, exit: make(chan int, 1),
		client: &http.Client{Transport: &http.Transport{}},
	}
	go func() { p.exit <- run(ctx, append([]string{"--listen", "127.0.0.1:0"}, args...), io.Discard, p.stderr) }()
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		stop()
	})
	for {
		if found := addressPattern.FindStringSubmatch(p.stderr.String()); found != nil {
			p.url = "http://" + found[1]
			return p
		}
		select {
		case <-p.stderr.written:
		case code := <-p.exit:
			t.Fatalf("exit code %d: %s", code, p.stderr)
		case <-time.After(10 * time.Second):
			t.Fatalf("no address: %s", p.stderr)
		}
	}
}

func (p *program) do(t *testing.T, method, path string, body io.Reader, contentType string) (status int, content string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, p.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer key-1")
	request.Header.Set("Content-Type", contentType)
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(read)
}

func TestProgramTranscribesWhatItServes(t *testing.T) {
	p := launch(t, "--api-key", "key-1", "--speed", "1000", "--media", mediaDir)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	config := fmt.Sprintf(`{"type":"transcription","transcription_config":{"language":"en","diarization":"speaker"},"fetch_data":{"url":%q}}`,
		p.url+"/media/dialogue.mp3")
	if err := w.WriteField("config", config); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	status, body := p.do(t, http.MethodPost, "/v2/jobs?wait=30&format=txt", &form, w.FormDataContentType())
	var created struct {
		Status string `json:"status"`
		Text   string `json:"txt"`
	}
	if err := json.Unmarshal([]byte(body), &created); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	if created.Status != "done" || !strings.HasPrefix(created.Text, "SPEAKER: S1\nGood afternoon, this is the support desk.") {
		t.Errorf("%+v", created)
	}
	p.stop()
	if code := <-p.exit; code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if log := p.stderr.String(); strings.Contains(log, "key-1") || !strings.Contains(log, "simulator") {
		t.Errorf("%s", log)
	}
}

func TestMediaStayInTheirFolder(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"secret.txt": "secret", "media/a.txt": "0123456789", "media/sub/b.txt": "b"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "secret.txt"), filepath.Join(dir, "media", "link.txt")); err != nil {
		t.Fatal(err)
	}
	p := launch(t, "--api-key", "key-1", "--media", filepath.Join(dir, "media"))
	for path, want := range map[string]string{"/media/a.txt": "0123456789", "/media/sub/b.txt": "b"} {
		if status, body := p.do(t, http.MethodGet, path, nil, ""); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, path := range []string{
		"/media/", "/media/sub", "/media/sub/", "/media/none", "/media/link.txt", "/media/..%2fsecret.txt", "/media/%2e%2e/secret.txt",
		"/media/sub/../../../secret.txt", "/media//secret.txt",
	} {
		if status, body := p.do(t, http.MethodGet, path, nil, ""); status == http.StatusOK || strings.Contains(body, "secret") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestFlagsOrderFaults(t *testing.T) {
	p := launch(t, "--api-key", "key-1", "--fault", "kind=error,operation=list,status=503,count=1", "--lose-notifications-for-title", "lost*")
	if status, _ := p.do(t, http.MethodGet, "/v2/jobs", nil, ""); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	if status, _ := p.do(t, http.MethodGet, "/v2/jobs", nil, ""); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	_, body := p.do(t, http.MethodGet, "/admin/faults", nil, "")
	want := `[{"kind":"error","operation":"list","count":1,"status":503},{"kind":"notification-lost","title":"lost*"}]` + "\n"
	if body != want {
		t.Errorf("%s", body)
	}
}

func TestBackendFlag(t *testing.T) {
	p := launch(t, "--backend", "worker", "--engines", "7")
	if status, body := p.do(t, http.MethodGet, "/jobs", nil, ""); status != http.StatusOK || !strings.Contains(body, `"max_engines":7`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestClockOffsetFlag(t *testing.T) {
	p := launch(t, "--api-key", "key-1", "--clock-offset", "-48h")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/healthz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	date, err := http.ParseTime(response.Header.Get("Date"))
	if off := time.Until(date); err != nil || off > -47*time.Hour || off < -49*time.Hour {
		t.Errorf("Date is off by %v, %v", off, err)
	}
}

func TestBadFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args   []string
		reason string
	}{
		"no key":         {nil, "--api-key: at least one key is needed"},
		"empty key":      {[]string{"--api-key", " "}, "--api-key: a key is empty"},
		"project key":    {[]string{"--project-key", "hunter2"}, "is not PROJECT=KEY"},
		"speed 0":        {[]string{"--speed", "0"}, "--speed: 0 is not a positive number"},
		"speed NaN":      {[]string{"--speed", "nan"}, "--speed: NaN"},
		"speed":          {[]string{"--speed", "fast"}, "invalid argument \"fast\" for \"--speed\""},
		"rate":           {[]string{"--reads-per-second", "inf"}, "--reads-per-second"},
		"fault":          {[]string{"--fault", "kind=meteor"}, "--fault: fault \"kind=meteor\": kind: \"meteor\" is none of"},
		"title":          {[]string{"--lose-notifications-for-title", ""}, "a title is empty"},
		"behaviour":      {[]string{"--behaviour", "deletedJob=no"}, "--behaviour: behaviour \"deletedJob=no\": deletedJob"},
		"no folder":      {[]string{"--media", "/does/not/exist"}, "--media: open /does/not/exist"},
		"no folder, too": {[]string{"--transcripts", file}, "--transcripts:"},
		"backend":        {[]string{"--backend", "cloud"}, "--backend: \"cloud\" is none of saas, appliance, worker"},
		"engines":        {[]string{"--backend", "worker", "--engines", "-1"}, "engines: -1 is negative"},
		"log level":      {[]string{"--log-level", "loud"}, "--log-level: \"loud\" is none of"},
		"no address":     {[]string{"--listen", ""}, "--listen: an address is needed"},
		"unknown flag":   {[]string{"--sped", "3"}, "unknown flag: --sped"},
		"argument":       {[]string{"serve"}, "unexpected argument \"serve\""},
	} {
		t.Run(name, func(t *testing.T) {
			args := test.args
			if name != "no key" && name != "project key" {
				args = append([]string{"--api-key", "k"}, args...)
			}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), args, &stdout, &stderr)
			if code != exitUsage || !strings.Contains(stderr.String(), test.reason) || strings.Contains(stderr.String(), "hunter2") || stdout.Len() > 0 {
				t.Errorf("exit code %d: %s", code, &stderr)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	for _, want := range []string{"--listen", "--api-key", "--lose-notifications-for-title", "--clock-offset", "/admin/ledger", "/admin/outage", "/admin/foreign", "/admin/requests"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %s", want)
		}
	}
	for field := range reflect.TypeFor[simulator.Behaviour]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !regexp.MustCompile(`\b` + name + `\b`).MatchString(stdout.String()) {
			t.Errorf("behaviour %s is not explained", name)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	p := launch(t, "--api-key", "key-1")
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"--api-key", "k", "--listen", strings.TrimPrefix(p.url, "http://")}, io.Discard, &stderr)
	if code != exitFailure || !strings.Contains(stderr.String(), "--listen") {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
}
