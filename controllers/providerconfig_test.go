// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// TestProviderConfig merges options into a request, through a real API server.
func TestProviderConfig(t *testing.T) {
	t.Parallel()
	f := newConfigFixture(t)
	cases := []struct {
		name string
		over string // YAML
		want string // what the request has instead of the least one, as a merge patch
	}{
		{"nothing", `{}`, `{}`},
		{"tomorrow's feature", `{sign_language_config: {speed: 1.25, tags: [a, null]}}`, `{"sign_language_config":{"speed":1.25,"tags":["a",null]}}`},
		{"tomorrow's option", `{transcription_config: {humming: true}}`, `{"transcription_config":{"humming":true}}`},
		{"another value", `{transcription_config: {language: de}}`, `{"transcription_config":{"language":"de"}}`},
		{"empty values", `{auto_chapters_config: {}, transcription_config: {additional_vocab: []}}`, `{"auto_chapters_config":{},"transcription_config":{"additional_vocab":[]}}`},
		{"no language", `{transcription_config: {language: null}}`, `{"transcription_config":{"language":null}}`},
		{"no configuration", `{transcription_config: null}`, `{"transcription_config":null}`},
		{"something else than a configuration", `{transcription_config: 5}`, `{"transcription_config":5}`},
		{"null where nothing is", `{summarization_config: null}`, `{}`},
		{"tracking beside the reference", `{tracking: {title: t, new: {a: 1}}}`, `{"tracking":{"title":"t","new":{"a":1}}}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := mergePatch(f.request(t, f.spec(t, "")), decoded(t, c.want).(map[string]any))
			got := f.request(t, f.spec(t, "providerConfig: "+c.over))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the request (-want +got):\n%s", diff)
			}
		})
	}
}

// TestProviderConfig_overSpec has the last word over what the spec says.
func TestProviderConfig_overSpec(t *testing.T) {
	t.Parallel()
	f := newConfigFixture(t)
	got := f.request(t, f.spec(t, `
transcription: {additionalVocab: [{content: a}, {content: b}], audioFiltering: {volumeThreshold: "5"}}
output: {srtOverrides: {maxLines: 3, maxLineLength: 20}}
providerConfig:
  transcription_config: {additional_vocab: [{content: c, new: null}], audio_filtering_config: null}
  output_config: {srt_overrides: {max_lines: 1}}
`))
	want := `{"type":"transcription","fetch_data":{"url":"https://a.example/a.wav"},"tracking":{"reference":"uid/1/nonce"},
		"transcription_config":{"language":"en","additional_vocab":[{"content":"c","new":null}]},
		"output_config":{"srt_overrides":{"max_lines":1,"max_line_length":20}}}`
	if diff := cmp.Diff(decoded(t, want), any(got)); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
}

// TestMergePatch has the examples of RFC 7386, appendix A, that are about objects.
func TestMergePatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		{`{"a":1.10}`, `{"b":12345678901234567890.5}`, `{"a":1.10,"b":12345678901234567890.5}`},
		{`{"a":1}`, `{"a":[null,{"b":null}]}`, `{"a":[null,{"b":null}]}`},
	} {
		got := mergePatch(decoded(t, c.target).(map[string]any), decoded(t, c.patch).(map[string]any))
		if diff := cmp.Diff(decoded(t, c.want), any(got)); diff != "" {
			t.Errorf("%s with %s (-want +got):\n%s", c.target, c.patch, diff)
		}
	}
}

func TestCheckProviderConfig(t *testing.T) {
	t.Parallel()
	nested := func(levels int) string { return strings.Repeat(`{"a":`, levels) + `1` + strings.Repeat(`}`, levels) }
	cases := []struct {
		name string
		over string
		want string // of the message; empty if it is fine
	}{
		{"empty", `{}`, ""},
		{"an option", `{"transcription_config":{"type":"x","reference":"y","fetch_data":1}}`, ""},
		{"other tracking", `{"tracking":{"title":"x","details":{"reference":"mine"}}}`, ""},
		{"as large as can be", `{"a":"` + strings.Repeat("x", maxProviderConfigBytes-8) + `"}`, ""},
		{"as deep as can be", nested(maxProviderConfigDepth), ""},
		{"type", `{"type":"alignment"}`, "spec.providerConfig.type belongs to the operator"},
		{"null type", `{"type":null}`, "spec.providerConfig.type belongs"},
		{"media", `{"fetch_data":{"url":"https://a.example"}}`, "use spec.media"},
		{"text", `{"fetch_text":{"url":"https://a.example"}}`, "spec.providerConfig.fetch_text belongs"},
		{"notifications", `{"notification_config":[]}`, "use spec.notifications"},
		{"notifications in capitals", `{"Notification_Config":[]}`, "spec.providerConfig.Notification_Config belongs"},
		{"reference", `{"tracking":{"reference":"mine"}}`, "spec.providerConfig.tracking.reference belongs"},
		{"null reference", `{"tracking":{"reference":null}}`, "spec.providerConfig.tracking.reference belongs"},
		{"reference in capitals", `{"TRACKING":{"Reference":"mine"}}`, "spec.providerConfig.TRACKING.Reference belongs"},
		{"no tracking", `{"tracking":null}`, "spec.providerConfig.tracking is not an object"},
		{"tracking that is none", `{"tracking":"x"}`, "spec.providerConfig.tracking is not an object"},
		{"no object", `[1]`, "is not a JSON object"},
		{"null", `null`, "is not a JSON object"},
		{"broken", `{"a":`, "is not a JSON object"},
		{"too large", `{"a":"` + strings.Repeat("x", maxProviderConfigBytes-7) + `"}`, "larger than 65536 bytes"},
		{"too deep", nested(maxProviderConfigDepth + 1), "nested deeper than 32 levels"},
		{"too deep in lists", `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "nested deeper than 32 levels"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := &v1alpha1.TranscriptionJobSpec{ProviderConfig: &apiextensionsv1.JSON{Raw: []byte(c.over)}}
			err := checkProviderConfig(spec)
			var f *failure
			switch {
			case c.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case c.want != "" && (!errors.As(err, &f) || f.reason != v1alpha1.ReasonInvalidConfiguration || f.retryable || !strings.Contains(f.message, c.want)):
				t.Fatalf("got %v, want a failure that says %q", err, c.want)
			case c.want != "" && !strings.Contains(f.message, "in a new TranscriptionJob"):
				t.Errorf("the message does not say what to do: %s", f.message)
			}
		})
	}
}

