// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// maxBackOff is the longest wait between two attempts, unless the first one is longer already; batch/v1 has the same.
const maxBackOff = 6 * time.Minute

// failAttempt counts a failed attempt, and decides whether another one follows.
func (s *scope) failAttempt(f *failure) verdict {
	attempt := s.attempt()
	if s.claimed() || s.recorded() {
		s.status.FailedAttempts = &attempt
		s.status.LastFailureTime = ptr.To(metav1.NewTime(s.now()))
	}
	allowed := s.allowedAttempts()
	switch {
	case f.retryable && s.deadlinePassed():
		f = s.tookTooLong(fmt.Sprintf(", and its attempt %d failed (%s): %s", attempt, f.reason, f.message))
	case f.retryable && attempt < allowed:
		return s.retry(f, attempt, allowed)
	}
	message := f.message
	if f.advice != "" {
		message += "; " + f.advice
	}
	if f.retryable && allowed > 1 {
		message = fmt.Sprintf("%s (attempt %d of %d)", message, attempt, allowed)
	}
	return verdict{ending: failed, reason: f.reason, message: message, stalled: true}
}

// allowedAttempts is how many attempts there may be.
func (s *scope) allowedAttempts() int32 { return valueOf(s.job.Spec.BackoffLimit) + 1 }

// anotherFollows reports whether another attempt follows a failed one.
func (s *scope) anotherFollows(f *failure) bool {
	return f.retryable && s.attempt() < s.allowedAttempts() && !s.deadlinePassed()
}

// tidyUp deletes the rejected remote job of an attempt that another one follows: the next attempt's takes its place in the status, after
// which nobody would know of its media and configuration. While the provider does not answer, the attempt has not ended.
func (r *JobReconciler) tidyUp(ctx context.Context, s *scope, p *provider, f *failure) error {
	if !s.anotherFollows(f) || s.job.Spec.RemoteDeletionPolicy == v1alpha1.RemoteDeletionNever || !p.can().CanDelete {
		return nil
	}
	err := r.deleteRemote(ctx, p, s.remoteID())
	var answer *speechmatics.Error
	if errors.As(err, &answer) && !answer.Temporary() && !speechmatics.IsUnauthorized(err) {
		r.metrics.uncleaned.Inc()
		r.log(ctx).Info("A rejected job is left at the provider", "attempt", s.attempt(), "remoteJob", s.remoteID(), "cause", explain(err))
		return nil
	}
	return err
}

// retry is the verdict of a failed attempt that another one follows. When that is, is in the message, and follows from the status:
// the time of the latest failure and how many there were.
func (s *scope) retry(f *failure, attempt, allowed int32) verdict {
	// What the provider said of this attempt is not to be taken for the next one's.
	s.status.RemoteJob = &v1alpha1.RemoteJob{ID: s.remote().ID, BaseURL: s.remote().BaseURL}
	v := verdict{
		reason:  v1alpha1.ReasonRetrying,
		message: fmt.Sprintf("attempt %d of %d failed (%s): %s; %s", attempt, allowed, f.reason, f.message, s.nextAttempt()),
		after:   s.nextAttemptAt().Sub(s.now()),
	}
	if s.suspended() {
		v.after = time.Millisecond // no attempt follows; the next pass says so
	}
	return v
}

// nextAttemptAt is when the attempt after the latest failed one may be submitted. It goes by recorded facts, so that a restart neither
// shortens the wait nor begins it anew.
func (s *scope) nextAttemptAt() time.Time {
	return s.status.LastFailureTime.Add(s.backOffAfter(valueOf(s.status.FailedAttempts)))
}

// nextAttempt says when the next attempt is submitted. A wait would be said as of a time that the reader does not know.
func (s *scope) nextAttempt() string {
	return "the next one follows at " + s.nextAttemptAt().UTC().Format(time.RFC3339)
}

// backOffAfter is how long to wait after a number of failed attempts: it doubles each time.
func (s *scope) backOffAfter(attempts int32) time.Duration {
	wait := s.options.RetryInterval
	longest := max(wait, maxBackOff)
	for range attempts - 1 {
		wait = min(2*wait, longest)
	}
	return wait
}

// backOff pauses a job whose latest attempt failed a short while ago.
func (r *JobReconciler) backOff(s *scope) error {
	attempts := valueOf(s.status.FailedAttempts)
	if attempts == 0 || s.status.LastFailureTime == nil {
		return nil
	}
	wait := s.nextAttemptAt().Sub(s.now())
	if wait <= 0 {
		return nil
	}
	message := fmt.Sprintf("attempt %d failed; %s", attempts, s.nextAttempt())
	if ready := readyCondition(s.job.Status.Conditions); ready != nil && ready.Reason == v1alpha1.ReasonRetrying {
		message = ready.Message
	}
	return &pause{reason: v1alpha1.ReasonRetrying, message: message, after: wait}
}
