// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	applyv1alpha1 "github.com/transcription-operator/transcription-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const (
	// firstOrphanSearch is which part of the interval passes before a manager's first search, in which it has better things to do. The
	// accounts' first searches are spread over twice as long.
	firstOrphanSearch = 12
	// maxOrphanDeletions bounds what one search deletes, so that somebody may step in.
	maxOrphanDeletions = 100
	// maxOrphanIDs is how many orphans are named in the status and in events.
	maxOrphanIDs = 10
)

// OrphanReconciler searches the jobs of the accounts of one kind for orphans, now and then, tells about them, and deletes those
// that spec.orphanPolicy lets it.
type OrphanReconciler struct {
	// jobs has what reaches the API server and the provider.
	jobs      *JobReconciler
	recorder  events.EventRecorder
	kind      v1alpha1.AccountKind
	newObject func() v1alpha1.Account
	tracker   *tracker

	mu     sync.Mutex
	states map[types.UID]*orphanState
}

// orphanState is what is remembered of the searches for one account. After a restart it begins anew, so that everything takes longer.
type orphanState struct {
	// due is when to search next.
	due time.Time
	// missing is when the object of each orphan was first seen to be gone, by the remote job's ID.
	missing map[string]time.Time
}

func newOrphanReconciler(jobs *JobReconciler, recorder events.EventRecorder, kind v1alpha1.AccountKind, newObject func() v1alpha1.Account) *OrphanReconciler {
	return &OrphanReconciler{
		jobs: jobs, recorder: recorder, kind: kind, newObject: newObject,
		tracker: newTracker(jobs.options.Clock), states: map[types.UID]*orphanState{},
	}
}

// Reconcile keeps the account's list of submitters up to date, and searches if it is time.
func (r *OrphanReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	account := r.newObject()
	if err := r.jobs.client.Get(ctx, req.NamespacedName, account); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(r.tracker.miss(req.NamespacedName))
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, err
	}
	gone, _ := r.tracker.meet(account)
	r.forget(gone)
	if !backendOf(account.AccountSpec()).Capabilities().ListHasConfig || account.GetDeletionTimestamp() != nil {
		r.forget(account.GetUID())
		return reconcile.Result{}, nil
	}
	if err := r.recordSubmitter(ctx, account); err != nil {
		return reconcile.Result{}, err
	}
	state := r.stateOf(account.GetUID())
	if !r.now().Before(state.due) {
		r.search(ctx, account, state)
	}
	return reconcile.Result{RequeueAfter: max(min(state.due.Sub(r.now()), jitter(r.jobs.options.SecretInterval)), staleDelay), Priority: &requeuePriority}, nil
}

func (r *OrphanReconciler) now() time.Time { return r.jobs.options.Clock.Now() }

// stateOf is what is remembered of an account. Only the worker that has the account in hand uses it.
func (r *OrphanReconciler) stateOf(account types.UID) *orphanState {
	r.mu.Lock()
	defer r.mu.Unlock()
	state, ok := r.states[account]
	if !ok {
		first := r.jobs.options.OrphanInterval / firstOrphanSearch
		state = &orphanState{due: r.now().Add(first + rand.N(2*first+1))} //nolint:gosec // No secret depends on it.
		r.states[account] = state
	}
	return state
}

// forget drops what is kept of an account that is gone, or has nothing to be searched.
func (r *OrphanReconciler) forget(account types.UID) {
	r.mu.Lock()
	delete(r.states, account)
	r.mu.Unlock()
	r.jobs.providers.submitter.forget(account)
	r.jobs.metrics.orphans.forget(account)
}

// recordSubmitter writes this run of the manager into an account that it has submitted with since it last did.
func (r *OrphanReconciler) recordSubmitter(ctx context.Context, account v1alpha1.Account) error {
	submitter := r.jobs.providers.submitter
	if !submitter.owes(account.GetUID(), valueOf(account.AccountStatus().OrphanSearch).Submitters) {
		return nil
	}
	// What is proven by it must not be older than what the API server has: the time is taken before.
	now := r.now()
	retention := backendOf(account.AccountSpec()).Capabilities().Retention + r.jobs.options.ProviderClockSkew
	return r.jobs.changeOrphanSearch(ctx, account, func(status *v1alpha1.SpeechmaticsAccountStatus) {
		search := valueOf(status.OrphanSearch)
		search.Submitters = submitter.record(search.Submitters, now, retention)
		status.OrphanSearch = &search
	})
}

