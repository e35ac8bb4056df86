// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strconv"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
)

// TraceID is the ID of the trace of the job with a UID: the first half of the UID's SHA-256. The UID itself has the right length, but some
// of its bits are the same in all UUIDs, and samplers choose by the bits: TraceIDRatioBased would take none below one half.
func TraceID(uid types.UID) trace.TraceID {
	sum := sha256.Sum256([]byte(uid))
	return trace.TraceID(sum[:16])
}

// jobSpanID is the ID of the span of a whole job.
func jobSpanID(uid types.UID) trace.SpanID { return spanID(string(uid) + "/job") }

// attemptSpanID is the ID of the span of one of its attempts.
func attemptSpanID(uid types.UID, attempt int32) trace.SpanID {
	return spanID(string(uid) + "/" + strconv.Itoa(int(attempt)))
}

func spanID(of string) trace.SpanID {
	sum := sha256.Sum256([]byte(of))
	return trace.SpanID(sum[:8])
}

// ids are the IDs of a span that is to have certain ones.
type ids struct {
	trace trace.TraceID
	span  trace.SpanID
}

type idsKey struct{}

// withIDs gives the next span that is started with the context its IDs. The context is for nothing else: every span that is started with it
// gets the same.
func withIDs(ctx context.Context, i ids) context.Context { return context.WithValue(ctx, idsKey{}, i) }

// generator gives spans the IDs that the context says, and random ones otherwise.
type generator struct{}

// NewIDs implements sdktrace.IDGenerator.
func (generator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if i, ok := ctx.Value(idsKey{}).(ids); ok {
		return i.trace, i.span
	}
	var id trace.TraceID
	_, _ = rand.Read(id[:]) // never fails
	return id, randomSpanID()
}

// NewSpanID implements sdktrace.IDGenerator.
func (generator) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if i, ok := ctx.Value(idsKey{}).(ids); ok {
		return i.span
	}
	return randomSpanID()
}

func randomSpanID() trace.SpanID {
	var id trace.SpanID
	_, _ = rand.Read(id[:]) // never fails
	return id
}
