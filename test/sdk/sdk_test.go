// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sdk runs the provider's own SDKs against the simulator: clients that were written for the real service
// must not notice the difference. README.md says which SDKs, and what is wrong with them.
package sdk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	script = "@language en\nS1: Hello, you! It costs £20.\nS2: This is great."
	media  = "../../config/samples/media/standup.wav"
)

// outcome is what a call of an SDK gave.
type outcome struct {
	Value    any    `json:"value"`
	Error    string `json:"error"`
	Message  string `json:"message"`
	Thrown   any    `json:"thrown"`
	Response any    `json:"response"`
}

// TestJavaScript drives the JavaScript SDKs through everything that they can do.
func TestJavaScript(t *testing.T) {
	folder := install(t)
	server := serve(t)
	files := serveMedia(t)
	var got struct {
		BatchClient  map[string]outcome `json:"batchClient"`
		Speechmatics map[string]outcome `json:"speechmatics"`
		Auth         json.RawMessage    `json:"auth"`
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, "node", filepath.Join(folder, "drive.mjs"), server, media, files+"/standup.wav")
	run.Stderr = os.Stderr
	output, err := run.Output()
	if err != nil {
		t.Fatalf("drive.mjs: %v", err)
	}
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatalf("%v: %.500s", err, output)
	}
	t.Run("batch-client", func(t *testing.T) { checkClient(t, got.BatchClient) })
	t.Run("speechmatics", func(t *testing.T) { checkClient(t, got.Speechmatics) })
	t.Run("auth", func(t *testing.T) { checkAuth(t, got.Auth) })
}

// serve starts a simulator with the words of the recordings.
func serve(t *testing.T) string {
	t.Helper()
	server := simulator.New(simulator.Options{
		APIKeys: []string{"key"}, Speed: 1000, MediaDir: t.TempDir(),
		Transcripts: fstest.MapFS{"talk.txt": {Data: []byte(script)}, "long.txt": {Data: []byte("@length 40h")}},
		Behaviour:   simulator.Behaviour{DefaultWait: simulator.Duration(200 * time.Millisecond)}, // the SDKs do not say wait=0
	})
	listener := httptest.NewServer(server)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			t.Error(err)
		}
		listener.Close()
	})
	return listener.URL
}

// serveMedia serves the recordings to who brings the right header.
func serveMedia(t *testing.T) string {
	t.Helper()
	folder := http.FileServer(http.Dir(filepath.Dir(media)))
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer media" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		folder.ServeHTTP(w, r)
	}))
	t.Cleanup(files.Close)
	return files.URL
}

// at follows members and indexes into a value; nil where there is nothing.
func at(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			members, _ := value.(map[string]any)
			value = members[step]
		case int:
			items, _ := value.([]any)
			if step >= len(items) {
				return nil
			}
			value = items[step]
		}
	}
	return value
}

func checkClient(t *testing.T, got map[string]outcome) {
	t.Helper()
	checkDocument(t, got["json"].Value)
	for name, want := range map[string]any{
		"text": "SPEAKER: S1\nHello, you! It costs £20.\nSPEAKER: S2\nThis is great.\n",
	} {
		if diff := cmp.Diff(want, got[name].Value); diff != "" {
			t.Errorf("%s (-want +got):\n%s%+v", name, diff, got[name])
		}
	}
	for name, start := range map[string]string{"srt": "1\n00:00:00,000 --> ", "fetched": "Good morning, everyone."} {
		if text, _ := got[name].Value.(string); !strings.HasPrefix(text, start) {
			t.Errorf("%s: %+v", name, got[name])
		}
	}
	if reason := at(got["unexpected"].Thrown, 0, "message"); reason != "The identified language 'en' is not one of the expected languages" {
		t.Errorf("unexpected language: %+v", got["unexpected"])
	}
	if at(got["running"].Value, "job", "status") != "running" || at(got["deleted"].Value, "job", "status") != "deleted" {
		t.Errorf("%+v, %+v", got["running"], got["deleted"])
	}
	for name, reason := range map[string]string{
		"notReady": "Transcription not ready", "locked": "Resource Locked", "gone": "Job not found", "badConfig": "Job rejected",
	} {
		if got[name].Error != "SpeechmaticsResponseError" && got[name].Error != "Error" || got[name].Message != reason {
			t.Errorf("%s: %+v", name, got[name])
		}
	}
	list, _ := at(got["list"].Value, "jobs").([]any)
	all, _ := at(got["listAll"].Value, "jobs").([]any)
	if len(list) != 2 || !slices.ContainsFunc(all, func(job any) bool { return at(job, "status") == "deleted" }) {
		t.Errorf("%d jobs, %d with deleted ones", len(list), len(all))
	}
	if at(got["discovery"].Value, "batch", "transcription", 0, "languages", 0) != "auto" {
		t.Errorf("%+v", got["discovery"])
	}
	checkKnownBugs(t, got)
}

