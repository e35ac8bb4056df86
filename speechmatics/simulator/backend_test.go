// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// onPremises is a simulator of a backend without keys.
func onPremises(t *testing.T, backend Backend, options Options) *api {
	t.Helper()
	options.Backend = backend
	options.APIKeys = []string{}
	return start(t, options)
}

func TestApplianceLifeOfAJob(t *testing.T) {
	a := onPremises(t, BackendAppliance, Options{})
	config := with(`"tracking":{"reference":"r"}`, "")
	id := a.submit(config, "a.wav", wav(time.Second))
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("%q is not a UUID", id)
	}
	eventually(t, "the end", func() bool { return a.get("/v2/jobs/" + id).json(t)["job"].(map[string]any)["status"] == "done" })
	if got := a.get("/v2/jobs/" + id).json(t); at(got, "job", "config", "tracking", "reference") != "r" {
		t.Errorf("%v", got)
	}
	if got := at(a.get("/v2/jobs").json(t), "jobs", 0); at(got, "id") != id || at(got, "config") != nil {
		t.Errorf("list: %v", got)
	}
	if got := a.get("/v2/jobs/" + id + "/log"); got.status != http.StatusOK {
		t.Errorf("log: %v", got)
	}
	for _, path := range []string{"/v2/usage", "/v1/discovery/features", "/v2/jobs/" + id + "/data", "/live", "/jobs"} {
		if got := a.get(path); got.status != http.StatusNotFound {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := a.do(http.MethodDelete, "/v2/jobs/"+id, nil); got.status != http.StatusOK {
		t.Errorf("delete: %v", got)
	}
	if got := a.get("/v2/jobs/" + id); got.status != http.StatusNotFound || got.json(t)["error"] != "Job not found" {
		t.Errorf("deleted: %v", got)
	}
	if a.server.Restart() {
		t.Error("an appliance forgets")
	}
	check(t, a.server.SetBehaviour(Behaviour{ApplianceIDs: ApplianceIDsNumber}))
	if first, second := a.submit(config, "a.wav", wav(time.Second)), a.submit(config, "a.wav", wav(time.Second)); first != "1" || second != "2" {
		t.Errorf("numbers: %s, %s", first, second)
	}
}

func TestApplianceToken(t *testing.T) {
	a := onPremises(t, BackendAppliance, Options{})
	anonymous := func() answer { return a.do(http.MethodGet, "/v2/jobs", nil, "Authorization", "") }
	if got := anonymous(); got.status != http.StatusOK {
		t.Errorf("without a token: %v", got)
	}
	a.server.AddKey(testKey)
	if got := anonymous(); got.status != http.StatusUnauthorized || got.json(t)["error"] != "Unauthorized" {
		t.Errorf("with a token: %v", got)
	}
	if got := a.get("/v2/jobs"); got.status != http.StatusOK {
		t.Errorf("with the right token: %v", got)
	}
}

func TestApplianceKeepsJobsForADay(t *testing.T) {
	clock := newClock()
	a := onPremises(t, BackendAppliance, Options{Clock: clock, Speed: 1})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	state := func() any { return at(a.get("/v2/jobs/"+id).json(t), "job", "status") }
	drive(t, clock, time.Second, func() bool { return state() == "done" })
	clock.Step(applianceRetention - time.Minute)
	if got := state(); got != "done" {
		t.Errorf("before: %v", got)
	}
	clock.Step(2 * time.Minute)
	if got := a.get("/v2/jobs/" + id); got.status != http.StatusGone {
		t.Errorf("after: %v", got)
	}
}

func TestOnPremisesListsAreWhole(t *testing.T) {
	for _, backend := range []Backend{BackendAppliance, BackendWorker} {
		a := onPremises(t, backend, Options{Engines: 1000, JobHistory: -1})
		for range 103 {
			a.post("", plainConfig, "a.wav", wav(time.Second/10))
		}
		if got := len(a.get("/v2/jobs").json(t)["jobs"].([]any)); got != 103 {
			t.Errorf("%s: %d jobs", backend, got)
		}
		if got := len(a.get("/v2/jobs?limit=10").json(t)["jobs"].([]any)); got != 10 {
			t.Errorf("%s: %d jobs with a limit", backend, got)
		}
	}
}

func TestWorkerLifeOfAJob(t *testing.T) {
	for spelling, want := range map[WorkerSpelling]struct{ id, done string }{
		WorkerSpellingProse: {"job_id", "DONE"}, WorkerSpellingAPI: {"id", "done"},
	} {
		t.Run(string(spelling), func(t *testing.T) {
			a := onPremises(t, BackendWorker, Options{Behaviour: Behaviour{WorkerSpelling: spelling}})
			id := a.post("", plainConfig, "a.wav", wav(time.Second)).json(t)[want.id].(string)
			if !regexp.MustCompile(`^[0-9a-f]{20}$`).MatchString(id) {
				t.Errorf("%q", id)
			}
			eventually(t, "the end", func() bool { return at(a.get("/v2/jobs/"+id).json(t), "job", "status") == want.done })
			job := a.get("/v2/jobs/" + id).json(t)["job"]
			if at(job, want.id) != id || at(job, "request_id") == nil || at(job, "config") == nil {
				t.Errorf("%v", job)
			}
			if got := at(a.get("/v2/jobs").json(t), "jobs", 0); at(got, want.id) != id || at(got, "config") != nil {
				t.Errorf("list: %v", got)
			}
			if got := a.get("/v2/jobs/" + id + "/transcript?format=txt"); got.status != http.StatusOK {
				t.Errorf("%v", got)
			}
			for request, status := range map[string]int{
				"DELETE /v2/jobs/" + id: http.StatusMethodNotAllowed, "GET /v2/usage": http.StatusNotFound, "GET /v1/discovery/features": http.StatusNotFound, "GET /v2/jobs/none": http.StatusNotFound,
				"GET /v2/jobs/" + id + "?wait=0": http.StatusUnprocessableEntity, "POST /v2/jobs": http.StatusBadRequest,
			} {
				method, path, _ := strings.Cut(request, " ")
				got := a.do(method, path, nil)
				if body := got.json(t); got.status != status || len(body) != 1 || body["detail"] == "" {
					t.Errorf("%s: %v", request, got)
				}
			}
		})
	}
}

func TestWaitOnPremises(t *testing.T) {
	for _, backend := range []Backend{BackendAppliance, BackendWorker} {
		a := onPremises(t, backend, Options{Speed: 0.001, Behaviour: Behaviour{OnPremisesWait: OnPremisesWaitIgnore, WorkerSpelling: WorkerSpellingAPI}})
		got := a.post("?wait=60", plainConfig, "a.wav", wav(time.Second)).json(t)
		if len(got) != 1 {
			t.Errorf("%s: %v", backend, got)
		}
		started := time.Now()
		if job := a.get("/v2/jobs/" + got["id"].(string) + "?wait=60").json(t)["job"]; at(job, "status") != "running" || time.Since(started) > 30*time.Second {
			t.Errorf("%s: %v", backend, job)
		}
		check(t, a.server.SetBehaviour(Behaviour{}))
		if got := a.post("?wait=0", plainConfig, "a.wav", wav(time.Second)); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %v", backend, got)
		}
	}
}

