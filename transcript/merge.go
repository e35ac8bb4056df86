// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"iter"
	"time"
)

// merge puts sequences in one order: by time, and of the same time, by the sequences' order. What is in one sequence stays in its
// order. It ends with the first error.
//
// Channels are read each on its own, so that two people who talk at once do not cut each other's sentences into
// pieces, and so that it does not matter how the document has ordered them.
func merge[T any](sequences []iter.Seq2[T, error], at func(T) time.Duration) iter.Seq2[T, error] {
	if len(sequences) == 1 {
		return sequences[0]
	}
	return func(yield func(T, error) bool) {
		heads := make([]head[T], 0, len(sequences))
		defer func() {
			for _, h := range heads {
				h.stop()
			}
		}()
		for _, sequence := range sequences {
			next, stop := iter.Pull2(sequence)
			h := head[T]{next: next, stop: stop}
			h.advance()
			heads = append(heads, h)
		}
		for {
			first := earliest(heads, at)
			if first == nil || !yield(first.value, first.err) || first.err != nil {
				return
			}
			first.advance()
		}
	}
}

// head is a sequence with its first element.
type head[T any] struct {
	next  func() (T, error, bool)
	stop  func()
	value T
	err   error
	ok    bool
}

func (h *head[T]) advance() { h.value, h.err, h.ok = h.next() }

// earliest is the head to go on with: one with an error, or else with the earliest element. Nil if all have ended.
func earliest[T any](heads []head[T], at func(T) time.Duration) *head[T] {
	var first *head[T]
	for i := range heads {
		h := &heads[i]
		switch {
		case !h.ok:
		case h.err != nil:
			return h
		case first == nil || at(h.value) < at(first.value):
			first = h
		}
	}
	return first
}
