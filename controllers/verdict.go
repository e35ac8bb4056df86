// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"time"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// ending says whether and how a job has finished.
type ending int

const (
	unfinished ending = iota
	completed
	failed
)

// verdict is what a pass over a job came to: what the condition Ready says, and when to look again.
type verdict struct {
	reason  string
	message string
	ending  ending
	// stalled means that nothing happens until a person acts.
	stalled bool
	// after is when to look again at the latest; zero means that an event will come.
	after time.Duration
	// risk says why the only copy of a transcript may soon be lost; nil if there is no such danger.
	risk *risk
}

// pause is the error of a step that cannot be done now, though nothing has failed: it says why, and when to try again. It is
// what the person reads, so that it names the object, the cause and the next step.
type pause struct {
	reason  string
	message string
	after   time.Duration
}

func (p *pause) Error() string { return p.message }

// accountGone reports whether the account that a job was submitted with is gone, so that nobody can be asked about the job any more.
func (p *pause) accountGone() bool {
	return p.reason == v1alpha1.ReasonAccountNotFound || p.reason == v1alpha1.ReasonAccountReplaced
}

func pausef(reason string, after time.Duration, format string, args ...any) *pause {
	return &pause{reason: reason, message: fmt.Sprintf(format, args...), after: after}
}

// failure is the error of an attempt that has failed.
type failure struct {
	reason  string
	message string
	// advice is what a person may do if no other attempt follows; empty if the message says it.
	advice string
	// retryable means that another attempt may succeed.
	retryable bool
}

func (f *failure) Error() string { return f.message }

// hold is the error of a job that nobody touches until a person acts.
type hold struct {
	reason  string
	message string
}

func (h *hold) Error() string { return h.message }

// quietWait is for how long a new job that waits for others' requests to end says nothing.
const quietWait = 30 * time.Second

// judge turns the outcome of a pass into a verdict. What remains as an error is for the work queue to retry.
func (s *scope) judge(v verdict, err error) (verdict, error) {
	var (
		p    *pause
		f    *failure
		h    *hold
		busy *busyError
	)
	switch {
	case err == nil:
		return v, nil
	case errors.As(err, &busy) && readyCondition(s.job.Status.Conditions) == nil && (busy.silent || s.age() >= quietWait):
		// It is to say something, though nobody could look at it yet. In a crowd that is soon over, it would be one more write for each.
		return verdict{reason: v1alpha1.ReasonWaiting, message: "waiting for its account: " + busy.Error(), after: busy.delay}, nil
	case errors.As(err, &p):
		return verdict{reason: p.reason, message: p.message, after: p.after}, nil
	case errors.As(err, &f) && s.lacksFactsOnly():
		return s.concludeWithoutFacts(f), nil
	case errors.As(err, &f):
		return s.failAttempt(f), nil
	case errors.As(err, &h):
		return verdict{reason: h.reason, message: h.message, stalled: true}, nil
	default:
		return verdict{}, err
	}
}

// running is the verdict of a job that the provider works on.
func (s *scope) running(after time.Duration) verdict {
	v := s.runningAs(s.remoteID())
	v.after = after
	return v
}

// runningAs is running of a remote job that is not recorded yet.
func (s *scope) runningAs(id string) verdict {
	return verdict{
		reason:  v1alpha1.ReasonRunning,
		message: fmt.Sprintf("Speechmatics works on job %s of %s", id, accountName(s.status.AccountRef)),
	}
}

// accountName names an account for a person.
func accountName(ref *v1alpha1.ResolvedAccountReference) string {
	if ref == nil {
		return "an account"
	}
	return fmt.Sprintf("%s %s", ref.Kind, ref.Name)
}
