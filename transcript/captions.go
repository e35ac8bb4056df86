// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/bidi"
)

// Defaults and bounds of [Options].
const (
	// DefaultLineLength and DefaultLines are the provider's for the format srt.
	DefaultLineLength = 37
	DefaultLines      = 2

	maxLineLength = 1000
	maxLines      = 100
)

// Options say how a document is rendered.
type Options struct {
	// Language is that of a translation, as the document names it. Empty renders the text as it was spoken.
	Language string
	// MaxLineLength is the number of characters in a line of a caption, spaces included, up to 1000. 0 is 37. What a
	// reader takes for one character counts as one, however wide it is. A word that is longer has a line of its own.
	MaxLineLength int
	// MaxLines is the number of lines of a caption, up to 100. 0 is 2.
	MaxLines int
}

func (o Options) layout() (layout, error) {
	if o.MaxLineLength < 0 || o.MaxLineLength > maxLineLength {
		return layout{}, fmt.Errorf("a line of a caption cannot have %d characters, but 1 to %d", o.MaxLineLength, maxLineLength)
	}
	if o.MaxLines < 0 || o.MaxLines > maxLines {
		return layout{}, fmt.Errorf("a caption cannot have %d lines, but 1 to %d", o.MaxLines, maxLines)
	}
	l := layout{length: o.MaxLineLength, lines: o.MaxLines}
	if l.length == 0 {
		l.length = DefaultLineLength
	}
	if l.lines == 0 {
		l.lines = DefaultLines
	}
	return l, nil
}

// WriteVTT renders a document as WebVTT (https://www.w3.org/TR/webvtt1/). Speakers and channels are voice spans.
//
// The document is read from its beginning, several times, and was seen to be whole before the first byte is written.
// Errors are [*FormatError], [*NoTranslationError], or those of document and w.
func WriteVTT(w io.Writer, document io.ReadSeeker, o Options) error {
	return writeCaptions(w, document, o, vttHeader, vttCue)
}

// WriteSRT renders a document as SubRip, whose captions do not say who speaks. Otherwise it is like [WriteVTT].
func WriteSRT(w io.Writer, document io.ReadSeeker, o Options) error {
	n := 0
	return writeCaptions(w, document, o, noHeader, func(out output, c cue) {
		n++
		srtCue(out, n, c)
	})
}

// writeCaptions writes cue by cue.
func writeCaptions(w io.Writer, document io.ReadSeeker, o Options, header func(output, string), write func(output, cue)) error {
	l, err := o.layout()
	if err != nil {
		return err
	}
	src, err := open(document, o.Language)
	if err != nil {
		return err
	}
	out := newOutput(w)
	header(out, src.renderedLanguage())
	channels := make([]iter.Seq2[cue, error], len(src.channels))
	for i, channel := range src.channels {
		channels[i] = cues(src.words(channel), l)
	}
	for c, err := range merge(channels, func(c cue) time.Duration { return c.start }) {
		if err != nil {
			return err
		}
		write(out, c)
	}
	return out.flush()
}

func noHeader(output, string) {}

func vttHeader(out output, language string) {
	out.print("WEBVTT\n")
	if language = clean(language); language != "" {
		out.print("\nNOTE\nLanguage: ", vttEscape(language), "\n")
	}
}

func vttCue(out output, c cue) {
	out.print("\n", timestamp(c.start, '.'), " --> ", timestamp(c.end, '.'), "\n")
	if name := c.voice().name(); name != "" {
		out.print("<v ", vttEscape(name), ">")
	}
	for _, line := range c.lines() {
		out.print(vttEscape(lineText(line)), "\n")
	}
}

// vttEscape makes cue text of a text, and makes sure that nothing in it is taken for an arrow.
func vttEscape(text string) string { return vttEscapes.Replace(text) }

var vttEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func srtCue(out output, n int, c cue) {
	if n > 1 {
		out.print("\n")
	}
	out.print(strconv.Itoa(n), "\n", timestamp(c.start, ','), " --> ", timestamp(c.end, ','), "\n")
	for _, line := range c.lines() {
		// SubRip has no way to escape anything.
		out.print(strings.ReplaceAll(lineText(line), "-->", "→"), "\n")
	}
}

// lineText is a line as it is written.
func lineText(words []word) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteString(w.delimiter)
		}
		b.WriteString(w.text)
	}
	if text := b.String(); !words[0].rtl || startsRightToLeft(text) {
		return text
	}
	// Players take a line's direction from its first letter. This mark is an invisible one.
	return "\u200F" + b.String()
}

// startsRightToLeft reports whether the first letter, which decides about a line's direction, is one of a script from right to left.
func startsRightToLeft(text string) bool {
	for _, r := range text {
		properties, _ := bidi.LookupRune(r)
		switch properties.Class() { //nolint:exhaustive // the others have no direction of their own
		case bidi.R, bidi.AL:
			return true
		case bidi.L:
			return false
		}
	}
	return false
}

// name is the voice's name in a caption; empty if it has none.
func (v voice) name() string {
	return strings.TrimSpace(clean(v.channel) + " " + v.speaker)
}

// timestamp is a time as both formats write it, but for the separator of the milliseconds. Hours may have more than two digits.
func timestamp(t time.Duration, separator byte) string {
	ms := t.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d%c%03d", ms/3600_000, ms/60_000%60, ms/1000%60, separator, ms%1000)
}
