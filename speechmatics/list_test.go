// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// at returns a time some milliseconds and microseconds after the beginning of the tests' world.
func at(milliseconds, microseconds int) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, milliseconds*1_000_000+microseconds*1_000, time.UTC)
}

func collect(jobs iter.Seq2[*Job, error]) (ids []string, err error) {
	for job, err := range jobs {
		if err != nil {
			return ids, err
		}
		ids = append(ids, job.ID)
	}
	return ids, nil
}

// listServer answers with pages of its jobs, newest first.
type listServer struct {
	jobs []Job
	// How it differs from what is documented, or decides what is not.
	inclusive      bool // created_before includes its own millisecond
	maxLimit       int  // a lower limit than asked for; 0: none
	ignoresBounds  bool // all jobs on every page
	ignoresCursor  bool // the newest jobs on every page
	requests       []string
	createdOnFirst *Job // a job that is created after the first request
}

func (s *listServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, r.URL.RawQuery)
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || limit < 1 || limit > 100 {
		http.Error(w, "limit", http.StatusUnprocessableEntity)
		return
	}
	if s.maxLimit > 0 {
		limit = min(limit, s.maxLimit)
	}
	var page []string
	for _, job := range s.jobs {
		if s.ignoresBounds || (len(page) < limit && s.isBefore(job, r.URL.Query().Get("created_before"))) {
			page = append(page, fmt.Sprintf(`{"id":%q,"created_at":%q}`, job.ID, job.CreatedAt.Format(time.RFC3339Nano)))
		}
	}
	if s.createdOnFirst != nil && len(s.requests) == 1 {
		s.jobs = append([]Job{*s.createdOnFirst}, s.jobs...)
	}
	answer(http.StatusOK, "application/json", `{"jobs":[`+strings.Join(page, ",")+`]}`)(w, r)
}

// isBefore compares as the provider says it does: milliseconds, and the rest is cut off.
func (s *listServer) isBefore(job Job, createdBefore string) bool {
	if createdBefore == "" || s.ignoresCursor {
		return true
	}
	bound, err := time.Parse(time.RFC3339Nano, createdBefore)
	if err != nil {
		return false
	}
	bound, created := bound.Truncate(time.Millisecond), job.CreatedAt.Truncate(time.Millisecond)
	return created.Before(bound) || (s.inclusive && created.Equal(bound))
}

// jobsAt returns jobs with these times, newest first as they must be, named by their position.
func jobsAt(times ...time.Time) []Job {
	var jobs []Job
	for i, created := range times {
		jobs = append(jobs, Job{ID: fmt.Sprintf("job%d", i), CreatedAt: created})
	}
	return jobs
}

func evenly(n int) []Job {
	var times []time.Time
	for i := range n {
		times = append(times, at(0, 0).Add(-time.Duration(i)*time.Second))
	}
	return jobsAt(times...)
}

func sameMillisecond(n int) []Job {
	var times []time.Time
	for i := range n {
		times = append(times, at(7, 999-i))
	}
	return jobsAt(times...)
}