// checkDocument looks whether every feature came through an SDK.
func checkDocument(t *testing.T, document any) {
	t.Helper()
	for _, path := range [][]any{
		{"results", 0, "alternatives", 0, "content"}, {"translations", "de", 0, "content"}, {"summary", "content"},
		{"sentiment_analysis", "segments", 0, "sentiment"}, {"topics", "segments", 0, "topics", 0, "topic"}, {"audio_events", 0, "type"},
		{"speakers", 1, "speaker_identifiers", 0}, {"metadata", "auto_chapters_errors", 0, "type"}, {"job", "tracking", "reference"},
	} {
		if at(document, path...) == nil {
			t.Errorf("no %v", path)
		}
	}
}

// checkKnownBugs notices when an SDK gets better, so that README.md can be corrected.
func checkKnownBugs(t *testing.T, got map[string]outcome) {
	t.Helper()
	if bug := got["data"]; bug.Value != nil || bug.Message != "Failed to parse response JSON" {
		t.Errorf("data files can be read now: %+v", bug)
	}
	if bug := got["unauthorized"]; bug.Error != "SyntaxError" {
		t.Errorf("an HTML error is understood now: %+v", bug)
	}
}

func checkAuth(t *testing.T, encoded []byte) {
	t.Helper()
	var got struct {
		Key      string  `json:"key"`
		Created  string  `json:"created"`
		Own      outcome `json:"own"`
		BadTTL   outcome `json:"badTTL"`
		WrongKey outcome `json:"wrongKey"`
	}
	if err := json.Unmarshal(encoded, &got); err != nil {
		t.Fatal(err)
	}
	jobs, _ := at(got.Own.Value, "jobs").([]any)
	if !strings.HasPrefix(got.Key, "eyJ") || len(jobs) != 1 || at(jobs[0], "id") != got.Created {
		t.Errorf("%+v", got)
	}
	if got.BadTTL.Message != "ttl must be between 60 and 86400" || got.WrongKey.Message != "unauthorized" {
		t.Errorf("%+v", got)
	}
}

// install puts the SDKs, pinned by hash, into the user's cache folder, unless they are there, and returns a
// folder with the driver beside them. Without Node.js, npm or a network the test is skipped.
func install(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s: the SDKs of the provider need Node.js 18 or newer, with npm", program)
		}
	}
	key := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join("js", name))
		if err != nil {
			t.Fatal(err)
		}
		key.Write(content)
	}
	cache, err := os.UserCacheDir() // obeys XDG_CACHE_HOME
	if err != nil {
		t.Skipf("no cache folder for the SDKs: %v", err)
	}
	modules := filepath.Join(cache, "transcription-operator", "sdk", hex.EncodeToString(key.Sum(nil))[:12])
	if _, err := os.Stat(modules); errors.Is(err, os.ErrNotExist) {
		download(t, modules)
	}
	folder := t.TempDir()
	copyFile(t, filepath.Join("js", "drive.mjs"), filepath.Join(folder, "drive.mjs"))
	if err := os.Symlink(filepath.Join(modules, "node_modules"), filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return folder
}

// unreachable are the words by which npm says that it is the network's fault, or the registry's.
var unreachable = []string{
	"ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "EAI_AGAIN", "ETIMEDOUT", "ENETUNREACH", "ERR_SOCKET_TIMEOUT", "E403", "E407", "E500",
	"E502", "E503", "E504",
}

// download installs beside the right place and moves it there, so that nobody finds half an installation.
func download(t *testing.T, modules string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(modules), 0o750); err != nil {
		t.Skipf("no cache folder for the SDKs: %v", err)
	}
	work, err := os.MkdirTemp(filepath.Dir(modules), "install-") //nolint:usetesting // beside the place to which it is moved
	if err != nil {
		t.Skipf("no cache folder for the SDKs: %v", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	for _, name := range []string{"package.json", "package-lock.json"} {
		copyFile(t, filepath.Join("js", name), filepath.Join(work, name))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1", "--fetch-timeout=20000")
	install.Dir = work
	output, err := install.CombinedOutput()
	switch {
	case err == nil:
	case ctx.Err() != nil, slices.ContainsFunc(unreachable, func(word string) bool { return strings.Contains(string(output), word) }):
		t.Skipf("the SDKs of the provider cannot be downloaded: %v\n%s", err, output)
	default:
		t.Fatalf("npm ci: %v\n%s", err, output)
	}
	if err := os.Rename(work, modules); err != nil {
		if _, there := os.Stat(modules); there != nil { // unless another test was faster
			t.Fatal(fmt.Errorf("the SDKs: %w", err))
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }() // was read only
	target, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(target, source); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
}
