// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package redaction

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const (
	hook   = "https://hooks.example.com/services/T0/PATHSECRET?sig=QUERYSECRET&n=1"
	header = `Authorization: Basic HEADER"SECRET/==`
)

// secretive is a job with something of everything that is secret.
func secretive() *v1alpha1.TranscriptionJobSpec {
	return &v1alpha1.TranscriptionJobSpec{
		Notifications: []v1alpha1.NotificationSpec{{}, {URLFrom: &v1alpha1.SecretSource{}}},
		Transcription: v1alpha1.TranscriptionConfig{SpeakerDiarization: &v1alpha1.SpeakerDiarizationConfig{
			Speakers: []v1alpha1.KnownSpeaker{{Label: "Ann", SpeakerIdentifiers: []string{"SPEAKERSECRET=="}}},
		}},
		ProviderConfig: &apiextensionsv1.JSON{Raw: []byte(
			`{"transcription_config":{"speaker_diarization_config":{"speakers":[{"label":"Bob Jones","speaker_identifiers":["RAWSECRET"]}]}}}`)},
	}
}

func secrets() []string { return slices.Concat(OfURL(hook), OfHeaders([]string{header})) }

// TestText has the provider repeat secrets in the ways that are to be expected of it.
func TestText(t *testing.T) {
	t.Parallel()
	asJSON, err := json.Marshal(map[string]any{"url": hook, "auth_headers": []string{header}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"URL":                  "url '" + hook + "' is not allowed",
		"URL without query":    "url " + speechmatics.RedactURLs(hook) + " is not allowed",
		"path":                 "no such webhook: /services/T0/PATHSECRET",
		"path's end":           "no such webhook: PATHSECRET",
		"query":                "sig=QUERYSECRET&n=1 has expired",
		"value of the query":   "the signature QUERYSECRET has expired",
		"URL of somebody else": "redirected to https://elsewhere.example.com/PATH'SECRET",
		"header":               "auth_headers: " + header + " is invalid",
		"value":                `Basic HEADER"SECRET/== is invalid`,
		"credentials":          `HEADER"SECRET/== is invalid`,
		"speaker":              "speaker_identifiers SPEAKERSECRET== is of another project",
		"speaker, raw":         "speaker_identifiers RAWSECRET is of another project",
		"JSON":                 string(asJSON),
		"JSON, slashes too":    strings.ReplaceAll(string(asJSON), "/", `\/`),
		"cut":                  `invalid: Basic HEADER"SECR… : correct it`,
	} {
		got := Text(secretive(), text, secrets()...)
		if strings.Contains(got, "SECR") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestText_keepsTheRest checks that what is left can still be understood.
func TestText_keepsTheRest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "",
		"language zz is not known…":    "language zz is not known…",
		"Bob Jones is no label; n=1":   "Bob Jones is no label; n=1",
		"url " + hook + " not allowed": "url [redacted] not allowed",
		"cannot fetch https://media.example.com/a/b.wav?x=1: 404": "cannot fetch https://media.example.com/… 404",
	} {
		if got := Text(secretive(), text, append(secrets(), "", "a", "abc")...); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	const open = "cannot fetch https://media.example.com/a/b.wav"
	if got := Text(&v1alpha1.TranscriptionJobSpec{}, open+"?x=1"); got != open {
		t.Errorf("of a job without secrets %q is left", got)
	}
}
