// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is absent, empty and zero on the wire.
func TestConfigOnTheWire(t *testing.T) {
	transcription := func(config TranscriptionConfig) JobConfig {
		return JobConfig{Type: "transcription", TranscriptionConfig: &config}
	}
	wrap := func(members string) string {
		return `{"type":"transcription","transcription_config":{` + members + `}}`
	}
	tests := []struct {
		name   string
		config JobConfig
		want   string
	}{
		{"type alone", JobConfig{Type: "transcription"}, `{"type":"transcription"}`},
		{"empty section", transcription(TranscriptionConfig{}), wrap(``)},
		{
			"texts",
			transcription(TranscriptionConfig{
				Language: "en", Model: "enhanced", OperatingPoint: "standard", Domain: "medical", OutputLocale: "en-GB", Diarization: "speaker",
			}),
			wrap(`"language":"en","model":"enhanced","operating_point":"standard","domain":"medical","output_locale":"en-GB","diarization":"speaker"`),
		},
		{"dictionary empty", transcription(TranscriptionConfig{AdditionalVocab: []AdditionalVocab{}}), wrap(`"additional_vocab":[]`)},
		{
			"dictionary",
			transcription(TranscriptionConfig{AdditionalVocab: []AdditionalVocab{
				{Content: "R&D <1>"}, {Content: "b", SoundsLike: []string{}}, {Content: "gnocchi", SoundsLike: []string{"nyohki", "nokey"}},
			}}),
			wrap(`"additional_vocab":[{"content":"R&D <1>"},{"content":"b","sounds_like":[]},{"content":"gnocchi","sounds_like":["nyohki","nokey"]}]`),
		},
		{
			"punctuation untouched", transcription(TranscriptionConfig{PunctuationOverrides: &PunctuationOverrides{}}),
			wrap(`"punctuation_overrides":{}`),
		},
		{
			"punctuation off",
			transcription(TranscriptionConfig{PunctuationOverrides: &PunctuationOverrides{Sensitivity: new(0.0), PermittedMarks: &[]string{}}}),
			wrap(`"punctuation_overrides":{"sensitivity":0,"permitted_marks":[]}`),
		},
		{
			"punctuation off, by a nil list",
			transcription(TranscriptionConfig{PunctuationOverrides: &PunctuationOverrides{PermittedMarks: new([]string)}}),
			wrap(`"punctuation_overrides":{"permitted_marks":[]}`),
		},
		{
			"punctuation some",
			transcription(TranscriptionConfig{PunctuationOverrides: &PunctuationOverrides{Sensitivity: new(0.5), PermittedMarks: &[]string{".", "?"}}}),
			wrap(`"punctuation_overrides":{"sensitivity":0.5,"permitted_marks":[".","?"]}`),
		},
		{"labels", transcription(TranscriptionConfig{ChannelDiarizationLabels: []string{"Agent"}}), wrap(`"channel_diarization_labels":["Agent"]`)},
		{"labels empty", transcription(TranscriptionConfig{ChannelDiarizationLabels: []string{}}), wrap(`"channel_diarization_labels":[]`)},
		{
			"speakers untouched", transcription(TranscriptionConfig{SpeakerDiarizationConfig: &SpeakerDiarizationConfig{}}),
			wrap(`"speaker_diarization_config":{}`),
		},
		{
			"speakers zero",
			transcription(TranscriptionConfig{SpeakerDiarizationConfig: &SpeakerDiarizationConfig{
				SpeakerSensitivity: new(0.0), PreferCurrentSpeaker: new(false), GetSpeakers: new(false),
			}}),
			wrap(`"speaker_diarization_config":{"speaker_sensitivity":0,"prefer_current_speaker":false,"get_speakers":false}`),
		},
		{"entities off", transcription(TranscriptionConfig{EnableEntities: new(false)}), wrap(`"enable_entities":false`)},
		{"entities on", transcription(TranscriptionConfig{EnableEntities: new(true)}), wrap(`"enable_entities":true`)},
		{
			"media to fetch",
			JobConfig{Type: "transcription", FetchData: &FetchData{URL: "https://e.example/a?b&c", AuthHeaders: []string{"A: b"}}},
			`{"type":"transcription","fetch_data":{"url":"https://e.example/a?b&c","auth_headers":["A: b"]}}`,
		},
		{
			"notifications",
			JobConfig{Type: "transcription", NotificationConfig: []NotificationConfig{
				{URL: "u"}, {URL: "u", Contents: []string{}}, {URL: "u", Contents: []string{"jobinfo"}, Method: "put", AuthHeaders: []string{"A: b"}},
			}},
			`{"type":"transcription","notification_config":[{"url":"u"},{"url":"u","contents":[]},` +
				`{"url":"u","contents":["jobinfo"],"method":"put","auth_headers":["A: b"]}]}`,
		},
		{"no notifications", JobConfig{Type: "transcription", NotificationConfig: []NotificationConfig{}}, `{"type":"transcription","notification_config":[]}`},
		{"tracking empty", JobConfig{Type: "transcription", Tracking: &Tracking{}}, `{"type":"transcription","tracking":{}}`},
		{
			"tracking",
			JobConfig{Type: "transcription", Tracking: &Tracking{
				Title: "T", Reference: "R", Tags: []string{"a"}, Details: json.RawMessage(`{"n":1.50,"big":12345678901234567890}`),
			}},
			`{"type":"transcription","tracking":{"title":"T","reference":"R","tags":["a"],"details":{"n":1.50,"big":12345678901234567890}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := marshalPlain(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
			// Read and written again, it is the same.
			var decoded JobConfig
			if err := json.Unmarshal(got, &decoded); err != nil {
				t.Fatal(err)
			}
			again, err := marshalPlain(decoded)
			if err != nil || string(again) != string(got) {
				t.Errorf("got %s again, %v", again, err)
			}
		})
	}
}
