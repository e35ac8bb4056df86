// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import "time"

// pacer hands out turns: so many a second, in whichever second one looks. The provider counts by the second and says neither where
// its seconds begin nor how it counts, so that a token bucket, whose burst comes on top of its rate, would exceed it now and then. What was
// missed is made up for as far as that permits: a timer that fires late does not lower the rate.
type pacer struct {
	// window is a little more than a second, so that requests which travel at different speeds do not meet in one.
	window time.Duration
	// spacing is the least time between two turns.
	spacing time.Duration
	// turns are the latest ones, the oldest at next: as many as a window may have.
	turns []time.Time
	next  int
	last  time.Time
	// crowding is the least time between two turns, in proportion to what evenly spaced ones have: below 1, what was missed can be made up for.
	crowding float64
}

func newPacer(perSecond int, window time.Duration, crowding float64) *pacer {
	p := &pacer{window: window, crowding: crowding}
	p.setRate(perSecond)
	return p
}

// setRate changes how many turns there are a second. The turns that were taken still count.
func (p *pacer) setRate(perSecond int) {
	turns := make([]time.Time, perSecond)
	for i := range min(len(turns), len(p.turns)) {
		turns[len(turns)-1-i] = p.turns[(p.next+len(p.turns)-1-i)%len(p.turns)]
	}
	p.turns, p.next = turns, 0
	p.spacing = time.Duration(float64(p.window) / float64(perSecond) * p.crowding)
}

// rate is how many turns there are a second.
func (p *pacer) rate() int { return len(p.turns) }

// due is when the next turn is, which may be in the past.
func (p *pacer) due() time.Time {
	due := p.last.Add(p.spacing)
	if oldest := p.turns[p.next]; !oldest.IsZero() && oldest.Add(p.window).After(due) {
		due = oldest.Add(p.window)
	}
	return due
}

// take notes that a turn is taken at a time, which must not be before it is due.
func (p *pacer) take(at time.Time) {
	p.turns[p.next] = at
	p.next = (p.next + 1) % len(p.turns)
	p.last = at
}
