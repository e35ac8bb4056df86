// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const (
	// gatherShare is which part of the interval until its next look a job may be looked at sooner, together with others.
	gatherShare = 4
	// settleShare is which part of the poll interval is waited after a start before jobs are looked at of which it is not known when they
	// last were: until then all of them are known.
	settleShare = 6
	// quietShare is which part of the poll interval nobody new must have asked for a look before a round begins, at most maxQuiet. One
	// that asks alone costs a request; a hundred that ask together cost one, too.
	quietShare = 30
	maxQuiet   = time.Second
	// maxUnlisted is in how many rounds a job is looked for in the list without being there. Then it is asked about by itself, until
	// it is listed after all.
	maxUnlisted = 2
)

// How precisely the recorded time of creation tells where in the list a job is. It is either the provider's, cut to seconds, or
// the date of the answer to the submission, a moment after the creation.
const (
	createdEarlier = 5 * time.Second
	createdLater   = 2 * time.Second
)

// observers look at the remote jobs that are running, on behalf of the reconciler. Jobs whose accounts reach the same host in the
// same way with the same key are looked at together, in rounds: see round.
//
// A pass that needs to know how its remote job is doing asks, and gets the answer of the last look or none; then it rests, and is woken
// when there is an answer. A job that still runs is no news, and wakes nobody.
//
// It is a manager.Runnable: looks are made while Start runs, which is while the manager leads.
type observers struct {
	clock   clock.WithDelayedExecution
	options Options
	metrics *metrics
	log     logr.Logger
	// tell has a job reconciled: there is an answer about it.
	tell func(types.UID, types.NamespacedName)
	// refused has an account's key tried, because it was refused.
	refused func(*provider)
	// usable reports whether an account's key is worth a request: that it was refused is known, or being found out, otherwise.
	usable func(*provider) bool

	punctuality *punctuality

	mu      sync.Mutex
	ctx     context.Context // of Start; nil before
	started time.Time       // when Start was called; zero before
	rounds  sync.WaitGroup
	watches map[types.UID]*watch
	groups  map[string]*observer
}

// observer is what is looked at together.
type observer struct {
	id string
	// provider reaches the host; all watches have one that does it in the same way.
	provider *provider
	watches  map[types.UID]*watch
	jobs     map[string]*watch // the same, by the remote jobs' IDs
	spans    spans
	// timer begins the next round, at wakeAt. There is none while a round is running.
	timer   clock.Timer
	wakeAt  time.Time
	running bool
	// asked is when somebody last asked for a look that was not expected.
	asked time.Time
	// notBefore is when the next round may begin after one that was broken off, and trouble why it was.
	notBefore time.Time
	trouble   error
}

// watch is a job that is looked at.
type watch struct {
	question
	group *observer
	// from and before bound the time of creation, by the provider's clock; before is zero if it is not known.
	from, before time.Time
	// due is when the next look is; zero while none is wanted.
	due time.Time
	// asked is when the pass first needed an answer for the cause that it needs one for now: what the provider said before, it does not want to
	// hear. Zero if there is none.
	asked time.Time
	// unlisted counts the rounds in which the job was not in the list and should have been.
	unlisted int
	// answer is what the last look came to, until the reconciler has taken it.
	answer *answer
}

func (w *watch) scheduled() bool { return !w.due.IsZero() }

// question is what a pass wants to know.
type question struct {
	uid      types.UID
	name     types.NamespacedName
	attempt  int32
	id       string // of the remote job
	provider *provider
	// created is the recorded time of creation; zero if there is none.
	created time.Time
	// urgent means that the pass needs an answer now, and any: also that the job still runs.
	urgent bool
	// cause is what it is needed for.
	cause cause
	// known is what is recorded already of a job that runs, so that it is no news.
	known knownFacts
}

// cause is by which facts a pass asks. That a job still runs is no answer if it was said before they came to be.
type cause struct {
	facts uint64
	// overdue means that a job that still runs is deleted.
	overdue bool
}

// knownFacts are what the status has of a running job.
type knownFacts struct {
	duration bool
	errors   int
}

// isNews reports whether an answer has something that the pass does not know.
func (q *question) isNews(job *speechmatics.Job) bool {
	return q.urgent || job.Status != speechmatics.JobRunning || (job.Duration > 0 && !q.known.duration) || min(len(job.Errors), maxRemoteErrors) != q.known.errors
}

// owns reports whether a remote job is the one that is asked about: see scope.owns.
func (q *question) owns(job *speechmatics.Job) bool {
	reference, ok := referenceOf(job)
	return ok && reference.UID == q.uid && reference.Attempt == q.attempt
}

