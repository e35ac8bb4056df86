// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
)

// LiveHeap looks at what lives on the heap after each garbage collection, of which there is one for every few megabytes that are
// allocated, and keeps the most. It goes by collections and not by time, so that nothing goes unnoticed that lives for a while.
type LiveHeap struct {
	most  atomic.Uint64
	ended atomic.Bool
}

// WatchHeap begins to look.
func WatchHeap() *LiveHeap {
	h := &LiveHeap{}
	runtime.GC()
	h.arm()
	return h
}

// arm has a look taken at the end of the next collection, which frees the object that is made here.
func (h *LiveHeap) arm() {
	canary := new([16]byte)
	runtime.AddCleanup(canary, func(h *LiveHeap) {
		if !h.ended.Load() {
			h.look()
			h.arm()
		}
	}, h)
}

func (h *LiveHeap) look() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	for now := sample[0].Value.Uint64(); ; {
		most := h.most.Load()
		if now <= most || h.most.CompareAndSwap(most, now) {
			return
		}
	}
}

// End ends looking and returns the most bytes that lived at once.
func (h *LiveHeap) End() uint64 {
	runtime.GC()
	h.look()
	h.ended.Store(true)
	return h.most.Load()
}
