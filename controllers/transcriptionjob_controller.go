// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/internal/tracing"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// staleDelay is how soon a pass is repeated that met an object older than the reconciler's own last write.
const staleDelay = 20 * time.Millisecond

// JobReconciler takes TranscriptionJobs from the manifest to the stored transcript.
type JobReconciler struct {
	// client reads from the cache and writes.
	client client.Client
	// live reads from the API server: single objects, by name.
	live      client.Reader
	recorder  events.EventRecorder
	providers *providers
	receiver  *ReceiverClient
	keys      notification.KeySource
	metrics   *metrics
	tracer    *tracing.Tracer
	options   Options
	rests     *rests
	risks     *risks
	tracker   *tracker
}

// Reconcile does the next step of one job: see the package's documentation for the steps.
func (r *JobReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	job := &v1alpha1.TranscriptionJob{}
	if err := r.client.Get(ctx, req.NamespacedName, job); err != nil {
		if apierrors.IsNotFound(err) {
			r.forgetNamed(req.NamespacedName)
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, err
	}
	gone, stale := r.tracker.meet(job)
	r.forget(gone)
	if stale {
		return reconcile.Result{RequeueAfter: staleDelay, Priority: &requeuePriority}, nil
	}
	s := newScope(job, r.options)
	ctx = logf.IntoContext(ctx, withAccount(r.jobLog(ctx, job), job.Status.AccountRef))
	defer s.giveHand()
	after, err := r.pass(ctx, s)
	var busy *busyError
	switch {
	case errors.Is(err, errStoodBack):
		return reconcile.Result{RequeueAfter: time.Millisecond, Priority: &crowdPriority}, nil
	case apierrors.IsConflict(err) || errors.Is(err, errReloaded):
		// Somebody else wrote the object meanwhile, and the cache will have it in a moment. Nothing was lost.
		after, err = jitter(2*staleDelay), nil
	case errors.As(err, &busy):
		// The pass was not done. What the status says is as true as before.
		after, err = jitter(max(busy.delay, staleDelay)), nil
	}
	return reconcile.Result{RequeueAfter: after, Priority: &requeuePriority}, err
}

// requeuePriority is set explicitly: a request that a restart put into the queue with a low priority would keep it otherwise.
var requeuePriority = 0

// crowdPriority is that of a job whose namespace has many waiting.
var crowdPriority = requeuePriority - 1

// forgetNamed drops what is kept in memory about the job of a name that is gone.
func (r *JobReconciler) forgetNamed(name types.NamespacedName) {
	uid := r.tracker.miss(name)
	if uid == "" {
		// It was gone before it was seen, and may be among those that the manager found at its start.
		r.providers.releaseNamed(name)
	}
	r.forget(uid)
}

// forget drops what is kept in memory about a job.
func (r *JobReconciler) forget(uid types.UID) {
	if uid == "" {
		return
	}
	r.rests.forget(uid)
	r.risks.set(uid, false)
	r.providers.release(uid)
}

// wake has a job reconciled although nothing about the object has changed.
func (r *JobReconciler) wake(uid types.UID, name types.NamespacedName) {
	r.rests.wake(uid)
	r.providers.jobs.wake(name)
}

// pass does one step with an object that is as new as can be known. It returns when to look again at the latest; zero means
// that an event will come.
func (r *JobReconciler) pass(ctx context.Context, s *scope) (time.Duration, error) {
	switch {
	case s.job.DeletionTimestamp != nil:
		r.providers.observers.forget(s.job.UID)
		return r.reconcileDeletion(ctx, s)
	case isFinished(s.job):
		return r.reconcileFinished(ctx, s)
	}
	left, wakes := r.rests.left(s.job, s.now())
	if left > 0 {
		return left, nil
	}
	if err := r.noteSpared(ctx, s); err != nil {
		return 0, err
	}
	began := s.now()
	v, err := s.judge(r.advance(ctx, s))
	if err != nil {
		return 0, err
	}
	v = s.assess(s.remark(v), func() speechmatics.Backend { return r.backendOfJob(ctx, s) })
	v.after = s.beforeDeadline(v.after, began)
	if v.ending != unfinished || v.reason == v1alpha1.ReasonRetrying {
		// Nothing is at the provider any more that anybody waits for; a next attempt asks for its turn again.
		r.providers.release(s.job.UID)
	}
	crashpoint.At(crashpoint.Judged)
	if err := r.applyStatus(ctx, s, v); err != nil {
		return 0, err
	}
	crashpoint.At(crashpoint.StatusWritten)
	if v.after > 0 && v.reason != v1alpha1.ReasonWaiting {
		r.rests.begin(s.job, s.now().Add(v.after), wakes)
	}
	return v.after, nil
}

// advance decides by the recorded facts which step is due, and does it.
func (r *JobReconciler) advance(ctx context.Context, s *scope) (verdict, error) {
	if err := s.foreignClaim(); err != nil {
		if !s.knownAtProvider() {
			r.providers.release(s.job.UID)
		}
		return verdict{}, err
	}
	if !s.suspended() {
		s.resume()
	}
	if s.deadlinePassed() && !s.mayBeAtProvider() {
		return verdict{}, s.deadlineExceeded()
	}
	switch {
	case s.recorded():
		return r.follow(ctx, s)
	case s.announcedID() != "":
		return r.recordAnnounced(ctx, s)
	case s.submissionUnknown():
		return r.look(ctx, s)
	case s.claimLost():
		return r.restoreClaim(ctx, s)
	default:
		return r.submit(ctx, s)
	}
}

// recordAnnounced records an ID that came by a notification before the submission's answer did, or that is mirrored in the
// claim of a job whose status was wiped.
func (r *JobReconciler) recordAnnounced(ctx context.Context, s *scope) (verdict, error) {
	id := s.announcedID()
	p, err := r.claimant(ctx, s)
	if err != nil {
		return verdict{}, err
	}
	if err := r.record(ctx, s, p, id); err != nil {
		return verdict{}, err
	}
	crashpoint.At(crashpoint.AnnouncedRecorded)
	r.metrics.adopted.Inc()
	r.log(ctx).Info("Recorded a remote job that was announced before its submission was answered", "attempt", s.attempt(), "remoteJob", id)
	r.tellAdopted(s, id)
	return r.follow(ctx, s)
}

// claimant is what reaches the provider where the current attempt was submitted to. To record an announced ID, no key is
// needed: the claim says where the job lives.
func (r *JobReconciler) claimant(ctx context.Context, s *scope) (*provider, error) {
	p, err := r.providerOf(ctx, s)
	switch {
	case !s.claimed():
		return p, err
	case err == nil && p.baseURL == s.claim.BaseURL:
		return p, nil
	default:
		return &provider{baseURL: s.claim.BaseURL}, nil
	}
}

// jobLog is the logger of the passes over a job: with what finds the job's trace, if there is one.
func (r *JobReconciler) jobLog(ctx context.Context, job *v1alpha1.TranscriptionJob) logr.Logger {
	log := r.log(ctx).WithValues("uid", job.UID)
	if r.tracer.On() {
		log = log.WithValues("traceID", tracing.TraceID(job.UID).String())
	}
	return log
}

// log is the logger of a pass; controller-runtime has put namespace and name into it.
func (r *JobReconciler) log(ctx context.Context) logr.Logger { return logf.FromContext(ctx) }

// logOf is the logger of a pass, with the account also if it is this pass that has found it.
func (r *JobReconciler) logOf(ctx context.Context, s *scope) logr.Logger {
	if s.hadAccount {
		return r.log(ctx)
	}
	return withAccount(r.log(ctx), s.status.AccountRef)
}

// withAccount adds a job's account, if it is known.
func withAccount(log logr.Logger, account *v1alpha1.ResolvedAccountReference) logr.Logger {
	if account == nil {
		return log
	}
	return log.WithValues("account", string(account.Kind)+"/"+account.Name)
}

// Types of events.
const (
	eventNormal  = "Normal"
	eventWarning = "Warning"
)

// maxEventNote is what the API server accepts as an event's note.
const maxEventNote = 1024

// event tells people about something that happened to a job.
func (r *JobReconciler) event(job *v1alpha1.TranscriptionJob, kind, reason, action, note string) {
	r.recorder.Eventf(job, nil, kind, reason, action, "%s", clip(note, maxEventNote))
}

// refused has the key of an account tried at once, because the provider refused it.
func (r *JobReconciler) refused(p *provider) { r.providers.suspect(p.account, p.namespace) }

func (r *JobReconciler) setupWithManager(mgr ctrl.Manager) error {
	controlled := ctrl.NewControllerManagedBy(mgr).
		Named("transcriptionjob").
		For(&v1alpha1.TranscriptionJob{})
	for _, newObject := range r.options.accountKinds() {
		controlled = controlled.Watches(newObject(), handler.EnqueueRequestsFromMapFunc(r.jobsOfAccount), builder.WithPredicates(accountChanged))
	}
	return controlled.
		WatchesRawSource(r.providers.jobs).
		WithOptions(controller.Options{MaxConcurrentReconciles: r.options.MaxConcurrentReconciles}).
		Complete(r)
}

// accountChanged lets through the changes of an account that jobs may wait for, and not those of its counts.
var accountChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(v1alpha1.Account)
		after, ok2 := e.ObjectNew.(v1alpha1.Account)
		if !ok || !ok2 {
			return false
		}
		was, is := readyCondition(before.AccountStatus().Conditions), readyCondition(after.AccountStatus().Conditions)
		if before.GetGeneration() != after.GetGeneration() || (was == nil) != (is == nil) {
			return true
		}
		// A message that only words the same state anew is no change that a job could wait for.
		return is != nil && (was.Status != is.Status || was.Reason != is.Reason || was.ObservedGeneration != is.ObservedGeneration)
	},
}

// jobsOfAccount are the unfinished jobs that use an account or would like to.
func (r *JobReconciler) jobsOfAccount(ctx context.Context, object client.Object) []reconcile.Request {
	account, ok := object.(v1alpha1.Account)
	if !ok {
		return nil
	}
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := r.client.List(ctx, jobs, client.InNamespace(account.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		r.log(ctx).Error(err, "Cannot list the jobs of an account", "account", account.GetName())
		return nil
	}
	var requests []reconcile.Request
	for i := range jobs.Items {
		job := &jobs.Items[i]
		if (job.DeletionTimestamp != nil || !isFinished(job)) && mayUse(job, account) {
			r.rests.wake(job.UID)
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(job)})
		}
	}
	return requests
}

// mayUse reports whether a job uses an account, names it, or names none and could get it as the default.
func mayUse(job *v1alpha1.TranscriptionJob, account v1alpha1.Account) bool {
	if ref := job.Status.AccountRef; ref != nil && ref.Kind == account.AccountKind() && ref.Name == account.GetName() {
		return true
	}
	if ref := job.Spec.AccountRef; ref != nil {
		return ref.Kind == account.AccountKind() && ref.Name == account.GetName()
	}
	return account.GetName() == v1alpha1.DefaultAccountName
}
