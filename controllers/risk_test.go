// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// shiftedClock is the real time, and whatever a test has added to it.
type shiftedClock struct {
	clock.RealClock
	shift atomic.Int64
}

func (c *shiftedClock) Now() time.Time                  { return time.Now().Add(time.Duration(c.shift.Load())) }
func (c *shiftedClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// pass lets time pass.
func (c *shiftedClock) pass(d time.Duration) { c.shift.Add(int64(d)) }

// withClock has the manager go by another clock.
func withClock(c clock.WithDelayedExecution) worldOption {
	return withOptions(func(o *Options) { o.Clock = c })
}

// atRisk is the number that the metric shows.
func (w *world) atRisk() float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "transcription_operator_transcripts_at_risk" {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	w.t.Fatal("there is no metric of transcripts at risk")
	return 0
}

// awaitRisk waits until the condition TranscriptAtRisk and the metric say so, and returns the condition's message.
func (w *world) awaitRisk(job *v1alpha1.TranscriptionJob, reason string) string {
	w.t.Helper()
	var condition *metav1.Condition
	w.eventually("the transcript is at risk: "+reason, func() (bool, string) {
		w.get(job)
		condition = meta.FindStatusCondition(job.Status.Conditions, v1alpha1.ConditionTranscriptAtRisk)
		if condition == nil {
			return false, "no condition"
		}
		return condition.Status == metav1.ConditionTrue && condition.Reason == reason && w.atRisk() == 1, condition.Reason + ": " + condition.Message
	})
	return condition.Message
}

// wantNoRisk checks that neither the condition nor, after a while, the metric shows a risk.
func (w *world) wantNoRisk(job *v1alpha1.TranscriptionJob) {
	w.t.Helper()
	w.get(job)
	if meta.IsStatusConditionTrue(job.Status.Conditions, v1alpha1.ConditionTranscriptAtRisk) {
		w.t.Errorf("job %s is at risk: %+v", job.Name, job.Status.Conditions)
	}
	w.eventually("the metric shows no risk", func() (bool, string) { return w.atRisk() == 0, "" })
}

// blockStore takes the name that the job's transcript needs, so that it cannot be stored, and returns what is in the way.
func (w *world) blockStore(job *v1alpha1.TranscriptionJob) *corev1.ConfigMap {
	w.t.Helper()
	inTheWay := &corev1.ConfigMap{ObjectMeta: w.meta(job.Name + "-txt"), Data: map[string]string{"mine": "yes"}}
	w.create(inTheWay)
	return inTheWay
}

// unstored is a job that the provider has done, and whose transcript cannot be stored, with what is in the way.
func (w *world) unstored(name string, change ...func(*v1alpha1.TranscriptionJob)) (*v1alpha1.TranscriptionJob, *corev1.ConfigMap) {
	w.t.Helper()
	job := w.job(name, change...)
	w.awaitRecord(job)
	inTheWay := w.blockStore(job)
	w.awaitReason(job, v1alpha1.ReasonConfigMapConflict)
	return job, inTheWay
}

const day = 24 * time.Hour

// TestRisk_story has a transcript be at the provider only until its retention is nearly over. The condition, one event and the metric say so
// when it is time, though nothing else happens, and no more when the transcript is stored.
func TestRisk_story(t *testing.T) {
	t.Parallel()
	now := &shiftedClock{}
	w := newWorld(t, withPatience(), withoutCallbacks(), withProcessing(500*time.Millisecond), withClock(now))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) { a.Spec.PollInterval = &metav1.Duration{Duration: time.Second} })
	job, inTheWay := w.unstored("job")
	w.wantNoRisk(job)

	// Somebody touches the object two seconds before it is time. The job's own waits are of a minute.
	left := job.Status.RemoteJob.CreatedAt.Add(7*day - 42*time.Hour).Sub(now.Now())
	now.pass(left - 2*time.Second)
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Labels = map[string]string{"touched": "yes"} })
	message := w.awaitRisk(job, v1alpha1.ReasonRetentionEnding)
	until := job.Status.RemoteJob.CreatedAt.Add(7 * day).UTC().Format(time.RFC3339)
	for _, part := range []string{"is done", until, v1alpha1.ReasonConfigMapConflict} {
		if !strings.Contains(message, part) {
			t.Errorf("the message %q does not say %q", message, part)
		}
	}
	w.wantEvent(job, "Warning RetentionEnding")
	if ready := readyCondition(job.Status.Conditions); ready.Reason != v1alpha1.ReasonConfigMapConflict {
		t.Errorf("Ready says %s, want what is in the way", ready.Reason)
	}

	// It is said once, also after a restart.
	now.pass(time.Hour)
	w.restartManager()
	w.awaitRisk(job, v1alpha1.ReasonRetentionEnding)
	told := 0
	for _, note := range w.events(job.UID) {
		if strings.Contains(note, v1alpha1.ReasonRetentionEnding) {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the risk was told %d times", told)
	}

	w.delete(inTheWay)
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Spec.Priority = ptr.To(int32(1)) }) // ends the minute's wait
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantNoRisk(job)
	w.wantSubmissions(job, 1)
}

