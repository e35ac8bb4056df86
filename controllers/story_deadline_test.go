// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"net/http"
	"strings"
	"testing"
	"time"

	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

func deadlineOf(seconds int64) func(*v1alpha1.TranscriptionJob) {
	return func(j *v1alpha1.TranscriptionJob) { j.Spec.ActiveDeadlineSeconds = &seconds }
}

// wantCancelled waits until a job has failed because its time is over, and checks that nothing of it runs on.
func (w *world) wantCancelled(job *v1alpha1.TranscriptionJob) string {
	w.t.Helper()
	message := w.awaitReason(job, v1alpha1.ReasonDeadlineExceeded)
	w.wantSubmissions(job, 1)
	w.wantRemoteJobs(job, "deleted")
	return message
}

// TestDeadline_running changes deadlines of jobs that run. A new one counts from the start, at once.
func TestDeadline_running(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPatience(), withProcessing(time.Minute)) // so that nothing but the change makes it look
	w.account()
	set, raised, removed := w.job("set"), w.job("raised", deadlineOf(30)), w.job("removed", deadlineOf(30))
	suspended := w.job("suspended", deadlineOf(30), func(j *v1alpha1.TranscriptionJob) { j.Spec.Suspend = ptr.To(false) })
	for _, job := range []*v1alpha1.TranscriptionJob{set, raised, removed, suspended} {
		w.awaitRecord(job)
	}
	update(w, raised, deadlineOf(3600))
	update(w, removed, func(j *v1alpha1.TranscriptionJob) { j.Spec.ActiveDeadlineSeconds = nil })
	update(w, suspended, func(j *v1alpha1.TranscriptionJob) { j.Spec.Suspend = ptr.To(true) })
	update(w, set, deadlineOf(1))
	w.wantCancelled(set)
	w.wantCancelled(suspended) // what runs costs time, suspended or not
	for _, job := range []*v1alpha1.TranscriptionJob{raised, removed} {
		w.get(job)
		if reason := readyCondition(job.Status.Conditions).Reason; reason != v1alpha1.ReasonRunning {
			t.Errorf("%s is %s, want it to run on", job.Name, reason)
		}
	}
}

// TestDeadline_unreachable has the time pass while the provider cannot be asked: the job says what it is about to do, and does it when it can.
func TestDeadline_unreachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute))
	w.account()
	running, vanished := w.job("running"), w.job("vanished")
	w.awaitRecord(running)
	lost := w.awaitRecord(vanished)
	if err := w.simulator.SetFaults(
		simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationGet, Status: http.StatusServiceUnavailable},
		simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationList, Status: http.StatusServiceUnavailable},
	); err != nil {
		t.Fatal(err)
	}
	for _, job := range []*v1alpha1.TranscriptionJob{running, vanished} {
		update(w, job, deadlineOf(1))
		w.eventually("the time is over", func() (bool, string) {
			w.get(job)
			ready := readyCondition(job.Status.Conditions)
			return ready.Reason == v1alpha1.ReasonProviderUnavailable && strings.Contains(ready.Message, "cancelled as soon as that is possible"), ready.Message
		})
	}
	// Of a manager that crashed between the cancellation and its record, the provider tells as much.
	if !w.simulator.DeleteJob(lost) {
		t.Fatal("there is nothing to delete")
	}
	if err := w.simulator.SetFaults(); err != nil {
		t.Fatal(err)
	}
	w.wantCancelled(running)
	if message := w.wantCancelled(vanished); !strings.Contains(message, v1alpha1.ReasonRemoteJobLost) {
		t.Errorf("the message %q does not say what became of the attempt", message)
	}
}

