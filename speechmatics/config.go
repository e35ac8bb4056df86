// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"encoding/json"
)

// Types of jobs, the values of [JobConfig.Type].
const (
	// JobTranscription recognises speech.
	JobTranscription = "transcription"
	// JobAlignment aligns a given text with media. The provider dropped it from its specification in 2026 and still documents it.
	JobAlignment = "alignment"
)

// JobConfig is a job's configuration, the `config` part of a submission.
//
// To the provider an absent field, an empty one and a zero are three different things. Here nil is absent: nil slices,
// nil pointers and empty strings are left out, while a non-nil empty slice is sent as [] and a pointer to a zero
// struct as {}.
type JobConfig struct {
	// Type is the kind of job: [JobTranscription] or [JobAlignment]. Required.
	Type string `json:"type"`
	// FetchData names media that the provider downloads itself. It excludes uploaded media.
	FetchData *FetchData `json:"fetch_data,omitempty"`
	// FetchText names the text that the provider downloads itself, in jobs of type alignment. It excludes an uploaded text.
	FetchText *FetchData `json:"fetch_text,omitempty"`
	// TranscriptionConfig is required for jobs of type transcription.
	TranscriptionConfig *TranscriptionConfig `json:"transcription_config,omitempty"`
	// AlignmentConfig is required for jobs of type alignment.
	AlignmentConfig *AlignmentConfig `json:"alignment_config,omitempty"`
	// NotificationConfig lists up to three addresses that are told when the job has ended.
	NotificationConfig []NotificationConfig `json:"notification_config,omitzero"`
	// Tracking is the caller's own data; the provider repeats it wherever it describes the job.
	Tracking *Tracking `json:"tracking,omitempty"`
	// OutputConfig adjusts how transcripts are written.
	OutputConfig *OutputConfig `json:"output_config,omitempty"`
	// TranslationConfig asks for translations, which are in the format json-v2 only.
	TranslationConfig *TranslationConfig `json:"translation_config,omitempty"`
	// LanguageIdentificationConfig adjusts how the language is identified, with the language "auto".
	LanguageIdentificationConfig *LanguageIdentificationConfig `json:"language_identification_config,omitempty"`
	// SummarizationConfig asks for a summary, in the format json-v2 only.
	SummarizationConfig *SummarizationConfig `json:"summarization_config,omitempty"`
	// SentimentAnalysisConfig asks for the sentiment of each segment, in the format json-v2 only.
	SentimentAnalysisConfig *SentimentAnalysisConfig `json:"sentiment_analysis_config,omitempty"`
	// TopicDetectionConfig asks for topics, in the format json-v2 only.
	TopicDetectionConfig *TopicDetectionConfig `json:"topic_detection_config,omitempty"`
	// AutoChaptersConfig asks for chapters, in the format json-v2 only. The provider wants at least ten minutes of media.
	AutoChaptersConfig *AutoChaptersConfig `json:"auto_chapters_config,omitempty"`
	// AudioEventsConfig asks for events such as applause, in the format json-v2 only.
	AudioEventsConfig *AudioEventsConfig `json:"audio_events_config,omitempty"`
}

