// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

func specOf(change ...func(*v1alpha1.TranscriptionJobSpec)) *v1alpha1.TranscriptionJobSpec {
	spec := &v1alpha1.TranscriptionJobSpec{Transcription: v1alpha1.TranscriptionConfig{Language: "en"}}
	for _, c := range change {
		c(spec)
	}
	return spec
}

func withFormats(formats ...v1alpha1.TranscriptFormat) func(*v1alpha1.TranscriptionJobSpec) {
	return func(spec *v1alpha1.TranscriptionJobSpec) { spec.Transcripts.Formats = formats }
}

func translatedTo(languages ...string) func(*v1alpha1.TranscriptionJobSpec) {
	return func(spec *v1alpha1.TranscriptionJobSpec) {
		spec.Translation = &v1alpha1.TranslationConfig{TargetLanguages: languages}
	}
}

func TestContents(t *testing.T) {
	for name, tt := range map[string]struct {
		spec *v1alpha1.TranscriptionJobSpec
		want []string
	}{
		"by default":            {specOf(), []string{"jobinfo", "transcript.txt"}},
		"the provider's":        {specOf(withFormats("srt", "json-v2", "txt")), []string{"jobinfo", "transcript.srt", "transcript.json-v2", "transcript.txt"}},
		"vtt is made from JSON": {specOf(withFormats("vtt")), []string{"jobinfo", "transcript.json-v2"}},
		"vtt and JSON":          {specOf(withFormats("vtt", "json-v2")), []string{"jobinfo", "transcript.json-v2"}},
		"translations":          {specOf(withFormats("txt", "srt"), translatedTo("de")), []string{"jobinfo", "transcript.txt", "transcript.srt", "transcript.json-v2"}},
		"a format twice":        {specOf(withFormats("txt", "txt")), []string{"jobinfo", "transcript.txt"}},
	} {
		if diff := cmp.Diff(tt.want, Contents(tt.spec)); diff != "" {
			t.Errorf("%s: Contents() (-want +got):\n%s", name, diff)
		}
	}
}

func TestNeedsDocument(t *testing.T) {
	needs := map[string]func(*v1alpha1.TranscriptionJobSpec){
		"json-v2":     withFormats("txt", "json-v2"),
		"vtt":         withFormats("vtt"),
		"Translation": translatedTo("de"),
		"LanguageIdentification": func(s *v1alpha1.TranscriptionJobSpec) {
			s.LanguageIdentification = &v1alpha1.LanguageIdentificationConfig{}
		},
		"Summarization":          func(s *v1alpha1.TranscriptionJobSpec) { s.Summarization = &v1alpha1.SummarizationConfig{} },
		"SentimentAnalysis":      func(s *v1alpha1.TranscriptionJobSpec) { s.SentimentAnalysis = &v1alpha1.SentimentAnalysisConfig{} },
		"TopicDetection":         func(s *v1alpha1.TranscriptionJobSpec) { s.TopicDetection = &v1alpha1.TopicDetectionConfig{} },
		"AutoChapters":           func(s *v1alpha1.TranscriptionJobSpec) { s.AutoChapters = &v1alpha1.AutoChaptersConfig{} },
		"AudioEvents":            func(s *v1alpha1.TranscriptionJobSpec) { s.AudioEvents = &v1alpha1.AudioEventsConfig{} },
		"an identified language": func(s *v1alpha1.TranscriptionJobSpec) { s.Transcription.Language = LanguageAuto },
		"speakers that are told apart": func(s *v1alpha1.TranscriptionJobSpec) {
			s.Transcription.Diarization = ptr.To(v1alpha1.DiarizationSpeaker)
		},
		"ProviderConfig": func(s *v1alpha1.TranscriptionJobSpec) {
			s.ProviderConfig = &apiextensionsv1.JSON{Raw: []byte(`{"auto_chapters_config":{}}`)}
		},
	}
	for name, change := range needs {
		if !NeedsDocument(specOf(change)) {
			t.Errorf("a job with %s needs no document", name)
		}
	}
	for name, change := range map[string]func(*v1alpha1.TranscriptionJobSpec){
		"the default": withFormats(), "txt and srt": withFormats("txt", "srt"),
		"channels": func(s *v1alpha1.TranscriptionJobSpec) {
			s.Transcription.Diarization = ptr.To(v1alpha1.DiarizationChannel)
		},
		"a language of two words": func(s *v1alpha1.TranscriptionJobSpec) { s.Transcription.Language = "ar_en" },
	} {
		if NeedsDocument(specOf(change)) {
			t.Errorf("a job with %s needs the document", name)
		}
	}
	// A feature that is added to the API is in the document too, or it is named here as one that is not.
	elsewhere := map[string]bool{
		"AccountRef": true, "Media": true, "Transcription": true, "Transcripts": true, "Tracking": true, "Output": true, "Notifications": true,
		"Processing": true, "Suspend": true, "Priority": true, "BackoffLimit": true, "ActiveDeadlineSeconds": true,
		"TTLSecondsAfterFinished": true, "RemoteDeletionPolicy": true, "AmbiguousSubmissionPolicy": true,
	}
	for field := range reflect.TypeFor[v1alpha1.TranscriptionJobSpec]().Fields() {
		if needs[field.Name] == nil && !elsewhere[field.Name] {
			t.Errorf("does a job with spec.%s need the document?", field.Name)
		}
	}
}

func TestTranscripts(t *testing.T) {
	for name, tt := range map[string]struct {
		spec         *v1alpha1.TranscriptionJobSpec
		translations []string
		all          []Transcript
		renderings   []Transcript
	}{
		"by default": {specOf(), nil, []Transcript{{"txt", ""}}, nil},
		"all formats": {
			specOf(withFormats("json-v2", "txt", "srt", "vtt")), []string{"de"},
			[]Transcript{{"json-v2", ""}, {"txt", ""}, {"srt", ""}, {"vtt", ""}},
			[]Transcript{{"vtt", ""}},
		},
		"translations": {
			specOf(withFormats("json-v2", "srt", "vtt"), translatedTo("de", "cmn_Hant")), []string{"cmn_Hant", "fr"},
			[]Transcript{{"json-v2", ""}, {"srt", ""}, {"vtt", ""}, {"srt", "de"}, {"vtt", "de"}, {"srt", "cmn_Hant"}, {"vtt", "cmn_Hant"}},
			[]Transcript{{"vtt", ""}, {"srt", "cmn_Hant"}, {"vtt", "cmn_Hant"}},
		},
		"translations of nothing but JSON": {specOf(withFormats("json-v2"), translatedTo("de")), []string{"de"}, []Transcript{{"json-v2", ""}}, nil},
	} {
		if diff := cmp.Diff(tt.all, Transcripts(tt.spec)); diff != "" {
			t.Errorf("%s: Transcripts() (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(tt.renderings, Renderings(tt.spec, tt.translations)); diff != "" {
			t.Errorf("%s: Renderings() (-want +got):\n%s", name, diff)
		}
	}
}
