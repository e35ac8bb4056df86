// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
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

// countInterval is how often the counts of running and waiting jobs are brought up to date.
const countInterval = 30 * time.Second

// AccountReconciler tries the keys of the accounts of one kind, and says in their status what came of it.
type AccountReconciler struct {
	client    client.Client
	recorder  events.EventRecorder
	providers *providers
	metrics   *metrics
	options   Options
	// kind of the accounts, and a new object of it.
	kind      v1alpha1.AccountKind
	newObject func() v1alpha1.Account
	tracker   *tracker
}

// accountWorkers is how many accounts of a kind are tried at a time, so that one whose host does not answer does not hold up the
// others.
const accountWorkers = 16

// Reconcile tries the key if it is time, and counts the account's jobs.
func (r *AccountReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	account := r.newObject()
	if err := r.client.Get(ctx, req.NamespacedName, account); err != nil {
		if apierrors.IsNotFound(err) {
			r.providers.forget(r.tracker.miss(req.NamespacedName))
			r.metrics.forgetAccount(r.kind, req.Namespace, req.Name)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, err
	}
	gone, stale := r.tracker.meet(account)
	r.providers.forget(gone)
	if stale {
		return reconcile.Result{RequeueAfter: staleDelay, Priority: &requeuePriority}, nil
	}
	status := account.AccountStatus().DeepCopy()
	after := r.tryKey(ctx, account, status)
	r.noteHeld(account, status)
	if err := r.count(ctx, account, status); err != nil {
		return reconcile.Result{}, err
	}
	err := r.applyStatus(ctx, account, status)
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: jitter(2 * staleDelay), Priority: &requeuePriority}, nil
	}
	return reconcile.Result{RequeueAfter: min(after, jitter(countInterval)), Priority: &requeuePriority}, err
}

// tryKey finds out whether the account can be used. It returns when to try again.
func (r *AccountReconciler) tryKey(ctx context.Context, account v1alpha1.Account, status *v1alpha1.SpeechmaticsAccountStatus) time.Duration {
	if left := r.untilDue(account); left > 0 {
		return left
	}
	p, err := r.providers.renew(ctx, account)
	if err == nil && r.knownRefused(account, p) {
		r.providers.stillRefused(account.GetUID())
		return r.untilSecretIsRead()
	}
	if err == nil {
		status.BaseURL = ptr.To(p.baseURL)
		err = p.probe(ctx, r.metrics)
	}
	r.providers.tried(account.GetUID(), p, err)
	now := r.options.Clock.Now()
	status.ObservedGeneration = ptr.To(account.GetGeneration())
	status.LastCheckedTime = ptr.To(metav1.NewTime(now))
	return r.judge(account, status, err, now)
}

// isConclusive reports whether an outcome says something about the key.
func isConclusive(err error) bool {
	var broken *accountError
	return err == nil || errors.As(err, &broken) || isRefusal(err)
}

// isRefusal reports whether the provider refuses the key, or asks for one.
func isRefusal(err error) bool {
	return speechmatics.IsUnauthorized(err) || speechmatics.IsForbidden(err)
}

// knownRefused reports whether a key is the one that was refused a short while ago. It is tried again now and then, since it may have
// been put right at the provider; a new one in the Secret, or a changed account, at once.
func (r *AccountReconciler) knownRefused(account v1alpha1.Account, p *provider) bool {
	checked := account.AccountStatus().LastCheckedTime
	return r.providers.wasRefused(p) && checked != nil && r.options.Clock.Since(checked.Time) < r.options.SecretInterval/5
}

// untilSecretIsRead is how soon the Secret of an account whose key was refused is read again. That costs a GET of one object, while all
// jobs of the account wait.
func (r *AccountReconciler) untilSecretIsRead() time.Duration {
	return jitter(r.options.RetryInterval / 2)
}

