// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// cleanUpInterval is how often it is tried to clean up at the provider.
const cleanUpInterval = 15 * time.Second

// unreachableError is the error of a clean-up that cannot succeed any more: the account or its key is gone.
type unreachableError struct{ cause error }

func (e *unreachableError) Error() string { return e.cause.Error() }
func (e *unreachableError) Unwrap() error { return e.cause }

// reconcileDeletion cleans up at the provider, as the policy says, and lets the object go. A finalizer holds nothing hostage: if
// the account or its key is gone, or the whole namespace is going, one bounded try is all there is.
func (r *JobReconciler) reconcileDeletion(ctx context.Context, s *scope) (time.Duration, error) {
	if !controllerutil.ContainsFinalizer(s.job, v1alpha1.RemoteJobFinalizer) {
		r.forget(s.job.UID)
		return 0, nil
	}
	left, wakes := r.rests.left(s.job, s.now())
	if left > 0 {
		return left, nil // the job's own message about the clean-up that failed came back as an event
	}
	uncleaned := false
	after, err := r.cleanUp(ctx, s)
	var busy *busyError
	if errors.As(err, &busy) && !busy.silent {
		return 0, err // nothing was tried
	}
	if err != nil || after > 0 {
		released, releaseErr := r.mustRelease(ctx, s, err)
		if releaseErr != nil {
			return 0, releaseErr
		}
		if !released {
			after, err = r.retryCleanUp(ctx, s, after, err)
			r.rests.begin(s.job, s.now().Add(after), wakes)
			return after, err
		}
		uncleaned = true
		r.reportUncleaned(ctx, s, err)
	}
	r.forget(s.job.UID)
	crashpoint.At(crashpoint.CleanedUp)
	err = r.release(ctx, s)
	if uncleaned && err == nil {
		r.metrics.uncleaned.Inc() // not before: a release that meets a conflict is done again
	}
	return 0, err
}

// retryCleanUp says why an object that is being deleted is still there, and when to try again. What the job was doing before is not true any
// more; how it had finished is.
func (r *JobReconciler) retryCleanUp(ctx context.Context, s *scope, after time.Duration, err error) (time.Duration, error) {
	v := verdict{reason: v1alpha1.ReasonCleanUpDelayed, after: after}
	if err == nil {
		v.message = fmt.Sprintf("the job is being deleted, and it is not known whether attempt %d reached Speechmatics; it goes when it was found there and deleted, or cannot appear any more, by %s",
			s.claim.Attempt, r.settledAt(s.claim).UTC().Format(time.RFC3339))
	} else {
		r.log(ctx).Info("Cannot clean up at the provider yet; trying again", "remoteJob", s.remoteID(), "cause", err.Error())
		v.message = "the job is being deleted, and cannot be cleaned up at Speechmatics yet; that is tried again: " + explain(err)
		v.after = jitter(cleanUpInterval)
	}
	if isFinished(s.job) {
		r.event(s.job, eventWarning, v.reason, "Delete", v.message)
		return v.after, nil
	}
	return v.after, r.applyStatus(ctx, s, v)
}

