// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"encoding/json"
	"testing"
	"testing/fstest"

	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// scripts are what is said in recordings, by their names.
var scripts = fstest.MapFS{
	"meeting.txt": {Data: []byte("@length 25m\n@event music 0 3\n@event applause 60 64\n@event laughter 70 71\n" +
		"S1: Welcome, um, everybody. We made $300 in May, that is 12% more.\nS2: Great news, thank you!\nS1: There is one damn problem.\n")},
	"french.txt":  {Data: []byte("@language fr\nS1: bonjour.\n")},
	"unsure.txt":  {Data: []byte("@language fr 0.3\nS1: bonjour.\n")},
	"silence.txt": {Data: []byte("@length 2m\n@silence\n")},
	"uzbek.txt":   {Data: []byte("@language uz\nS1: salom.\n")},
	"arabic.txt":  {Data: []byte("S1: مرحبا بالعالم.\n")},
	"marks.txt":   {Data: []byte("S1: ¿Qué? - He said (\"well-known\") – and / or… that!\n")},
}

// document submits a job for one of the scripts, waits for it to be done, and reads its json-v2.
func (s *service) document(script string, config speechmatics.JobConfig) map[string]json.RawMessage {
	s.t.Helper()
	id := s.submitAs(script+".wav", config)
	if job := s.ended(id); job.Status != speechmatics.JobDone {
		s.t.Fatalf("%s: the job is %s: %v", script, job.Status, job.Errors)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(s.read(id, speechmatics.FormatJSONv2), &members); err != nil {
		s.t.Fatal(err)
	}
	return members
}

// want checks that a document has some members.
func want(t *testing.T, document map[string]json.RawMessage, members ...string) {
	t.Helper()
	for _, member := range members {
		if _, ok := document[member]; !ok {
			t.Errorf("the document has no %s", member)
		}
	}
}

// wantInMetadata checks that the metadata tell of something.
func wantInMetadata(t *testing.T, document map[string]json.RawMessage, members ...string) {
	t.Helper()
	var metadata map[string]json.RawMessage
	if err := json.Unmarshal(document["metadata"], &metadata); err != nil {
		t.Fatal(err)
	}
	want(t, metadata, members...)
}

// everything switches on all that goes together.
func everything() speechmatics.JobConfig {
	return speechmatics.JobConfig{
		Type: speechmatics.JobTranscription,
		TranscriptionConfig: &speechmatics.TranscriptionConfig{
			Language: "en", Model: "enhanced", Domain: "medical", OutputLocale: "en-GB", MaxDelayMode: "flexible",
			AdditionalVocab:      []speechmatics.AdditionalVocab{{Content: "gnocchi", SoundsLike: []string{"nyohki"}}, {Content: "CEO"}},
			PunctuationOverrides: &speechmatics.PunctuationOverrides{Sensitivity: ptr.To(0.4), PermittedMarks: &[]string{".", ",", "!"}},
			Diarization:          "speaker",
			SpeakerDiarizationConfig: &speechmatics.SpeakerDiarizationConfig{
				SpeakerSensitivity: ptr.To(0.6), PreferCurrentSpeaker: ptr.To(true), GetSpeakers: ptr.To(true),
				Speakers: []speechmatics.KnownSpeaker{{Label: "Agent", SpeakerIdentifiers: []string{"foreign"}}},
			},
			EnableEntities:       ptr.To(true),
			AudioFilteringConfig: &speechmatics.AudioFilteringConfig{VolumeThreshold: ptr.To(0.5)},
			TranscriptFilteringConfig: &speechmatics.TranscriptFilteringConfig{
				RemoveDisfluencies: ptr.To(false), Replacements: []speechmatics.Replacement{{From: "everybody", To: "all"}, {From: "/^new/", To: ""}},
			},
		},
		Tracking: &speechmatics.Tracking{Title: "title", Reference: "reference", Tags: []string{"tag"}, Details: json.RawMessage(`{"a":[1.50,null]}`)},
		OutputConfig: &speechmatics.OutputConfig{SRTOverrides: &speechmatics.SRTOverrides{
			MaxLineLength: ptr.To(30), MaxLines: ptr.To(1),
		}},
		TranslationConfig:       &speechmatics.TranslationConfig{TargetLanguages: []string{"de", "fr"}},
		SummarizationConfig:     &speechmatics.SummarizationConfig{},
		SentimentAnalysisConfig: &speechmatics.SentimentAnalysisConfig{},
		TopicDetectionConfig:    &speechmatics.TopicDetectionConfig{Topics: []string{"May"}},
		AutoChaptersConfig:      &speechmatics.AutoChaptersConfig{},
		AudioEventsConfig:       &speechmatics.AudioEventsConfig{Types: []string{"music", "applause", "laughter"}},
	}
}

// allFeatures asks for everything, in both layouts that the documents differ in, by speaker and by channel.
func allFeatures(s *service) {
	document := s.document("meeting", everything())
	want(s.t, document, "speakers", "translations", "summary", "sentiment_analysis", "topics", "chapters", "audio_events", "audio_event_summary")

	if err := s.simulator.SetBehaviour(simulator.Behaviour{
		Sentiment: simulator.SentimentNested, AudioEventSummary: simulator.AudioEventSummaryOverall, KeepEmptyArrays: true,
	}); err != nil {
		s.t.Fatal(err)
	}
	byChannel := everything()
	byChannel.TranscriptionConfig.Diarization = "channel"
	byChannel.TranscriptionConfig.SpeakerDiarizationConfig = nil
	byChannel.TranscriptionConfig.ChannelDiarizationLabels = []string{"Agent", "Caller"}
	byChannel.TranscriptionConfig.AdditionalVocab = []speechmatics.AdditionalVocab{}
	byChannel.TranscriptionConfig.TranscriptFilteringConfig = nil
	byChannel.TopicDetectionConfig.Topics = nil
	byChannel.AudioEventsConfig.Types = []string{}
	document = s.document("meeting", byChannel)
	want(s.t, document, "translations", "sentiment_analysis", "topics", "audio_events", "audio_event_summary")
}

// everyOption sends every value of the options that have a few.
func everyOption(s *service) {
	for _, options := range []speechmatics.SummarizationConfig{
		{ContentType: "auto", SummaryLength: "brief", SummaryType: "paragraphs"},
		{ContentType: "informative", SummaryLength: "detailed", SummaryType: "bullets"},
		{ContentType: "conversational"},
	} {
		config := english()
		config.SummarizationConfig = &options
		want(s.t, s.document("meeting", config), "summary")
	}
	for _, transcription := range []speechmatics.TranscriptionConfig{
		{Language: "en", Model: "standard", Diarization: "none", MaxDelayMode: "fixed"},
		{Language: "en", OperatingPoint: "standard"},
		{Language: "en", OperatingPoint: "enhanced", PunctuationOverrides: &speechmatics.PunctuationOverrides{PermittedMarks: new([]string)}},
		{Language: "multi", Model: "melia-1", LanguageHints: []string{"en", "es"}, LanguageHintsStrict: ptr.To(true)},
		{Language: "multi", OperatingPoint: "melia-1"},
	} {
		config := english()
		config.TranscriptionConfig = &transcription
		want(s.t, s.document("meeting", config), "results")
	}
	arabic := english()
	arabic.TranscriptionConfig.Language = "ar"
	want(s.t, s.document("arabic", arabic), "results")
	want(s.t, s.document("marks", english()), "results")
}

// identification lets the language be found out, with each end that this can have.
func identification(s *service) {
	auto := func(options *speechmatics.LanguageIdentificationConfig) speechmatics.JobConfig {
		config := english()
		config.TranscriptionConfig.Language = "auto"
		config.LanguageIdentificationConfig = options
		return config
	}
	wantInMetadata(s.t, s.document("french", auto(nil)), "language_identification")
	for script, options := range map[string]speechmatics.LanguageIdentificationConfig{
		"french":  {ExpectedLanguages: []string{"en", "fr"}, LowConfidenceAction: "reject"},
		"unsure":  {LowConfidenceAction: "allow"},
		"silence": {LowConfidenceAction: "use_default_language", DefaultLanguage: "en"},
	} {
		wantInMetadata(s.t, s.document(script, auto(&options)), "language_identification")
	}
	for _, script := range []string{"unsure", "silence", "uzbek"} {
		job := s.ended(s.submitAs(script+".wav", auto(nil)))
		if job.Status != speechmatics.JobRejected || len(job.Errors) == 0 {
			s.t.Errorf("%s: the job is %s: %v", script, job.Status, job.Errors)
		}
	}
}

// failedFeatures are errors that do not fail the job.
func failedFeatures(s *service) {
	var faults []simulator.Fault
	for _, feature := range []simulator.Feature{
		simulator.FeatureTranslation, simulator.FeatureSummarization, simulator.FeatureSentimentAnalysis, simulator.FeatureTopicDetection,
		simulator.FeatureAutoChapters,
	} {
		faults = append(faults, simulator.Fault{Kind: simulator.FaultFeature, Feature: feature, DataName: "meeting.wav"})
	}
	if err := s.simulator.SetFaults(faults...); err != nil {
		s.t.Fatal(err)
	}
	problems := []string{
		"translation_errors", "summarization_errors", "sentiment_analysis_errors", "topic_detection_errors", "auto_chapters_errors",
	}
	wantInMetadata(s.t, s.document("meeting", everything()), problems...)

	unsupported := everything()
	unsupported.TranscriptionConfig = &speechmatics.TranscriptionConfig{Language: "auto"}
	unsupported.LanguageIdentificationConfig = &speechmatics.LanguageIdentificationConfig{
		LowConfidenceAction: "use_default_language", DefaultLanguage: "ur",
	}
	wantInMetadata(s.t, s.document("unsure", unsupported), problems...)

	tooMany := english()
	tooMany.TopicDetectionConfig = &speechmatics.TopicDetectionConfig{Topics: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}}
	wantInMetadata(s.t, s.document("other", tooMany), "topic_detection_errors")
}
