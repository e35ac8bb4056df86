// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// defaultMaxLookups bounds a search whose caller gives no bound: at the provider's recommended rate it is a minute or so.
const defaultMaxLookups = 1000

// SubmissionQuery says which submission [Client.FindSubmissions] looks for, and how.
type SubmissionQuery struct {
	// Reference is the Tracking.Reference that was submitted. Exactly one of Reference and Match is given.
	Reference string
	// Match recognises the job where a reference that is equal does not serve. It is called once for each candidate whose tracking data is
	// known; Job.Tracking is nil for a job that has none.
	Match func(*Job) bool
	// Since is when the submission was begun, less the skew between the provider's clock and one's own: no job created before is looked
	// at. Required, since a search without it would read all there is.
	Since time.Time
	// Until, if not zero, is when the submission cannot have arrived any more, plus the skew: jobs created later are not looked at.
	// It saves requests where each candidate costs one.
	Until time.Time
	// MaxLookups bounds the requests about single jobs, on backends whose list does not have tracking data; 0 means 1000. A search
	// that reaches it ends in doubt.
	MaxLookups int
	// Timeout bounds how long the search takes; 0 means as long as the context permits. A search that reaches it ends in doubt.
	Timeout time.Duration
	// BeforeRequest, if not nil, is called before each request, with the name of the method that stands for it ("ListJobs" or "GetJob"):
	// the place to wait for one's turn. An error of it ends the search, and is returned as it is.
	BeforeRequest func(ctx context.Context, operation string) error
}

// Submissions is what [Client.FindSubmissions] has found.
type Submissions struct {
	// Jobs are those that were looked for: first those that exist, then those deleted or expired, the oldest first.
	Jobs []*Job
	// Unidentified are jobs that might be the one: they are listed, but what they are cannot be told any more, because they are gone.
	Unidentified []*Job
	// Incomplete means that SubmissionQuery.MaxLookups or Timeout was reached, so that there are jobs which were not looked at.
	Incomplete bool
	// Doubt says, for people, why it proves nothing if a job is not among Jobs; empty if it was not listed, and that is all there is to know.
	Doubt string
}

// FindSubmissions looks for what has become of a submission whose outcome is unknown ([NotCreated] is false): the provider cannot be
// asked about a reference, but it can be asked about all jobs, one page after the other.
//
// On backends whose list does not have tracking data each candidate takes a request of its own. On those that forget, and when the
// submission is older than what the backend keeps, absence proves nothing, and Submissions.Doubt says so.
//
// How long after its submission a job may still appear in the list is not documented. A search proves nothing before the request can
// not arrive any more, and should then be repeated after a while. Errors are those of [Client.ListJobs] and [Client.GetJob]; with an
// error, also that of a context which has ended, there is no partial result.
func (c *Client) FindSubmissions(ctx context.Context, query SubmissionQuery) (*Submissions, error) {
	search, err := c.newSearch(query)
	if err != nil {
		return nil, err
	}
	within := ctx
	if query.Timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, query.Timeout)
		defer cancel()
	}
	err = search.run(within)
	switch {
	case err == nil:
	case within.Err() != nil && ctx.Err() == nil:
		search.found.Incomplete = true
	default:
		return nil, err
	}
	return search.result(), nil
}

// search is a FindSubmissions in progress.
type search struct {
	SubmissionQuery
	client     *Client
	can        Capabilities
	found      Submissions
	lookups    int
	lookupsMax int
}

func (c *Client) newSearch(query SubmissionQuery) (*search, error) {
	invalid := func(field, problem string) (*search, error) {
		return nil, &InvalidError{Operation: opFindSubmissions, Field: field, Problem: problem}
	}
	switch {
	case (query.Reference == "") == (query.Match == nil):
		return invalid("Reference", "or Match must be given, and only one of them")
	case query.Since.IsZero():
		return invalid("Since", "is missing")
	case !query.Until.IsZero() && query.Until.Before(query.Since):
		return invalid("Until", "is before Since")
	case query.MaxLookups < 0:
		return invalid("MaxLookups", "is negative")
	case query.Timeout < 0:
		return invalid("Timeout", "is negative")
	}
	s := &search{SubmissionQuery: query, client: c, can: c.backend.Capabilities(), lookupsMax: query.MaxLookups}
	if s.lookupsMax == 0 {
		s.lookupsMax = defaultMaxLookups
	}
	return s, nil
}

