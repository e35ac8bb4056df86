// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestConcurrentUse lets many clients and an administrator at one server; the race detector watches.
func TestConcurrentUse(t *testing.T) {
	const clients, jobs = 8, 12
	r := newReceiver(t)
	a := start(t, Options{Speed: 1e4})
	var work sync.WaitGroup
	for c := range clients {
		work.Go(func() {
			for n := range jobs {
				reference := fmt.Sprintf("%d/%d", c, n)
				config := with(fmt.Sprintf(`"notification_config":[{"url":%q,"contents":["transcript","data"]}],"tracking":{"reference":%q}`,
					r.url, reference), "")
				got := a.post("", config, "a.wav", wav(100*time.Millisecond))
				if got.status != http.StatusCreated {
					t.Errorf("%v", got)
					return
				}
				id := got.json(t)["id"].(string)
				a.get("/v2/jobs?include_deleted=true")
				a.get("/v2/jobs/" + id + "/transcript")
				if n%3 == 0 {
					a.do(http.MethodDelete, "/v2/jobs/"+id+"?force=true", nil)
				}
				if n%4 == 0 {
					a.server.RejectJob(id)
				}
				if err := a.server.SetFaults(Fault{Kind: FaultNotificationDoubled, Probability: 0.5}); err != nil {
					t.Error(err)
				}
				a.server.Jobs()
			}
		})
	}
	work.Wait()
	if n := len(a.server.Ledger()); n != clients*jobs {
		t.Errorf("%d jobs", n)
	}
}

// TestConcurrentRestarts restarts a worker under its clients: nothing stays behind, and engines are free in the end.
func TestConcurrentRestarts(t *testing.T) {
	const clients, jobs = 6, 10
	r := newReceiver(t)
	a := onPremises(t, BackendWorker, Options{Speed: 1e3, Engines: clients * jobs, JobHistory: 5})
	var work sync.WaitGroup
	for c := range clients {
		work.Go(func() {
			for n := range jobs {
				config := with(fmt.Sprintf(`"notification_config":[{"url":%q,"contents":["transcript","data"]}]`, r.url), "")
				if got := a.post("", config, "a.wav", wav(100*time.Millisecond)); got.status != http.StatusCreated {
					t.Errorf("%v", got)
				}
				a.get("/v2/jobs")
				a.get("/jobs")
				if (c+n)%5 == 0 {
					a.server.Restart()
				}
			}
		})
	}
	work.Wait()
	a.server.Restart()
	if got := a.get("/ready").json(t)["engines_used"]; got != 0.0 || len(a.server.Jobs()) != 0 || len(a.server.Ledger()) != clients*jobs {
		t.Errorf("%v engines in use, %d jobs, %d in the ledger", got, len(a.server.Jobs()), len(a.server.Ledger()))
	}
}