// TranscriptionConfig says how speech is recognised.
type TranscriptionConfig struct {
	// Language is the language spoken, as a code of the provider ("en", "cmn_en"), or "auto" or, with the model
	// melia-1, "multi". Required. The set depends on the contract, so that it is not checked here.
	Language string `json:"language,omitempty"`
	// Model is "standard" (the provider's default), "enhanced" or "melia-1".
	Model string `json:"model,omitempty"`
	// OperatingPoint is the older name of Model, the only one that old on-premises versions know. What the provider
	// does with both is not documented.
	OperatingPoint string `json:"operating_point,omitempty"`
	// Domain selects a specialised language pack, "medical" for example.
	Domain string `json:"domain,omitempty"`
	// OutputLocale selects the spelling, "en-GB" for example. It cannot be combined with the language "auto".
	OutputLocale string `json:"output_locale,omitempty"`
	// AdditionalVocab is the custom dictionary, at most 1000 entries.
	AdditionalVocab []AdditionalVocab `json:"additional_vocab,omitzero"`
	// PunctuationOverrides adjusts punctuation.
	PunctuationOverrides *PunctuationOverrides `json:"punctuation_overrides,omitempty"`
	// Diarization is "none" (the provider's default), "speaker" or "channel".
	Diarization string `json:"diarization,omitempty"`
	// ChannelDiarizationLabels names the channels, in order. Labels match ^[A-Za-z0-9._]+$.
	ChannelDiarizationLabels []string `json:"channel_diarization_labels,omitzero"`
	// SpeakerDiarizationConfig adjusts the diarization "speaker".
	SpeakerDiarizationConfig *SpeakerDiarizationConfig `json:"speaker_diarization_config,omitempty"`
	// EnableEntities adds entities (dates, sums of money and so on) to transcripts of the format json-v2.
	EnableEntities *bool `json:"enable_entities,omitempty"`
	// MaxDelayMode is "fixed" or "flexible". It is in the schema of batch jobs and has a meaning for live transcription only.
	MaxDelayMode string `json:"max_delay_mode,omitempty"`
	// AudioFilteringConfig leaves out quiet speech, or has its volume told.
	AudioFilteringConfig *AudioFilteringConfig `json:"audio_filtering_config,omitempty"`
	// TranscriptFilteringConfig leaves out or replaces words.
	TranscriptFilteringConfig *TranscriptFilteringConfig `json:"transcript_filtering_config,omitempty"`
	// LanguageHints names languages that are likely to be spoken. Only the model melia-1 knows it; it is documented outside of the
	// specification.
	LanguageHints []string `json:"language_hints,omitzero"`
	// LanguageHintsStrict restricts the recognition to LanguageHints.
	LanguageHintsStrict *bool `json:"language_hints_strict,omitempty"`
}

// AlignmentConfig says how a text is aligned with media.
type AlignmentConfig struct {
	// Language is the language of the text. Required.
	Language string `json:"language"`
}

// AudioFilteringConfig leaves out quiet speech. An empty one has each word's volume told.
type AudioFilteringConfig struct {
	// VolumeThreshold, 0 to 100, is the volume below which speech is left out.
	VolumeThreshold *float64 `json:"volume_threshold,omitempty"`
}

// TranscriptFilteringConfig leaves out or replaces words.
type TranscriptFilteringConfig struct {
	// RemoveDisfluencies leaves out hesitations, which are tagged otherwise.
	RemoveDisfluencies *bool `json:"remove_disfluencies,omitempty"`
	// Replacements are applied to words; of several that match the first wins, plain ones before regular expressions.
	Replacements []Replacement `json:"replacements,omitzero"`
}

// Replacement replaces a word.
type Replacement struct {
	// From is a word, matched with its case, or a regular expression between slashes (ECMAScript's syntax). A malformed expression makes the
	// job fail.
	From string `json:"from"`
	// To is what is written instead; empty deletes the word.
	To string `json:"to"`
}

// AdditionalVocab is an entry of the custom dictionary. The provider silently drops entries of more than six words.
type AdditionalVocab struct {
	// Content is the word or phrase as it shall be written.
	Content string `json:"content"`
	// SoundsLike lists ways it may be pronounced.
	SoundsLike []string `json:"sounds_like,omitzero"`
}

// PunctuationOverrides adjusts punctuation.
type PunctuationOverrides struct {
	// Sensitivity, 0 to 1, says how readily marks are set. The provider's default is 0.5.
	Sensitivity *float64 `json:"sensitivity,omitempty"`
	// PermittedMarks lists the marks that may be set. Absent (nil) permits all, an empty list permits none.
	PermittedMarks *[]string `json:"permitted_marks,omitempty"`
}

// MarshalJSON writes a pointer to a nil list of marks as [], since that pointer says that there is a list: written as
// null, the provider would read "all marks" where none was meant.
func (p PunctuationOverrides) MarshalJSON() ([]byte, error) {
	type plain PunctuationOverrides
	if p.PermittedMarks != nil && *p.PermittedMarks == nil {
		p.PermittedMarks = &[]string{}
	}
	return json.Marshal(plain(p))
}

// SpeakerDiarizationConfig adjusts how speakers are told apart.
type SpeakerDiarizationConfig struct {
	// SpeakerSensitivity, 0 to 1, says how readily a new speaker is assumed. The provider's default is 0.5.
	SpeakerSensitivity *float64 `json:"speaker_sensitivity,omitempty"`
	// PreferCurrentSpeaker makes changes between similar speakers rarer.
	PreferCurrentSpeaker *bool `json:"prefer_current_speaker,omitempty"`
	// GetSpeakers adds the speakers' identifiers to the transcript.
	GetSpeakers *bool `json:"get_speakers,omitempty"`
	// Speakers are speakers that are known, to be recognised again: at most 50 identifiers in all.
	Speakers []KnownSpeaker `json:"speakers,omitzero"`
}

