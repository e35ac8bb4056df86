// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// pageSize is how many jobs the provider lists on a page.
	pageSize = 100
	// listPrecision is what the provider compares times of creation with.
	listPrecision = time.Millisecond
	// wasteShare is which part of a round's requests may be pages that are ahead of what they have saved.
	wasteShare = 10
	// maxSpans bounds what is remembered of earlier pages.
	maxSpans = 512
	// spanReach is how many times its own length away from a page one expects pages of the same length.
	spanReach = 10
)

// lookup is a job that is to be looked at, and what is known of its place in the provider's list.
type lookup struct {
	uid types.UID
	// from and before bound its time of creation by the provider's clock: from <= creation < before.
	from, before time.Time
	// due is when the look was due.
	due time.Time
	// single means that it has to be asked about by itself: the list does not tell whose it is, or does not have it, or its time of
	// creation is not known.
	single bool
}

// page is what matters of a page of the list.
type page struct {
	// jobs counts what is listed, whoever it belongs to, and oldest is the oldest time of creation; zero if none has one.
	jobs   int
	oldest time.Time
	// found has the jobs that are looked for, and whether what the list says settles the look.
	found map[types.UID]bool
}

// round plans the requests of one round of looks: which pages of the list are read, and which jobs are asked about one by one.
//
// A page has a hundred jobs, everybody's, from a time of creation on backwards. So each begins at the newest job that is not settled yet,
// unless it can be expected to settle fewer than two; then that job is asked about by itself. What a page should have listed and did
// not is asked about as well: its absence proves nothing.
//
// A round never has more requests than jobs. A page that settles nothing, which cannot be known before, costs one; as many jobs, those
// that were due last, are left to the next round.
type round struct {
	total int
	pages int
	// pending are the jobs that a page may settle, the newest first. None was created at cursor or after, where the last page began.
	pending []lookup
	cursor  time.Time
	singles []lookup
	spans   *spans
}

func newRound(lookups []lookup, known *spans) *round {
	r := &round{total: len(lookups), spans: known}
	for _, l := range lookups {
		if l.single {
			r.singles = append(r.singles, l)
		} else {
			r.pending = append(r.pending, l)
		}
	}
	slices.SortFunc(r.pending, func(a, b lookup) int { return b.before.Compare(a.before) })
	return r
}

// nextPage returns the time before which the jobs of the next page were created, or false if no page is worth its request. After true,
// read has to be called with what the page has.
func (r *round) nextPage() (createdBefore time.Time, ok bool) {
	for len(r.pending) > 0 {
		first := r.pending[0]
		progress := r.cursor.IsZero() || first.before.Before(r.cursor)
		if progress && r.affordable() && r.worthwhile() {
			r.pages++
			r.cursor = first.before
			return r.cursor, true
		}
		r.pending, r.singles = r.pending[1:], append(r.singles, first)
	}
	return time.Time{}, false
}

// affordable reports whether there are requests left, and the pages so far have about paid off: each job that they have settled saves a
// request.
func (r *round) affordable() bool {
	settled := r.total - len(r.pending) - len(r.singles)
	return r.pages < r.total && r.pages-settled <= r.total/wasteShare
}

// worthwhile reports whether a page that begins at the first pending job can be expected to settle the second one, too. Where nothing is
// known of the list, it is found out: the page settles the first one at least, and so costs no more than asking about it.
func (r *round) worthwhile() bool {
	if len(r.pending) < 2 {
		return false
	}
	begin := r.pending[0].before
	length, known := r.spans.length(begin)
	return !known || begin.Sub(r.pending[1].before) < length
}

// read takes over what a page has. It returns the jobs that should be on the page and are not.
func (r *round) read(p page) (absent []types.UID) {
	r.spans.note(r.cursor, p)
	end := p.oldest.Truncate(listPrecision).Add(listPrecision)
	kept := r.pending[:0]
	for _, l := range r.pending {
		settled, listed := p.found[l.uid]
		switch {
		case settled:
		case listed:
			r.singles = append(r.singles, l)
		case p.lacks(l):
			absent = append(absent, l.uid)
			r.singles = append(r.singles, l)
		default:
			if l.before.After(end) {
				l.before = end
			}
			kept = append(kept, l)
		}
	}
	r.pending = kept
	r.singles = slices.DeleteFunc(r.singles, func(l lookup) bool { return p.found[l.uid] })
	return absent
}

// lacks reports whether a job that is not on the page should be: the page goes back to before its creation, or has all there is.
func (p page) lacks(l lookup) bool {
	return p.oldest.IsZero() || l.from.Truncate(listPrecision).After(p.oldest)
}

// abandonPages has all that is pending asked about one by one: the list cannot be read.
func (r *round) abandonPages() {
	r.singles, r.pending = append(r.singles, r.pending...), nil
}

// rest returns the jobs that are to be asked about one by one when no page is worthwhile any more, those first that have been due for
// longest. It has no more than the round has requests left.
func (r *round) rest() []lookup {
	slices.SortStableFunc(r.singles, func(a, b lookup) int { return a.due.Compare(b.due) })
	return r.singles[:min(len(r.singles), max(r.total-r.pages, 0))]
}

// spans remember how far pages of the list reached: the jobs that were created in a time that has passed do not become more.
type spans struct {
	read []span // in the order in which they were read
}

// span is the time that a page covers.
type span struct{ from, to time.Time }

// note remembers a page. One that is not full is taken for the list's end, beyond which a page covers everything.
func (s *spans) note(begin time.Time, p page) {
	n := span{from: p.oldest, to: begin}
	if p.jobs < pageSize {
		n.from = time.Time{}
	}
	if !n.from.Before(n.to) {
		return // the page is not where it was asked for
	}
	s.read = slices.DeleteFunc(s.read, func(old span) bool { return old.from.Before(n.to) && n.from.Before(old.to) })
	s.read = append(s.read, n)
	if len(s.read) > maxSpans {
		s.read = slices.Delete(s.read, 0, 1)
	}
}

// length is how much time a page that begins at a time can be expected to cover; false if no page near it was read.
func (s *spans) length(begin time.Time) (length time.Duration, known bool) {
	nearest := time.Duration(-1)
	for _, n := range s.read {
		distance := max(begin.Sub(n.to), n.from.Sub(begin), 0)
		if own := n.to.Sub(n.from); distance/spanReach <= own && (nearest < 0 || distance < nearest) {
			nearest, length, known = distance, own, true
		}
	}
	return length, known
}
