// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// projectJob is a job of projectServer.
type projectJob struct {
	id, status, reference string
	created               time.Time
	gone                  bool // the list has it, GET does not
}

func (j projectJob) document(withConfig bool) string {
	config := ""
	if withConfig && j.reference != "" {
		config = fmt.Sprintf(`,"config":{"type":"transcription","tracking":{"reference":%q}}`, j.reference)
	}
	return fmt.Sprintf(`{"id":%q,"status":%q,"created_at":%q%s}`, j.id, j.status, j.created.Format(time.RFC3339Nano), config)
}

// projectServer answers lists on one page, and GETs, as the backend would.
type projectServer struct {
	jobs     []projectJob // newest first
	backend  Backend
	endless  bool // created_before is ignored
	requests []string
}

func (s *projectServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, strings.TrimPrefix(r.URL.Path, "/v2"))
	query := r.URL.Query()
	if r.URL.Path == "/v2/jobs" {
		s.list(w, query.Get("created_before"), query.Has("include_deleted"))
		return
	}
	for _, job := range s.jobs {
		if r.URL.Path == "/v2/jobs/"+job.id && !job.gone {
			_, _ = io.WriteString(w, `{"job":`+job.document(true)+`}`)
			return
		}
	}
	answer(http.StatusNotFound, "application/json", `{"code":404,"error":"Job not found"}`)(w, r)
}

func (s *projectServer) list(w http.ResponseWriter, createdBefore string, deleted bool) {
	var items []string
	for _, job := range s.jobs {
		isBefore := s.endless || createdBefore == "" || job.created.Format("2006-01-02T15:04:05.000Z") < createdBefore
		if isBefore && (deleted || job.status != "deleted") {
			items = append(items, job.document(s.backend == SaaS))
		}
	}
	_, _ = io.WriteString(w, `{"jobs":[`+strings.Join(items, ",")+`]}`)
}

func TestFindSubmissions(t *testing.T) {
	since, until := at(0, 0), at(0, 0).Add(time.Minute)
	minute := func(seconds int) time.Time { return since.Add(time.Duration(seconds) * time.Second) }
	jobs := []projectJob{
		{id: "later", status: "running", reference: "mine", created: minute(90)},
		{id: "second", status: "running", reference: "mine", created: minute(40)},
		{id: "other", status: "done", reference: "yours", created: minute(30)},
		{id: "none", status: "done", created: minute(25)},
		{id: "first", status: "done", reference: "mine", created: minute(20)},
		{id: "deleted", status: "deleted", reference: "mine", created: minute(10)},
		{id: "earlier", status: "done", reference: "mine", created: minute(-1)},
	}
	mine := SubmissionQuery{Reference: "mine", Since: since, Until: until}
	tests := []struct {
		name     string
		backend  Backend
		endless  bool
		jobs     []projectJob
		query    SubmissionQuery
		age      time.Duration // of Since
		want     []string
		unknown  []string
		doubt    string // a part of it; empty for none
		requests int
	}{
		{
			name: "the list tells it all", backend: SaaS, jobs: jobs, query: mine,
			want: []string{"first", "second", "deleted"}, requests: 1,
		},
		{
			name: "a list that ignores the bound", backend: Appliance, endless: true, jobs: jobs, query: mine,
			want: []string{"first", "second", "deleted"}, requests: 1 + 5,
		},
		{
			name: "no bound", backend: SaaS, jobs: jobs, query: SubmissionQuery{Reference: "mine", Since: since},
			want: []string{"first", "second", "later", "deleted"}, requests: 1,
		},
		{name: "nothing", backend: SaaS, jobs: jobs, query: SubmissionQuery{Reference: "min", Since: since, Until: until}, requests: 1},
		{
			name: "by a function", backend: SaaS, jobs: jobs,
			query: SubmissionQuery{Since: since, Until: until, Match: func(j *Job) bool { return j.Tracking == nil }},
			want:  []string{"none"}, requests: 1,
		},
		{
			name: "created at the bounds", backend: SaaS, query: mine,
			jobs: []projectJob{{id: "b", reference: "mine", created: until}, {id: "a", reference: "mine", created: since}},
			want: []string{"a", "b"}, requests: 2,
		},
		{
			name: "kept no longer", backend: SaaS, jobs: jobs, query: mine, age: 7*24*time.Hour + 1,
			want: []string{"first", "second", "deleted"}, doubt: "older than what", requests: 1,
		},
		{
			name: "just kept", backend: SaaS, jobs: jobs, query: mine, age: 7 * 24 * time.Hour,
			want: []string{"first", "second", "deleted"}, requests: 1,
		},
		{
			name: "one request per candidate", backend: Appliance, jobs: jobs, query: mine,
			want: []string{"first", "second", "deleted"}, requests: 1 + 5,
		},
		{
			name: "a candidate that is gone", backend: Appliance, query: mine,
			jobs:    []projectJob{{id: "a", reference: "mine", created: since}, {id: "b", created: since, gone: true}},
			want:    []string{"a"},
			unknown: []string{"b"}, doubt: "1 jobs of that time are gone", requests: 4,
		},
		{
			name: "kept no longer by an appliance", backend: Appliance, query: mine, age: 25 * time.Hour,
			doubt: "older than what", requests: 1,
		},
		{
			name: "too many candidates", backend: Appliance, jobs: jobs,
			query: SubmissionQuery{Reference: "mine", Since: since, Until: until, MaxLookups: 2},
			want:  []string{"second"}, doubt: "more jobs of that time than could be looked at", requests: 1 + 2,
		},
		{
			name: "a backend that forgets", backend: Worker, jobs: jobs, query: mine,
			want: []string{"first", "second"}, doubt: "forgets", requests: 1 + 4,
		},
		{name: "a backend that has forgotten", backend: Worker, query: mine, doubt: "forgets", requests: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := &projectServer{jobs: tt.jobs, backend: tt.backend, endless: tt.endless}
			now := func() time.Time { return since.Add(tt.age) }
			c := serve(t, server.ServeHTTP, WithBackend(tt.backend), WithClock(now))
			var announced []string
			tt.query.BeforeRequest = func(_ context.Context, operation string) error {
				announced = append(announced, operation)
				return nil
			}
			got, err := c.FindSubmissions(testContext(t), tt.query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, idsOf(got.Jobs)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.unknown, idsOf(got.Unidentified)); diff != "" {
				t.Error(diff)
			}
			if (tt.doubt == "") != (got.Doubt == "") || !strings.Contains(got.Doubt, tt.doubt) {
				t.Errorf("got the doubt %q", got.Doubt)
			}
			if len(server.requests) != tt.requests {
				t.Errorf("requests: %v", server.requests)
			}
			assertAnnounced(t, announced, server.requests)
		})
	}
}

