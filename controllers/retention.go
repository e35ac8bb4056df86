// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// incompleteSweepInterval is how long a search for what was given up rests after there were too many jobs to look at: it takes all the requests
// that the limits allow for minutes, and there will be as many soon again.
const incompleteSweepInterval = time.Hour

// reconcileFinished does what is left to do for a job that has finished: nothing at the provider, ever again, but for the
// deletion that the policy AfterStored asks for.
func (r *JobReconciler) reconcileFinished(ctx context.Context, s *scope) (time.Duration, error) {
	r.forget(s.job.UID)
	after, err := r.sweep(ctx, s)
	if err != nil {
		return 0, err
	}
	if s.owesDeletion() {
		if err := r.protect(ctx, s); err != nil {
			return 0, err
		}
		later, err := r.deleteAfterStored(ctx, s)
		if err != nil {
			return 0, err
		}
		after = soonest(after, later)
	}
	if err := r.acknowledgeGeneration(ctx, s); err != nil {
		return 0, err
	}
	if s.sweepOwed() {
		// With the object, the knowledge would go that something is to be looked for.
		return after, nil
	}
	expiry, err := r.deleteExpired(ctx, s)
	return soonest(after, expiry), err
}

// sweep looks once more for a submission that was given up: if it appeared in the list after all, it is a surplus. It waits until
// nothing can be submitted under the latest claim any more, by whatever manager: that would be a surplus, too (test/model, SWEEP_EARLY).
func (r *JobReconciler) sweep(ctx context.Context, s *scope) (time.Duration, error) {
	if !s.sweepOwed() {
		return 0, nil
	}
	if left := r.mayStillArrive(s.claim).Sub(s.now()); left > 0 {
		return left, nil
	}
	p, err := r.providerOf(ctx, s)
	if err == nil {
		err = r.deleteLateComers(ctx, s, p)
	}
	switch {
	case err == nil:
	case isBusy(err):
		return 0, err
	case isInVain(err), r.retentionOver(s, p):
		r.log(ctx).Info("A submission that was given up is not looked for any more", "cause", err.Error())
		for _, id := range s.surplus() {
			r.surplusLeft(ctx, s, id, err)
		}
	case errors.Is(err, errSearchIncomplete):
		r.log(ctx).Info("A submission that was given up was not looked for to the end; trying again", "cause", err.Error())
		return jitter(incompleteSweepInterval), nil
	default:
		r.log(ctx).Info("Cannot look for a submission that was given up yet; trying again", "cause", err.Error())
		return jitter(r.options.SecretInterval), nil
	}
	if !s.sweepOwed() {
		return 0, nil
	}
	claim := *s.claim
	claim.GivenUp, claim.GivenUpSince, claim.Surplus = false, time.Time{}, nil
	return 0, r.writeClaim(ctx, s, claim)
}

// isInVain reports whether a sweep that failed need not be tried again, which would keep the object from its expiry for nothing: nobody
// can be asked any more, or nothing could be done about what is found.
func isInVain(err error) bool {
	var p *pause
	return errors.Is(err, errors.ErrUnsupported) || (errors.As(err, &p) && p.accountGone())
}

// retentionOver reports whether the provider has deleted by itself whatever has arrived: the last claim's submission, too. The provider is
// nil if it cannot be reached; then the longest retention counts.
func (r *JobReconciler) retentionOver(s *scope, p *provider) bool {
	return s.now().After(r.settledAt(s.claim).Add(retentionAt(p) + r.options.ProviderClockSkew))
}

// retentionAt is how long a provider keeps jobs; the longest there is if it cannot be reached.
func retentionAt(p *provider) time.Duration {
	if p == nil {
		return speechmatics.SaaS.Capabilities().Retention
	}
	return p.can().Retention
}

// sweepOwed reports whether there may be remote jobs besides the recorded one.
func (s *scope) sweepOwed() bool {
	return s.claim != nil && !s.held() && (s.claim.GivenUp || len(s.claim.Surplus) > 0)
}

// gaveUp reports whether a submission was given up that may have arrived all the same.
func (s *scope) gaveUp() bool { return s.claim != nil && s.claim.GivenUp }

// mayStillArrive is until when a submission under the claim may appear at the provider.
func (r *JobReconciler) mayStillArrive(claim *notification.Claim) time.Time {
	if claim.NotCreated {
		return time.Time{}
	}
	return r.settledAt(claim)
}

// errSearchIncomplete means that there are jobs which a search did not look at.
var errSearchIncomplete = errors.New("there are more jobs of that time than could be looked at")

// deleteLateComers deletes the remote jobs that the object has besides the recorded one: those that are known, and those that can be found.
// Of a job that has failed, one that is done stays: it has the only transcript.
func (r *JobReconciler) deleteLateComers(ctx context.Context, s *scope, p *provider) error {
	if err := r.deleteNoted(ctx, s, p); err != nil {
		return err
	}
	if !s.gaveUp() {
		return nil
	}
	found, err := r.findOwned(ctx, s, p)
	if err != nil {
		return errors.Join(err, p.mayDelete())
	}
	for _, job := range found.Jobs {
		if job.ID == s.remoteID() || isGone(job) {
			continue
		}
		if _, err := r.deleteSurplus(ctx, s, p, job.ID); err != nil {
			return err
		}
	}
	if found.Incomplete {
		return errors.Join(errSearchIncomplete, p.mayDelete())
	}
	return nil
}

