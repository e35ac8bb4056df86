// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// TestRests checks what ends a rest, and that nothing else does.
func TestRests(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(*v1alpha1.TranscriptionJob, *rests)
		rests  bool
	}{
		"nothing": {func(*v1alpha1.TranscriptionJob, *rests) {}, true},
		"own status": {func(j *v1alpha1.TranscriptionJob, _ *rests) {
			j.Status.Conditions = []metav1.Condition{{Type: "Ready"}}
		}, true},
		"a label":       {func(j *v1alpha1.TranscriptionJob, _ *rests) { j.Labels = map[string]string{"a": "b"} }, true},
		"the spec":      {func(j *v1alpha1.TranscriptionJob, _ *rests) { j.Generation++ }, false},
		"the claim":     {func(j *v1alpha1.TranscriptionJob, _ *rests) { j.Annotations[notification.ClaimAnnotation] = "" }, false},
		"the finalizer": {func(j *v1alpha1.TranscriptionJob, _ *rests) { j.Finalizers = []string{"a"} }, false},
		"a notification": {func(j *v1alpha1.TranscriptionJob, _ *rests) {
			j.Status.Notification = &v1alpha1.Notification{JobID: "a"}
		}, false},
		"a transcript": {func(j *v1alpha1.TranscriptionJob, _ *rests) {
			j.Status.Transcripts = make([]v1alpha1.StoredTranscript, 1)
		}, false},
		"a record":           {func(j *v1alpha1.TranscriptionJob, _ *rests) { j.Status.RemoteJob = &v1alpha1.RemoteJob{ID: new("a")} }, false},
		"being woken":        {func(j *v1alpha1.TranscriptionJob, rs *rests) { rs.wake(j.UID) }, false},
		"another job, woken": {func(_ *v1alpha1.TranscriptionJob, rs *rests) { rs.wake("another") }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rs := newRests()
			job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{UID: "a", Annotations: map[string]string{notification.ClaimAnnotation: "x"}}}
			_, wakes := rs.left(job, now)
			rs.begin(job, now.Add(time.Minute), wakes)
			c.change(job, rs)
			if left, _ := rs.left(job, now); (left > 0) != c.rests {
				t.Errorf("%s are left, want a rest: %v", left, c.rests)
			}
			if left, _ := rs.left(job, now.Add(time.Hour)); left > 0 {
				t.Error("the rest does not end")
			}
		})
	}
}

// TestRests_wokenInItsCourse wakes a job while a pass over it is under way: the pass may not have seen why, and must not put the
// job to rest.
func TestRests_wokenInItsCourse(t *testing.T) {
	t.Parallel()
	now := time.Now()
	rs := newRests()
	job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{UID: "a"}}
	_, wakes := rs.left(job, now)
	rs.wake(job.UID)
	rs.begin(job, now.Add(time.Hour), wakes)
	if left, _ := rs.left(job, now); left > 0 {
		t.Errorf("the job rests for %s", left)
	}
}

// TestEvents_flapping has a trouble of the provider come and go, which is told once an hour; another one is told at once.
func TestEvents_flapping(t *testing.T) {
	t.Parallel()
	job := bareJob(t, env.Namespace(t.Context(), t, nil), "job")
	r := step(t, env.Client)
	clock := clocktesting.NewFakeClock(time.Now())
	r.options.Clock = clock
	told := r.recorder.(*events.FakeRecorder).Events
	apply := func(v verdict) {
		t.Helper()
		if err := r.applyStatus(t.Context(), newScope(get(t, job), r.options), v); err != nil {
			t.Fatal(err)
		}
	}
	flap := func(message string, want int) {
		t.Helper()
		for range 3 {
			apply(verdict{reason: v1alpha1.ReasonProviderUnavailable, message: message})
			apply(verdict{reason: v1alpha1.ReasonRunning, message: "m"})
			clock.Step(10 * time.Second)
		}
		if len(told) != want {
			t.Errorf("%s, again and again: %d events in all, want %d", message, len(told), want)
		}
	}
	flap("503", 1)
	flap("502", 2)
	clock.Step(newsAge)
	flap("502", 3)
	r.forget(job.UID)
	flap("502", 4)
}
