// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/internal/tracing"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// keptSpans is how many spans a world keeps. No story has as many; tests with thousands of jobs look at none.
const keptSpans = 10_000

// spanLog keeps the spans that a world's programs make, each with a tracer of its own.
type spanLog struct {
	mu    sync.Mutex
	spans []sdktrace.ReadOnlySpan
	full  bool
}

func (l *spanLog) tracer() *tracing.Tracer { return tracing.New(sdktrace.WithSpanProcessor(l)) }

// OnEnd implements sdktrace.SpanProcessor.
func (l *spanLog) OnEnd(s sdktrace.ReadOnlySpan) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full = l.full || len(l.spans) == keptSpans; l.full {
		l.spans = nil
		return
	}
	l.spans = append(l.spans, s)
}

func (l *spanLog) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (l *spanLog) Shutdown(context.Context) error                  { return nil }
func (l *spanLog) ForceFlush(context.Context) error                { return nil }

// text is everything that the spans say.
func (l *spanLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, err := json.Marshal(tracetest.SpanStubsFromReadOnlySpans(l.spans))
	if err != nil {
		panic(err)
	}
	return string(text)
}

// all are the spans so far.
func (l *spanLog) all() []sdktrace.ReadOnlySpan {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.spans)
}

// of are the spans of one job's trace.
func (l *spanLog) of(uid types.UID) []sdktrace.ReadOnlySpan {
	return slices.DeleteFunc(l.all(), func(s sdktrace.ReadOnlySpan) bool { return s.SpanContext().TraceID() != tracing.TraceID(uid) })
}

// checkTrace waits until the trace of a job that has finished has the job's span, which is made after the status was written. Not every
// story can be held to that: at their ends, their managers are stopped.
func (w *world) checkTrace(job *v1alpha1.TranscriptionJob) {
	w.t.Helper()
	w.eventually("job "+job.Name+" has a trace", func() (bool, string) {
		spans := w.spans.of(job.UID)
		names := make([]string, 0, len(spans))
		for _, s := range spans {
			names = append(names, s.Name())
		}
		return slices.Contains(names, "transcription job"), strings.Join(names, ", ")
	})
}

// attributeOf is an attribute of a span as a text; empty if it has none.
func attributeOf(s sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, a := range s.Attributes() {
		if a.Key == key {
			return a.Value.String()
		}
	}
	return ""
}

// labelOf describes a span in a tree.
func labelOf(s sdktrace.ReadOnlySpan) string {
	label := s.Name()
	for _, key := range []attribute.Key{tracing.Attempt, tracing.Reason, tracing.Source, tracing.Result, tracing.Format} {
		if value := attributeOf(s, key); value != "" {
			label += " " + value
		}
	}
	if s.Status().Code == codes.Error {
		label += "!"
	}
	return label
}

// tree is a job's trace: what is below what, each kind once.
func (w *world) tree(job *v1alpha1.TranscriptionJob) []string {
	w.t.Helper()
	spans := w.spans.of(job.UID)
	byID := map[trace.SpanID]sdktrace.ReadOnlySpan{}
	for _, s := range spans {
		byID[s.SpanContext().SpanID()] = s
	}
	var tree []string
	for _, s := range spans {
		path := labelOf(s)
		for parent := s.Parent(); parent.IsValid(); {
			above := byID[parent.SpanID()]
			if above == nil {
				w.t.Fatalf("job %s: the span above %q is not there", job.Name, path)
			}
			path, parent = labelOf(above)+" / "+path, above.Parent()
		}
		tree = append(tree, path)
	}
	slices.Sort(tree)
	return slices.Compact(tree)
}

