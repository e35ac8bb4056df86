// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// TestClient runs this module's own client through a job's life. Simulator and client share no types,
// so this is where they would be seen to disagree.
func TestClient(t *testing.T) {
	p := launch(t, "--api-key", "key-1", "--speed", "1000", "--transcripts", mediaDir)
	client, err := speechmatics.New(p.url+"/v2", speechmatics.WithAPIKey("key-1"), speechmatics.WithHTTPClient(p.client))
	if err != nil {
		t.Fatal(err)
	}
	media, err := os.ReadFile(filepath.Join(mediaDir, "standup.wav"))
	if err != nil {
		t.Fatal(err)
	}
	created, err := client.CreateJob(t.Context(), speechmatics.CreateJobRequest{
		Config: speechmatics.JobConfig{
			Type:                "transcription",
			TranscriptionConfig: &speechmatics.TranscriptionConfig{Language: "en"},
			Tracking:            &speechmatics.Tracking{Reference: "uid/1/nonce"},
		},
		Media: &speechmatics.Media{Name: "standup.wav", Reader: bytes.NewReader(media), Size: int64(len(media))},
	})
	if err != nil {
		t.Fatal(err)
	}
	job := ended(t, client, created.ID)
	if job.Status != speechmatics.JobDone || job.Tracking == nil || job.Tracking.Reference != "uid/1/nonce" || job.Duration != 25*time.Second {
		t.Errorf("%+v", job)
	}
	listed := 0
	for job, err := range client.ListJobs(t.Context(), speechmatics.ListOptions{}) {
		if err != nil || job.ID != created.ID {
			t.Fatalf("%+v, %v", job, err)
		}
		listed++
	}
	if listed != 1 {
		t.Errorf("%d jobs are listed", listed)
	}
	transcript, err := client.Transcript(t.Context(), created.ID, speechmatics.FormatText)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(transcript.Body)
	if err != nil || transcript.Body.Close() != nil || !strings.HasPrefix(string(text), "Good morning, everyone.") {
		t.Errorf("%q, %v", text, err)
	}
	if err := client.DeleteJob(t.Context(), created.ID, speechmatics.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := client.GetJob(t.Context(), created.ID); !speechmatics.IsNotFound(err) {
		t.Errorf("after deletion: %v", err)
	}
	wrong, err := speechmatics.New(p.url+"/v2", speechmatics.WithAPIKey("another"), speechmatics.WithHTTPClient(&http.Client{Transport: p.client.Transport}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.GetJob(t.Context(), created.ID); !speechmatics.IsUnauthorized(err) {
		t.Errorf("with a wrong key: %v", err)
	}
}

// ended polls, well within the limit of reads, until a job has ended.
func ended(t *testing.T, client *speechmatics.Client, id string) *speechmatics.Job {
	t.Helper()
	ticker := time.NewTicker(30 * time.Millisecond)
	defer ticker.Stop()
	for range 300 {
		job, err := client.GetJob(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if job.Status.Terminal() {
			return job
		}
		<-ticker.C
	}
	t.Fatal("the job never ended")
	return nil
}
