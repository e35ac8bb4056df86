// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bufio"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// writeText writes format txt: with diarization every turn has a line that names the speaker (or, by
// analogy, the channel) before it. Errors stay in the writer until it is flushed.
func (t *transcript) writeText(w *bufio.Writer) {
	who, first := "", true
	join := joiner{delimiter: t.pack.delimiter()}
	for word := range t.words() {
		if label := t.turnOf(word); label != "" && (first || label != who) {
			if !first {
				_, _ = w.WriteString("\n")
			}
			_, _ = w.WriteString(label + "\n")
			who = label
			join = joiner{delimiter: t.pack.delimiter()}
		}
		first = false
		_, _ = w.WriteString(join.before(word) + word.content)
	}
	if !first {
		_, _ = w.WriteString("\n")
	}
}

// turnOf is the line before a turn; empty is no such line.
func (t *transcript) turnOf(w word) string {
	switch {
	case t.config.diarization == diarizationSpeaker:
		return "SPEAKER: " + w.speaker
	case t.config.diarization != diarizationChannel || t.behaviour.TextChannels == TextChannelsNone:
		return ""
	case t.behaviour.TextChannels == TextChannelsOwn:
		return "CHANNEL: " + w.channel
	}
	return "SPEAKER: " + w.channel
}

// cue is a caption: what is shown for a time.
type cue struct {
	start, end float64
	who        string
	lines      []string
}

// writeSRT writes format srt: a caption ends with a sentence, or when its lines are full.
func (t *transcript) writeSRT(w *bufio.Writer) {
	n := 0
	for c := range t.cues() {
		n++
		if n > 1 {
			_, _ = w.WriteString("\n")
		}
		_, _ = fmt.Fprintf(w, "%d\n%s --> %s\n%s\n", n, srtTime(c.start), srtTime(c.end), strings.Join(c.lines, "\n"))
	}
}

func (t *transcript) cues() iter.Seq[cue] {
	return func(yield func(cue) bool) {
		var current cue
		full := true // nothing more fits into the current caption
		for k := range t.tokens() {
			full = full || current.who != k.who || !current.fit(k.text, t.pack.delimiter(), t.config.srtLine, t.config.srtLines)
			if full {
				if current.lines != nil && !yield(current) {
					return
				}
				current = newCue(k)
			}
			current.end, full = k.end, k.sentence
		}
		if current.lines != nil {
			yield(current)
		}
	}
}

// newCue begins a caption with a token, and with the speaker where captions name speakers.
func newCue(k token) cue {
	c := cue{start: k.start, who: k.who, lines: []string{k.text}}
	if k.who != "" {
		c.lines[0] = k.who + ": " + k.text
	}
	return c
}

// token is a word and the marks that stay with it.
type token struct {
	text, who  string
	start, end float64
	sentence   bool
}

// tokens are the words, each with its marks.
func (t *transcript) tokens() iter.Seq[token] {
	return func(yield func(token) bool) {
		var current token
		begun, open := false, false
		for w := range t.words() {
			if begun && !open && w.attaches != attachesPrevious {
				if !yield(current) {
					return
				}
				begun = false
			}
			if !begun {
				current, begun = token{start: w.start}, true
				if t.behaviour.SRTSpeakers {
					current.who, _, _ = strings.Cut(strings.TrimPrefix(t.turnOf(w), "SPEAKER: "), "\n")
				}
			}
			current.text += w.content
			current.end, current.sentence = w.end, w.sentence
			open = w.attaches == attachesNext
		}
		if begun {
			yield(current)
		}
	}
}

// fit adds a token to the last line or to a new one, and reports whether there was room.
func (c *cue) fit(token, delimiter string, length, lines int) bool {
	last := &c.lines[len(c.lines)-1]
	joined := *last + delimiter + token
	if utf8.RuneCountInString(joined) <= length {
		*last = joined
		return true
	}
	if len(c.lines) >= lines {
		return false
	}
	c.lines = append(c.lines, token)
	return true
}

// srtTime is hours:minutes:seconds,milliseconds.
func srtTime(seconds float64) string {
	ms := int64(seconds*1000 + 0.5)
	return fmt.Sprintf("%02d:%02d:%02d,%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