// TestTrace follows jobs through manager, provider and webhook receiver, on all ways that they go: where notifications come, and where the
// manager has to look. One provider's clock is behind, the other's ahead, which moves no span out of the job's time.
func TestTrace(t *testing.T) {
	t.Parallel()
	notified := newWorld(t, withClockOffset(-5*time.Minute), withOptions(func(o *Options) { o.PollInterval = time.Minute }), withFaults(
		simulator.Fault{Kind: simulator.FaultReject, Title: "retried", Message: "Language identification failed", Count: 1},
		simulator.Fault{Kind: simulator.FaultReject, Title: "hopeless", Message: "the moon is wrong"},
	))
	polled := newWorld(t, withClockOffset(5*time.Minute), withoutCallbacks(), withFaults(
		simulator.Fault{Kind: simulator.FaultResponseLost, Title: "unanswered", Operation: simulator.OperationCreate, Count: 1},
	))
	const (
		complete = "transcription job Complete"
		first    = complete + " / attempt 1 Complete"
		second   = complete + " / attempt 2 Complete"
		retried  = complete + " / attempt 1 Retrying!"
		failed   = "transcription job Rejected!"
		hopeless = failed + " / attempt 1 Rejected!"
		written  = " / write status"
		read     = first + " / receive notification Callback stored / read document"
		collect  = first + " / collect transcripts"
	)
	submitted := func(attempt string) []string {
		return []string{attempt, attempt + " / wait for admission", attempt + " / claim", attempt + " / submit created", attempt + " / record submission", attempt + " / provider works"}
	}
	lost := []string{first, first + " / wait for admission", first + " / claim", first + " / submit unknown!", first + " / find submission", first + " / record submission", first + " / provider works"}
	received := func(attempt, source string) []string {
		receive := attempt + " / receive notification " + source + " stored"
		return []string{receive, receive + " / look up job", receive + " / read body", receive + " / store transcripts", receive + " / record in status"}
	}
	cases := []struct {
		w    *world
		name string
		want [][]string
	}{
		{notified, "notified", [][]string{{complete}, submitted(first), received(first, "Callback"), {read, read + " / look up job", first + written}}},
		{notified, "retried", [][]string{{complete}, submitted(retried), submitted(second), received(second, "Callback"), {second + written}}},
		{notified, "hopeless", [][]string{{failed}, submitted(hopeless)}},
		{polled, "polled", [][]string{{complete}, submitted(first), {collect, collect + " / fetch transcript txt"}, received(first, "Delivery"), {first + written}}},
		{polled, "unanswered", [][]string{{complete}, lost, {collect, collect + " / fetch transcript txt"}, received(first, "Delivery"), {first + written}}},
	}
	notified.account()
	polled.account()
	jobs := make([]*v1alpha1.TranscriptionJob, len(cases))
	for i, c := range cases {
		jobs[i] = c.w.job(c.name, titled, func(j *v1alpha1.TranscriptionJob) {
			if c.name == "notified" {
				j.Spec.Transcripts.Formats = []v1alpha1.TranscriptFormat{v1alpha1.FormatJSONv2}
			}
		})
	}
	for i, c := range cases {
		w, job := c.w, jobs[i]
		w.awaitReason(job, v1alpha1.ReasonComplete, v1alpha1.ReasonRejected)
		w.checkTrace(job)
		got := slices.DeleteFunc(w.tree(job), func(path string) bool {
			// The provider notifies of rejections, too, before or after the manager has seen them; and a claim may meet a conflict.
			return strings.Contains(path, " / receive notification Callback recorded") || strings.HasSuffix(path, " / claim!")
		})
		want := slices.Concat(c.want...)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: spans (-want +got):\n%s", c.name, diff)
		}
		w.checkTimes(job)
	}
	made := map[string]bool{}
	for _, w := range []*world{notified, polled} {
		for _, s := range w.spans.all() {
			made[s.Name()] = true
		}
	}
	if diff := cmp.Diff(documentedSpans(t), made); diff != "" {
		t.Errorf("spans in docs/tracing.md (-documented +made):\n%s", diff)
	}
}