// noteHeld says in a condition whether jobs are submitted with the account, and if not, why.
func (r *AccountReconciler) noteHeld(account v1alpha1.Account, status *v1alpha1.SpeechmaticsAccountStatus) {
	ready := readyCondition(status.Conditions)
	if ready == nil {
		return
	}
	held := metav1.Condition{
		Type: v1alpha1.ConditionSubmissionsHeld, Status: metav1.ConditionTrue,
		ObservedGeneration: account.GetGeneration(), LastTransitionTime: metav1.NewTime(r.options.Clock.Now()),
	}
	refusal, because := r.providers.refusing(account.GetUID())
	switch {
	case ready.Status != metav1.ConditionTrue:
		held.Reason, held.Message = ready.Reason, "the account is not ready"
	case valueOf(account.AccountSpec().Suspend):
		held.Reason, held.Message = v1alpha1.ReasonSuspended, "spec.suspend keeps jobs from being submitted; those that are at the provider are followed to their end"
	case refusal != "":
		held.Reason, held.Message = refusal, fmt.Sprintf(
			"the provider refuses one job after the other (%s); the others wait, and one is tried now and then until one is accepted: see to the credit and the contract of the account. Jobs that are at the provider are followed to their end", because)
	default:
		held.Status, held.Reason = metav1.ConditionFalse, v1alpha1.ReasonSubmissionsAccepted
	}
	meta.SetStatusCondition(&status.Conditions, held)
	r.metrics.observeAccount(account, held.Status == metav1.ConditionTrue, held.Reason)
}

// untilDue is how long the account need not be looked at: it was, for this generation, and nobody has doubted it since.
func (r *AccountReconciler) untilDue(account v1alpha1.Account) time.Duration {
	ready := readyCondition(account.AccountStatus().Conditions)
	checked := account.AccountStatus().LastCheckedTime
	if ready == nil || ready.Status != metav1.ConditionTrue || checked == nil || ready.ObservedGeneration != account.GetGeneration() || r.providers.doubted(account.GetUID()) {
		return 0
	}
	return checked.Add(r.options.SecretInterval).Sub(r.options.Clock.Now())
}

// judge turns the outcome into conditions. It returns when to try again.
func (r *AccountReconciler) judge(account v1alpha1.Account, status *v1alpha1.SpeechmaticsAccountStatus, err error, now time.Time) time.Duration {
	var (
		broken  *accountError
		backend = backendOf(account.AccountSpec())
		keyless = account.AccountSpec().APIKeySecretRef == nil
		reason  = v1alpha1.ReasonKeyAccepted
		message = "Speechmatics accepts the key"
		ready   = metav1.ConditionTrue
		stalled = metav1.ConditionFalse
		after   = jitter(r.options.SecretInterval)
	)
	switch {
	case err == nil && (keyless || backend == speechmatics.Worker):
		reason, message = v1alpha1.ReasonReachable, backendNames[backend]+" answers"
	case err == nil:
	case errors.As(err, &broken):
		reason, message, ready, stalled = broken.reason, broken.message, metav1.ConditionFalse, metav1.ConditionTrue
		after = jitter(r.options.RetryInterval)
	case keyless && speechmatics.IsUnauthorized(err):
		reason, ready, stalled = v1alpha1.ReasonKeyRequired, metav1.ConditionFalse, metav1.ConditionTrue
		message = fmt.Sprintf("a key is asked for (%s): name the Secret that holds it in spec.apiKeySecretRef", explain(err))
		after = jitter(r.options.SecretInterval / 5)
	case isRefusal(err):
		reason, ready, stalled = v1alpha1.ReasonKeyRefused, metav1.ConditionFalse, metav1.ConditionTrue
		message = fmt.Sprintf("Speechmatics refuses the key (%s): put a valid key of this region into the Secret", explain(err))
		after = r.untilSecretIsRead()
	case wasReady(account):
		// One request that failed does not make a good account bad; jobs that run into the same trouble say so themselves.
		return jitter(r.options.RetryInterval)
	default:
		reason, ready = v1alpha1.ReasonProviderUnavailable, metav1.ConditionFalse
		message = fmt.Sprintf("the account could not be tried: %s", explain(err))
		if backend == speechmatics.Worker && isNoWorker(err) {
			message = fmt.Sprintf("the account could not be tried: GET %s: %s; is this a batch worker? see spec.backend", readyURL(valueOf(status.BaseURL)), explain(err))
		}
		after = jitter(r.options.RetryInterval)
	}
	for kind, state := range map[string]metav1.ConditionStatus{v1alpha1.ConditionReady: ready, v1alpha1.ConditionStalled: stalled} {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: kind, Status: state, Reason: reason, Message: clip(message, maxMessageLength),
			ObservedGeneration: account.GetGeneration(), LastTransitionTime: metav1.NewTime(now),
		})
	}
	return after
}

