// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// delayed has the provider's next answer stay under way until the returned function is called; arrived is closed when it is.
func (tower *watchtower) delayed() (arrived <-chan struct{}, release func()) {
	tower.t.Helper()
	underWay, goOn := make(chan struct{}), make(chan struct{})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		tower.simulator.ServeHTTP(recorder, r)
		select {
		case <-goOn:
		default:
			close(underWay)
			<-goOn
		}
		maps.Copy(w.Header(), recorder.Header())
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(recorder.Body.Bytes())
	}))
	tower.t.Cleanup(proxy.Close)
	client, err := speechmatics.New(proxy.URL+"/v2", speechmatics.WithAPIKey(apiKey))
	if err != nil {
		tower.t.Fatal(err)
	}
	tower.t.Cleanup(client.CloseIdleConnections)
	tower.provider.client = client
	return underWay, func() { close(goOn) }
}

// TestObserver_inFlight has a job end, and its notification come, while the answer that it still runs is under way: in a page or in an
// answer about it alone. That answer says nothing to the pass that the notification begins.
func TestObserver_inFlight(t *testing.T) {
	t.Parallel()
	for name, jobs := range map[string]int{"page": 30, "single request": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
			tower.submit(jobs, time.Second)
			tower.ask()
			tower.clock.Step(towerPoll)
			underWay, release := tower.delayed()
			done := make(chan struct{})
			go func() {
				defer close(done)
				tower.observers.run(t.Context(), tower.group())
			}()
			<-underWay
			tower.finish()
			q := tower.question(0)
			q.urgent = true
			if a := tower.observers.ask(q); a != nil {
				t.Errorf("there was an answer already: %+v", a)
			}
			release()
			<-done
			tower.round()
			a := tower.observers.ask(q)
			if a == nil || a.job == nil || a.job.Status != speechmatics.JobDone {
				t.Errorf("got %+v, want that the job is done", a)
			}
		})
	}
}

// TestObserver_staleAnswer keeps the answer that a job runs for a pass that comes late, or for another reason than the one that it asked
// for. Where that matters the job is looked at again; all else that is known is told.
func TestObserver_staleAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after time.Duration
		ask   func(*question)
		taken bool
	}{
		"at once":                   {0, func(*question) {}, true},
		"soon":                      {20 * time.Second, func(*question) {}, true},
		"not in need of one":        {20 * time.Second, func(q *question) { q.urgent = false; q.cause.facts = 2 }, true},
		"after a notification":      {time.Millisecond, func(q *question) { q.cause.facts = 2 }, false},
		"the deadline has passed":   {time.Millisecond, func(q *question) { q.cause.overdue = true }, false},
		"no look was made for long": {towerPoll * 2, func(*question) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
			tower.submit(1, time.Second)
			q := tower.question(0)
			q.urgent, q.cause.facts = true, 1
			tower.observers.ask(q)
			tower.round()
			tower.clock.Step(c.after)
			c.ask(&q)
			if a := tower.observers.ask(q); (a != nil) != c.taken {
				t.Fatalf("got %+v", a)
			}
			if c.taken {
				return
			}
			if start := tower.group().earliest(); start.After(tower.clock.Now()) {
				t.Errorf("the next look is due in %s", start.Sub(tower.clock.Now()))
			}
			tower.round()
			if a := tower.observers.ask(q); a == nil || !a.runs() {
				t.Errorf("after another look: got %+v", a)
			}
		})
	}
}

// TestObserver_overdue has a job deleted only by an answer that has just come: it may have ended since an older one.
func TestObserver_overdue(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.submit(1, time.Second)
	q := tower.question(0)
	q.urgent, q.cause.overdue = true, true
	tower.observers.ask(q)
	tower.round()
	tower.clock.Step(tower.observers.options.RetryInterval + time.Second)
	if a := tower.observers.ask(q); a != nil {
		t.Errorf("got %+v", a)
	}
	tower.finish()
	tower.round()
	if a := tower.observers.ask(q); a == nil || a.job.Status != speechmatics.JobDone {
		t.Errorf("got %+v, want that the job is done", a)
	}
}

// TestObserver_recovery has jobs hear that the account is in trouble, which their status says: the look that shows that they run wakes them,
// so that it does not go on saying so.
func TestObserver_recovery(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.submit(30, time.Second)
	tower.ask()
	tower.clock.Step(towerPoll)
	tower.fault(
		simulator.Fault{Kind: simulator.FaultError, Count: 1, Operation: simulator.OperationList, Status: http.StatusServiceUnavailable},
		simulator.Fault{Kind: simulator.FaultError, Count: concurrentLooks, Operation: simulator.OperationGet, Status: http.StatusServiceUnavailable},
	)
	tower.round()
	tower.clock.Step(time.Second)
	hearsay := 0
	for _, a := range tower.ask() {
		if a.hearsay {
			hearsay++
		}
	}
	clear(tower.told)
	tower.clock.Step(time.Minute)
	tower.round()
	if hearsay == 0 || len(tower.told) < hearsay {
		t.Errorf("%d jobs heard of the trouble, and %d were told that it is over", hearsay, len(tower.told))
	}
}

// TestPolling_shorter gives an account a shorter poll interval, and no notifications any more, while a job runs.
func TestPolling_shorter(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.submit(1, time.Second)
	long := *tower.provider
	long.pollInterval, long.callbackURL = time.Hour, "https://receiver.example.com"
	q := tower.question(0)
	q.provider = &long
	tower.observers.expect(q)
	tower.observers.ask(tower.question(0))
	if due := tower.group().earliest().Sub(tower.clock.Now()); due > longest(towerPoll) {
		t.Errorf("the next look is due in %s; the interval is %s", due, towerPoll)
	}
}
