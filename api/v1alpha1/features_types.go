// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// TranslationConfig asks for translations (the provider's translation_config).
type TranslationConfig struct {
	// targetLanguages are the languages to translate to, one to five, as the provider writes them: "de", "fr", "cmn". The
	// provider translates between English and some forty languages. A pair that it does not know is refused, or, with
	// language auto, reported in status.document.featureErrors. (The provider's target_languages.)
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=32
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z]+([_-][A-Za-z0-9]+)*$`
	// +kubebuilder:validation:XValidation:rule="self.all(x, self.filter(y, x.lowerAscii().replace('_', '-') == y.lowerAscii().replace('_', '-')).size() == 1)",message="targetLanguages must not name a language twice"
	// +listType=atomic
	// +required
	TargetLanguages []string `json:"targetLanguages,omitempty"`
}

// LowConfidenceAction says what happens when the language cannot be identified with sufficient confidence.
//
// +kubebuilder:validation:Enum=allow;reject;use_default_language
type LowConfidenceAction string

const (
	// LowConfidenceAllow transcribes in the likeliest language all the same.
	LowConfidenceAllow LowConfidenceAction = "allow"
	// LowConfidenceReject lets the job fail.
	LowConfidenceReject LowConfidenceAction = "reject"
	// LowConfidenceUseDefault transcribes in defaultLanguage.
	LowConfidenceUseDefault LowConfidenceAction = "use_default_language"
)

// LanguageIdentificationConfig tunes how the language is identified (the provider's language_identification_config). The
// provider wants at least a minute of speech for it.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.lowConfidenceAction) && self.lowConfidenceAction == 'use_default_language') || has(self.defaultLanguage)",message="lowConfidenceAction use_default_language needs defaultLanguage"
type LanguageIdentificationConfig struct {
	// expectedLanguages are the languages that may be spoken: "en", "de"; when another one is identified the job fails.
	// Unset means all languages that the provider can identify. (The provider's expected_languages.)
	// At most 100.
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=32
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z]+([_-][A-Za-z0-9]+)*$`
	// +listType=atomic
	// +optional
	ExpectedLanguages []string `json:"expectedLanguages,omitzero"`

	// lowConfidenceAction says what happens when no language is certain enough: "allow" transcribes in the likeliest one,
	// "reject" lets the job fail, "use_default_language" transcribes in defaultLanguage. Unset means the provider's
	// default, reject. (The provider's low_confidence_action.)
	// +optional
	LowConfidenceAction *LowConfidenceAction `json:"lowConfidenceAction,omitempty"`

	// defaultLanguage is the language assumed when there is no speech to identify it by and, with lowConfidenceAction
	// use_default_language, when none is certain enough. Unset means that there is none. (The provider's default_language.)
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[A-Za-z]+([_-][A-Za-z0-9]+)*$`
	// +optional
	DefaultLanguage *string `json:"defaultLanguage,omitempty"`
}

// SummaryContentType says what kind of speech is summarized.
//
// +kubebuilder:validation:Enum=auto;informative;conversational
type SummaryContentType string

const (
	// SummaryAuto lets the provider choose by the transcript.
	SummaryAuto SummaryContentType = "auto"
	// SummaryInformative fits lectures, podcasts and presentations.
	SummaryInformative SummaryContentType = "informative"
	// SummaryConversational fits calls, meetings and discussions.
	SummaryConversational SummaryContentType = "conversational"
)

// SummaryLength says how long a summary is.
//
// +kubebuilder:validation:Enum=brief;detailed
type SummaryLength string

const (
	// SummaryBrief is a few sentences.
	SummaryBrief SummaryLength = "brief"
	// SummaryDetailed is longer and structured.
	SummaryDetailed SummaryLength = "detailed"
)

// SummaryType says how a summary is laid out.
//
// +kubebuilder:validation:Enum=paragraphs;bullets
type SummaryType string

const (
	// SummaryParagraphs is running text.
	SummaryParagraphs SummaryType = "paragraphs"
	// SummaryBullets is a list of points.
	SummaryBullets SummaryType = "bullets"
)

// SummarizationConfig asks for a summary (the provider's summarization_config). An empty object asks for one with the
// provider's defaults.
type SummarizationConfig struct {
	// contentType says what is summarized: "informative" for lectures, podcasts and presentations, "conversational" for
	// calls, meetings and discussions, "auto" to let the provider choose. Unset means the provider's default, auto. (The
	// provider's content_type.)
	// +optional
	ContentType *SummaryContentType `json:"contentType,omitempty"`

	// summaryLength is "brief", a few sentences, or "detailed", longer and structured. Unset means the provider's
	// default, brief. (The provider's summary_length.)
	// +optional
	SummaryLength *SummaryLength `json:"summaryLength,omitempty"`

	// summaryType is "paragraphs" or "bullets". Unset leaves it to the provider. (The provider's summary_type.)
	// +optional
	SummaryType *SummaryType `json:"summaryType,omitempty"`
}

// SentimentAnalysisConfig asks for the sentiment of what is said (the provider's sentiment_analysis_config). It has no
// options: an empty object ({}) asks for it.
type SentimentAnalysisConfig struct{}

// TopicDetectionConfig asks for topics (the provider's topic_detection_config). An empty object asks for the provider's own
// topics.
type TopicDetectionConfig struct {
	// topics are the topics to look for, at most ten. Unset means the provider's ten: Business & Finance, Education,
	// Entertainment, Events & Attractions, Food & Drink, News & Politics, Science, Sports, Technology & Computing, Travel.
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +listType=atomic
	// +optional
	Topics []string `json:"topics,omitzero"`
}

// AutoChaptersConfig asks for chapters (the provider's auto_chapters_config). It has no options: an empty object ({}) asks
// for them.
type AutoChaptersConfig struct{}

// AudioEventsConfig asks for events in the media (the provider's audio_events_config). An empty object asks for all kinds.
type AudioEventsConfig struct {
	// types are the kinds of events to look for: "applause", "laughter", "music". Unset means all of them.
	// At most 16.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +listType=atomic
	// +optional
	Types []string `json:"types,omitzero"`
}

// OutputConfig tunes how transcripts are written (the provider's output_config).
type OutputConfig struct {
	// srtOverrides tunes subtitles. (The provider's srt_overrides.)
	// +optional
	SRTOverrides *SRTOverrides `json:"srtOverrides,omitempty"`
}

// SRTOverrides tunes subtitles: the format srt, which the provider writes, and the captions that are written here (vtt and
// translations).
type SRTOverrides struct {
	// maxLineLength is how many characters a line of a subtitle has at most, white space included. Unset means the
	// provider's default, 37. (The provider's max_line_length.)
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	MaxLineLength *int32 `json:"maxLineLength,omitempty"`

	// maxLines is how many lines a subtitle has at most. Unset means the provider's default, 2. (The provider's max_lines.)
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	MaxLines *int32 `json:"maxLines,omitempty"`
}
