// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"iter"
	"math"
	"net/http"
	"strconv"
	"time"
)

// maxListed is the length of a page at most, and without the limit parameter.
const maxListed = 100

// listQuery is what a list is asked for.
type listQuery struct {
	by             caller
	limit          int
	createdBefore  time.Time // zero: no bound
	includeDeleted bool
}

// listJobs answers GET /jobs: newest first.
func (s *Server) listJobs(w http.ResponseWriter, r *http.Request, by caller) {
	query, problem := parseListQuery(r)
	if problem != "" {
		s.writeError(w, http.StatusUnprocessableEntity, problem, "")
		return
	}
	query.by = by
	if !r.URL.Query().Has("limit") && (s.onPremises() || s.Behaviour().UnlimitedLists) {
		query.limit = math.MaxInt // as an appliance does
	}
	writeJSON(w, http.StatusOK, map[string][]jobDetails{"jobs": s.list(query)})
}

// parseListQuery reads the parameters, or says what is wrong with them.
func parseListQuery(r *http.Request) (q listQuery, problem string) {
	values := r.URL.Query()
	q.limit = maxListed
	if values.Has("limit") {
		limit, err := strconv.ParseInt(values.Get("limit"), 10, 64)
		switch {
		case err != nil:
			return q, "limit in query must be of type int64"
		case limit < 1:
			return q, "limit in query should be greater than or equal to 1"
		case limit > maxListed:
			return q, "limit in query should be less than or equal to 100"
		}
		q.limit = int(limit)
	}
	if values.Has("created_before") {
		before, err := time.Parse(time.RFC3339Nano, values.Get("created_before"))
		if err != nil {
			return q, "created_before in query must be of type date-time"
		}
		q.createdBefore = before.Truncate(time.Millisecond)
	}
	if values.Has("include_deleted") {
		include, err := strconv.ParseBool(values.Get("include_deleted"))
		if err != nil {
			return q, "include_deleted in query must be of type boolean"
		}
		q.includeDeleted = include
	}
	return q, ""
}

// list returns a page.
func (s *Server) list(q listQuery) []jobDetails {
	b := s.Behaviour()
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	page := []jobDetails{}
	for j := range q.candidates(s.newest, b) {
		if len(page) == q.limit {
			break
		}
		if !q.by.sees(j) || now.Before(j.visibleAt) {
			continue
		}
		s.refresh(j)
		if (j.status == statusDeleted && !q.includeDeleted) || (j.status == statusExpired && !b.ListExpired) {
			continue
		}
		s.toldDone(j)
		details := j.details()
		if s.onPremises() || j.status == statusDeleted && b.DropDeletedConfig {
			details.Config = nil
		}
		page = append(page, s.presented(details))
	}
	return page
}

// candidates are the jobs that were created before the bound, newest first.
func (q listQuery) candidates(all timeline, b Behaviour) iter.Seq[*job] {
	if q.createdBefore.IsZero() {
		return backward(all)
	}
	return all.before(q.createdBefore, b.CreatedBeforeInclusive)
}
