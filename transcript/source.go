// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"errors"
	"io"
	"iter"
	"slices"
	"time"
)

// word is a piece of text that a line break does not divide: a word with the marks that attach to it.
type word struct {
	text      string
	width     int    // characters of text
	delimiter string // what stands between the word before and this one, when they are in one line
	start     time.Duration
	end       time.Duration // not before start
	voice     voice
	rtl       bool // in a language that is written from right to left
	mark      mark
}

// mark is how much of a break follows a word.
type mark int

const (
	noMark mark = iota
	clauseMark
	sentenceMark
)

// voice is whose words they are. Names are empty where they are not known.
type voice struct {
	speaker string
	channel string
	// turn counts the changes of speakers that have no names.
	turn int
}

// source is a document that is rendered, as spoken or translated.
type source struct {
	document io.ReadSeeker
	survey   *survey
	language string // of the translation; empty for the text as spoken
	// channels of what is rendered, in the order in which they come.
	channels []string
}

// open surveys a document to be rendered. So a document is known to be whole before anything is written.
func open(document io.ReadSeeker, language string) (*source, error) {
	sv, err := read(&section{document: document})
	if err != nil {
		return nil, err
	}
	src := &source{document: document, survey: sv, language: language, channels: sv.channels}
	if language == "" {
		return src, nil
	}
	if !slices.Contains(sv.translations, language) {
		return nil, &NoTranslationError{Language: language}
	}
	src.channels = sv.translatedChannels[language]
	return src, nil
}

// renderedLanguage is the language of the rendering.
func (src *source) renderedLanguage() string {
	if src.language != "" {
		return src.language
	}
	return src.survey.language()
}

// section reads a document from its beginning, whatever else reads in it.
type section struct {
	document io.ReadSeeker
	offset   int64
}

func (s *section) Read(p []byte) (int, error) {
	if _, err := s.document.Seek(s.offset, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := s.document.Read(p)
	s.offset += int64(n)
	return n, err
}

// walk goes through the document from its beginning.
func (src *source) walk(v visitor) error {
	return newScanner(&section{document: src.document}).walk(v)
}

// errStop ends a walk whose rest nobody wants.
var errStop = errors.New("stop")

// words are the words of one channel, in the order of the document.
func (src *source) words(channel string) iter.Seq2[word, error] {
	return func(yield func(word, error) bool) {
		emit := func(w word) error {
			w.width = characters(w.text)
			if !yield(w, nil) {
				return errStop
			}
			return nil
		}
		var err error
		if src.language == "" {
			err = src.spoken(channel, emit)
		} else {
			err = src.translated(channel, emit)
		}
		if err != nil && !errors.Is(err, errStop) {
			yield(word{}, err)
		}
	}
}