// search searches once, and says when to search next.
func (r *OrphanReconciler) search(ctx context.Context, account v1alpha1.Account, state *orphanState) {
	state.due = r.now().Add(jitter(r.jobs.options.OrphanInterval))
	p, err := r.jobs.readyProvider(ctx, account)
	if err != nil {
		return // the account's own condition says why
	}
	if !p.limits.beginOrphanSearch() {
		state.due = r.now().Add(jitter(r.jobs.orphanSettleTime()))
		return // it is the turn of another account with the same key
	}
	defer p.limits.endOrphanSearch()
	found, err := r.searchOrphans(ctx, account, p)
	if err != nil {
		r.log(ctx).Info("Cannot search for orphaned jobs; trying again with the next search", "cause", err.Error())
		return
	}
	if found.incomplete {
		r.log(ctx).Info("There are more jobs than a search for orphans looks at")
	}
	confirmed := state.confirm(found.orphans, r.now(), r.jobs.orphanSettleTime())
	if len(confirmed) < len(found.orphans) {
		state.due = r.now().Add(jitter(2 * r.jobs.orphanSettleTime()))
	}
	deleted := r.deleteOrphans(ctx, account, p, confirmed)
	left := slices.DeleteFunc(confirmed, func(o orphan) bool { return slices.Contains(deleted, o.id) })
	if err := r.report(ctx, account, left, deleted, found.unproven); err != nil {
		r.log(ctx).Info("Cannot tell about orphaned jobs; trying again with the next search", "cause", err.Error())
	}
}

// orphanSettleTime is how long an object must be gone before its job is an orphan: no submission that was under way when it was first
// missed is any more.
func (r *JobReconciler) orphanSettleTime() time.Duration {
	return r.options.SubmissionWindow + r.options.ListLag + r.options.ClockSkew
}

// confirm returns the orphans that were seen some time ago already, and remembers the others.
func (s *orphanState) confirm(found []orphan, now time.Time, settle time.Duration) []orphan {
	missing := make(map[string]time.Time, len(found))
	var confirmed []orphan
	for _, o := range found {
		first, ok := s.missing[o.id]
		if !ok {
			first = now
		}
		missing[o.id] = first
		if now.Sub(first) > settle {
			confirmed = append(confirmed, o)
		}
	}
	s.missing = missing
	return confirmed
}

// deleteOrphans deletes the orphans that the account's policy lets it, and returns their IDs.
func (r *OrphanReconciler) deleteOrphans(ctx context.Context, account v1alpha1.Account, p *provider, orphans []orphan) []string {
	if account.AccountSpec().OrphanPolicy != v1alpha1.OrphanDelete {
		return nil
	}
	deadline := r.now().Add(r.jobs.options.SearchTimeout)
	var deleted []string
	for _, o := range orphans {
		if !o.running || !r.mayDelete(ctx, account, o) {
			continue
		}
		if len(deleted) == maxOrphanDeletions || r.now().After(deadline) {
			r.log(ctx).Info("There are more orphaned jobs to delete; they are, after the next search")
			break
		}
		done, err := r.deleteOrphan(ctx, p, o)
		if err != nil {
			err = r.jobs.unavailable(ctx, p, err)
			r.log(ctx).Info("Cannot delete an orphaned job; trying again after the next search", "remoteJob", o.id, "cause", err.Error())
			break
		}
		if done {
			deleted = append(deleted, o.id)
		}
	}
	return deleted
}

// mayDelete reports whether the account's policy lets an orphan be deleted. It is read live each time: it may have been changed by somebody
// who sees what happens.
func (r *OrphanReconciler) mayDelete(ctx context.Context, account v1alpha1.Account, o orphan) bool {
	live, err := r.jobs.liveAccount(ctx, account)
	return err == nil && live.AccountSpec().OrphanPolicy == v1alpha1.OrphanDelete && !o.origin.isSpared(valueOf(live.AccountStatus().OrphanSearch).SparedBefore)
}

// deleteOrphan deletes an orphan if it still is what the list said it was: its transcript may be there meanwhile.
func (r *OrphanReconciler) deleteOrphan(ctx context.Context, p *provider, o orphan) (bool, error) {
	if err := p.limits.orphanTurn(ctx); err != nil {
		return false, err
	}
	job, err := r.jobs.getRemote(ctx, p, o.id)
	if speechmatics.IsNotFound(err) || speechmatics.IsGone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if reference, ok := referenceOf(job); !ok || reference != o.reference || job.Status != speechmatics.JobRunning {
		return false, nil
	}
	if err := p.limits.orphanTurn(ctx); err != nil {
		return false, err
	}
	if err := r.jobs.deleteRemote(ctx, p, o.id); err != nil {
		return false, err
	}
	r.jobs.metrics.orphansDeleted.Inc()
	r.log(ctx).Info("Deleted an orphaned job", "remoteJob", o.id, "reference", o.reference.String())
	return true, nil
}

