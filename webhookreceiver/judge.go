// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// standing is what a live job says about one of its attempts.
type standing struct {
	// counts says whether notifications about the attempt count. If not, why says so in a result.
	counts bool
	why    result
	// recordedID is the provider's ID that is recorded for the attempt; empty if none is yet.
	recordedID string
}

// judge says whether a notification about an attempt, for the provider's job with the ID, counts for the job as it is now.
//
// An attempt is the current one if the claim or the record says so, whichever is later: the claim runs ahead of the record while a
// submission is under way, and the record ahead of the claim after `kubectl replace` with the original manifest, which erases
// annotations. Earlier attempts do not count.
//
// An attempt that is one ahead of everything that the job knows counts as well: its token can be had only for an attempt that the
// manager has claimed and submitted, so it is the job that has forgotten. Anything further ahead is not this job's.
func judge(job *v1alpha1.TranscriptionJob, attempt int32, jobID string) standing {
	claim := ownClaim(job)
	recorded, failed := ptr.Deref(job.Status.Attempt, 0), ptr.Deref(job.Status.FailedAttempts, 0)
	current := max(claim.Attempt, recorded)
	if attempt < current || attempt > max(current, failed)+1 {
		return standing{why: resultOtherAttempt}
	}
	s := standing{counts: true}
	if claim.Attempt == attempt {
		s.recordedID = claim.JobID
	}
	if recorded == attempt && job.Status.RemoteJob != nil && job.Status.RemoteJob.ID != nil {
		s.recordedID = *job.Status.RemoteJob.ID
	}
	if s.recordedID != "" && s.recordedID != jobID {
		s.counts, s.why = false, resultOtherJob
	}
	return s
}

// ownClaim is the job's claim. One that cannot be read, or that was copied from another object, is as good as none: the token has proven
// already that the notification is about this job.
func ownClaim(job *v1alpha1.TranscriptionJob) notification.Claim {
	annotation, ok := job.Annotations[notification.ClaimAnnotation]
	if !ok {
		return notification.Claim{}
	}
	claim, err := notification.ParseClaim(annotation)
	if err != nil || claim.UID != job.UID {
		return notification.Claim{}
	}
	return claim
}
