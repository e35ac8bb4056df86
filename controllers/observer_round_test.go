// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// epoch is when the jobs of these tests' lists begin to be created.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// listedJob is a job in the provider's list: ours if it has a UID.
type listedJob struct {
	uid     types.UID
	created time.Time
	// doubtful means that what the list says does not settle the look.
	doubtful bool
}

// remoteList is a provider's list, newest first.
type remoteList struct {
	jobs []listedJob
	// inclusive bounds, and a page size below what is asked for, are what the documentation leaves open.
	inclusive bool
	limit     int
}

func newRemoteList(jobs ...[]listedJob) *remoteList {
	l := &remoteList{jobs: slices.Concat(jobs...), limit: pageSize}
	slices.SortStableFunc(l.jobs, func(a, b listedJob) int { return b.created.Compare(a.created) })
	return l
}

// page is what the provider lists before a time, to the millisecond.
func (l *remoteList) page(before time.Time) page {
	p := page{found: map[types.UID]bool{}}
	for _, j := range l.jobs {
		created := j.created.Truncate(listPrecision)
		if created.After(before) || (created.Equal(before) && !l.inclusive) {
			continue
		}
		if p.jobs == l.limit {
			break
		}
		p.jobs++
		p.oldest = j.created
		if j.uid != "" {
			p.found[j.uid] = !j.doubtful
		}
	}
	return p
}

// isCrowded reports whether there are more jobs in a moment than on a page, so that one may not have the job at which it begins.
func (l *remoteList) isCrowded() bool {
	for i := l.limit; i < len(l.jobs); i++ {
		if l.jobs[i-l.limit].created.Sub(l.jobs[i].created) <= 2*listPrecision {
			return true
		}
	}
	return false
}

// ours are jobs that are looked for, created one after the other.
func ours(n int, every time.Duration) []listedJob {
	jobs := make([]listedJob, 0, n)
	for i := range n {
		jobs = append(jobs, listedJob{uid: types.UID(fmt.Sprint("ours-", i)), created: epoch.Add(time.Duration(i) * every)})
	}
	return jobs
}

// foreign are somebody else's jobs.
func foreign(n int, begin time.Time, every time.Duration) []listedJob {
	jobs := make([]listedJob, 0, n)
	for i := range n {
		jobs = append(jobs, listedJob{created: begin.Add(time.Duration(i) * every)})
	}
	return jobs
}

// exactly are lookups of jobs that were seen before.
func exactly(jobs []listedJob) []lookup {
	var lookups []lookup
	for _, j := range jobs {
		if j.uid != "" {
			from := j.created.Truncate(listPrecision)
			lookups = append(lookups, lookup{uid: j.uid, from: from, before: from.Add(listPrecision), due: epoch})
		}
	}
	return lookups
}

// roughly are lookups of jobs that were not seen since the manager has started.
func roughly(jobs []listedJob) []lookup {
	lookups := exactly(jobs)
	for i := range lookups {
		recorded := lookups[i].from.Truncate(time.Second)
		lookups[i].from, lookups[i].before = recorded.Add(-createdEarlier), recorded.Add(createdLater)
	}
	return lookups
}

func asSingles(lookups []lookup) []lookup {
	for i := range lookups {
		lookups[i].single = true
	}
	return lookups
}

// result is what a round came to.
type result struct {
	pages, gets, left int
	got               []lookup
}

// play plays a round, and checks what holds for each.
func play(t *testing.T, lookups []lookup, list *remoteList, known *spans) result {
	t.Helper()
	if known == nil {
		known = &spans{}
	}
	r := newRound(slices.Clone(lookups), known)
	open := map[types.UID]bool{}
	for _, l := range lookups {
		open[l.uid] = true
	}
	var last time.Time
	for {
		before, ok := r.nextPage()
		if !ok {
			break
		}
		if !last.IsZero() && !before.Before(last) {
			t.Fatalf("a page before %s comes after one before %s", before, last)
		}
		last = before
		p := list.page(before)
		for _, uid := range r.read(p) {
			if _, found := p.found[uid]; found {
				t.Fatalf("%s is called absent from a page that has it", uid)
			}
		}
		for uid, settled := range p.found {
			if settled {
				delete(open, uid)
			}
		}
	}
	rest := r.rest()
	for _, l := range rest {
		if !open[l.uid] {
			t.Fatalf("%s is asked about twice, or although it was on a page", l.uid)
		}
		delete(open, l.uid)
	}
	if r.pages+len(rest) > len(lookups) {
		t.Fatalf("%d pages and %d single requests for %d jobs", r.pages, len(rest), len(lookups))
	}
	if waste := len(lookups)/wasteShare + 1; len(open) > min(waste, r.pages) {
		t.Fatalf("%d jobs of %d are left to the next round after %d pages", len(open), len(lookups), r.pages)
	}
	return result{pages: r.pages, gets: len(rest), left: len(open), got: rest}
}

