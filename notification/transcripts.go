// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"slices"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// LanguageAuto is the language of a job that has its language identified.
const LanguageAuto = "auto"

// Transcript is a transcript of an attempt.
type Transcript struct {
	// Format of the transcript.
	Format v1alpha1.TranscriptFormat
	// Language is the language that it was translated to; empty for the one that was spoken.
	Language string
}

// Formats are the formats that a job asks for. The API server fills in the default; an object from before may lack it.
func Formats(spec *v1alpha1.TranscriptionJobSpec) []v1alpha1.TranscriptFormat {
	if len(spec.Transcripts.Formats) == 0 {
		return []v1alpha1.TranscriptFormat{v1alpha1.FormatText}
	}
	return spec.Transcripts.Formats
}

// Sources are the formats that are asked of the provider for a job: those that are stored as they come, and json-v2 if the job needs the
// document.
func Sources(spec *v1alpha1.TranscriptionJobSpec) []v1alpha1.TranscriptFormat {
	var sources []v1alpha1.TranscriptFormat
	for _, format := range Formats(spec) {
		if format != v1alpha1.FormatVTT && !slices.Contains(sources, format) {
			sources = append(sources, format)
		}
	}
	if NeedsDocument(spec) && !slices.Contains(sources, v1alpha1.FormatJSONv2) {
		sources = append(sources, v1alpha1.FormatJSONv2)
	}
	return sources
}

// NeedsDocument says whether a job needs the json-v2 document: to store it, to render transcripts from it, or for facts that only
// the document tells: the language that was identified, how many speakers there are, and which features failed. What an option that is not
// known here does, the document tells as well.
func NeedsDocument(spec *v1alpha1.TranscriptionJobSpec) bool {
	formats, diarization := Formats(spec), spec.Transcription.Diarization
	return slices.Contains(formats, v1alpha1.FormatJSONv2) || slices.Contains(formats, v1alpha1.FormatVTT) ||
		spec.Translation != nil || spec.LanguageIdentification != nil || spec.Summarization != nil || spec.SentimentAnalysis != nil ||
		spec.TopicDetection != nil || spec.AutoChapters != nil || spec.AudioEvents != nil ||
		spec.ProviderConfig != nil ||
		spec.Transcription.Language == LanguageAuto ||
		(diarization != nil && *diarization == v1alpha1.DiarizationSpeaker)
}

// TargetLanguages are the languages that a job has its transcript translated to.
func TargetLanguages(spec *v1alpha1.TranscriptionJobSpec) []string {
	if spec.Translation == nil {
		return nil
	}
	return spec.Translation.TargetLanguages
}

// Renderings are the transcripts of a job that are made here, from a document with the given translations: vtt, and txt, srt and vtt in
// each of these languages that the job asks for.
func Renderings(spec *v1alpha1.TranscriptionJobSpec, translations []string) []Transcript {
	var renderings []Transcript
	if slices.Contains(Formats(spec), v1alpha1.FormatVTT) {
		renderings = append(renderings, Transcript{Format: v1alpha1.FormatVTT})
	}
	for _, language := range TargetLanguages(spec) {
		if !slices.Contains(translations, language) {
			continue
		}
		for _, format := range Formats(spec) {
			if format != v1alpha1.FormatJSONv2 {
				renderings = append(renderings, Transcript{Format: format, Language: language})
			}
		}
	}
	return renderings
}

// Transcripts are all transcripts that a job has in the end if none of its translations fails.
func Transcripts(spec *v1alpha1.TranscriptionJobSpec) []Transcript {
	var all []Transcript
	for _, format := range Formats(spec) {
		if format != v1alpha1.FormatVTT {
			all = append(all, Transcript{Format: format})
		}
	}
	return append(all, Renderings(spec, TargetLanguages(spec))...)
}
