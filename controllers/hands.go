// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// hands bound how many workers are busy with one host and key at a time, so that one which does not answer leaves the others to the rest. From
// the first request that is not answered on it is one, until there is an answer again.
//
// Nobody blocks: who gets no hand comes again when one is free, in the order of asking.
type hands struct {
	// wake has a job reconciled: there is a hand free for it.
	wake func(types.NamespacedName)

	mu     sync.Mutex
	most   int
	busy   int
	silent bool
	// asked is the order in which jobs wait for a hand. What is not in asking any more is skipped.
	asked  []types.NamespacedName
	asking map[types.NamespacedName]struct{}
}

func newHands(most int, wake func(types.NamespacedName)) *hands {
	return &hands{most: most, wake: wake, asking: map[types.NamespacedName]struct{}{}}
}

// resize changes how many hands there are.
func (h *hands) resize(most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.most = most
	h.call()
}

// take takes a hand for a job, if one is free. If none is, the job is woken when it may ask again.
func (h *hands) take(name types.NamespacedName) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.free() <= 0 {
		if _, ok := h.asking[name]; !ok {
			h.asking[name] = struct{}{}
			h.asked = append(h.asked, name)
		}
		return false
	}
	delete(h.asking, name)
	h.busy++
	return true
}

// isSilent reports whether the host has not answered the last request.
func (h *hands) isSilent() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.silent
}

// give gives a hand back.
func (h *hands) give() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy--
	h.call()
}

// heard notes whether a request was answered.
func (h *hands) heard(answered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.silent == answered {
		h.silent = !answered
		h.call()
	}
}

func (h *hands) free() int {
	if h.silent {
		return 1 - h.busy
	}
	return h.most - h.busy
}

// call wakes as many jobs as there are hands free.
func (h *hands) call() {
	for range h.free() {
		name, ok := h.pop()
		if !ok {
			return
		}
		h.wake(name)
	}
}

// pop takes the one that has waited longest off the list.
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
