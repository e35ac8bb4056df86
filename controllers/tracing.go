// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/tracing"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// Names of the manager's spans. They are the steps of an attempt; the webhook receiver has the others.
const (
	spanAdmission = "wait for admission"
	spanClaim     = "claim"
	spanSubmit    = "submit"
	spanFind      = "find submission"
	spanRecord    = "record submission"
	spanProvider  = "provider works"
	spanCollect   = "collect transcripts"
	spanFetch     = "fetch transcript"
	spanStatus    = "write status"
)

// Results of a submission, in spans.
const (
	resultCreated    = "created"
	resultNotCreated = "not created"
	resultUnknown    = "unknown"
)

// startSpan begins the span of a step of the current attempt.
func (r *JobReconciler) startSpan(ctx context.Context, s *scope, name string) (context.Context, trace.Span) {
	return r.tracer.Start(ctx, s.target(), name, trace.SpanKindInternal, time.Time{})
}

// startClientSpan is startSpan for a step that is a request to the provider, or several.
func (r *JobReconciler) startClientSpan(ctx context.Context, s *scope, name string) (context.Context, trace.Span) {
	return r.tracer.Start(ctx, s.target(), name, trace.SpanKindClient, time.Time{})
}

// endSpan ends the span of a step that may have failed. Why is in the log; the provider's answers may say what is not for everybody.
func endSpan(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, resultOf(err))
	}
	span.End()
}

// resultOf is an error in a word.
func resultOf(err error) string {
	var (
		answer *speechmatics.Error
		p      *pause
		f      *failure
		h      *hold
		busy   *busyError
	)
	switch {
	case errors.As(err, &answer):
		return strconv.Itoa(answer.StatusCode)
	case errors.As(err, &p):
		return p.reason
	case errors.As(err, &f):
		return f.reason
	case errors.As(err, &h):
		return h.reason
	case apierrors.IsConflict(err), errors.Is(err, errReloaded):
		return "conflict"
	case errors.As(err, &busy), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "not in time"
	default:
		return "error"
	}
}

// waitsSince is since when a job has waited to be claimed: since its creation, its latest failure, or a claim of the same attempt under
// which nothing was created.
func (s *scope) waitsSince() time.Time {
	switch {
	case s.claim != nil && s.claim.UID == s.job.UID && s.claim.Attempt == s.attempt():
		return s.claim.ClaimedAt
	case s.status.LastFailureTime != nil:
		return s.status.LastFailureTime.Time
	default:
		return s.job.CreationTimestamp.Time
	}
}

// endSubmission ends the span of a submission.
func endSubmission(span trace.Span, p *provider, created *speechmatics.CreatedJob, err error) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(tracing.Account.String(string(p.account.Kind) + "/" + p.account.Name))
	switch {
	case err == nil:
		span.SetAttributes(tracing.Result.String(resultCreated), tracing.RemoteJob.String(created.ID))
	case speechmatics.NotCreated(err):
		span.SetAttributes(tracing.Result.String(resultNotCreated))
	default:
		span.SetAttributes(tracing.Result.String(resultUnknown))
	}
	endSpan(span, err)
}

// traceEnd makes the spans of an attempt and of a job that have ended with what was just written into the status. Before is the status before
// that.
func (r *JobReconciler) traceEnd(s *scope, v verdict, before *v1alpha1.TranscriptionJobStatus) {
	if !r.tracer.On() {
		return
	}
	failures := valueOf(s.status.FailedAttempts)
	switch {
	case failures > valueOf(before.FailedAttempts):
		r.traceAttempt(s, v, before, failures)
	case v.ending == completed && before.CompletionTime == nil:
		r.traceAttempt(s, v, before, s.attempt())
	}
	if v.ending == unfinished || before.CompletionTime != nil {
		return
	}
	r.tracer.EndJob(s.job.Namespace, s.job.Name, s.job.UID, tracing.End{
		Began: s.job.CreationTimestamp.Time, Ended: s.now(), Reason: v.reason, Failed: v.ending == failed, Attributes: s.traits(),
	})
}

