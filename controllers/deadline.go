// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// deadline is when the job has taken too long; zero if it may take as long as it likes, has not been taken up, or is suspended
// with nothing at the provider, while which the clock stands still.
func (s *scope) deadline() time.Time {
	if s.job.Spec.ActiveDeadlineSeconds == nil || s.status.StartTime == nil || (s.suspended() && !s.mayBeAtProvider()) {
		return time.Time{}
	}
	return s.status.StartTime.Add(time.Duration(*s.job.Spec.ActiveDeadlineSeconds) * time.Second)
}

func (s *scope) deadlinePassed() bool {
	deadline := s.deadline()
	return !deadline.IsZero() && !s.now().Before(deadline)
}

// beforeDeadline shortens a wait so that it ends with the deadline, unless that had passed when the pass began: what was to be done
// about it, the pass has done. No wait at all (zero) becomes one until the deadline.
func (s *scope) beforeDeadline(wait time.Duration, began time.Time) time.Duration {
	deadline := s.deadline()
	if deadline.IsZero() || deadline.Before(began) {
		return wait
	}
	return soonest(wait, max(deadline.Sub(s.now()), time.Millisecond))
}

// sendUntil is when a submission that begins now is broken off at the latest: with the time that a claim permits, or with the
// deadline, since what is accepted after it would be cancelled at once.
func (s *scope) sendUntil() time.Time {
	window := s.options.SubmissionWindow
	if seconds := s.job.Spec.ActiveDeadlineSeconds; seconds != nil {
		left := time.Duration(*seconds) * time.Second
		if deadline := s.deadline(); !deadline.IsZero() {
			left = max(deadline.Sub(s.now()), time.Millisecond)
		}
		window = min(window, left)
	}
	return s.now().Add(window)
}

// deadlineExceeded is the failure of a job whose time is over, and of which nothing is at the provider.
func (s *scope) deadlineExceeded() *failure {
	end := " before it was submitted"
	if n := valueOf(s.status.FailedAttempts); n > 0 {
		end = fmt.Sprintf(", and %d of its %d attempts failed", n, s.allowedAttempts())
	}
	return s.tookTooLong(end)
}

// deadlineExceededButRuns is the failure of a job whose time is over, and whose remote job cannot be cancelled.
func (s *scope) deadlineExceededButRuns(cause error) *failure {
	f := s.tookTooLong("")
	f.message += fmt.Sprintf(". Job %s could not be cancelled: %s", s.remoteID(), explain(cause))
	return f
}

func (s *scope) tookTooLong(end string) *failure {
	return &failure{reason: v1alpha1.ReasonDeadlineExceeded, message: fmt.Sprintf(
		"the job took longer than activeDeadlineSeconds (%d s) permits%s; create a new one with more time", *s.job.Spec.ActiveDeadlineSeconds, end)}
}

// outOfReach is the failure of a job whose time is over and whose account is gone, so that nobody can look at it or cancel it.
func (s *scope) outOfReach(p *pause) error {
	if !s.deadlinePassed() || !p.accountGone() {
		return p
	}
	return s.deadlineExceededButRuns(p)
}

// cancel deletes a running job at the provider, because its time is over.
func (r *JobReconciler) cancel(ctx context.Context, s *scope, p *provider) (verdict, error) {
	err := r.deleteRemote(ctx, p, s.remoteID())
	if errors.Is(err, errors.ErrUnsupported) {
		r.metrics.uncleaned.Inc()
		return verdict{}, s.deadlineExceededButRuns(err)
	}
	if err != nil {
		return verdict{}, r.unavailable(ctx, p, err)
	}
	s.remote().State = ptr.To(v1alpha1.RemoteDeleted)
	return verdict{}, s.tookTooLong(", and was cancelled")
}

// remark adds to a verdict what the spec wants and does not get, or not yet: a person who has set suspend, or a deadline that is over, is
// not to wonder why the job goes on.
func (s *scope) remark(v verdict) verdict {
	if v.ending != unfinished || v.stalled || v.reason == v1alpha1.ReasonSuspended {
		return v
	}
	switch {
	case s.deadlinePassed() && !s.isDone():
		v.message += remarkOverdue
	case s.suspended():
		v.message += remarkSuspended
	}
	return v
}

// The remarks, which end a message.
const (
	remarkOverdue   = "; its time (activeDeadlineSeconds) is over, and it is cancelled as soon as that is possible"
	remarkSuspended = "; spec.suspend does not stop what is at Speechmatics already, it only keeps another attempt from being submitted"
)

// withoutRemark is a message as it was before remark.
func withoutRemark(message string) string {
	return strings.TrimSuffix(strings.TrimSuffix(message, remarkOverdue), remarkSuspended)
}
