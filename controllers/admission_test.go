// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

func waitingJob(namespace, name string, priority int32, created time.Time) *v1alpha1.TranscriptionJob {
	return &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + "/" + name), CreationTimestamp: metav1.NewTime(created)},
		Spec:       v1alpha1.TranscriptionJobSpec{Priority: ptr.To(priority)},
	}
}

// steppingClock is a fake clock whose AfterFunc calls run after the step, not within it, where they could not even read the
// time.
type steppingClock struct {
	*testingclock.FakeClock
	mu    sync.Mutex
	calls []delayedCall
}

type delayedCall struct {
	at   time.Time
	call func()
}

func newSteppingClock() *steppingClock {
	return &steppingClock{FakeClock: testingclock.NewFakeClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
}

func (c *steppingClock) AfterFunc(d time.Duration, call func()) clock.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, delayedCall{at: c.Now().Add(d), call: call})
	return c.NewTimer(d)
}

func (c *steppingClock) Step(d time.Duration) {
	c.FakeClock.Step(d)
	for _, due := range c.due() {
		due.call()
	}
}

func (c *steppingClock) due() []delayedCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	var due, later []delayedCall
	for _, call := range c.calls {
		if call.at.After(c.Now()) {
			later = append(later, call)
		} else {
			due = append(due, call)
		}
	}
	c.calls = later
	return due
}

// admissions is a recorder of the jobs that are woken.
type admissions struct {
	mu    sync.Mutex
	names []string
}

func (a *admissions) wake(name types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.names = append(a.names, name.String())
}

func (a *admissions) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.names)
}

// limitsAt are limits with a clock of the test's, for an account that sets none.
func limitsAt(c clock.WithDelayedExecution, wake func(types.NamespacedName)) *limits {
	l := newLimits(Options{Clock: c}.withDefaults(), wake)
	l.set(sharing("account", nil))
	return l
}

// sharing is an account that shares limits.
func sharing(uid types.UID, spec *v1alpha1.AccountLimits) sharer {
	return sharer{account: v1alpha1.ResolvedAccountReference{Kind: v1alpha1.NamespacedAccount, Name: string(uid), UID: uid}, limits: valueOf(spec)}
}

// counts are the jobs that are let in and those that wait.
func (l *limits) counts() (running, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.running), l.line.len()
}

// TestLimits_fairness has one namespace create many jobs before another creates a few: the few take turns with the many.
func TestLimits_fairness(t *testing.T) {
	t.Parallel()
	fake := newSteppingClock()
	woken := &admissions{}
	l := limitsAt(fake, woken.wake)
	l.set(sharing("account", &v1alpha1.AccountLimits{SubmissionsPerSecond: ptr.To(int32(10))}))
	for i := range 6 {
		l.admit(waitingJob("many", fmt.Sprintf("%02d", i), 0, fake.Now()), "account")
	}
	for i := range 2 {
		l.admit(waitingJob("few", fmt.Sprintf("%02d", i), 0, fake.Now()), "account")
	}
	for range 20 {
		fake.Step(100 * time.Millisecond)
	}
	want := []string{"many/01", "few/00", "many/02", "few/01", "many/03", "many/04", "many/05"}
	if diff := cmp.Diff(want, woken.all()); diff != "" {
		t.Errorf("order of admission (-want +got); many/00 was let in at once:\n%s", diff)
	}
}

// TestLimits_rate counts admissions of a crowd over ten seconds.
func TestLimits_rate(t *testing.T) {
	t.Parallel()
	fake := newSteppingClock()
	woken := &admissions{}
	l := limitsAt(fake, woken.wake)
	l.set(sharing("account", &v1alpha1.AccountLimits{SubmissionsPerSecond: ptr.To(int32(5))}))
	for i := range 200 {
		l.admit(waitingJob("n", fmt.Sprintf("%03d", i), 0, fake.Now()), "account")
	}
	for range 1000 {
		fake.Step(10 * time.Millisecond)
	}
	if n := len(woken.all()); n < 48 || n > 50 {
		t.Errorf("%d jobs were let in within 10 s at 5/s, want 48 to 50", n)
	}
}

