// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/contract"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// watchtower has a simulator's jobs looked at, over real HTTP and without an API server. Its clock stands still unless it is moved.
type watchtower struct {
	t         *testing.T
	clock     *testingclock.FakeClock
	simulator *simulator.Server
	provider  *provider
	observers *observers
	// remote are the jobs that were submitted, by their remote IDs, the oldest first.
	remote []string

	mu      sync.Mutex
	told    map[types.UID]int
	refused int
	usable  bool
}

const towerPoll = 30 * time.Second

func newWatchtower(t *testing.T, options simulator.Options, backend speechmatics.Backend) *watchtower {
	t.Helper()
	const plenty = 1_000_000
	tower := &watchtower{t: t, clock: testingclock.NewFakeClock(epoch), told: map[types.UID]int{}, usable: true}
	options.APIKeys, options.Clock, options.MediaDir = []string{apiKey}, tower.clock, t.TempDir()
	options.Limits = simulator.Limits{SubmissionsPerSecond: plenty, ReadsPerSecond: plenty, RunningJobs: plenty}
	options.Processing = simulator.Processing{Base: 24 * time.Hour}
	tower.simulator = simulator.New(options)
	server := httptest.NewServer(contract.Handler(t, contract.Backend(backend), tower.simulator))
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := tower.simulator.Close(ctx); err != nil {
			t.Errorf("the simulator did not stop: %v", err)
		}
	})
	client, err := speechmatics.New(server.URL+"/v2", speechmatics.WithAPIKey(apiKey), speechmatics.WithBackend(backend))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	operator := Options{Clock: clock.RealClock{}, RetryInterval: 10 * time.Second}.withDefaults()
	limits := newLimits(operator, func(types.NamespacedName) {})
	limits.set(sharer{
		account: v1alpha1.ResolvedAccountReference{UID: "account"},
		limits:  v1alpha1.AccountLimits{RequestsPerSecond: ptr.To(int32(10_000))},
	})
	tower.provider = &provider{
		client: client, backend: backend, baseURL: server.URL, keyFingerprint: "key", limits: limits, pollInterval: towerPoll,
		account: v1alpha1.ResolvedAccountReference{Kind: v1alpha1.NamespacedAccount, Name: "default", UID: "account"},
	}
	operator.Clock = tower.clock
	tower.observers = newObservers(operator)
	tower.observers.log = logr.Discard()
	if tower.observers.metrics, err = newMetrics(prometheus.NewRegistry(), newRisks(), newCensus(nil), false); err != nil {
		t.Fatal(err)
	}
	tower.observers.tell = func(uid types.UID, _ types.NamespacedName) {
		tower.mu.Lock()
		defer tower.mu.Unlock()
		tower.told[uid]++
	}
	tower.observers.refused = func(*provider) { tower.refused++ }
	tower.observers.usable = func(*provider) bool {
		tower.mu.Lock()
		defer tower.mu.Unlock()
		return tower.usable
	}
	return tower
}

// silence is the shortest recording.
var silence = func() []byte {
	wav := bytes.NewBufferString("RIFF\xff\xff\xff\xffWAVEfmt ")
	for _, field := range []any{uint32(16), uint16(1), uint16(1), uint32(8000), uint32(16000), uint16(2), uint16(16)} {
		_ = binary.Write(wav, binary.LittleEndian, field) // to memory
	}
	wav.WriteString("data")
	_ = binary.Write(wav, binary.LittleEndian, uint32(32))
	wav.Write(make([]byte, 32))
	return wav.Bytes()
}()

func towerUID(i int) types.UID { return types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)) }

// submit submits jobs, with a time between them.
func (tower *watchtower) submit(n int, every time.Duration) {
	tower.t.Helper()
	for range n {
		i := len(tower.remote)
		reference := notification.Reference{UID: towerUID(i), Attempt: 1, Nonce: "0123456789abcdef0123456789abcdef"}.String()
		waiting := tower.clock.Waiters()
		created, err := tower.provider.client.CreateJob(tower.t.Context(), speechmatics.CreateJobRequest{
			ConfigJSON: fmt.Appendf(nil, `{"type":"transcription","transcription_config":{"language":"en"},"tracking":{"reference":%q}}`, reference),
			Media:      &speechmatics.Media{Name: "a.wav", Reader: bytes.NewReader(silence), Size: int64(len(silence))},
		})
		if err != nil {
			tower.t.Fatal(err)
		}
		tower.remote = append(tower.remote, created.ID)
		tower.await(func() bool { return tower.clock.Waiters() > waiting }) // it is being processed, and ends in time
		tower.clock.Step(every)
	}
}