// FuzzProviderConfig checks that nothing which is let through takes away what the operator owns.
func FuzzProviderConfig(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"transcription_config":null}`, `{"tracking":{"title":null}}`, `{"tracking":null}`, `{"Tracking":{"REFERENCE":1}}`, `{"type":1}`,
		`{"tracking":{"reference":"a","reference":"b"}}`, `{"ﬁx":1}`, "{\"a\":\"\xff\"}", `{"a":1e999}`, `{"notification_confıg":[]}`,
	} {
		f.Add([]byte(seed))
	}
	config := speechmatics.JobConfig{
		Type:               jobType,
		FetchData:          &speechmatics.FetchData{URL: "https://a.example/a"},
		NotificationConfig: []speechmatics.NotificationConfig{{URL: "https://b.example/b", Contents: []string{"jobinfo"}}},
		Tracking:           &speechmatics.Tracking{Reference: "uid/1/nonce"},
	}
	const owned = `"https://a.example/a" "https://b.example/b" uid/1/nonce transcription`
	f.Fuzz(func(t *testing.T, over []byte) {
		spec := &v1alpha1.TranscriptionJobSpec{ProviderConfig: &apiextensionsv1.JSON{Raw: over}}
		if checkProviderConfig(spec) != nil {
			return
		}
		merged, err := mergeProviderConfig(config, spec.ProviderConfig)
		if err != nil {
			t.Fatalf("let through, and cannot be merged: %v", err)
		}
		got, err := decodeObject(merged)
		if err != nil {
			t.Fatalf("the result is no JSON object: %v\n%s", err, merged)
		}
		fetch, _ := got["fetch_data"].(map[string]any)
		notifications := listOf(got["notification_config"])
		tracking, _ := got["tracking"].(map[string]any)
		if len(notifications) != 1 {
			t.Fatalf("notifications: %v", notifications)
		}
		first, _ := notifications[0].(map[string]any)
		if have := fmt.Sprintf("%q %q %v %v", fetch["url"], first["url"], tracking["reference"], got["type"]); have != owned {
			t.Fatalf("what the operator owns has become %s, want %s", have, owned)
		}
	})
}
