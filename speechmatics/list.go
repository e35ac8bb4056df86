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
	"net/url"
	"strconv"
	"time"
)

const (
	maxPageSize = 100

	// maxPageBytes bounds one page: a hundred jobs, many of them with a large dictionary in their configuration.
	maxPageBytes = 128 << 20

	// listTimeFormat has the precision that the provider compares with.
	listTimeFormat = "2006-01-02T15:04:05.000Z"
	listPrecision  = time.Millisecond
)

// ListOptions adjusts [Client.ListJobs].
type ListOptions struct {
	// CreatedBefore, if not zero, begins the list with the jobs created before it, to the millisecond (rounded up). Whether a job created
	// at this very millisecond is among them is not documented.
	CreatedBefore time.Time
	// CreatedAfter, if not zero, ends the list at the first job created before it. The provider has no such filter: the client stops.
	CreatedAfter time.Time
	// IncludeDeleted lists deleted jobs, too. A [Worker] does not know it.
	IncludeDeleted bool
	// PageSize is the number of jobs per request, 1 to 100; 0 means 100.
	PageSize int
	// BeforeRequest, if not nil, is called before each request: the place to wait for one's turn. An error of it ends the list, and
	// is yielded as it is.
	BeforeRequest func(context.Context) error
}

// ListJobs lists the jobs of the key's project, newest first, with one request per page, sent when its first job is asked for. No
// connection is held while the caller looks at a job. After an error the list ends; without one, and unless the caller or
// CreatedAfter stopped it, it is complete as of its first request.
//
// The list ends when the provider has no job that was not listed already. That costs one more request than to stop at a page
// that is not full, but a short page proves nothing: a backend may have a lower limit than the one it was asked for, and a job
// missed here may be one that is bought a second time. Where absence matters set IncludeDeleted as well, because it is not
// documented whether deleted jobs are left out before or after a page is cut.
func (c *Client) ListJobs(ctx context.Context, opts ListOptions) iter.Seq2[*Job, error] {
	return func(yield func(*Job, error) bool) {
		if err := c.canListWith(opts); err != nil {
			yield(nil, err)
			return
		}
		pages, err := newPager(opts)
		if err != nil {
			yield(nil, err)
			return
		}
		for more := true; more; {
			var jobs []*Job
			jobs, more, err = c.nextPage(ctx, pages, opts.BeforeRequest)
			for _, job := range jobs {
				if isOlder(job, opts.CreatedAfter) || !yield(job, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

func (c *Client) canListWith(opts ListOptions) error {
	can := c.backend.Capabilities()
	return c.require(can.ListsDeleted || !opts.IncludeDeleted, opListJobs, "include_deleted", "list without ListOptions.IncludeDeleted")
}

// isOlder reports whether a job ends the list. One without a time does not.
func isOlder(job *Job, limit time.Time) bool {
	return !job.CreatedAt.IsZero() && job.CreatedAt.Before(limit)
}

// nextPage returns the jobs of the next page that were not listed before, also together with an error, and whether there may be more.
func (c *Client) nextPage(ctx context.Context, pages *pager, before func(context.Context) error) (jobs []*Job, more bool, err error) {
	if before != nil {
		if err := before(ctx); err != nil {
			return nil, false, err
		}
	}
	var page []*Job
	call := listCall(opListJobs, pages.query())
	resp, err := c.readPage(ctx, call, func(job *Job) { page = append(page, job) }) //nolint:bodyclose // readPage has closed it
	if err != nil {
		return nil, false, err
	}
	jobs, more, err = pages.advance(page)
	if err != nil {
		return jobs, false, call.responseError(resp, err)
	}
	return jobs, more, nil
}

// ListPage reads one page of the list of [Client.ListJobs], newest first: the up to 100 jobs that were created before a time, to the
// millisecond (rounded up); the newest of all if it is zero. Deleted jobs are left out. Whether a job of this very millisecond is
// among them is not documented.
//
// It is for callers who know where in the list the jobs are that they care for. Visit is called for each job as it is read, and
// nothing is kept, so that memory does not grow with what is listed. It may have been called for some before an error: what it was told is
// so, but the page is not whole. Errors are those of ListJobs.
func (c *Client) ListPage(ctx context.Context, createdBefore time.Time, visit func(*Job)) error {
	pages, err := newPager(ListOptions{CreatedBefore: createdBefore})
	if err != nil {
		return err
	}
	_, err = c.readPage(ctx, listCall(opListPage, pages.query()), visit) //nolint:bodyclose // readPage has closed it
	return err
}

func listCall(operation string, query url.Values) *call {
	return &call{operation: operation, method: http.MethodGet, segments: []string{"jobs"}, query: query}
}

// readPage sends the request of a page, and calls visit for each job on it. It returns the answer, read and closed, to tell about it.
func (c *Client) readPage(ctx context.Context, call *call, visit func(*Job)) (*http.Response, error) {
	resp, err := c.do(ctx, call)
	if err != nil {
		return nil, err
	}
	defer closeBody(resp)
	source := &trackedReader{source: resp.Body, maxTotal: maxPageBytes, maxItem: maxJobBytes}
	err = decodePage(source, visit)
	switch {
	case source.broken != nil:
		return resp, call.transportError(source.broken)
	case err != nil:
		return resp, call.responseError(resp, err)
	default:
		return resp, nil
	}
}

// pager knows where in the list the next page begins, and which of its jobs have been listed already.
//
// The provider pages by creation time alone, with a precision of a millisecond, and does not say whether its bound is exclusive.
// So the next page begins a millisecond after the oldest job so far, and overlaps with what is listed.
type pager struct {
	limit          int
	includeDeleted bool
	before         time.Time // zero: no bound
	overlaps       bool      // before is of the pager's making
	listed         map[string]time.Time
}

func newPager(opts ListOptions) (*pager, error) {
	if opts.PageSize < 0 || opts.PageSize > maxPageSize {
		problem := fmt.Sprintf("is %d, and must be 1 to %d, or 0 for the default", opts.PageSize, maxPageSize)
		return nil, &InvalidError{Operation: opListJobs, Field: "PageSize", Problem: problem}
	}
	p := &pager{limit: opts.PageSize, includeDeleted: opts.IncludeDeleted, listed: map[string]time.Time{}}
	if p.limit == 0 {
		p.limit = maxPageSize
	}
	if !opts.CreatedBefore.IsZero() {
		p.before = opts.CreatedBefore.Add(listPrecision - 1).Truncate(listPrecision)
	}
	return p, nil
}

func (p *pager) query() url.Values {
	query := url.Values{"limit": {strconv.Itoa(p.limit)}}
	if !p.before.IsZero() {
		query.Set("created_before", p.before.UTC().Format(listTimeFormat))
	}
	if p.includeDeleted {
		query.Set("include_deleted", "true")
	}
	return query
}

// advance takes a page, and returns its jobs that were not listed before, and whether there may be more.
func (p *pager) advance(page []*Job) (fresh []*Job, more bool, err error) {
	for _, job := range page {
		if p.isFresh(job) {
			p.listed[job.ID] = job.CreatedAt
			fresh = append(fresh, job)
		}
	}
	if len(fresh) == 0 {
		more, err = p.widen(len(page))
		return nil, more, err
	}
	oldest := oldestOf(fresh)
	if oldest.IsZero() {
		return fresh, false, errors.New("jobs without a creation time, so that the list cannot be continued")
	}
	p.continueAt(oldest)
	return fresh, true, nil
}

// isFresh leaves out what was listed, and what is newer than the page's bound: a job of the past second, or, from a backend that ignores
// the bound, all that was listed.
func (p *pager) isFresh(job *Job) bool {
	if _, ok := p.listed[job.ID]; ok {
		return false
	}
	return !p.overlaps || !job.CreatedAt.After(p.before)
}

// widen decides after a page with nothing new. If the page is full, all of it was created in the overlap's millisecond, and what else was
// may be hidden behind it: only a larger page can tell. A page with more than the limit is all there is, from a backend that does
// not page.
func (p *pager) widen(size int) (more bool, err error) {
	if size != p.limit {
		return false, nil
	}
	if p.limit == maxPageSize {
		return false, errors.New("a full page without a job that was not listed before: the backend does not page by " +
			"creation time, and the list is not complete")
	}
	p.limit = maxPageSize
	return true, nil
}

// continueAt sets the bound of the next page, and forgets the jobs that cannot be on it, so that memory does not grow with the list.
func (p *pager) continueAt(oldest time.Time) {
	p.before = oldest.Truncate(listPrecision).Add(listPrecision)
	p.overlaps = true
	for id, createdAt := range p.listed {
		if createdAt.After(p.before) {
			delete(p.listed, id)
		}
	}
}

func oldestOf(jobs []*Job) time.Time {
	var oldest time.Time
	for _, job := range jobs {
		if !job.CreatedAt.IsZero() && (oldest.IsZero() || job.CreatedAt.Before(oldest)) {
			oldest = job.CreatedAt
		}
	}
	return oldest
}

// decodePage reads {"jobs": [ … ]} job by job, so that never more than one job's configuration is in memory. A document without "jobs" is an
// error: that a project has no jobs must be said, not assumed.
func decodePage(source *trackedReader, visit func(*Job)) error {
	decoder := json.NewDecoder(source)
	source.consumed = decoder.InputOffset
	if err := expectDelim(decoder, '{'); err != nil {
		return err
	}
	found := false
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		if key == "jobs" {
			found = true
			err = decodeJobs(decoder, visit)
		} else {
			err = decoder.Decode(&json.RawMessage{})
		}
		if err != nil {
			return err
		}
	}
	if err := expectDelim(decoder, '}'); err != nil {
		return err
	}
	if !found {
		return errors.New(`it has no "jobs"`)
	}
	return nil
}

func decodeJobs(decoder *json.Decoder, visit func(*Job)) error {
	opening, err := decoder.Token()
	if err != nil || opening == nil { // null is how some backends write an empty list
		return err
	}
	if opening != json.Delim('[') {
		return errors.New(`"jobs" is not a list`)
	}
	for n := 1; decoder.More(); n++ {
		job := &Job{}
		if err := decoder.Decode(job); err != nil {
			return fmt.Errorf("job %d of the page: %w", n, err)
		}
		visit(job)
	}
	return expectDelim(decoder, ']')
}

func expectDelim(decoder *json.Decoder, want json.Delim) error {
	token, err := decoder.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("it has %v where %v belongs", token, want)
	}
	return nil
}

// trackedReader bounds what a decoder reads in all, and how much it holds without having made sense of it, which is one job at most.
type trackedReader struct {
	source            io.Reader
	maxTotal, maxItem int64
	consumed          func() int64 // how far the decoder is
	read              int64
	broken            error // how the source failed, as opposed to what it said
}

func (r *trackedReader) Read(p []byte) (int, error) {
	if r.read-r.consumed() > r.maxItem {
		return 0, fmt.Errorf("%w: a job of more than %d bytes", errTooLarge, r.maxItem)
	}
	if r.read > r.maxTotal {
		return 0, fmt.Errorf("%w: a page of more than %d bytes", errTooLarge, r.maxTotal)
	}
	n, err := r.source.Read(p)
	r.read += int64(n)
	if err != nil && err != io.EOF { // io.EOF is the proper end; io.ErrUnexpectedEOF is a failure
		r.broken = err
	}
	return n, err
}