// TestRisk_endings lets jobs that are at risk end in other ways: each ends the risk.
func TestRisk_endings(t *testing.T) {
	t.Parallel()
	now := &shiftedClock{}
	w := newWorld(t, withoutCallbacks(), withProcessing(500*time.Millisecond), withClock(now))
	w.account()
	job, _ := w.unstored("deleted")
	now.pass(6 * day)
	w.awaitRisk(job, v1alpha1.ReasonRetentionEnding)
	id := *job.Status.RemoteJob.ID
	w.delete(job)
	w.awaitGone(job)
	w.eventually("the metric forgets it", func() (bool, string) { return w.atRisk() == 0, "" })
	if got := w.remoteStatus(id); got != "done" {
		t.Errorf("the only copy of the transcript is %s at the provider", got)
	}

	lost, _ := w.unstored("lost")
	now.pass(6 * day)
	w.awaitRisk(lost, v1alpha1.ReasonRetentionEnding)
	if !w.simulator.ExpireJob(*lost.Status.RemoteJob.ID) {
		t.Fatal("there is nothing to expire")
	}
	w.wantEvent(lost, v1alpha1.ReasonRemoteJobLost)
	w.awaitReason(lost, v1alpha1.ReasonComplete) // the next attempt's ConfigMap has another name
	w.wantNoRisk(lost)
	w.wantSubmissions(lost, 2)

	final, _ := w.unstored("final", func(j *v1alpha1.TranscriptionJob) { j.Spec.BackoffLimit = ptr.To(int32(0)) })
	now.pass(6 * day)
	w.awaitRisk(final, v1alpha1.ReasonRetentionEnding)
	if !w.simulator.ExpireJob(*final.Status.RemoteJob.ID) {
		t.Fatal("there is nothing to expire")
	}
	w.awaitReason(final, v1alpha1.ReasonRemoteJobLost)
	w.wantNoRisk(final)
}

// TestRisk_unreachable cannot ask about a job that was running when it was seen last: it counts as done when it is old enough to be.
func TestRisk_unreachable(t *testing.T) {
	t.Parallel()
	now := &shiftedClock{}
	w := newWorld(t, withoutCallbacks(), withProcessing(2*time.Second), withClock(now))
	w.account()
	job := w.job("job")
	w.awaitRecord(job)
	if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Status: http.StatusServiceUnavailable}); err != nil {
		t.Fatal(err)
	}
	w.awaitReason(job, v1alpha1.ReasonProviderUnavailable)
	w.wantNoRisk(job)
	now.pass(6 * day)
	if message := w.awaitRisk(job, v1alpha1.ReasonRetentionEnding); !strings.Contains(message, "should be done by now") {
		t.Errorf("the message %q claims to know more than anybody does", message)
	}
	if err := w.simulator.SetFaults(); err != nil {
		t.Fatal(err)
	}
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantNoRisk(job)
}

// TestRisk_worker keeps a transcript only until it is restarted, so that it is at risk as soon as it cannot be stored.
func TestRisk_worker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPremises(worker), withoutCallbacks(), withProcessing(500*time.Millisecond))
	w.account()
	job, inTheWay := w.unstored("job")
	if message := w.awaitRisk(job, v1alpha1.ReasonNotRetained); !strings.Contains(message, "restarted") {
		t.Errorf("the message %q does not say what would lose it", message)
	}
	w.delete(inTheWay)
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantNoRisk(job)
}

