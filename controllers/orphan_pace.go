// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"time"
)

// orphanShare is which part of the requests to a host with a key searches for orphans take at most: one in so many. They are never urgent.
const orphanShare = 10

// orphanPace is what searches for orphans may take of one host and key, however many accounts share it: one search at a time, so that each gets
// to its end within its time, and one request in so many, over all searches.
type orphanPace struct {
	underWay bool
	// due is when the next request may be sent.
	due time.Time
}

// beginOrphanSearch begins a search for orphans. False means that another account's is under way.
func (l *limits) beginOrphanSearch() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.orphanPace.underWay {
		return false
	}
	l.orphanPace.underWay = true
	return true
}

func (l *limits) endOrphanSearch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orphanPace.underWay = false
}

// orphanTurn waits until a search for orphans may send its next request. The request's own turn is to be taken afterwards.
func (l *limits) orphanTurn(ctx context.Context) error {
	return l.wait(ctx, l.reserveOrphanTurn())
}

// reserveOrphanTurn takes a search's turn, and returns how far it is.
func (l *limits) reserveOrphanTurn() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	turn := now
	if l.orphanPace.due.After(now) {
		turn = l.orphanPace.due
	}
	l.orphanPace.due = turn.Add(orphanShare * time.Second / time.Duration(l.requests.rate()))
	return turn.Sub(now)
}
