// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

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
	// maxRequestWait is how long a worker waits for the turn of a request: as long as a few turns take, where that is longer.
	maxRequestWait = time.Second
	patientTurns   = 3
	// maxFollowUpWait is how long a worker waits for the turn of a further request.
	maxFollowUpWait = 30 * time.Second
	// maxSubmissionWait is how long a worker waits for the turn of a submission that was let in.
	maxSubmissionWait = 5 * time.Second
	// handPatience is when a job comes again at the latest that found too many workers busy with its provider. It is woken before.
	handPatience = 10 * time.Second
)

// Jobs are let in at a rate, and their requests sent at one, since what lies between, some writes to the API server, takes now less and
// now more time. The second is a little higher, so that what has gathered between the two gets less again.
const (
	admissionWindow  = 1020 * time.Millisecond
	submissionWindow = 1010 * time.Millisecond
	requestWindow    = 1020 * time.Millisecond
	// evenly is how close jobs are let in that were held up, and closely requests, in proportion to the evenly spaced.
	evenly  = 0.9
	closely = 0.5
)

// limits keeps the use of one host and key within bounds: the rate of submissions, that of all other requests, and the number
// of jobs at the provider. All accounts and jobs that use the host and key share it; an account without a key has its own.
type limits struct {
	clock clock.WithDelayedExecution
	// wake has a job reconciled: it may be submitted now.
	wake func(types.NamespacedName)
	// changed has the accounts reconciled that share the limits: submissions have stopped, or go on.
	changed func(sharers []sharer)
	// waited is told how long each request, or submission, waits for its turn.
	waited func(kind string, d time.Duration)
	// hands bound the workers that are busy with the host; handsFor says how many there are at a rate of submissions.
	hands    *hands
	handsFor func(perSecond int) int

	mu          sync.Mutex
	accounts    map[types.UID]sharer
	admissions  *pacer
	submissions *pacer
	requests    *pacer
	// ahead holds the one turn that the rounds have taken and still wait for.
	ahead       chan struct{}
	runningJobs int
	pausedUntil time.Time
	// heldUntil is when submissions go on after the backend had no room for one, and heldBecause what it said.
	heldUntil   time.Time
	heldBecause string
	circuit     *circuit
	// orphanPace is the share of the requests that searches for orphans have.
	orphanPace orphanPace
	// line are the jobs that want to be submitted, running those that were let in and have not finished.
	line    *line
	running map[types.UID]occupiedPlace
	// timer comes back at timerAt; nil if there is none.
	timer   clock.Timer
	timerAt time.Time
}

// sharer is one of the accounts that share limits.
type sharer struct {
	account   v1alpha1.ResolvedAccountReference
	namespace string
	limits    v1alpha1.AccountLimits
}

// occupiedPlace is a job that counts against the limit of running jobs.
type occupiedPlace struct {
	key     types.NamespacedName
	account types.UID
}

// The provider's documented limits, for accounts that set none.
const (
	defaultSubmissionsPerSecond = 10
	defaultRequestsPerSecond    = 50
	defaultRunningJobs          = 20000
)

func newLimits(options Options, wake func(types.NamespacedName)) *limits {
	return &limits{
		clock:       options.Clock,
		wake:        wake,
		changed:     func([]sharer) {},
		waited:      func(string, time.Duration) {},
		hands:       newHands(newCrew(options.MaxConcurrentReconciles), options.handsFor(defaultSubmissionsPerSecond), wake),
		handsFor:    options.handsFor,
		accounts:    map[types.UID]sharer{},
		admissions:  newPacer(defaultSubmissionsPerSecond, admissionWindow, evenly),
		submissions: newPacer(defaultSubmissionsPerSecond, submissionWindow, closely),
		requests:    newPacer(defaultRequestsPerSecond, requestWindow, closely),
		ahead:       make(chan struct{}, 1),
		runningJobs: defaultRunningJobs,
		circuit:     newCircuit(options.RetryInterval, options.SecretInterval),
		line:        newLine(),
		running:     map[types.UID]occupiedPlace{},
	}
}