// release removes the finalizer.
func (r *JobReconciler) release(ctx context.Context, s *scope) error {
	err := r.patchMetadata(ctx, s, func(job *v1alpha1.TranscriptionJob) {
		controllerutil.RemoveFinalizer(job, v1alpha1.RemoteJobFinalizer)
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil && mayHaveArrived(err) && r.isReleased(ctx, s) {
		err = nil
	}
	if err == nil {
		r.traceDeletion(s) //nolint:contextcheck // the span is made afterwards, and is a child of none that a context has
	}
	crashpoint.At(crashpoint.Released)
	return err
}

// isReleased reports whether the API server has let the object go, or is about to.
func (r *JobReconciler) isReleased(ctx context.Context, s *scope) bool {
	live := &v1alpha1.TranscriptionJob{}
	err := r.live.Get(ctx, client.ObjectKeyFromObject(s.job), live)
	return apierrors.IsNotFound(err) || err == nil && (live.UID != s.job.UID || !controllerutil.ContainsFinalizer(live, v1alpha1.RemoteJobFinalizer))
}

// mustRelease reports whether the object is let go although the clean-up did not succeed.
func (r *JobReconciler) mustRelease(ctx context.Context, s *scope, err error) (bool, error) {
	var unreachable *unreachableError
	if errors.As(err, &unreachable) {
		return true, nil
	}
	return r.namespaceTerminating(ctx, s.job.Namespace)
}

func (r *JobReconciler) namespaceTerminating(ctx context.Context, name string) (bool, error) {
	namespace := &corev1.Namespace{}
	if err := r.client.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, fmt.Errorf("cannot read namespace %s: %w", name, err)
	}
	return namespace.DeletionTimestamp != nil, nil
}

// reportUncleaned says that something may be left at the provider. It does so before the object is let go: rather twice than never.
func (r *JobReconciler) reportUncleaned(ctx context.Context, s *scope, err error) {
	if err == nil {
		err = errors.New("its submission's outcome is not known yet")
	}
	left := "job " + s.remoteID()
	if s.remoteID() == "" && s.claim != nil {
		left = fmt.Sprintf("a job with the reference %s", s.claim.Reference())
	}
	r.log(ctx).Info("Releasing a job without cleaning up at the provider", "remoteJob", s.remoteID(), "cause", explain(err))
	r.event(s.job, eventWarning, "RemoteJobLeft", "Delete", leftBehind(left, err))
}

// leftBehind says where something may be left, for how long and why.
func leftBehind(what string, err error) string {
	var undeletable *undeletableError
	if errors.As(err, &undeletable) {
		return fmt.Sprintf("%s may be left: %v", what, undeletable)
	}
	return fmt.Sprintf("%s may be left at Speechmatics until its retention ends: %s", what, explain(err))
}

// cleanUp does at the provider what the policy says. A wait means that it has to be called again.
func (r *JobReconciler) cleanUp(ctx context.Context, s *scope) (time.Duration, error) {
	switch copied := s.claim != nil && s.claim.UID != s.job.UID; {
	case copied:
		// An object that only carries another one's claim owns nothing at the provider.
		return 0, nil
	case s.job.Spec.RemoteDeletionPolicy == v1alpha1.RemoteDeletionNever:
		return 0, r.spareFromSearch(ctx, s)
	}
	uncertain := s.unanswered()
	if uncertain && s.now().Before(s.claim.NotAfter) {
		return s.claim.NotAfter.Sub(s.now()), nil
	}
	ids := s.knownRemoteJobs()
	if len(ids) == 0 && !uncertain && !s.gaveUp() {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.cleanUpTimeout())
	defer cancel()
	p, err := r.providerForCleanUp(ctx, s)
	if err != nil {
		return 0, err
	}
	after, err := r.cleanUpAt(ctx, s, p, ids, uncertain)
	if speechmatics.IsUnauthorized(err) || speechmatics.IsForbidden(err) {
		// The Secret may have a new key already.
		if p, err = r.renewForCleanUp(ctx, s, p); err != nil {
			return 0, err
		}
		after, err = r.cleanUpAt(ctx, s, p, ids, uncertain)
	}
	return after, cleanUpError(err)
}

// noteSpared is spareFromSearch for a job whose policy may just have been changed: its object may go without anybody asking the manager.
func (r *JobReconciler) noteSpared(ctx context.Context, s *scope) error {
	seen := valueOf(s.job.Status.ObservedGeneration) == s.job.Generation
	if seen || s.held() || s.job.Spec.RemoteDeletionPolicy != v1alpha1.RemoteDeletionNever {
		return nil
	}
	return r.spareFromSearch(ctx, s)
}

// spareFromSearch sees to it that a job which is left where it is on purpose is not deleted as an orphan, once its object is gone. One that
// was submitted with this policy says so itself. The policy may have been changed since: then nothing that was submitted
// before now is deleted, since the account has no room to remember single jobs. What does not run any more is no concern of the search's.
func (r *JobReconciler) spareFromSearch(ctx context.Context, s *scope) error {
	if s.nothingSubmitted() || !s.mayRun() {
		return nil
	}
	account, err := r.resolveAccount(ctx, s)
	var p *pause
	if errors.As(err, &p) {
		return nil // no account, no search
	}
	if err != nil {
		return err
	}
	if r.submittedToStay(s, account) || r.outlived(s, account) {
		return nil
	}
	now := metav1.NewTime(s.now())
	err = r.changeOrphanSearch(ctx, account, func(status *v1alpha1.SpeechmaticsAccountStatus) {
		search := valueOf(status.OrphanSearch)
		if search.SparedBefore == nil || search.SparedBefore.Before(&now) {
			search.SparedBefore = &now
		}
		status.OrphanSearch = &search
	})
	if errors.Is(err, errAccountReplaced) {
		return nil
	}
	return err
}

// mayRun reports whether the provider may still work for the job, for all that is known.
func (s *scope) mayRun() bool {
	remote := valueOf(s.job.Status.RemoteJob)
	return !isFinished(s.job) || s.unanswered() || valueOf(remote.State) == v1alpha1.RemoteRunning
}

// outlived reports whether the provider has removed by itself what was submitted under the claim.
func (r *JobReconciler) outlived(s *scope, account v1alpha1.Account) bool {
	retention := backendOf(account.AccountSpec()).Capabilities().Retention + r.options.ProviderClockSkew
	return s.claim != nil && s.now().Sub(s.claim.ClaimedAt) > retention
}

// submittedToStay reports whether the claim says that its job is to stay where it is. A restored claim does not: it is not the one that was
// submitted under.
func (r *JobReconciler) submittedToStay(s *scope, account v1alpha1.Account) bool {
	if s.claim == nil {
		return false
	}
	submitters := []string{r.providers.submitter.id}
	for _, recorded := range valueOf(account.AccountStatus().OrphanSearch).Submitters {
		submitters = append(submitters, recorded.ID)
	}
	from, ok := originOf(submitters, account.GetUID(), s.claim.Reference())
	return ok && from.kept
}

// cleanUpTimeout bounds one try to clean up. It has room for the two searches that may be due, so that they end by themselves and it is
// known what they came to.
func (r *JobReconciler) cleanUpTimeout() time.Duration {
	return 2*r.options.SearchTimeout + 2*time.Minute
}

// cleanUpAt cleans up with one key.
func (r *JobReconciler) cleanUpAt(ctx context.Context, s *scope, p *provider, ids []string, uncertain bool) (time.Duration, error) {
	if err := p.mayDelete(); err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := r.discard(ctx, s, p, id); err != nil {
			return 0, err
		}
	}
	if uncertain {
		if after, err := r.discardUncertain(ctx, s, p); err != nil || after > 0 {
			return after, err
		}
	}
	return r.discardGivenUp(ctx, s, p)
}

