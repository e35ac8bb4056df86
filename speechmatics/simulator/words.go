// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// word is a spoken word or a punctuation mark, with its time.
type word struct {
	content    string
	attaches   string // what a mark is attached to; empty is a word
	sentence   bool   // it ends a sentence
	start, end float64
	speaker    string // S1, S2, …, or the label of an enrolled voice
	channel    string // empty without channel diarization
	language   string
	tag        string // disfluency or profanity
	volume     float64
}

// What a mark is attached to.
const (
	attachesPrevious = "previous"
	attachesNext     = "next"
)

const (
	tagDisfluency = "disfluency"
	tagProfanity  = "profanity"
)

const (
	// sentenceMarks end a sentence, openingMarks begin one, and all marks are their own results.
	sentenceMarks = ".?!。？！؟।"
	closingMarks  = sentenceMarks + ",;:…、，،"
	openingMarks  = "¿¡"
	// The weights of silence, in letters.
	sentencePause = 6
	otherPause    = 2
)

var (
	disfluencies = strings.Fields("um uh er erm hmm mm äh ähm euh えー")
	profanities  = strings.Fields("damn bloody crap joder merda")
)

// isMark says whether it is punctuation.
func (w word) isMark() bool { return w.attaches != "" }

// words are the words of the recording, spread over its length: a word takes time by its letters, and a
// mark by the pause that it stands for. All of it is determined by the script, the length and the
// configuration. No list of them is kept, however long the recording is.
func (t *transcript) words() iter.Seq[word] {
	return func(yield func(word) bool) {
		var passed float64
		at := func() float64 { return hundredths(passed / t.weight * t.length.Seconds()) }
		for w := range t.untimed() {
			w.start = at()
			weight := w.weight()
			// A mark has no length: its weight is the silence after it.
			if !w.isMark() {
				passed += weight
			}
			w.end = at()
			if w.isMark() {
				passed += weight
			}
			if t.keeps(&w) && !yield(w) {
				return
			}
		}
	}
}

// weigh returns the sum of all weights, which words needs to know.
func (t *transcript) weigh() float64 {
	var sum float64
	for w := range t.untimed() {
		sum += w.weight()
	}
	return sum
}

func (w word) weight() float64 {
	switch {
	case !w.isMark():
		return float64(utf8.RuneCountInString(w.content) + 1)
	case w.sentence:
		return sentencePause
	case w.attaches == attachesNext:
		return 0
	}
	return otherPause
}

// untimed takes the marks off the written words.
func (t *transcript) untimed() iter.Seq[word] {
	return func(yield func(word) bool) {
		for speaker, written := range t.script.spoken(t.length, t.pack) {
			before, spoken, after := splitMarks(written)
			for _, mark := range before {
				if !yield(word{content: string(mark), attaches: attachesNext, speaker: speaker}) {
					return
				}
			}
			if spoken != "" && !yield(word{content: spoken, speaker: speaker}) {
				return
			}
			for _, mark := range after {
				sentence := strings.ContainsRune(sentenceMarks, mark)
				if !yield(word{content: string(mark), attaches: attachesPrevious, sentence: sentence, speaker: speaker}) {
					return
				}
			}
		}
	}
}

// splitMarks takes the marks off the ends of a written word.
func splitMarks(written string) (before, spoken, after string) {
	spoken = strings.TrimLeft(written, openingMarks)
	before = written[:len(written)-len(spoken)]
	marked := spoken
	spoken = strings.TrimRight(marked, closingMarks)
	return before, spoken, marked[len(spoken):]
}

// keeps completes a word, and says whether the configuration lets it into the transcript.
func (t *transcript) keeps(w *word) bool {
	w.language = t.languageOf(w.content)
	if t.config.diarization == diarizationChannel {
		w.channel = t.channelOf(w.speaker)
	}
	w.speaker = t.labelOf(w.speaker)
	if w.isMark() {
		return t.config.permittedMarks == nil || t.config.permittedMarks[w.content]
	}
	w.volume = volumeOf(w.content)
	w.tag = t.tagOf(w.content)
	if w.tag == tagDisfluency && t.config.removeDisfluencies {
		return false
	}
	if t.config.volume && w.volume < t.config.volumeThreshold {
		return false
	}
	w.content = t.config.replaced(w.content)
	return w.content != ""
}

