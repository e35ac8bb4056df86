// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestReadFacts(t *testing.T) {
	want := map[string]Facts{
		"arabic":    {Language: "ar", Duration: 10 * time.Second, Speakers: 2},
		"channels":  {Language: "en", Duration: 11 * time.Second},
		"container": {Language: "es", Duration: 3 * time.Second},
		"failures": {Language: "cy", Duration: time.Second, Translations: []string{"fr"}, Errors: []FeatureError{
			{Feature: FeatureSummarization, Type: "unsupported_language", Message: "Summarization does not support cy."},
			{Feature: FeatureSentimentAnalysis, Type: "unsupported_language", Message: "Sentiment analysis does not support cy."},
			{Feature: FeatureTopicDetection, Type: "unsupported_list_of_topics", Message: "At most 10 topics are supported."},
			{Feature: FeatureAutoChapters, Type: "auto_chapters_failed"},
			{
				Feature: FeatureLanguageIdentification, Type: "LOW_CONFIDENCE",
				Message: "Language identification could not identify any language with sufficient confidence",
			},
			{Feature: FeatureTranslation, Language: "de", Type: "unsupported_translation_pair", Message: "Translation from cy to de is not supported."},
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

// Each translation that is missing is told once, with what the provider says, which names no language.
func TestFactsErrors_translations(t *testing.T) {
	const (
		failed      = `{"type":"translation_failed","message":"Translation failed"}`
		unsupported = `{"type":"unsupported_translation_pair","message":"Not from cy to de"}`
		silent      = `{"type":"translation_failed"}`
	)
	none := func(language string) string {
		return `A translation into "` + language + `" was asked for, and the transcript has none.`
	}
	missing := func(language, kind, message string) FeatureError {
		return FeatureError{Feature: FeatureTranslation, Language: language, Type: kind, Message: message}
	}
	for name, test := range map[string]struct {
		errors, targets string
		expected        []string
		want            []FeatureError
	}{
		"none missing": {"", `"ja"`, []string{"ja"}, nil},
		"one that names none, none missing": {failed, `"ja"`, []string{"ja"}, []FeatureError{
			missing("", "translation_failed", "Translation failed"),
		}},
		"one missing":                 {failed, `"ja","fr"`, nil, []FeatureError{missing("fr", "translation_failed", "Translation failed")}},
		"one missing, without a word": {"", `"fr"`, nil, []FeatureError{missing("fr", TypeMissing, none("fr"))}},
		"one missing, with few words": {silent, `"fr"`, nil, []FeatureError{missing("fr", "translation_failed", none("fr"))}},
		"one asked for twice":         {failed, `"fr","fr"`, []string{"fr", "fr"}, []FeatureError{missing("fr", "translation_failed", "Translation failed")}},
		"several missing": {failed, `"fr","de"`, nil, []FeatureError{
			missing("fr", "translation_failed", "Translation failed"), missing("de", "translation_failed", "Translation failed"),
		}},
		"the same twice": {failed + "," + failed, `"fr","de"`, nil, []FeatureError{
			missing("fr", "translation_failed", "Translation failed"), missing("de", "translation_failed", "Translation failed"),
		}},
		"several causes": {failed + "," + unsupported + "," + silent, `"fr"`, nil, []FeatureError{
			missing("fr", TypeMissing, "translation_failed: Translation failed; unsupported_translation_pair: Not from cy to de; translation_failed"),
		}},
		"the document does not say what was asked for": {failed, ``, []string{"fr"}, []FeatureError{
			missing("fr", "translation_failed", "Translation failed"),
		}},
		"the document says less": {failed, `"fr"`, []string{"ja", "fr", "de"}, []FeatureError{
			missing("fr", "translation_failed", "Translation failed"), missing("de", TypeMissing, none("de")),
		}},
	} {
		got, err := ReadFacts(strings.NewReader(`{"metadata":{"translation_config":{"target_languages":[` + test.targets + `]},"translation_errors":[` +
			test.errors + `],"summarization_errors":[{"type":"summarization_failed"}]},"results":[],"translations":{"ja":[]}}`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got.Expect(test.expected)
		others := func(e FeatureError) bool {
			return e.Feature == FeatureSummarization && e.Type == "summarization_failed"
		}
		if !slices.ContainsFunc(got.Errors, others) {
			t.Errorf("%s: the error of another feature is gone: %+v", name, got.Errors)
		}
		if diff := cmp.Diff(test.want, slices.DeleteFunc(got.Errors, others), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
	}
}

// However many errors there are, what is told of a translation stays small.
func TestFactsErrors_manyCauses(t *testing.T) {
	errs := make([]string, maxErrors)
	for i := range errs {
		errs[i] = fmt.Sprintf(`{"type":"t","message":"%d%s"}`, i, strings.Repeat("x", maxMessage/2))
	}
	got, err := ReadFacts(strings.NewReader(`{"metadata":{"translation_config":{"target_languages":["fr"]},"translation_errors":[` + strings.Join(errs, ",") + `]},"results":[]}`))
	if err != nil || len(got.Errors) != 1 || len(got.Errors[0].Message) > maxMessage+len("…") {
		t.Errorf("%d errors, %v", len(got.Errors), err)
	}
}