func TestRound(t *testing.T) {
	t.Parallel()
	alone := ours(5000, 100*time.Millisecond)
	scattered := ours(100, 36*time.Second)
	crowd := foreign(20_000, epoch, 180*time.Millisecond)
	unlisted := ours(300, time.Second)
	for name, c := range map[string]struct {
		lookups []lookup
		list    *remoteList
		// pages and gets are the most that there may be.
		pages, gets, left int
	}{
		"nobody":                       {nil, newRemoteList(), 0, 0, 0},
		"one job":                      {exactly(ours(1, 0)), newRemoteList(ours(1, 0)), 0, 1, 0},
		"two jobs":                     {exactly(ours(2, time.Second)), newRemoteList(ours(2, time.Second)), 1, 0, 0},
		"the project to ourselves":     {exactly(alone), newRemoteList(alone), 50, 0, 0},
		"the same after a restart":     {roughly(alone), newRemoteList(alone), 53, 0, 0},
		"few among many":               {exactly(scattered), newRemoteList(scattered, crowd), 40, 100, 0},
		"the same, recorded roughly":   {roughly(scattered), newRemoteList(scattered, crowd), 40, 100, 0},
		"many behind a crowd":          {exactly(alone), newRemoteList(alone, foreign(20_000, epoch.Add(time.Hour), time.Millisecond)), 50, 0, 0},
		"a crowd in our midst":         {exactly(alone), newRemoteList(alone, foreign(20_000, epoch.Add(250*time.Second), time.Millisecond)), 70, 200, 0},
		"no list":                      {asSingles(exactly(alone)), newRemoteList(alone), 0, 5000, 0},
		"the list is empty":            {exactly(alone), newRemoteList(), 1, 4999, 1},
		"a list that lags":             {exactly(unlisted), newRemoteList(unlisted[:200]), 3, 100, 0},
		"what is deleted":              {exactly(unlisted), newRemoteList(unlisted[:100], unlisted[103:]), 3, 3, 0},
		"all in one millisecond":       {exactly(ours(250, 0)), newRemoteList(ours(250, 0)), 1, 150, 0},
		"nothing that settles a look":  {exactly(unlisted), newRemoteList(doubtful(unlisted)), 31, 300, 31},
		"a second apart, far too many": {roughly(unlisted), newRemoteList(unlisted, foreign(300_000, epoch, time.Millisecond)), 35, 300, 32},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := play(t, c.lookups, c.list, nil)
			if got.pages > c.pages || got.gets > c.gets || got.left > c.left {
				t.Errorf("%d pages, %d single requests, %d jobs left; want at most %d, %d, %d", got.pages, got.gets, got.left, c.pages, c.gets, c.left)
			}
			c.list.inclusive = true
			if also := play(t, c.lookups, c.list, nil); also.pages > c.pages+1 || also.gets > c.gets || also.left > c.left {
				t.Errorf("with inclusive bounds: %d pages, %d single requests, %d jobs left; want at most %d, %d, %d", also.pages, also.gets, also.left, c.pages+1, c.gets, c.left)
			}
		})
	}
}

func doubtful(jobs []listedJob) []listedJob {
	jobs = slices.Clone(jobs)
	for i := range jobs {
		jobs[i].doubtful = true
	}
	return jobs
}

// What the first round has found out about the list, the next one goes by.
func TestRound_remembers(t *testing.T) {
	t.Parallel()
	scattered := ours(100, 36*time.Second)
	list := newRemoteList(scattered, foreign(20_000, epoch, 180*time.Millisecond))
	known := &spans{}
	first := play(t, exactly(scattered), list, known)
	second := play(t, exactly(scattered), list, known)
	third := play(t, exactly(scattered), list, known)
	if first.pages == 0 || second.pages >= first.pages || third.pages > second.pages || third.gets != 100-third.pages {
		t.Errorf("the rounds read %d, %d and %d pages", first.pages, second.pages, third.pages)
	}
}