func TestListJobs(t *testing.T) {
	late := Job{ID: "late", CreatedAt: at(999, 0).Add(time.Hour)}
	tests := []struct {
		name         string
		server       listServer
		options      ListOptions
		want         int // that many, from the newest on
		skip         int // but not the first ones
		fails        bool
		maxRequests  int
		firstRequest string
	}{
		{name: "no jobs", maxRequests: 1, firstRequest: "limit=100"},
		{name: "few", server: listServer{jobs: evenly(5)}, want: 5, maxRequests: 2},
		{name: "exactly a page", server: listServer{jobs: evenly(100)}, want: 100, maxRequests: 2},
		{name: "pages", server: listServer{jobs: evenly(250)}, want: 250, maxRequests: 4},
		{name: "small pages", server: listServer{jobs: evenly(7)}, options: ListOptions{PageSize: 3}, want: 7, firstRequest: "limit=3"},
		{name: "pages of one", server: listServer{jobs: evenly(7)}, options: ListOptions{PageSize: 1}, want: 7},
		{name: "pages of one, bound included", server: listServer{jobs: evenly(7), inclusive: true}, options: ListOptions{PageSize: 1}, want: 7},
		{name: "lower limit than asked for", server: listServer{jobs: evenly(70), maxLimit: 20}, want: 70},
		{
			name:    "page border within a millisecond",
			server:  listServer{jobs: append(evenly(0), jobsAt(at(9, 0), at(7, 900), at(7, 500), at(7, 100), at(6, 0), at(5, 0))...)},
			options: ListOptions{PageSize: 3}, want: 6,
		},
		{
			name:    "page border within a millisecond, bound included",
			server:  listServer{jobs: jobsAt(at(9, 0), at(7, 900), at(7, 500), at(7, 100), at(6, 0), at(5, 0)), inclusive: true},
			options: ListOptions{PageSize: 3}, want: 6,
		},
		{name: "more in a millisecond than on a page", server: listServer{jobs: sameMillisecond(50)}, options: ListOptions{PageSize: 10}, want: 50},
		{name: "more in a millisecond than can be asked for", server: listServer{jobs: sameMillisecond(150)}, want: 100, fails: true},
		{name: "created meanwhile", server: listServer{jobs: evenly(5), createdOnFirst: &late}, want: 5},
		{name: "backend that does not page, all on one", server: listServer{jobs: evenly(300), ignoresBounds: true}, want: 300, maxRequests: 2},
		{name: "backend that does not page, few", server: listServer{jobs: evenly(30), ignoresBounds: true}, want: 30, maxRequests: 2},
		{name: "backend that repeats its first page", server: listServer{jobs: evenly(300), ignoresCursor: true}, want: 100, fails: true},
		{
			name: "created before", server: listServer{jobs: evenly(5)},
			options:      ListOptions{CreatedBefore: at(0, 0).Add(-2 * time.Second)},
			skip:         3,
			want:         5,
			firstRequest: "created_before=2026-01-02T03%3A04%3A03.000Z&limit=100",
		},
		{
			name: "created before, finer than a millisecond, in another zone", server: listServer{jobs: jobsAt(at(8, 0), at(7, 100), at(6, 0))},
			options:      ListOptions{CreatedBefore: at(7, 101).In(time.FixedZone("", 3600))},
			skip:         1,
			want:         3,
			firstRequest: "created_before=2026-01-02T03%3A04%3A05.008Z&limit=100",
		},
		{
			name: "created after", server: listServer{jobs: evenly(250)},
			options:     ListOptions{CreatedAfter: at(0, 0).Add(-2 * time.Second)},
			want:        3,
			maxRequests: 1,
		},
		{
			name: "deleted, too", server: listServer{jobs: evenly(1)}, options: ListOptions{IncludeDeleted: true}, want: 1,
			firstRequest: "include_deleted=true&limit=100",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []string
			for _, job := range tt.server.jobs[tt.skip:tt.want] {
				want = append(want, job.ID)
			}
			c := serve(t, tt.server.ServeHTTP)
			got, err := collect(c.ListJobs(testContext(t), tt.options))
			if (err != nil) != tt.fails {
				t.Errorf("got error %v", err)
			}
			var incomplete *ResponseError
			if tt.fails && !errors.As(err, &incomplete) {
				t.Errorf("got %#v", err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if tt.maxRequests > 0 && len(tt.server.requests) > tt.maxRequests {
				t.Errorf("sent %d requests: %v", len(tt.server.requests), tt.server.requests)
			}
			if tt.firstRequest != "" && tt.server.requests[0] != tt.firstRequest {
				t.Errorf("got %s", tt.server.requests[0])
			}
		})
	}
}

func TestListJobsIsLazy(t *testing.T) {
	server := listServer{jobs: evenly(250)}
	c := serve(t, server.ServeHTTP)
	jobs := c.ListJobs(testContext(t), ListOptions{})
	if len(server.requests) != 0 {
		t.Error("a request was sent before a job was asked for")
	}
	seen := 0
	for _, err := range jobs {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 100 {
			break
		}
	}
	if len(server.requests) != 1 {
		t.Errorf("the first page took %d requests", len(server.requests))
	}
	// The iterator begins anew each time.
	if again, err := collect(jobs); err != nil || len(again) != 250 {
		t.Errorf("got %d jobs, %v", len(again), err)
	}
}

func TestListJobsRefusesPageSizes(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for _, size := range []int{-1, 101} {
		_, err := collect(c.ListJobs(testContext(t), ListOptions{PageSize: size}))
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "PageSize" {
			t.Errorf("got %v", err)
		}
	}
}

// An error after some pages ends the list, once, and says so.
func TestListJobsErrorInTheMiddle(t *testing.T) {
	server := listServer{jobs: evenly(250)}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if len(server.requests) == 1 {
			answer(http.StatusServiceUnavailable, "text/html", "<title>503</title>")(w, r)
			return
		}
		server.ServeHTTP(w, r)
	})
	jobs, failures := 0, 0
	for job, err := range c.ListJobs(testContext(t), ListOptions{}) {
		if (job == nil) == (err == nil) {
			t.Errorf("got %v and %v", job, err)
		}
		if err == nil {
			jobs++
			continue
		}
		failures++
		if !hasStatus(err, http.StatusServiceUnavailable) {
			t.Errorf("got %v", err)
		}
	}
	if jobs != 100 || failures != 1 {
		t.Errorf("got %d jobs and %d errors", jobs, failures)
	}
}