// renewForCleanUp reads the account's Secret again after its key was refused. If the key is still the same, nothing more can be
// done.
func (r *JobReconciler) renewForCleanUp(ctx context.Context, s *scope, refused *provider) (*provider, error) {
	account, err := r.accountOf(ctx, s)
	if err != nil {
		return nil, &unreachableError{cause: err}
	}
	renewed, err := r.providers.renew(ctx, account)
	var broken *accountError
	if errors.As(err, &broken) {
		return nil, &unreachableError{cause: err}
	}
	if err != nil {
		return nil, err
	}
	if renewed.keyFingerprint == refused.keyFingerprint {
		return nil, &unreachableError{cause: errors.New("the key is refused")}
	}
	return renewed, nil
}

// knownRemoteJobs are the remote jobs that the object is known to have and that may still be there: the recorded one, one that was
// announced but not recorded, and those that were noted as surplus.
func (s *scope) knownRemoteJobs() []string {
	var ids []string
	if id := s.remoteID(); id != "" && valueOf(s.job.Status.RemoteJob.State) != v1alpha1.RemoteDeleted {
		ids = append(ids, id)
	}
	if id := s.announcedID(); id != "" && id != s.remoteID() {
		ids = append(ids, id)
	}
	for _, id := range s.surplus() {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// providerForCleanUp reaches the provider with whatever key there is, also if the account is not ready.
func (r *JobReconciler) providerForCleanUp(ctx context.Context, s *scope) (*provider, error) {
	account, err := r.accountOf(ctx, s)
	var p *pause
	if errors.As(err, &p) {
		return nil, &unreachableError{cause: err}
	}
	if err != nil {
		return nil, err
	}
	reached, err := r.providers.get(ctx, account)
	var broken *accountError
	if errors.As(err, &broken) {
		return nil, &unreachableError{cause: err}
	}
	if err != nil {
		return nil, err
	}
	return reached, s.takeHand(reached)
}

// cleanUpError tells errors that will not pass from those that may.
func cleanUpError(err error) error {
	if speechmatics.IsUnauthorized(err) || speechmatics.IsForbidden(err) || errors.Is(err, errors.ErrUnsupported) {
		return &unreachableError{cause: err}
	}
	return err
}

// discard deletes a remote job, unless it holds the only copy of a transcript, or is not this object's.
func (r *JobReconciler) discard(ctx context.Context, s *scope, p *provider, id string) error {
	if id == s.remoteID() {
		if err := s.sameAddress(p); err != nil {
			return &unreachableError{cause: err}
		}
	}
	job, err := r.getRemote(ctx, p, id)
	switch {
	case (speechmatics.IsNotFound(err) || speechmatics.IsGone(err)) && !s.provenKey(p) && s.claim != nil:
		return &unreachableError{cause: fmt.Errorf("job %s is not visible to the key of %s, which was replaced since", id, accountName(&p.account))}
	case speechmatics.IsNotFound(err) || speechmatics.IsGone(err):
		return nil
	case err != nil:
		return err
	case !s.ownsAnyAttempt(job):
		r.log(ctx).Info("Left a remote job alone that does not carry this job's reference", "remoteJob", id)
		return nil
	case job.Status == speechmatics.JobDone && s.isOnlyCopy(id):
		r.transcriptKept(ctx, s, id)
		return nil
	default:
		return r.deleteRemote(ctx, p, id)
	}
}

// transcriptKept tells that a remote job is not deleted because it has a transcript that is stored nowhere.
func (r *JobReconciler) transcriptKept(ctx context.Context, s *scope, id string) {
	r.log(ctx).Info("Kept a remote job whose transcript is not stored", "remoteJob", id)
	r.event(s.job, eventWarning, "TranscriptKept", "Delete", fmt.Sprintf(
		"job %s is done and its transcript is not stored, or not in a form that can be read; it is kept at Speechmatics until its retention ends", id))
}

// isOnlyCopy reports whether a remote job that is done has a transcript that is stored nowhere else: the job has not come to its end, its end
// was that the transcript could not be kept or that the remote job was not found, which was wrong, or it has failed by another remote job.
func (s *scope) isOnlyCopy(id string) bool {
	switch {
	case !isFinished(s.job):
		return len(s.lacking()) > 0
	case id != s.remoteID():
		return !isComplete(s.job)
	}
	ready := readyCondition(s.job.Status.Conditions)
	return ready != nil && slices.Contains(uncollected, ready.Reason) && !s.storedWhole()
}

// uncollected are the ends of a job whose transcript may be at the provider all the same.
var uncollected = []string{v1alpha1.ReasonTranscriptUnreadable, v1alpha1.ReasonTranscriptNotStored, v1alpha1.ReasonRemoteJobLost}

// discardUncertain looks for a job whose submission's answer is not known, and deletes it. It looks until the job cannot appear any
// more.
func (r *JobReconciler) discardUncertain(ctx context.Context, s *scope, p *provider) (time.Duration, error) {
	began := s.now()
	found, err := r.findClaimed(ctx, s, p)
	if err != nil {
		return 0, err
	}
	for _, job := range found.Jobs {
		if err := r.discard(ctx, s, p, job.ID); err != nil {
			return 0, err
		}
	}
	if len(found.Jobs) > 0 {
		return 0, nil
	}
	if doubt := r.doubt(s, p, found); doubt != "" {
		return 0, &unreachableError{cause: fmt.Errorf("it cannot be found out whether attempt %d reached Speechmatics, because %s", s.claim.Attempt, doubt)}
	}
	if settled := r.settledAt(s.claim); began.Before(settled) {
		return settled.Sub(began), nil
	}
	return 0, nil
}

// discardGivenUp looks once for submissions that were given up, and deletes what has arrived of them. With the object the knowledge goes that
// something is to be looked for; but it is held by nothing that may never come. It waits until nothing can appear under the
// latest claim any more: its job may be one more, if another submission was recorded meanwhile (test/model, SEARCH_EARLY).
func (r *JobReconciler) discardGivenUp(ctx context.Context, s *scope, p *provider) (time.Duration, error) {
	if !s.gaveUp() {
		return 0, nil
	}
	if left := r.mayStillArrive(s.claim).Sub(s.now()); left > 0 {
		return left, nil
	}
	return 0, r.searchGivenUp(ctx, s, p)
}

// searchGivenUp is the one look of discardGivenUp.
func (r *JobReconciler) searchGivenUp(ctx context.Context, s *scope, p *provider) error {
	found, err := r.findOwned(ctx, s, p)
	switch {
	case isBusy(err), speechmatics.IsUnauthorized(err), speechmatics.IsForbidden(err):
		return err // it was not looked
	case err != nil:
		r.givenUpLeft(ctx, s, explain(err))
		return nil
	}
	for _, job := range found.Jobs {
		if job.ID == s.remoteID() || isGone(job) {
			continue
		}
		if err := r.discard(ctx, s, p, job.ID); err != nil {
			return err
		}
	}
	if found.Incomplete {
		r.givenUpLeft(ctx, s, errSearchIncomplete.Error())
	}
	return nil
}

// givenUpLeft counts and tells that it is not known whether a submission that was given up has left something.
func (r *JobReconciler) givenUpLeft(ctx context.Context, s *scope, cause string) {
	reference := string(s.job.UID)
	r.metrics.uncleaned.Inc()
	r.log(ctx).Info("Released a job without finding out whether a submission that was given up has arrived", "reference", reference, "cause", cause)
	r.event(s.job, eventWarning, "RemoteJobLeft", "Delete", fmt.Sprintf(
		"a job whose reference begins with %s may be left at Speechmatics until its retention ends: a submission was given up, and could not be looked for: %s", reference, cause))
}

// errNotOwn means that a remote job is not the object's, whatever the object's claim says.
var errNotOwn = errors.New("it does not carry this job's reference")

// getOwn asks for a job that is to be deleted, and whose ID only a note in the object tells. Whoever may edit the object can note what he
// likes there, and with an account that several namespaces share it would be another one's job: so the job itself has to say whose it is.
func (r *JobReconciler) getOwn(ctx context.Context, s *scope, p *provider, id string) (*speechmatics.Job, error) {
	if p.client == nil {
		return nil, fmt.Errorf("cannot delete job %s: its account cannot be reached", id)
	}
	if err := p.mayDelete(); err != nil {
		return nil, err
	}
	job, err := r.getRemote(ctx, p, id)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot find out whose job %s is: %w", id, err)
	case !isGone(job) && !s.ownsAnyAttempt(job):
		return nil, errNotOwn
	}
	return job, nil
}

// deleteOwn is deleteRemote for a job that has to say itself whose it is.
func (r *JobReconciler) deleteOwn(ctx context.Context, s *scope, p *provider, id string) error {
	job, err := r.getOwn(ctx, s, p, id)
	switch {
	case speechmatics.IsNotFound(err) || speechmatics.IsGone(err):
		return nil
	case err != nil:
		return err
	case isGone(job):
		return nil
	}
	return r.deleteRemote(ctx, p, id)
}

// deleteRemote deletes a job at the provider, running or not. One that is gone already counts as deleted.
func (r *JobReconciler) deleteRemote(ctx context.Context, p *provider, id string) error {
	if err := p.mayDelete(); err != nil {
		return err
	}
	if err := p.limits.request(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := p.client.DeleteJob(ctx, id, speechmatics.DeleteOptions{Force: true})
	r.metrics.observeRequest(operationDelete, err)
	if err != nil {
		return fmt.Errorf("cannot delete job %s: %w", id, err)
	}
	crashpoint.At(crashpoint.RemoteDeleted)
	r.log(ctx).Info("Deleted the remote job", "remoteJob", id)
	return nil
}
