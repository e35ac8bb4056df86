// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const (
	// concurrentLooks is how many jobs of a round are asked about at a time.
	concurrentLooks = 8
	// maxFailures is how many requests in a row may fail before a round is broken off: one may be about a job that is broken.
	maxFailures = 2
)

// Where an observation came from, a label of a metric.
const (
	sourceList = "list"
	sourceGet  = "get"
)

// roundRun is a round in progress.
type roundRun struct {
	o *observers
	g *observer
	// provider is the one that the round began with.
	provider *provider

	mu       sync.Mutex
	failures int
	// broken is why the round was broken off.
	broken error
}

// run does one round.
func (o *observers) run(ctx context.Context, g *observer) {
	run, plan := o.newRound(g)
	run.readPages(ctx, plan)
	run.askOneByOne(ctx, plan.rest())
	run.end()
}

// newRound gathers the jobs whose look is due, and those whose look will be soon.
func (o *observers) newRound(g *observer) (*roundRun, *round) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var lookups []lookup
	now := o.clock.Now()
	for _, w := range g.watches {
		if w.scheduled() && !w.due.After(now.Add(o.pollInterval(w.provider)/gatherShare)) {
			lookups = append(lookups, w.lookup())
		}
	}
	return &roundRun{o: o, g: g, provider: g.provider}, newRound(lookups, &g.spans)
}

func (w *watch) lookup() lookup {
	single := !w.provider.can().ListHasConfig || w.before.IsZero() || w.unlisted >= maxUnlisted
	return lookup{uid: w.uid, from: w.from, before: w.before, due: w.due, single: single}
}

// readPages reads the pages of the list that are worth it.
func (run *roundRun) readPages(ctx context.Context, plan *round) {
	for run.goesOn() {
		before, ok := plan.nextPage()
		if !ok {
			return
		}
		read, err := run.readPage(ctx, before)
		absent := plan.read(read)
		if err != nil {
			run.o.log.Info("Speechmatics' list cannot be read; asking about the jobs one by one", "account", string(run.provider.account.Kind)+"/"+run.provider.account.Name, "cause", err.Error())
			plan.abandonPages()
			return
		}
		run.o.notListed(run.g, absent)
	}
}

// readPage reads a page, and settles the looks at all the watched jobs that it tells enough of, be they due or not. What it returns with an
// error was on the page, too.
func (run *roundRun) readPage(ctx context.Context, before time.Time) (page, error) {
	read := page{found: map[types.UID]bool{}}
	err := run.request(ctx, operationList, func(ctx context.Context) error {
		begun := run.o.clock.Now()
		return run.provider.client.ListPage(ctx, before, func(job *speechmatics.Job) {
			read.jobs++
			if !job.CreatedAt.IsZero() && (read.oldest.IsZero() || job.CreatedAt.Before(read.oldest)) {
				read.oldest = job.CreatedAt
			}
			if uid, settled, ok := run.o.listed(run.g, job, begun); ok {
				read.found[uid] = settled
			}
		})
	})
	return read, err
}

// askOneByOne asks about single jobs.
func (run *roundRun) askOneByOne(ctx context.Context, lookups []lookup) {
	asking := &errgroup.Group{}
	asking.SetLimit(concurrentLooks)
	for _, l := range lookups {
		asking.Go(func() error {
			run.get(ctx, l.uid)
			return nil // what failed is an answer
		})
	}
	_ = asking.Wait()
}

// get asks about one job, unless nobody wants to know any more.
func (run *roundRun) get(ctx context.Context, uid types.UID) {
	id, wanted := run.o.wanted(run.g, uid)
	if !wanted || !run.goesOn() {
		return
	}
	var a *answer
	_ = run.request(ctx, operationGet, func(ctx context.Context) error {
		a = &answer{begun: run.o.clock.Now()}
		a.job, a.err = run.provider.client.GetJob(ctx, id)
		return a.err
	})
	if a != nil && ctx.Err() == nil {
		run.o.got(run.g, uid, id, a)
	}
}

// request sends a request in its turn, counts it, and judges by its error whether the round goes on.
func (run *roundRun) request(ctx context.Context, operation string, send func(context.Context) error) error {
	err := run.provider.limits.inRound(ctx)
	if err == nil {
		within, cancel := context.WithTimeout(ctx, requestTimeout)
		err = send(within)
		cancel()
		run.o.metrics.observeRequest(operation, err)
		run.o.metrics.looks.WithLabelValues(operation).Inc()
	}
	run.judge(ctx, err)
	return err
}

