// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUploadBecomesATranscript(t *testing.T) {
	a := start(t, Options{Transcripts: sideFiles(t)})
	config := `{"type":"transcription","transcription_config":{"language":"en"},"tracking":{"reference":"r1","title":"t"}}`
	id := a.submit(config, "standup.wav", sample(t, "standup.wav"))
	if !regexp.MustCompile("^[a-z0-9]{10}$").MatchString(id) {
		t.Errorf("id %q", id)
	}
	job := a.finished(id)
	for field, want := range map[string]any{"status": "done", "data_name": "standup.wav", "duration": 25.0, "id": id} {
		if job[field] != want {
			t.Errorf("%s: %v, want %v", field, job[field], want)
		}
	}
	want := map[string]any{
		"type": "transcription", "transcription_config": map[string]any{"language": "en"},
		"tracking": map[string]any{"reference": "r1", "title": "t"},
	}
	if diff := cmp.Diff(want, job["config"]); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if created := job["created_at"].(string); !regexp.MustCompile(`\.[0-9]{3}Z$`).MatchString(created) {
		t.Errorf("created_at %q is not in milliseconds", created)
	}
	text := a.get("/v2/jobs/" + id + "/transcript?format=txt")
	wantText := strings.Join(strings.Fields(string(sample(t, "standup.txt"))), " ") + "\n"
	if text.status != http.StatusOK || text.body != wantText {
		t.Errorf("status %d, text %q, want %q", text.status, text.body, wantText)
	}
	if n := a.server.Submissions("r1"); n != 1 {
		t.Errorf("submissions: %d", n)
	}
}