// assertAnnounced checks that each request was announced as what it was.
func assertAnnounced(t *testing.T, announced, requests []string) {
	t.Helper()
	var want []string
	for _, path := range requests {
		if path == "/jobs" {
			want = append(want, "ListJobs")
		} else {
			want = append(want, "GetJob")
		}
	}
	if diff := cmp.Diff(want, announced); diff != "" {
		t.Error(diff)
	}
}

func idsOf(jobs []*Job) (ids []string) {
	for _, job := range jobs {
		ids = append(ids, job.ID)
	}
	return ids
}

func TestFindSubmissionsFails(t *testing.T) {
	errWait := errors.New("no turn")
	query := SubmissionQuery{Reference: "mine", Since: at(0, 0)}
	jobs := []projectJob{{id: "a", reference: "mine", created: at(0, 0)}}
	for refused, allowed := range map[string]int{"ListJobs": 0, "GetJob": 1} {
		t.Run("no turn for "+refused, func(t *testing.T) {
			server := &projectServer{jobs: jobs, backend: Appliance}
			query.BeforeRequest = func(_ context.Context, operation string) error {
				if operation == refused {
					return errWait
				}
				return nil
			}
			got, err := serve(t, server.ServeHTTP, WithBackend(Appliance)).FindSubmissions(testContext(t), query)
			if err != errWait || got != nil || len(server.requests) != allowed { //nolint:errorlint // as it is
				t.Errorf("got %+v, %v after %v", got, err, server.requests)
			}
		})
	}
	query.BeforeRequest = nil
	for _, path := range []string{"/v2/jobs", "/v2/jobs/a"} {
		t.Run("500 from "+path, func(t *testing.T) {
			server := &projectServer{jobs: jobs, backend: Appliance}
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == path {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				server.ServeHTTP(w, r)
			}, WithBackend(Appliance))
			got, err := c.FindSubmissions(testContext(t), query)
			if !hasStatus(err, http.StatusInternalServerError) || got != nil {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// TestFindSubmissionsTimeout has a job not be answered about: what was found before counts when the search's time is over, and nothing does
// when the caller's is.
func TestFindSubmissionsTimeout(t *testing.T) {
	newServer := func(unanswered func()) http.HandlerFunc {
		server := &projectServer{backend: Appliance, jobs: []projectJob{{id: "found", reference: "mine", created: at(0, 1)}, {id: "slow", created: at(0, 0)}}}
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/jobs/slow" {
				unanswered()
				<-r.Context().Done()
				return
			}
			server.ServeHTTP(w, r)
		}
	}
	query := SubmissionQuery{Reference: "mine", Since: at(0, 0), Timeout: 200 * time.Millisecond}
	got, err := serve(t, newServer(func() {}), WithBackend(Appliance)).FindSubmissions(testContext(t), query)
	if err != nil || !got.Incomplete || len(got.Jobs) != 1 || !strings.Contains(got.Doubt, "than could be looked at") {
		t.Errorf("after the search's time: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	query.Timeout = time.Minute
	if got, err := serve(t, newServer(cancel), WithBackend(Appliance)).FindSubmissions(ctx, query); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("after the caller's time: %+v, %v", got, err)
	}
}

func TestFindSubmissionsInvalid(t *testing.T) {
	since := at(0, 0)
	always := func(*Job) bool { return true }
	for _, tt := range []struct {
		field string
		query SubmissionQuery
	}{
		{"Reference", SubmissionQuery{Since: since}},
		{"Reference", SubmissionQuery{Reference: "mine", Match: always, Since: since}},
		{"Since", SubmissionQuery{Reference: "mine"}},
		{"Until", SubmissionQuery{Reference: "mine", Since: since, Until: since.Add(-1)}},
		{"MaxLookups", SubmissionQuery{Reference: "mine", Since: since, MaxLookups: -1}},
		{"Timeout", SubmissionQuery{Reference: "mine", Since: since, Timeout: -1}},
	} {
		var invalid *InvalidError
		_, err := serve(t, neverAsked(t)).FindSubmissions(testContext(t), tt.query)
		if !errors.As(err, &invalid) || invalid.Field != tt.field {
			t.Errorf("%s: got %v", tt.field, err)
		}
	}
}
