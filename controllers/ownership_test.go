// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// applies stands before the API server's answers to what is applied to a status.
type applies struct {
	n    int
	then func(n int) error // what happens after the nth one was done
}

func (a *applies) client() client.Client {
	return interceptor.NewClient(env.Client, interceptor.Funcs{
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, apply runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			if err := c.SubResource(sub).Apply(ctx, apply, opts...); err != nil || a.then == nil {
				return err
			}
			a.n++
			return a.then(a.n)
		},
	})
}

// recorded brings a job to where its record has just said that it runs, so that nobody else has named a condition.
func recorded(t *testing.T, r *JobReconciler) *scope {
	t.Helper()
	ctx := t.Context()
	s := newScope(bareJob(t, env.Namespace(ctx, t, nil), "job"), r.options)
	if err := r.claimAttempt(ctx, s, testProvider()); err != nil {
		t.Fatal(err)
	}
	if err := r.takeUp(ctx, s, testProvider()); err != nil {
		t.Fatal(err)
	}
	if err := r.recordAs(ctx, s, testProvider(), "remote1", runningSince(time.Now())); err != nil {
		t.Fatal(err)
	}
	return newScope(get(t, s.job), r.options)
}

// wantRecord records a job, which must end, and be there then.
func wantRecord(t *testing.T, r *JobReconciler, s *scope, id string) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- r.record(t.Context(), s, testProvider(), id) }()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, errReloaded) {
			t.Errorf("the record ends with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the record does not end")
	}
	if got := get(t, s.job).Status; got.RemoteJob == nil || valueOf(got.RemoteJob.ID) != id || readyCondition(got.Conditions) == nil {
		t.Errorf("after the record of %s, the status is %+v", id, got)
	}
}

// TestOwner_laterClaim records what a claim says that somebody has written by hand into a job that runs.
func TestOwner_laterClaim(t *testing.T) {
	t.Parallel()
	r := step(t, env.Client)
	s := recorded(t, r)
	claim := *s.claim
	claim.Attempt, claim.JobID = 2, "other"
	annotation, err := claim.Annotation()
	if err != nil {
		t.Fatal(err)
	}
	s.job.Annotations[notification.ClaimAnnotation] = annotation
	if err := env.Client.Update(t.Context(), s.job); err != nil {
		t.Fatal(err)
	}
	wantRecord(t, r, newScope(get(t, s.job), r.options), "other")
}

// TestOwner_recordWiped records again what somebody has taken out of the status of a job that runs.
func TestOwner_recordWiped(t *testing.T) {
	t.Parallel()
	r := step(t, env.Client)
	s := recorded(t, r)
	live := get(t, s.job)
	live.Status.RemoteJob, live.Status.Attempt = nil, nil
	if err := env.Client.Status().Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	wantRecord(t, r, newScope(live, r.options), "remote1")
}

// TestOwner_attemptFails has an attempt fail whose state the record has told, and something go wrong at either write of that: the failure is told
// once, and the state of a job that is no more does not stay.
func TestOwner_attemptFails(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]struct {
		write int
		what  func(t *testing.T, s *scope) error
	}{
		"nothing":                    {0, nil},
		"answer of the release lost": {1, func(*testing.T, *scope) error { return errors.New("unexpected EOF") }},
		"answer of the failure lost": {2, func(*testing.T, *scope) error { return errors.New("unexpected EOF") }},
		"somebody writes in between": {1, label},
		"somebody writes after both": {2, label},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := &applies{}
			r := step(t, answers.client())
			s := recorded(t, r)
			answers.then = func(n int) error {
				if n == wrong.write {
					return wrong.what(t, s)
				}
				return nil
			}
			for range 3 { // passes, until nothing is left to do
				pass := newScope(get(t, s.job), r.options)
				err := error(&failure{reason: v1alpha1.ReasonRemoteJobLost, message: "m", retryable: true})
				if valueOf(pass.status.FailedAttempts) > 0 {
					err = r.backOff(pass)
				}
				v, err := pass.judge(verdict{}, err)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.applyStatus(t.Context(), pass, v); err != nil {
					t.Logf("a pass ends with %v", err)
				}
			}
			if told := r.recorder.(*events.FakeRecorder).Events; len(told) != 1 {
				t.Errorf("%d events, want one of the failure", len(told))
			}
			if live := get(t, s.job).Status; live.RemoteJob.State != nil || valueOf(live.FailedAttempts) != 1 {
				t.Errorf("%d attempts have failed, and the state of the last one is %q", valueOf(live.FailedAttempts), valueOf(live.RemoteJob.State))
			}
		})
	}
}

// label writes the object, as somebody else does.
func label(t *testing.T, s *scope) error {
	t.Helper()
	live := get(t, s.job)
	live.Labels = map[string]string{"somebody": "else"}
	if err := env.Client.Update(t.Context(), live); err != nil {
		t.Error(err)
	}
	return nil
}

// TestOwner_changedMeanwhile has a job change while the answer to a write gets lost: the pass must not rest on what it has not seen.
func TestOwner_changedMeanwhile(t *testing.T) {
	t.Parallel()
	answers := &applies{}
	r := step(t, answers.client())
	s := recorded(t, r)
	answers.then = func(int) error {
		live := get(t, s.job)
		live.Spec.Suspend = ptr.To(true)
		if err := env.Client.Update(t.Context(), live); err != nil {
			t.Error(err)
		}
		return errors.New("unexpected EOF")
	}
	_, wakes := r.rests.left(s.job, s.now())
	v := s.running(5 * time.Minute)
	v.message = "changed"
	if err := r.applyStatus(t.Context(), s, v); err != nil {
		t.Fatal(err)
	}
	r.rests.begin(s.job, s.now().Add(v.after), wakes) // as the pass does
	if left, _ := r.rests.left(get(t, s.job), s.now()); left > 0 {
		t.Errorf("the job rests for %s although it was suspended", left)
	}
}
