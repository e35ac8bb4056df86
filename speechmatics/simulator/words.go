// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// word is a spoken word or a punctuation mark, with its time.
type word struct {
	content    string
	mark       bool // punctuation; it is attached to the word before
	sentence   bool // it ends a sentence
	start, end float64
	speaker    string // S1, S2, …
	channel    string // empty without channel diarization
}

const (
	// sentenceMarks end a sentence, and all marks are their own results.
	sentenceMarks = ".?!。？！"
	allMarks      = sentenceMarks + ",;:…、，"
	// The weights of silence, in letters.
	sentencePause = 6
	otherPause    = 2
)

// timedWords spreads a script over the length of the media: a word takes time by its letters, and
// marks by the pause that they stand for. All of it is determined by the script and the length.
func timedWords(script []turn, length time.Duration, permitted map[string]bool) []word {
	var words []word
	var weights []float64
	for _, t := range script {
		for _, written := range t.words {
			spoken, marks := splitMarks(written)
			if spoken != "" {
				words = append(words, word{content: spoken, speaker: t.speaker})
				weights = append(weights, float64(utf8.RuneCountInString(spoken)+1))
			}
			for _, mark := range marks {
				m := word{content: mark, mark: true, sentence: strings.Contains(sentenceMarks, mark), speaker: t.speaker}
				words = append(words, m)
				weights = append(weights, pauseOf(m))
			}
		}
	}
	place(words, weights, length)
	return slices.DeleteFunc(words, func(w word) bool { return w.mark && permitted != nil && !permitted[w.content] })
}

func pauseOf(m word) float64 {
	if m.sentence {
		return sentencePause
	}
	return otherPause
}

// splitMarks takes the marks off the end of a written word.
func splitMarks(written string) (spoken string, marks []string) {
	spoken = strings.TrimRight(written, allMarks)
	for _, mark := range written[len(spoken):] {
		marks = append(marks, string(mark))
	}
	return spoken, marks
}

// place gives every word its time. A mark has no length: its weight is the silence after it.
func place(words []word, weights []float64, length time.Duration) {
	var total float64
	for _, weight := range weights {
		total += weight
	}
	var at float64
	for i := range words {
		words[i].start = hundredths(at / total * length.Seconds())
		if !words[i].mark {
			at += weights[i]
		}
		words[i].end = hundredths(at / total * length.Seconds())
		if words[i].mark {
			at += weights[i]
		}
	}
}

// hundredths cuts a time to the precision of transcripts.
func hundredths(seconds float64) float64 { return math.Floor(seconds*100) / 100 }

// confidence is a plausible number, and the same one for the same word.
func (w word) confidence() float64 {
	var sum uint32
	for _, b := range []byte(w.content) {
		sum = sum*31 + uint32(b)
	}
	return 1 - float64(sum%8)/100
}

// assignChannels puts speakers on the channels of the media, in turn.
func assignChannels(words []word, labels []string, channels int) {
	for i := range words {
		n, err := strconv.Atoi(words[i].speaker[1:])
		if err != nil || n < 1 {
			n = 1
		}
		words[i].channel = channelLabel(labels, (n-1)%max(channels, 1))
	}
}

// channelLabel is the label of a channel, counted from 0.
func channelLabel(labels []string, channel int) string {
	if channel < len(labels) {
		return labels[channel]
	}
	return "channel_" + strconv.Itoa(channel+1)
}
