// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestErrorFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault       Fault
		status      int
		contentType string
		body        string
		retryAfter  string
	}{
		"plain":  {Fault{}, 500, "application/json", `{"code":500,"error":"Internal Server Error"}` + "\n", ""},
		"html":   {Fault{Status: 502, Body: BodyHTML}, 502, "text/html", htmlError(502), ""},
		"text":   {Fault{Status: 503, Body: BodyText, Message: "busy"}, 503, "text/plain; charset=utf-8", "busy\n", ""},
		"detail": {Fault{Status: 503, Body: BodyDetail, Message: "busy"}, 503, "application/json", `{"detail":"busy"}` + "\n", ""},
		"empty":  {Fault{Status: 504, Body: BodyEmpty}, 504, "", "", ""},
		"429":    {Fault{Status: 429, RetryAfter: 7}, 429, "application/json", `{"code":429,"error":"Too Many Requests"}` + "\n", "7"},
	} {
		t.Run(name, func(t *testing.T) {
			test.fault.Kind, test.fault.Operation = FaultError, OperationList
			a := start(t, Options{Faults: []Fault{test.fault}})
			got := a.get("/v2/jobs")
			if got.status != test.status || got.header.Get("Content-Type") != test.contentType || got.body != test.body ||
				got.header.Get("Retry-After") != test.retryAfter {
				t.Errorf("%+v", got)
			}
			if got := a.get("/v2/jobs/x"); got.status != http.StatusNotFound {
				t.Errorf("another operation: %v", got)
			}
		})
	}
}

func TestFaultsCount(t *testing.T) {
	a := start(t, Options{Faults: []Fault{{Kind: FaultError, Status: 503, Count: 2}, {Kind: FaultError, Status: 502, Count: 1}}})
	var got []int
	for range 4 {
		got = append(got, a.get("/v2/jobs").status)
	}
	if diff := cmp.Diff([]int{503, 503, 502, 200}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := a.get("/admin/faults/happened").body; got != "[2,1]\n" {
		t.Errorf("happened: %s", got)
	}
	check(t, a.server.SetFaults(a.server.Faults()...)) // starts anew
	if diff := cmp.Diff([]int{0, 0}, a.server.FaultsHappened()); diff != "" {
		t.Errorf("anew (-want +got):\n%s", diff)
	}
	if got := a.get("/v2/jobs").status; got != 503 {
		t.Errorf("%d", got)
	}
}

func TestFaultsHaveProbabilities(t *testing.T) {
	run := func() (failures string) {
		a := start(t, Options{Faults: []Fault{{Kind: FaultError, Probability: 0.3}}})
		for range 200 {
			failures += fmt.Sprint(a.get("/v2/jobs").status, " ")
		}
		return failures
	}
	first := run()
	if n := strings.Count(first, "500"); n < 40 || n > 80 {
		t.Errorf("%d of 200 failed", n)
	}
	if second := run(); first != second {
		t.Error("a run cannot be repeated")
	}
}

func TestLatency(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Faults: []Fault{{Kind: FaultLatency, Delay: Duration(3 * time.Second)}}})
	started := clock.Now()
	result := make(chan answer, 1)
	go func() { result <- a.get("/v2/jobs") }()
	drive(t, clock, time.Second, func() bool { return len(result) > 0 })
	if got := clock.Since(started); got != 3*time.Second || (<-result).status != 200 {
		t.Errorf("answered after %v", got)
	}
}

func TestLostResponse(t *testing.T) {
	a := start(t, Options{Faults: []Fault{{Kind: FaultResponseLost, Operation: OperationCreate, Reference: "lost*"}}})
	config := func(reference string) string { return with(fmt.Sprintf(`"tracking":{"reference":%q}`, reference), "") }
	body, contentType := form(t, config("lost/1"), "a.wav", wav(time.Second))
	got, err := a.try(http.MethodPost, "/v2/jobs", body, "Content-Type", contentType)
	if err == nil {
		t.Errorf("answered %v", got)
	}
	if n := a.server.Submissions("lost/1"); n != 1 {
		t.Errorf("%d jobs", n)
	}
	a.submit(config("kept"), "a.wav", wav(time.Second))
}

