// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ids are the jobs of a list, in its order.
func (a *api) ids(query string) []string {
	a.t.Helper()
	got := a.get("/v2/jobs" + query)
	if got.status != http.StatusOK {
		a.t.Fatalf("%s: %d %s", query, got.status, got.body)
	}
	found := []string{}
	for _, item := range got.json(a.t)["jobs"].([]any) {
		found = append(found, item.(map[string]any)["id"].(string))
	}
	return found
}

func TestList(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, ProjectKeys: map[string]string{"other": "other"}})
	if diff := cmp.Diff([]string{}, a.ids("")); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	var jobs []string // oldest first
	for i := range 4 {
		if i != 2 { // 1 and 2 are of the same millisecond
			clock.Step(time.Second)
		}
		jobs = append(jobs, a.submit(plainConfig, "a.wav", wav(time.Second)))
	}
	a.do(http.MethodDelete, "/v2/jobs/"+jobs[3]+"?force=true", nil)
	at := func(i int, more time.Duration) string {
		created, err := time.Parse(time.RFC3339, a.job(jobs[i])["created_at"].(string))
		check(t, err)
		return "?created_before=" + url.QueryEscape(created.Add(more).Format(time.RFC3339Nano))
	}
	for name, test := range map[string]struct {
		query string
		want  []string
	}{
		"all":                       {"", []string{jobs[2], jobs[1], jobs[0]}},
		"with deleted ones":         {"?include_deleted=true", []string{jobs[3], jobs[2], jobs[1], jobs[0]}},
		"limited":                   {"?limit=2", []string{jobs[2], jobs[1]}},
		"before is exclusive":       {at(2, 0), []string{jobs[0]}},
		"finer than it is compared": {at(2, 999*time.Microsecond), []string{jobs[0]}},
		"one millisecond more":      {at(2, time.Millisecond), []string{jobs[2], jobs[1], jobs[0]}},
	} {
		if diff := cmp.Diff(test.want, a.ids(test.query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	check(t, a.server.SetBehaviour(Behaviour{CreatedBeforeInclusive: true, DefaultWait: -1}))
	if diff := cmp.Diff([]string{jobs[2], jobs[1], jobs[0]}, a.ids(at(2, 0))); diff != "" {
		t.Errorf("inclusive (-want +got):\n%s", diff)
	}
	for drop, want := range map[bool]bool{false: true, true: false} {
		check(t, a.server.SetBehaviour(Behaviour{DropDeletedConfig: drop}))
		deleted := a.get("/v2/jobs?include_deleted=true&limit=1").json(t)["jobs"].([]any)[0].(map[string]any)
		if _, there := deleted["config"]; there != want || deleted["status"] != "deleted" {
			t.Errorf("DropDeletedConfig %v: %v", drop, deleted)
		}
	}
	got := a.do(http.MethodGet, "/v2/jobs", nil, "Authorization", "Bearer other").json(t)["jobs"].([]any)
	if len(got) != 0 {
		t.Errorf("another project sees %v", got)
	}
}

func TestListRefuses(t *testing.T) {
	a := start(t, Options{})
	for query, want := range map[string]string{
		"?limit=many":             "limit in query must be of type int64",
		"?limit=":                 "limit in query must be of type int64",
		"?limit=0":                "limit in query should be greater than or equal to 1",
		"?limit=101":              "limit in query should be less than or equal to 100",
		"?created_before=monday":  "created_before in query must be of type date-time",
		"?include_deleted=please": "include_deleted in query must be of type boolean",
	} {
		got := a.get("/v2/jobs" + query)
		if got.status != http.StatusUnprocessableEntity || got.json(t)["error"] != want {
			t.Errorf("%s: %v", query, got)
		}
	}
}

func TestListIsAtMostAHundred(t *testing.T) {
	a := start(t, Options{Limits: Limits{StoredBytes: -1}})
	var newest string
	for i := range 103 {
		config := with(fmt.Sprintf(`"tracking":{"reference":"%d"}`, i), "")
		newest = a.submit(config, "a.wav", []byte("RIFF"))
	}
	got := a.ids("")
	if len(got) != 100 || got[0] != newest {
		t.Errorf("%d jobs, the first is %s, want %s", len(got), got[0], newest)
	}
}
