// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

func suspend(j *v1alpha1.TranscriptionJob) { j.Spec.Suspend = ptr.To(true) }
func resume(j *v1alpha1.TranscriptionJob)  { j.Spec.Suspend = nil }

// runsOn is what the message of a suspended job says that runs on.
const runsOn = "spec.suspend does not stop what is at Speechmatics already"

// awaitMessage waits until Ready's message says something.
func (w *world) awaitMessage(job *v1alpha1.TranscriptionJob, part string) {
	w.t.Helper()
	w.eventually(job.Name+" says "+part, func() (bool, string) {
		w.get(job)
		ready := readyCondition(job.Status.Conditions)
		return ready != nil && strings.Contains(ready.Message, part), ready.Message
	})
}

func (w *world) wantSuspended(job *v1alpha1.TranscriptionJob, want bool) {
	w.t.Helper()
	w.get(job)
	if got := meta.IsStatusConditionTrue(job.Status.Conditions, v1alpha1.ConditionSuspended); got != want {
		w.t.Errorf("%s: the condition Suspended is %v, want %v", job.Name, got, want)
	}
}

// TestSuspend_whereItStops suspends jobs with nothing at the provider: none is submitted before it is resumed.
func TestSuspend_whereItStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Second), withFaults(
		simulator.Fault{Kind: simulator.FaultReject, Title: "retrying", Message: "Internal Server Error", Count: 1}))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(1))}
	})
	retrying := w.job("retrying", titled, deadlineOf(600))
	w.awaitRecord(retrying)
	waiting := w.job("waiting")
	w.awaitReason(waiting, v1alpha1.ReasonWaiting)
	update(w, waiting, suspend)
	w.awaitReason(waiting, v1alpha1.ReasonSuspended)
	update(w, retrying, suspend)
	w.awaitMessage(retrying, runsOn)
	w.wantSuspended(retrying, false)

	w.awaitReason(retrying, v1alpha1.ReasonSuspended) // its attempt has failed, and no other one follows
	started := retrying.Status.StartTime.DeepCopy()
	w.consistently("both stay", func() (bool, string) { return w.submissions(retrying) == 1 && w.submissions(waiting) == 0, "" })
	for _, job := range []*v1alpha1.TranscriptionJob{retrying, waiting} {
		w.wantSuspended(job, true)
	}
	update(w, retrying, resume)
	update(w, waiting, resume)
	for _, job := range []*v1alpha1.TranscriptionJob{retrying, waiting} {
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.wantSuspended(job, false)
	}
	w.wantSubmissions(retrying, 2)
	w.wantSubmissions(waiting, 1)
	if !started.Before(retrying.Status.StartTime) {
		t.Errorf("the clock was not restarted: started %s, then %s", started, retrying.Status.StartTime)
	}
}

// TestSuspend_whatRunsOn suspends jobs that are, or may be, at the provider: they go on to their end and say so.
func TestSuspend_whatRunsOn(t *testing.T) {
	t.Parallel()
	window := func(o *Options) { o.SubmissionWindow = 5 * time.Second } // which is how long the outcome stays unknown
	w := newWorld(t, withoutCallbacks(), withProcessing(5*time.Second), withOptions(window), withFaults(
		simulator.Fault{Kind: simulator.FaultResponseLost, Title: "uncertain", Count: 1, Operation: simulator.OperationCreate}))
	w.account()
	running, uncertain, unstored := w.job("running"), w.job("uncertain", titled), w.job("unstored")
	w.awaitRecord(unstored)
	inTheWay := w.blockStore(unstored)
	w.awaitReason(running, v1alpha1.ReasonRunning)
	w.awaitReason(uncertain, v1alpha1.ReasonSubmissionUnknown)
	jobs := []*v1alpha1.TranscriptionJob{running, uncertain, unstored}
	for _, job := range jobs {
		update(w, job, suspend)
	}
	for _, job := range jobs {
		w.awaitMessage(job, runsOn)
		w.wantSuspended(job, false)
	}
	w.awaitReason(unstored, v1alpha1.ReasonConfigMapConflict)
	w.delete(inTheWay)
	for _, job := range jobs {
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.wantSubmissions(job, 1)
	}
	// Suspending what has finished changes nothing.
	update(w, running, func(j *v1alpha1.TranscriptionJob) { j.Spec.Priority = ptr.To(int32(1)) })
	w.eventually("the change is seen", func() (bool, string) {
		w.get(running)
		return *running.Status.ObservedGeneration == running.Generation, ""
	})
	w.wantSuspended(running, false)
}

// TestSuspend_didNotArrive suspends a job whose submission is uncertain, and turns out not to have arrived: it is not submitted again.
func TestSuspend_didNotArrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withFaults(neverArrived))
	w.account()
	job := w.job("job", deadlineOf(600))
	w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown)
	update(w, job, suspend)
	w.awaitReason(job, v1alpha1.ReasonSuspended)
	w.wantSubmissions(job, 0)
	update(w, job, resume)
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
}

// TestSuspend_deadline has the clock stand still while nothing is at the provider.
func TestSuspend_deadline(t *testing.T) {
	t.Parallel()
	now := &shiftedClock{}
	w := newWorld(t, withClock(now), withFaults(simulator.Fault{Kind: simulator.FaultReject, Message: "Internal Server Error", Count: 1}))
	w.account()
	job := w.job("job", deadlineOf(60), suspend)
	w.awaitReason(job, v1alpha1.ReasonSuspended)
	now.pass(time.Hour)
	update(w, job, resume)
	w.awaitReason(job, v1alpha1.ReasonComplete)

	held := w.job("held", deadlineOf(1), suspend, func(j *v1alpha1.TranscriptionJob) {
		j.Annotations = map[string]string{notification.ClaimAnnotation: job.Annotations[notification.ClaimAnnotation]}
	})
	w.awaitReason(held, v1alpha1.ReasonClaimedByAnotherObject)
	w.wantSuspended(held, false)
	update(w, held, func(j *v1alpha1.TranscriptionJob) { delete(j.Annotations, notification.ClaimAnnotation) })
	w.awaitReason(held, v1alpha1.ReasonSuspended)
	w.wantSubmissions(held, 0)
}