func TestReplacedResponse(t *testing.T) {
	a := start(t, Options{Faults: []Fault{
		{Kind: FaultResponseReplaced, Operation: OperationCreate, Status: 504, Body: BodyHTML, Count: 1},
		{Kind: FaultResponseReplaced, Operation: OperationCreate, Status: 503, Body: BodyEmpty, RetryAfter: 2, Count: 1},
	}})
	if got := a.post("", plainConfig, "a.wav", wav(time.Second)); got.status != 504 || got.body != htmlError(504) || got.header.Get("Content-Type") != "text/html" {
		t.Errorf("%+v", got)
	}
	if got := a.post("", plainConfig, "a.wav", wav(time.Second)); got.status != 503 || got.body != "" || got.header.Get("Retry-After") != "2" ||
		got.header.Get("Content-Type") != "" {
		t.Errorf("%+v", got)
	}
	a.submit(plainConfig, "a.wav", wav(time.Second))
	if n := len(a.server.Ledger()); n != 3 {
		t.Errorf("%d jobs", n)
	}
}

func TestLateResponse(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Faults: []Fault{{Kind: FaultResponseLate, Operation: OperationCreate, Delay: Duration(time.Minute)}}})
	result := make(chan answer, 1)
	go func() { result <- a.post("", plainConfig, "a.wav", wav(time.Second)) }()
	eventually(t, "the job is there", func() bool { return len(a.server.Ledger()) == 1 })
	if len(result) > 0 {
		t.Error("answered at once")
	}
	drive(t, clock, 10*time.Second, func() bool { return len(result) > 0 })
	if got := <-result; got.status != http.StatusCreated {
		t.Errorf("%v", got)
	}
}

func TestResetResponse(t *testing.T) {
	a := start(t, Options{})
	a.submit(plainConfig, "a.wav", wav(time.Second))
	check(t, a.server.SetFaults(Fault{Kind: FaultResponseReset, Operation: OperationList}))
	got, err := a.try(http.MethodGet, "/v2/jobs", nil)
	if err == nil || got.status != http.StatusOK {
		t.Errorf("%v, %v", got, err)
	}
}

func TestResetRequest(t *testing.T) {
	a := start(t, Options{Faults: []Fault{{Kind: FaultRequestReset, Operation: OperationCreate}}})
	body, contentType := form(t, plainConfig, "a.wav", wav(time.Minute))
	got, err := a.try(http.MethodPost, "/v2/jobs", body, "Content-Type", contentType)
	if err == nil { // a reset or a broken pipe, as it happens
		t.Errorf("answered %v", got)
	}
	if n := len(a.server.Ledger()); n != 0 {
		t.Errorf("%d jobs", n)
	}
}