// Pages that are behind what they have cost end with the round's requests, though each of them settles a job.
func TestRound_endsWithItsRequests(t *testing.T) {
	t.Parallel()
	lookups := exactly(ours(20, 0))
	for i := range lookups {
		lookups[i].from = epoch.Add(-time.Hour)
	}
	r := newRound(lookups, &spans{})
	for {
		before, ok := r.nextPage()
		if !ok {
			break
		}
		p := page{jobs: pageSize, oldest: before.Add(-2 * listPrecision), found: map[types.UID]bool{}}
		if r.pages > 2 {
			p.found[r.pending[0].uid] = true
		}
		r.read(p)
	}
	if r.pages != 20 || len(r.rest()) > 0 {
		t.Errorf("%d pages and %d single requests for 20 jobs", r.pages, len(r.rest()))
	}
}

// What is left comes first in the next round.
func TestRound_leftAreFirst(t *testing.T) {
	t.Parallel()
	lookups := asSingles(exactly(ours(20, time.Second)))
	for i := range lookups {
		lookups[i].due = epoch.Add(-time.Duration(i) * time.Second)
	}
	got := play(t, lookups, newRemoteList(), nil).got
	if got[0].uid != "ours-19" || got[19].uid != "ours-0" {
		t.Errorf("%s was asked about first, and %s last", got[0].uid, got[19].uid)
	}
}

// A list that cannot be read, from the first page on or later, is done without.
func TestRound_abandonsPages(t *testing.T) {
	t.Parallel()
	jobs := ours(250, time.Second)
	r := newRound(exactly(jobs), &spans{})
	before, _ := r.nextPage()
	r.read(newRemoteList(jobs).page(before))
	r.nextPage()
	r.read(page{})
	r.abandonPages()
	if _, ok := r.nextPage(); ok {
		t.Error("another page is read")
	}
	if rest := r.rest(); len(rest) != 150 {
		t.Errorf("%d jobs are asked about one by one", len(rest))
	}
}

// FuzzRound plays rounds on lists of all kinds: whatever they are, a round has no more requests than jobs, settles each or asks about it,
// and leaves no more to the next one than pages have cost in vain.
func FuzzRound(f *testing.F) {
	f.Add(uint64(1), uint16(100), uint16(2000), uint32(60_000), uint8(0), uint8(100))
	f.Add(uint64(2), uint16(500), uint16(0), uint32(10), uint8(3), uint8(100))
	f.Add(uint64(3), uint16(40), uint16(400), uint32(5000), uint8(20), uint8(7))
	f.Add(uint64(4), uint16(2), uint16(0), uint32(1), uint8(0), uint8(1))
	f.Fuzz(func(t *testing.T, seed uint64, watched, others uint16, spread uint32, oddity, limit uint8) {
		random := rand.New(rand.NewPCG(seed, seed))
		created := func() time.Time {
			return epoch.Add(time.Duration(random.Int64N(int64(spread)+1)) * time.Millisecond).Add(time.Duration(random.IntN(1000)) * time.Microsecond)
		}
		odd := func() bool { return random.IntN(256) < int(oddity) }
		var jobs, missing []listedJob
		for i := range int(watched) % 1000 {
			j := listedJob{uid: types.UID(fmt.Sprint(i)), created: created(), doubtful: odd()}
			if odd() {
				missing = append(missing, j)
				continue
			}
			jobs = append(jobs, j)
		}
		list := newRemoteList(jobs)
		for range int(others) % 5000 {
			list.jobs = append(list.jobs, listedJob{created: created()})
		}
		list = newRemoteList(list.jobs)
		list.inclusive, list.limit = seed%2 == 0, min(max(int(limit), 1), pageSize)
		lookups := slices.Concat(exactly(jobs), exactly(missing))
		if seed%3 == 0 {
			lookups = slices.Concat(roughly(jobs), roughly(missing))
		}
		for i := range lookups {
			lookups[i].single = odd()
		}
		known := &spans{}
		first := play(t, lookups, list, known)
		if oddity == 0 && seed%3 != 0 && first.left > 0 && !list.isCrowded() {
			t.Errorf("%d jobs are left to the next round, though the list has all of them where they were seen", first.left)
		}
		play(t, lookups, list, known)
	})
}
