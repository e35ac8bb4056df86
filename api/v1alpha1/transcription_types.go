// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// TranscriptionConfig configures the recognition, in the provider's words. An unset field is not sent at all, and an
// empty or zero one is sent as it is: to the provider these are different things.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.model) && has(self.operatingPoint))",message="set model or operatingPoint, not both: operatingPoint is the older name of model"
// +kubebuilder:validation:XValidation:rule="!(self.language == 'auto' && has(self.outputLocale))",message="outputLocale cannot be combined with language auto"
// +kubebuilder:validation:XValidation:rule="!((has(self.model) && self.model == 'melia-1') || (has(self.operatingPoint) && self.operatingPoint == 'melia-1')) || self.language == 'multi'",message="model melia-1 needs language multi"
// +kubebuilder:validation:XValidation:rule="!(has(self.domain) && self.domain == 'medical') || (has(self.model) && self.model == 'enhanced') || (has(self.operatingPoint) && self.operatingPoint == 'enhanced')",message="domain medical needs model enhanced"
// +kubebuilder:validation:XValidation:rule="!(has(self.domain) && self.domain == 'bilingual-en') || self.language == 'es'",fieldPath=".domain",message="domain bilingual-en needs language es"
// +kubebuilder:validation:XValidation:rule="!has(self.channelDiarizationLabels) || (has(self.diarization) && self.diarization == 'channel')",message="channelDiarizationLabels needs diarization channel"
// +kubebuilder:validation:XValidation:rule="!has(self.speakerDiarization) || (has(self.diarization) && self.diarization == 'speaker')",message="speakerDiarization needs diarization speaker"
// +kubebuilder:validation:XValidation:rule="!has(self.languageHints) && !has(self.languageHintsStrict) || (has(self.model) && self.model == 'melia-1') || (has(self.operatingPoint) && self.operatingPoint == 'melia-1')",message="languageHints and languageHintsStrict need model melia-1"
// +kubebuilder:validation:XValidation:rule="!((has(self.model) && self.model == 'melia-1') || (has(self.operatingPoint) && self.operatingPoint == 'melia-1')) || !((has(self.additionalVocab) && self.additionalVocab.size() > 0) || (has(self.enableEntities) && self.enableEntities) || has(self.audioFiltering) || (has(self.transcriptFiltering) && has(self.transcriptFiltering.replacements) && self.transcriptFiltering.replacements.size() > 0) || (has(self.speakerDiarization) && (has(self.speakerDiarization.speakers) || (has(self.speakerDiarization.getSpeakers) && self.speakerDiarization.getSpeakers))))",message="model melia-1 has no additionalVocab, enableEntities, audioFiltering, transcriptFiltering.replacements, speakerDiarization.speakers and speakerDiarization.getSpeakers; leave them out or choose another model"
type TranscriptionConfig struct {
	// language is the code of the language spoken, as the provider writes it: "en", "de", "cmn", "ar_en"; "auto" has it
	// identified, "multi" goes with model melia-1. Which ones there are depends on the contract.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[A-Za-z]+([_-][A-Za-z0-9]+)*$`
	// +required
	Language string `json:"language,omitempty"`

	// model is the recognition model: "standard", "enhanced" (more accurate, and dearer) or "melia-1" (several languages in
	// one recording; needs language multi and knows fewer options). Unset means the provider's default, standard.
	// +optional
	Model *Model `json:"model,omitempty"`

	// operatingPoint is the older name of model, which older installations on premises know only. It excludes model. (The
	// provider's operating_point.)
	// +optional
	OperatingPoint *Model `json:"operatingPoint,omitempty"`

	// domain selects a specialised language pack, for example "medical" (with model enhanced) or "bilingual-en" (with
	// language es). Unset means the general one. Which ones there are depends on language and contract.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Domain *string `json:"domain,omitempty"`

	// outputLocale selects the spelling: "en-GB", "en-US", "en-AU"; "cmn-Hans", "cmn-Hant". Unset leaves it to the provider.
	// It cannot be combined with language auto. (The provider's output_locale.)
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:Pattern=`^[A-Za-z]+([_-][A-Za-z0-9]+)*$`
	// +optional
	OutputLocale *string `json:"outputLocale,omitempty"`

	// diarization says whether and how speakers are told apart: "none", "speaker" (by their voices, which makes processing
	// 10 to 50 % longer) or "channel" (each channel of the media by itself). Unset means the provider's default, none.
	// +optional
	Diarization *Diarization `json:"diarization,omitempty"`

	// channelDiarizationLabels names the channels, in their order: at most 100 labels of letters, digits, dots and
	// underscores. Channels without one get the provider's label; labels too many are ignored. Needs diarization channel.
	// (The provider's channel_diarization_labels.)
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9._]+$`
	// +listType=atomic
	// +optional
	ChannelDiarizationLabels []string `json:"channelDiarizationLabels,omitzero"`

	// speakerDiarization tunes how speakers are told apart. Needs diarization speaker. (The provider's
	// speaker_diarization_config.)
	// +optional
	SpeakerDiarization *SpeakerDiarizationConfig `json:"speakerDiarization,omitempty"`

	// additionalVocab lists words that the recognition might not know: names, products, terms of a trade. At most 1000. (The
	// provider's additional_vocab.)
	// +kubebuilder:validation:MaxItems=1000
	// +listType=atomic
	// +optional
	AdditionalVocab []AdditionalVocab `json:"additionalVocab,omitzero"`

	// punctuationOverrides tunes the punctuation. (The provider's punctuation_overrides.)
	// +optional
	PunctuationOverrides *PunctuationOverrides `json:"punctuationOverrides,omitempty"`

	// enableEntities adds dates, amounts, addresses and the like as entities to the json-v2 transcript. Unset means the
	// provider's default, false. (The provider's enable_entities.)
	// +optional
	EnableEntities *bool `json:"enableEntities,omitempty"`

	// audioFiltering leaves out quiet speech, or has the volume of each word told in the json-v2 transcript. (The
	// provider's audio_filtering_config.)
	// +optional
	AudioFiltering *AudioFilteringConfig `json:"audioFiltering,omitempty"`

	// transcriptFiltering leaves out or replaces words. (The provider's transcript_filtering_config.)
	// +optional
	TranscriptFiltering *TranscriptFilteringConfig `json:"transcriptFiltering,omitempty"`

	// maxDelayMode is "fixed" or "flexible". It has a meaning for live transcription only; the provider accepts it for
	// files too. (The provider's max_delay_mode.)
	// +optional
	MaxDelayMode *MaxDelayMode `json:"maxDelayMode,omitempty"`

	// languageHints are the languages that are likely to be spoken: "en", "de". Needs model melia-1. (The provider's
	// language_hints.)
	// At most 100.
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=2
	// +kubebuilder:validation:items:MaxLength=32
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z]+([_-][A-Za-z0-9]+)*$`
	// +listType=atomic
	// +optional
	LanguageHints []string `json:"languageHints,omitzero"`

	// languageHintsStrict restricts the recognition to languageHints. Needs model melia-1. (The provider's
	// language_hints_strict.)
	// +optional
	LanguageHintsStrict *bool `json:"languageHintsStrict,omitempty"`
}

