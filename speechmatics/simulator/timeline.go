// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"iter"
	"slices"
	"sort"
	"time"
)

// timeline holds jobs in the order of their creation, those of one millisecond in the order of their submission. So a
// page of a list costs no more in the middle of many jobs than among few.
type timeline []*job

// with returns the timeline with jobs, themselves in order, in their places: at the end, unless others are newer.
func (t timeline) with(jobs ...*job) timeline {
	end := len(t)
	t = append(t, jobs...)
	if 0 < end && end < len(t) && t[end].createdAt.Before(t[end-1].createdAt) {
		slices.SortStableFunc(t, func(a, b *job) int { return a.createdAt.Compare(b.createdAt) })
	}
	return t
}

// before yields the jobs created before a time, or at that time where inclusive is set, newest first.
func (t timeline) before(bound time.Time, inclusive bool) iter.Seq[*job] {
	end := sort.Search(len(t), func(i int) bool {
		created := t[i].createdAt
		return created.After(bound) || !inclusive && created.Equal(bound)
	})
	return backward(t[:end])
}

// backward yields all jobs, newest first.
func backward(t timeline) iter.Seq[*job] {
	return func(yield func(*job) bool) {
		for _, j := range slices.Backward(t) {
			if !yield(j) {
				return
			}
		}
	}
}
