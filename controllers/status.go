// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	acmetav1 "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	applyv1alpha1 "github.com/transcription-operator/transcription-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// maxMessageLength is what the API server accepts in a condition's message.
const maxMessageLength = 32 << 10

// deriveConditions turns a verdict into the conditions of a job. It is the only place that does, and looks at nothing but its
// arguments. All conditions are always there; a False one carries the reason of Ready, which says what the job is doing, but for
// FeaturesFailed, which has reasons of its own.
func deriveConditions(job *v1alpha1.TranscriptionJob, v verdict, now time.Time) []metav1.Condition {
	states := []struct {
		kind string
		is   bool
	}{
		{v1alpha1.ConditionReady, v.ending == completed},
		{v1alpha1.ConditionComplete, v.ending == completed},
		{v1alpha1.ConditionFailed, v.ending == failed},
		{v1alpha1.ConditionFinished, v.ending != unfinished},
		{v1alpha1.ConditionSuspended, v.reason == v1alpha1.ReasonSuspended},
		{v1alpha1.ConditionStalled, v.stalled},
	}
	conditions := make([]metav1.Condition, len(job.Status.Conditions), max(len(states)+2, len(job.Status.Conditions)))
	copy(conditions, job.Status.Conditions)
	for _, state := range states {
		condition := metav1.Condition{
			Type:               state.kind,
			Status:             metav1.ConditionFalse,
			ObservedGeneration: job.Generation,
			LastTransitionTime: metav1.NewTime(now),
			Reason:             v.reason,
			Message:            clip(v.message, maxMessageLength),
		}
		if state.is {
			condition.Status = metav1.ConditionTrue
		} else if state.kind != v1alpha1.ConditionReady {
			condition.Message = ""
		}
		meta.SetStatusCondition(&conditions, condition)
	}
	meta.SetStatusCondition(&conditions, featuresCondition(job, v, now))
	meta.SetStatusCondition(&conditions, riskCondition(job, v, now))
	return conditions
}

// featuresCondition says which features have failed. They do so by themselves, whatever becomes of the job. As long as no document
// tells, nobody knows; the reason is that of Ready then. A job that is complete without one has asked for nothing that could fail.
func featuresCondition(job *v1alpha1.TranscriptionJob, v verdict, now time.Time) metav1.Condition {
	document := recordedDocument(&job.Status)
	failed := failedFeatures(document)
	condition := metav1.Condition{
		Type:               v1alpha1.ConditionFeaturesFailed,
		Status:             metav1.ConditionFalse,
		ObservedGeneration: job.Generation,
		LastTransitionTime: metav1.NewTime(now),
		Reason:             failed.reason,
		Message:            clip(failed.message, maxMessageLength),
	}
	switch known := document != nil && document.Problem == nil; {
	case failed.reason != v1alpha1.ReasonNoFeatureErrors:
		condition.Status = metav1.ConditionTrue
	case !known && (v.ending != completed || notification.NeedsDocument(&job.Spec)):
		condition.Status, condition.Reason = metav1.ConditionUnknown, v.reason
	}
	return condition
}

func readyCondition(conditions []metav1.Condition) *metav1.Condition {
	return meta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
}

// applyStatus writes what a pass came to, if it changes anything, and tells people about it by an event.
func (r *JobReconciler) applyStatus(ctx context.Context, s *scope, v verdict) error {
	if err := r.releaseFacts(ctx, s); err != nil {
		return err
	}
	before := s.job.Status
	s.status.Conditions = deriveConditions(s.job, v, s.now())
	s.status.ObservedGeneration = ptr.To(s.job.Generation)
	if v.ending != unfinished && s.status.CompletionTime == nil {
		s.status.CompletionTime = ptr.To(metav1.NewTime(s.now()))
	}
	if s.status.FailedAttempts == nil {
		s.status.FailedAttempts = ptr.To(int32(0))
	}
	if err := r.writeVerdict(ctx, s, v); err != nil {
		return err
	}
	r.traceEnd(s, v, &before) //nolint:contextcheck // the span is made afterwards, and is a child of none that a context has
	r.announce(ctx, s, v, readyCondition(before.Conditions))
	r.risks.set(s.job.UID, v.risk != nil)
	for _, kind := range []string{v1alpha1.ConditionFeaturesFailed, v1alpha1.ConditionTranscriptAtRisk} {
		r.announceTrouble(ctx, s, before.Conditions, kind)
	}
	return nil
}