// Model is a recognition model.
//
// +kubebuilder:validation:Enum=standard;enhanced;melia-1
type Model string

const (
	// ModelStandard is the provider's default.
	ModelStandard Model = "standard"
	// ModelEnhanced is more accurate and costs more.
	ModelEnhanced Model = "enhanced"
	// ModelMelia1 is the multilingual model; it needs language multi and knows fewer options.
	ModelMelia1 Model = "melia-1"
)

// Diarization is a way to tell speakers apart.
//
// +kubebuilder:validation:Enum=none;speaker;channel
type Diarization string

const (
	// DiarizationNone does not tell speakers apart.
	DiarizationNone Diarization = "none"
	// DiarizationSpeaker tells speakers apart by their voices.
	DiarizationSpeaker Diarization = "speaker"
	// DiarizationChannel transcribes each channel of the media by itself.
	DiarizationChannel Diarization = "channel"
)

// SpeakerDiarizationConfig tunes how speakers are told apart.
type SpeakerDiarizationConfig struct {
	// speakerSensitivity is between "0" and "1", as a decimal number in quotes: the higher, the more speakers are likely
	// to be found. Unset means the provider's default, 0.5. (The provider's speaker_sensitivity.)
	// +optional
	SpeakerSensitivity *Fraction `json:"speakerSensitivity,omitempty"`

	// preferCurrentSpeaker makes a change of speaker less likely between similar voices. Unset means the provider's
	// default, false. (The provider's prefer_current_speaker.)
	// +optional
	PreferCurrentSpeaker *bool `json:"preferCurrentSpeaker,omitempty"`

	// getSpeakers adds identifiers of the speakers to the json-v2 transcript, by which they can be recognised again. They are
	// personal data. Unset means no. To keep them, ask for the format json-v2. (The provider's get_speakers.)
	// +optional
	GetSpeakers *bool `json:"getSpeakers,omitempty"`

	// speakers are speakers known from earlier transcripts, to be recognised again and named by their labels. At most 50
	// identifiers in all.
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:XValidation:rule="self.map(s, s.speakerIdentifiers.size()).sum() <= 50",message="speakers have at most 50 speakerIdentifiers in all"
	// +listType=atomic
	// +optional
	Speakers []KnownSpeaker `json:"speakers,omitzero"`
}

