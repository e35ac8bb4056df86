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

// notInSamples are the fields that no sample shows, and why.
var notInSamples = map[string]string{
	"transcription.maxDelayMode":        "it has a meaning for live transcription only",
	"transcription.languageHintsStrict": "a switch beside languageHints",
	"media.urlFrom":                     "as notifications[].urlFrom, which is shown",
	"media.authHeadersFrom":             "as notifications[].authHeadersFrom, which is shown",
	"notifications[].url":               "as notifications[].urlFrom, which is shown and hides the address",
}

// TestSamples_showEverything finds each field of the provider's configuration in a sample, so that there is one to look at for all that can be asked for.
func TestSamples_showEverything(t *testing.T) {
	t.Parallel()
	shown := map[string]bool{}
	for _, pattern := range []string{"features/job_*.yaml", "job_*.yaml"} {
		files, err := filepath.Glob(filepath.Join(testenv.Root(), "config", "samples", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var manifest struct {
				Spec any `json:"spec"`
			}
			if err := yaml.Unmarshal(text, &manifest); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			pathsOf("", manifest.Spec, shown)
		}
	}
	for path := range places {
		switch _, left := notInSamples[path]; {
		case shown[path] && left:
			t.Errorf("%s is in a sample after all", path)
		case !shown[path] && !left:
			t.Errorf("no sample shows %s", path)
		}
	}
}

// pathsOf notes the paths of all fields below a value, as places has them.
func pathsOf(path string, value any, found map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			below := strings.TrimPrefix(path+"."+name, ".")
			found[below] = true
			pathsOf(below, member, found)
		}
	case []any:
		for _, item := range value {
			pathsOf(path+"[]", item, found)
		}
	}
}
