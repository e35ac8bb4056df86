// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// way is a way that jobs can take, on which points lie that are rarely passed on others. Together they have every point, so that no run of
// all scenarios leaves one out.
type way struct {
	name, story       string
	manager, receiver []crashpoint.Point
	unnotified        bool
	// surplus means that there must be one, window how long submissions may take; 0 means as everywhere.
	surplus bool
	window  time.Duration
	// faults lead there.
	faults []simulator.Fault
	// sends creates some jobs that go there.
	sends func(*run)
}

// ways are those of the points of manager and receiver.
func ways() []way {
	return []way{
		{
			name: "ordinary", story: "on the way that every job takes, the manager kills itself at each point",
			manager: []crashpoint.Point{
				crashpoint.Admitted, crashpoint.Claimed, crashpoint.TakenUp, crashpoint.BeforeFence, crashpoint.LastBytes, crashpoint.Accepted,
				crashpoint.Recorded, crashpoint.Judged, crashpoint.StatusWritten,
			},
			sends: sendSome,
		},
		{
			name: "refused", story: "the provider refuses submissions with 429, and the manager kills itself before the claim says so",
			manager: []crashpoint.Point{crashpoint.NotCreated},
			faults:  []simulator.Fault{{Kind: simulator.FaultError, Operation: simulator.OperationCreate, Status: http.StatusTooManyRequests, Probability: 0.8}},
			sends:   sendSome,
		},
		{
			name: "surplus", story: "answers get lost, some submissions arrive twice, and the manager kills itself while it sorts that out",
			manager:    []crashpoint.Point{crashpoint.Searched, crashpoint.SurplusNoted, crashpoint.Adopted},
			unnotified: true, surplus: true, window: 6 * time.Second, // in which a submission arrives twice
			sends: (*run).sendTwice,
		},
		{
			name: "never-arrived", story: "submissions do not arrive, and the manager kills itself when it has looked for them in vain",
			manager: []crashpoint.Point{crashpoint.GivenUp},
			faults:  []simulator.Fault{{Kind: simulator.FaultRequestReset, Operation: simulator.OperationCreate, Probability: 0.8}},
			sends:   sendSome,
		},
		{
			name: "erased", story: "answers get lost, somebody erases the claims, and the manager kills itself when it has restored one",
			manager:    []crashpoint.Point{crashpoint.ClaimRestored},
			faults:     []simulator.Fault{{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate}},
			unnotified: true,
			sends:      (*run).sendAndErase,
		},
		{
			name: "announced", story: "notifications come for submissions whose answers get lost, and the manager kills itself when it has recorded what they tell",
			manager: []crashpoint.Point{crashpoint.AnnouncedRecorded},
			faults:  append([]simulator.Fault{{Kind: simulator.FaultNotificationEarly}}, lostAnswers...),
			sends:   sendSome,
		},
		{
			name: "delivered", story: "notifications get lost, and the manager kills itself while it collects the transcripts",
			manager: []crashpoint.Point{crashpoint.Collecting, crashpoint.Delivering, crashpoint.Delivered},
			faults:  []simulator.Fault{{Kind: simulator.FaultNotificationLost}},
			sends:   sendSome,
		},
		{
			name: "deleted", story: "objects are deleted, and the manager kills itself while it cleans up",
			manager: []crashpoint.Point{crashpoint.RemoteDeleted, crashpoint.CleanedUp, crashpoint.Released},
			sends:   (*run).sendAndDelete,
		},
		{
			name: "stored", story: "on the way of every notification, the receiver kills itself at each point",
			receiver: crashpoint.Receiver(),
			sends:    sendSome,
		},
	}
}

// wayScenarios have each program kill itself at every point of a way.
func wayScenarios() []scenario {
	all := ways()
	scenarios := make([]scenario, 0, len(all))
	for _, w := range all {
		fault := "manager killed between two steps, by name"
		if w.receiver != nil {
			fault = "receiver killed between two steps, by name"
		}
		scenarios = append(scenarios, scenario{
			name: "crash-points-" + w.name, fault: fault, story: w.story, surplus: w.surplus,
			system: func(r *run) harness.SystemOptions {
				options := r.crashing(r.eachOnce(w.manager), r.eachOnce(w.receiver))
				options.Unnotified = w.unnotified
				options.Timings.SubmissionWindow = w.window
				return options
			},
			breaks: func(r *run) { r.walk(w) },
		})
	}
	return scenarios
}

// eachOnce orders one crash for each run of a program, at another point each, in random order.
func (r *run) eachOnce(points []crashpoint.Point) []string {
	points = slices.Clone(points)
	r.random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	runs := make([]string, 0, len(points))
	for _, p := range points {
		runs = append(runs, crashpointVariable+"="+order(p, 1+r.random.IntN(2), "kill"))
	}
	return runs
}

const (
	// maxBatches is how many batches of jobs are sent on a way at most.
	maxBatches = 30
	// batchPatience is how long a batch may take to a point: as long as an uncertain submission takes to be settled, and more.
	batchPatience = 15 * time.Second
)

