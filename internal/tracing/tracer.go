// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/notification"
)

// scope names the instrumentation in each span.
const scope = "github.com/transcription-operator/transcription-operator"

// Attributes of spans. None of them is secret or personal: no URL, no message, nothing of the media or of what was said in it.
const (
	// Namespace, Name and UID are the TranscriptionJob's. Every span of a job or attempt has them.
	Namespace = attribute.Key("k8s.namespace.name")
	Name      = attribute.Key("transcription.job.name")
	UID       = attribute.Key("transcription.job.uid")
	// Attempt is the number of the attempt.
	Attempt = attribute.Key("transcription.attempt")
	// RemoteJob is the ID of the job at the provider.
	RemoteJob = attribute.Key("transcription.remote_job")
	// Account is the account, as Kind/name.
	Account = attribute.Key("transcription.account")
	// Reason is that of the condition Ready, when a job or attempt has ended.
	Reason = attribute.Key("transcription.reason")
	// Result is how a step ended, in a word.
	Result = attribute.Key("transcription.result")
	// Source says who brought a notification.
	Source = attribute.Key("transcription.source")
	// Format is the format of a transcript.
	Format = attribute.Key("transcription.format")
	// Bytes is the size of a body, in bytes.
	Bytes = attribute.Key("transcription.bytes")
	// AudioSeconds is the length of the recording, in seconds.
	AudioSeconds = attribute.Key("transcription.audio_seconds")
)

// Names of the spans of a job and of its attempts.
const (
	jobSpan     = "transcription job"
	attemptSpan = "attempt"
)

// Tracer makes spans. A nil one makes none, and costs nothing.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// New returns a tracer with a provider of its own. The options say where spans go and which are sampled; the sampler's decision about
// the span of a job holds for the whole trace, so it must not depend on anything that manager and receiver know differently.
func New(options ...sdktrace.TracerProviderOption) *Tracer {
	provider := sdktrace.NewTracerProvider(append(options, sdktrace.WithIDGenerator(generator{}))...)
	return &Tracer{provider: provider, tracer: provider.Tracer(scope)}
}

// closeTimeout is how long Close waits.
const closeTimeout = 5 * time.Second

// Close sends what has not been sent yet, also if the context has ended, but not for longer than some seconds: nothing depends on it. It
// logs what goes wrong. The tracer makes no spans any more.
func (t *Tracer) Close(ctx context.Context, log logr.Logger) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		log.Info("The last spans were not sent", "cause", clip(err.Error()))
	}
}

// On reports whether spans are made, so that nothing need be gathered for them if they are not.
func (t *Tracer) On() bool { return t != nil }

// Start begins a span of an attempt, which may itself have begun in another process, or begin later. Zero means that it begins now.
func (t *Tracer) Start(ctx context.Context, of notification.Target, name string, kind trace.SpanKind, began time.Time) (context.Context, trace.Span) {
	if t == nil {
		return ctx, noop.Span{}
	}
	attempt := t.attempt(ctx, of, time.Time{})
	return t.tracer.Start(trace.ContextWithSpan(ctx, attempt), name, trace.WithSpanKind(kind), trace.WithTimestamp(began))
}

// Child begins a span of the step that the context's span is about. Without one it makes none.
func (t *Tracer) Child(ctx context.Context, name string) (context.Context, trace.Span) {
	if t == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, noop.Span{}
	}
	return t.tracer.Start(ctx, name)
}

// Period makes the span of a time of an attempt that is over.
func (t *Tracer) Period(of notification.Target, name string, began, ended time.Time, attributes ...attribute.KeyValue) {
	if t == nil {
		return
	}
	_, span := t.Start(context.Background(), of, name, trace.SpanKindInternal, began)
	span.SetAttributes(attributes...)
	span.End(trace.WithTimestamp(ended))
}

// End is how a job or an attempt ended.
type End struct {
	// Began and Ended are its times.
	Began, Ended time.Time
	// Reason is that of the condition Ready.
	Reason string
	// Failed means that it did not end well.
	Failed bool
	// Attributes say more about it.
	Attributes []attribute.KeyValue
}

func (e End) end(span trace.Span) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(e.Attributes...)
	span.SetAttributes(Reason.String(e.Reason))
	if e.Failed {
		// The reason alone: whoever reads traces may not be permitted to read the job, whose message says more.
		span.SetStatus(codes.Error, e.Reason)
	}
	span.End(trace.WithTimestamp(e.Ended))
}

// EndAttempt makes the span of an attempt that is over.
func (t *Tracer) EndAttempt(of notification.Target, e End) {
	if t == nil {
		return
	}
	span := t.attempt(context.Background(), of, e.Began)
	e.end(span)
}

// EndJob makes the span of a job that is over.
func (t *Tracer) EndJob(namespace, name string, uid types.UID, e End) {
	if t == nil {
		return
	}
	span := t.job(context.Background(), namespace, name, uid, e.Began)
	e.end(span)
}

// job begins the span of a whole job. One that is not ended is never sent: it stands for the one that is, or will be, and carries the
// sampler's decision, which every process comes to by itself.
func (t *Tracer) job(ctx context.Context, namespace, name string, uid types.UID, began time.Time) trace.Span {
	_, span := t.tracer.Start(withIDs(ctx, ids{trace: TraceID(uid), span: jobSpanID(uid)}), jobSpan, trace.WithNewRoot(), trace.WithTimestamp(began),
		trace.WithAttributes(Namespace.String(namespace), Name.String(name), UID.String(string(uid))))
	return span
}

// attempt begins the span of an attempt, as job does for jobs.
func (t *Tracer) attempt(ctx context.Context, of notification.Target, began time.Time) trace.Span {
	ctx = trace.ContextWithSpan(ctx, t.job(ctx, of.Namespace, of.Name, of.UID, time.Time{}))
	_, span := t.tracer.Start(withIDs(ctx, ids{trace: TraceID(of.UID), span: attemptSpanID(of.UID, of.Attempt)}), attemptSpan, trace.WithTimestamp(began),
		trace.WithAttributes(Namespace.String(of.Namespace), Name.String(of.Name), UID.String(string(of.UID)), Attempt.Int(int(of.Attempt))))
	return span
}