func wasReady(account v1alpha1.Account) bool {
	ready := readyCondition(account.AccountStatus().Conditions)
	return ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == account.GetGeneration()
}

// count brings the numbers of running and waiting jobs up to date.
func (r *AccountReconciler) count(ctx context.Context, account v1alpha1.Account, status *v1alpha1.SpeechmaticsAccountStatus) error {
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := r.client.List(ctx, jobs, client.InNamespace(account.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("cannot list jobs: %w", err)
	}
	var running, waiting int32
	for i := range jobs.Items {
		job := &jobs.Items[i]
		switch {
		case isFinished(job) || !mayUse(job, account):
		case atProvider(job):
			running++
		default:
			waiting++
		}
	}
	status.RunningJobs, status.WaitingJobs = &running, &waiting
	return nil
}

// applyStatus writes the status if it changes anything, and tells people about a key that is accepted or refused.
func (r *AccountReconciler) applyStatus(ctx context.Context, account v1alpha1.Account, status *v1alpha1.SpeechmaticsAccountStatus) error {
	before := account.AccountStatus()
	if equality.Semantic.DeepEqual(before, status) {
		return nil
	}
	apply := accountApply(account, status)
	if err := r.client.Status().Apply(ctx, apply, client.FieldOwner(v1alpha1.FieldManagerController), client.ForceOwnership); err != nil {
		return err
	}
	was, is := readyCondition(before.Conditions), readyCondition(status.Conditions)
	if is == nil || (was != nil && was.Reason == is.Reason) {
		return nil
	}
	r.log(ctx).Info("Account is "+is.Reason, "reason", is.Reason, "ready", is.Status, "message", is.Message)
	kind := eventNormal
	if is.Status != metav1.ConditionTrue {
		kind = eventWarning
	}
	r.recorder.Eventf(account, nil, kind, is.Reason, "TryKey", "%s", clip(is.Message, maxEventNote))
	return nil
}

// accountApply is the apply of an account's status, with the resourceVersion that it was computed from. It shares no memory with
// the status, because the API server's answer is decoded into it.
func accountApply(account v1alpha1.Account, status *v1alpha1.SpeechmaticsAccountStatus) runtime.ApplyConfiguration {
	status = status.DeepCopy()
	apply := applyv1alpha1.SpeechmaticsAccountStatus().WithConditions(conditionApplies(status.Conditions)...)
	apply.ObservedGeneration = status.ObservedGeneration
	apply.BaseURL = status.BaseURL
	apply.LastCheckedTime = status.LastCheckedTime
	apply.RunningJobs = status.RunningJobs
	apply.WaitingJobs = status.WaitingJobs
	if account.AccountKind() == v1alpha1.ClusterAccount {
		return applyv1alpha1.ClusterSpeechmaticsAccount(account.GetName()).WithResourceVersion(account.GetResourceVersion()).WithStatus(apply)
	}
	return applyv1alpha1.SpeechmaticsAccount(account.GetName(), account.GetNamespace()).WithResourceVersion(account.GetResourceVersion()).WithStatus(apply)
}

func (r *AccountReconciler) log(ctx context.Context) logr.Logger { return logf.FromContext(ctx) }

func (r *AccountReconciler) setupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("account-"+string(r.kind)).
		For(r.newObject(), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.providers.accounts[r.kind]).
		WithOptions(controller.Options{MaxConcurrentReconciles: accountWorkers}).
		Complete(r)
}
