// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strconv"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// transcriptionConfig translates spec.transcription.
func transcriptionConfig(spec *v1alpha1.TranscriptionConfig) (*speechmatics.TranscriptionConfig, error) {
	speakers, err := speakerDiarization(spec.SpeakerDiarization)
	if err != nil {
		return nil, err
	}
	punctuation, err := punctuationOverrides(spec.PunctuationOverrides)
	if err != nil {
		return nil, err
	}
	audio, err := audioFiltering(spec.AudioFiltering)
	if err != nil {
		return nil, err
	}
	filtering, err := transcriptFiltering(spec.TranscriptFiltering)
	if err != nil {
		return nil, err
	}
	return &speechmatics.TranscriptionConfig{
		Language:                  spec.Language,
		Model:                     string(valueOf(spec.Model)),
		OperatingPoint:            string(valueOf(spec.OperatingPoint)),
		Domain:                    valueOf(spec.Domain),
		OutputLocale:              valueOf(spec.OutputLocale),
		AdditionalVocab:           additionalVocab(spec.AdditionalVocab),
		PunctuationOverrides:      punctuation,
		Diarization:               string(valueOf(spec.Diarization)),
		ChannelDiarizationLabels:  spec.ChannelDiarizationLabels,
		SpeakerDiarizationConfig:  speakers,
		EnableEntities:            spec.EnableEntities,
		MaxDelayMode:              string(valueOf(spec.MaxDelayMode)),
		AudioFilteringConfig:      audio,
		TranscriptFilteringConfig: filtering,
		LanguageHints:             spec.LanguageHints,
		LanguageHintsStrict:       spec.LanguageHintsStrict,
	}, nil
}

func additionalVocab(spec []v1alpha1.AdditionalVocab) []speechmatics.AdditionalVocab {
	return translate(spec, func(v v1alpha1.AdditionalVocab) speechmatics.AdditionalVocab {
		return speechmatics.AdditionalVocab{Content: v.Content, SoundsLike: v.SoundsLike}
	})
}

func speakerDiarization(spec *v1alpha1.SpeakerDiarizationConfig) (*speechmatics.SpeakerDiarizationConfig, error) {
	if spec == nil {
		return nil, nil
	}
	sensitivity, err := decimal(spec.SpeakerSensitivity, 1, "spec.transcription.speakerDiarization.speakerSensitivity")
	if err != nil {
		return nil, err
	}
	return &speechmatics.SpeakerDiarizationConfig{
		SpeakerSensitivity:   sensitivity,
		PreferCurrentSpeaker: spec.PreferCurrentSpeaker,
		GetSpeakers:          spec.GetSpeakers,
		Speakers: translate(spec.Speakers, func(s v1alpha1.KnownSpeaker) speechmatics.KnownSpeaker {
			return speechmatics.KnownSpeaker{Label: s.Label, SpeakerIdentifiers: s.SpeakerIdentifiers}
		}),
	}, nil
}

func punctuationOverrides(spec *v1alpha1.PunctuationOverrides) (*speechmatics.PunctuationOverrides, error) {
	if spec == nil {
		return nil, nil
	}
	sensitivity, err := decimal(spec.Sensitivity, 1, "spec.transcription.punctuationOverrides.sensitivity")
	if err != nil {
		return nil, err
	}
	overrides := &speechmatics.PunctuationOverrides{Sensitivity: sensitivity}
	if spec.PermittedMarks != nil {
		overrides.PermittedMarks = &spec.PermittedMarks
	}
	return overrides, nil
}

func audioFiltering(spec *v1alpha1.AudioFilteringConfig) (*speechmatics.AudioFilteringConfig, error) {
	if spec == nil {
		return nil, nil
	}
	threshold, err := decimal(spec.VolumeThreshold, 100, "spec.transcription.audioFiltering.volumeThreshold")
	if err != nil {
		return nil, err
	}
	return &speechmatics.AudioFilteringConfig{VolumeThreshold: threshold}, nil
}

func transcriptFiltering(spec *v1alpha1.TranscriptFilteringConfig) (*speechmatics.TranscriptFilteringConfig, error) {
	if spec == nil {
		return nil, nil
	}
	for i, r := range spec.Replacements {
		if err := checkReplacement(r.From); err != nil {
			return nil, invalidConfiguration(fmt.Sprintf("spec.transcription.transcriptFiltering.replacements[%d].from", i), err.Error())
		}
	}
	return &speechmatics.TranscriptFilteringConfig{
		RemoveDisfluencies: spec.RemoveDisfluencies,
		Replacements: translate(spec.Replacements, func(r v1alpha1.Replacement) speechmatics.Replacement {
			return speechmatics.Replacement{From: r.From, To: valueOf(r.To)}
		}),
	}, nil
}

// decimal reads a decimal number between 0 and a maximum. The schema has checked it already; an object from before that check
// might hold something else.
func decimal[T ~string](value *T, maximum float64, field string) (*float64, error) {
	if value == nil {
		return nil, nil
	}
	f, err := strconv.ParseFloat(string(*value), 64)
	if err != nil || !(f >= 0 && f <= maximum) {
		return nil, invalidConfiguration(field, fmt.Sprintf("is not a decimal number between 0 and %g", maximum))
	}
	return &f, nil
}

// translate translates each item of a list. It keeps an absent list absent and an empty one empty.
func translate[From, To any](list []From, item func(From) To) []To {
	if list == nil {
		return nil
	}
	translated := make([]To, 0, len(list))
	for _, from := range list {
		translated = append(translated, item(from))
	}
	return translated
}

// invalidConfiguration is the failure of a job whose configuration cannot work. It is found before the job is claimed, so that
// nothing is paid for.
func invalidConfiguration(field, problem string) *failure {
	return &failure{
		reason:  v1alpha1.ReasonInvalidConfiguration,
		message: fmt.Sprintf("%s %s; correct it in a new TranscriptionJob", field, problem),
	}
}
