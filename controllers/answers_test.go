// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// TestTrap_answersLost has the API server do every write and answer none of the first ones. What follows from the writes is told once all the same:
// counts and events. Of a write that was not done, nothing is.
func TestTrap_answersLost(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	lost, arrives := 1, true
	answer := func() error { return errors.New("unexpected EOF") }
	r := step(t, interceptor.NewClient(env.Client, interceptor.Funcs{
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, apply runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			if arrives {
				if err := c.SubResource(sub).Apply(ctx, apply, opts...); err != nil {
					return err
				}
			}
			if lost--; lost >= 0 {
				return answer()
			}
			return nil
		},
	}))
	first := newScope(job, r.options)
	if err := r.claimAttempt(ctx, first, testProvider()); err != nil {
		t.Fatal(err)
	}
	if err := r.record(ctx, first, testProvider(), "remote1"); !errors.Is(err, errReloaded) {
		t.Fatalf("the record ends with %v", err)
	}

	complete := func(s *scope) error {
		s.remote().State, s.remote().AudioDuration = new(v1alpha1.RemoteDone), &metav1.Duration{Duration: 90 * time.Second}
		return r.applyStatus(ctx, s, verdict{ending: completed, reason: v1alpha1.ReasonComplete, message: "m"})
	}
	for name, err := range map[string]error{
		"not written": errors.New("connection refused"), "refused": apierrors.NewTooManyRequests("later", 1), "conflict": apierrors.NewConflict(schema.GroupResource{}, "job", nil),
	} {
		lost, arrives, answer = 1, false, func() error { return err }
		if got := complete(newScope(get(t, job), r.options)); !errors.Is(got, err) {
			t.Errorf("%s: the write ends with %v", name, got)
		}
	}
	if n := valueOfCounter(t, r.metrics.finished.WithLabelValues(v1alpha1.ReasonComplete)); n != 0 {
		t.Errorf("%g ends are counted of a job that has not ended", n)
	}
	lost, arrives, answer = 1, true, func() error { return apierrors.NewTimeoutError("etcdserver: request timed out", 0) }
	r.options.Clock = clocktesting.NewFakeClock(time.Now()) // so that the same is written again
	s, stale := newScope(get(t, job), r.options), newScope(get(t, job), r.options)
	if err := complete(s); err != nil {
		t.Fatal(err)
	}
	if err := complete(stale); !apierrors.IsConflict(err) {
		t.Errorf("what a pass has written is written again from an older object: %v", err)
	}
	if diff := cmp.Diff(get(t, job), s.job); diff != "" {
		t.Errorf("the pass goes on with another object than there is (-there +pass):\n%s", diff)
	}
	if err := complete(newScope(get(t, job), r.options)); err != nil {
		t.Fatal(err)
	}
	labels := r.metrics.spending.labels(job, nil)
	for what, counter := range map[string]struct {
		prometheus.Counter
		want float64
	}{
		"submissions": {r.metrics.spending.submissions.WithLabelValues(labels...), 1}, "seconds of audio": {r.metrics.spending.audio.WithLabelValues(labels...), 90},
		"ends": {r.metrics.finished.WithLabelValues(v1alpha1.ReasonComplete), 1},
	} {
		if got := valueOfCounter(t, counter); got != counter.want {
			t.Errorf("%g %s are counted, want %g", got, what, counter.want)
		}
	}
	if told := r.recorder.(*events.FakeRecorder).Events; len(told) != 1 {
		t.Errorf("%d events, want one", len(told))
	}
}

func valueOfCounter(t *testing.T, counter prometheus.Counter) float64 {
	t.Helper()
	var metric dto.Metric
	if err := counter.Write(&metric); err != nil {
		t.Fatal(err)
	}
	return metric.GetCounter().GetValue()
}

// uncleanable is a job that is being deleted, and that is at a provider whose account is gone.
func uncleanable(t *testing.T, r *JobReconciler) *v1alpha1.TranscriptionJob {
	t.Helper()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	if err := r.claimAttempt(ctx, newScope(job, r.options), testProvider()); err != nil {
		t.Fatal(err)
	}
	if err := r.record(ctx, newScope(get(t, job), r.options), testProvider(), "remote1"); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Delete(ctx, job); err != nil {
		t.Fatal(err)
	}
	return job
}

// TestTrap_releaseMeetsConflict lets go of a job that cannot be cleaned up, and has the first try meet a conflict: one job counts as left.
func TestTrap_releaseMeetsConflict(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conflicts := 0
	r := step(t, interceptor.NewClient(env.Client, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if conflicts--; conflicts >= 0 {
				return apierrors.NewConflict(schema.GroupResource{}, object.GetName(), nil)
			}
			return c.Patch(ctx, object, patch, opts...)
		},
	}))
	job := uncleanable(t, r)
	conflicts = 1
	if _, err := r.reconcileDeletion(ctx, newScope(get(t, job), r.options)); !apierrors.IsConflict(err) {
		t.Fatalf("the first try ends with %v", err)
	}
	if n := valueOfCounter(t, r.metrics.uncleaned); n != 0 {
		t.Errorf("%g jobs count as left while the object is there", n)
	}
	if _, err := r.reconcileDeletion(ctx, newScope(get(t, job), r.options)); err != nil {
		t.Fatal(err)
	}
	if n := valueOfCounter(t, r.metrics.uncleaned); n != 1 {
		t.Errorf("%g jobs count as left, want 1", n)
	}
}

// TestTrap_releaseAnswerLost has the release done and nobody say so: the job counts as left at the provider all the same.
func TestTrap_releaseAnswerLost(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	lost := 0
	r := step(t, interceptor.NewClient(env.Client, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if err := c.Patch(ctx, object, patch, opts...); err != nil {
				return err
			}
			if lost--; lost >= 0 {
				return errors.New("unexpected EOF")
			}
			return nil
		},
	}))
	job := uncleanable(t, r)
	lost = 1
	if _, err := r.reconcileDeletion(ctx, newScope(get(t, job), r.options)); err != nil {
		t.Errorf("the release ends with %v", err)
	}
	if n := valueOfCounter(t, r.metrics.uncleaned); n != 1 {
		t.Errorf("%g jobs count as left, want 1", n)
	}
}
