// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"encoding/json"
)

// JobConfig is a job's configuration, the `config` part of a submission.
//
// To the provider an absent field, an empty one and a zero are three different things. Here nil is absent: nil slices,
// nil pointers and empty strings are left out, while a non-nil empty slice is sent as [] and a pointer to a zero
// struct as {}.
type JobConfig struct {
	// Type is the kind of job: "transcription". Required.
	Type string `json:"type"`
	// FetchData names media that the provider downloads itself. It excludes uploaded media.
	FetchData *FetchData `json:"fetch_data,omitempty"`
	// TranscriptionConfig is required for jobs of type transcription.
	TranscriptionConfig *TranscriptionConfig `json:"transcription_config,omitempty"`
	// NotificationConfig lists up to three addresses that are told when the job has ended.
	NotificationConfig []NotificationConfig `json:"notification_config,omitzero"`
	// Tracking is the caller's own data; the provider repeats it wherever it describes the job.
	Tracking *Tracking `json:"tracking,omitempty"`
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
