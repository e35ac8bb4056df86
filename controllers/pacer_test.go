// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestPacer takes turns of a pacer as fast as it permits, by timers that fire late and with breaks of random length, and counts them in
// every second there is: no second has more than it may, and what a late timer costs is made up for.
func TestPacer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		perSecond int
		window    time.Duration
		crowding  float64
		breaks    bool
		least     float64 // turns a second, on average
	}{
		{perSecond: 10, window: admissionWindow, crowding: evenly, least: 9.7},
		{perSecond: 10, window: submissionWindow, crowding: closely, least: 9.8},
		{perSecond: 50, window: requestWindow, crowding: closely, least: 48},
		{perSecond: 1, window: admissionWindow, crowding: evenly, least: 0.95},
		{perSecond: 10, window: submissionWindow, crowding: closely, breaks: true},
		{perSecond: 50, window: requestWindow, crowding: closely, breaks: true},
	} {
		random := rand.New(rand.NewPCG(uint64(c.perSecond), 1))
		p := newPacer(c.perSecond, c.window, c.crowding)
		now := dawn
		var turns []time.Time
		for range 1000 {
			if due := p.due(); due.After(now) {
				now = due.Add(rand.N(5 * time.Millisecond))
			}
			if c.breaks && random.IntN(20) == 0 {
				now = now.Add(time.Duration(random.Int64N(int64(2 * time.Second))))
			}
			p.take(now)
			turns = append(turns, now)
		}
		for i, first := range turns {
			if n := i + c.perSecond; n < len(turns) && turns[n].Sub(first) <= time.Second {
				t.Errorf("%d/s: %d turns within %s", c.perSecond, c.perSecond+1, turns[n].Sub(first))
				break
			}
		}
		if rate := float64(len(turns)-1) / now.Sub(turns[0]).Seconds(); rate < c.least {
			t.Errorf("%d/s: %.2f turns a second, want at least %.2f", c.perSecond, rate, c.least)
		}
	}
}

// TestPacer_setRate changes the rate in the course of a second: what was taken in it counts.
func TestPacer_setRate(t *testing.T) {
	t.Parallel()
	p := newPacer(10, time.Second, 0)
	for i := range 8 {
		p.take(dawn.Add(time.Duration(i) * time.Millisecond))
	}
	p.setRate(5)
	if want := dawn.Add(3*time.Millisecond + time.Second); !p.due().Equal(want) {
		t.Errorf("after 8 turns and with 5 a second, the next one is due at %s, want %s", p.due(), want)
	}
	p.setRate(20)
	for i := range 15 {
		if due := p.due(); due.After(dawn.Add(8 * time.Millisecond)) {
			t.Fatalf("with 20 a second, turn %d is due at %s only", i, due)
		}
		p.take(dawn.Add(8 * time.Millisecond))
	}
	if want := dawn.Add(3*time.Millisecond + time.Second); !p.due().Equal(want) {
		t.Errorf("after 5 and 15 turns and with 20 a second, the next one is due at %s, want %s", p.due(), want)
	}
}