// report says in the account's status what a search has found and, by an event, what is new about it.
func (r *OrphanReconciler) report(ctx context.Context, account v1alpha1.Account, left []orphan, deleted []string, unproven int) error {
	count := int32(len(left)) //nolint:gosec // maxOrphanPages bounds it.
	ids := make([]string, 0, len(left))
	for _, o := range left {
		ids = append(ids, o.id)
	}
	slices.Sort(ids)
	before := int32(0)
	err := r.jobs.changeOrphanSearch(ctx, account, func(status *v1alpha1.SpeechmaticsAccountStatus) {
		before = valueOf(status.OrphanedJobs)
		search := valueOf(status.OrphanSearch)
		search.LastTime = ptr.To(metav1.NewTime(r.now()))
		search.JobIDs = ids[:min(len(ids), maxOrphanIDs)]
		search.UnprovenJobs = ptr.To(int32(unproven)) //nolint:gosec // maxOrphanPages bounds it.
		status.OrphanedJobs, status.OrphanSearch = &count, &search
	})
	r.jobs.metrics.orphans.set(account.GetUID(), len(left), unproven)
	if len(deleted) > 0 {
		r.event(account, "OrphansDeleted", fmt.Sprintf("%d jobs at Speechmatics still ran whose TranscriptionJobs are gone, and were deleted: %s", len(deleted), few(deleted)))
	}
	if err == nil && count != before && count > 0 {
		r.log(ctx).Info("There are orphaned jobs", "count", count, "remoteJobs", few(ids))
		r.event(account, "OrphanedJobs", fmt.Sprintf(
			"%d jobs at Speechmatics are running or finished whose TranscriptionJobs are gone without having cleaned up: %s; "+
				"a transcript can be fetched there until the provider's retention ends", count, few(ids)))
	}
	return err
}

// few names the first of many.
func few(ids []string) string {
	if len(ids) <= maxOrphanIDs {
		return strings.Join(ids, ", ")
	}
	return strings.Join(ids[:maxOrphanIDs], ", ") + ", …"
}

func (r *OrphanReconciler) event(account v1alpha1.Account, reason, note string) {
	r.recorder.Eventf(account, nil, eventWarning, reason, "SearchOrphans", "%s", clip(note, maxEventNote))
}

func (r *OrphanReconciler) log(ctx context.Context) logr.Logger { return logf.FromContext(ctx) }

func (r *OrphanReconciler) setupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("orphans-"+string(r.kind)).
		For(r.newObject(), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: accountWorkers}).
		Complete(r)
}

// errAccountReplaced means that an account is gone, or that a namesake is in its place.
var errAccountReplaced = errors.New("the account is gone")

// liveAccount reads an account anew from the API server.
func (r *JobReconciler) liveAccount(ctx context.Context, account v1alpha1.Account) (v1alpha1.Account, error) {
	var live v1alpha1.Account = &v1alpha1.SpeechmaticsAccount{}
	if account.AccountKind() == v1alpha1.ClusterAccount {
		live = &v1alpha1.ClusterSpeechmaticsAccount{}
	}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(account), live); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, errAccountReplaced
		}
		return nil, fmt.Errorf("cannot read %s %s: %w", account.AccountKind(), account.GetName(), err)
	}
	if live.GetUID() != account.GetUID() {
		return nil, errAccountReplaced
	}
	return live, nil
}

// changeOrphanSearch changes what an account's status says about orphans. It is computed from the live object, and computed
// anew if somebody has written that meanwhile.
func (r *JobReconciler) changeOrphanSearch(ctx context.Context, account v1alpha1.Account, change func(*v1alpha1.SpeechmaticsAccountStatus)) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := r.liveAccount(ctx, account)
		if err != nil {
			return err
		}
		status := live.AccountStatus().DeepCopy()
		change(status)
		if equality.Semantic.DeepEqual(live.AccountStatus(), status) {
			return nil
		}
		return r.client.Status().Apply(ctx, orphanApply(live, status), client.FieldOwner(v1alpha1.FieldManagerOrphanSearch), client.ForceOwnership)
	})
}

// orphanApply is the apply of what an account's status says about orphans, with the resourceVersion that it was computed from.
func orphanApply(account v1alpha1.Account, status *v1alpha1.SpeechmaticsAccountStatus) runtime.ApplyConfiguration {
	apply := applyv1alpha1.SpeechmaticsAccountStatus()
	apply.OrphanedJobs = status.OrphanedJobs
	if found := status.OrphanSearch; found != nil {
		search := applyv1alpha1.OrphanSearch().WithJobIDs(found.JobIDs...)
		search.LastTime, search.UnprovenJobs, search.SparedBefore = found.LastTime, found.UnprovenJobs, found.SparedBefore
		for _, s := range found.Submitters {
			search.WithSubmitters(applyv1alpha1.Submitter().WithID(s.ID).WithLastTime(s.LastTime))
		}
		apply.WithOrphanSearch(search)
	}
	if account.AccountKind() == v1alpha1.ClusterAccount {
		return applyv1alpha1.ClusterSpeechmaticsAccount(account.GetName()).WithResourceVersion(account.GetResourceVersion()).WithStatus(apply)
	}
	return applyv1alpha1.SpeechmaticsAccount(account.GetName(), account.GetNamespace()).WithResourceVersion(account.GetResourceVersion()).WithStatus(apply)
}