// question is what a pass asks about a job that was seen running already, in a manager that has just started.
func (tower *watchtower) question(i int) question {
	var created time.Time
	for _, entry := range tower.simulator.Ledger() {
		if entry.JobID == tower.remote[i] {
			created = entry.CreatedAt.Truncate(time.Second)
		}
	}
	return question{
		uid: towerUID(i), name: types.NamespacedName{Name: string(towerUID(i))}, attempt: 1, id: tower.remote[i],
		provider: tower.provider, created: created, known: knownFacts{duration: true},
	}
}

// ask asks about all jobs, and returns how many answers there were.
func (tower *watchtower) ask(change ...func(*question)) (answers []*answer) {
	tower.t.Helper()
	ledger := tower.simulator.Ledger()
	for i, id := range tower.remote {
		q := question{
			uid: towerUID(i), name: types.NamespacedName{Name: string(towerUID(i))}, attempt: 1, id: id,
			provider: tower.provider, created: ledger[i].CreatedAt.Truncate(time.Second), known: knownFacts{duration: true},
		}
		for _, c := range change {
			c(&q)
		}
		if a := tower.observers.ask(q); a != nil {
			answers = append(answers, a)
		}
	}
	return answers
}

// round plays one round, and returns the requests that it took.
func (tower *watchtower) round() simulator.RequestCounts {
	tower.t.Helper()
	before := tower.simulator.Requests()
	tower.observers.run(tower.t.Context(), tower.group())
	return tower.simulator.Requests().Since(before)
}

func (tower *watchtower) group() *observer {
	return tower.observers.groups[tower.provider.observerID()]
}

func (tower *watchtower) lists(counts simulator.RequestCounts) int {
	return counts.Total(simulator.OperationList)
}

func (tower *watchtower) gets(counts simulator.RequestCounts) int {
	return counts.Total(simulator.OperationGet)
}

// finish has all jobs come to their end.
func (tower *watchtower) finish() {
	tower.t.Helper()
	tower.clock.Step(25 * time.Hour)
	tower.await(func() bool {
		return !slices.ContainsFunc(tower.simulator.Jobs(), func(j simulator.JobState) bool { return j.Status == "running" })
	})
}

// TestScale_round has the project to itself: a round costs a request for a hundred jobs, and wakes nobody as long as they run. What has
// finished is told once, and costs nothing any more.
func TestScale_round(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	n := sized(5000, 500)
	tower.submit(n, 100*time.Millisecond)
	tower.ask()
	most := n/pageSize + 3
	for _, name := range []string{"after a start", "from then on"} {
		tower.clock.Step(towerPoll)
		took := tower.round()
		t.Logf("%s, %d running jobs took %d pages and %d single requests", name, n, tower.lists(took), tower.gets(took))
		if tower.lists(took) > most || tower.gets(took) > 0 || len(tower.told) > 0 {
			t.Errorf("it took %v, want at most %d pages; %d jobs were woken", took, most, len(tower.told))
		}
	}
	tower.finish()
	if took := tower.round(); tower.lists(took) > most || tower.gets(took) > 0 {
		t.Errorf("the jobs that are done took %v", took)
	}
	if got := len(tower.told); got != n {
		t.Errorf("%d of %d jobs were told that they are done", got, n)
	}
	if took := tower.round(); took.Total() > 0 {
		t.Errorf("a round of jobs that are done took %v", took)
	}
	for i, a := range tower.ask() {
		if a.err != nil || a.job.Status != speechmatics.JobDone || a.job.ID != tower.remote[i] || tower.told[towerUID(i)] != 1 {
			t.Fatalf("job %d: got %+v, told %d times", i, a, tower.told[towerUID(i)])
		}
	}
}

