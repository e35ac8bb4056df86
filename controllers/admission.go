// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

const (
	// maxPause bounds how long one answer of the provider may stop an account.
	maxPause = 5 * time.Minute
	// minPause is how long an account is stopped by an answer 429 that names no time. The provider's documentation advises
	// one second between like requests.
	minPause = time.Second
	// maxRequestWait is how long a worker waits for the turn of a request.
	maxRequestWait = time.Second
)

// candidate is a job that waits to be submitted.
type candidate struct {
	key      types.NamespacedName
	uid      types.UID
	priority int32
	created  time.Time
}

func candidateOf(job *v1alpha1.TranscriptionJob) candidate {
	return candidate{
		key:      types.NamespacedName{Namespace: job.Namespace, Name: job.Name},
		uid:      job.UID,
		priority: valueOf(job.Spec.Priority),
		created:  job.CreationTimestamp.Time,
	}
}

// before reports whether c goes before other. Namespaces take turns: the one that was served longest ago goes first, so
// that one with a thousand jobs cannot keep out one with ten. Within a namespace the higher priority goes first, then the
// older job.
func (c candidate) before(other candidate, served map[string]uint64) bool {
	return cmp.Or(
		cmp.Compare(served[c.key.Namespace], served[other.key.Namespace]),
		cmp.Compare(c.key.Namespace, other.key.Namespace),
		cmp.Compare(other.priority, c.priority),
		c.created.Compare(other.created),
		cmp.Compare(c.key.Name, other.key.Name),
	) < 0
}

// limits keeps the use of one host and key within bounds: the rate of submissions, that of all other requests, and the number
// of jobs at the provider. All accounts and jobs that use the host and key share it; an account without a key has its own.
type limits struct {
	clock clock.WithDelayedExecution
	// wake has a job reconciled: it may be submitted now.
	wake func(types.NamespacedName)

	mu          sync.Mutex
	accounts    map[types.UID]v1alpha1.AccountLimits
	submissions *rate.Limiter
	requests    *rate.Limiter
	runningJobs int
	pausedUntil time.Time
	// heldUntil is when submissions go on after the backend had no room for one, and heldBecause what it said.
	heldUntil   time.Time
	heldBecause string
	// waiting are the jobs that want to be submitted, running those that were let in and have not finished.
	waiting map[types.UID]candidate
	running map[types.UID]struct{}
	// served counts turns: by it, namespaces are served one after the other.
	served map[string]uint64
	turn   uint64
	timer  clock.Timer
}

// The provider's documented limits, for accounts that set none.
const (
	defaultSubmissionsPerSecond = 10
	defaultRequestsPerSecond    = 50
	defaultRunningJobs          = 20000
)

func newLimits(c clock.WithDelayedExecution, wake func(types.NamespacedName)) *limits {
	return &limits{
		clock:       c,
		wake:        wake,
		accounts:    map[types.UID]v1alpha1.AccountLimits{},
		submissions: rate.NewLimiter(defaultSubmissionsPerSecond, 1),
		requests:    rate.NewLimiter(defaultRequestsPerSecond, defaultRequestsPerSecond),
		runningJobs: defaultRunningJobs,
		waiting:     map[types.UID]candidate{},
		running:     map[types.UID]struct{}{},
		served:      map[string]uint64{},
	}
}

// set takes over the limits of one of the accounts that share the host and key. The lowest figures win.
func (l *limits) set(account types.UID, spec *v1alpha1.AccountLimits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts[account] = valueOf(spec)
	l.recompute()
}

// recompute takes the lowest figures of the accounts that share the host and key. The caller holds the lock.
func (l *limits) recompute() {
	submissions, requests, running := defaultSubmissionsPerSecond, defaultRequestsPerSecond, defaultRunningJobs
	first := true
	for _, a := range l.accounts {
		submissions = lowest(first, submissions, a.SubmissionsPerSecond, defaultSubmissionsPerSecond)
		requests = lowest(first, requests, a.RequestsPerSecond, defaultRequestsPerSecond)
		running = lowest(first, running, a.RunningJobs, defaultRunningJobs)
		first = false
	}
	now := l.clock.Now()
	// No bursts of submissions: the provider counts them by the second, and does not say where its seconds begin.
	l.submissions.SetLimitAt(now, rate.Limit(submissions))
	l.requests.SetLimitAt(now, rate.Limit(requests))
	l.requests.SetBurstAt(now, max(1, requests/2))
	l.runningJobs = running
	l.dispatch("")
}

// unset drops the limits of an account that is gone or has another key now.
func (l *limits) unset(account types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.accounts, account)
	l.recompute()
}

// waits reports whether a job has asked for its turn and not got it yet, and takes over its priority, which may have changed.
func (l *limits) waits(job *v1alpha1.TranscriptionJob) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.waiting[job.UID]
	if ok {
		l.waiting[job.UID] = candidateOf(job)
	}
	return ok
}

// lowest is the lower one of the figure so far and an account's, which is the provider's own if it is unset. The first
// account's figure replaces the default, so that a contract with higher limits can be used.
func lowest(first bool, soFar int, figure *int32, fallback int) int {
	value := fallback
	if figure != nil {
		value = int(*figure)
	}
	if first {
		return value
	}
	return min(soFar, value)
}

