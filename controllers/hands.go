// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// crew are the workers that the hands of all hosts and keys are taken from. No host and key has more than half of what the others leave, so
// that the next one finds some whatever the first ones do; and a few workers have none at all, which do what takes no provider.
type crew struct {
	// workers is how many there are, and most how many may be busy with providers.
	workers, most int

	mu   sync.Mutex
	busy int
	// asking are the hands that jobs wait for.
	asking []*hands
}

// spareWorkers is how many workers are never busy with a provider, if there are enough.
const spareWorkers = 2

func newCrew(workers int) *crew {
	return &crew{workers: workers, most: workers - min(spareWorkers, workers/4)}
}

// call wakes those who wait for a hand that is to be had now. The caller holds the lock.
func (c *crew) call() {
	for _, h := range c.asking {
		h.call()
	}
	c.asking = slices.DeleteFunc(c.asking, func(h *hands) bool { return len(h.asking) == 0 })
}

// hands bound how many workers are busy with one host and key at a time, so that one which does not answer leaves the others to the rest. From
// the first request that is not answered on it is one, until there is an answer again.
//
// Nobody blocks: who gets no hand comes again when one is free, in the order of asking.
type hands struct {
	// wake has a job reconciled: there is a hand free for it.
	wake func(types.NamespacedName)
	// crew is whose hands they are; its lock is theirs.
	crew *crew

	most   int
	busy   int
	silent bool
	// asked is the order in which jobs wait for a hand. What is not in asking any more is skipped.
	asked  []types.NamespacedName
	asking map[types.NamespacedName]struct{}
}

func newHands(crew *crew, most int, wake func(types.NamespacedName)) *hands {
	return &hands{crew: crew, most: most, wake: wake, asking: map[types.NamespacedName]struct{}{}}
}

// resize changes how many hands there are.
func (h *hands) resize(most int) {
	h.crew.mu.Lock()
	defer h.crew.mu.Unlock()
	h.most = most
	h.call()
}

// take takes a hand for a job, if one is free. If none is, the job is woken when it may ask again.
func (h *hands) take(name types.NamespacedName) bool {
	h.crew.mu.Lock()
	defer h.crew.mu.Unlock()
	if h.free() <= 0 {
		if _, ok := h.asking[name]; !ok {
			h.asking[name] = struct{}{}
			h.asked = append(h.asked, name)
		}
		if !slices.Contains(h.crew.asking, h) {
			h.crew.asking = append(h.crew.asking, h)
		}
		return false
	}
	delete(h.asking, name)
	h.busy++
	h.crew.busy++
	return true
}

// isSilent reports whether the host has not answered the last request.
func (h *hands) isSilent() bool {
	h.crew.mu.Lock()
	defer h.crew.mu.Unlock()
	return h.silent
}

// give gives a hand back.
func (h *hands) give() {
	h.crew.mu.Lock()
	defer h.crew.mu.Unlock()
	h.busy--
	h.crew.busy--
	h.crew.call()
}

// heard notes whether a request was answered.
func (h *hands) heard(answered bool) {
	h.crew.mu.Lock()
	defer h.crew.mu.Unlock()
	if h.silent == answered {
		h.silent = !answered
		h.call()
	}
}

// free is how many hands may be taken. The caller holds the lock.
func (h *hands) free() int {
	most := h.most
	if h.silent {
		most = 1
	}
	left := h.crew.workers - (h.crew.busy - h.busy)
	return min(min(most, max(1, left/2))-h.busy, h.crew.most-h.crew.busy)
}

// call wakes as many jobs as there are hands free. The caller holds the lock.
func (h *hands) call() {
	for range h.free() {
		name, ok := h.pop()
		if !ok {
			return
		}
		h.wake(name)
	}
}

// pop takes the one that has waited longest off the list. The caller holds the lock.
func (h *hands) pop() (types.NamespacedName, bool) {
	for len(h.asked) > 0 {
		name := h.asked[0]
		h.asked = h.asked[1:]
		if _, ok := h.asking[name]; ok {
			delete(h.asking, name)
			return name, true
		}
	}
	h.asked = nil
	return types.NamespacedName{}, false
}

// takeHand takes a hand for the pass, which gives it back at its end. If none is free, the error is a *busyError.
func (s *scope) takeHand(p *provider) error {
	if s.hand == p.limits.hands {
		return nil
	}
	s.giveHand()
	if !p.limits.hands.take(client.ObjectKeyFromObject(s.job)) {
		return &busyError{delay: handPatience, silent: p.limits.hands.isSilent()}
	}
	s.hand = p.limits.hands
	return nil
}

// giveHand gives back the pass's hand, if it has one.
func (s *scope) giveHand() {
	if s.hand != nil {
		s.hand.give()
		s.hand = nil
	}
}
