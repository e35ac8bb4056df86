// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"maps"
	"slices"
	"strings"
)

const (
	positive = "positive"
	neutral  = "neutral"
	negative = "negative"
)

var (
	positiveWords = strings.Fields("good great thanks thank happy glad fine love perfect excellent welcome delighted nice")
	negativeWords = strings.Fields("bad wrong sorry problem late fail failed broken hate terrible angry sad lost unfortunately")
)

// sentimentOf judges a sentence by its words.
func sentimentOf(text string) string {
	score := 0
	for w := range strings.FieldsSeq(strings.ToLower(text)) {
		w = strings.Trim(w, closingMarks)
		if slices.Contains(positiveWords, w) {
			score++
		}
		if slices.Contains(negativeWords, w) {
			score--
		}
	}
	switch {
	case score > 0:
		return positive
	case score < 0:
		return negative
	}
	return neutral
}

type sentimentSegment struct {
	Channel    string  `json:"channel,omitempty"`
	Confidence float64 `json:"confidence"`
	EndTime    float64 `json:"end_time"`
	Sentiment  string  `json:"sentiment"`
	Speaker    string  `json:"speaker,omitempty"`
	StartTime  float64 `json:"start_time"`
	Text       string  `json:"text"`
}

// sentimentCounts counts sentiments, of all or of one speaker or channel.
type sentimentCounts struct {
	Channel  string `json:"channel,omitempty"`
	Negative int    `json:"negative_count"`
	Neutral  int    `json:"neutral_count"`
	Positive int    `json:"positive_count"`
	Speaker  string `json:"speaker,omitempty"`
}

func (c *sentimentCounts) add(sentiment string) {
	switch sentiment {
	case positive:
		c.Positive++
	case negative:
		c.Negative++
	default:
		c.Neutral++
	}
}

// sentimentSummary is what the segments come to.
type sentimentSummary struct {
	overall            sentimentCounts
	speakers, channels map[string]*sentimentCounts
}

func (s *sentimentSummary) add(segment sentimentSegment) {
	s.overall.add(segment.Sentiment)
	if segment.Speaker != "" {
		if s.speakers[segment.Speaker] == nil {
			s.speakers[segment.Speaker] = &sentimentCounts{Speaker: segment.Speaker}
		}
		s.speakers[segment.Speaker].add(segment.Sentiment)
	}
	if segment.Channel != "" {
		if s.channels[segment.Channel] == nil {
			s.channels[segment.Channel] = &sentimentCounts{Channel: segment.Channel}
		}
		s.channels[segment.Channel].add(segment.Sentiment)
	}
}

func (s *sentimentSummary) document() map[string]any {
	sorted := func(counts map[string]*sentimentCounts) []*sentimentCounts {
		all := []*sentimentCounts{}
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			all = append(all, counts[name])
		}
		return all
	}
	return map[string]any{"overall": &s.overall, "speakers": sorted(s.speakers), "channels": sorted(s.channels)}
}

// writeSentiment writes the sentiment of each sentence and what they come to, in one of two layouts.
func (t *transcript) writeSentiment(d *documentWriter) {
	summary := sentimentSummary{speakers: map[string]*sentimentCounts{}, channels: map[string]*sentimentCounts{}}
	d.name("sentiment_analysis")
	d.open("{")
	nested := t.behaviour.Sentiment == SentimentNested
	if nested {
		d.name("sentiment_analysis")
		d.open("{")
	}
	list(d, "segments", func(yield func(sentimentSegment) bool) {
		for s := range t.sentences() {
			segment := sentimentSegment{
				Channel: s.channel, Confidence: t.confidence(s.text), EndTime: s.end, Sentiment: sentimentOf(s.text), StartTime: s.start,
				Text: s.text,
			}
			if t.config.diarization == diarizationSpeaker {
				segment.Speaker = s.speaker
			}
			summary.add(segment)
			if !yield(segment) {
				return
			}
		}
	})
	d.member("summary", summary.document())
	if nested {
		d.close("}")
	}
	d.close("}")
}