// KnownSpeaker is a speaker known from an earlier transcript. Its identifiers describe a person's voice: they are personal
// data, and whoever may read the job sees them.
type KnownSpeaker struct {
	// label is how the transcript names the speaker. It is none of the provider's own labels (UU, and S with a number),
	// and does not begin or end with white space.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="!self.matches('^(UU|S[0-9]+)$')",message="label must not be one of the provider's own: UU, or S and a number"
	// +kubebuilder:validation:XValidation:rule="self.trim() == self",message="label must not begin or end with white space"
	// +required
	Label string `json:"label,omitempty"`

	// speakerIdentifiers are identifiers that an earlier json-v2 transcript gave (with getSpeakers). They belong to the
	// account's project and to a version of the model: foreign and old ones are ignored by the provider. (The provider's
	// speaker_identifiers.)
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=8192
	// +listType=set
	// +required
	SpeakerIdentifiers []string `json:"speakerIdentifiers,omitempty"`
}

// AudioFilteringConfig leaves out quiet speech. An empty object ({}) leaves nothing out and has each word's volume told in
// the json-v2 transcript.
type AudioFilteringConfig struct {
	// volumeThreshold is the volume below which nothing is transcribed, between "0" and "100", as a decimal number in
	// quotes: the higher, the more is left out. Unset and "0" leave nothing out. (The provider's volume_threshold.)
	// +optional
	VolumeThreshold *Volume `json:"volumeThreshold,omitempty"`
}

// Volume is a decimal number between 0 and 100, written as a string as Fraction is.
//
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,2}([.][0-9]+)?|100([.]0+)?)$')",message="must be a decimal number from 0 to 100, in quotes"
type Volume string

// TranscriptFilteringConfig leaves out or replaces words.
type TranscriptFilteringConfig struct {
	// removeDisfluencies leaves out hesitations ("um", "uh"). Unset means the provider's default, false: they are tagged in
	// the json-v2 transcript. (The provider's remove_disfluencies.)
	// +optional
	RemoveDisfluencies *bool `json:"removeDisfluencies,omitempty"`

	// replacements replace words of the transcript. Plain ones are tried before regular expressions, in their order; the
	// first that matches wins.
	// At most 1000.
	// +kubebuilder:validation:MaxItems=1000
	// +listType=atomic
	// +optional
	Replacements []Replacement `json:"replacements,omitzero"`
}

// Replacement replaces a word.
type Replacement struct {
	// from is the word to replace, with its case, or a regular expression in ECMAScript's syntax between slashes:
	// "/colou?r/". A malformed expression would make the job fail at the provider, so that it fails before it is submitted.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	From string `json:"from,omitempty"`

	// to is what is written instead; empty ("") deletes the word.
	// +kubebuilder:validation:MaxLength=1024
	// +required
	To *string `json:"to,omitempty"`
}

// MaxDelayMode is a mode of live transcription.
//
// +kubebuilder:validation:Enum=fixed;flexible
type MaxDelayMode string

// Fraction is a decimal number between 0 and 1, written as a string: the API conventions advise against floating-point
// numbers, which do not survive a round trip through every client.
//
// +kubebuilder:validation:MaxLength=16
// +kubebuilder:validation:XValidation:rule="self.matches('^(0([.][0-9]+)?|1([.]0+)?)$')",message="must be a decimal number from 0 to 1, in quotes"
type Fraction string

// AdditionalVocab is a word or a short phrase that the recognition is to know.
type AdditionalVocab struct {
	// content is the word or phrase as it is to be written: at most six words, since the provider would silently drop a
	// longer one.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^\\\\s*(\\\\S+\\\\s*){1,6}$')",message="content has between one and six words; the provider silently drops anything else"
	// +required
	Content string `json:"content,omitempty"`

	// soundsLike lists how it is pronounced, as words spelled the way they sound: at most six words each, since the
	// provider would silently drop a longer one. (The provider's sounds_like.)
	// At most 16.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^\\\\s*(\\\\S+\\\\s*){1,6}$')",message="each item of soundsLike has between one and six words; the provider silently drops anything else"
	// +listType=atomic
	// +optional
	SoundsLike []string `json:"soundsLike,omitzero"`
}

// PunctuationOverrides tunes the punctuation.
type PunctuationOverrides struct {
	// sensitivity is between "0" and "1", as a decimal number in quotes: the higher, the more marks are set. Unset means
	// the provider's default, 0.5.
	// +optional
	Sensitivity *Fraction `json:"sensitivity,omitempty"`

	// permittedMarks lists the marks that may be set: ".", "?" and so on. Unset or ["all"] permits all of them; an empty list
	// ([]) permits none. (The provider's permitted_marks.)
	// At most 32.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=3
	// +kubebuilder:validation:items:Pattern=`^(.|all)$`
	// +listType=atomic
	// +optional
	PermittedMarks []string `json:"permittedMarks,omitzero"`
}