func TestListLag(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Faults: []Fault{{Kind: FaultListLag, Delay: Duration(5 * time.Second)}}})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	a.job(id) // is there
	if got := a.ids("?include_deleted=true"); len(got) != 0 {
		t.Errorf("%v", got)
	}
	clock.Step(5 * time.Second)
	if diff := cmp.Diff([]string{id}, a.ids("")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// titled is a configuration with a title and notifications of jobinfo.
func titled(title string, urls ...string) string {
	var entries []string
	for _, url := range urls {
		entries = append(entries, fmt.Sprintf(`{"url":%q,"contents":["jobinfo"]}`, url))
	}
	return with(fmt.Sprintf(`"notification_config":[%s],"tracking":{"title":%q}`, strings.Join(entries, ","), title), "")
}

func TestLostNotifications(t *testing.T) {
	r := newReceiver(t)
	a := start(t, Options{Faults: []Fault{{Kind: FaultNotificationLost, Title: "lost"}}})
	lost := a.submit(titled("lost", r.url+"/lost", r.url+"/lost2"), "a.wav", wav(time.Second))
	a.finished(lost)
	a.submit(titled("kept", r.url+"/kept"), "a.wav", wav(time.Second))
	if got := r.wait(t, 1); len(got) != 1 || got[0].path != "/kept" {
		t.Errorf("%v", got)
	}
	if got := messages(a.job(lost)); got != nil {
		t.Errorf("the service noticed: %v", got)
	}
}

func TestDoubledNotifications(t *testing.T) {
	r := newReceiver(t)
	a := start(t, Options{Faults: []Fault{{Kind: FaultNotificationDoubled, Count: 1}}})
	a.submit(titled("a", r.url), "a.wav", wav(time.Second))
	got := r.wait(t, 2)
	if got[0].query != got[1].query || got[0].body != got[1].body {
		t.Errorf("%v", got)
	}
	a.submit(titled("b", r.url), "a.wav", wav(time.Second))
	r.wait(t, 3)
	check(t, a.server.Close(t.Context()))
	if got := r.all(); len(got) != 3 {
		t.Errorf("%d notifications", len(got))
	}
}

func TestLateNotifications(t *testing.T) {
	clock := newClock()
	r := newReceiver(t)
	a := start(t, Options{Clock: clock, Faults: []Fault{{Kind: FaultNotificationLate, Delay: Duration(time.Hour)}}})
	id := a.submit(titled("a", r.url), "a.wav", wav(time.Second))
	drive(t, clock, time.Second, func() bool { return a.job(id)["status"] == "done" })
	ended := clock.Now()
	drive(t, clock, time.Minute, func() bool { return len(r.all()) == 1 })
	if got := clock.Since(ended); got < 59*time.Minute || got > 62*time.Minute {
		t.Errorf("sent after %v", got)
	}
}

func TestEarlyNotifications(t *testing.T) {
	r := newReceiver(t)
	a := start(t, Options{Speed: 0.001, Faults: []Fault{{Kind: FaultNotificationEarly}}})
	id := a.submit(titled("a", r.url), "a.wav", wav(time.Second))
	got := r.all() // has come before the answer to the submission
	if len(got) != 1 || got[0].query != "id="+id+"&status=success" {
		t.Errorf("%v", got)
	}
}

func TestEarlyNotificationsDoNotHoldForEver(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Faults: []Fault{{Kind: FaultNotificationEarly}, {Kind: FaultNotificationLate, Delay: Duration(time.Hour)}}})
	result := make(chan answer, 1)
	go func() { result <- a.post("", titled("a", "http://127.0.0.1:1/"), "a.wav", wav(time.Second)) }()
	eventually(t, "answer and notification are held", func() bool { return clock.Waiters() == 2 })
	clock.Step(defaultHold - time.Millisecond)
	if len(result) > 0 || clock.Waiters() != 2 {
		t.Error("answered too early")
	}
	clock.Step(time.Millisecond)
	if got := <-result; got.status != http.StatusCreated {
		t.Errorf("%v", got)
	}
}

func TestReorderedNotifications(t *testing.T) {
	clock := newClock() // stands still: nothing is sent because of time
	r := newReceiver(t)
	a := start(t, Options{Clock: clock, Processing: Processing{Base: -1, Factor: -1}, Faults: []Fault{
		{Kind: FaultNotificationReordered, Title: "first", Delay: Duration(time.Hour)},
	}})
	first := a.submit(titled("first", r.url+"/first"), "a.wav", wav(time.Second))
	a.finished(first)
	eventually(t, "the first is held back", clock.HasWaiters)
	a.submit(titled("second", r.url+"/second"), "a.wav", wav(time.Second))
	got := r.wait(t, 2)
	if got[0].path != "/second" || got[1].path != "/first" {
		t.Errorf("%s, %s", got[0].path, got[1].path)
	}
}

func TestReorderedNotificationsAreSentAllTheSame(t *testing.T) {
	clock := newClock()
	r := newReceiver(t)
	a := start(t, Options{Clock: clock, Faults: []Fault{{Kind: FaultNotificationReordered}}})
	a.submit(titled("only", r.url), "a.wav", wav(time.Second))
	drive(t, clock, time.Second, func() bool { return len(r.all()) == 1 })
}

func TestJobsEndAsOrdered(t *testing.T) {
	r := newReceiver(t)
	a := start(t, Options{Faults: []Fault{
		{Kind: FaultReject, Title: "reject", Message: "No speech found for language identification", Outcome: "trim_error"},
		{Kind: FaultExpire, Title: "expire"},
		{Kind: FaultDelete, Title: "delete"},
	}})
	rejected := a.finished(a.submit(titled("reject", r.url), "a.wav", wav(time.Second)))
	if rejected["status"] != "rejected" || !cmp.Equal(messages(rejected), []string{"No speech found for language identification"}) {
		t.Errorf("%v", rejected)
	}
	if got := r.wait(t, 1)[0].query; !strings.HasSuffix(got, "&status=trim_error") {
		t.Errorf("%s", got)
	}
	expired := a.submit(titled("expire"), "a.wav", wav(time.Second))
	eventually(t, "it expires", func() bool { return a.get("/v2/jobs/"+expired).status == http.StatusGone })
	deleted := a.submit(titled("delete"), "a.wav", wav(time.Hour/4))
	eventually(t, "it is deleted", func() bool { return a.get("/v2/jobs/"+deleted).status == http.StatusNotFound })
	if n := len(a.server.Ledger()); n != 3 {
		t.Errorf("%d entries", n)
	}
}

