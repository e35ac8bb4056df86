// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// scope is one pass over one job: the object, and the status that the pass is going to write.
type scope struct {
	// job is the object as it was last read or written. Writes of the pass bring it up to date.
	job *v1alpha1.TranscriptionJob
	// status is what the controller is going to apply: the object's status with this pass's changes.
	status v1alpha1.TranscriptionJobStatus
	// claim is the object's claim, if it has one that can be read.
	claim *notification.Claim
	// claimErr says why the claim cannot be read.
	claimErr error
	// hadAccount means that the job's account was known when the pass began.
	hadAccount bool
	// gone means that the object was found to be gone, or replaced by a namesake, when it was read again.
	gone bool
	// secrets are what the pass has sent to the provider that nobody is to read, should the provider repeat it.
	secrets []string
	// untold means that it is not known what that is, so that nothing the provider says about the job is told.
	untold bool
	// hand is the pass's share of the workers that may be busy with its provider; nil if it has none.
	hand *hands
	// options are the reconciler's.
	options Options
}

// newScope begins a pass.
func newScope(job *v1alpha1.TranscriptionJob, options Options) *scope {
	s := &scope{options: options, hadAccount: job.Status.AccountRef != nil}
	s.refresh(job)
	s.status = *job.Status.DeepCopy()
	return s
}

// refresh takes over an object that was just read or written. The status to be applied keeps this pass's changes.
func (s *scope) refresh(job *v1alpha1.TranscriptionJob) {
	s.job = job
	s.claim, s.claimErr = nil, nil
	if annotation, ok := job.Annotations[notification.ClaimAnnotation]; ok {
		claim, err := notification.ParseClaim(annotation)
		if err != nil {
			s.claimErr = err
			return
		}
		s.claim = &claim
	}
}

func (s *scope) now() time.Time { return s.options.Clock.Now() }

// age is how long the object has been there.
func (s *scope) age() time.Duration { return s.now().Sub(s.job.CreationTimestamp.Time) }

// attempt is the number of the attempt that the job is in, or that comes next: the one after those that have failed. A
// claim for a later one counts more, because the status may have been wiped, and a claim means that money may have been
// spent.
func (s *scope) attempt() int32 {
	attempt := valueOf(s.status.FailedAttempts) + 1
	if s.claim != nil && s.claim.UID == s.job.UID && s.claim.Attempt > attempt {
		attempt = s.claim.Attempt
	}
	return attempt
}

// target is the current attempt, as the webhook receiver knows it.
func (s *scope) target() notification.Target {
	return notification.Target{Namespace: s.job.Namespace, Name: s.job.Name, UID: s.job.UID, Attempt: s.attempt()}
}

// foreignClaim reports whether the claim belongs to another object, or cannot be read: either way nothing is known about
// what was paid for.
func (s *scope) foreignClaim() error {
	switch {
	case s.claimErr != nil:
		return &hold{reason: v1alpha1.ReasonInvalidClaim, message: fmt.Sprintf(
			"the annotation %s cannot be read (%v), so that it is not known whether the transcription was paid for; if it was not, remove the annotation to submit the job",
			notification.ClaimAnnotation, s.claimErr)}
	case s.claim != nil && s.claim.UID != s.job.UID:
		return &hold{reason: v1alpha1.ReasonClaimedByAnotherObject, message: fmt.Sprintf(
			"the annotation %s belongs to the object with UID %s, from a backup or a copied manifest: the transcription may have been paid for already; remove the annotation to submit the job again",
			notification.ClaimAnnotation, s.claim.UID)}
	default:
		return nil
	}
}

// held reports whether the claim keeps everybody from touching what is at the provider.
func (s *scope) held() bool { return s.foreignClaim() != nil }

// recorded reports whether the current attempt's remote job is recorded.
func (s *scope) recorded() bool {
	return s.remoteID() != "" && valueOf(s.job.Status.Attempt) == s.attempt()
}

// remoteID is the recorded ID, of whichever attempt.
func (s *scope) remoteID() string {
	if s.job.Status.RemoteJob == nil {
		return ""
	}
	return valueOf(s.job.Status.RemoteJob.ID)
}

// announcedID is an ID that is not recorded but known for the current attempt: from the claim, into which a recorded one is
// mirrored, or from a notification that came before the submission's answer.
func (s *scope) announcedID() string {
	if s.claimed() && s.claim.JobID != "" {
		return s.claim.JobID
	}
	if n := s.job.Status.Notification; n != nil && n.Attempt == s.attempt() {
		return n.JobID
	}
	return ""
}

// claimed reports whether the current attempt is claimed.
func (s *scope) claimed() bool { return s.claim != nil && s.claim.Attempt == s.attempt() }

// submissionUnknown reports whether the current attempt may be at the provider without anybody knowing.
func (s *scope) submissionUnknown() bool { return s.claimed() && !s.claim.NotCreated }

// unanswered reports whether the claim's submission may be at the provider without anybody knowing its ID: that of the current attempt, or of
// one that has failed because nobody could find out.
func (s *scope) unanswered() bool {
	return s.claim != nil && !s.claim.NotCreated && s.claim.JobID == "" && s.announcedID() == "" &&
		(s.remoteID() == "" || valueOf(s.job.Status.Attempt) != s.claim.Attempt)
}

// claimLost reports whether the job once had a claim that is gone. The start time is written before the first claim, so
// that a job which has it and no claim was robbed of it: by `kubectl replace`, which erases annotations.
func (s *scope) claimLost() bool {
	return s.claim == nil && s.claimErr == nil && s.job.Status.StartTime != nil
}

// mayBeAtProvider reports whether the current attempt is, or may be, at the provider.
func (s *scope) mayBeAtProvider() bool {
	return s.recorded() || s.announcedID() != "" || s.submissionUnknown() || s.claimLost()
}

// knownAtProvider reports whether the current attempt is at the provider as far as the status tells. Those who use a job cannot write that,
// so that a claim which they spoil frees no place under the limit of running jobs.
func (s *scope) knownAtProvider() bool {
	n := s.job.Status.Notification
	return s.recorded() || (n != nil && n.Attempt == s.attempt())
}

// suspended reports whether the job is held back.
func (s *scope) suspended() bool { return valueOf(s.job.Spec.Suspend) }

// notification is the notification about the recorded remote job, if there is one.
func (s *scope) notification() *v1alpha1.Notification {
	n := s.job.Status.Notification
	if n == nil || n.Attempt != s.attempt() || n.JobID != s.remoteID() {
		return nil
	}
	return n
}

// remote is the part of status.remoteJob that the controller writes.
func (s *scope) remote() *v1alpha1.RemoteJob {
	if s.status.RemoteJob == nil {
		s.status.RemoteJob = &v1alpha1.RemoteJob{}
	}
	return s.status.RemoteJob
}

// isFinished reports whether a job is complete or has failed.
func isFinished(job *v1alpha1.TranscriptionJob) bool { return job.Status.CompletionTime != nil }

// isComplete reports whether a job has finished well.
func isComplete(job *v1alpha1.TranscriptionJob) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == v1alpha1.ConditionComplete {
			return c.Status == metav1.ConditionTrue
		}
	}
	return false
}

// valueOf is what a pointer points to, or the zero value.
func valueOf[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
