// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/notification"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func target(uid types.UID, attempt int32) notification.Target {
	return notification.Target{Namespace: "ns", Name: "standup", UID: uid, Attempt: attempt}
}

const someUID = types.UID("0f2d4c57-2f0a-4d5e-9d0a-2f3b1c9d7e11")

// TestTraceID holds the ID to what the documentation has people compute: the beginning of `sha256sum` of the UID.
func TestTraceID(t *testing.T) {
	t.Parallel()
	if got, want := TraceID(someUID).String(), "084674e2031a942e892acf444521f3f7"; got != want {
		t.Errorf("the trace's ID is %s, want %s", got, want)
	}
}

// TestOneTrace has three processes, that know nothing of each other, make the spans of one job, and looks whether they are one tree.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	process := func() *Tracer { return New(sdktrace.WithSpanProcessor(recorder)) }
	first, receiver, second := process(), process(), process()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

	_, span := first.Start(t.Context(), target(someUID, 1), "submit", trace.SpanKindClient, time.Time{})
	span.End()
	first.EndAttempt(target(someUID, 1), End{Began: now, Ended: now.Add(time.Second), Reason: "Retrying", Failed: true})
	ctx, span := receiver.Start(t.Context(), target(someUID, 2), "receive", trace.SpanKindServer, now)
	_, child := receiver.Child(ctx, "store")
	child.End()
	span.End()
	second.Period(target(someUID, 2), "provider works", now, now.Add(time.Minute))
	second.EndAttempt(target(someUID, 2), End{Began: now, Ended: now.Add(time.Minute), Reason: "Complete"})
	second.EndJob("ns", "standup", someUID, End{Began: now, Ended: now.Add(time.Hour), Reason: "Complete"})

	paths := map[string]bool{}
	byID := map[trace.SpanID]sdktrace.ReadOnlySpan{}
	for _, s := range recorder.Ended() {
		if _, twice := byID[s.SpanContext().SpanID()]; twice {
			t.Errorf("two spans have the ID of %s", s.Name())
		}
		byID[s.SpanContext().SpanID()] = s
	}
	for _, s := range recorder.Ended() {
		path := s.Name()
		for parent := s.Parent(); parent.IsValid(); parent = byID[parent.SpanID()].Parent() {
			if byID[parent.SpanID()] == nil {
				t.Fatalf("the parent of %s is not there", path)
			}
			path = byID[parent.SpanID()].Name() + " / " + path
		}
		paths[path] = true
		if s.SpanContext().TraceID() != TraceID(someUID) {
			t.Errorf("%s is in another trace", path)
		}
	}
	want := []string{
		"transcription job", "transcription job / attempt", "transcription job / attempt / submit", "transcription job / attempt / receive",
		"transcription job / attempt / receive / store", "transcription job / attempt / provider works",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(paths))); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if len(recorder.Ended()) != len(want)+1 {
		t.Errorf("%d spans, want %d: the job has two attempts", len(recorder.Ended()), len(want)+1)
	}
	for _, s := range recorder.Ended() {
		failed := s.Status().Code == codes.Error
		if first := s.SpanContext().SpanID() == attemptSpanID(someUID, 1); failed != first {
			t.Errorf("%s is an error: %t, want %t", s.Name(), failed, first)
		}
		if s.Name() == jobSpan && (!s.StartTime().Equal(now) || !s.EndTime().Equal(now.Add(time.Hour))) {
			t.Errorf("the job took from %s to %s", s.StartTime(), s.EndTime())
		}
	}
}