// set takes over the limits of one of the accounts that share the host and key. The lowest figures win. As the account has changed,
// submissions that were refused are tried again.
func (l *limits) set(account sharer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts[account.account.UID] = account
	l.circuit.retry(l.clock.Now())
	l.recompute()
}

// unset drops the limits of an account that is gone or has another key now. Its jobs that wait are to wait there. The figures of the last
// account stay for what is under way.
func (l *limits) unset(account types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.accounts, account)
	for _, c := range l.line.of(account) {
		l.line.remove(c.uid)
		l.wake(c.key)
	}
	if len(l.accounts) > 0 {
		l.recompute()
	}
}

// unused reports whether nobody needs these limits any more: no account has the key, and no job of theirs is at the provider.
func (l *limits) unused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accounts) == 0 && len(l.running) == 0 && l.line.len() == 0
}

// recompute takes the lowest figures of the accounts that share the host and key. The caller holds the lock.
func (l *limits) recompute() {
	submissions, requests, running := defaultSubmissionsPerSecond, defaultRequestsPerSecond, defaultRunningJobs
	first := true
	for _, a := range l.accounts {
		submissions = lowest(first, submissions, a.limits.SubmissionsPerSecond, defaultSubmissionsPerSecond)
		requests = lowest(first, requests, a.limits.RequestsPerSecond, defaultRequestsPerSecond)
		running = lowest(first, running, a.limits.RunningJobs, defaultRunningJobs)
		first = false
	}
	for p, perSecond := range map[*pacer]int{l.admissions: submissions, l.submissions: submissions, l.requests: requests} {
		if p.rate() != perSecond {
			p.setRate(perSecond)
		}
	}
	l.hands.resize(l.handsFor(submissions))
	l.runningJobs = running
	l.dispatch("")
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

// waits reports whether a job has asked for its turn and not got it yet, and takes over its priority, which may have changed.
func (l *limits) waits(job *v1alpha1.TranscriptionJob, account types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.line.has(job.UID) {
		return false
	}
	l.enqueue(job, account)
	return true
}

// crowd is how many jobs wait at least where there are many.
const crowd = 16

// isCrowded reports whether so many jobs of a namespace wait that one more of them has time.
func (l *limits) isCrowded(namespace string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.line.waitingOf(namespace) >= crowd
}

// enqueue has a job wait for its turn. The caller holds the lock.
func (l *limits) enqueue(job *v1alpha1.TranscriptionJob, account types.UID) {
	c := candidateOf(job, account)
	c.refused = l.circuit.hasRefused(job.UID)
	l.line.add(c)
}

// admit asks for a job's turn to be submitted. False means that it waits; it is woken when its turn comes. If the account has another key by
// now its limits are elsewhere, and the job is woken to ask there.
func (l *limits) admit(job *v1alpha1.TranscriptionJob, account types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.accounts[account]; !ok {
		l.wake(types.NamespacedName{Namespace: job.Namespace, Name: job.Name})
		return false
	}
	if _, ok := l.running[job.UID]; !ok || l.turnedAway(job.UID) {
		l.vacate(job.UID)
		l.enqueue(job, account)
		l.dispatch(job.UID)
	}
	_, admitted := l.running[job.UID]
	return admitted
}

// isLetIn reports whether a job has its turn, or did at least have it the last time.
func (l *limits) isLetIn(uid types.UID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.running[uid]
	return ok
}

// turnedAway reports whether a job that was let in has to wait again: meanwhile, it has turned out that there is no room, or that nothing
// is accepted. The caller holds the lock.
func (l *limits) turnedAway(uid types.UID) bool {
	return l.clock.Now().Before(l.heldUntil) || (l.circuit.open && l.circuit.trial != uid)
}

// occupy counts a job that is, or may be, at the provider.
func (l *limits) occupy(uid types.UID, p occupiedPlace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.remove(uid)
	l.settle(uid, p)
}

// settle gives a job a place. The caller holds the lock.
func (l *limits) settle(uid types.UID, p occupiedPlace) {
	l.vacate(uid)
	l.running[uid] = p
	l.line.occupy(p.key.Namespace)
}

// vacate takes a job's place away, if it has one. The caller holds the lock.
func (l *limits) vacate(uid types.UID) {
	if p, ok := l.running[uid]; ok {
		delete(l.running, uid)
		l.line.vacate(p.key.Namespace)
	}
}

// placesOf are the places that the jobs of an account have.
func (l *limits) placesOf(account types.UID) map[types.UID]occupiedPlace {
	l.mu.Lock()
	defer l.mu.Unlock()
	places := map[types.UID]occupiedPlace{}
	for uid, p := range l.running {
		if p.account == account {
			places[uid] = p
		}
	}
	return places
}

// release stops counting a job: it has finished, is gone, or is not to be submitted now.
func (l *limits) release(uid types.UID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.circuit.withdraw(uid, l.clock.Now())
	l.line.remove(uid)
	if _, ok := l.running[uid]; ok {
		l.vacate(uid)
		l.dispatch("")
	}
}

// releaseNamed stops counting a job of which only the name is known: it was gone before it was seen.
func (l *limits) releaseNamed(name types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for uid, p := range l.running {
		if p.key == name {
			l.vacate(uid)
		}
	}
	l.dispatch("")
}

// dispatch lets in as many of the waiting jobs as the limits permit, and comes back by itself when the next turn is due. The
// caller's own job need not be woken. The caller holds the lock.
func (l *limits) dispatch(caller types.UID) {
	for l.line.len() > 0 && len(l.running) < l.runningJobs {
		now, free := l.clock.Now(), l.runningJobs-len(l.running)
		if turn := l.turnOf(l.line.upNext(free)); turn.After(now) {
			l.comeBack(turn, now)
			return
		}
		c := l.line.next(free)
		l.admissions.take(now)
		l.circuit.letThrough(c.uid, c.key.Namespace, now)
		l.settle(c.uid, occupiedPlace{key: c.key, account: c.account})
		if c.uid != caller {
			l.wake(c.key)
		}
	}
}

// turnOf is when the next job may be let in, if it is one of this namespace.
func (l *limits) turnOf(namespace string) time.Time {
	turn := l.admissions.due()
	for _, t := range []time.Time{l.pausedUntil, l.heldUntil, l.circuit.due(namespace)} {
		if t.After(turn) {
			turn = t
		}
	}
	return turn
}

// comeBack has dispatch called at a time, once.
func (l *limits) comeBack(at, now time.Time) {
	if l.timer != nil {
		if !at.Before(l.timerAt) {
			return // it comes back before, and sees
		}
		l.timer.Stop()
	}
	l.timerAt = at
	l.timer = l.clock.AfterFunc(at.Sub(now), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.timer = nil
		l.dispatch("")
	})
}