// TestLimits_runningJobs keeps the number of running jobs, also of those from before a restart.
func TestLimits_runningJobs(t *testing.T) {
	t.Parallel()
	fake := newSteppingClock()
	woken := &admissions{}
	l := limitsAt(fake, woken.wake)
	l.set(sharing("account", &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(2)), SubmissionsPerSecond: ptr.To(int32(10000))}))
	l.occupy("from before the restart", occupiedPlace{key: types.NamespacedName{Namespace: "n", Name: "old"}})
	a, b := waitingJob("n", "a", 0, fake.Now()), waitingJob("n", "b", 0, fake.Now())
	if !l.admit(a, "account") || l.admit(b, "account") {
		t.Fatal("of two places one was free: the first job has to get it, the second has to wait")
	}
	if !l.admit(a, "account") {
		t.Error("a job that was let in is not let in when it asks again")
	}
	fake.Step(time.Second)
	if len(woken.all()) != 0 {
		t.Errorf("%v was let in though no place was free", woken.all())
	}
	l.release("from before the restart")
	if diff := cmp.Diff([]string{"n/b"}, woken.all()); diff != "" {
		t.Errorf("woken after a place became free (-want +got):\n%s", diff)
	}
	if running, waiting := l.counts(); running != 2 || waiting != 0 {
		t.Errorf("%d running and %d waiting, want 2 and 0", running, waiting)
	}
}

// TestLimits_requestsWithin has the lookups of a search fit into its time.
func TestLimits_requestsWithin(t *testing.T) {
	t.Parallel()
	l := limitsAt(newSteppingClock(), func(types.NamespacedName) {})
	l.set(sharing("account", &v1alpha1.AccountLimits{RequestsPerSecond: ptr.To(int32(10))}))
	for d, want := range map[time.Duration]int{5 * time.Minute: 3000, 1500 * time.Millisecond: 15, time.Millisecond: 1} {
		if got := l.requestsWithin(d); got != want {
			t.Errorf("%d requests within %s, want %d", got, d, want)
		}
	}
}

// TestLimits_shared has two accounts share a key: the lowest figures win, whatever their order.
func TestLimits_shared(t *testing.T) {
	t.Parallel()
	for _, order := range [][]types.UID{{"low", "high"}, {"high", "low"}} {
		l := limitsAt(newSteppingClock(), func(types.NamespacedName) {})
		specs := map[types.UID]*v1alpha1.AccountLimits{"low": {RunningJobs: ptr.To(int32(1))}, "high": {RunningJobs: ptr.To(int32(100))}}
		for _, uid := range order {
			l.set(sharing(uid, specs[uid]))
		}
		if l.runningJobs != 1 {
			t.Errorf("order %v: %d running jobs, want 1", order, l.runningJobs)
		}
	}
}

// TestLimits_unset has an account get another key: those who still ask with the old one are told to ask anew, however much room there would
// be, also if others have that key; and what is under way keeps to the figures that it began with.
func TestLimits_unset(t *testing.T) {
	t.Parallel()
	for _, others := range []bool{false, true} {
		fake := newSteppingClock()
		woken := &admissions{}
		l := newLimits(Options{Clock: fake}.withDefaults(), woken.wake)
		l.set(sharing("account", &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(1)), RequestsPerSecond: ptr.To(int32(1))}))
		if others {
			l.set(sharing("another", &v1alpha1.AccountLimits{RequestsPerSecond: ptr.To(int32(1))}))
		}
		first, second := waitingJob("n", "first", 0, fake.Now()), waitingJob("n", "second", 0, fake.Now())
		if !l.admit(first, "account") || l.admit(second, "account") {
			t.Fatal("one job is to be let in, and one to wait")
		}
		l.unset("account")
		for i := range 3 {
			fake.Step(time.Second)
			if l.admit(waitingJob("n", fmt.Sprintf("late-%d", i), 0, fake.Now()), "account") {
				t.Errorf("others %v: late-%d was let in with a key that its account has no more", others, i)
			}
		}
		if diff := cmp.Diff([]string{"n/second", "n/late-0", "n/late-1", "n/late-2"}, woken.all()); diff != "" {
			t.Errorf("others %v: woken to ask anew (-want +got):\n%s", others, diff)
		}
		if got := l.requestsWithin(time.Second); got != 1 {
			t.Errorf("others %v: %d requests a second are permitted, want 1", others, got)
		}
	}
}