// languageOf is the language of a word: the recording's, or what its script says where there are several.
func (t *transcript) languageOf(content string) string {
	if t.language == languageMulti {
		return languageByScript(content)
	}
	return t.language
}

// tagOf is the tag of a word, in the languages that have it. melia-1 has no profanity tags.
func (t *transcript) tagOf(content string) string {
	content = strings.ToLower(content)
	switch {
	case slices.Contains(withDisfluencies, t.language) && slices.Contains(disfluencies, content):
		return tagDisfluency
	case slices.Contains(withProfanityTags, t.language) && slices.Contains(profanities, content):
		return tagProfanity
	}
	return ""
}

// labelOf is how a speaker is named: by the label of an enrolled voice, a number, or not at all.
func (t *transcript) labelOf(speaker string) string {
	if t.config.diarization != diarizationSpeaker {
		return unknownSpeaker
	}
	label, known := t.labels[speaker]
	if !known {
		label = speaker
		identifier := t.identifierOf(speaker)
		if i := slices.IndexFunc(t.config.enrolled, func(e enrolledSpeaker) bool { return slices.Contains(e.identifiers, identifier) }); i >= 0 {
			label = t.config.enrolled[i].label
		}
		t.labels[speaker] = label
	}
	return label
}

// channelOf puts speakers on the channels of the media, in turn.
func (t *transcript) channelOf(speaker string) string {
	n, err := strconv.Atoi(speaker[1:])
	if err != nil || n < 1 {
		n = 1
	}
	return t.channelLabel((n - 1) % max(t.channels, 1))
}

// channelLabel is the label of a channel, counted from 0.
func (t *transcript) channelLabel(channel int) string {
	if channel < len(t.config.channelLabels) {
		return t.config.channelLabels[channel]
	}
	if t.behaviour.ChannelLabels == ChannelLabelsSpaced {
		return "Channel " + strconv.Itoa(channel+1)
	}
	return "channel_" + strconv.Itoa(channel+1)
}

// hundredths cuts a time to the precision of transcripts.
func hundredths(seconds float64) float64 { return math.Floor(seconds*100) / 100 }

// hash is a plausible number's source: the same one for the same text.
func hash(text string) uint32 {
	var sum uint32
	for _, b := range []byte(text) {
		sum = sum*31 + uint32(b)
	}
	return sum
}

// confidence is how sure the service is of a word; melia-1 does not tell.
func (t *transcript) confidence(content string) float64 {
	if t.config.model == melia {
		return 1
	}
	return 1 - float64(hash(content)%8)/100
}

// volumeOf is how loud a word is, between 40 and 99.
func volumeOf(content string) float64 { return 40 + float64(hash(content)%600)/10 }

// joiner puts words together as text.
type joiner struct {
	delimiter string
	begun     bool
	// open is a mark before, to which the next word is attached.
	open bool
}

// before is what stands between a word and the one before it.
func (j *joiner) before(w word) string {
	apart := j.begun && !j.open && w.attaches != attachesPrevious
	j.begun, j.open = true, w.attaches == attachesNext
	if apart {
		return j.delimiter
	}
	return ""
}

// sentence is a run of words of one speaker, up to the end of a sentence.
type sentence struct {
	text             string
	start, end       float64
	speaker, channel string
}

// maxSentence bounds the words of a sentence, where nobody ends it.
const maxSentence = 60

// sentences puts the words together.
func (t *transcript) sentences() iter.Seq[sentence] {
	return func(yield func(sentence) bool) {
		var text strings.Builder
		var current sentence
		var join joiner
		n := 0
		flush := func() bool {
			if n == 0 {
				return true
			}
			current.text = text.String()
			text.Reset()
			n = 0
			return yield(current)
		}
		for w := range t.words() {
			if n > 0 && (w.speaker != current.speaker || w.channel != current.channel || n >= maxSentence && !w.isMark()) && !flush() {
				return
			}
			if n == 0 {
				current = sentence{start: w.start, speaker: w.speaker, channel: w.channel}
				join = joiner{delimiter: t.pack.delimiter()}
			}
			text.WriteString(join.before(w) + w.content)
			current.end = w.end
			n++
			if w.sentence && !flush() {
				return
			}
		}
		flush()
	}
}