// judge breaks the round off if further requests would come to the same: the whole account is in trouble.
func (run *roundRun) judge(ctx context.Context, err error) {
	var busy *busyError
	run.mu.Lock()
	defer run.mu.Unlock()
	switch {
	case err == nil, speechmatics.IsNotFound(err), speechmatics.IsGone(err):
		run.failures = 0
		return
	case ctx.Err() != nil, errors.As(err, &busy), speechmatics.IsRateLimited(err), speechmatics.IsUnauthorized(err), speechmatics.IsForbidden(err):
	default:
		if run.failures++; run.failures < maxFailures {
			return
		}
	}
	if run.broken == nil {
		run.broken = err
	}
}

func (run *roundRun) goesOn() bool {
	run.mu.Lock()
	defer run.mu.Unlock()
	return run.broken == nil
}

// end has the account react to what broke the round off, if anything did. The looks that were not made are made with the next round.
func (run *roundRun) end() {
	o, g := run.o, run.g
	var answer *speechmatics.Error
	pause := o.options.RetryInterval
	if errors.As(run.broken, &answer) {
		pause = max(pause, min(answer.RetryAfter, maxPause))
	}
	if speechmatics.IsRateLimited(run.broken) {
		run.provider.limits.slowDown(answer.RetryAfter)
	}
	o.mu.Lock()
	g.trouble = run.broken
	if run.broken != nil {
		g.notBefore = o.clock.Now().Add(pause)
	}
	accounts := g.accounts()
	o.mu.Unlock()
	if speechmatics.IsUnauthorized(run.broken) || speechmatics.IsForbidden(run.broken) {
		for _, p := range accounts {
			o.refused(p)
		}
	}
}

// accounts are the providers of the accounts that have a job watched.
func (g *observer) accounts() map[types.UID]*provider {
	accounts := map[types.UID]*provider{}
	for _, w := range g.watches {
		accounts[w.provider.account.UID] = w.provider
	}
	return accounts
}

// listed takes over what the list says of a job, if it is one that is watched. The page was asked for at the time begun.
func (o *observers) listed(g *observer, job *speechmatics.Job, begun time.Time) (uid types.UID, settled, watched bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w, watched := g.jobs[job.ID]
	if !watched {
		return "", false, false
	}
	w.unlisted = 0
	if !w.owns(job) || !tellsEnough(job) {
		return w.uid, false, true
	}
	o.metrics.observations.WithLabelValues(sourceList).Inc()
	return w.uid, o.answered(w, &answer{job: job, begun: begun}), true
}

// tellsEnough reports whether what the list says of a job is all that the reconciler needs. That a job failed has consequences that cost
// money, so that what the list gives no reason for is asked about.
func tellsEnough(job *speechmatics.Job) bool {
	switch job.Status {
	case speechmatics.JobRunning, speechmatics.JobDone:
		return true
	case speechmatics.JobRejected:
		return len(job.Errors) > 0
	default:
		return false
	}
}

// notListed notes that jobs were not in the list where they should have been.
func (o *observers) notListed(g *observer, absent []types.UID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, uid := range absent {
		if w, ok := g.watches[uid]; ok {
			w.unlisted++
		}
	}
}

// wanted returns the remote job of a watch, unless nobody wants to know about it any more, or it is known already.
func (o *observers) wanted(g *observer, uid types.UID) (id string, wanted bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w, ok := g.watches[uid]
	if !ok || !w.scheduled() {
		return "", false
	}
	return w.id, true
}

// got takes over what became of a request about one job.
func (o *observers) got(g *observer, uid types.UID, id string, a *answer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if a.err == nil {
		o.metrics.observations.WithLabelValues(sourceGet).Inc()
	}
	if w, ok := g.watches[uid]; ok && w.id == id {
		o.answered(w, a)
	}
}

// answered takes over an answer, and has the job reconciled if it is news. One that runs is looked at again in time; what comes after
// anything else is for the reconciler to decide. It reports false if the answer came too early, so that the look is still to be made. The
// caller holds the lock.
func (o *observers) answered(w *watch, a *answer) bool {
	if w.tooEarly(a) {
		return false
	}
	w.due = time.Time{}
	if job := a.job; job != nil {
		if !job.CreatedAt.IsZero() {
			w.from = job.CreatedAt.Truncate(listPrecision)
			w.before = w.from.Add(listPrecision)
		}
		if job.Status == speechmatics.JobRunning && w.owns(job) {
			o.schedule(w, o.nextLook(w.provider))
			if !w.isNews(job) {
				return true
			}
		}
	}
	w.answer = a
	o.tell(w.uid, w.name)
	return true
}