// writeVerdict is writeStatus. The write by which a job ends has a span of its own.
func (r *JobReconciler) writeVerdict(ctx context.Context, s *scope, v verdict) error {
	if v.ending != completed {
		return r.writeStatus(ctx, s)
	}
	ctx, span := r.startSpan(ctx, s, spanStatus)
	err := r.writeStatus(ctx, s)
	endSpan(span, err)
	return err
}

// announceTrouble tells of a condition beside Ready that has become True, once.
func (r *JobReconciler) announceTrouble(ctx context.Context, s *scope, before []metav1.Condition, kind string) {
	trouble := meta.FindStatusCondition(s.job.Status.Conditions, kind)
	if trouble == nil || trouble.Status != metav1.ConditionTrue || meta.IsStatusConditionTrue(before, kind) {
		return
	}
	r.logOf(ctx, s).Info("Now "+kind, "reason", trouble.Reason, "message", trouble.Message, "attempt", s.attempt(), "remoteJob", s.remoteID())
	r.event(s.job, eventWarning, trouble.Reason, "Reconcile", trouble.Message)
}

// announce tells of a job that came to another point, once.
func (r *JobReconciler) announce(ctx context.Context, s *scope, v verdict, before *metav1.Condition) {
	if before != nil && before.Reason == v.reason && (before.Status == metav1.ConditionTrue) == (v.ending == completed) {
		return
	}
	r.logOf(ctx, s).Info("Now "+v.reason, "reason", v.reason, "message", v.message, "attempt", s.attempt(), "remoteJob", s.remoteID())
	r.metrics.observeEnding(s, v)
	switch v.reason {
	case v1alpha1.ReasonWaiting, v1alpha1.ReasonSubmitting, v1alpha1.ReasonRunning, v1alpha1.ReasonCollecting:
		// The event of the submission says as much, the transcript says the rest, and waiting is in the condition.
	case v1alpha1.ReasonSuspended, v1alpha1.ReasonComplete, v1alpha1.ReasonCompleteWithErrors:
		r.event(s.job, eventNormal, v.reason, "Reconcile", v.message)
	default:
		if r.rests.isNews(s.job.UID, v.reason+": "+v.message, s.now()) {
			r.event(s.job, eventWarning, v.reason, "Reconcile", v.message)
		}
	}
}

// writeStatus applies the controller's part of the status. It carries the resourceVersion of the object that it was computed
// from: computed from a stale one, it would erase what it does not name.
func (r *JobReconciler) writeStatus(ctx context.Context, s *scope) error {
	if equality.Semantic.DeepEqual(s.job.Status, s.status) {
		return nil
	}
	apply := applyv1alpha1.TranscriptionJob(s.job.Name, s.job.Namespace).
		WithResourceVersion(s.job.ResourceVersion).
		WithStatus(controllerStatus(&s.status))
	before := s.job.Status
	err := r.client.Status().Apply(ctx, apply, client.FieldOwner(v1alpha1.FieldManagerController), client.ForceOwnership)
	switch {
	case err == nil:
		s.applied(apply, nil)
		s.job.Status = *s.status.DeepCopy()
	case !r.arrived(ctx, s, err):
		return err
	}
	r.tracker.wrote(s.job)
	r.metrics.spending.done(s.job, &before)
	return nil
}

// releaseFacts has the record own nothing but itself when the controller is about to drop what it said besides, since what another manager owns
// stays. It comes before the controller's own write: if it fails, nothing has been said yet, and the pass is done again.
func (r *JobReconciler) releaseFacts(ctx context.Context, s *scope) error {
	is, willBe := s.job.Status.RemoteJob, s.status.RemoteJob
	if is == nil || is.State == nil || is.ID == nil || willBe == nil || willBe.State != nil {
		return nil
	}
	return r.applyRecord(ctx, s, valueOf(s.job.Status.Attempt), *is.ID, valueOf(is.BaseURL), nil)
}

