// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"slices"
	"time"
)

// identification is what language identification found, and what it is used as.
type identification struct {
	language string
	result   identificationResult
}

// The documents of language identification.
type (
	identificationResult struct {
		Error   string               `json:"error,omitempty"`
		Message string               `json:"message,omitempty"`
		Results []identificationItem `json:"results,omitempty"`
	}
	identificationItem struct {
		Alternatives []identifiedLanguage `json:"alternatives"`
		EndTime      float64              `json:"end_time"`
		StartTime    float64              `json:"start_time"`
	}
	identifiedLanguage struct {
		Confidence float64 `json:"confidence"`
		Language   string  `json:"language"`
	}
)

// What language identification says when it has no answer.
const (
	errorLowConfidence = "LOW_CONFIDENCE"
	errorNoSpeech      = "NO_SPEECH"

	messageLowConfidence = "Language identification could not identify any language with sufficient confidence"
	messageNoSpeech      = "No speech found for language identification"
	messageFailed        = "Language identification failed"
)

// identify finds out the language of a recording. An error rejects the job, in the service's words.
func identify(c *jobConfig, s *script, length time.Duration) (*identification, error) {
	if s == nil {
		s = &script{}
	}
	wanted := c.identification
	heard := identifiedLanguage{Language: s.language, Confidence: s.confidence}
	if heard.Language == "" { // what nobody said is what is expected
		heard = identifiedLanguage{Language: languageDefault, Confidence: confidence}
		if len(wanted.expected) > 0 {
			heard.Language = wanted.expected[0]
		}
	}
	if s.silent {
		if wanted.fallback == "" {
			return nil, rejectionError(messageNoSpeech)
		}
		return &identification{wanted.fallback, identificationResult{Error: errorNoSpeech, Message: messageNoSpeech}}, nil
	}
	if heard.Confidence < confident || !findable(heard.Language, wanted.expected) {
		return unsure(wanted, heard, length)
	}
	return sure(wanted, heard, length)
}

// findable says whether a language can be found; Welsh is found only where it is expected.
func findable(language string, expected []string) bool {
	return language != "cy" || slices.Contains(expected, language)
}

// unsure does what the configuration says for a language that is not plain to hear.
func unsure(wanted identificationConfig, heard identifiedLanguage, length time.Duration) (*identification, error) {
	found := &identification{heard.Language, resultOf(heard, length)}
	found.result.Error, found.result.Message = errorLowConfidence, messageLowConfidence
	switch wanted.action {
	case actionAllow:
		if !isLanguage(heard.Language) {
			return nil, notSupported(heard.Language)
		}
		return found, nil
	case actionUseFallback:
		found.language = wanted.fallback
		return found, nil
	}
	return nil, rejectionError(messageLowConfidence)
}

func sure(wanted identificationConfig, heard identifiedLanguage, length time.Duration) (*identification, error) {
	switch {
	case len(wanted.expected) > 0 && !slices.Contains(wanted.expected, heard.Language):
		return nil, rejectionError("The identified language '" + heard.Language + "' is not one of the expected languages")
	case !isLanguage(heard.Language):
		return nil, notSupported(heard.Language)
	}
	return &identification{heard.Language, resultOf(heard, length)}, nil
}

func notSupported(language string) error {
	return rejectionError("The identified language '" + language + "' is not supported for transcription")
}

// resultOf lists what was heard, and a runner-up.
func resultOf(heard identifiedLanguage, length time.Duration) identificationResult {
	other := "es"
	if heard.Language == other {
		other = languageDefault
	}
	return identificationResult{Results: []identificationItem{{
		Alternatives: []identifiedLanguage{heard, {Language: other, Confidence: hundredths((1 - heard.Confidence) / 2)}},
		EndTime:      hundredths(length.Seconds()),
	}}}
}
