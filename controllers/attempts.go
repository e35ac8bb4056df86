// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// maxBackOff is the longest wait between two attempts; batch/v1 has the same.
const maxBackOff = 6 * time.Minute

// failAttempt counts a failed attempt, and decides whether another one follows.
func (s *scope) failAttempt(f *failure) verdict {
	attempt := s.attempt()
	if s.claimed() || s.recorded() {
		s.status.FailedAttempts = &attempt
		s.status.LastFailureTime = ptr.To(metav1.NewTime(s.now()))
	}
	allowed := valueOf(s.job.Spec.BackoffLimit) + 1
	if f.retryable && attempt < allowed && !s.deadlinePassed() {
		wait := s.backOffAfter(attempt)
		// What the provider said of this attempt is not to be taken for the next one's.
		s.status.RemoteJob = &v1alpha1.RemoteJob{ID: s.remote().ID, BaseURL: s.remote().BaseURL}
		return verdict{
			reason:  v1alpha1.ReasonRetrying,
			message: fmt.Sprintf("attempt %d of %d failed (%s): %s; the next one follows in %s", attempt, allowed, f.reason, f.message, wait),
			after:   wait,
		}
	}
	message := f.message
	if f.retryable && allowed > 1 {
		message = fmt.Sprintf("%s (attempt %d of %d)", message, attempt, allowed)
	}
	return verdict{ending: failed, reason: f.reason, message: message, stalled: true}
}

// backOffAfter is how long to wait after a number of failed attempts: it doubles each time.
func (s *scope) backOffAfter(attempts int32) time.Duration {
	wait := s.options.RetryInterval
	for range attempts - 1 {
		wait = min(2*wait, maxBackOff)
	}
	return wait
}

// backOff pauses a job whose latest attempt failed a short while ago. It goes by recorded facts, so that a restart does not
// shorten the wait.
func (r *JobReconciler) backOff(s *scope) error {
	attempts := valueOf(s.status.FailedAttempts)
	if attempts == 0 || s.status.LastFailureTime == nil {
		return nil
	}
	wait := s.status.LastFailureTime.Add(s.backOffAfter(attempts)).Sub(s.now())
	if wait <= 0 {
		return nil
	}
	message := fmt.Sprintf("attempt %d failed; the next one follows", attempts)
	if ready := readyCondition(s.job.Status.Conditions); ready != nil && ready.Reason == v1alpha1.ReasonRetrying {
		message = ready.Message
	}
	return &pause{reason: v1alpha1.ReasonRetrying, message: message, after: wait}
}