// arrived reports whether a status is written although no answer says so, and takes the object over as it is then. Without that, the next pass would
// find nothing to write, and what follows from the write would never be told: counts, events and spans.
func (r *JobReconciler) arrived(ctx context.Context, s *scope, err error) bool {
	if !mayHaveArrived(err) {
		return false
	}
	live := &v1alpha1.TranscriptionJob{}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(s.job), live); err != nil || live.UID != s.job.UID || !sameControllerStatus(&live.Status, &s.status) {
		return false
	}
	if factsOf(live) != factsOf(s.job) {
		r.rests.wake(s.job.UID) // what came meanwhile, this pass has not judged
	}
	s.refresh(live)
	s.status = *live.Status.DeepCopy()
	return true
}

// mayHaveArrived reports whether a write that ended with an error may have been done all the same: there was no answer, or one of a server that
// gave up.
func mayHaveArrived(err error) bool {
	var answer apierrors.APIStatus
	return !errors.As(err, &answer) || answer.Status().Code >= http.StatusInternalServerError
}

// sameControllerStatus compares what is the controller's of two statuses, as it is written: times in whole seconds.
func sameControllerStatus(a, b *v1alpha1.TranscriptionJobStatus) bool {
	one, err := json.Marshal(controllerStatus(a))
	if err != nil {
		return false
	}
	other, err := json.Marshal(controllerStatus(b))
	return err == nil && bytes.Equal(one, other)
}

// applied takes over the resourceVersion that the API server returned in an apply configuration, which holds the server's
// whole object after the call and is never used again, and makes the same change to both copies of the status.
func (s *scope) applied(returned *applyv1alpha1.TranscriptionJobApplyConfiguration, change func(*v1alpha1.TranscriptionJobStatus)) {
	s.job = s.job.DeepCopy()
	s.job.ResourceVersion = valueOf(returned.ResourceVersion)
	if change != nil {
		change(&s.job.Status)
		change(&s.status)
	}
}

// controllerStatus is the complete set of the fields that the controller owns. A field that is left out is removed. It shares no
// memory with the status, because the API server's answer is decoded into it.
func controllerStatus(status *v1alpha1.TranscriptionJobStatus) *applyv1alpha1.TranscriptionJobStatusApplyConfiguration {
	status = status.DeepCopy()
	apply := applyv1alpha1.TranscriptionJobStatus().WithConditions(conditionApplies(status.Conditions)...)
	apply.ObservedGeneration = status.ObservedGeneration
	apply.FailedAttempts = status.FailedAttempts
	apply.LastFailureTime = status.LastFailureTime
	apply.StartTime = status.StartTime
	apply.CompletionTime = status.CompletionTime
	if ref := status.AccountRef; ref != nil {
		account := applyv1alpha1.ResolvedAccountReference().WithKind(ref.Kind).WithName(ref.Name).WithUID(ref.UID)
		account.BaseURL, account.KeyFingerprint = ref.BaseURL, ref.KeyFingerprint
		apply.WithAccountRef(account)
	}
	if remote := remoteApply(status.RemoteJob); remote != nil {
		apply.WithRemoteJob(remote)
	}
	return apply
}

// remoteApply is the controller's part of status.remoteJob; its ID and base URL belong to the record of the submission.
func remoteApply(remote *v1alpha1.RemoteJob) *applyv1alpha1.RemoteJobApplyConfiguration {
	if remote == nil || (remote.State == nil && remote.CreatedAt == nil && remote.AudioDuration == nil && remote.Language == nil && remote.Errors == nil) {
		return nil
	}
	apply := applyv1alpha1.RemoteJob()
	apply.State = remote.State
	apply.CreatedAt = remote.CreatedAt
	apply.AudioDuration = remote.AudioDuration
	apply.Language = remote.Language
	for _, e := range remote.Errors {
		remoteError := applyv1alpha1.RemoteError().WithMessage(e.Message)
		remoteError.Time = e.Time
		apply.WithErrors(remoteError)
	}
	return apply
}

func conditionApplies(conditions []metav1.Condition) []*acmetav1.ConditionApplyConfiguration {
	applies := make([]*acmetav1.ConditionApplyConfiguration, 0, len(conditions))
	for _, c := range conditions {
		applies = append(applies, acmetav1.Condition().
			WithType(c.Type).
			WithStatus(c.Status).
			WithObservedGeneration(c.ObservedGeneration).
			WithLastTransitionTime(c.LastTransitionTime).
			WithReason(c.Reason).
			WithMessage(c.Message))
	}
	return applies
}
