// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import "sync"

// shares bound how many of a door's places one namespace has at a time. A token may be known to who runs the job that it is for, and a body
// may take hours: so somebody with many jobs could keep the notifications of all others out.
type shares struct {
	// most is how many places one namespace may have; 0 means all.
	most int

	mu    sync.Mutex
	taken map[string]int
}

func newShares(most int) *shares { return &shares{most: most, taken: map[string]int{}} }

// take takes a place for a namespace, which leave gives back. It is not ok if the namespace has its share already.
func (s *shares) take(namespace string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most > 0 && s.taken[namespace] >= s.most {
		return nil, false
	}
	s.taken[namespace]++
	return func() { s.leave(namespace) }, true
}

func (s *shares) leave(namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[namespace]--; s.taken[namespace] == 0 {
		delete(s.taken, namespace)
	}
}
