// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"io"
	"iter"
	"time"
)

// maxPassage bounds, in words, what is held of a sentence that does not end.
const maxPassage = 500

// WriteText renders a document as a text to read, one line for each turn of a speaker. As in the provider's own format txt,
// a line "SPEAKER: S1" stands above a turn if speakers are known; where channels are, they have the speaker's place.
//
// Lines are not wrapped, and the options for captions do not matter. Otherwise it is like [WriteVTT].
func WriteText(w io.Writer, document io.ReadSeeker, o Options) error {
	src, err := open(document, o.Language)
	if err != nil {
		return err
	}
	channels := make([]iter.Seq2[[]word, error], len(src.channels))
	for i, channel := range src.channels {
		channels[i] = passages(src.words(channel))
	}
	out := &textWriter{output: newOutput(w)}
	for p, err := range merge(channels, func(p []word) time.Duration { return p[0].start }) {
		if err != nil {
			return err
		}
		out.passage(p)
	}
	return out.end()
}

// passages divides words into sentences, or what a pause or another speaker makes of them.
func passages(words iter.Seq2[word, error]) iter.Seq2[[]word, error] {
	return func(yield func([]word, error) bool) {
		var p []word
		for w, err := range words {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(p) > 0 && passageEnds(p, w) {
				if !yield(p, nil) {
					return
				}
				p = nil
			}
			p = append(p, w)
		}
		if len(p) > 0 {
			yield(p, nil)
		}
	}
}

func passageEnds(p []word, next word) bool {
	last := p[len(p)-1]
	return last.mark == sentenceMark || next.voice != last.voice || next.start-last.end >= pause || len(p) == maxPassage
}

// textWriter writes passages as turns.
type textWriter struct {
	output
	begun bool
	voice voice
	named bool // a speaker was named, so that one without a name must be told apart
}

func (t *textWriter) passage(words []word) {
	if v := words[0].voice; !t.begun || v != t.voice {
		t.turn(v)
		words[0].delimiter = ""
	}
	for _, w := range words {
		t.print(w.delimiter, w.text)
	}
}

// turn begins the turn of a voice.
func (t *textWriter) turn(v voice) {
	if t.begun {
		t.print("\n")
	}
	switch name := v.name(); {
	case name != "":
		t.print("SPEAKER: ", name, "\n")
		t.named = true
	case t.named:
		t.print("SPEAKER: ", unknownSpeaker, "\n")
	}
	t.begun, t.voice = true, v
}

func (t *textWriter) end() error {
	if t.begun {
		t.print("\n")
	}
	return t.flush()
}
