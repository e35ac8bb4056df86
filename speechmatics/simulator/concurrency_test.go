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