// walk sends jobs on a way, one batch after the other, until there was a crash at each of its points.
func (r *run) walk(w way) {
	r.Helper()
	r.order(w.faults...)
	wanted := len(w.manager) + len(w.receiver)
	done := func() bool { return len(r.crashes()) == wanted && (!w.surplus || r.hasSurplus()) }
	for range maxBatches {
		if done() {
			break
		}
		seen := len(r.crashes())
		w.sends(r)
		r.within(batchPatience, func() bool { return done() || len(r.crashes()) > seen })
	}
	if !done() {
		r.Errorf("after %d batches there were crashes only at %q, want all of %q; there was a surplus: %t",
			maxBatches, r.crashes(), slices.Concat(w.manager, w.receiver), r.hasSurplus())
	}
	r.order()
}

// within waits until something happens, or some time is over.
func (r *run) within(limit time.Duration, happens func() bool) {
	r.Helper()
	for began := time.Now(); !happens() && time.Since(began) < limit; {
		r.wait(lookInterval)
	}
}

// sendSome sends jobs that nothing is done to.
func sendSome(r *run) { r.create(3) }

// sendAndErase sends jobs, and erases the claims of those whose submission is uncertain.
func (r *run) sendAndErase() {
	r.Helper()
	jobs := r.create(3)
	r.wait(r.between(500*time.Millisecond, 1500*time.Millisecond))
	objects, err := r.objects()
	r.must(err)
	for _, j := range jobs {
		if object := objects[j.uid]; object.Status.StartTime != nil && recordedID(object) == "" {
			r.eraseClaim(j)
		}
	}
}

// sendAndDelete sends jobs, and deletes them.
func (r *run) sendAndDelete() {
	r.Helper()
	jobs := r.create(3)
	r.wait(r.between(500*time.Millisecond, 3*time.Second))
	for _, j := range jobs {
		r.delete(j)
	}
}

// sendTwice sends jobs whose answers get lost, and has their submissions arrive again. Nothing that the manager does leads to that, but
// something between it and the provider could. It must be long enough before the manager looks for them, so that it finds both.
func (r *run) sendTwice() {
	r.Helper()
	r.replaceFaults(simulator.Fault{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate})
	jobs := r.create(5)
	r.wait(r.between(300*time.Millisecond, 600*time.Millisecond))
	ledger, err := r.system.API.Ledger(r.ctx)
	r.must(err)
	objects, err := r.objects()
	r.must(err)
	r.wait(lookInterval) // until the answers of those in the ledger are lost
	r.replaceFaults()
	paid := (&facts{ledger: ledger}).byAttempt()
	for _, j := range jobs {
		claim, err := notification.ParseClaim(objects[j.uid].Annotations[notification.ClaimAnnotation])
		if err != nil || j.spec.Media.URL == nil || time.Until(claim.NotAfter) < time.Second {
			continue
		}
		if len(paid[attemptOf{j.uid, claim.Attempt}]) == 1 {
			r.must(r.system.API.Submit(r.ctx, *j.spec.Media.URL, claim.Reference().String()))
		}
	}
}

// checkRunning: there were never more jobs at the provider at a time than the account permits, and as many at some time.
func checkRunning(limit int) func(*run, *facts) {
	return func(r *run, f *facts) {
		r.Helper()
		if most := mostRunning(f.ledger); most != limit {
			r.Errorf("%d jobs were at the provider at a time, want %d", most, limit)
		}
	}
}

// mostRunning is how many jobs were running at a time, at most.
func mostRunning(ledger []simulator.LedgerEntry) int {
	type change struct {
		at time.Time
		by int
	}
	var changes []change
	for _, entry := range ledger {
		changes = append(changes, change{entry.CreatedAt, 1})
		if !entry.EndedAt.IsZero() {
			changes = append(changes, change{entry.EndedAt, -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int {
		if order := a.at.Compare(b.at); order != 0 {
			return order
		}
		return a.by - b.by // a place that gets free may be taken at once
	})
	running, most := 0, 0
	for _, c := range changes {
		running += c.by
		most = max(most, running)
	}
	return most
}

// TestWays: every point lies on one of the ways.
func TestWays(t *testing.T) {
	var on []crashpoint.Point
	for _, w := range ways() {
		on = slices.Concat(on, w.manager, w.receiver)
	}
	all := slices.Concat(crashpoint.Manager(), crashpoint.Receiver())
	slices.Sort(on)
	slices.Sort(all)
	if !slices.Equal(on, all) {
		t.Errorf("points on the ways: %q, want %q", on, all)
	}
}

// TestMostRunning: jobs that overlap are counted, and those that follow one another are not.
func TestMostRunning(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	entry := func(from, to int) simulator.LedgerEntry {
		return simulator.LedgerEntry{CreatedAt: at(from), EndedAt: at(to)}
	}
	for _, c := range []struct {
		ledger []simulator.LedgerEntry
		want   int
	}{
		{nil, 0},
		{[]simulator.LedgerEntry{entry(1, 3), entry(3, 5), entry(5, 6)}, 1},
		{[]simulator.LedgerEntry{entry(1, 4), entry(3, 5), entry(4, 6)}, 2},
		{[]simulator.LedgerEntry{entry(8, 9), {CreatedAt: at(1)}, entry(2, 4), entry(3, 5)}, 3},
	} {
		if got := mostRunning(c.ledger); got != c.want {
			t.Errorf("%+v: %d, want %d", c.ledger, got, c.want)
		}
	}
}