// TestScale_amongMany has few jobs scattered among many foreign ones: a round never has more requests than jobs, whether it knows the list or not.
func TestScale_amongMany(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	n, others := sized(100, 40), sized(20_000, 4000)
	tower.submit(n, 36*time.Second)
	if err := tower.simulator.AddForeign(apiKey, others, time.Duration(n)*36*time.Second); err != nil {
		t.Fatal(err)
	}
	tower.ask()
	for i := range 3 {
		tower.clock.Step(2 * towerPoll)
		took := tower.round()
		t.Logf("round %d of %d jobs among %d foreign ones: %d pages and %d single requests", i+1, n, others, tower.lists(took), tower.gets(took))
		if tower.lists(took)+tower.gets(took) > n || tower.lists(took)+tower.gets(took) == 0 {
			t.Errorf("round %d took %v", i+1, took)
		}
	}
	for uid, w := range tower.group().watches {
		if w.due.Before(tower.clock.Now()) {
			t.Errorf("%s was not looked at", uid)
		}
	}
}

// Backends whose list does not tell whose a job is are asked about each.
func TestObserver_listWithoutTracking(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{Backend: simulator.BackendAppliance}, speechmatics.Appliance)
	tower.submit(20, time.Second)
	tower.ask()
	tower.clock.Step(towerPoll)
	if took := tower.round(); tower.lists(took) > 0 || tower.gets(took) != 20 {
		t.Errorf("it took %v", took)
	}
}

// What the list says is believed only if it is about the job that is meant, and a job that is not listed is asked about.
func TestObserver_asksWhereTheListIsNotEnough(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.submit(50, time.Second)
	if !tower.simulator.DeleteJob(tower.remote[7]) {
		t.Fatal("there is nothing to delete")
	}
	tower.ask(func(q *question) {
		if q.uid == towerUID(3) {
			q.attempt = 2 // than which the remote job's is another
		}
	})
	tower.clock.Step(towerPoll)
	took := tower.round()
	if tower.lists(took) != 1 || tower.gets(took) != 2 {
		t.Errorf("it took %v", took)
	}
	if len(tower.told) != 2 || tower.told[towerUID(3)] != 1 || tower.told[towerUID(7)] != 1 {
		t.Errorf("told were %v", tower.told)
	}
	tower.ask(func(q *question) { q.urgent = true }) // takes the answers
	if w := tower.observers.watches[towerUID(7)]; w.unlisted != 1 {
		t.Errorf("the deleted job was noted as not listed %d times", w.unlisted)
	}
	tower.ask(func(q *question) { q.urgent = true })
	tower.round()
	tower.ask(func(q *question) { q.urgent = true })
	if w := tower.observers.watches[towerUID(7)]; !w.lookup().single {
		t.Error("a job that is never listed is looked for in the list for ever")
	}
}

// What the list says settles a look only if it is all that the reconciler needs.
func TestTellsEnough(t *testing.T) {
	t.Parallel()
	because := []speechmatics.JobError{{Message: "no speech"}}
	for want, jobs := range map[bool][]speechmatics.Job{
		true:  {{Status: speechmatics.JobRunning}, {Status: speechmatics.JobDone}, {Status: speechmatics.JobRejected, Errors: because}},
		false: {{Status: speechmatics.JobRejected}, {Status: speechmatics.JobDeleted, Errors: because}, {Status: speechmatics.JobExpired}, {Status: "aligning"}},
	} {
		for _, job := range jobs {
			if got := tellsEnough(&job); got != want {
				t.Errorf("%s with %d errors: %t", job.Status, len(job.Errors), got)
			}
		}
	}
}

// Those who ask for a look one after the other are looked at together; but they are not kept waiting by newcomers for ever.
func TestObserver_gathers(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.submit(40, time.Second)
	tower.run()
	before := tower.simulator.Requests()
	began := tower.clock.Now()
	for i := range tower.remote {
		q := tower.question(i)
		q.urgent = true
		tower.observers.ask(q)
		tower.clock.Step(maxQuiet / 2)
		tower.settle()
		if took := tower.simulator.Requests().Since(before); took.Total() > 0 {
			if waited := tower.clock.Now().Sub(began); waited < towerPoll/gatherShare {
				t.Fatalf("the first round began after %s, with %v", waited, took)
			}
			return
		}
	}
	t.Error("newcomers have kept the first round from beginning")
}

