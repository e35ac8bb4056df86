// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/transcription-operator/transcription-operator/internal/contract"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/transcript"
)

// TestExamples decodes every example that the provider gives with the client's types, defects included.
func TestExamples(t *testing.T) {
	readers := map[string]func(t *testing.T, document []byte){
		"TranscriptionConfig":  survives[speechmatics.TranscriptionConfig],
		"AlignmentConfig":      survives[speechmatics.AlignmentConfig],
		"NotificationConfig":   survives[[]speechmatics.NotificationConfig],
		"TrackingData":         survives[speechmatics.Tracking],
		"ErrorResponse":        isAnError,
		"CreateJobResponse":    isAJob,
		"RetrieveJobResponse":  isAJob,
		"DeleteJobResponse":    isAJob,
		"RetrieveJobsResponse": isAList,
		"UsageResponse":        isUsage,

		"RetrieveTranscriptResponse":   survives[transcript.Document],
		"RecognitionResult":            survives[[]transcript.Result],
		"LanguageIdentificationResult": survives[transcript.LanguageIdentificationResult],
		"SummarizationResult":          survives[transcript.Summary],
		"SentimentAnalysisResult":      survives[transcript.SentimentAnalysis],
		"TopicDetectionResult":         survives[transcript.Topics],
		"AutoChaptersResult":           survives[[]transcript.Chapter],
	}
	seen := map[string]bool{}
	for _, example := range contract.Examples(t) {
		seen[example.Definition] = true
		read, ok := readers[example.Definition]
		if !ok {
			t.Errorf("%s: an example of %q, of which there was none before; who reads it?", example.Name, example.Definition)
			continue
		}
		t.Run(example.Name, func(t *testing.T) { read(t, example.Document) })
	}
	for definition := range readers {
		if !seen[definition] {
			t.Errorf("there is no example of %s any more", definition)
		}
	}
}

// survives decodes a part of a configuration, every member of it, and encodes it to the same.
func survives[T any](t *testing.T, document []byte) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	var value T
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(anything(t, document), anything(t, encoded)); diff != "" {
		t.Error(diff)
	}
}

func anything(t *testing.T, document []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(document, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// isAJob compares what the client knows of a job with the example, whose configuration is under config or beside it.
func isAJob(t *testing.T, document []byte) {
	t.Helper()
	var job speechmatics.Job
	if err := json.Unmarshal(document, &job); err != nil {
		t.Fatal(err)
	}
	value, _ := anything(t, document).(map[string]any)
	if nested, ok := value["job"].(map[string]any); ok {
		value = nested
	}
	compareJob(t, value, &job)
}

func compareJob(t *testing.T, want map[string]any, job *speechmatics.Job) {
	t.Helper()
	config := want
	if nested, ok := want["config"].(map[string]any); ok {
		config = nested
	}
	if job.ID != want["id"] || want["status"] != nil && string(job.Status) != want["status"] {
		t.Errorf("got job %q (%s)", job.ID, job.Status)
	}
	if duration, ok := want["duration"].(float64); ok && job.Duration.Seconds() != duration {
		t.Errorf("got %s, want %v s", job.Duration, duration)
	}
	if _, ok := want["created_at"]; ok == job.CreatedAt.IsZero() {
		t.Errorf("created at %s", job.CreatedAt)
	}
	if transcription, ok := config["transcription_config"].(map[string]any); ok && job.Language != transcription["language"] {
		t.Errorf("got language %q", job.Language)
	}
	if tracking, ok := config["tracking"].(map[string]any); ok && (job.Tracking == nil || job.Tracking.Reference != tracking["reference"]) {
		t.Errorf("got tracking %v", job.Tracking)
	}
	if jobErrors, _ := want["errors"].([]any); len(jobErrors) != len(job.Errors) {
		t.Errorf("got %d errors, want %d", len(job.Errors), len(jobErrors))
	}
}

// answering returns a client of a server that gives always the same answer.
func answering(t *testing.T, status int, document []byte) *speechmatics.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(document)
	}))
	t.Cleanup(server.Close)
	client, err := speechmatics.New(server.URL + "/v2")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// isAList reads a page.
func isAList(t *testing.T, document []byte) {
	t.Helper()
	value, _ := anything(t, document).(map[string]any)
	want, _ := value["jobs"].([]any)
	client := answering(t, http.StatusOK, document)
	n := 0
	for job, err := range client.ListJobs(t.Context(), speechmatics.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if members, ok := want[n].(map[string]any); ok {
			compareJob(t, members, job)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("got %d jobs, want %d", n, len(want))
	}
}

// isAnError reads an error, whatever its text.
func isAnError(t *testing.T, document []byte) {
	t.Helper()
	want, _ := anything(t, document).(map[string]any)
	code, _ := want["code"].(float64)
	_, err := answering(t, int(code), document).GetJob(t.Context(), "a1b2c3d4e5")
	answer := answerOf(err)
	if answer == nil || answer.StatusCode != int(code) || answer.Code != int(code) || answer.Reason != want["error"] {
		t.Errorf("got %v", err)
	}
}

// isUsage compares the sums, whatever the model is called.
func isUsage(t *testing.T, document []byte) {
	t.Helper()
	usage, err := answering(t, http.StatusOK, document).Usage(t.Context(), speechmatics.UsageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := anything(t, document).(map[string]any)
	compareUsage(t, want["summary"], usage.Summary)
	compareUsage(t, want["details"], usage.Details)
	if usage.Since.IsZero() || !usage.Until.After(usage.Since) {
		t.Errorf("from %s to %s", usage.Since, usage.Until)
	}
}

func compareUsage(t *testing.T, want any, got []speechmatics.UsageRecord) {
	t.Helper()
	records, _ := want.([]any)
	if len(records) != len(got) {
		t.Fatalf("got %d records, want %d", len(got), len(records))
	}
	for i, record := range records {
		members, _ := record.(map[string]any)
		model := members["model"]
		if model == nil {
			model = members["operating_point"]
		}
		text := func(value any) string { s, _ := value.(string); return s }
		count, _ := members["count"].(float64)
		hours, _ := members["duration_hrs"].(float64)
		want := speechmatics.UsageRecord{
			Mode: text(members["mode"]), Type: text(members["type"]), Language: text(members["language"]), Model: text(model),
			Count: int64(count), Duration: time.Duration(math.Round(hours * float64(time.Hour))),
		}
		if diff := cmp.Diff(want, got[i]); diff != "" {
			t.Error(diff)
		}
	}
}
