// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// notifiedPollFactor is how much less often a job is looked at while notifications arrive: polling is then only there for those that
	// get lost.
	notifiedPollFactor = 10
	// startPolls is how many poll intervals after a start, at most startPause, a job is not looked at a second time without a cause: what comes
	// back with all its jobs at once looks at them once, and lets those have a turn who have waited meanwhile.
	startPolls = 2
	startPause = time.Minute
	// notificationGrace is which part of the poll interval the notification of a job that has just been seen to be done is waited for: it is
	// likely to be under way.
	notificationGrace = 3
)

// punctuality remembers of which accounts notifications get lost. It is in memory only: after a restart, one that gets lost tells.
type punctuality struct {
	mu sync.Mutex
	// factors are the factors of accounts whose notifications do not all arrive: below notifiedPollFactor.
	factors map[types.UID]int
}

// factor is how much less often than without notifications the jobs of an account are looked at.
func (p *punctuality) factor(account types.UID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if factor, ok := p.factors[account]; ok {
		return factor
	}
	return notifiedPollFactor
}

// missed notes that a notification did not come. It reports whether that is news: the account's were relied on.
func (p *punctuality) missed(account types.UID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	factor, ok := p.factors[account]
	p.factors[account] = 1
	return !ok || factor > 1
}

// arrived notes that a notification has come: those of the account are relied on again little by little.
func (p *punctuality) arrived(account types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	factor, ok := p.factors[account]
	switch {
	case !ok:
	case 2*factor < notifiedPollFactor:
		p.factors[account] = 2 * factor
	default:
		delete(p.factors, account)
	}
}

// forget drops what is known of an account that is gone.
func (p *punctuality) forget(account types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.factors, account)
}

// nextLook is when a running job is looked at again. The caller holds the lock.
func (o *observers) nextLook(p *provider) time.Time {
	return latestOf(o.clock.Now().Add(o.nextPoll(p)), o.secondLook(p).Add(rand.N(p.pollInterval/10+1))) //nolint:gosec // No secret depends on it.
}

// latestLook is the latest that nextLook can be. The caller holds the lock.
func (o *observers) latestLook(p *provider) time.Time {
	return latestOf(o.clock.Now().Add(longest(o.pollInterval(p))), o.secondLook(p).Add(p.pollInterval/10))
}

// secondLook is when jobs that a start found are looked at a second time at the earliest. The caller holds the lock.
func (o *observers) secondLook(p *provider) time.Time {
	return o.started.Add(min(startPolls*p.pollInterval, startPause))
}

// nextPoll is how long to wait before looking at a running job again, with jitter, so that jobs that were created together do not
// stay together.
func (o *observers) nextPoll(p *provider) time.Duration { return jitter(o.pollInterval(p)) }

func (o *observers) pollInterval(p *provider) time.Duration {
	if p.callbackURL == "" {
		return p.pollInterval
	}
	return p.pollInterval * time.Duration(o.punctuality.factor(p.account.UID))
}

// missed notes that a notification did not come which the account's jobs ask for. Those that were to be looked at late because of it
// are looked at sooner.
func (o *observers) missed(p *provider) {
	o.metrics.missed.Inc()
	if !o.punctuality.missed(p.account.UID) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.watches {
		if w.provider.account.UID == p.account.UID && w.scheduled() {
			o.schedule(w, o.nextLook(p))
		}
	}
}

// longest is the most that jitter makes of a duration.
func longest(d time.Duration) time.Duration { return d + d/10 }

// jitter spreads a duration by a tenth either way.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(2*(d/10)+1) //nolint:gosec // No secret depends on it.
}