// TestLimits_besideRounds has workers ask for the turns of single requests while rounds use up all the turns there are, at low limits: each
// gets its turn when it asks, or the time after.
func TestLimits_besideRounds(t *testing.T) {
	t.Parallel()
	for _, rate := range []int32{1, 2, 3, 5, 8, 20} {
		fake := newSteppingClock()
		l := limitsAt(fake, func(types.NamespacedName) {})
		l.set(sharing("account", &v1alpha1.AccountLimits{RequestsPerSecond: &rate}))
		ctx, cancel := context.WithCancel(t.Context())
		looks := &sync.WaitGroup{}
		for range 2 * concurrentLooks {
			looks.Go(func() {
				var err error
				for err == nil {
					err = l.inRound(ctx)
				}
			})
		}
		asking := &sync.WaitGroup{}
		for range 5 {
			// One look waits for its turn, and the others for it.
			if err := wait.PollUntilContextTimeout(ctx, time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) { return fake.HasWaiters(), nil }); err != nil {
				t.Fatalf("at %d requests a second no look waits for its turn: %v", rate, err)
			}
			asking.Go(func() {
				if err := l.request(ctx); err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("at %d requests a second a worker got no turn: %v", rate, err)
				}
			})
			for range 40 {
				fake.Step(100 * time.Millisecond)
				runtime.Gosched()
			}
		}
		cancel()
		looks.Wait()
		asking.Wait()
	}
}

// TestLimits_slowDown checks that an answer 429 stops submissions and requests alike.
func TestLimits_slowDown(t *testing.T) {
	t.Parallel()
	fake := newSteppingClock()
	woken := &admissions{}
	l := limitsAt(fake, woken.wake)
	l.slowDown(30 * time.Second)
	if l.admit(waitingJob("n", "a", 0, fake.Now()), "account") {
		t.Error("a job was let in during the pause")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.request(ctx); err == nil {
		t.Error("a request was let through during the pause")
	}
	fake.Step(31 * time.Second)
	if diff := cmp.Diff([]string{"n/a"}, woken.all()); diff != "" {
		t.Errorf("woken after the pause (-want +got):\n%s", diff)
	}
	l.slowDown(24 * time.Hour)
	if pause := l.pausedUntil.Sub(fake.Now()); pause != maxPause {
		t.Errorf("one answer stops the account for %s, want at most %s", pause, maxPause)
	}
}

// TestLimits_hold checks that a backend without room stops submissions, not requests, and for a bounded time.
func TestLimits_hold(t *testing.T) {
	t.Parallel()
	fake := newSteppingClock()
	woken := &admissions{}
	l := limitsAt(fake, woken.wake)
	first := waitingJob("n", "first", 0, fake.Now())
	if !l.admit(first, "account") {
		t.Fatal("a job was not let in though there is room")
	}
	l.hold(10*time.Second, "busy")
	for _, job := range []*v1alpha1.TranscriptionJob{first, waitingJob("n", "second", 0, fake.Now())} {
		if l.admit(job, "account") {
			t.Errorf("%s was let in though there is no room", job.Name)
		}
	}
	if err := l.request(t.Context()); err != nil {
		t.Errorf("a request was not let through: %v", err)
	}
	if got := l.holding(); got != "busy" {
		t.Errorf("held because of %q", got)
	}
	for range 12 {
		fake.Step(time.Second)
	}
	if diff := cmp.Diff([]string{"n/first", "n/second"}, woken.all()); diff != "" {
		t.Errorf("woken after the hold (-want +got):\n%s", diff)
	}
	if got := l.holding(); got != "" {
		t.Errorf("still held because of %q", got)
	}
	l.hold(24*time.Hour, "busy")
	if pause := l.heldUntil.Sub(fake.Now()); pause != maxPause {
		t.Errorf("one answer keeps jobs out for %s, want at most %s", pause, maxPause)
	}
}
