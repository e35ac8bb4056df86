// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWait(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		0: "0", 1: "1", time.Second: "1", time.Second + 1: "2", time.Minute: "60", time.Hour: "3600",
	} {
		asked := 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			if got := r.URL.Query()["wait"]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s was asked for", wait, r.URL)
			}
			_, _ = io.WriteString(w, `{"job":{"id":"a","status":"done"}}`)
		})
		if _, err := c.GetJob(testContext(t), "a", Wait(wait)); err != nil {
			t.Error(err)
		}
		if _, err := c.JobDocument(testContext(t), "a", Wait(wait)); err != nil {
			t.Error(err)
		}
		transcript, err := c.Transcript(testContext(t), "a", FormatText, Wait(wait))
		if err != nil {
			t.Fatal(err)
		}
		_ = transcript.Body.Close()
		if asked != 3 {
			t.Errorf("%d requests", asked)
		}
	}
	for _, wait := range []time.Duration{-1, time.Hour + 1} {
		c := serve(t, neverAsked(t))
		submission := upload100(100)
		submission.Wait = wait
		_, jobErr := c.GetJob(testContext(t), "a", Wait(wait))
		_, transcriptErr := c.Transcript(testContext(t), "a", FormatText, Wait(wait))
		_, documentErr := c.JobDocument(testContext(t), "a", Wait(wait))
		_, createErr := c.CreateJob(testContext(t), submission)
		for _, err := range []error{jobErr, transcriptErr, documentErr, createErr} {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || invalid.Field != "Wait" {
				t.Errorf("%s: got %v", wait, err)
			}
		}
	}
}

func TestCreateJobWait(t *testing.T) {
	const document = `{"format": "2.9", "results": []}`
	tests := []struct {
		name   string
		wait   time.Duration
		format TranscriptFormat
		answer string
		query  string
		want   CreatedJob
	}{
		{name: "not at all", answer: `{"id":"a","status":"done","txt":"words"}`, want: CreatedJob{ID: "a"}},
		{
			name: "not long enough", wait: time.Minute, answer: `{"id":"a","status":"created"}`, query: "wait=60",
			want: CreatedJob{ID: "a", Status: "created"},
		},
		{
			name: "in the default format", wait: time.Minute, answer: `{"id":"a","status":"done","json-v2":` + document + `}`, query: "wait=60",
			want: CreatedJob{ID: "a", Status: JobDone, Transcript: []byte(document)},
		},
		{
			name: "as text", wait: 1, format: FormatText, answer: `{"txt":"Grüße\r\n\u00dc","status":"done","id":"a"}`, query: "format=txt&wait=1",
			want: CreatedJob{ID: "a", Status: JobDone, Transcript: []byte("Grüße\r\nÜ")},
		},
		{
			name: "an empty text", wait: 1, format: FormatSRT, answer: `{"id":"a","status":"done","srt":""}`, query: "format=srt&wait=1",
			want: CreatedJob{ID: "a", Status: JobDone, Transcript: []byte{}},
		},
		{
			name: "without a transcript", wait: 1, answer: `{"id":"a","status":"done"}`, query: "wait=1",
			want: CreatedJob{ID: "a", Status: JobDone},
		},
		{
			name: "null", wait: 1, format: FormatText, answer: `{"id":"a","status":"done","txt":null}`, query: "format=txt&wait=1",
			want: CreatedJob{ID: "a", Status: JobDone},
		},
		{
			name: "rejected", wait: 1, answer: `{"id":"a","status":"REJECTED","errors":[]}`, query: "wait=1",
			want: CreatedJob{ID: "a", Status: JobRejected},
		},
		{
			name: "a transcript that breaks off", wait: 1, answer: `{"id":"a","status":"done","json-v2":{"results":[`, query: "wait=1",
			want: CreatedJob{ID: "a", Status: JobDone},
		},
		{
			name: "a long transcript", wait: 1, query: "wait=1",
			answer: `{"id":"a","status":"done","json-v2":{"x":"` + strings.Repeat("x", 1<<20) + `"}}`,
			want:   CreatedJob{ID: "a", Status: JobDone, Transcript: []byte(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if r.URL.RawQuery != tt.query {
					t.Errorf("got %s", r.URL)
				}
				w.Header()["Date"] = nil // as an answer has it that does not say when it was sent
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, tt.answer)
			})
			submission := upload100(100)
			submission.Wait, submission.WaitFormat = tt.wait, tt.format
			got, err := c.CreateJob(testContext(t), submission)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, submission := range []CreateJobRequest{
		{Config: minimalConfig, Media: file("a.wav", "sound"), WaitFormat: FormatText},
		{Config: minimalConfig, Media: file("a.wav", "sound"), WaitFormat: "t x t", Wait: 1},
	} {
		var invalid *InvalidError
		if _, err := serve(t, neverAsked(t)).CreateJob(testContext(t), submission); !errors.As(err, &invalid) || invalid.Field != "WaitFormat" {
			t.Errorf("got %v", err)
		}
	}
}

// A transcript beyond the bound is left out, and does not cost the ID, if that came first.
func TestDecodeCreatedBound(t *testing.T) {
	const id, long = `"id":"a"`, `"txt":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"`
	for document, want := range map[string]string{
		"{" + id + "," + long + "}": "a",
		"{" + long + "," + id + "}": "",
	} {
		source := &trackedReader{source: iotest.OneByteReader(strings.NewReader(document)), maxTotal: 50, maxItem: 50}
		answer, err := decodeCreated(source, FormatText)
		if !errors.Is(err, errTooLarge) || answer.id() != want || answer.transcript != nil {
			t.Errorf("got %q, %v", answer.id(), err)
		}
	}
}

func TestJobDocument(t *testing.T) {
	const document = ` {"job": {"id": "a", "future": [1.0], "config": {"fetch_data": {"auth_headers": ["A: b"]}}}} `
	got, err := serve(t, answer(http.StatusOK, "application/json", document)).JobDocument(testContext(t), "a")
	if err != nil || string(got) != strings.TrimSpace(document) {
		t.Errorf("got %s, %v", got, err)
	}
	for _, body := range []string{"", "<html>", `{"job":`, strings.Repeat(" ", maxJobBytes) + "{}"} {
		if _, err := serve(t, answer(http.StatusOK, "application/json", body)).JobDocument(testContext(t), "a"); !isResponseError(err) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := serve(t, neverAsked(t)).JobDocument(testContext(t), ".."); !errors.As(err, new(*InvalidError)) {
		t.Errorf("got %v", err)
	}
}

func TestIsNotReady(t *testing.T) {
	for body, want := range map[string]bool{
		`{"code":404,"error":"Transcription not ready"}`:        true,
		`{"code":404,"error":"Job In Progress"}`:                true,
		`{"code":404,"error":"Not found","detail":"not ready"}`: true,
		`{"code":404,"error":"Job not found"}`:                  false,
		`{"code":404,"error":"File Expired"}`:                   false,
		``:                                                      false,
	} {
		_, err := serve(t, answer(http.StatusNotFound, "application/json", body)).Transcript(testContext(t), "a", FormatText)
		if IsNotReady(err) != want || !IsNotFound(err) {
			t.Errorf("%s: got %v", body, err)
		}
	}
	_, err := serve(t, answer(http.StatusConflict, "application/json", `{"error":"not ready"}`)).Transcript(testContext(t), "a", FormatText)
	if IsNotReady(err) || IsNotReady(nil) {
		t.Error("another status is not ready, too")
	}
}