// TestSampling checks that as many traces are sampled as the sampler is to take, and each in all processes or in none.
func TestSampling(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		sampler  sdktrace.Sampler
		min, max int
	}{
		{"always_on", sdktrace.AlwaysSample(), 2000, 2000},
		{"always_off", sdktrace.NeverSample(), 0, 0},
		{"traceidratio", sdktrace.TraceIDRatioBased(0.25), 420, 580},
		{"parentbased_traceidratio", sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.25)), 420, 580},
		{"a small ratio", sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.01)), 5, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			managers, receivers := tracetest.NewSpanRecorder(), tracetest.NewSpanRecorder()
			manager := New(sdktrace.WithSampler(c.sampler), sdktrace.WithSpanProcessor(managers))
			receiver := New(sdktrace.WithSampler(c.sampler), sdktrace.WithSpanProcessor(receivers))
			random := rand.NewChaCha8([32]byte{1})
			for range 2000 {
				id, err := uuid.NewRandomFromReader(random)
				if err != nil {
					t.Fatal(err)
				}
				uid := types.UID(id.String())
				manager.EndJob("ns", "standup", uid, End{})
				_, span := receiver.Start(t.Context(), target(uid, 1), "receive", trace.SpanKindServer, time.Time{})
				span.End()
			}
			sampled := traces(managers)
			if n := len(sampled); n < c.min || n > c.max {
				t.Errorf("%d of 2000 traces were sampled, want %d to %d", n, c.min, c.max)
			}
			if diff := cmp.Diff(sampled, traces(receivers)); diff != "" {
				t.Errorf("manager and receiver sample different traces (-manager +receiver):\n%s", diff)
			}
		})
	}
}

func traces(recorder *tracetest.SpanRecorder) map[string]bool {
	sampled := map[string]bool{}
	for _, s := range recorder.Ended() {
		sampled[s.SpanContext().TraceID().String()] = true
	}
	return sampled
}

// TestOff counts what tracing costs that is off: nothing.
func TestOff(t *testing.T) {
	var off *Tracer
	ctx, of := t.Context(), target(someUID, 1)
	allocations := testing.AllocsPerRun(100, func() {
		ctx, span := off.Start(ctx, of, "submit", trace.SpanKindClient, time.Time{})
		_, child := off.Child(ctx, "store")
		child.End()
		span.End()
		off.Period(of, "provider works", time.Time{}, time.Time{})
		off.EndAttempt(of, End{})                        //nolint:contextcheck // the span is made afterwards, and is a child of none that a context has
		off.EndJob(of.Namespace, of.Name, of.UID, End{}) //nolint:contextcheck // the span is made afterwards, and is a child of none that a context has
	})
	if allocations != 0 {
		t.Errorf("tracing that is off allocates %g times", allocations)
	}
	off.Close(t.Context(), logr.Discard())
	if off.On() {
		t.Error("a nil tracer is on")
	}
}

// TestChild_alone checks that a step of nothing makes no span: it would be a trace of its own.
func TestChild_alone(t *testing.T) {
	t.Parallel()
	recorder := tracetest.NewSpanRecorder()
	_, span := New(sdktrace.WithSpanProcessor(recorder)).Child(t.Context(), "look up job")
	span.End()
	if n := len(recorder.Ended()); n != 0 {
		t.Errorf("%d spans, want none", n)
	}
}

// TestClose_bounded has a collector that never answers hold up the end of a program for some seconds only.
func TestClose_bounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tracer := New(sdktrace.WithBatcher(hangingExporter{}))
		tracer.EndJob("ns", "standup", someUID, End{})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		var log strings.Builder
		began := time.Now()
		tracer.Close(ended, funcr.New(func(_, args string) { log.WriteString(args) }, funcr.Options{}))
		if took := time.Since(began); took != closeTimeout {
			t.Errorf("closing took %s, want %s", took, closeTimeout)
		}
		if !strings.Contains(log.String(), "The last spans were not sent") {
			t.Errorf("nothing was said about the spans that were not sent: %s", &log)
		}
		enough, stop := context.WithTimeout(context.Background(), time.Minute) // the SDK's own timeout ends what hangs
		defer stop()
		<-enough.Done()
	})
}

// hangingExporter never gets rid of anything.
type hangingExporter struct{}

func (hangingExporter) ExportSpans(ctx context.Context, _ []sdktrace.ReadOnlySpan) error {
	<-ctx.Done()
	return ctx.Err()
}

func (hangingExporter) Shutdown(context.Context) error { return nil }