// run looks at one job of the list after the other.
func (s *search) run(ctx context.Context) error {
	for job, err := range s.client.ListJobs(ctx, s.listOptions()) {
		if err != nil {
			return err
		}
		if err := s.consider(ctx, job); err != nil {
			return err
		}
		if s.found.Incomplete {
			break
		}
	}
	return nil
}

func (s *search) listOptions() ListOptions {
	options := ListOptions{CreatedBefore: s.Until, CreatedAfter: s.Since, IncludeDeleted: s.can.ListsDeleted}
	if !s.Until.IsZero() {
		options.CreatedBefore = s.Until.Add(listPrecision) // whether the bound itself is included is not documented
	}
	if s.BeforeRequest != nil {
		options.BeforeRequest = func(ctx context.Context) error { return s.BeforeRequest(ctx, opListJobs) }
	}
	return options
}

// consider looks at one job of the list.
func (s *search) consider(ctx context.Context, job *Job) error {
	if !s.Until.IsZero() && job.CreatedAt.After(s.Until) {
		return nil
	}
	if job.Tracking == nil && !s.can.ListHasConfig {
		known, err := s.lookUp(ctx, job)
		if known == nil {
			return err
		}
		job = known
	}
	if s.matches(job) {
		s.found.Jobs = append(s.found.Jobs, job)
	}
	return nil
}

// lookUp asks about a job of which the list tells too little. It returns nil without an error for one that cannot be asked about.
func (s *search) lookUp(ctx context.Context, listed *Job) (*Job, error) {
	if s.lookups == s.lookupsMax {
		s.found.Incomplete = true
		return nil, nil
	}
	s.lookups++
	if s.BeforeRequest != nil {
		if err := s.BeforeRequest(ctx, opGetJob); err != nil {
			return nil, err
		}
	}
	job, err := s.client.GetJob(ctx, listed.ID)
	if IsNotFound(err) || IsGone(err) {
		s.found.Unidentified = append(s.found.Unidentified, listed)
		return nil, nil
	}
	return job, err
}

func (s *search) matches(job *Job) bool {
	if s.Match != nil {
		return s.Match(job)
	}
	return job.Tracking != nil && job.Tracking.Reference == s.Reference
}

func (s *search) result() *Submissions {
	slices.SortStableFunc(s.found.Jobs, func(a, b *Job) int {
		if a.isGone() != b.isGone() {
			if a.isGone() {
				return 1
			}
			return -1
		}
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	s.found.Doubt = strings.Join(s.doubts(), "; ")
	return &s.found
}

func (s *search) doubts() []string {
	var doubts []string
	if !s.can.Remembers {
		doubts = append(doubts, fmt.Sprintf("the backend %q forgets its jobs when it is restarted", s.client.backend))
	}
	if s.can.Retention > 0 && s.client.now().Sub(s.Since) > s.can.Retention {
		doubts = append(doubts, fmt.Sprintf("the submission may be older than what the backend %q keeps, which is %s", s.client.backend, s.can.Retention))
	}
	if n := len(s.found.Unidentified); n > 0 {
		doubts = append(doubts, fmt.Sprintf("%d jobs of that time are gone, so that it cannot be told what they were", n))
	}
	if s.found.Incomplete {
		doubts = append(doubts, "there are more jobs of that time than could be looked at")
	}
	return doubts
}

// isGone reports whether nothing is left of a job but the fact that it existed.
func (j *Job) isGone() bool { return j.Status == JobDeleted || j.Status == JobExpired }