// admit asks for a job's turn to be submitted. False means that it waits; it is woken when its turn comes.
func (l *limits) admit(job *v1alpha1.TranscriptionJob) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.running[job.UID]; !ok || l.clock.Now().Before(l.heldUntil) {
		// It may have been let in before it turned out that there is no room.
		delete(l.running, job.UID)
		l.waiting[job.UID] = candidateOf(job)
		l.dispatch(job.UID)
	}
	_, admitted := l.running[job.UID]
	return admitted
}

// occupy counts a job that is, or may be, at the provider.
func (l *limits) occupy(uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, uid)
	l.running[uid] = struct{}{}
}

// release stops counting a job: it has finished, is gone, or is not to be submitted now.
func (l *limits) release(uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, uid)
	if _, ok := l.running[uid]; ok {
		delete(l.running, uid)
		l.dispatch("")
	}
}

// dispatch lets in as many of the waiting jobs as the limits permit, and comes back by itself when the next turn is due. The
// caller's own job need not be woken.
func (l *limits) dispatch(caller types.UID) {
	for len(l.waiting) > 0 && len(l.running) < l.runningJobs {
		if delay := l.nextTurn(); delay > 0 {
			l.comeBack(delay)
			return
		}
		c := l.first()
		delete(l.waiting, c.uid)
		l.running[c.uid] = struct{}{}
		l.turn++
		l.served[c.key.Namespace] = l.turn
		if c.uid != caller {
			l.wake(c.key)
		}
	}
	if len(l.waiting) == 0 {
		// Nobody waits: turns begin anew, and the map does not grow with the namespaces of the past.
		clear(l.served)
	}
}

// nextTurn takes a turn, or says how long there is none.
func (l *limits) nextTurn() time.Duration {
	now := l.clock.Now()
	if pause := max(l.pausedUntil.Sub(now), l.heldUntil.Sub(now)); pause > 0 {
		return pause
	}
	reservation := l.submissions.ReserveN(now, 1)
	delay := reservation.DelayFrom(now)
	if delay > 0 {
		reservation.CancelAt(now)
	}
	return delay
}

func (l *limits) first() candidate {
	var best *candidate
	for _, c := range l.waiting {
		if best == nil || c.before(*best, l.served) {
			best = &c
		}
	}
	return *best
}

// comeBack has dispatch called after a delay, once.
func (l *limits) comeBack(delay time.Duration) {
	if l.timer != nil {
		return
	}
	l.timer = l.clock.AfterFunc(delay, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.timer = nil
		l.dispatch("")
	})
}

// busyError means that a request would have to wait longer for its turn than a worker should.
type busyError struct{ delay time.Duration }

func (e *busyError) Error() string {
	return fmt.Sprintf("the account's limits permit no request for %s", e.delay.Round(time.Millisecond))
}

// request waits for the turn of a request that is not a submission, if that is soon: the worker that waits is missing elsewhere,
// also for other accounts. If it is not, the error is a *busyError.
func (l *limits) request(ctx context.Context) error { return l.take(ctx, maxRequestWait) }

// followUp waits for the turn of a further request of something that is under way. It waits as long as a pause may take: to begin
// anew would cost the turns that were taken already, and with many jobs at a low limit nothing would ever get to its end.
func (l *limits) followUp(ctx context.Context) error { return l.take(ctx, maxPause) }

// requestsWithin is how many requests the limits permit within a time, if nobody else has any; at least one.
func (l *limits) requestsWithin(d time.Duration) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(1, int(float64(l.requests.Limit())*d.Seconds()))
}

// take takes the turn of a request and waits for it, if it is near enough.
func (l *limits) take(ctx context.Context, limit time.Duration) error {
	delay, err := l.reserve(limit)
	if err != nil || delay <= 0 {
		return err
	}
	timer := l.clock.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("gave up waiting for the account's request limit: %w", ctx.Err())
	}
}

// reserve takes the turn of a request, unless it is too far away.
func (l *limits) reserve(limit time.Duration) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	reservation := l.requests.ReserveN(now, 1)
	delay := max(reservation.DelayFrom(now), l.pausedUntil.Sub(now))
	if delay > limit {
		reservation.CancelAt(now)
		return 0, &busyError{delay: delay}
	}
	return delay, nil
}

// slowDown stops everything for a while: the provider answered 429.
func (l *limits) slowDown(retryAfter time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := l.clock.Now().Add(min(max(retryAfter, minPause), maxPause))
	if until.After(l.pausedUntil) {
		l.pausedUntil = until
	}
}

// hold lets nobody in for a while: the backend has no room for a job. Requests about jobs that are there go on.
func (l *limits) hold(pause time.Duration, because string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := l.clock.Now().Add(min(max(pause, minPause), maxPause))
	if until.After(l.heldUntil) {
		l.heldUntil, l.heldBecause = until, because
	}
}

// holding says why nobody is let in for a while; empty if that is not so.
func (l *limits) holding() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.clock.Now().Before(l.heldUntil) {
		return ""
	}
	return l.heldBecause
}
