// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/notification"
)

// claimAttempt writes the claim of the current attempt, together with the finalizer, in one write that fails if anybody
// else has written the object since it was read. So of two managers, or of one with a stale cache, only one gets to
// submit.
func (r *JobReconciler) claimAttempt(ctx context.Context, s *scope, p *provider) error {
	now := s.now()
	claim := notification.Claim{
		UID:            s.job.UID,
		Attempt:        s.attempt(),
		ClaimedAt:      now,
		NotAfter:       s.sendUntil(),
		AccountUID:     p.account.UID,
		BaseURL:        p.baseURL,
		KeyFingerprint: p.keyFingerprint,
	}
	claim.Nonce = r.providers.submitter.nonce(p.account.UID, claim, s.job.Spec.RemoteDeletionPolicy == v1alpha1.RemoteDeletionNever)
	if s.claim != nil && s.claim.UID == s.job.UID {
		// What is to be deleted or looked for besides the recorded job is not settled by another attempt. The job that is recorded
		// still is an earlier attempt's, and one of those if it was noted.
		claim.GivenUp, claim.GivenUpSince, claim.Surplus = s.claim.GivenUp, s.claim.GivenUpSince, s.claim.Surplus
	}
	return r.writeClaim(ctx, s, claim)
}

// restoreClaim writes a claim in the place of a lost one, from what the status remembers of it. Nothing is submitted under it:
// like every claim without an ID it makes the controller look for the job first. It says that the lost claim was made when the
// job was taken up, and that its submission may still be on its way.
func (r *JobReconciler) restoreClaim(ctx context.Context, s *scope) (verdict, error) {
	claim, err := s.rememberedClaim()
	if err != nil {
		return verdict{}, err
	}
	claim.NotAfter = s.now().Add(r.options.SubmissionWindow)
	if err := r.writeClaim(ctx, s, claim); err != nil {
		return verdict{}, err
	}
	crashpoint.At(crashpoint.ClaimRestored)
	r.log(ctx).Info("Restored a lost claim; looking for the job at the provider", "attempt", s.attempt())
	return s.unknownSubmission(nil), nil
}

// rememberedClaim is the current attempt's claim, as far as the status remembers it.
func (s *scope) rememberedClaim() (notification.Claim, error) {
	ref, start := s.job.Status.AccountRef, s.job.Status.StartTime
	if ref == nil || start == nil {
		return notification.Claim{}, &hold{reason: v1alpha1.ReasonInvalidClaim, message: fmt.Sprintf(
			"the annotation %s and parts of the status were removed, so that it is not known whether the transcription was paid for; delete the job and, if it was not, create it anew",
			notification.ClaimAnnotation)}
	}
	fingerprint := valueOf(ref.KeyFingerprint)
	if fingerprint == "" {
		fingerprint = unknownFingerprint
	}
	return notification.Claim{
		UID:            s.job.UID,
		Attempt:        s.attempt(),
		Nonce:          notification.NewNonce(),
		ClaimedAt:      start.Time,
		NotAfter:       start.Add(s.options.SubmissionWindow),
		AccountUID:     ref.UID,
		BaseURL:        valueOf(ref.BaseURL),
		KeyFingerprint: fingerprint,
	}, nil
}

// settleClaim notes in the claim that its submission created nothing, so that nobody has to look for it.
func (r *JobReconciler) settleClaim(ctx context.Context, s *scope) error {
	claim := *s.claim
	claim.NotCreated = true
	return r.writeClaim(ctx, s, claim)
}

// giveUpClaim is settleClaim for a submission that was not found: as far as anybody can know, it created nothing.
func (r *JobReconciler) giveUpClaim(ctx context.Context, s *scope) error {
	claim := s.claim.AsGivenUp()
	claim.NotCreated = true
	return r.writeClaim(ctx, s, claim)
}

// protect puts back what keeps a recorded job from being submitted again or forgotten: the finalizer, and the claim with
// the recorded ID mirrored into it. It costs a write only if something is missing, as after `kubectl replace` of the
// original manifest.
func (r *JobReconciler) protect(ctx context.Context, s *scope) error {
	finalized := controllerutil.ContainsFinalizer(s.job, v1alpha1.RemoteJobFinalizer)
	if finalized && s.claim != nil {
		return nil
	}
	if s.claim != nil {
		claim := *s.claim
		claim.JobID = s.remoteID()
		return r.writeClaim(ctx, s, claim)
	}
	claim, err := s.rememberedClaim()
	if err != nil {
		// Claim and status were wiped both; what the record says is enough to follow the job.
		if finalized {
			return nil
		}
		return r.writeFinalizer(ctx, s)
	}
	claim.JobID, claim.BaseURL = s.remoteID(), valueOf(s.job.Status.RemoteJob.BaseURL)
	return r.writeClaim(ctx, s, claim)
}

// unknownFingerprint stands in a restored claim for that of a key which is not known any more. The key that sees the job takes
// its place.
const unknownFingerprint = "unknown"

// writeClaim writes a claim and the finalizer with a resourceVersion precondition, and brings the scope up to date.
func (r *JobReconciler) writeClaim(ctx context.Context, s *scope, claim notification.Claim) error {
	annotation, err := claim.Annotation()
	if err != nil {
		return fmt.Errorf("cannot claim TranscriptionJob %s/%s: %w", s.job.Namespace, s.job.Name, err)
	}
	return r.patchMetadata(ctx, s, func(job *v1alpha1.TranscriptionJob) {
		if job.Annotations == nil {
			job.Annotations = map[string]string{}
		}
		job.Annotations[notification.ClaimAnnotation] = annotation
		controllerutil.AddFinalizer(job, v1alpha1.RemoteJobFinalizer)
	})
}

func (r *JobReconciler) writeFinalizer(ctx context.Context, s *scope) error {
	return r.patchMetadata(ctx, s, func(job *v1alpha1.TranscriptionJob) {
		controllerutil.AddFinalizer(job, v1alpha1.RemoteJobFinalizer)
	})
}

// patchMetadata changes metadata under the precondition that nobody else has written the object since it was read.
func (r *JobReconciler) patchMetadata(ctx context.Context, s *scope, change func(*v1alpha1.TranscriptionJob)) error {
	patched := s.job.DeepCopy()
	change(patched)
	patch := client.MergeFromWithOptions(s.job, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, patched, patch, client.FieldOwner(v1alpha1.FieldManagerController)); err != nil {
		return err
	}
	s.refresh(patched)
	r.tracker.wrote(patched)
	return nil
}
