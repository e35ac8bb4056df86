// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// The provider switches a feature on by the presence of its object, even an empty one. So each of these returns nil for nil, and
// something else for anything else.

func translationConfig(spec *v1alpha1.TranslationConfig) *speechmatics.TranslationConfig {
	if spec == nil {
		return nil
	}
	return &speechmatics.TranslationConfig{TargetLanguages: spec.TargetLanguages}
}

func languageIdentificationConfig(spec *v1alpha1.LanguageIdentificationConfig) *speechmatics.LanguageIdentificationConfig {
	if spec == nil {
		return nil
	}
	return &speechmatics.LanguageIdentificationConfig{
		ExpectedLanguages:   spec.ExpectedLanguages,
		LowConfidenceAction: string(valueOf(spec.LowConfidenceAction)),
		DefaultLanguage:     valueOf(spec.DefaultLanguage),
	}
}

func summarizationConfig(spec *v1alpha1.SummarizationConfig) *speechmatics.SummarizationConfig {
	if spec == nil {
		return nil
	}
	return &speechmatics.SummarizationConfig{
		ContentType:   string(valueOf(spec.ContentType)),
		SummaryLength: string(valueOf(spec.SummaryLength)),
		SummaryType:   string(valueOf(spec.SummaryType)),
	}
}

func sentimentAnalysisConfig(spec *v1alpha1.SentimentAnalysisConfig) *speechmatics.SentimentAnalysisConfig {
	if spec == nil {
		return nil
	}
	return &speechmatics.SentimentAnalysisConfig{}
}

func topicDetectionConfig(spec *v1alpha1.TopicDetectionConfig) *speechmatics.TopicDetectionConfig {
	if spec == nil {
		return nil
	}
	return &speechmatics.TopicDetectionConfig{Topics: spec.Topics}
}

func autoChaptersConfig(spec *v1alpha1.AutoChaptersConfig) *speechmatics.AutoChaptersConfig {
	if spec == nil {
		return nil
	}
	return &speechmatics.AutoChaptersConfig{}
}

func audioEventsConfig(spec *v1alpha1.AudioEventsConfig) *speechmatics.AudioEventsConfig {
	if spec == nil {
		return nil
	}
	return &speechmatics.AudioEventsConfig{Types: spec.Types}
}

func outputConfig(spec *v1alpha1.OutputConfig) *speechmatics.OutputConfig {
	if spec == nil {
		return nil
	}
	output := &speechmatics.OutputConfig{}
	if srt := spec.SRTOverrides; srt != nil {
		output.SRTOverrides = &speechmatics.SRTOverrides{MaxLineLength: toInt(srt.MaxLineLength), MaxLines: toInt(srt.MaxLines)}
	}
	return output
}

// toInt is a number as the client has it.
func toInt(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}