// TestAssess goes through the states and the times.
func TestAssess(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	waits := verdict{reason: v1alpha1.ReasonStoreUnavailable, message: "m", after: time.Minute}
	done, running := v1alpha1.RemoteDone, v1alpha1.RemoteRunning
	for name, c := range map[string]struct {
		backend v1alpha1.Backend
		age     time.Duration
		state   v1alpha1.RemoteState
		v       verdict
		change  func(*v1alpha1.TranscriptionJob)
		risk    string
		after   time.Duration
	}{
		"saas, young":                   {"", day, done, waits, nil, "", time.Minute},
		"saas, a second before":         {"", 5*day + 6*time.Hour - time.Second, done, waits, nil, "", time.Second},
		"saas, on time":                 {"", 5*day + 6*time.Hour, done, waits, nil, v1alpha1.ReasonRetentionEnding, time.Minute},
		"saas, over":                    {"", 9 * day, done, waits, nil, v1alpha1.ReasonRetentionEnding, time.Minute},
		"waits for an event":            {"", 5 * day, done, verdict{reason: v1alpha1.ReasonAccountNotFound}, nil, "", 6 * time.Hour},
		"appliance, a second before":    {appliance, 18*time.Hour - time.Second, done, waits, nil, "", time.Second},
		"appliance, on time":            {appliance, 18 * time.Hour, done, waits, nil, v1alpha1.ReasonRetentionEnding, time.Minute},
		"appliance, seen to run":        {appliance, 20 * time.Hour, running, verdict{reason: v1alpha1.ReasonRunning, after: time.Minute}, nil, "", time.Minute},
		"appliance, was running":        {appliance, 20 * time.Hour, running, waits, nil, v1alpha1.ReasonRetentionEnding, time.Minute},
		"worker, done":                  {worker, time.Second, done, waits, nil, v1alpha1.ReasonNotRetained, time.Minute},
		"worker, was running":           {worker, 30 * day, running, waits, nil, "", time.Minute},
		"finished":                      {"", 6 * day, done, verdict{reason: v1alpha1.ReasonDeadlineExceeded, ending: failed}, nil, "", 0},
		"nothing is recorded":           {"", 6 * day, done, waits, func(j *v1alpha1.TranscriptionJob) { j.Status.RemoteJob.ID = nil }, "", time.Minute},
		"another attempt's is recorded": {"", 6 * day, done, waits, func(j *v1alpha1.TranscriptionJob) { j.Status.FailedAttempts = ptr.To(int32(1)) }, "", time.Minute},
		"everything is stored": {"", 6 * day, done, waits, func(j *v1alpha1.TranscriptionJob) {
			j.Status.Transcripts = []v1alpha1.StoredTranscript{{Format: v1alpha1.FormatText, Attempt: 1, JobID: "remote1"}}
		}, "", time.Minute},
		"another job's is stored": {"", 6 * day, done, waits, func(j *v1alpha1.TranscriptionJob) {
			j.Status.Transcripts = []v1alpha1.StoredTranscript{{Format: v1alpha1.FormatText, Attempt: 1, JobID: "remote2"}}
		}, v1alpha1.ReasonRetentionEnding, time.Minute},
		"its creation is not known": {"", 6 * day, done, waits, func(j *v1alpha1.TranscriptionJob) {
			j.Status.RemoteJob.CreatedAt, j.Status.StartTime = nil, ptr.To(metav1.NewTime(created.Add(5*day)))
		}, "", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "job", UID: "22222222-2222-2222-2222-222222222222"}}
			job.Spec.Transcripts.Formats = []v1alpha1.TranscriptFormat{v1alpha1.FormatText}
			job.Status.Attempt = ptr.To(int32(1))
			job.Status.RemoteJob = &v1alpha1.RemoteJob{ID: ptr.To("remote1"), State: &c.state, CreatedAt: ptr.To(metav1.NewTime(created))}
			if c.change != nil {
				c.change(job)
			}
			s := newScope(job, Options{Clock: testingclock.NewFakeClock(created.Add(c.age))}.withDefaults())
			backend := speechmatics.Backend(c.backend)
			if c.backend == "" {
				backend = speechmatics.SaaS
			}
			v := s.assess(c.v, func() speechmatics.Backend { return backend })
			reason := ""
			if v.risk != nil {
				reason = v.risk.reason
			}
			if reason != c.risk || v.after != c.after {
				t.Errorf("risk %q and a wait of %s, want %q and %s", reason, v.after, c.risk, c.after)
			}
		})
	}
}

// TestBackendOfJob asks the job's account. Of one that is gone, the address of the job has to tell.
func TestBackendOfJob(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := step(t, env.Client)
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	account := &v1alpha1.SpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: v1alpha1.DefaultAccountName},
		Spec:       v1alpha1.SpeechmaticsAccountSpec{Backend: worker, BaseURL: ptr.To("http://worker.example/v2")},
	}
	if err := env.Client.Create(ctx, account); err != nil {
		t.Fatal(err)
	}
	backendAt := func(url string) speechmatics.Backend {
		job.Status.RemoteJob = &v1alpha1.RemoteJob{ID: ptr.To("remote1"), BaseURL: &url}
		job.Status.AccountRef = &v1alpha1.ResolvedAccountReference{Kind: v1alpha1.NamespacedAccount, Name: v1alpha1.DefaultAccountName, UID: account.UID}
		return r.backendOfJob(ctx, newScope(job, r.options))
	}
	if got := backendAt("http://worker.example/v2"); got != speechmatics.Worker {
		t.Errorf("the account's backend is %q", got)
	}
	if err := env.Client.Delete(ctx, account); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]speechmatics.Backend{
		fmt.Sprintf(regionURL, "eu1"): speechmatics.SaaS, "https://sm.example/v2": speechmatics.Appliance,
	} {
		if got := backendAt(url); got != want {
			t.Errorf("the account is gone, and %s is taken for %q, want %q", url, got, want)
		}
	}
}