// answer is what a look at a job came to: the job, or why nothing is known of it.
type answer struct {
	job *speechmatics.Job
	err error
	// begun is when the request was sent.
	begun time.Time
	// hearsay means that the error is not that of a request about this job, but that of another one which kept it from being sent.
	hearsay bool
}

func (a *answer) runs() bool { return a.job != nil && a.job.Status == speechmatics.JobRunning }

// tooEarly reports whether an answer says that the job runs, to a request that was sent before somebody came to need one. It may have
// ended since.
func (w *watch) tooEarly(a *answer) bool {
	return w.urgent && a.runs() && a.begun.Before(w.asked)
}

// outdated reports whether the stored answer must not be taken for that of a look made now: it came too early, nobody has looked again for
// long though it was time to, or a job is to be deleted by it that may have ended since.
func (o *observers) outdated(w *watch, now time.Time) bool {
	if !w.urgent || !w.answer.runs() {
		return false
	}
	neglected := w.scheduled() && now.Sub(w.due) > o.options.RetryInterval
	return w.tooEarly(w.answer) || neglected || (w.cause.overdue && now.Sub(w.answer.begun) > o.options.RetryInterval)
}

func newObservers(options Options) *observers {
	return &observers{
		clock:       options.Clock,
		options:     options,
		punctuality: &punctuality{factors: map[types.UID]int{}},
		watches:     map[types.UID]*watch{},
		groups:      map[string]*observer{},
	}
}

// Start has jobs looked at until the context ends.
func (o *observers) Start(ctx context.Context) error {
	o.mu.Lock()
	o.ctx, o.started = ctx, o.clock.Now()
	for _, g := range o.groups {
		o.arm(g, g.start())
	}
	o.mu.Unlock()
	<-ctx.Done()
	o.mu.Lock()
	for _, g := range o.groups {
		g.disarm()
	}
	o.mu.Unlock()
	o.rounds.Wait()
	return nil
}

// ask returns what the last look at a job came to, once. Nil means that there is no answer yet: the job is reconciled when there is.
func (o *observers) ask(q question) *answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.clock.Now()
	w, isNew := o.watch(q)
	if w.answer != nil && o.outdated(w, now) {
		w.answer = nil
	}
	switch {
	case w.answer != nil:
		a := w.answer
		w.answer = nil
		return a
	case isNew && !q.urgent:
		// Nobody knows when it was last looked at: the manager has started.
		o.schedule(w, now.Add(jitter(q.provider.pollInterval/settleShare)))
		w.group.asked = now
	case !w.scheduled() || (q.urgent && w.due.After(now)):
		o.schedule(w, now)
		w.group.asked = now
	case w.due.After(o.latestLook(q.provider)):
		// The account has it looked at more often than when that was scheduled.
		o.schedule(w, o.nextLook(q.provider))
	case w.group.trouble != nil && w.due.Before(now):
		w.urgent = true // what the status says of the trouble has to be taken back
		return &answer{err: w.group.trouble, hearsay: true}
	}
	return nil
}

// expect has a job looked at from now on that was just submitted.
func (o *observers) expect(q question) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w, _ := o.watch(q)
	o.schedule(w, o.clock.Now().Add(o.nextPoll(q.provider)))
}

// forget ends all looks at a job.
func (o *observers) forget(uid types.UID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if w, ok := o.watches[uid]; ok {
		o.remove(w)
	}
}

// forgetAccount drops what is kept of an account that is gone.
func (o *observers) forgetAccount(account types.UID) {
	o.punctuality.forget(account)
	o.abandon(account, "")
}

// abandon ends the looks at an account's jobs that are made in another way than a certain one, for which there is no key any more. The jobs
// are reconciled, so that those of an account that has one are looked at with it.
func (o *observers) abandon(account types.UID, except string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.watches {
		if w.provider.account.UID == account && w.group.id != except {
			o.remove(w)
			o.tell(w.uid, w.name)
		}
	}
}

// watch returns the watch of a job, brought up to date, and whether it is new. The caller holds the lock.
func (o *observers) watch(q question) (w *watch, isNew bool) {
	g := o.groupOf(q.provider)
	w, ok := o.watches[q.uid]
	if ok && w.id == q.id && w.attempt == q.attempt && w.group == g {
		if q.urgent && (!w.urgent || w.cause != q.cause) {
			w.asked = o.clock.Now()
		}
		w.question = q
		return w, false
	}
	if ok {
		o.remove(w)
		g = o.groupOf(q.provider) // which may have gone with its last watch
	}
	w = &watch{question: q, group: g, asked: o.clock.Now()}
	if !q.created.IsZero() {
		w.from, w.before = q.created.Add(-createdEarlier), q.created.Add(createdLater)
	}
	o.watches[q.uid], g.watches[q.uid], g.jobs[q.id] = w, w, w
	return w, true
}

