// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNotificationAttempts(t *testing.T) {
	for attempts := 1; attempts <= 4; attempts++ {
		r := newReceiver(t, 500, 500, 500, 500, 500)
		a := start(t, Options{Speed: 1e5, Retention: -1, Behaviour: Behaviour{NotificationAttempts: attempts}})
		id := a.submit(notifying(r.url, ""), "a.wav", wav(time.Second))
		eventually(t, "giving up", func() bool { return len(messages(a.job(id))) == attempts+1 })
		if got := len(r.all()); got != attempts {
			t.Errorf("%d attempts, want %d", got, attempts)
		}
	}
}

func TestNotificationRedirects(t *testing.T) {
	r := newReceiver(t, http.StatusTemporaryRedirect)
	a := start(t, Options{Behaviour: Behaviour{FollowNotificationRedirects: true}})
	id := a.submit(notifying(r.url, `"contents":["jobinfo"]`), "a.wav", wav(time.Second))
	if got := r.wait(t, 2)[1]; got.path != "/elsewhere" || !strings.Contains(got.body, id) {
		t.Errorf("%+v", got)
	}
}

func TestNotificationOfADeletion(t *testing.T) {
	r := newReceiver(t)
	a := start(t, Options{Behaviour: Behaviour{NotifyDeletion: true}})
	ended := a.submit(notifying(r.url, ""), "a.wav", wav(time.Second))
	r.wait(t, 1)
	a.do(http.MethodDelete, "/v2/jobs/"+ended, nil) // is told already
	running := a.submit(notifying(r.url, ""), "a.wav", wav(time.Hour/10))
	a.do(http.MethodDelete, "/v2/jobs/"+running+"?force=true", nil)
	if got := r.wait(t, 2); got[1].query != "id="+running+"&status=error" || len(got) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestPartFileNames(t *testing.T) {
	r := newReceiver(t)
	a := start(t, Options{Behaviour: Behaviour{PartFileNames: PartFileNamesJob}})
	id := a.submit(notifying(r.url, `"contents":["transcript.txt","transcript.srt"]`), "a.wav", wav(time.Second))
	for _, item := range []string{"transcript.txt", "transcript.srt"} {
		if name := item + "/" + id + " text/plain; charset=utf-8"; r.wait(t, 1)[0].parts[name] == "" {
			t.Errorf("no %s in %v", name, r.all()[0].parts)
		}
	}
}

func TestFetchGivesUpAtOnce(t *testing.T) {
	for status, attempts := range map[int]int{http.StatusNotFound: 1, http.StatusBadGateway: 4} {
		r := newReceiver(t, status, status, status, status)
		a := start(t, Options{Behaviour: Behaviour{FetchGivesUpAtOnce: true}})
		job := a.finished(a.submit(with(fmt.Sprintf(`"fetch_data":{"url":%q}`, r.url+"/a.wav"), ""), "", nil))
		if got := len(r.all()); got != attempts || len(messages(job)) != attempts {
			t.Errorf("%d: %d attempts, %v", status, got, job)
		}
	}
}

func TestListsLagAlways(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Behaviour: Behaviour{ListLag: Duration(time.Minute)}})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	listed := func() int { return len(a.get("/v2/jobs").json(t)["jobs"].([]any)) }
	if a.job(id)["id"] != id || listed() != 0 {
		t.Error("it is listed at once")
	}
	clock.Step(time.Minute)
	if listed() != 1 {
		t.Error("it is not listed in the end")
	}
}

