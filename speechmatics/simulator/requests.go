// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"maps"
	"slices"
	"sync"
)

// RequestCounts are how many requests were answered, by operation and status; 0 stands for those without an answer, such as
// connections that were broken off. What the API does not know is the operation "other".
type RequestCounts map[Operation]map[int]int

// Total is the number of requests of some operations, or of all where none is named, whatever their answers.
func (c RequestCounts) Total(operations ...Operation) int {
	total := 0
	for operation, answers := range c {
		if len(operations) > 0 && !slices.Contains(operations, operation) {
			continue
		}
		for _, n := range answers {
			total += n
		}
	}
	return total
}

// Answered is the number of requests with one status, whatever their operation.
func (c RequestCounts) Answered(status int) int {
	total := 0
	for _, answers := range c {
		total += answers[status]
	}
	return total
}

// Since is what came after an earlier count.
func (c RequestCounts) Since(earlier RequestCounts) RequestCounts {
	later := RequestCounts{}
	for operation, answers := range c {
		for status, n := range answers {
			if more := n - earlier[operation][status]; more > 0 {
				later.add(operation, status, more)
			}
		}
	}
	return later
}

func (c RequestCounts) add(operation Operation, status, n int) {
	if c[operation] == nil {
		c[operation] = map[int]int{}
	}
	c[operation][status] += n
}

// requestBook counts requests.
type requestBook struct {
	mu     sync.Mutex
	counts RequestCounts
}

func (b *requestBook) count(operation Operation, status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts == nil {
		b.counts = RequestCounts{}
	}
	b.counts.add(operation, status, 1)
}

// Requests returns how many requests to the API were answered since the server was made.
func (s *Server) Requests() RequestCounts {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	counts := RequestCounts{}
	for operation, answers := range s.requests.counts {
		counts[operation] = maps.Clone(answers)
	}
	return counts
}
