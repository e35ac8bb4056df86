// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"compress/gzip"
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

func TestDecodeJob(t *testing.T) {
	created := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	tests := []struct {
		name, document string
		want           Job
	}{
		{
			name: "as the specification says",
			document: `{"job":{"id":"z2jfp1jwu1","status":"running","created_at":"2026-01-02T03:04:05.678Z","data_name":"a.wav","duration":244,
				"config":{"type":"transcription","transcription_config":{"language":"de"},
				"tracking":{"title":"T","reference":"R","tags":["a","b"],"details":{"n":1.50}}}}}`,
			want: Job{
				ID: "z2jfp1jwu1", Status: JobRunning, Type: "transcription", CreatedAt: created, DataName: "a.wav", Duration: 244 * time.Second, Language: "de",
				Tracking: &Tracking{Title: "T", Reference: "R", Tags: []string{"a", "b"}, Details: json.RawMessage(`{"n":1.50}`)},
			},
		},
		{
			name: "as its examples do: everything at the root, unknown status",
			document: `{"id":"a1b2c3d4e5","status":"transcribing","created_at":"2026-01-02T03:04:05.678000Z","data_name":"",
				"type":"transcription","tracking":{"reference":"R"},"transcription_config":{"language":"en"},"notification_config":null}`,
			want: Job{ID: "a1b2c3d4e5", Status: "transcribing", Type: "transcription", CreatedAt: created, Language: "en", Tracking: &Tracking{Reference: "R"}},
		},
		{
			name:     "as the HTTP batch worker says",
			document: `{"job":{"job_id":"0123456789abcdef0123","status":"DONE","request_id":"x","created_at":"2026-01-02T03:04:05.678"}}`,
			want:     Job{ID: "0123456789abcdef0123", Status: JobDone, CreatedAt: created},
		},
		{
			name:     "number as ID, another time zone",
			document: `{"job":{"id":42,"status":"Rejected","created_at":"2026-01-02T05:04:05.678+02:00"}}`,
			want:     Job{ID: "42", Status: JobRejected, CreatedAt: created},
		},
		{
			name: "nulls",
			document: `{"job":{"id":"a","job_id":null,"status":null,"created_at":null,"data_name":null,"duration":null,"errors":null,"tracking":null,
				"config":{"tracking":null,"transcription_config":null,"notification_config":null}}}`,
			want: Job{ID: "a"},
		},
		{
			name:     "the root counts where the configuration has nothing",
			document: `{"id":"a","config":{"tracking":null},"tracking":{"tags":null},"transcription_config":{"language":"en"}}`,
			want:     Job{ID: "a", Tracking: &Tracking{}, Language: "en"},
		},
		{
			name: "wrong types",
			document: `{"id":"a","status":{},"created_at":"yesterday","data_name":[],"duration":"long","errors":{},"config":"none",
				"tracking":[],"transcription_config":7,"job":"none"}`,
			want: Job{ID: "a"},
		},
		{
			name:     "wrong types within",
			document: `{"id":"a","tracking":{"title":1,"reference":{},"tags":["a",null],"details":"x"},"transcription_config":{"language":[]}}`,
			want:     Job{ID: "a", Tracking: &Tracking{Title: "1", Tags: []string{"a", ""}}},
		},
		{
			name: "errors",
			document: `{"id":"a","status":"done","errors":[{"timestamp":"2026-01-02T03:04:05.678Z","message":"first"},null,{},
				{"message":"second"},"third",[]]}`,
			want: Job{ID: "a", Status: JobDone, Errors: []JobError{{created, "first"}, {time.Time{}, "second"}, {time.Time{}, "third"}}},
		},
		{
			name:     "unknown words are bounded",
			document: `{"id":"a","status":"` + strings.Repeat("S", 100) + `","transcription_config":{"language":"e\nn` + strings.Repeat("ü", 100) + `"}}`,
			want:     Job{ID: "a", Status: JobStatus(strings.Repeat("S", 61) + "…"), Language: "e n" + strings.Repeat("ü", 29) + "…"},
		},
		{
			name:     "an alignment",
			document: `{"id":"a","text_name":"a.txt","config":{"type":"alignment","alignment_config":{"language":"en"}}}`,
			want:     Job{ID: "a", Type: JobAlignment, TextName: "a.txt", Language: "en"},
		},
		{
			name:     "an alignment at the root",
			document: `{"id":"a","text_name":null,"type":"alignment","alignment_config":{"language":"en"},"config":null}`,
			want:     Job{ID: "a", Type: JobAlignment, Language: "en"},
		},
		{name: "fractional duration", document: `{"id":"a","duration":1.5}`, want: Job{ID: "a", Duration: 1500 * time.Millisecond}},
		{name: "negative duration", document: `{"id":"a","duration":-1}`, want: Job{ID: "a"}},
		{name: "endless duration", document: `{"id":"a","duration":1e300}`, want: Job{ID: "a"}},
		{name: "no number", document: `{"id":"a","duration":"NaN"}`, want: Job{ID: "a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Job
			if err := json.Unmarshal([]byte(tt.document), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeJobRefuses(t *testing.T) {
	for _, document := range []string{
		`{}`, `null`, `{"job":null}`, `{"job":{}}`, `[]`, `"a"`, `{"id":""}`, `{"id":".."}`, `{"id":"a\u0000"}`, `{"id":{}}`,
		`{"id":"` + strings.Repeat("a", 257) + `"}`, `{"id":"outer","job":{}}`,
	} {
		job := Job{ID: "before"}
		if err := job.UnmarshalJSON([]byte(document)); err == nil || job.ID != "before" {
			t.Errorf("%s: got %+v, %v", document, job, err)
		}
	}
}

func TestTerminal(t *testing.T) {
	want := map[JobStatus]bool{
		JobRunning: false, JobDone: true, JobRejected: true, JobDeleted: true, JobExpired: true,
		"": false, "transcribing": false, "DONE": false,
	}
	for status, terminal := range want {
		if status.Terminal() != terminal {
			t.Errorf("%q: got %t", status, !terminal)
		}
	}
}

func TestGetJob(t *testing.T) {
	c := serve(t, answer(http.StatusOK, "application/vnd.speechmatics.v2+json", `{"job":{"id":"a","status":"done"}}`))
	got, err := c.GetJob(testContext(t), "a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Job{ID: "a", Status: JobDone, RequestID: "0123456789abcdef0123456789abcdef"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGetJobAnswersThatCannotBeUnderstood(t *testing.T) {
	for name, body := range map[string]string{
		"empty":        "",
		"a page":       "<html>hunter2</html>",
		"cut off":      `{"job":{"id":"a","st`,
		"another job":  `{"job":{"id":"b","status":"done"}}`,
		"no job":       `{"job":null}`,
		"a list":       `{"jobs":[]}`,
		"trailing":     `{"job":{"id":"a"}} {}`,
		"too large":    `{"job":{"id":"a","x":"` + strings.Repeat("x", maxJobBytes) + `"}}`,
		"deeply bowed": strings.Repeat(`{"job":`, 20000),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, answer(http.StatusOK, "application/json", body)).GetJob(testContext(t), "a")
			var unusable *ResponseError
			if !errors.As(err, &unusable) || unusable.JobID != "a" || unusable.StatusCode != http.StatusOK || unusable.RequestID == "" {
				t.Fatalf("got %#v", err)
			}
			if len(err.Error()) > 2*maxErrorTextBytes || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestGetJobCutOffOnTheWire(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"job":{"id":"a"}}`)
	})
	_, err := c.GetJob(testContext(t), "a")
	var transport *TransportError
	if !errors.As(err, &transport) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestDeleteJob(t *testing.T) {
	tests := []struct {
		status int
		is     func(error) bool // nil: no error
	}{
		{200, nil}, {202, nil}, {204, nil}, {404, nil}, {410, nil},
		{401, IsUnauthorized}, {403, IsForbidden}, {423, IsLocked}, {429, IsRateLimited},
		{500, func(err error) bool { return hasStatus(err, 500) }},
		{302, func(err error) bool { return hasStatus(err, 302) }},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.status), func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) })
			err := c.DeleteJob(testContext(t), "a", DeleteOptions{})
			if (tt.is == nil) != (err == nil) || (err != nil && !tt.is(err)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTranscript(t *testing.T) {
	t.Run("streamed", func(t *testing.T) {
		const text = "SPEAKER: S1\r\nGrüße\n"
		c := serve(t, answer(http.StatusOK, "text/plain; charset=utf-8", text))
		got, err := c.Transcript(testContext(t), "a", FormatText)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		body, err := io.ReadAll(got.Body)
		if err != nil || string(body) != text {
			t.Errorf("got %q, %v", body, err)
		}
		if got.ContentType != "text/plain; charset=utf-8" || got.Size != int64(len(text)) || got.RequestID == "" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("size unknown", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "first")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "second")
		})
		got, err := c.Transcript(testContext(t), "a", FormatText)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		if body, err := io.ReadAll(got.Body); err != nil || string(body) != "firstsecond" || got.Size != -1 {
			t.Errorf("got %q of %d, %v", body, got.Size, err)
		}
	})
	t.Run("compressed for the transport", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				t.Error("no compression is offered")
			}
			w.Header().Set("Content-Encoding", "gzip")
			compressed := gzip.NewWriter(w)
			_, _ = io.WriteString(compressed, "text")
			_ = compressed.Close()
		})
		got, err := c.Transcript(testContext(t), "a", FormatText)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		if body, err := io.ReadAll(got.Body); err != nil || string(body) != "text" || got.Size != -1 {
			t.Errorf("got %q of %d, %v", body, got.Size, err)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
		})
		got, err := c.Transcript(testContext(t), "a", FormatText)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		if body, err := io.ReadAll(got.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %q, %v", body, err)
		}
	})
	t.Run("not ready", func(t *testing.T) {
		c := serve(t, answer(http.StatusNotFound, "application/json", `{"code":404,"error":"Transcription not ready"}`))
		_, err := c.Transcript(testContext(t), "a", FormatText)
		if !IsNotFound(err) || !strings.Contains(err.Error(), "Transcript a: 404 Not Found: Transcription not ready") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no format", func(t *testing.T) {
		c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
		var invalid *InvalidError
		if _, err := c.Transcript(testContext(t), "a", ""); !errors.As(err, &invalid) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDecodeSamples(t *testing.T) {
	tests := []struct {
		name   string
		want   Job
		errors []string // how the messages begin
	}{
		{
			name: "job-done-fetch.json",
			want: Job{
				ID: "p8t3dcrign", Type: JobTranscription, Status: JobDone, Duration: 15 * time.Second, Language: "en",
				CreatedAt: time.Date(2023, 2, 22, 14, 33, 2, 221_000_000, time.UTC),
			},
		},
		{
			name: "job-fetch-failure.json",
			want: Job{
				ID: "a81ko4eqjl", Type: JobTranscription, Status: JobRejected, Language: "de",
				CreatedAt: time.Date(2021, 7, 19, 12, 55, 3, 754_000_000, time.UTC),
			},
			errors: []string{"unable to fetch audio", "unable to fetch audio", "unable to fetch audio", "unable to fetch audio"},
		},
		{
			name: "job-notification-failure.json",
			want: Job{
				ID: "1uyo82b1bv", Type: JobTranscription, Status: JobDone, Duration: 4 * time.Second, Language: "de",
				CreatedAt: time.Date(2021, 7, 19, 9, 2, 17, 283_000_000, time.UTC),
			},
			errors: []string{"Error in sending", "Error in sending", "Error in sending", "unable to send", "Sending notification failed"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Job
			if err := json.Unmarshal(readSample(t, tt.name), &got); err != nil {
				t.Fatal(err)
			}
			if len(got.Errors) != len(tt.errors) {
				t.Fatalf("got %d errors", len(got.Errors))
			}
			for i, jobError := range got.Errors {
				if !strings.HasPrefix(jobError.Message, tt.errors[i]) || jobError.Timestamp.Before(got.CreatedAt) {
					t.Errorf("got %v", jobError)
				}
				if strings.Contains(RedactURLs(jobError.Message), "status=success") {
					t.Errorf("the query is still there: %s", RedactURLs(jobError.Message))
				}
			}
			got.Errors = nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzJob(f *testing.F) {
	f.Add([]byte(`{"job":{"id":"a","status":"done","duration":1,"errors":[{"timestamp":"2026-01-02T03:04:05Z","message":"m"}]}}`))
	f.Add([]byte(`{"job_id":1,"config":{"tracking":{"reference":"r","details":{}}},"created_at":null}`))
	f.Add([]byte(`{"id":"a","job":{"id":null}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		var job Job
		if json.Unmarshal(document, &job) != nil {
			return
		}
		if job.ID == "" {
			t.Error("a job without an ID")
		}
		if job.Duration < 0 {
			t.Errorf("duration %s", job.Duration)
		}
		if job.Tracking != nil && job.Tracking.Details != nil && !json.Valid(job.Tracking.Details) {
			t.Errorf("details %q", job.Tracking.Details)
		}
	})
}
