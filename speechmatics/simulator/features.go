// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Feature is something that is made of a recording beside the transcript.
type Feature string

// The features that can fail, see FaultFeature.
const (
	FeatureTranslation            Feature = "translation"
	FeatureSummarization          Feature = "summarization"
	FeatureSentimentAnalysis      Feature = "sentiment_analysis"
	FeatureTopicDetection         Feature = "topic_detection"
	FeatureAutoChapters           Feature = "auto_chapters"
	FeatureLanguageIdentification Feature = "language_identification"
)

var allFeatures = []Feature{
	FeatureTranslation, FeatureSummarization, FeatureSentimentAnalysis, FeatureTopicDetection, FeatureAutoChapters,
	FeatureLanguageIdentification,
}

// The types of errors of features; one that failed is <feature>_failed.
const (
	errorLanguage = "unsupported_language"
	errorPair     = "unsupported_translation_pair"
	errorTopics   = "unsupported_list_of_topics"
)

// featureProblem is why a document lacks a feature, as its metadata tell.
type featureProblem struct {
	Message string `json:"message"`
	Type    string `json:"type"`
}

// featureFailure is a feature that fails on order.
type featureFailure struct {
	feature  Feature
	language string // of a translation; empty is every one
	message  string
}

// problems are the members of metadata for all that is missing.
func (t *transcript) problems() map[string][]featureProblem {
	found := map[string][]featureProblem{}
	add := func(feature Feature, asked bool, problem *featureProblem) {
		if asked && problem != nil {
			member := string(feature) + "_errors"
			found[member] = append(found[member], *problem)
		}
	}
	for _, target := range t.config.translations {
		add(FeatureTranslation, true, t.translationProblem(target))
	}
	add(FeatureSummarization, t.config.summary != nil, t.summaryProblem())
	add(FeatureSentimentAnalysis, t.config.sentiment, t.sentimentProblem())
	add(FeatureTopicDetection, t.config.topics != nil, t.topicsProblem())
	add(FeatureAutoChapters, t.config.chapters, t.chapterProblem())
	return found
}

// failed is a failure on order.
func (t *transcript) failed(feature Feature, language string) *featureProblem {
	for _, f := range t.failures {
		if f.feature == feature && (f.language == "" || f.language == language) {
			return &featureProblem{Type: string(feature) + "_failed", Message: cmp.Or(f.message, "Failed to process "+string(feature))}
		}
	}
	return nil
}

// inLanguages is the problem of a feature which knows some languages only.
func (t *transcript) inLanguages(feature Feature, supported bool) *featureProblem {
	if !supported {
		return &featureProblem{Type: errorLanguage, Message: fmt.Sprintf("Language '%s' is not supported for %s", t.language, feature)}
	}
	return t.failed(feature, "")
}

func (t *transcript) translationProblem(target string) *featureProblem {
	if !translatable(t.language, target) {
		return &featureProblem{Type: errorPair, Message: unsupportedPair(t.language, target)}
	}
	return t.failed(FeatureTranslation, target)
}

func unsupportedPair(from, to string) string {
	return fmt.Sprintf("Translation from '%s' to '%s' is not supported", from, to)
}

func (t *transcript) summaryProblem() *featureProblem {
	return t.inLanguages(FeatureSummarization, !slices.Contains(notSummarised, t.language))
}

func (t *transcript) sentimentProblem() *featureProblem {
	return t.inLanguages(FeatureSentimentAnalysis, t.language == languageDefault)
}

func (t *transcript) topicsProblem() *featureProblem {
	if problem := t.inLanguages(FeatureTopicDetection, t.language == languageDefault); problem != nil {
		return problem
	}
	if t.config.topics != nil && len(t.config.topics.wanted) > maxTopics {
		return &featureProblem{Type: errorTopics, Message: fmt.Sprintf("The list of topics must have at most %d items", maxTopics)}
	}
	return nil
}

// minChaptered is the shortest recording that is divided into chapters.
const minChaptered = 10 * time.Minute

func (t *transcript) chapterProblem() *featureProblem {
	if problem := t.inLanguages(FeatureAutoChapters, !slices.Contains(notSummarised, t.language)); problem != nil {
		return problem
	}
	if t.length < minChaptered {
		return &featureProblem{Type: string(FeatureAutoChapters) + "_failed", Message: "The audio is too short for chapters"}
	}
	return nil
}

// translated is a sentence in another language.
type translatedSentence struct {
	Channel   string  `json:"channel,omitempty"`
	Content   string  `json:"content"`
	EndTime   float64 `json:"end_time"`
	Speaker   string  `json:"speaker,omitempty"`
	StartTime float64 `json:"start_time"`
}

