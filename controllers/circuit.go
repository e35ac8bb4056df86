// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// refusalsToOpen is how many submissions in a row have to be refused before the account is held to be the cause, not the jobs.
const refusalsToOpen = 3

// circuit stops submissions when they are refused for a reason that lies in the account and not in the jobs: credit that is used up, a
// contract that has ended, a limit that others have reached. While it is open one job is let through now and then, after ever longer waits,
// until one is accepted. Jobs that are at the provider are followed meanwhile. It is a pure state machine.
//
// An answer 403 may mean the one job that asks for something the contract does not cover (Speechmatics API, batch v2: 403 "Entitlement check
// failed"); what is returned for exhausted credit is not documented. So only refusals of different jobs in a row count, and any
// submission that is accepted shows that the account is not the cause. Until then a namespace none of whose jobs was refused need not wait
// for the others: a tenant who asks, over and over, for what the contract does not cover is not to stop the rest.
type circuit struct {
	// shortest and longest wait for the next try.
	shortest, longest time.Duration
	// refused are the jobs that were refused since the last submission was accepted, and suspects their namespaces; strikes counts the jobs,
	// and each answer 429.
	refused  map[types.UID]struct{}
	suspects map[string]struct{}
	strikes  int
	// open, and why: what the provider said.
	open    bool
	reason  string
	because string
	// wait is that for the suspects' try after the next one, which is due at next.
	wait time.Duration
	next time.Time
	// trial is the job that is let through, trialOf its namespace and tried the time; they are zero if there is none.
	trial   types.UID
	trialOf string
	tried   time.Time
}

func newCircuit(shortest, longest time.Duration) *circuit {
	return &circuit{shortest: shortest, longest: longest, refused: map[types.UID]struct{}{}, suspects: map[string]struct{}{}}
}

// forbid notes that a job of a namespace was refused, and reports whether that has opened the circuit.
func (c *circuit) forbid(uid types.UID, namespace, reason, because string, now time.Time) bool {
	if _, again := c.refused[uid]; again && !c.open {
		return false
	}
	c.refused[uid] = struct{}{}
	c.suspects[namespace] = struct{}{}
	return c.strike(reason, because, c.shortest, now)
}

// slow notes that a submission was refused because there are too many, and reports whether that has opened the circuit. The first waits
// are short: it may be a matter of a second.
func (c *circuit) slow(reason, because string, now time.Time) bool {
	return c.strike(reason, because, min(minPause, c.shortest), now)
}

func (c *circuit) strike(reason, because string, wait time.Duration, now time.Time) bool {
	c.strikes++
	c.trial = ""
	if c.strikes < refusalsToOpen {
		return false
	}
	c.reason, c.because = reason, because
	if c.open {
		return false
	}
	c.open = true
	c.wait, c.next = wait, now.Add(wait)
	return true
}

// accept notes that a submission was accepted, and reports whether that has closed the circuit.
func (c *circuit) accept() bool {
	was := c.open
	*c = *newCircuit(c.shortest, c.longest)
	return was
}

// isSuspect reports whether a namespace has to wait while the circuit is open. If it is not known of any, since all that was said is
// that there are too many submissions, everyone has to.
func (c *circuit) isSuspect(namespace string) bool {
	_, suspect := c.suspects[namespace]
	return suspect || len(c.suspects) == 0
}

// due is when the next submission of a namespace may be tried: any time in the past while the circuit is closed.
func (c *circuit) due(namespace string) time.Time {
	switch soonest := c.tried.Add(c.shortest); {
	case !c.open:
		return time.Time{}
	case !c.isSuspect(namespace) && soonest.Before(c.next):
		return soonest
	default:
		return c.next
	}
}

// letThrough notes that a job is let through. While the circuit is open, the suspects' next one has to wait, twice as long each time.
func (c *circuit) letThrough(uid types.UID, namespace string, now time.Time) {
	if !c.open {
		return
	}
	c.trial, c.trialOf, c.tried = uid, namespace, now
	if c.isSuspect(namespace) {
		c.wait = min(2*c.wait, c.longest)
		c.next = now.Add(c.wait)
	} else if soonest := now.Add(c.shortest); soonest.After(c.next) {
		c.next = soonest
	}
}

// withdraw notes that a job that was let through is not going to be submitted, so that another one may be.
func (c *circuit) withdraw(uid types.UID, now time.Time) {
	if !c.open || c.trial != uid {
		return
	}
	if c.isSuspect(c.trialOf) {
		c.next = now
	}
	c.trial, c.trialOf, c.tried = "", "", time.Time{}
}

// retry has the next submission tried at once: somebody has changed the account.
func (c *circuit) retry(now time.Time) {
	if c.open {
		c.wait, c.next, c.tried = c.shortest, now, time.Time{}
	}
}

// hasRefused reports whether a job was refused since the last submission was accepted.
func (c *circuit) hasRefused(uid types.UID) bool {
	_, ok := c.refused[uid]
	return ok
}

// countRefusal tells the account's circuit of a submission that was refused for a reason that may lie in the account. What the provider said
// besides the code may be about the job, which is not for all who use the account to read.
func (p *provider) countRefusal(job *v1alpha1.TranscriptionJob, err error) {
	var answer *speechmatics.Error
	if !errors.As(err, &answer) {
		return
	}
	because := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	switch answer.StatusCode {
	case http.StatusForbidden, http.StatusPaymentRequired:
		p.limits.forbidden(job, because)
	case http.StatusTooManyRequests:
		p.limits.crowded(because)
	}
}