// postUsing submits to a worker with a processing header.
func (a *api) postUsing(data string) answer {
	a.t.Helper()
	body, contentType := form(a.t, plainConfig, "a.wav", wav(time.Second))
	return a.do(http.MethodPost, "/v2/jobs", body, "Content-Type", contentType, "X-SM-Processing-Data", data)
}

func TestWorkerIsBusy(t *testing.T) {
	a := onPremises(t, BackendWorker, Options{Speed: 0.001, Engines: 5})
	if got := a.postUsing(`{"parallel_engines":2,"user_id":"u"}`); got.status != http.StatusCreated {
		t.Fatalf("%v", got)
	}
	busy := a.postUsing(`{"parallel_engines":8}`)
	if want := `{"detail":"Server busy: 8 engines not available (2 engines in use, 5 parallel allowed)"}` + "\n"; busy.status != http.StatusServiceUnavailable || busy.body != want {
		t.Errorf("%v", busy)
	}
	use := a.get("/jobs").json(t)
	if at(use, "active_jobs", 0, "parallel_engines") != 2.0 || at(use, "max_engines") != 5.0 || at(use, "unused_engines") != 3.0 {
		t.Errorf("%v", use)
	}
	if got := a.get("/ready"); got.status != http.StatusOK || got.json(t)["engines_used"] != 2.0 {
		t.Errorf("%v", got)
	}
	if got := a.postUsing(`{"parallel_engines":3}`); got.status != http.StatusCreated {
		t.Errorf("the last engines: %v", got)
	}
	if got := a.get("/ready"); got.status != http.StatusServiceUnavailable || got.json(t)["ready"] != false {
		t.Errorf("%v", got)
	}
	if got := a.get("/live"); got.status != http.StatusOK || got.json(t)["live"] != true {
		t.Errorf("%v", got)
	}
	if n := len(a.server.Ledger()); n != 2 {
		t.Errorf("%d jobs", n)
	}
	a.server.RejectJob(a.server.Jobs()[0].ID)
	if got := a.get("/ready").json(t)["engines_used"]; got != 3.0 {
		t.Errorf("after an end: %v", got)
	}
}

func TestProcessingHeader(t *testing.T) {
	a := onPremises(t, BackendWorker, Options{})
	for _, data := range []string{"{", "[]", `{"parallel_engines":0}`, `{"parallel_engines":1.5}`, `{"parallel_engines":"2"}`, `{"parallel_engines":1001}`, `{"user_id":7}`} {
		if got := a.postUsing(data); got.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %v", data, got)
		}
	}
	if got := start(t, Options{}).postUsing("{"); got.status != http.StatusCreated {
		t.Errorf("the hosted service looks at it: %v", got)
	}
}