func TestFaultsAreChecked(t *testing.T) {
	for name, fault := range map[string]Fault{
		"no kind":          {},
		"unknown kind":     {Kind: "meteor"},
		"operation":        {Kind: FaultError, Operation: "submit"},
		"operation of job": {Kind: FaultReject, Operation: OperationCreate},
		"count":            {Kind: FaultError, Count: -1},
		"probability":      {Kind: FaultError, Probability: 1.1},
		"NaN":              {Kind: FaultError, Probability: math.NaN()},
		"negative delay":   {Kind: FaultExpire, Delay: -1},
		"no delay":         {Kind: FaultLatency},
		"status":           {Kind: FaultError, Status: 100},
		"retry after":      {Kind: FaultError, RetryAfter: -1},
		"body":             {Kind: FaultError, Body: "xml"},
		"outcome":          {Kind: FaultReject, Outcome: "success"},
	} {
		a := start(t, Options{Faults: []Fault{{Kind: FaultError}}})
		if err := a.server.SetFaults(fault); err == nil || len(a.server.Faults()) != 1 {
			t.Errorf("%s: %v, %v", name, err, a.server.Faults())
		}
		if err := (Options{Faults: []Fault{fault}}).Validate(); err == nil {
			t.Errorf("%s: a valid option", name)
		}
	}
}

func TestWildcard(t *testing.T) {
	for _, test := range []struct {
		pattern, value string
		want           bool
	}{
		{"", "x", true},
		{"x", "x", true},
		{"x", "xy", false},
		{"*", "", true},
		{"a*", "a/b/c", true},
		{"*c", "a/b/c", true},
		{"a*c", "ac", true},
		{"ab*bc", "abc", false},
		{"a*b*c", "a-b-c", true},
		{"a*b*c", "a-c", false},
		{"*b*", "abc", true},
		{"*b*", "ac", false},
		{"a*", "ba", false},
	} {
		if got := wildcard(test.pattern, test.value); got != test.want {
			t.Errorf("%q of %q: %v", test.pattern, test.value, got)
		}
	}
}

func TestAdmin(t *testing.T) {
	a := start(t, Options{})
	put := func(path, body string) answer {
		return a.do(http.MethodPut, path, strings.NewReader(body), "Authorization", "")
	}
	got := put("/admin/faults", `[{"kind":"latency","delay":"1.5s","operation":"delete"}]`)
	want := `[{"kind":"latency","operation":"delete","delay":"1.5s"}]` + "\n"
	if got.status != http.StatusOK || got.body != want || a.get("/admin/faults").body != want {
		t.Errorf("%v", got)
	}
	if got := put("/admin/behaviour", `{"deletedJob":"gone"}`); got.status != http.StatusOK || a.server.Behaviour().DeletedJob != GoneAnswerGone {
		t.Errorf("%v", got)
	}
	for path, body := range map[string]string{
		"/admin/faults":    `[{"kind":"error","operations":"create"}]`,
		"/admin/behaviour": `{"deletedJob":"gone"} {}`,
	} {
		if got := put(path, body); got.status != http.StatusBadRequest {
			t.Errorf("%s %s: %v", path, body, got)
		}
	}
	for path, body := range map[string]string{"/admin/faults": `[{"kind":"meteor"}]`, "/admin/behaviour": `{"deletedJob":"maybe"}`} {
		if got := put(path, body); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s %s: %v", path, body, got)
		}
	}
	if got := put("/admin/faults", "[]"); got.body != "[]\n" {
		t.Errorf("%v", got)
	}

	config := with(`"tracking":{"reference":"r/1"}`, "")
	id := a.submit(config, "a.wav", wav(time.Second))
	a.finished(id)
	var ledger []LedgerEntry
	check(t, json.Unmarshal([]byte(a.get("/admin/ledger?reference=r/1").body), &ledger))
	if len(ledger) != 1 || ledger[0].JobID != id {
		t.Errorf("%v", ledger)
	}
	if got := a.get("/admin/ledger?reference=none").body; got != "[]\n" {
		t.Errorf("%s", got)
	}
	if got := a.get("/admin/jobs").body; !strings.Contains(got, id) || !strings.Contains(got, `"status":"done"`) {
		t.Errorf("%s", got)
	}

	if got := put("/admin/keys/more?project=p", ""); got.status != http.StatusNoContent {
		t.Errorf("%v", got)
	}
	if got := a.do(http.MethodGet, "/v2/jobs", nil, "Authorization", "Bearer more"); got.body != "{\"jobs\":[]}\n" {
		t.Errorf("%v", got)
	}
	for _, want := range []int{http.StatusNoContent, http.StatusNotFound} {
		if got := a.do(http.MethodDelete, "/admin/keys/more", nil); got.status != want {
			t.Errorf("%v", got)
		}
	}
}

