// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOutage(t *testing.T) {
	for kind, want := range map[OutageKind]struct {
		status int
		body   string
	}{
		OutageRefuse:      {0, ""},
		OutageUnavailable: {503, `{"code":503,"error":"Service Unavailable"}` + "\n"},
		OutageHTML:        {502, htmlError(502)},
	} {
		t.Run(string(kind), func(t *testing.T) {
			clock := newClock()
			a := start(t, Options{Clock: clock, Speed: 1, Faults: []Fault{{Kind: FaultError, Status: 418}}})
			id := a.submitDespite(t)
			check(t, a.server.Outage(kind, 30*time.Second))
			submission, contentType := form(t, plainConfig, "a.wav", wav(time.Second))
			for _, send := range []func() (answer, error){
				func() (answer, error) {
					return a.try(http.MethodPost, "/v2/jobs", submission, "Content-Type", contentType)
				},
				func() (answer, error) { return a.try(http.MethodGet, "/v2/jobs", nil) },
				func() (answer, error) { return a.try(http.MethodGet, "/v2/jobs/"+id, nil) },
				func() (answer, error) { return a.try(http.MethodDelete, "/v2/jobs/"+id+"?force=true", nil) },
				func() (answer, error) { return a.try(http.MethodGet, "/v1/discovery/features", nil) },
			} {
				got, err := send()
				if got.status != want.status || got.body != want.body || (err != nil) != (want.status == 0) {
					t.Errorf("%+v, %v", got, err)
				}
			}
			if n := len(a.server.Ledger()); n != 1 {
				t.Errorf("%d jobs were accepted", n)
			}
			drive(t, clock, time.Second, func() bool { return a.server.Ledger()[0].Status == "done" }) // jobs go on
			clock.Step(30 * time.Second)
			check(t, a.server.SetFaults())
			if got := a.get("/v2/jobs/" + id); got.status != http.StatusOK {
				t.Errorf("afterwards: %v", got)
			}
		})
	}
}

// submitDespite submits before the faults that are in force.
func (a *api) submitDespite(t *testing.T) string {
	t.Helper()
	faults := a.server.Faults()
	check(t, a.server.SetFaults())
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	check(t, a.server.SetFaults(faults...))
	return id
}

// TestHangingOutage lets one request out when the outage ends by itself, and one when it is ended.
func TestHangingOutage(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock})
	hanging := func() chan error {
		a.client.CloseIdleConnections() // on a used one, Go would send the request again
		result := make(chan error, 1)
		go func() {
			got, err := a.try(http.MethodGet, "/v2/jobs", nil)
			if err == nil {
				err = fmt.Errorf("answered %v", got)
			}
			result <- err
		}()
		eventually(t, "the request hangs", clock.HasWaiters)
		return result
	}
	for name, end := range map[string]func(){"by time": func() { clock.Step(time.Minute) }, "by order": a.server.EndOutage} {
		check(t, a.server.Outage(OutageHang, time.Minute))
		result := hanging()
		if len(result) > 0 {
			t.Errorf("%s: not held", name)
		}
		end()
		if err := <-result; strings.Contains(err.Error(), "answered") {
			t.Errorf("%s: %v", name, err)
		}
		if got := a.get("/v2/jobs"); got.status != http.StatusOK {
			t.Errorf("%s: afterwards %v", name, got)
		}
	}
	check(t, a.server.Outage(OutageHang, time.Minute)) // and none is left at the end
	hanging()
}

