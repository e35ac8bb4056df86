// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

// page reads a page of a list with another key.
func (a *api) page(key, query string) []map[string]any {
	a.t.Helper()
	got := a.do(http.MethodGet, "/v2/jobs"+query, nil, "Authorization", "Bearer "+key)
	if got.status != http.StatusOK {
		a.t.Fatalf("%s: %d %s", query, got.status, got.body)
	}
	var items []map[string]any
	for _, item := range got.json(a.t)["jobs"].([]any) {
		items = append(items, item.(map[string]any))
	}
	return items
}

// all pages through a list as a client does.
func (a *api) all(key string) (jobs []map[string]any) {
	a.t.Helper()
	query := "?limit=100"
	for {
		page := a.page(key, query)
		if len(page) == 0 {
			return jobs
		}
		jobs = append(jobs, page...)
		query = "?limit=100&created_before=" + url.QueryEscape(page[len(page)-1]["created_at"].(string))
	}
}

func TestForeignJobs(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Limits: Limits{RunningJobs: 2}, ProjectKeys: map[string]string{"other": "other"}})
	older := a.submit(with(`"tracking":{"reference":"ours"}`, ""), "a.wav", wav(time.Second))
	clock.Step(time.Hour)
	check(t, a.server.AddForeign(testKey, 250, 2*time.Hour))
	newer := a.submit(plainConfig, "a.wav", wav(time.Second)) // they count for no limit

	jobs := a.all(testKey)
	if len(jobs) != 252 || jobs[0]["id"] != newer {
		t.Fatalf("%d jobs, the first is %v", len(jobs), jobs[0])
	}
	if at := slices.IndexFunc(jobs, func(j map[string]any) bool { return j["id"] == older }); at < 124 || at > 127 {
		t.Errorf("ours is number %d, not in the midst", at)
	}
	references, configs := 0, map[string]bool{}
	for i, j := range jobs {
		created, err := time.Parse(time.RFC3339, j["created_at"].(string))
		if age := clock.Now().Sub(created); err != nil || age < 0 || age > 2*time.Hour {
			t.Errorf("%d was created at %v, %v", i, created, err)
		}
		tracking, _ := j["config"].(map[string]any)["tracking"].(map[string]any)
		if tracking["reference"] != nil {
			references++
		}
		configs[fmt.Sprint(j["config"])] = true
	}
	if references != 125 || len(configs) < len(foreignConfigs) {
		t.Errorf("%d have references, there are %d kinds", references, len(configs))
	}
	if got := a.all("other"); len(got) != 0 {
		t.Errorf("another project sees %d", len(got))
	}
	if n := len(a.server.Ledger()); n != 2 {
		t.Errorf("%d in the ledger", n)
	}

	foreign := jobs[1]["id"].(string)
	if got := a.get("/v2/jobs/" + foreign + "/transcript?format=txt"); got.status != http.StatusOK || got.body == "" {
		t.Errorf("%v", got)
	}
	if got := a.do(http.MethodDelete, "/v2/jobs/"+foreign, nil); got.status != http.StatusOK || len(a.all(testKey)) != 251 {
		t.Errorf("%v", got)
	}
	left := 0
	for _, state := range a.server.Jobs() {
		if state.Foreign && state.Status == "done" {
			left++
		}
	}
	if left != 249 {
		t.Errorf("%d foreign jobs are left", left)
	}
}

func TestForeignJobsOnPremises(t *testing.T) {
	a := start(t, Options{Backend: BackendAppliance, APIKeys: []string{}})
	check(t, a.server.AddForeign("", 3, time.Minute))
	if got := len(a.all("")); got != 3 {
		t.Errorf("%d jobs", got)
	}
}

func TestForeignJobsRefused(t *testing.T) {
	a := start(t, Options{})
	for _, query := range []string{
		"key=nobody&count=1&spread=1h", "key=" + testKey + "&count=-1&spread=1h", "key=" + testKey + "&count=1000001&spread=1h",
		"key=" + testKey + "&count=many&spread=1h", "key=" + testKey + "&count=1&spread=-1h", "key=" + testKey + "&count=1",
	} {
		if got := a.do(http.MethodPost, "/admin/foreign?"+query, nil); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %v", query, got)
		}
	}
	if got := a.do(http.MethodPost, "/admin/foreign?spread=1h&count=2&key="+testKey, nil); got.status != http.StatusNoContent || len(a.all(testKey)) != 2 {
		t.Errorf("%v", got)
	}
}

// TestListTouchesItsPageOnly counts: a page in the middle of many jobs looks at no others, whatever is newer.
func TestListTouchesItsPageOnly(t *testing.T) {
	s := New(Options{APIKeys: []string{testKey}, Clock: newClock()})
	check(t, s.AddForeign(testKey, 25_000, time.Hour))
	var touched int
	for range s.newest.before(s.newest[5_000].createdAt, false) {
		if touched++; touched == maxListed {
			break
		}
	}
	oldest := listQuery{by: caller{project: defaultProject}, limit: maxListed, createdBefore: s.newest[maxListed].createdAt}
	if got := s.list(oldest); len(got) != maxListed || got[maxListed-1].ID != s.newest[0].id || touched != maxListed {
		t.Errorf("%d jobs, %d touched", len(got), touched)
	}
	check(t, s.Close(t.Context()))
}

// BenchmarkList prints what a page costs among few jobs and at the far end of 25,000.
func BenchmarkList(b *testing.B) {
	for _, jobs := range []int{200, 25_000} {
		s := New(Options{APIKeys: []string{testKey}})
		if err := s.AddForeign(testKey, jobs, time.Hour); err != nil {
			b.Fatal(err)
		}
		query := listQuery{by: caller{project: defaultProject}, limit: maxListed, createdBefore: s.newest[maxListed].createdAt}
		b.Run(fmt.Sprint(jobs), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(s.list(query)) != maxListed {
					b.Fatal("not a whole page")
				}
			}
		})
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