// Of a job that runs only what is not known yet is news; to somebody who needs an answer everything is.
func TestObserver_news(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.submit(3, time.Second)
	tower.ask(func(q *question) {
		switch q.uid {
		case towerUID(1):
			q.known.errors = 1
		case towerUID(2):
			q.urgent = true
		}
	})
	tower.clock.Step(towerPoll)
	tower.round()
	if len(tower.told) != 2 || tower.told[towerUID(0)] != 0 {
		t.Errorf("told were %v", tower.told)
	}
	if answers := tower.ask(); len(answers) != 2 || answers[0].job.Status != speechmatics.JobRunning {
		t.Errorf("%d answers", len(answers))
	}
	if answers := tower.ask(); len(answers) != 0 {
		t.Errorf("%d answers were given twice", len(answers))
	}
}

// A list that cannot be read costs single requests, and nobody's look.
func TestObserver_listBroken(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.submit(30, time.Second)
	tower.fault(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationList, Status: http.StatusServiceUnavailable})
	tower.ask(func(q *question) { q.urgent = true })
	took := tower.round()
	if tower.lists(took) != 1 || tower.gets(took) != 29 || len(tower.told) != 29 {
		t.Errorf("it took %v, and %d jobs were told", took, len(tower.told))
	}
	if took := tower.round(); tower.gets(took) != 1 || len(tower.told) != 30 {
		t.Errorf("what was left took %v, and %d jobs were told", took, len(tower.told))
	}
}

func (tower *watchtower) fault(f ...simulator.Fault) {
	tower.t.Helper()
	if err := tower.simulator.SetFaults(f...); err != nil {
		tower.t.Fatal(err)
	}
}

// TestObserver_trouble has the whole account in trouble: some requests find out, and nobody sends more. Those who were asked about are told, the
// others by and by, and when it is over all are looked at.
func TestObserver_trouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status, retryAfter int
		requests           int
		refused            int
		pause              time.Duration
	}{
		"down":     {http.StatusServiceUnavailable, 0, maxFailures + concurrentLooks, 0, 10 * time.Second},
		"too many": {http.StatusTooManyRequests, 1, 1, 0, 10 * time.Second},
		"patience": {http.StatusTooManyRequests, 60, 1, 0, time.Minute},
		"an hour":  {http.StatusTooManyRequests, 3600, 1, 0, maxPause},
		"refused":  {http.StatusUnauthorized, 0, 1, 1, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
			tower.submit(200, time.Second)
			tower.ask()
			tower.clock.Step(towerPoll)
			tower.fault(
				simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationList, Status: c.status, RetryAfter: c.retryAfter},
				simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationGet, Status: c.status, RetryAfter: c.retryAfter},
			)
			took := tower.round()
			if took.Total() > c.requests || tower.refused != c.refused || len(tower.told) > c.requests {
				t.Errorf("it took %v; %d jobs were told, and the key was doubted %d times", took, len(tower.told), tower.refused)
			}
			if start := tower.group().start(); !start.Equal(tower.clock.Now().Add(c.pause)) {
				t.Errorf("the next round begins %s later", start.Sub(tower.clock.Now()))
			}
			hearsay := 0
			for _, a := range tower.ask() {
				if a.err == nil {
					t.Fatalf("got %+v", a.job)
				}
				if a.hearsay {
					hearsay++
				}
			}
			if hearsay+len(tower.told) != 200 {
				t.Errorf("%d jobs know by hearsay, and %d were told", hearsay, len(tower.told))
			}
			tower.fault()
			tower.provider.limits = newLimits(Options{}.withDefaults(), func(types.NamespacedName) {}) // what the test does not wait for
			tower.clock.Step(c.pause)
			clear(tower.told)
			tower.ask(func(q *question) { q.urgent = true })
			tower.round()
			if len(tower.told) != 200 {
				t.Errorf("%d jobs were told that it is over", len(tower.told))
			}
		})
	}
}

func (tower *watchtower) setUsable(usable bool) {
	tower.mu.Lock()
	defer tower.mu.Unlock()
	tower.usable = usable
}

// run has rounds begin by themselves, until the test ends.
func (tower *watchtower) run() {
	ctx, cancel := context.WithCancel(tower.t.Context())
	done := make(chan error, 1)
	go func() { done <- tower.observers.Start(ctx) }()
	tower.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tower.t.Error(err)
		}
	})
	tower.await(func() bool { return tower.observers.ctx != nil })
}

