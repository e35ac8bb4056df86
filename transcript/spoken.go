// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// maxWord bounds, in bytes, a word to which ever more attaches.
const maxWord = 4 << 10

// spoken gives the words as they were spoken.
func (src *source) spoken(channel string, emit func(word) error) error {
	m := &src.survey.metadata
	w := writing{pack: m.pack, language: src.survey.language()}
	a := &assembler{writing: w, joiner: joiner{writing: w}, emit: emit}
	err := src.walk(visitor{result: func(it *item) error {
		if it.Channel != channel {
			return nil
		}
		return a.item(it)
	}})
	if err != nil {
		return err
	}
	return a.flush()
}

// assembler makes words of a channel's results.
type assembler struct {
	writing writing
	joiner  joiner
	emit    func(word) error

	pending *word // to which marks may still attach
	start   time.Duration
	turn    int
}

func (a *assembler) item(it *item) error {
	if it.Type == typeSpeakerChange {
		a.turn++
		return nil
	}
	text, err := it.text(a.writing)
	if err != nil || text == "" {
		return err
	}
	said := it.Alternatives.best()
	attachesTo, mark := it.punctuation(text)
	delimiter, attached := a.joiner.join(text, said.Language, attachesTo)
	w := word{
		text: text, delimiter: delimiter, mark: mark,
		voice: voice{speaker: speakerName(said.Speaker), channel: it.Channel, turn: a.turn},
		rtl:   a.writing.rightToLeft(said.Language),
	}
	w.start, w.end = a.times(it.Start, it.End)
	return a.add(w, attached)
}

// text is what an item contributes to the text. An entity is written once: not both as itself and in its forms.
func (it *item) text(w writing) (string, error) {
	switch it.Type {
	case typeWord, typePunctuation:
		return clean(it.Alternatives.best().Content), nil
	case typeEntity:
		if content := clean(it.Alternatives.best().Content); content != "" {
			return content, nil
		}
		if written, err := joinForms(w, it.WrittenForm); written != "" || err != nil {
			return written, err
		}
		return joinForms(w, it.SpokenForm)
	default:
		return "", nil
	}
}

// joinForms is the text of one of an entity's forms, which may be absent.
func joinForms(w writing, forms json.RawMessage) (string, error) {
	if forms == nil {
		return "", nil
	}
	j := joiner{writing: w}
	var b strings.Builder
	s := newScanner(bytes.NewReader(forms))
	err := s.array("a form of an entity", func() error {
		var f form
		if err := s.decode("a form of an entity", &f); err != nil {
			return err
		}
		said := f.Alternatives.best()
		text := clean(said.Content)
		if text == "" {
			return nil
		}
		it := item{Type: f.Type, AttachesTo: f.AttachesTo}
		attachesTo, _ := it.punctuation(text)
		delimiter, _ := j.join(text, said.Language, attachesTo)
		b.WriteString(delimiter + text)
		return nil
	})
	var format *FormatError
	if errors.As(err, &format) { // its place is one in the forms
		err = boundError(format.What)
	}
	return b.String(), err
}

// punctuation says where a mark attaches and what it ends; of a word it says neither.
func (it *item) punctuation(text string) (attachesTo string, m mark) {
	if it.Type != typePunctuation {
		return "", noMark
	}
	attachesTo = it.AttachesTo
	if attachesTo == "" {
		attachesTo = attachment(text)
	}
	switch {
	case it.IsEOS != nil && *it.IsEOS, it.IsEOS == nil && endsSentence(text):
		return attachesTo, sentenceMark
	case attachesTo == "previous":
		return attachesTo, clauseMark
	default:
		return attachesTo, noMark
	}
}

// speakerName is a speaker's label, or nothing if it says that he is not known.
func speakerName(label string) string {
	if label == unknownSpeaker {
		return ""
	}
	return clean(label)
}

// times are those of an item; the end is not before the start. An item without times happens when the one before started.
func (a *assembler) times(start, end *float64) (time.Duration, time.Duration) {
	if start != nil {
		a.start = seconds(*start)
	}
	if end == nil {
		return a.start, a.start
	}
	return a.start, max(a.start, seconds(*end))
}

// add takes a piece of text, which may have spaces in it, as entities have.
func (a *assembler) add(w word, attached bool) error {
	for piece := range share(w, fields) {
		if err := a.piece(piece, attached); err != nil {
			return err
		}
		attached = false
	}
	return nil
}

// fields divides a text at its spaces, into pieces and what stands before each of them.
func fields(text string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		delimiter := ""
		for piece := range strings.SplitSeq(text, " ") {
			if !yield(delimiter, piece) {
				return
			}
			delimiter = " "
		}
	}
}

func (a *assembler) piece(w word, attached bool) error {
	if attached && a.pending != nil && len(a.pending.text) < maxWord {
		a.attach(w)
		return nil
	}
	if err := a.flush(); err != nil {
		return err
	}
	a.pending = &w
	return nil
}

// attach makes a piece part of the word before. Whose word it is, the first piece says that knows.
func (a *assembler) attach(w word) {
	p := a.pending
	p.text += w.text
	p.end = max(p.end, w.end)
	if w.mark == noMark {
		p.mark = noMark
	} else {
		p.mark = max(p.mark, w.mark)
	}
	if p.voice.speaker == "" {
		p.voice.speaker = w.voice.speaker
	}
}

func (a *assembler) flush() error {
	if a.pending == nil {
		return nil
	}
	w := *a.pending
	a.pending = nil
	return a.emit(w)
}

// share divides a word's text, sharing its time by the lengths of the pieces. What it ends, the last one ends. Pieces are made
// one at a time: a text may be as long as maxValue.
func share(w word, divide func(text string) iter.Seq2[string, string]) iter.Seq[word] {
	return func(yield func(word) bool) {
		total := 0
		for _, text := range divide(w.text) {
			total += characters(text)
		}
		before := 0
		for delimiter, text := range divide(w.text) {
			p := w
			p.text, p.mark = text, noMark
			if before > 0 {
				p.delimiter = delimiter
			}
			p.start = w.start + (w.end-w.start)*time.Duration(before)/time.Duration(total)
			before += characters(text)
			p.end = w.start + (w.end-w.start)*time.Duration(before)/time.Duration(total)
			if before == total {
				p.mark = w.mark
			}
			if !yield(p) {
				return
			}
		}
	}
}

// characters counts what a reader takes for characters: an emoji of several code points is one, an accent of its own is none.
func characters(text string) int {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return uniseg.GraphemeClusterCount(text)
		}
	}
	return len(text)
}