func TestListPagesThatCannotBeUnderstood(t *testing.T) {
	for name, body := range map[string]string{
		"empty":              ``,
		"a page of a proxy":  `<html>`,
		"no jobs":            `{}`,
		"an error":           `{"code":200,"error":"odd"}`,
		"a list":             `[]`,
		"jobs no list":       `{"jobs":{}}`,
		"jobs a number":      `{"jobs":7}`,
		"job null":           `{"jobs":[null]}`,
		"job without ID":     `{"jobs":[{"status":"done"}]}`,
		"job no object":      `{"jobs":["a"]}`,
		"cut off in a job":   `{"jobs":[{"id":"a","st`,
		"cut off in list":    `{"jobs":[{"id":"a"}`,
		"cut off at the end": `{"jobs":[{"id":"a"}]`,
		"wrong bracket":      `{"jobs":[{"id":"a"}}`,
		"no creation time":   `{"jobs":[{"id":"a"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := collect(serve(t, answer(http.StatusOK, "application/json", body)).ListJobs(testContext(t), ListOptions{}))
			var unusable *ResponseError
			if !errors.As(err, &unusable) || unusable.Operation != "ListJobs" || unusable.RequestID == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestListPagesThatAreUnderstood(t *testing.T) {
	for name, body := range map[string]string{
		"null":          `{"jobs":null}`,
		"empty":         ` {"jobs" : [ ] } `,
		"other members": `{"next":null,"x":{"y":[1,{"jobs":[{"id":"no"}]}]},"jobs":[],"total":0}`,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := collect(serve(t, answer(http.StatusOK, "application/json", body)).ListJobs(testContext(t), ListOptions{}))
			if err != nil || len(got) != 0 {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestListJobsCutOffOnTheWire(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"jobs":[{"id":"a"}`)
	})
	_, err := collect(c.ListJobs(testContext(t), ListOptions{}))
	var transport *TransportError
	if !errors.As(err, &transport) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestPageBounds(t *testing.T) {
	item := func(size int) string {
		return `{"id":"a","x":"` + strings.Repeat("x", size-len(`{"id":"a","x":""}`)) + `"}`
	}
	page := func(items ...string) string { return `{"jobs":[` + strings.Join(items, ",") + `]}` }
	const maxItem, maxTotal = 10_000, 50_000
	tests := []struct {
		name  string
		body  string
		fails bool
	}{
		{"small", page(item(100), item(200)), false},
		{"item at its bound", page(item(100), item(maxItem), item(maxItem)), false},
		{"item beyond its bound", page(item(100), item(2*maxItem)), true},
		{"other member beyond an item's bound", `{"x":"` + strings.Repeat("x", 2*maxItem) + `","jobs":[]}`, true},
		{"page beyond its bound", page(item(9000), item(9000), item(9000), item(9000), item(9000), item(9000), item(9000)), true},
		{"blank beyond an item's bound", page(item(100)) + strings.Repeat(" ", 2*maxTotal), false}, // nobody reads it
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, reader := range []io.Reader{strings.NewReader(tt.body), iotest.HalfReader(strings.NewReader(tt.body))} {
				source := &trackedReader{source: reader, maxItem: maxItem, maxTotal: maxTotal}
				err := decodePage(source, func(*Job) {})
				if (err != nil) != tt.fails || (err != nil && !errors.Is(err, errTooLarge)) {
					t.Errorf("got %v", err)
				}
				if source.broken != nil {
					t.Errorf("a bound counts as a broken connection: %v", source.broken)
				}
				if source.read > 2*maxTotal {
					t.Errorf("%d bytes were read", source.read)
				}
			}
		})
	}
}