func TestOrderOutage(t *testing.T) {
	a := start(t, Options{})
	for query, want := range map[string]int{
		"for=1h&kind=503": 204, "for=1h&kind=meteor": 422, "for=1h": 422, "for=0s&kind=503": 422, "for=25h&kind=503": 422, "kind=503": 422,
	} {
		if got := a.do(http.MethodPost, "/admin/outage?"+query, nil); got.status != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	if got := a.get("/v2/jobs").status; got != 503 {
		t.Errorf("during: %d", got)
	}
	if got := a.do(http.MethodDelete, "/admin/outage", nil).status; got != 204 {
		t.Errorf("end: %d", got)
	}
	if got := a.get("/v2/jobs").status; got != 200 {
		t.Errorf("afterwards: %d", got)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	a := start(t, Options{Faults: []Fault{
		{Kind: FaultError, Operation: OperationList, Status: 503, Count: 1},
		{Kind: FaultResponseLost, Operation: OperationGet, Count: 1},
	}})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	before := a.server.Requests()
	a.client.CloseIdleConnections() // on a used one, Go would send the request again
	_, _ = a.try(http.MethodGet, "/v2/jobs/"+id, nil)
	for _, path := range []string{"/v2/jobs", "/v2/jobs", "/v2/jobs", "/v2/jobs/none", "/v2/nothing", "/healthz", "/admin/jobs"} {
		a.get(path)
	}
	a.do(http.MethodGet, "/v2/jobs", nil, "Authorization", "Bearer wrong")
	want := RequestCounts{
		OperationGet: {0: 1, 404: 1}, OperationList: {503: 1, 200: 2, 401: 1}, operationOther: {404: 1},
	}
	got := a.server.Requests().Since(before)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Total() != 7 || got.Total(OperationGet, OperationList) != 6 || got.Answered(404) != 2 {
		t.Errorf("%d, %d, %d", got.Total(), got.Total(OperationGet, OperationList), got.Answered(404))
	}
	if before[OperationCreate][http.StatusCreated] != 1 || len(before) != 1 {
		t.Errorf("before: %v", before)
	}
	if body := a.get("/admin/requests").body; !strings.Contains(body, `"list":{"200":2,"401":1,"503":1}`) {
		t.Errorf("%s", body)
	}
}

// TestClockOffset compares with a client's clock: what the server tells is off, durations are not.
func TestClockOffset(t *testing.T) {
	for _, offset := range []time.Duration{5 * time.Minute, -5 * time.Minute} {
		clock := newClock()
		a := start(t, Options{Clock: clock, ClockOffset: offset, Speed: 1, Faults: []Fault{{Kind: FaultListLag, Delay: Duration(3 * time.Second)}}})
		wrong := clock.Now().Add(offset)
		id := a.submit(plainConfig, "a.wav", wav(4*time.Second)) // 2 s of processing
		if got := a.job(id)["created_at"]; got != wrong.Format(milliseconds) {
			t.Errorf("created at %v, want %v", got, wrong)
		}
		if got := a.get("/v2/jobs").header.Get("Date"); got != wrong.Format(http.TimeFormat) {
			t.Errorf("Date %s, want %v", got, wrong)
		}
		clock.Step(time.Second)
		clock.Step(time.Second)
		eventually(t, "processing takes its time", func() bool { return a.job(id)["status"] == "done" })
		if got := a.ids(""); len(got) != 0 {
			t.Errorf("listed too early")
		}
		clock.Step(time.Second)
		if got := a.ids("?created_before=" + wrong.Add(time.Second).Format(time.RFC3339)); len(got) != 1 {
			t.Errorf("%v", got)
		}
		if got := a.ids("?created_before=" + wrong.Format(time.RFC3339)); len(got) != 0 {
			t.Errorf("%v", got)
		}
		if entry := a.server.Ledger()[0]; !entry.CreatedAt.Equal(wrong) || entry.EndedAt.Sub(entry.CreatedAt) != 2*time.Second {
			t.Errorf("%+v", entry)
		}
	}
}

func TestLedgerTellsWhatBecameOfJobs(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Speed: 1, Retention: time.Hour, Faults: []Fault{
		{Kind: FaultDelete, Reference: "fault", Delay: Duration(time.Second)}, {Kind: FaultReject, Reference: "rejected"},
	}, Transcripts: fstest.MapFS{"runs.txt": {Data: []byte("@length 10h\n")}}})
	ids := map[string]string{}
	for _, reference := range []string{"fault", "api", "admin", "rejected", "expires", "forced", "runs"} {
		ids[reference] = a.submit(with(fmt.Sprintf(`"tracking":{"reference":%q}`, reference), ""), reference+".wav", wav(4*time.Second))
	}
	start := clock.Now()
	eventually(t, "all are processed, and the fault waits", func() bool { return clock.Waiters() == 8 })
	a.do(http.MethodDelete, "/v2/jobs/"+ids["forced"]+"?force=true", nil)
	eventually(t, "one was stopped", func() bool { return clock.Waiters() == 7 })
	entries := func() map[string]LedgerEntry {
		found := map[string]LedgerEntry{}
		for _, entry := range a.server.Ledger() {
			found[entry.Reference] = entry
		}
		return found
	}
	clock.Step(time.Second)
	eventually(t, "one is deleted", func() bool { return entries()["fault"].Status == "deleted" })
	clock.Step(time.Second)
	eventually(t, "four have ended", func() bool {
		e := entries()
		return e["api"].Status == "done" && e["admin"].Status == "done" &&
			e["rejected"].Status == "rejected" && e["expires"].Status == "done"
	})
	clock.Step(time.Second)
	a.do(http.MethodDelete, "/v2/jobs/"+ids["api"], nil)
	a.server.DeleteJob(ids["admin"])
	clock.Step(time.Hour)
	a.do(http.MethodDelete, "/v2/jobs/"+ids["api"], nil) // once more changes nothing

	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	type fate struct {
		Status         string
		Ended, Deleted time.Time
		By             Remover
	}
	want := map[string]fate{
		"forced":   {"deleted", at(0), at(0), RemoverAPI},
		"fault":    {"deleted", at(1), at(1), RemoverFault},
		"api":      {"deleted", at(2), at(3), RemoverAPI},
		"admin":    {"deleted", at(2), at(3), RemoverAdmin},
		"rejected": {"expired", at(2), at(3603), RemoverRetention},
		"expires":  {"expired", at(2), at(3603), RemoverRetention},
		"runs":     {Status: "running"},
	}
	got := map[string]fate{}
	for reference, e := range entries() {
		got[reference] = fate{e.Status, e.EndedAt, e.DeletedAt, e.DeletedBy}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