// traceAttempt makes the span of an attempt that has ended, and that of the provider's part in it.
func (r *JobReconciler) traceAttempt(s *scope, v verdict, before *v1alpha1.TranscriptionJobStatus, attempt int32) {
	target := notification.Target{Namespace: s.job.Namespace, Name: s.job.Name, UID: s.job.UID, Attempt: attempt}
	now := s.now()
	if s.remoteID() != "" && valueOf(s.job.Status.Attempt) == attempt {
		// The provider's clock is not ours, and times in a status are whole seconds.
		from := within(s.claimedAt(attempt), createdAt(&s.status, before), now)
		to := within(from, r.learnedAt(s, attempt), now)
		r.tracer.Period(target, spanProvider, from, to, tracing.RemoteJob.String(s.remoteID()))
	}
	began := s.job.CreationTimestamp.Time
	if before.LastFailureTime != nil {
		began = before.LastFailureTime.Time
	}
	r.tracer.EndAttempt(target, tracing.End{Began: began, Ended: now, Reason: v.reason, Failed: v.ending != completed, Attributes: s.traits()})
}

// claimedAt is when an attempt was claimed, or else when the job was taken up.
func (s *scope) claimedAt(attempt int32) time.Time {
	switch {
	case s.claim != nil && s.claim.UID == s.job.UID && s.claim.Attempt == attempt:
		return s.claim.ClaimedAt
	case s.status.StartTime != nil:
		return s.status.StartTime.Time
	default:
		return s.job.CreationTimestamp.Time
	}
}

// createdAt is when the provider created the recorded job, zero if it has not told. A failed attempt's status does not keep it.
func createdAt(after, before *v1alpha1.TranscriptionJobStatus) time.Time {
	for _, status := range []*v1alpha1.TranscriptionJobStatus{after, before} {
		if status.RemoteJob != nil && status.RemoteJob.CreatedAt != nil {
			return status.RemoteJob.CreatedAt.Time
		}
	}
	return time.Time{}
}

// learnedAt is when it was learned that the provider is done with the recorded job: by its notification, by a look at the job, or just
// now.
func (r *JobReconciler) learnedAt(s *scope, attempt int32) time.Time {
	n := s.job.Status.Notification
	known := n != nil && n.Attempt == attempt && n.JobID == s.remoteID()
	seen := r.rests.doneAt(s.job.UID, s.remoteID())
	switch {
	case known && n.Source == v1alpha1.SourceCallback:
		return n.ReceivedAt.Time
	case !seen.IsZero():
		return seen
	case known:
		return n.ReceivedAt.Time
	default:
		return s.now()
	}
}

// within is a time, moved into a span of time if it is not in it.
func within(from, t, to time.Time) time.Time {
	switch {
	case t.Before(from):
		return from
	case t.After(to):
		return to
	default:
		return t
	}
}

// traceDeletion makes the span of a job that was deleted before it had finished.
func (r *JobReconciler) traceDeletion(s *scope) {
	if !r.tracer.On() || isFinished(s.job) {
		return
	}
	r.tracer.EndJob(s.job.Namespace, s.job.Name, s.job.UID, tracing.End{
		Began: s.job.CreationTimestamp.Time, Ended: s.now(), Reason: "Deleted", Attributes: s.traits(),
	})
}

// traits are what may be of interest about a job or attempt that has ended.
func (s *scope) traits() []attribute.KeyValue {
	var traits []attribute.KeyValue
	if ref := s.status.AccountRef; ref != nil {
		traits = append(traits, tracing.Account.String(string(ref.Kind)+"/"+ref.Name))
	}
	if id := s.remoteID(); id != "" {
		traits = append(traits, tracing.RemoteJob.String(id))
	}
	if remote := s.status.RemoteJob; remote != nil && remote.AudioDuration != nil {
		traits = append(traits, tracing.AudioSeconds.Float64(remote.AudioDuration.Seconds()))
	}
	return traits
}
