// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

// publicMedia is where the samples have their media from.
const publicMedia = "https://raw.githubusercontent.com/transcription-operator/transcription-operator/main/config/samples/media"

// TestSamples runs each job of config/samples/features to its end: a sample that does not work teaches the wrong thing.
func TestSamples(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	application := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(application.Close)
	w.secret("my-application", v1alpha1.MediaSecretType, map[string]string{"url": application.URL, "headers": "Authorization: Basic YTpi"})
	files, err := filepath.Glob(filepath.Join(testenv.Root(), "config", "samples", "features", "job_*.yaml"))
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d samples (%v)", len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "job_on_premises.yaml") {
			continue // it wants an appliance: see TestPremises_*
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			w := w.in(t)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			job := &v1alpha1.TranscriptionJob{}
			if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(text), publicMedia, w.media)), job); err != nil {
				t.Fatal(err)
			}
			job.Namespace = w.namespace
			w.create(job)
			want := v1alpha1.ReasonComplete
			if job.Spec.AutoChapters != nil {
				want = v1alpha1.ReasonCompleteWithErrors // no sample's media is long enough for chapters
			}
			w.awaitReason(job, want)
			stored := map[string]bool{}
			for _, transcript := range job.Status.Transcripts {
				stored[string(transcript.Format)+" "+transcript.Language] = true
			}
			for _, format := range job.Spec.Transcripts.Formats {
				if !stored[string(format)+" "] {
					t.Errorf("%s is not stored: %v", format, stored)
				}
				if translation := job.Spec.Translation; translation != nil && format != v1alpha1.FormatJSONv2 {
					for _, language := range translation.TargetLanguages {
						if !stored[string(format)+" "+language] {
							t.Errorf("%s in %s is not stored: %v", format, language, stored)
						}
					}
				}
			}
		})
	}
}