// settle waits until everything has been done that is due.
func (tower *watchtower) settle() {
	tower.t.Helper()
	tower.await(func() bool {
		g := tower.group()
		return g == nil || (!g.running && (g.timer == nil || g.wakeAt.After(tower.clock.Now())))
	})
}

// await waits until something about the observers has come true.
func (tower *watchtower) await(check func() bool) {
	tower.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		tower.observers.mu.Lock()
		done := check()
		tower.observers.mu.Unlock()
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			tower.t.Fatal("waited in vain")
		}
	}
}

// TestObserver_schedule lets rounds begin by themselves: the looks of a start are gathered, a look that is asked for comes soon, and
// where the key is known to be refused nothing is sent.
func TestObserver_schedule(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.submit(300, time.Second)
	before := tower.simulator.Requests()
	took := func() simulator.RequestCounts { return tower.simulator.Requests().Since(before) }
	tower.run()
	tower.ask()
	tower.clock.Step(towerPoll / settleShare / 2)
	tower.settle()
	if took().Total() > 0 {
		t.Fatalf("there is no time to gather: %v", took())
	}
	tower.clock.Step(towerPoll / settleShare)
	tower.settle()
	if took := took(); tower.lists(took) == 0 || tower.lists(took) > 5 || tower.gets(took) > 0 {
		t.Fatalf("the round after a start took %v", took)
	}
	tower.clock.Step(towerPoll / 2)
	tower.settle()
	before = tower.simulator.Requests()
	q := tower.question(17)
	q.urgent = true
	tower.observers.ask(q)
	tower.clock.Step(maxQuiet)
	tower.settle()
	if took := took(); tower.gets(took) != 1 || took.Total() != 1 || tower.told[q.uid] != 1 {
		t.Errorf("one look took %v", took)
	}
	before = tower.simulator.Requests()
	for i := range tower.remote {
		if i > 0 {
			tower.observers.forget(towerUID(i))
		}
	}
	tower.setUsable(false)
	tower.clock.Step(2 * towerPoll)
	tower.settle()
	tower.clock.Step(2 * towerPoll)
	tower.settle()
	if took().Total() > 0 {
		t.Errorf("with a key that is known to be refused %v were sent", took())
	}
	tower.setUsable(true)
	tower.clock.Step(2 * towerPoll)
	tower.settle()
	if took().Total() != 1 {
		t.Errorf("the one job that is left took %v", took())
	}
}

// Accounts that reach the same host with the same key are looked at together, unless they believe other certificates: what one of them would
// be told by an impostor, the other must not be.
func TestObserver_groups(t *testing.T) {
	t.Parallel()
	spec := func(ca string, insecure bool) string {
		return trustOf(&v1alpha1.SpeechmaticsAccountSpec{CABundle: []byte(ca), InsecureSkipTLSVerify: &insecure})
	}
	same := provider{baseURL: "https://host/v2", keyFingerprint: "key", backend: speechmatics.SaaS, trust: spec("", false)}
	for name, c := range map[string]struct {
		change   func(*provider)
		together bool
	}{
		"another account":   {func(p *provider) { p.account.UID = "other" }, true},
		"another authority": {func(p *provider) { p.trust = spec("ca", false) }, false},
		"any certificate":   {func(p *provider) { p.trust = spec("", true) }, false},
		"another key":       {func(p *provider) { p.keyFingerprint = "other" }, false},
		"another backend":   {func(p *provider) { p.backend = speechmatics.Appliance }, false},
	} {
		other := same
		c.change(&other)
		if together := other.observerID() == same.observerID(); together != c.together {
			t.Errorf("%s: looked at together: %t", name, together)
		}
	}
}

// TestPolling_follows has jobs looked at more often as soon as a notification was missed, and less often again as they arrive.
func TestPolling_follows(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.provider.callbackURL = "https://receiver.example.com"
	p, o := tower.provider, tower.observers
	wantInterval := func(what string, factor int) {
		t.Helper()
		if got := o.pollInterval(p); got != time.Duration(factor)*towerPoll {
			t.Errorf("%s: looked at every %s", what, got)
		}
	}
	tower.submit(2, time.Second)
	o.expect(tower.question(0))
	o.expect(tower.question(1))
	wantInterval("at first", notifiedPollFactor)
	if due := o.watches[towerUID(0)].due.Sub(tower.clock.Now()); due < 8*towerPoll {
		t.Errorf("the first look is due in %s", due)
	}
	o.missed(p)
	wantInterval("missed", 1)
	for i := range 2 {
		if due := o.watches[towerUID(i)].due.Sub(tower.clock.Now()); due > 2*towerPoll {
			t.Errorf("after one was missed, the look at job %d is due in %s", i, due)
		}
	}
	for _, factor := range []int{2, 4, 8, notifiedPollFactor, notifiedPollFactor} {
		o.punctuality.arrived(p.account.UID)
		wantInterval("arrived", factor)
	}
	o.missed(p)
	o.punctuality.forget(p.account.UID)
	wantInterval("forgotten", notifiedPollFactor)
	p.callbackURL = ""
	wantInterval("without notifications", 1)
}