// groupOf returns whose jobs are looked at together with those of a provider. The caller holds the lock.
func (o *observers) groupOf(p *provider) *observer {
	id := p.observerID()
	g, ok := o.groups[id]
	if !ok {
		g = &observer{id: id, watches: map[types.UID]*watch{}, jobs: map[string]*watch{}}
		o.groups[id] = g
	}
	g.provider = p
	return g
}

// observerID names what a provider's jobs are looked at together with. Beside the host and key it is how the host is reached: what one
// account believes of a host whose certificate it does not check, another one must not.
func (p *provider) observerID() string { return p.limitsID() + " " + string(p.backend) + " " + p.trust }

// remove takes a watch out. The caller holds the lock.
func (o *observers) remove(w *watch) {
	g := w.group
	delete(o.watches, w.uid)
	delete(g.watches, w.uid)
	if g.jobs[w.id] == w {
		delete(g.jobs, w.id)
	}
	if len(g.watches) == 0 && !g.running {
		g.disarm()
		delete(o.groups, g.id)
	}
}

// schedule has a look made at a job when it is time, or sooner if it is to be. The caller holds the lock.
func (o *observers) schedule(w *watch, at time.Time) {
	if !w.scheduled() || at.Before(w.due) {
		w.due = at
		o.arm(w.group, at)
	}
}

// arm has the next round begin at a time, or sooner if it is to. The caller holds the lock.
func (o *observers) arm(g *observer, at time.Time) {
	if o.ctx == nil || o.ctx.Err() != nil || g.running || at.IsZero() || (g.timer != nil && !g.wakeAt.After(at)) {
		return
	}
	g.disarm()
	g.wakeAt = at
	// In a goroutine of its own, because some clocks call the function while they are locked.
	g.timer = o.clock.AfterFunc(max(0, at.Sub(o.clock.Now())), func() { go o.begin(g, at) })
}

// disarm has no round begin by itself. The caller holds the lock.
func (g *observer) disarm() {
	if g.timer != nil {
		g.timer.Stop()
		g.timer = nil
	}
}

// earliest is when the first look is due; zero if there is none.
func (g *observer) earliest() time.Time {
	var earliest time.Time
	for _, w := range g.watches {
		if w.scheduled() && (earliest.IsZero() || w.due.Before(earliest)) {
			earliest = w.due
		}
	}
	return earliest
}

// start is when the next round begins: when a look is due, it may, and nobody has asked for another look for a moment, so that those
// who ask together are looked at together. Zero if no look is due.
func (g *observer) start() time.Time {
	due := g.earliest()
	if due.IsZero() {
		return due
	}
	interval := g.provider.pollInterval
	quiet := g.asked.Add(min(interval/quietShare, maxQuiet))
	if latest := due.Add(interval / gatherShare); quiet.After(latest) {
		quiet = latest
	}
	return latestOf(due, g.notBefore, quiet)
}

func latestOf(times ...time.Time) time.Time {
	var latest time.Time
	for _, t := range times {
		if t.After(latest) {
			latest = t
		}
	}
	return latest
}

// findUsable has the group use the key of an account that can be used, if there is one. Accounts share a key, and one of them may be gone. The
// caller holds the lock.
func (o *observers) findUsable(g *observer) bool {
	if o.usable(g.provider) {
		return true
	}
	for _, p := range g.accounts() {
		if o.usable(p) {
			g.provider = p
			return true
		}
	}
	return false
}

// begin begins a round, unless it turns out that its time is not yet.
func (o *observers) begin(g *observer, at time.Time) {
	o.mu.Lock()
	if o.ctx.Err() != nil || g.running || g.timer == nil || !g.wakeAt.Equal(at) {
		o.mu.Unlock()
		return
	}
	g.timer = nil
	if !o.findUsable(g) {
		g.notBefore = o.clock.Now().Add(o.options.RetryInterval)
	}
	if start := g.start(); start.After(o.clock.Now()) || start.IsZero() {
		o.arm(g, start)
		o.mu.Unlock()
		return
	}
	g.running = true
	o.rounds.Add(1)
	ctx := o.ctx
	o.mu.Unlock()
	defer o.rounds.Done()
	o.run(ctx, g)
	o.mu.Lock()
	defer o.mu.Unlock()
	g.running = false
	if len(g.watches) == 0 {
		delete(o.groups, g.id)
		return
	}
	o.arm(g, g.start())
}