func TestAdminEndsJobs(t *testing.T) {
	r := newReceiver(t)
	a := start(t, Options{Speed: 0.001})
	act := func(id, action string) int { return a.do(http.MethodPost, "/admin/jobs/"+id+"/"+action, nil).status }
	rejected := a.submit(titled("a", r.url), "a.wav", wav(time.Second))
	if got := []int{act(rejected, "expire"), act(rejected, "reject"), act(rejected, "reject")}; !cmp.Equal(got, []int{409, 204, 409}) {
		t.Errorf("%v", got)
	}
	if job := a.job(rejected); job["status"] != "rejected" || len(messages(job)) != 1 {
		t.Errorf("%v", job)
	}
	r.wait(t, 1)
	if got := act(rejected, "expire"); got != 204 || a.get("/v2/jobs/"+rejected).status != http.StatusGone {
		t.Errorf("%v", got)
	}
	deleted := a.submit(plainConfig, "a.wav", wav(time.Second))
	if got := []int{act(deleted, "delete"), act(deleted, "delete"), act("none", "delete"), act(deleted, "dance")}; !cmp.Equal(got, []int{204, 409, 409, 404}) {
		t.Errorf("%v", got)
	}
}

func TestAdminToken(t *testing.T) {
	a := start(t, Options{AdminToken: "t0ken"})
	for header, want := range map[string]int{
		"": http.StatusForbidden, "Bearer " + testKey: http.StatusForbidden, "t0ken": http.StatusOK, "Bearer t0ken": http.StatusOK,
	} {
		if got := a.do(http.MethodGet, "/admin/jobs", nil, "Authorization", header); got.status != want {
			t.Errorf("%q: %d", header, got.status)
		}
	}
}

func TestAdminIsForLoopback(t *testing.T) {
	a := start(t, Options{})
	for peer, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "192.0.2.1:1": false, "": false} {
		if got := a.server.isAdmin(&http.Request{RemoteAddr: peer}); got != want {
			t.Errorf("%q: %v", peer, got)
		}
	}
}

func TestLogsHaveNoSecrets(t *testing.T) {
	var log bytes.Buffer
	r := newReceiver(t, 500)
	s := newSite(t, http.NotFound)
	a := start(t, Options{Logger: slog.New(slog.NewJSONHandler(&log, nil)), APIKeys: []string{testKey, "sk-secret-1"}, Speed: 1e5})
	config := with(fmt.Sprintf(`"fetch_data":{"url":"%s/a.wav?sig=secret-2","auth_headers":["X-A: secret-3"]},`+
		`"notification_config":[{"url":"%s/n?token=secret-4","auth_headers":["X-B: secret-5"]},`+
		`{"url":"http://secret-6:secret-7@127.0.0.1:1/?token=secret-8"}]`, s.url, r.url), "")
	id := a.submitConfig(config)
	eventually(t, "all is tried", func() bool { return len(messages(a.job(id))) == 4+1+5 })
	a.do(http.MethodPut, "/admin/keys/secret-9", nil)
	a.do(http.MethodGet, "/v2/jobs?secret-10", nil, "Authorization", "Bearer secret-11")
	check(t, a.server.Close(t.Context()))
	if got := log.String(); strings.Contains(got, "secret") || !strings.Contains(got, id) {
		t.Errorf("%s", got)
	}
}