// busyError means that the provider cannot be asked now, because too many do so already: it says nothing about the job, and nothing was
// tried. The pass is repeated.
type busyError struct {
	delay time.Duration
	// silent means that the provider does not answer at all.
	silent bool
}

// isBusy reports whether nothing was tried, because too many do so already.
func isBusy(err error) bool {
	var busy *busyError
	return errors.As(err, &busy)
}

func (e *busyError) Error() string {
	switch {
	case e.silent:
		return "the provider does not answer, and one request at a time tries it"
	case e.delay == handPatience:
		return "as many requests to the provider are under way as may be"
	}
	return fmt.Sprintf("the account's limits permit no request for %s", e.delay.Round(time.Millisecond))
}

// Kinds of turns that are waited for, a label of the metric.
const (
	turnSubmission = "submission"
	turnRequest    = "request"
)

// submission waits for the turn of a submission's request. The job was let in, so that it is not far; if it is, since the provider has
// asked to slow down meanwhile, the error is a *busyError.
func (l *limits) submission(ctx context.Context) error {
	return l.take(ctx, l.submissions, maxSubmissionWait, turnSubmission)
}

// request waits for the turn of a request that is not a submission, if that is soon: the worker that waits is missing elsewhere,
// also for other accounts. If it is not, the error is a *busyError.
func (l *limits) request(ctx context.Context) error {
	turns := patientTurns * requestWindow / time.Duration(l.requestsWithin(time.Second))
	return l.take(ctx, l.requests, max(maxRequestWait, turns), turnRequest)
}

