// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
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
		for _, piece := range divide(w) {
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

// divide makes words of a sentence, wherever Unicode's line breaking algorithm (UAX #14) allows a line to end. It knows the
// scripts without spaces, and which marks must not begin a line.
func divide(w word) []word {
	var texts, delimiters []string
	delimiter := w.delimiter
	for rest, state := w.text, -1; rest != ""; {
		var segment string
		segment, rest, _, state = uniseg.FirstLineSegmentInString(rest, state)
		text := strings.TrimRight(segment, " ")
		texts = append(texts, text)
		delimiters = append(delimiters, delimiter)
		delimiter = segment[len(text):]
	}
	pieces := share(w, texts)
	for i := range pieces {
		p := &pieces[i]
		p.delimiter = delimiters[i]
		if i < len(pieces)-1 {
			p.mark = markOf(p.text)
		}
	}
	return pieces
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