// TestPolling_afterAStart has all jobs looked at soon after a start, once, and not a second time before two intervals have passed: neither
// because they are polled, nor because passes ask again, nor because a notification was missed.
func TestPolling_afterAStart(t *testing.T) {
	t.Parallel()
	const jobs = 3 * pageSize
	for name, c := range map[string]struct {
		callbackURL string
		missed      bool
		second      bool // round, as soon as two intervals have passed
	}{
		"polled":     {"", false, true},
		"notified":   {"https://receiver.example.com", false, false},
		"one missed": {"https://receiver.example.com", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
			tower.submit(jobs, time.Second)
			tower.provider.callbackURL = c.callbackURL
			before := tower.simulator.Requests()
			took := func() simulator.RequestCounts { return tower.simulator.Requests().Since(before) }
			until := func(at time.Duration) {
				for tower.clock.Since(tower.observers.started) < at {
					tower.clock.Step(time.Second)
					tower.settle()
				}
			}
			tower.run()
			tower.ask()
			until(towerPoll / 2)
			if c.missed {
				tower.observers.missed(tower.provider)
			}
			tower.ask()
			first := took()
			until(startPolls*towerPoll - time.Second)
			if tower.lists(first) < jobs/pageSize || tower.lists(first) > jobs/pageSize+1 || took().Total() != first.Total() {
				t.Errorf("the start took %v, and %v until two intervals had passed", first, took())
			}
			until(startPolls*towerPoll + towerPoll/2)
			if second := took().Total() - first.Total(); (second > 0) != c.second || second > jobs/pageSize+1 {
				t.Errorf("then it took %d requests", second)
			}
		})
	}
}

// TestPolling_jitter has jobs that were created together looked at apart: anywhere within a tenth of the interval either way, and everywhere
// alike.
func TestPolling_jitter(t *testing.T) {
	t.Parallel()
	const (
		draws = 10_000
		parts = 10
	)
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.provider.callbackURL = "https://receiver.example.com"
	interval := notifiedPollFactor * towerPoll
	var counts [parts]int
	for range draws {
		d := tower.observers.nextPoll(tower.provider)
		if d < interval-interval/10 || d > interval+interval/10 {
			t.Fatalf("the next look is in %s; the interval is %s", d, interval)
		}
		counts[min(parts-1, int((d-interval+interval/10)*parts/(interval/5)))]++
	}
	// A tenth of the draws, give or take seven standard deviations.
	const want, tolerance = draws / parts, 210
	for i, n := range counts {
		if n < want-tolerance || n > want+tolerance {
			t.Errorf("%d of %d looks are in part %d of %d, want %d ± %d: %v", n, draws, i, parts, want, tolerance, counts)
		}
	}
	for _, d := range []time.Duration{0, 1, 9} {
		if got := jitter(d); got < 0 || got > d+d/10 {
			t.Errorf("%s becomes %s", d, got)
		}
	}
}

// TestPolling_apart has jobs that are expected at one moment, and those that are found at a start, come due at different ones.
func TestPolling_apart(t *testing.T) {
	t.Parallel()
	const jobs = 50
	for name, watch := range map[string]func(*observers, question){
		"submitted": (*observers).expect,
		"found":     func(o *observers, q question) { o.ask(q) },
	} {
		tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
		tower.submit(jobs, 0)
		due := map[time.Time]bool{}
		for i := range jobs {
			watch(tower.observers, tower.question(i))
			due[tower.observers.watches[towerUID(i)].due] = true
		}
		if len(due) < jobs*9/10 {
			t.Errorf("%s: %d jobs come due at %d moments", name, jobs, len(due))
		}
	}
}
