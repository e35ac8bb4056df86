// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/transcription-operator/transcription-operator/internal/tracing"
)

// Names of the receiver's spans.
const (
	spanReceive      = "receive notification"
	spanLookup       = "look up job"
	spanReadBody     = "read body"
	spanReadDocument = "read document"
	spanStore        = "store transcripts"
	spanRecord       = "record in status"
)

// begin begins the span of a notification whose token is good: others make none, so that nobody can write into a job's trace, or fill
// somebody's collector.
func (d *door) begin(ctx context.Context, v *visit) context.Context {
	if !d.tracer.On() {
		return ctx
	}
	ctx, v.span = d.tracer.Start(ctx, v.notice.target, spanReceive, trace.SpanKindServer, v.started)
	return ctx
}

// end ends the span of a notification, if it has one.
func (v *visit) end(res result, refused *refusal) {
	if v.span == nil || !v.span.IsRecording() {
		return
	}
	attributes := []attribute.KeyValue{tracing.Source.String(string(v.notice.source)), tracing.Result.String(string(res)), tracing.RemoteJob.String(v.notice.jobID)}
	if v.body != nil {
		attributes = append(attributes, tracing.Bytes.Int64(v.body.n))
	}
	v.span.SetAttributes(attributes...)
	if refused != nil {
		v.span.SetStatus(codes.Error, string(res))
	}
	v.span.End()
}

// endSpan ends the span of a step. Why it failed is in the log.
func endSpan(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, string(asRefusal(err).result))
	}
	span.End()
}
