// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

const jobDone = `{"job": {"id": "a1b2c3d4e5", "status": "done", "created_at": "2026-01-02T03:04:05.678Z", "data_name": "a.wav",
	"duration": 15, "config": {"type": "transcription", "transcription_config": {"language": "en", "additional_vocab": null}}}}`

const transcript = `{"format": "2.9", "job": {"created_at": "2026-01-02T03:04:05.678Z", "data_name": "a.wav", "duration": 1, "id": "a"},
	"metadata": {"created_at": "2026-01-02T03:04:05.678901Z", "type": "transcription"},
	"results": [{"type": "word", "start_time": 0.1, "end_time": 0.2,
		"alternatives": [{"content": "hello", "confidence": 1, "language": "en"}]}]}`

// submission is a request to create a job.
func submission(t *testing.T, parts ...string) *http.Request {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for pair := range slices.Chunk(parts, 2) {
		name, content := pair[0], pair[1]
		var part io.Writer
		var err error
		if name == "config" || strings.HasPrefix(name, "field ") {
			part, err = form.CreateFormField(strings.TrimPrefix(name, "field "))
		} else {
			part, err = form.CreateFormFile(name, "a.wav")
		}
		if err == nil {
			_, err = io.WriteString(part, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r := request(t, http.MethodPost, "/v2/jobs", body.String())
	r.Header.Set("Content-Type", form.FormDataContentType())
	return r
}

func request(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer key")
	return r
}

// violations has an exchange pass through a recorder and returns what it reports.
func violations(t *testing.T, r *http.Request, status int, contentType, body string) string {
	t.Helper()
	return violationsOf(t, SaaS, r, status, contentType, body)
}

func violationsOf(t *testing.T, backend Backend, r *http.Request, status int, contentType, body string) string {
	t.Helper()
	var reported []string
	recorder := Open(t).Record(NewCoverage(), func(err error) { reported = append(reported, err.Error()) })
	recorder.Backend = backend
	handler := recorder.API(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	handler.ServeHTTP(httptest.NewRecorder(), r)
	return strings.Join(reported, "\n")
}

const (
	plainConfig = `{"type": "transcription", "transcription_config": {"language": "en"}}`
	created     = `{"id": "a1b2c3d4e5"}`
	asJSON      = "application/json"
)

// TestRequests shows that a recorder notices what is wrong with a request, and only that.
func TestRequests(t *testing.T) {
	Open(t)
	post := func(config string) *http.Request { return submission(t, "config", config, "data_file", "RIFF") }
	withHeader := func(r *http.Request, name, value string) *http.Request { r.Header.Set(name, value); return r }
	tests := []struct {
		name string
		r    *http.Request
		want string // in the report; empty: nothing is wrong
	}{
		{"right", post(plainConfig), ""},
		{"fetch", submission(t, "config", `{"type":"transcription","transcription_config":{"language":"en"},"fetch_data":{"url":"u"}}`), ""},
		{"library", submissionTo(t, "?sm-sdk=a-1&wait=0&format=txt"), ""},
		{"setting for premises", withHeader(post(plainConfig), "X-SM-Processing-Data", `{"parallel_engines":1}`), "on premises only"},
		{"misspelt member", post(`{"type":"transcription","transcription_config":{"language":"en","diarisation":"none"}}`), `"diarisation" is unsupported`},
		{"member of Go", post(`{"type":"transcription","transcription_config":{"language":"en","AudioFiltering":{}}}`), `"AudioFiltering" is unsupported`},
		{"missing member", post(`{"type":"transcription","transcription_config":{}}`), `property "language" is missing`},
		{"missing type", post(`{"transcription_config":{"language":"en"}}`), `property "type" is missing`},
		{"wrong type", post(`{"type":"transcription","transcription_config":{"language":"en","enable_entities":"true"}}`), "/transcription_config/enable_entities: value must be a boolean"},
		{"null in a request", post(`{"type":"transcription","transcription_config":{"language":"en","punctuation_overrides":{"permitted_marks":null}}}`), "not nullable"},
		{"not enumerated", post(`{"type":"transcription","transcription_config":{"language":"en","model":"best"}}`), "/transcription_config/model"},
		{"out of range", post(`{"type":"transcription","transcription_config":{"language":"en","audio_filtering_config":{"volume_threshold":101}}}`), "volume_threshold"},
		{"too many", post(`{"type":"transcription","translation_config":{"target_languages":["a","b","c","d","e","f"]}}`), "target_languages"},
		{"option of a switch", post(`{"type":"transcription","sentiment_analysis_config":{"enable_sentiment":true}}`), `"enable_sentiment" is unsupported`},
		{"colon", post(`{"type":"transcription","notification_config":[{"url":"u","contents":["transcript:txt"]}]}`), "/notification_config/0/contents/0"},
		{"not JSON", post(`{"type":`), "JobConfig is not JSON"},
		{"no config", submission(t, "data_file", "RIFF"), "config"},
		{"config as a file", submission(t, "field data_file", "RIFF", "config", plainConfig), "only files have one"},
		{"unknown part", submission(t, "config", plainConfig, "audio", "RIFF"), "audio"},
		{"config twice", submission(t, "config", plainConfig, "config", plainConfig), "given twice"},
		{"urlencoded", withHeader(request(t, http.MethodPost, "/v2/jobs", "config=%7B%7D"), "Content-Type", "application/x-www-form-urlencoded"), "Content-Type"},
		{"no key", withHeader(post(plainConfig), "Authorization", "key"), "bearer token"},
		{"no such path", request(t, http.MethodPost, "/v2/job", ""), "no operation"},
		{"no such method", request(t, http.MethodPut, "/v2/jobs", ""), "no operation"},
		{"no version", request(t, http.MethodPost, "/jobs", ""), "no operation"},
		{"unknown parameter", submissionTo(t, "?waits=0"), `"waits" is not in the specification`},
		{"not a number", submissionTo(t, "?wait=1s"), `"wait"`},
		{"unknown format", submissionTo(t, "?format=vtt"), `"format"`},
		{"setting of another type", withHeader(post(plainConfig), "X-SM-Processing-Data", `{"parallel_engines":"4"}`), "X-SM-Processing-Data"},
		{"unknown setting", withHeader(post(plainConfig), "X-SM-Processing-Data", `{"engines":4}`), "X-SM-Processing-Data"},
		{"unknown header", withHeader(post(plainConfig), "X-Idempotency-Key", "a"), "X-Idempotency-Key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := violations(t, tt.r, http.StatusCreated, asJSON, created)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("reported %q, want %q", got, tt.want)
			}
		})
	}
}

func submissionTo(t *testing.T, query string) *http.Request {
	t.Helper()
	r := submission(t, "config", plainConfig, "data_file", "RIFF")
	r.URL.RawQuery = strings.TrimPrefix(query, "?")
	return r
}

// TestAnswers shows that a recorder notices what is wrong with an answer, and only that.
func TestAnswers(t *testing.T) {
	Open(t)
	job, usage := "/v2/jobs/a1b2c3d4e5?wait=0", "/v2/usage?since=2026-01-01&until=2026-01-31"
	replace := func(document, from, to string) string {
		if !strings.Contains(document, from) {
			t.Fatalf("%q is not in %s", from, document)
		}
		return strings.Replace(document, from, to, 1)
	}
	tests := []struct {
		name, target string
		status       int
		contentType  string
		body         string
		want         string
	}{
		{"right", job, 200, asJSON, jobDone, ""},
		{"of the vendor", job, 200, "application/vnd.speechmatics.v2+json", jobDone, ""},
		{"list", "/v2/jobs?limit=100", 200, asJSON, `{"jobs":[]}`, ""},
		{"empty list as null", "/v2/jobs?limit=100", 200, asJSON, `{"jobs":null}`, ""},
		{"transcript", "/v2/jobs/a/transcript", 200, asJSON, transcript, ""},
		{"text", "/v2/jobs/a/transcript?format=txt", 200, "text/plain; charset=utf-8", "hello", ""},
		{"page of the edge", job, 401, "text/html", "<html>", ""},
		{"error of the edge", job, 429, asJSON, `{"code":429,"error":"Too Many Requests"}`, ""},
		{"renamed member", job, 200, asJSON, replace(jobDone, `"status"`, `"state"`), `property "state" is unsupported`},
		{"missing member", job, 200, asJSON, replace(jobDone, `"data_name": "a.wav",`, ``), `property "data_name" is missing`},
		{"unknown status of a job", job, 200, asJSON, replace(jobDone, `"done"`, `"transcribing"`), "/job/status"},
		{"fraction of a second", job, 200, asJSON, replace(jobDone, `15`, `15.2`), "/job/duration"},
		{"text for a number", job, 200, asJSON, replace(jobDone, `15`, `"15"`), "/job/duration"},
		{"not a time", job, 200, asJSON, replace(jobDone, `2026-01-02T03`, `2026-01-02 03`), "/job/created_at"},
		{"not nested", job, 200, asJSON, `{"id": "a1b2c3d4e5", "status": "done"}`, `property "job" is missing`},
		{"word without a time", "/v2/jobs/a/transcript", 200, asJSON, replace(transcript, `"end_time": 0.2,`, ""), `property "end_time" is missing`},
		{"word without confidence", "/v2/jobs/a/transcript", 200, asJSON, replace(transcript, `"confidence": 1, `, ""), `property "confidence" is missing`},
		{"volume over 100", "/v2/jobs/a/transcript", 200, asJSON, replace(transcript, `"type": "word"`, `"type": "word", "volume": 101`), "/results/0/volume"},
		{"usage without hours", usage, 200, asJSON, `{"since":"2026-01-01T00:00:00Z","until":"2026-01-31T23:59:59Z","summary":[{"mode":"batch","type":"transcription","count":1}],"details":[]}`, `"duration_hrs" is missing`},
		{"undeclared status", job, 418, asJSON, `{"code":418,"error":"teapot"}`, "status 418"},
		{"success that is not", "/v2/jobs/a", 201, asJSON, jobDone, "status 201"},
		{"error without a code", job, 404, asJSON, `{"error":"Job not found"}`, `property "code" is missing`},
		{"error of a status without a schema", job, 429, asJSON, `{"detail":"slow down"}`, `property "code" is missing`},
		{"page where JSON belongs", job, 500, "text/html", "<html>", "media type"},
		{"text where JSON belongs", job, 200, "text/plain", "done", "media type"},
		{"truncated", job, 200, asJSON, jobDone[:40], "failed to decode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := violations(t, request(t, http.MethodGet, tt.target, ""), tt.status, tt.contentType, tt.body)
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("reported %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSecretsAreNotReported: a violation says where and what, not the value.
func TestSecretsAreNotReported(t *testing.T) {
	config := `{"type":"transcription","transcription_config":{"language":"en"},
		"fetch_data":{"url":"https://example.org/?signature=s3cret","auth_headers":"Authorization: s3cret"}}`
	got := violations(t, submission(t, "config", config), http.StatusCreated, asJSON, created)
	if !strings.Contains(got, "/fetch_data/auth_headers") || strings.Contains(got, "s3cret") {
		t.Errorf("reported %q", got)
	}
}

// TestUnread: what the server did not read is not judged, and what it did is.
func TestUnread(t *testing.T) {
	var reported []error
	recorder := Open(t).Record(NewCoverage(), func(err error) { reported = append(reported, err) })
	handler := recorder.API(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", asJSON)
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code":403,"error":"Forbidden"}`)
	}))
	r := submission(t, "nonsense", "")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	if len(reported) > 0 {
		t.Errorf("reported %v", reported)
	}
}

// TestNotifications shows that a recorder notices what is wrong with a notification, and only that.
func TestNotifications(t *testing.T) {
	Open(t)
	const (
		target  = "/callback?id=a1b2c3d4e5&status=success"
		jobInfo = `{"created_at": "2026-01-02T03:04:05.678Z", "data_name": "a.wav", "duration": 1, "id": "a"}`
	)
	parts := submission(t, "transcript.txt", "hello", "transcript.srt", "1")
	tests := []struct {
		name, target, contentType, body, want string
	}{
		{"nothing", target, "", "", ""},
		{"transcript", target, asJSON, transcript, ""},
		{"information", target, asJSON, jobInfo, ""},
		{"job", target, asJSON, jobDone, ""},
		{"text", target, "text/plain", "hello", ""},
		{"no id", "/callback?status=success", "", "", "no id"},
		{"status of a job", "/callback?id=a&status=done", "", "", `status ["done"]`},
		{"transcript without a format", target, asJSON, strings.Replace(transcript, `"format": "2.9",`, "", 1), `property "format" is missing`},
		{"information without a duration", target, asJSON, strings.Replace(jobInfo, `"duration": 1,`, "", 1), `property "duration" is missing`},
		{"page", target, "text/html", "<html>", "media type"},
		{"attachments", target, parts.Header.Get("Content-Type"), readAll(t, parts.Body), ""},
		{"broken attachments", target, parts.Header.Get("Content-Type"), "--", "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var reported []string
			recorder := Open(t).Record(NewCoverage(), func(err error) { reported = append(reported, err.Error()) })
			r := request(t, http.MethodPost, tt.target, tt.body)
			r.Header.Set("User-Agent", userAgent)
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			recorder.Notifications(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
			})).ServeHTTP(httptest.NewRecorder(), r)
			got := strings.Join(reported, "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("reported %q, want %q", got, tt.want)
			}
		})
	}
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestBackends shows that a recorder knows how backends differ.
func TestBackends(t *testing.T) {
	Open(t)
	anonymous := func(r *http.Request) *http.Request { r.Header.Del("Authorization"); return r }
	withSettings := func(r *http.Request) *http.Request {
		r.Header.Set("X-SM-Processing-Data", `{"parallel_engines":4,"user_id":"a"}`)
		return r
	}
	workerJob := strings.NewReplacer(`"id"`, `"job_id"`, `"done"`, `"DONE"`, `"data_name"`, `"request_id": "a", "data_name"`).Replace(jobDone)
	tests := []struct {
		name    string
		backend Backend
		r       *http.Request
		status  int
		body    string
		want    string
	}{
		{"appliance", Appliance, anonymous(withSettings(submission(t, "config", plainConfig, "data_file", "RIFF"))), 201, created, ""},
		{"worker", Worker, anonymous(request(t, http.MethodGet, "/v2/jobs/a", "")), 200, workerJob, ""},
		{"worker as specified", Worker, anonymous(request(t, http.MethodGet, "/v2/jobs/a", "")), 200, jobDone, ""},
		{"worker's error", Worker, anonymous(request(t, http.MethodGet, "/v2/jobs/a", "")), 404, `{"detail":"Not Found"}`, ""},
		{"worker's own", Worker, anonymous(request(t, http.MethodGet, "/ready", "")), 200, `{"ready":true}`, ""},
		{"taken for a worker", Appliance, anonymous(request(t, http.MethodGet, "/ready", "")), 404, `{"code":404,"error":"Not Found"}`, ""},
		{"nobody else's", SaaS, anonymous(request(t, http.MethodGet, "/ready", "")), 200, `{"ready":true}`, "no operation"},
		{"no key", SaaS, anonymous(request(t, http.MethodGet, "/v2/jobs/a", "")), 200, jobDone, "bearer token"},
		{"waiting", Appliance, request(t, http.MethodGet, "/v2/jobs/a?wait=0", ""), 200, jobDone, "hosted service only"},
		{"deleting", Worker, request(t, http.MethodDelete, "/v2/jobs/a", ""), 405, `{"detail":"Method Not Allowed"}`, "does not have this"},
		{"listing deleted ones", Worker, request(t, http.MethodGet, "/v2/jobs?include_deleted=true", ""), 200, `{"jobs":[]}`, "does not have this"},
		{"another error", Worker, request(t, http.MethodGet, "/v2/jobs/a", ""), 404, `{"code":404,"error":"Job not found"}`, "no detail"},
		{"error of a worker", Appliance, request(t, http.MethodGet, "/v2/jobs/a", ""), 404, `{"detail":"Not Found"}`, `property "code" is missing`},
		{"states in capitals", Appliance, request(t, http.MethodGet, "/v2/jobs/a", ""), 200, strings.Replace(jobDone, "done", "DONE", 1), "/job/status"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := violationsOf(t, tt.backend, tt.r, tt.status, asJSON, tt.body); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("reported %q, want %q", got, tt.want)
			}
		})
	}
}

// TestOnPurpose: a violation that is refused is reported, unless it is on purpose; one that is not refused always is.
func TestOnPurpose(t *testing.T) {
	var reported []error
	recorder := Open(t).Record(nil, func(err error) { reported = append(reported, err) })
	send := func(status int, body string) {
		recorder.API(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", asJSON)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})).ServeHTTP(httptest.NewRecorder(), submission(t, "config", `{"type":"none"}`))
	}
	const refusal = `{"code":400,"error":"Job rejected"}`
	recorder.OnPurpose(func() { send(http.StatusBadRequest, refusal) })
	if len(reported) != 0 {
		t.Errorf("on purpose, and refused: %v", reported)
	}
	send(http.StatusBadRequest, refusal)
	recorder.OnPurpose(func() { send(http.StatusCreated, created) })
	if len(reported) != 2 {
		t.Errorf("reported %v, want 2 violations", reported)
	}
}
