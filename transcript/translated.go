// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// translated gives the words of a translation. The document has times for its sentences only; they are shared out.
func (src *source) translated(channel string, emit func(word) error) error {
	a := &assembler{} // for its times
	var last rune
	rtl := rightToLeftLanguages[src.language]
	each := func(sent *sentence) error {
		text := clean(sent.Content)
		if sent.Channel != channel || text == "" {
			return nil
		}
		w := word{text: text, rtl: rtl, mark: sentenceMark, voice: voice{speaker: speakerName(sent.Speaker), channel: sent.Channel}}
		w.start, w.end = a.times(sent.Start, sent.End)
		first, _ := utf8.DecodeRuneInString(text)
		if last != 0 {
			w.delimiter = gap(last, first)
		}
		last, _ = utf8.DecodeLastRuneInString(text)
		for piece := range share(w, lineSegments) {
			if piece.mark == noMark {
				piece.mark = markOf(piece.text)
			}
			if err := emit(piece); err != nil {
				return err
			}
		}
		return nil
	}
	return src.walk(visitor{translation: func(language string) (func(*sentence) error, error) {
		if language != src.language {
			return nil, nil
		}
		return each, nil
	}})
}

// lineSegments divides a text wherever Unicode's line breaking algorithm (UAX #14) allows a line to end, into pieces and what
// stands before each of them. It knows the scripts without spaces, and which marks must not begin a line.
func lineSegments(text string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		delimiter := ""
		for rest, state := text, -1; rest != ""; {
			var segment string
			segment, rest, _, state = uniseg.FirstLineSegmentInString(rest, state)
			piece := strings.TrimRight(segment, " ")
			if !yield(delimiter, piece) {
				return
			}
			delimiter = segment[len(piece):]
		}
	}
}

// markOf says what a word inside a sentence ends, by its last character. A full stop there is that of an abbreviation or of a
// date: "am 17. Januar".
func markOf(text string) mark {
	last, _ := utf8.DecodeLastRuneInString(text)
	switch {
	case last == '.':
		return noMark
	case endsSentence(string(last)):
		return sentenceMark
	case strings.ContainsRune(",;:，、；：،؛", last):
		return clauseMark
	default:
		return noMark
	}
}