// writeTranslations writes each translation that there is: the sentences, with the language before them.
func (t *transcript) writeTranslations(d *documentWriter) {
	d.name("translations")
	d.open("{")
	for _, target := range slices.Compact(slices.Sorted(slices.Values(t.config.translations))) {
		if t.translationProblem(target) == nil {
			list(d, target, t.translation(target))
		}
	}
	d.close("}")
}

func (t *transcript) translation(target string) iter.Seq[translatedSentence] {
	return func(yield func(translatedSentence) bool) {
		for s := range t.sentences() {
			if !yield(translatedSentence{
				StartTime: s.start, EndTime: s.end, Content: "[" + target + "] " + s.text, Speaker: s.speaker, Channel: s.channel,
			}) {
				return
			}
		}
	}
}

const (
	// briefSentences and detailedSentences are the lengths of summaries.
	briefSentences    = 2
	detailedSentences = 6
)

// summary is the first sentences, in the layout that was asked for.
func (t *transcript) summary() string {
	wanted, most := t.config.summary, briefSentences
	if wanted.length == summaryDetailed {
		most = detailedSentences
	}
	var sentences []string
	speakers := map[string]bool{}
	for s := range t.sentences() {
		if len(sentences) < most {
			sentences = append(sentences, s.text)
		}
		speakers[s.speaker] = true
	}
	conversational := wanted.contentType == summaryConversational || wanted.contentType == summaryAuto && len(speakers) > 1
	if wanted.length == summaryBrief {
		return layOut(sentences, wanted.kind)
	}
	if conversational {
		return "Key Topics:\n" + layOut(sentences[:min(len(sentences), briefSentences)], summaryBullets) +
			"\n\nDiscussion:\n" + layOut(sentences, wanted.kind)
	}
	return "Section 1:\n" + layOut(sentences, wanted.kind)
}

func layOut(sentences []string, kind string) string {
	if kind == summaryParagraphs || len(sentences) == 0 {
		return strings.Join(sentences, " ")
	}
	return "- " + strings.Join(sentences, "\n- ")
}

// chapter is a part of a long recording.
type chapter struct {
	EndTime   float64 `json:"end_time"`
	StartTime float64 `json:"start_time"`
	Summary   string  `json:"summary"`
	Title     string  `json:"title"`
}

// chapterLength is the length of a chapter, before its last sentence is finished.
const chapterLength = 5 * time.Minute

func (t *transcript) chapters() iter.Seq[chapter] {
	return func(yield func(chapter) bool) {
		n := 0
		var current *chapter
		for s := range t.sentences() {
			if current != nil && s.start-current.StartTime >= chapterLength.Seconds() {
				if !yield(*current) {
					return
				}
				current = nil
			}
			if current == nil {
				n++
				current = &chapter{StartTime: s.start, Title: fmt.Sprintf("Chapter %d", n), Summary: s.text}
			}
			current.EndTime = s.end
		}
		if current != nil {
			yield(*current)
		}
	}
}

// defaultTopics are those that are looked for where the configuration names none.
var defaultTopics = []string{
	"Business & Finance", "Education", "Entertainment", "Events & Attractions", "Food & Drink", "News & Politics", "Science", "Sports",
	"Technology & Computing", "Travel",
}

type (
	topicSegment struct {
		EndTime   float64 `json:"end_time"`
		StartTime float64 `json:"start_time"`
		Text      string  `json:"text"`
		Topics    []topic `json:"topics"`
	}
	topic struct {
		Topic string `json:"topic"`
	}
)

// topicOf is a sentence's topic: one that it names, or any, the same for the same text.
func (t *transcript) topicOf(text string) string {
	wanted := t.config.topics.wanted
	if len(wanted) == 0 {
		wanted = defaultTopics
	}
	for _, candidate := range wanted {
		if strings.Contains(strings.ToLower(text), strings.ToLower(candidate)) {
			return candidate
		}
	}
	return wanted[int(hash(text)%uint32(len(wanted)))] //nolint:gosec // ten at most
}

func (t *transcript) writeTopics(d *documentWriter) {
	counts := map[string]int{}
	d.name("topics")
	d.open("{")
	list(d, "segments", func(yield func(topicSegment) bool) {
		for s := range t.sentences() {
			found := t.topicOf(s.text)
			counts[found]++
			if !yield(topicSegment{StartTime: s.start, EndTime: s.end, Text: s.text, Topics: []topic{{found}}}) {
				return
			}
		}
	})
	d.member("summary", map[string]any{"overall": counts})
	d.close("}")
}