// TestDeadline_inSubmission has the time be over before the submission is, in each way: nothing is at the provider afterwards.
func TestDeadline_inSubmission(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  simulator.Fault
		remote []string
	}{
		"answer too late": {simulator.Fault{Kind: simulator.FaultResponseLate, Delay: simulator.Duration(25 * time.Second)}, []string{"deleted"}},
		"answer lost":     {simulator.Fault{Kind: simulator.FaultResponseLost}, []string{"deleted"}},
		"never arrives":   {simulator.Fault{Kind: simulator.FaultError, Status: http.StatusBadGateway, Body: simulator.BodyHTML}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.fault.Operation, c.fault.Count = simulator.OperationCreate, 1
			// The window of a submission is far longer than the job may take.
			w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute), withFaults(c.fault), withOptions(func(o *Options) { o.SubmissionWindow = 10 * time.Minute }))
			w.account()
			job := w.job("job", deadlineOf(12))
			w.awaitReason(job, v1alpha1.ReasonDeadlineExceeded)
			w.wantRemoteJobs(job, c.remote...)
			if !strings.Contains(w.logs.String(), "The outcome of the submission is not known") {
				t.Error("the submission was never uncertain, so that this tests nothing")
			}
		})
	}
}

// TestDeadline_retrying has the time be over between two attempts: no other one follows, and the failed one is not forgotten.
func TestDeadline_retrying(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPatience(), withFaults(simulator.Fault{Kind: simulator.FaultReject, Message: "Internal Server Error"}))
	w.account()
	job := w.job("job", deadlineOf(20))
	message := w.awaitReason(job, v1alpha1.ReasonDeadlineExceeded)
	if !strings.Contains(message, "1 of its 2 attempts failed") {
		t.Errorf("the message %q does not say that an attempt had failed", message)
	}
	w.wantSubmissions(job, 1)
	w.wantEvent(job, "Warning Retrying")
}

// TestDeadline_done has the time be over when the transcript is there and cannot be stored. It is paid for, and is stored when it can be.
func TestDeadline_done(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(300*time.Millisecond))
	w.account()
	job, inTheWay := w.unstored("job", deadlineOf(20))
	w.eventually("the time is over", func() (bool, string) {
		return newScope(job, w.scopeOptions()).deadlinePassed(), ""
	})
	w.delete(inTheWay)
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
}

// scopeOptions are the options as the reconcilers have them.
func (w *world) scopeOptions() Options { return w.options.withDefaults() }

// TestBeforeDeadline lets waits end with the deadline, also if it passed in the course of the pass.
func TestBeforeDeadline(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	for name, c := range map[string]struct {
		began, now time.Time
		wait, want time.Duration
	}{
		"far":                 {at(0), at(1), 5 * time.Second, 5 * time.Second},
		"near":                {at(0), at(1), time.Minute, 9 * time.Second},
		"no wait":             {at(0), at(1), 0, 9 * time.Second},
		"passed in the pass":  {at(9), at(12), time.Minute, time.Millisecond},
		"passed on the point": {at(10), at(10), time.Minute, time.Millisecond},
		"passed before":       {at(11), at(12), time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := &v1alpha1.TranscriptionJob{}
			job.Spec.ActiveDeadlineSeconds = ptr.To(int64(10))
			job.Status.StartTime = ptr.To(metav1.NewTime(start))
			s := newScope(job, Options{Clock: testingclock.NewFakeClock(c.now)}.withDefaults())
			if got := s.beforeDeadline(c.wait, c.began); got != c.want {
				t.Errorf("the wait is %s, want %s", got, c.want)
			}
		})
	}
}

// TestSendUntil lets a submission take as long as the claim permits, and no longer than the job has.
func TestSendUntil(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		deadline *int64
		started  time.Duration // ago; negative is not at all
		want     time.Duration
	}{
		"no deadline":           {nil, time.Hour, time.Minute},
		"far":                   {ptr.To(int64(3600)), time.Minute, time.Minute},
		"near":                  {ptr.To(int64(90)), time.Minute, 30 * time.Second},
		"over":                  {ptr.To(int64(30)), time.Minute, time.Millisecond},
		"not started, near":     {ptr.To(int64(5)), -1, 5 * time.Second},
		"not started, far away": {ptr.To(int64(600)), -1, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := &v1alpha1.TranscriptionJob{}
			job.Spec.ActiveDeadlineSeconds = c.deadline
			if c.started >= 0 {
				job.Status.StartTime = ptr.To(metav1.NewTime(now.Add(-c.started)))
			}
			s := newScope(job, Options{Clock: testingclock.NewFakeClock(now)}.withDefaults())
			if got := s.sendUntil().Sub(now); got != c.want {
				t.Errorf("it may take %s, want %s", got, c.want)
			}
		})
	}
}
