// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"net/http"
	"testing"
	"time"
)

// TestToldDone: the ledger knows whether anybody knows of a job that it is done, by whatever way.
func TestToldDone(t *testing.T) {
	t.Parallel()
	const refused = http.StatusServiceUnavailable
	get := func(a *api, id string) { a.job(id) }
	list := func(a *api, _ string) { a.ids("") }
	for name, test := range map[string]struct {
		answers []int // to notifications; nil asks for none
		reject  bool
		look    func(a *api, id string)
		want    bool
	}{
		"nobody asks":              {},
		"asked for":                {look: get, want: true},
		"listed":                   {look: list, want: true},
		"a page that lacks it":     {look: func(a *api, _ string) { a.ids("?created_before=2000-01-01T00:00:00Z") }},
		"notified":                 {answers: []int{http.StatusOK}, want: true},
		"acknowledged in the end":  {answers: []int{refused, http.StatusNoContent}, want: true},
		"never acknowledged":       {answers: []int{refused, refused, refused, refused}},
		"redirected":               {answers: []int{302, 302, 302, 302}},
		"rejected, and asked for":  {reject: true, look: get},
		"rejected, and listed":     {reject: true, look: list},
		"rejected, and notified":   {reject: true, answers: []int{http.StatusOK}},
		"given up, and then asked": {answers: []int{refused, refused, refused, refused}, look: get, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			options := Options{Speed: 1e6}
			if test.reject {
				options.Faults = []Fault{{Kind: FaultReject}}
			}
			config := plainConfig
			var r *receiver
			if test.answers != nil {
				r = newReceiver(t, test.answers...)
				config = notifying(r.url, "")
			}
			a := start(t, options)
			id := a.submit(config, "a.wav", wav(time.Second))
			eventually(t, "the job has ended", func() bool { return !a.server.Ledger()[0].EndedAt.IsZero() })
			if r != nil {
				r.wait(t, len(test.answers))
				a.server.mu.Lock()
				j := a.server.jobs[id]
				a.server.mu.Unlock()
				<-j.notified
			}
			if test.look != nil {
				test.look(a, id)
			}
			told := func() bool { return !a.server.Ledger()[0].ToldDoneAt.IsZero() }
			if test.want {
				eventually(t, "the ledger says so", told)
			} else if told() {
				t.Errorf("nobody was told: %+v", a.server.Ledger()[0])
			}
		})
	}
}