func TestWorkerRestarts(t *testing.T) {
	r := newReceiver(t)
	a := onPremises(t, BackendWorker, Options{Speed: 0.001})
	id := a.post("", notifying(r.url, ""), "a.wav", wav(time.Second)).json(t)["job_id"].(string)
	if got := a.do(http.MethodPost, "/admin/restart", nil); got.status != http.StatusNoContent {
		t.Fatalf("%v", got)
	}
	if got := a.get("/v2/jobs/" + id); got.status != http.StatusNotFound {
		t.Errorf("%v", got)
	}
	if got := a.get("/v2/jobs").json(t)["jobs"].([]any); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := a.get("/ready").json(t)["engines_used"]; got != 0.0 {
		t.Errorf("%v engines are still in use", got)
	}
	if n := len(a.server.Ledger()); n != 1 || a.server.store.used != 0 {
		t.Errorf("ledger %d, %d bytes of media", n, a.server.store.used)
	}
	if again := a.post("", plainConfig, "a.wav", wav(time.Second)); again.status != http.StatusCreated {
		t.Errorf("afterwards: %v", again)
	}
	if len(r.all()) != 0 {
		t.Error("a forgotten job was notified")
	}
	if got := start(t, Options{}).do(http.MethodPost, "/admin/restart", nil); got.status != http.StatusConflict {
		t.Errorf("hosted: %v", got)
	}
}

// TestRestartEndsNotifications restarts a worker between two attempts to notify: there is no second one.
func TestRestartEndsNotifications(t *testing.T) {
	clock := newClock()
	r := newReceiver(t, 500)
	a := onPremises(t, BackendWorker, Options{Clock: clock, Speed: 1})
	a.post("", notifying(r.url, ""), "a.wav", wav(time.Second))
	drive(t, clock, time.Second, func() bool { return len(r.all()) == 1 })
	eventually(t, "the wait for the next attempt", func() bool { return clock.HasWaiters() && a.server.Jobs()[0].Errors == 1 })
	a.server.Restart()
	eventually(t, "the end of waiting", func() bool { return !clock.HasWaiters() })
	if got := len(r.all()); got != 1 {
		t.Errorf("%d attempts", got)
	}
}

// TestEnginesShareTheWork: with two engines a job takes half the time.
func TestEnginesShareTheWork(t *testing.T) {
	for engines, want := range map[int]time.Duration{1: 11 * time.Second, 2: 6 * time.Second, 4: 3 * time.Second} {
		clock := newClock()
		a := onPremises(t, BackendWorker, Options{Clock: clock, Speed: 1})
		body, contentType := form(t, plainConfig, "a.wav", wav(40*time.Second))
		a.do(http.MethodPost, "/v2/jobs", body, "Content-Type", contentType, "X-SM-Processing-Data", fmt.Sprintf(`{"parallel_engines":%d}`, engines))
		started := clock.Now()
		drive(t, clock, time.Second, func() bool { return a.server.Jobs()[0].Status == "done" })
		if got := clock.Since(started); got != want {
			t.Errorf("%d engines take %v, want %v", engines, got, want)
		}
	}
}

func TestWorkerHistory(t *testing.T) {
	a := onPremises(t, BackendWorker, Options{JobHistory: 2, Behaviour: Behaviour{WorkerSpelling: WorkerSpellingAPI}})
	var ids []string
	for range 4 {
		id := a.submit(plainConfig, "a.wav", wav(time.Second/10))
		eventually(t, "the end", func() bool { return at(a.get("/v2/jobs/"+id).json(t), "job", "status") == "done" })
		ids = append(ids, id)
	}
	for i, id := range ids {
		if got := a.get("/v2/jobs/" + id).status; (got == http.StatusOK) != (i >= 2) {
			t.Errorf("job %d: %d", i, got)
		}
	}
}

func TestHostedFeaturesAreRefusedOnPremises(t *testing.T) {
	for _, backend := range []Backend{BackendAppliance, BackendWorker} {
		a := onPremises(t, backend, Options{})
		for _, config := range []string{
			with(`"summarization_config":{}`, ""), with(`"topic_detection_config":{}`, ""), with(`"auto_chapters_config":{}`, ""),
			language(plainConfig, "auto"), meliaConfig("", ""), `{"type":"alignment","alignment_config":{"language":"en"}}`,
		} {
			if got := a.post("", config, "a.wav", wav(time.Second)); got.status != http.StatusBadRequest || !strings.Contains(got.body, "not available") {
				t.Errorf("%s %s: %v", backend, config, got)
			}
		}
		for _, config := range []string{
			with(`"sentiment_analysis_config":{},"audio_events_config":{},"translation_config":{"target_languages":["de"]}`, ""),
		} {
			if got := a.post("", config, "a.wav", wav(time.Second)); got.status != http.StatusCreated {
				t.Errorf("%s %s: %v", backend, config, got)
			}
		}
	}
}

func TestUnknownBackend(t *testing.T) {
	err := Options{Backend: "cloud"}.Validate()
	if diff := cmp.Diff(`backend: "cloud" is none of ["saas","appliance","worker"]`, fmt.Sprint(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