func TestSlashAtTheEnd(t *testing.T) {
	a := start(t, Options{})
	body, contentType := form(t, plainConfig, "a.wav", wav(time.Second))
	got := a.do(http.MethodPost, "/v2/jobs/", body, "Content-Type", contentType)
	if got.status != http.StatusCreated {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	id := got.json(t)["id"].(string)
	a.finished(id)
	for _, path := range []string{"/v2/jobs/", "/v2/jobs/" + id + "/", "/v2/jobs/" + id + "/transcript/"} {
		if got := a.get(path); got.status != http.StatusOK {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

func TestAuthentication(t *testing.T) {
	a := start(t, Options{ProjectKeys: map[string]string{"other-key": "other"}})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	for name, test := range map[string]struct {
		header string
		want   int
	}{
		"none":           {"", http.StatusUnauthorized},
		"wrong":          {"Bearer nope", http.StatusUnauthorized},
		"wrong scheme":   {"Basic " + testKey, http.StatusUnauthorized},
		"right":          {"Bearer " + testKey, http.StatusOK},
		"other project":  {"Bearer other-key", http.StatusNotFound},
		"case of scheme": {"bearer " + testKey, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			got := a.do(http.MethodGet, "/v2/jobs/"+id, nil, "Authorization", test.header)
			if got.status != test.want {
				t.Errorf("status %d, want %d", got.status, test.want)
			}
		})
	}
	html := a.do(http.MethodGet, "/v2/jobs", nil, "Authorization", "")
	if !strings.Contains(html.body, "<title>401 Authorization Required</title>") || html.header.Get("Content-Type") != "text/html" {
		t.Errorf("401 is not nginx's page: %v", html)
	}
	check(t, a.server.SetBehaviour(Behaviour{EdgeErrors: BodyJSON}))
	if got := a.do(http.MethodGet, "/v2/jobs", nil, "Authorization", ""); got.json(t)["error"] != "Unauthorized" {
		t.Errorf("401 as JSON: %v", got)
	}
}

func TestKeysAreRotated(t *testing.T) {
	a := start(t, Options{})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	a.server.AddKey("new")
	if !a.server.RevokeKey(testKey) || a.server.RevokeKey(testKey) {
		t.Error("RevokeKey does not report whether there was a key")
	}
	if got := a.get("/v2/jobs"); got.status != http.StatusUnauthorized {
		t.Errorf("a revoked key: %d", got.status)
	}
	if got := a.do(http.MethodGet, "/v2/jobs/"+id, nil, "Authorization", "Bearer new"); got.status != http.StatusOK {
		t.Errorf("a new key of the project: %d", got.status)
	}
}

func TestDelete(t *testing.T) {
	a := start(t, Options{Speed: 0.001})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	path := "/v2/jobs/" + id
	locked := a.do(http.MethodDelete, path, nil)
	if locked.status != http.StatusLocked || locked.json(t)["error"] != "Resource Locked" {
		t.Errorf("running: %v", locked)
	}
	if got := a.do(http.MethodDelete, path+"?force=maybe", nil); got.status != http.StatusUnprocessableEntity {
		t.Errorf("bad force: %d", got.status)
	}
	deleted := a.do(http.MethodDelete, path+"?force=true", nil)
	if deleted.status != http.StatusOK || deleted.json(t)["job"].(map[string]any)["status"] != "deleted" {
		t.Fatalf("forced: %v", deleted)
	}
	for answer, want := range map[GoneAnswer]int{
		GoneAnswerNotFound: http.StatusNotFound, GoneAnswerGone: http.StatusGone, GoneAnswerShow: http.StatusOK,
	} {
		check(t, a.server.SetBehaviour(Behaviour{DeletedJob: answer}))
		if got := a.get(path); got.status != want {
			t.Errorf("GET, %s: %d", answer, got.status)
		}
		if got := a.do(http.MethodDelete, path, nil); got.status != want {
			t.Errorf("DELETE, %s: %d", answer, got.status)
		}
		if got := a.get(path + "/transcript"); got.status == http.StatusOK {
			t.Errorf("transcript, %s: %d", answer, got.status)
		}
	}
	if n := a.server.Submissions(""); n != 1 {
		t.Errorf("the ledger forgot a deleted job: %d", n)
	}
}

func TestExpiry(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Speed: 7 * 24}) // a week becomes an hour
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	drive(t, clock, time.Second, func() bool { return a.job(id)["status"] == "done" })
	clock.Step(59 * time.Minute)
	if got := a.get("/v2/jobs/" + id + "/transcript"); got.status != http.StatusOK {
		t.Fatalf("before: %v", got)
	}
	clock.Step(time.Minute)
	if got := a.get("/v2/jobs/" + id); got.status != http.StatusGone || got.json(t)["error"] != "Job Expired" {
		t.Errorf("job: %v", got)
	}
	transcript := a.get("/v2/jobs/" + id + "/transcript")
	if transcript.status != http.StatusGone || transcript.json(t)["detail"] != "File deleted from the storage" {
		t.Errorf("transcript: %v", transcript)
	}
	if got := a.get("/v2/jobs?include_deleted=true").json(t)["jobs"].([]any); len(got) != 0 {
		t.Errorf("listed: %v", got)
	}
	check(t, a.server.SetBehaviour(Behaviour{ExpiredJob: GoneAnswerNotFound, ListExpired: true}))
	if got := a.get("/v2/jobs/" + id); got.status != http.StatusNotFound {
		t.Errorf("job, as 404: %v", got)
	}
	if got := a.get("/v2/jobs").json(t)["jobs"].([]any); len(got) != 1 || got[0].(map[string]any)["status"] != "expired" {
		t.Errorf("listed with ListExpired: %v", got)
	}
}

func TestWait(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Speed: 1, Behaviour: Behaviour{DefaultWait: Duration(2 * time.Second)}})
	id := a.submit(plainConfig, "a.wav", wav(40*time.Second)) // takes 11 s
	// The job itself waits for the clock; time passes only while a request waits too.
	waited := func(path string) time.Duration {
		t.Helper()
		started := clock.Now()
		result := make(chan answer, 1)
		go func() { result <- a.get(path) }()
		eventually(t, "answered", func() bool {
			if clock.Waiters() > 1 {
				clock.Step(500 * time.Millisecond)
			}
			return len(result) > 0
		})
		return clock.Since(started)
	}
	eventually(t, "the job runs", clock.HasWaiters)
	if got := waited("/v2/jobs/" + id + "?wait=0"); got != 0 {
		t.Errorf("wait=0 took %v", got)
	}
	if got := waited("/v2/jobs/" + id); got != 2*time.Second {
		t.Errorf("absent took %v", got)
	}
	if got := waited("/v2/jobs/" + id + "/transcript"); got != 2*time.Second {
		t.Errorf("absent, transcript took %v", got)
	}
	if got := waited("/v2/jobs/" + id + "/transcript?wait=60"); got != 7*time.Second {
		t.Errorf("wait=60 took %v", got)
	}
	if got := a.job(id)["status"]; got != "done" {
		t.Errorf("status %v", got)
	}
	if got := a.get("/v2/jobs/" + id + "?wait=soon"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("wait=soon: %d", got.status)
	}
}

func TestSubmissionThatWaits(t *testing.T) {
	a := start(t, Options{})
	for format, key := range map[string]string{"": "json-v2", "&format=txt": "txt", "&format=srt": "srt"} {
		got := a.post("?wait=20"+format, plainConfig, "a.wav", wav(time.Second)).json(t)
		if got["status"] != "done" || got[key] == nil {
			t.Errorf("%q: %v", format, got)
		}
	}
	if got := a.post("?wait=0", plainConfig, "a.wav", wav(time.Hour/10)).json(t); got["status"] != "created" {
		t.Errorf("wait=0: %v", got)
	}
	rejected := a.post("?wait=20", plainConfig, "a.wav", []byte("no audio at all")).json(t)
	if rejected["status"] != "rejected" || len(rejected) != 2 {
		t.Errorf("rejected: %v", rejected)
	}
	if got := a.post("", plainConfig, "a.wav", wav(time.Second)).json(t); len(got) != 1 {
		t.Errorf("without wait: %v", got)
	}
}

