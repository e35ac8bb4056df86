// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"iter"
	"time"
)

const (
	// minCue is how long a cue is shown at least, if the next one does not begin before.
	minCue = time.Second
	// maxCue is how long a cue is shown at most.
	maxCue = 7 * time.Second
	// pause is a silence that ends a cue.
	pause = time.Second
	// settled is how long a cue has lasted when the end of a sentence ends it. Shorter sentences share one.
	settled = 1500 * time.Millisecond
	// tick is the precision of both formats.
	tick = time.Millisecond
)

// cue is a caption.
type cue struct {
	start, end time.Duration
	words      []word
	// breaks are the indices of the words that begin a line, without the first.
	breaks []int
}

func (c *cue) voice() voice { return c.words[0].voice }

// lines are the lines of words.
func (c *cue) lines() [][]word {
	lines := make([][]word, 0, len(c.breaks)+1)
	begin := 0
	for _, end := range append(c.breaks, len(c.words)) {
		lines = append(lines, c.words[begin:end])
		begin = end
	}
	return lines
}

// layout says how much text a cue may have.
type layout struct {
	length int // characters of a line, spaces included
	lines  int
}

// cues makes cues of a channel's words. They are in order, none is empty, and none overlaps another one.
func cues(words iter.Seq2[word, error], l layout) iter.Seq2[cue, error] {
	return spaced(filled(words, l))
}

// filled divides words into cues, whose times are those of their words.
func filled(words iter.Seq2[word, error], l layout) iter.Seq2[cue, error] {
	return func(yield func(cue, error) bool) {
		f := filler{layout: l}
		for w, err := range words {
			if err != nil {
				yield(cue{}, err)
				return
			}
			for f.ends(w) {
				if !yield(f.take(f.bestCut(w)), nil) {
					return
				}
			}
			f.add(w)
		}
		if len(f.words) > 0 {
			yield(f.take(len(f.words)), nil)
		}
	}
}

// filler fills one cue after the other.
type filler struct {
	layout layout
	words  []word
	breaks []int
	width  int // of the last line
	total  int // of all lines
}

func (f *filler) add(w word) {
	if len(f.words) == 0 {
		f.width = w.width
	} else if wider := f.width + characters(w.delimiter) + w.width; wider <= f.layout.length {
		f.width = wider
	} else {
		f.breaks = append(f.breaks, len(f.words))
		f.width = w.width
	}
	f.total += w.width
	f.words = append(f.words, w)
}

// ends reports whether the cue ends before w.
func (f *filler) ends(w word) bool {
	if len(f.words) == 0 {
		return false
	}
	return f.breaksOff(w) || f.full(w) || f.concluded()
}

// breaksOff reports whether w has nothing to do with the words before.
func (f *filler) breaksOff(w word) bool {
	last := f.words[len(f.words)-1]
	turns := w.rtl != last.rtl && last.mark == sentenceMark // a line has one direction
	return w.voice != last.voice || w.start-last.end >= pause || turns
}

// full reports whether w does not fit.
func (f *filler) full(w word) bool {
	if w.end-f.words[0].start > maxCue {
		return true
	}
	wider := f.width + characters(w.delimiter) + w.width
	return wider > f.layout.length && len(f.breaks)+1 >= f.layout.lines
}

// concluded reports whether a sentence has ended, and the cue is worth to stand alone.
func (f *filler) concluded() bool {
	last := f.words[len(f.words)-1]
	return last.mark == sentenceMark &&
		(last.end-f.words[0].start >= settled || 2*f.total >= f.layout.length*f.layout.lines)
}

// bestCut is the number of words of the cue that ends before w. A cue that is full ends after a sentence, or else a clause,
// if that leaves it reasonably full.
func (f *filler) bestCut(w word) int {
	all := len(f.words)
	if f.breaksOff(w) || f.words[all-1].mark != noMark {
		return all
	}
	rest := 0
	clause := all
	for i := all - 1; i > 0; i-- {
		rest += f.words[i].width
		if 3*rest > 2*f.total {
			break
		}
		switch m := f.words[i-1].mark; {
		case m == sentenceMark:
			return i
		case m == clauseMark && clause == all && 2*rest <= f.total:
			clause = i
		}
	}
	return clause
}

// take removes the first n words, as a cue.
func (f *filler) take(n int) cue {
	head, rest := f.words[:n:n], f.words[n:]
	c := cue{start: head[0].start, words: head}
	for _, at := range f.breaks {
		if at < n {
			c.breaks = append(c.breaks, at)
		}
	}
	for _, w := range head {
		c.end = max(c.end, w.end)
	}
	*f = filler{layout: f.layout}
	for _, w := range rest {
		f.add(w)
	}
	return c
}

// spaced gives the cues their final times.
func spaced(cues iter.Seq2[cue, error]) iter.Seq2[cue, error] {
	return func(yield func(cue, error) bool) {
		var before *cue
		for next, err := range cues {
			if err != nil {
				yield(cue{}, err)
				return
			}
			next.start = next.start.Round(tick)
			next.end = min(max(next.end.Round(tick), next.start+tick), next.start+maxCue)
			if before != nil {
				settle(before, &next)
				if !yield(*before, nil) {
					return
				}
			}
			before = &next
		}
		if before != nil {
			before.end = max(before.end, before.start+minCue)
			yield(*before, nil)
		}
	}
}

// settle makes the border between two cues. One that is too short to be read is shown longer, if there is room; where they
// overlap, the second one waits until the first one was shown for the shortest time.
func settle(before, next *cue) {
	shortest := before.start + minCue
	border := max(next.start, min(before.end, shortest))
	before.end = min(max(before.end, shortest), border)
	next.start = border
	next.end = max(next.end, next.start+tick)
}