func TestStatusSwitches(t *testing.T) {
	limits := Limits{UploadBytes: 50_000, TrackingBytes: 100}
	large := func(a *api) answer { return a.post("", plainConfig, "a.wav", wav(4*time.Second)) }
	noAudio := func(a *api) answer { return a.post("", plainConfig, "a.wav", []byte("no audio")) }
	whole := func(a *api) answer { return a.post("", plainConfig, "a.wav", wav(time.Second)) }
	for name, test := range map[string]struct {
		behaviour Behaviour
		faults    []Fault
		send      func(*api) answer
		status    int
		text      string
	}{
		"too large":             {Behaviour{}, nil, large, 413, "<title>413"},
		"too large, JSON":       {Behaviour{EdgeErrors: BodyJSON}, nil, large, 413, `"code":413`},
		"too large, by 400":     {Behaviour{TooLargeStatus: 400}, nil, large, 400, "Job rejected"},
		"no audio":              {Behaviour{RejectInvalidAudioAtSubmission: true}, nil, noAudio, 400, "invalid audio"},
		"no audio, by 403":      {Behaviour{RejectInvalidAudioAtSubmission: true, InvalidAudioStatus: 403}, nil, noAudio, 403, "invalid audio"},
		"no credit":             {Behaviour{}, []Fault{{Kind: FaultNoCredit}}, whole, 403, "Forbidden"},
		"no credit, by 402":     {Behaviour{NoCreditStatus: 402}, []Fault{{Kind: FaultNoCredit, Message: "Pay"}}, whole, 402, "Pay"},
		"no credit, by 429":     {Behaviour{NoCreditStatus: 429, RetryAfter: Duration(time.Second)}, []Fault{{Kind: FaultNoCredit}}, whole, 429, "no credit left"},
		"no credit for another": {Behaviour{}, []Fault{{Kind: FaultNoCredit, Title: "another"}}, whole, 201, "id"},
		"tracking is too large": {Behaviour{}, nil, func(a *api) answer {
			return a.post("", with(`"tracking":{"title":"`+strings.Repeat("x", 100)+`"}`, ""), "a.wav", wav(time.Second))
		}, 400, "tracking is too large"},
		"tracking is not so large": {Behaviour{}, nil, func(a *api) answer {
			return a.post("", with(`"tracking":{"title":"x"}`, ""), "a.wav", wav(time.Second))
		}, 201, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, Options{Limits: limits, Behaviour: test.behaviour, Faults: test.faults})
			got := test.send(a)
			if got.status != test.status || !strings.Contains(got.body, test.text) || (got.header.Get("Retry-After") == "1") != (test.behaviour.RetryAfter > 0) {
				t.Errorf("%v", got)
			}
			if created := len(a.server.Ledger()) == 1; created != (test.status == 201) {
				t.Errorf("a job was created: %v", created)
			}
		})
	}
}

func TestNamesOfUsageAndDiscovery(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, Speed: 1e6, Retention: -1, Behaviour: Behaviour{
		UsageModel: UsageModelOperatingPoint, DiscoveryIdentification: DiscoveryIdentificationCamel,
	}})
	id := a.submit(plainConfig, "a.wav", wav(36*time.Second))
	aligned := a.align(alignConfig, "hello").json(t)["id"].(string)
	drive(t, clock, time.Second, func() bool { return a.job(id)["status"] == "done" && a.job(aligned)["status"] == "done" })
	clock.Step(24 * time.Hour)
	usage := a.get("/v2/usage").json(t)
	if diff := cmp.Diff([]any{"alignment", "transcription"}, column(usage["summary"], "type")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{nil, "standard"}, column(usage["details"], "operating_point")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	discovered := a.get("/v1/discovery/features").json(t)
	if at(discovered, "batch", "languageId", 0, "languages") == nil || at(discovered, "batch", "languageid") != nil ||
		at(discovered, "batch", "translation", 0, "languages", "no", 1) != "nn" {
		t.Errorf("%v", discovered)
	}
}

func TestWholeLists(t *testing.T) {
	a := start(t, Options{})
	for range 101 {
		a.submit(plainConfig, "a.wav", wav(time.Second/10))
	}
	listed := func(query string) int { return len(a.get("/v2/jobs" + query).json(t)["jobs"].([]any)) }
	if got := listed(""); got != 100 {
		t.Errorf("%d jobs", got)
	}
	check(t, a.server.SetBehaviour(Behaviour{UnlimitedLists: true}))
	if whole, page := listed(""), listed("?limit=100"); whole != 101 || page != 100 {
		t.Errorf("%d jobs, %d with a limit", whole, page)
	}
}

func TestVendorMediaType(t *testing.T) {
	a := start(t, Options{Behaviour: Behaviour{MediaType: MediaTypeVendor}})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	a.finished(id)
	for path, want := range map[string]string{
		"/v2/jobs": "application/vnd.speechmatics.v2+json", "/v2/jobs/" + id + "/transcript": "application/vnd.speechmatics.v2+json",
		"/v2/jobs/none": "application/vnd.speechmatics.v2+json", "/v2/jobs/" + id + "/transcript?format=txt": "text/plain; charset=utf-8",
		"/v1/discovery/features": "application/json",
	} {
		if got := a.get(path).header.Get("Content-Type"); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func TestModelAndOperatingPoint(t *testing.T) {
	b := Behaviour{AllowModelAndOperatingPoint: true}
	if c, err := parseConfig([]byte(with("", `"model":"enhanced","operating_point":"enhanced"`)), b); err != nil || c.model != modelEnhanced {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := parseConfig([]byte(with("", `"model":"enhanced","operating_point":"standard"`)), b); err == nil {
		t.Errorf("%+v", c)
	}
}
