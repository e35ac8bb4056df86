// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadFacts(t *testing.T) {
	want := map[string]Facts{
		"arabic":    {Language: "ar", Duration: 10 * time.Second, Speakers: 2},
		"channels":  {Language: "en", Duration: 11 * time.Second},
		"container": {Language: "es", Duration: 3 * time.Second},
		"failures": {Language: "cy", Duration: time.Second, Translations: []string{"fr"}, Errors: []FeatureError{
			{Feature: FeatureTranslation, Type: "unsupported_translation_pair", Message: "Translation from cy to de is not supported."},
			{Feature: FeatureSummarization, Type: "unsupported_language", Message: "Summarization does not support cy."},
			{Feature: FeatureSentimentAnalysis, Type: "unsupported_language", Message: "Sentiment analysis does not support cy."},
			{Feature: FeatureTopicDetection, Type: "unsupported_list_of_topics", Message: "At most 10 topics are supported."},
			{Feature: FeatureAutoChapters, Type: "auto_chapters_failed"},
			{
				Feature: FeatureLanguageIdentification, Type: "LOW_CONFIDENCE",
				Message: "Language identification could not identify any language with sufficient confidence",
			},
			{Feature: FeatureTranslation, Language: "de", Type: TypeMissing, Message: `A translation into "de" was asked for, and the transcript has none.`},
		}},
		"interview": {Language: "en", Duration: 40 * time.Second, Speakers: 2, Translations: []string{"cmn", "de"}, Errors: []FeatureError{
			{Feature: FeatureAutoChapters, Type: "auto_chapters_failed", Message: "The transcript is too short for chapters."},
		}},
		"japanese":         {Language: "ja", Duration: 11 * time.Second},
		"legacy":           {Language: "en", Duration: 4 * time.Second},
		"multi":            {Language: "multi", Duration: 9 * time.Second, Speakers: 2},
		"silence":          {Language: "en", Duration: 30 * time.Second, Translations: []string{"de"}},
		"urdu-translation": {Language: "en", Duration: 5 * time.Second, Translations: []string{"ur"}},
	}
	for name, text := range documents(t) {
		t.Run(name, func(t *testing.T) {
			got, err := ReadFacts(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[name], *got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadFacts_samples(t *testing.T) {
	for _, name := range samples {
		got, err := ReadFacts(bytes.NewReader(providersFile(t, "samples", name)))
		if want := (Facts{Language: "en", Duration: 15 * time.Second}); err != nil || !cmp.Equal(*got, want) {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func TestFactsLanguage(t *testing.T) {
	const spoken = `"results":[{"alternatives":[{"language":"en"}]},{"alternatives":[{"language":"fr"}]},{"alternatives":[{"language":"fr"}]}]`
	part := func(language, start, end string) string {
		return `{"alternatives":[{"language":"` + language + `"},{"language":"xx"}],"start_time":` + start + `,"end_time":` + end + `}`
	}
	identified := func(rest string) string {
		return `"language_identification":{"results":[` + part("en", "0", "2") + "," + part("de", "2", "3.5") + "," + part("de", "9", "10") + `]` + rest + `}`
	}
	for name, test := range map[string]struct{ metadata, want string }{
		"nothing said":               {``, "fr"},
		"configured":                 {`"transcription_config":{"language":"en"}`, "en"},
		"auto":                       {`"transcription_config":{"language":"auto"}`, "fr"},
		"identified":                 {`"transcription_config":{"language":"auto"},` + identified(""), "de"},
		"identified, echoed":         {`"transcription_config":{"language":"en"},` + identified(""), "de"},
		"identified with no success": {`"transcription_config":{"language":"auto"},` + identified(`,"error":"LOW_CONFIDENCE"`), "fr"},
		"the default was used":       {`"transcription_config":{"language":"it"},` + identified(`,"error":"NO_SPEECH"`), "it"},
		"identified without times":   {`"language_identification":{"results":[{"alternatives":[{"language":"nl"}]}]}`, "nl"},
		"nothing identified":         {`"language_identification":{"results":[{"alternatives":[]}]}`, "fr"},
	} {
		got, err := ReadFacts(strings.NewReader(`{"metadata":{` + test.metadata + `},` + spoken + `}`))
		if err != nil || got.Language != test.want {
			t.Errorf("%s: %+v, %v; want %q", name, got, err, test.want)
		}
	}
}

func TestFactsDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`{"job":{"duration":15},"results":[{"end_time":99}]}`:         15 * time.Second,
		`{"job":{"duration":0},"results":[{"end_time":7.01}]}`:        8 * time.Second,
		`{"results":[{"start_time":9,"end_time":3},{"end_time":-1}]}`: 9 * time.Second,
		`{"results":[]}`:                       0,
		`{"job":{"duration":-5},"results":[]}`: 0,
	} {
		if got, err := ReadFacts(strings.NewReader(text)); err != nil || got.Duration != want {
			t.Errorf("%s: %+v, %v; want %s", text, got, err, want)
		}
	}
}

func TestFactsErrors(t *testing.T) {
	long := strings.Repeat("ö", maxMessage)
	got, err := ReadFacts(strings.NewReader(`{"results":[],"metadata":{"audio_events_errors":[{"type":"audio_events_failed"}],"mind__reading_errors":[{"message":"` + long + `"},{}]}}`))
	if err != nil || len(got.Errors) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got.Errors[0].Feature != FeatureAudioEvents || got.Errors[1].Feature != "MindReading" {
		t.Errorf("%q, %q", got.Errors[0].Feature, got.Errors[1].Feature)
	}
	if message := got.Errors[1].Message; message != long[:maxMessage]+"…" {
		t.Errorf("a message of %d bytes: …%s", len(message), message[len(message)-8:])
	}
}