func TestInvalidAudioIsRejectedLater(t *testing.T) {
	a := start(t, Options{})
	id := a.submit(plainConfig, "a.wav", []byte("<html>no audio at all</html>"))
	job := a.finished(id)
	if job["status"] != "rejected" || !cmp.Equal(messages(job), []string{"Job rejected due to invalid audio"}) {
		t.Errorf("%v", job)
	}
	if got := a.get("/v2/jobs/" + id + "/transcript"); got.status != http.StatusNotFound {
		t.Errorf("transcript: %v", got)
	}
	check(t, a.server.SetBehaviour(Behaviour{RejectInvalidAudioAtSubmission: true}))
	got := a.post("", plainConfig, "a.wav", []byte("no audio at all"))
	if got.status != http.StatusBadRequest || got.json(t)["error"] != "Job rejected due to invalid audio" {
		t.Errorf("at submission: %v", got)
	}
	if n := len(a.server.Ledger()); n != 1 {
		t.Errorf("%d jobs", n)
	}
}

func TestTranscriptOfARunningJob(t *testing.T) {
	a := start(t, Options{Speed: 0.001})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	got := a.get("/v2/jobs/" + id + "/transcript")
	if got.status != http.StatusNotFound || got.json(t)["error"] != "Transcription not ready" {
		t.Errorf("%v", got)
	}
	if got := a.get("/v2/jobs/" + id + "/transcript?format=vtt"); got.status != http.StatusBadRequest {
		t.Errorf("format: %v", got)
	}
}

func TestOtherEndpoints(t *testing.T) {
	a := start(t, Options{})
	media := wav(time.Second)
	id := a.submit(plainConfig, "a.wav", media)
	a.finished(id)
	for path, want := range map[string]int{
		"/v2/jobs/nosuchjob0":                                http.StatusNotFound,
		"/v2/jobs/nosuchjob0/data":                           http.StatusNotFound,
		"/v2/jobs/" + id + "/log":                            http.StatusNotImplemented,
		"/v2/jobs/" + id + "/text":                           http.StatusNotFound,
		"/v2/jobs/" + id + "/alignment":                      http.StatusNotFound,
		"/v2/jobs/" + id + "/object-urls?ttl=9&url_for=data": http.StatusNotFound,
		"/v2/nothing":                                        http.StatusNotFound,
		"/v2/usage":                                          http.StatusOK,
		"/v2/usage?since=tomorrow":                           http.StatusUnprocessableEntity,
		"/v1/discovery/features":                             http.StatusOK,
		"/healthz":                                           http.StatusOK,
	} {
		if got := a.get(path); got.status != want {
			t.Errorf("%s: %d, want %d: %s", path, got.status, want, got.body)
		}
	}
	if got := a.get("/v2/jobs/" + id + "/data"); got.body != string(media) || got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("data: status %d, %d bytes", got.status, len(got.body))
	}
	if got := a.get("/v2/jobs"); got.header.Get("Server") != "speechmatics-simulator" || len(got.header.Get("Request-Id")) != 32 {
		t.Errorf("headers: %v", got.header)
	}
	check(t, a.server.SetBehaviour(Behaviour{ServeLogs: true}))
	if got := a.get("/v2/jobs/" + id + "/log"); got.status != http.StatusOK || !strings.Contains(got.body, "audio/wav") {
		t.Errorf("log: %v", got)
	}
}

func TestUsageCountsWholeDays(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Speed: 1e6})
	id := a.submit(plainConfig, "a.wav", wav(36*time.Second))
	drive(t, clock, time.Second, func() bool { return a.job(id)["status"] == "done" })
	a.do(http.MethodDelete, "/v2/jobs/"+id, nil)
	if got := a.get("/v2/usage").json(t)["summary"].([]any); len(got) != 0 {
		t.Errorf("today: %v", got)
	}
	clock.Step(24 * time.Hour)
	got := a.get("/v2/usage?since=2026-03-01&until=2026-03-01").json(t)
	want := map[string]any{
		"since": "2026-03-01T00:00:00Z", "until": "2026-03-01T23:59:59Z",
		"summary": []any{map[string]any{"mode": "batch", "type": "transcription", "count": 1.0, "duration_hrs": 0.01}},
		"details": []any{map[string]any{
			"mode": "batch", "type": "transcription", "language": "en", "model": "standard", "count": 1.0, "duration_hrs": 0.01,
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("yesterday (-want +got):\n%s", diff)
	}
}

func TestClosedServer(t *testing.T) {
	a := start(t, Options{Speed: 0.001})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	waiting := make(chan answer, 1)
	go func() { waiting <- a.get("/v2/jobs/" + id + "?wait=60") }()
	check(t, a.server.Close(t.Context()))
	<-waiting // does not take a minute
	if got := a.post("", plainConfig, "a.wav", wav(time.Second)); got.status < 500 {
		t.Errorf("a submission to a closed server: %v", got)
	}
}