// owesDeletion reports whether a finished job's remote job is still to be deleted, now or with the object.
func (s *scope) owesDeletion() bool {
	return s.remoteID() != "" && !s.held() &&
		s.job.Spec.RemoteDeletionPolicy != v1alpha1.RemoteDeletionNever &&
		valueOf(s.job.Status.RemoteJob.State) != v1alpha1.RemoteDeleted
}

// deleteAfterStored deletes the remote job of a complete one, if the policy says so. The transcripts are durable by then; what nobody could
// read of them stays at the provider.
func (r *JobReconciler) deleteAfterStored(ctx context.Context, s *scope) (time.Duration, error) {
	if s.job.Spec.RemoteDeletionPolicy != v1alpha1.RemoteDeletionAfterStored || !isComplete(s.job) || s.toldLeft() {
		return 0, nil
	}
	if doubt := s.documentDoubt(); doubt != "" {
		return 0, r.tellLeft(ctx, s, errors.New(doubt))
	}
	p, err := r.providerOf(ctx, s)
	if err == nil {
		err = p.mayDelete()
	}
	if err == nil {
		err = r.discard(ctx, s, p, s.remoteID())
	}
	if isBusy(err) {
		return 0, err
	}
	if err != nil && (isInVain(err) || r.remoteExpired(s, p)) {
		return 0, r.tellLeft(ctx, s, err)
	}
	if err != nil {
		r.log(ctx).Info("Cannot delete the remote job of a complete one yet; trying again", "remoteJob", s.remoteID(), "cause", err.Error())
		return jitter(r.options.SecretInterval), nil
	}
	r.event(s.job, eventNormal, "RemoteJobDeleted", "Delete", fmt.Sprintf("job %s was deleted at Speechmatics; its transcripts are stored", s.remoteID()))
	s.remote().State = ptr.To(v1alpha1.RemoteDeleted)
	return 0, r.writeStatus(ctx, s)
}

// remoteExpired reports whether the provider has removed the remote job of a finished one by itself, so that nobody need try any more. The
// provider is nil if it cannot be reached; then the longest retention counts.
func (r *JobReconciler) remoteExpired(s *scope, p *provider) bool {
	return s.now().After(s.job.Status.CompletionTime.Add(retentionAt(p) + r.options.ProviderClockSkew))
}

// leftNote begins what the conditions of a complete job say of a remote job that is not deleted.
func (s *scope) leftNote() string { return fmt.Sprintf("job %s is not deleted: ", s.remoteID()) }

// toldLeft reports whether the conditions say that the remote job is not deleted: that was given up then, and is not tried again
// whenever something happens to the object.
func (s *scope) toldLeft() bool {
	ready := readyCondition(s.job.Status.Conditions)
	return ready != nil && strings.Contains(ready.Message, s.leftNote())
}

// tellLeft says in the conditions of a complete job that its remote job is not deleted though the policy asks for it.
func (r *JobReconciler) tellLeft(ctx context.Context, s *scope, cause error) error {
	note := s.leftNote() + explain(cause)
	ready := readyCondition(s.status.Conditions)
	if ready == nil {
		return nil
	}
	message := ready.Message
	for i := range s.status.Conditions {
		if c := &s.status.Conditions[i]; c.Message == message {
			c.Message = clip(message, maxMessageLength-len(note)-2) + "; " + note
		}
	}
	if err := r.writeStatus(ctx, s); err != nil {
		return err
	}
	r.metrics.uncleaned.Inc()
	r.event(s.job, eventWarning, "RemoteJobLeft", "Delete", note)
	return nil
}

// acknowledgeGeneration notes that a change of the spec (a new TTL) was seen, so that tools do not wait for it.
func (r *JobReconciler) acknowledgeGeneration(ctx context.Context, s *scope) error {
	if valueOf(s.status.ObservedGeneration) == s.job.Generation {
		return nil
	}
	s.status.ObservedGeneration = ptr.To(s.job.Generation)
	for i := range s.status.Conditions {
		s.status.Conditions[i].ObservedGeneration = s.job.Generation
	}
	return r.writeStatus(ctx, s)
}

// deleteExpired deletes a job whose time to live is over, or says when it will be.
func (r *JobReconciler) deleteExpired(ctx context.Context, s *scope) (time.Duration, error) {
	ttl := s.job.Spec.TTLSecondsAfterFinished
	if ttl == nil {
		return 0, nil
	}
	if left := s.job.Status.CompletionTime.Add(time.Duration(*ttl) * time.Second).Sub(s.now()); left > 0 {
		return left, nil
	}
	// The preconditions let a namesake live, and a job whose TTL was just raised.
	err := r.client.Delete(ctx, s.job, client.Preconditions{UID: &s.job.UID, ResourceVersion: &s.job.ResourceVersion})
	if apierrors.IsNotFound(err) {
		return 0, nil
	}
	if err == nil {
		r.log(ctx).Info("Deleted a finished job after its time to live")
	}
	return 0, err
}

// soonest is the shorter one of two waits, of which zero means none.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