// KnownSpeaker is a speaker that is known from an earlier transcript.
type KnownSpeaker struct {
	// Label is how the transcript names the speaker; not "UU" and not S with a number, which are the provider's own.
	Label string `json:"label"`
	// SpeakerIdentifiers are identifiers that earlier transcripts gave (GetSpeakers). They are bound to the account's project and the
	// model's version; foreign and old ones are ignored.
	SpeakerIdentifiers []string `json:"speaker_identifiers"`
}

// OutputConfig adjusts how transcripts are written.
type OutputConfig struct {
	// SRTOverrides adjusts subtitles.
	SRTOverrides *SRTOverrides `json:"srt_overrides,omitempty"`
}

// SRTOverrides adjusts the subtitles of the format srt.
type SRTOverrides struct {
	// MaxLineLength is the number of characters a line may have, white space included. The provider's default is 37.
	MaxLineLength *int `json:"max_line_length,omitempty"`
	// MaxLines is the number of lines a subtitle may have. The provider's default is 2.
	MaxLines *int `json:"max_lines,omitempty"`
}

// TranslationConfig asks for translations.
type TranslationConfig struct {
	// TargetLanguages are the languages to translate to, at most five. Required.
	TargetLanguages []string `json:"target_languages"`
}

// LanguageIdentificationConfig adjusts how the language is identified.
type LanguageIdentificationConfig struct {
	// ExpectedLanguages are the languages that may be spoken; another one makes the job fail.
	ExpectedLanguages []string `json:"expected_languages,omitzero"`
	// LowConfidenceAction says what happens if no language is certain: "reject" (the default behaviour), "allow" or "use_default_language".
	LowConfidenceAction string `json:"low_confidence_action,omitempty"`
	// DefaultLanguage is what is assumed if there is no speech, or, with the action use_default_language, if no language is certain.
	DefaultLanguage string `json:"default_language,omitempty"`
}

// SummarizationConfig asks for a summary. An empty one asks for the provider's defaults.
type SummarizationConfig struct {
	// ContentType is "auto" (the default), "informative" or "conversational".
	ContentType string `json:"content_type,omitempty"`
	// SummaryLength is "brief" (the default) or "detailed".
	SummaryLength string `json:"summary_length,omitempty"`
	// SummaryType is "paragraphs" or "bullets".
	SummaryType string `json:"summary_type,omitempty"`
}

// SentimentAnalysisConfig asks for the sentiment of each segment. It has no options.
type SentimentAnalysisConfig struct{}

// TopicDetectionConfig asks for topics.
type TopicDetectionConfig struct {
	// Topics are the topics to look for, at most ten; absent (nil) stands for the provider's ten.
	Topics []string `json:"topics,omitzero"`
}

// AutoChaptersConfig asks for chapters. It has no options.
type AutoChaptersConfig struct{}

// AudioEventsConfig asks for events in the media.
type AudioEventsConfig struct {
	// Types are the kinds of events: "applause", "laughter", "music"; absent (nil) stands for all of them.
	Types []string `json:"types,omitzero"`
}

// FetchData names media that the provider downloads.
type FetchData struct {
	// URL is where the media is. It may be signed, and is a secret then.
	URL string `json:"url"`
	// AuthHeaders are whole header lines, "Name: value", that the provider sends with the download.
	AuthHeaders []string `json:"auth_headers,omitzero"`
}

// NotificationConfig is one address to notify.
type NotificationConfig struct {
	// URL is called with id and status added to its query.
	URL string `json:"url"`
	// Contents lists what the notification carries: "jobinfo", "transcript", "transcript.txt" and so on. Absent (nil) means
	// a multipart body with the transcript as data_file; an empty list means no body at all.
	Contents []string `json:"contents,omitzero"`
	// Method is "post" (the provider's default) or "put".
	Method string `json:"method,omitempty"`
	// AuthHeaders are whole header lines, "Name: value", that the provider sends with the notification.
	AuthHeaders []string `json:"auth_headers,omitzero"`
}

// Tracking is data of the caller's that the provider keeps with a job. It cannot be searched for.
type Tracking struct {
	// Title is a name for people.
	Title string `json:"title,omitempty"`
	// Reference is what the caller recognises the job by.
	Reference string `json:"reference,omitempty"`
	// Tags are labels.
	Tags []string `json:"tags,omitzero"`
	// Details is any JSON object.
	Details json.RawMessage `json:"details,omitzero"`
}