// What the pager remembers does not grow with the list.
func TestPagerForgets(t *testing.T) {
	pages, err := newPager(ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	jobs := evenly(10_000)
	for begin := 0; begin < len(jobs); begin += 100 {
		var page []*Job
		for i := range jobs[begin : begin+100] {
			page = append(page, &jobs[begin+i])
		}
		if fresh, more, err := pages.advance(page); len(fresh) != 100 || !more || err != nil {
			t.Fatalf("got %d, %t, %v", len(fresh), more, err)
		}
		if len(pages.listed) > 2 {
			t.Fatalf("it remembers %d jobs", len(pages.listed))
		}
	}
}

func TestListJobsCancelledBetweenPages(t *testing.T) {
	server := listServer{jobs: evenly(250)}
	c := serve(t, server.ServeHTTP)
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	seen := 0
	var last error
	for _, err := range c.ListJobs(ctx, ListOptions{}) {
		cancel()
		if last = err; err == nil {
			seen++
		}
	}
	if seen != 100 || !errors.Is(last, context.Canceled) {
		t.Errorf("got %d jobs and %v", seen, last)
	}
}

// A page is what is older than the bound, and no more than one request.
func TestListPage(t *testing.T) {
	server := &listServer{jobs: evenly(250)}
	c := serve(t, server.ServeHTTP)
	read := func(before time.Time) (ids []string) {
		t.Helper()
		if err := c.ListPage(testContext(t), before, func(job *Job) { ids = append(ids, job.ID) }); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	newest := read(time.Time{})
	older := read(server.jobs[100].CreatedAt.Add(time.Millisecond))
	oldest := read(server.jobs[240].CreatedAt.Add(-time.Millisecond))
	for name, ids := range map[string][]string{"newest": newest, "older": older} {
		if len(ids) != 100 {
			t.Errorf("%s: got %d jobs", name, len(ids))
		}
	}
	if newest[0] != server.jobs[0].ID || older[0] != server.jobs[100].ID || oldest[0] != server.jobs[241].ID || len(oldest) != 9 {
		t.Errorf("pages begin with %s, %s and %s, and the last one has %d jobs", newest[0], older[0], oldest[0], len(oldest))
	}
	if len(server.requests) != 3 {
		t.Errorf("it took the requests %q", server.requests)
	}
}

// What was read of a page that breaks off was told, together with the error.
func TestListPageBroken(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"jobs":[{"id":"a"},{"id":"b"},{"status":"done"}]}`)
	})
	var ids []string
	err := c.ListPage(testContext(t), time.Time{}, func(job *Job) { ids = append(ids, job.ID) })
	var response *ResponseError
	if !errors.As(err, &response) || response.Operation != "ListPage" || len(ids) != 2 {
		t.Errorf("got %v and %q", err, ids)
	}
}

// A page of large jobs is read with the memory of one.
func TestListPageMemory(t *testing.T) {
	item := func(i int) string {
		return fmt.Sprintf(`{"id":"j%d","config":{"tracking":{"details":{"x":%q}},"transcription_config":{"additional_vocab":[%q]}}}`,
			i, strings.Repeat("d", 200_000), strings.Repeat("v", 50_000))
	}
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"jobs":[`+item(0))
		for i := 1; i < 100; i++ {
			_, _ = io.WriteString(w, ","+item(i))
		}
		_, _ = io.WriteString(w, `]}`)
	})
	n, peak := 0, uint64(0)
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	before := memory.HeapAlloc
	if err := c.ListPage(testContext(t), time.Time{}, func(*Job) {
		if n++; n%20 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&memory)
			peak = max(peak, memory.HeapAlloc)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if n != 100 || peak > before+8<<20 {
		t.Errorf("%d jobs of a page of 25 MB were read, with %d bytes more in use than before", n, int64(peak)-int64(before))
	}
}

func FuzzListPage(f *testing.F) {
	f.Add([]byte(`{"jobs":[{"id":"a","created_at":"2026-01-02T03:04:05.678Z"},{"id":"b"}],"x":[{}]}`))
	f.Add([]byte(`{"jobs":null}`))
	f.Add([]byte(`{"jobs":[{"id":"a"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		const maxItem, maxTotal = 1000, 4000
		source := &trackedReader{source: strings.NewReader(string(body)), maxItem: maxItem, maxTotal: maxTotal}
		var page []*Job
		if err := decodePage(source, func(job *Job) { page = append(page, job) }); err != nil {
			return
		}
		if !json.Valid(body[:min(len(body), int(source.consumed()))]) {
			t.Errorf("accepted, though it is not JSON: %q", body)
		}
		for _, job := range page {
			if job.ID == "" {
				t.Error("a job without an ID")
			}
		}
		pages, _ := newPager(ListOptions{})
		fresh, _, _ := pages.advance(page)
		if again, _, _ := pages.advance(fresh); len(again) != 0 {
			// A page's own jobs are new only once, unless they are out of reach of the next page.
			for _, job := range again {
				if !job.CreatedAt.After(pages.before) && !job.CreatedAt.IsZero() {
					t.Errorf("job %s is listed twice", job.ID)
				}
			}
		}
	})
}

// The hook is called for each page, before its request, and what it says counts.
func TestListJobsBeforeRequest(t *testing.T) {
	errWait := errors.New("no turn")
	server := &listServer{jobs: evenly(250)}
	turns := 0
	ids, err := collect(serve(t, server.ServeHTTP).ListJobs(testContext(t), ListOptions{BeforeRequest: func(context.Context) error {
		if len(server.requests) != turns {
			t.Errorf("turn %d after %d requests", turns+1, len(server.requests))
		}
		if turns++; turns == 3 {
			return errWait
		}
		return nil
	}}))
	if err != errWait || len(ids) != 199 || len(server.requests) != 2 { //nolint:errorlint // as it is
		t.Errorf("got %d jobs, %v, after %d requests", len(ids), err, len(server.requests))
	}
}