// documentedSpans are the names in the tree of docs/tracing.md.
func documentedSpans(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "tracing.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, tree, _ := strings.Cut(string(page), "\n```\ntranscription job ")
	tree, _, _ = strings.Cut(tree, "\n```")
	names := map[string]bool{"transcription job": true}
	for line := range strings.Lines(tree) {
		if _, after, ok := strings.Cut(line, "─ "); ok {
			name, _, _ := strings.Cut(strings.TrimSpace(after), "  ")
			names[name] = true
		}
	}
	return names
}

// withClockOffset has the provider's clock be wrong.
func withClockOffset(d time.Duration) worldOption {
	return func(_ *world, o *simulator.Options) { o.ClockOffset = d }
}

// checkTimes checks that the spans of a job end after they begin, and lie within the job's: the provider's clock is off by more than the write of
// the job's end can take.
func (w *world) checkTimes(job *v1alpha1.TranscriptionJob) {
	w.t.Helper()
	spans := w.spans.of(job.UID)
	for _, s := range spans {
		label := fmt.Sprintf("job %s: %s, %s to %s,", job.Name, labelOf(s), s.StartTime().Format(time.RFC3339Nano), s.EndTime().Format(time.RFC3339Nano))
		if s.EndTime().Before(s.StartTime()) {
			w.t.Errorf("%s ends before it begins", label)
		}
		if s.StartTime().Before(job.CreationTimestamp.Time) || s.EndTime().After(job.Status.CompletionTime.Add(time.Minute)) {
			w.t.Errorf("%s is not within the job's time, %s to %s", label, job.CreationTimestamp, job.Status.CompletionTime)
		}
	}
}

// TestTrace_restart has the manager be replaced while the provider works: the trace goes on.
func TestTrace_restart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(2*time.Second))
	w.account()
	job := w.job("restarted")
	w.awaitRecord(job)
	w.restartManager()
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.checkTrace(job)
	spans := w.spans.of(job.UID)
	count := map[string]int{}
	for _, s := range spans {
		count[s.Name()]++
		if provider := s.EndTime().Sub(s.StartTime()); s.Name() == spanProvider && (provider < time.Second || provider > time.Minute) {
			t.Errorf("the provider works for %s, want some two seconds", provider)
		}
	}
	for _, name := range []string{"transcription job", "attempt", spanSubmit, spanProvider, "receive notification", spanStatus} {
		if count[name] != 1 {
			t.Errorf("%d spans %q, want one: %v", count[name], name, count)
		}
	}
	w.tree(job) // which holds together
}

// TestTrace_deleted has a job be deleted before it has finished.
func TestTrace_deleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Minute))
	w.account()
	job := w.job("deleted")
	w.awaitReason(job, v1alpha1.ReasonRunning)
	w.delete(job)
	w.awaitGone(job)
	w.eventually("the job's span is there", func() (bool, string) {
		spans := w.spans.of(job.UID)
		return slices.ContainsFunc(spans, func(s sdktrace.ReadOnlySpan) bool { return labelOf(s) == "transcription job Deleted" }), fmt.Sprint(len(spans))
	})
}

// TestTrace_isFound finds a job's trace by the command in docs/tracing.md.
func TestTrace_isFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job("standup")
	var found strings.Builder
	env.Shell(t, w.namespace, testenv.Documented(t, "docs/tracing.md", "sha256sum"), &found)
	if want := tracing.TraceID(job.UID).String(); strings.TrimSpace(found.String()) != want {
		t.Errorf("the trace is %s, the command says %s", want, &found)
	}
	w.awaitReason(job, v1alpha1.ReasonAccountNotFound)
}

// TestTrace_inLogs checks that both programs' logs say which trace a job has.
func TestTrace_inLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("logged")
	w.awaitReason(job, v1alpha1.ReasonComplete)
	id := tracing.TraceID(job.UID).String()
	for _, line := range []string{"Submitted", "Notification processed"} {
		w.eventually("the log has "+line, func() (bool, string) {
			for logged := range strings.Lines(w.logs.String()) {
				if strings.Contains(logged, line) && strings.Contains(logged, id) {
					return true, ""
				}
			}
			return false, w.logs.String()
		})
	}
}