// followUp waits for the turn of a further request of something that is under way. It waits until all workers that may be busy with the
// account have had their turns: to begin anew would cost the turns that were taken already, and with many jobs at a low limit nothing would
// ever get to its end.
func (l *limits) followUp(ctx context.Context) error {
	return l.take(ctx, l.requests, maxFollowUpWait, turnRequest)
}

// inRound waits for the turn of a request of a round, which no worker waits for: as long as a pause may take. Only one such turn is taken in
// advance. If all requests of a round that are sent at a time took theirs, at a low limit the next free turn would be farther away
// than a worker waits, for as long as there are rounds.
func (l *limits) inRound(ctx context.Context) error {
	select {
	case l.ahead <- struct{}{}:
		defer func() { <-l.ahead }()
		return l.take(ctx, l.requests, maxPause, turnRequest)
	case <-ctx.Done():
		return fmt.Errorf("gave up waiting for the account's request limit: %w", ctx.Err())
	}
}

// requestsWithin is how many requests the limits permit within a time, if nobody else has any; at least one.
func (l *limits) requestsWithin(d time.Duration) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(1, int(float64(l.requests.rate())*d.Seconds()))
}

// take takes a turn and waits for it, if it is near enough.
func (l *limits) take(ctx context.Context, p *pacer, limit time.Duration, kind string) error {
	delay, err := l.reserve(p, limit)
	if err != nil {
		return err
	}
	l.waited(kind, delay)
	return l.wait(ctx, delay)
}

// wait waits until a turn that was taken is due.
func (l *limits) wait(ctx context.Context, delay time.Duration) error {
	if delay <= 0 {
		return nil
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

// reserve takes a turn, unless it is too far away, and returns how far it is.
func (l *limits) reserve(p *pacer, limit time.Duration) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	turn := now
	for _, t := range []time.Time{p.due(), l.pausedUntil} {
		if t.After(turn) {
			turn = t
		}
	}
	delay := turn.Sub(now)
	if delay > limit {
		return 0, &busyError{delay: delay}
	}
	p.take(turn)
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

// accepted notes that the provider has accepted a submission.
func (l *limits) accepted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.pardon()
	if l.circuit.accept() {
		l.tell()
		l.dispatch("")
	}
}

// forbidden notes that the provider has refused a job for a reason that may lie in the account.
func (l *limits) forbidden(job *v1alpha1.TranscriptionJob, because string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line.suspect(job.Namespace)
	if l.circuit.forbid(job.UID, job.Namespace, v1alpha1.ReasonSubmissionsForbidden, because, l.clock.Now()) {
		l.tell()
	}
	l.dispatch("")
}

// crowded notes that the provider has refused a submission because there are too many.
func (l *limits) crowded(because string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.circuit.slow(v1alpha1.ReasonRateLimited, because, l.clock.Now()) {
		l.tell()
	}
}

// tell has the accounts reconciled that share the limits. The caller holds the lock.
func (l *limits) tell() {
	sharers := make([]sharer, 0, len(l.accounts))
	for _, a := range l.accounts {
		sharers = append(sharers, a)
	}
	l.changed(sharers)
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

// refusing says why the provider refuses one submission after the other, by a reason and a message; both are empty if it does not.
func (l *limits) refusing() (reason, because string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.circuit.open {
		return "", ""
	}
	return l.circuit.reason, l.circuit.because
}
