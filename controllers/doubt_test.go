// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// answerLost loses the answer to the first submission.
var answerLost = simulator.Fault{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate, Count: 1}

// withWindow makes submissions take longer, so that a test has time while the outcome of one is not known.
func withWindow(d time.Duration) worldOption {
	return withOptions(func(o *Options) { o.SubmissionWindow = d })
}

// otherProject puts the key of another project into the account's Secret and waits until it was taken over.
func (w *world) otherProject(account *v1alpha1.SpeechmaticsAccount) {
	w.t.Helper()
	const key = "sm-other-project-key-0123456789"
	w.secrets = append(w.secrets, key)
	w.simulator.AddProjectKey("other", key)
	w.simulator.RevokeKey(apiKey)
	w.useKey(account, key)
}

// useKey puts a key into the account's Secret and waits until it was taken over.
func (w *world) useKey(account *v1alpha1.SpeechmaticsAccount, key string) {
	w.t.Helper()
	before := w.requests(operationList)
	update(w, &corev1.Secret{ObjectMeta: w.meta("speechmatics")}, func(s *corev1.Secret) { s.Data = map[string][]byte{"apiKey": []byte(key)} })
	w.eventually("the new key was tried", func() (bool, string) {
		w.get(account)
		ready := readyCondition(account.Status.Conditions)
		return w.requests(operationList) > before+1 && ready.Reason == v1alpha1.ReasonKeyAccepted, ready.Reason
	})
}

// replace sends the original manifest again, as `kubectl replace` does.
func (w *world) replace(job *v1alpha1.TranscriptionJob, change ...func(*v1alpha1.TranscriptionJob)) {
	w.t.Helper()
	w.eventually("the job is replaced", func() (bool, string) {
		w.get(job)
		again := w.newJob(job.Name, change...)
		again.ResourceVersion = job.ResourceVersion
		err := w.update(again)
		return err == nil, fmt.Sprint(err)
	})
}

// TestDoubt_lostClaimAndOtherKey erases the claim of an uncertain submission after the key was replaced by one of another project, whose
// list is empty. The restored claim must not vouch for a key that it does not know.
func TestDoubt_lostClaimAndOtherKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute), withWindow(8*time.Second), withFaults(answerLost))
	account := w.account()
	job := w.job("job")
	w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown)
	w.otherProject(account)
	w.replace(job)
	w.awaitReason(job, v1alpha1.ReasonSubmissionAmbiguous)
	w.wantSubmissions(job, 1)
}

// TestDoubt_lostClaimAndAccountGone erases the claim of an uncertain submission whose account is gone: the policy decides, instead of
// a wait for ever.
func TestDoubt_lostClaimAndAccountGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withFaults(answerLost))
	account := w.account()
	job := w.job("job")
	w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown)
	w.delete(account)
	w.awaitGone(account)
	w.replace(job)
	w.awaitReason(job, v1alpha1.ReasonSubmissionAmbiguous)
}

// TestDoubt_deletion deletes a job whose uncertain submission cannot be looked for with the key there is now: the object is let go, and
// says that something may be left.
func TestDoubt_deletion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute), withWindow(8*time.Second), withFaults(answerLost))
	account := w.account()
	job := w.job("job")
	if message := w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown); !strings.Contains(message, "(the connection ") {
		t.Errorf("the message does not say why the outcome is not known: %s", message)
	}
	w.otherProject(account)
	w.delete(job)
	w.awaitGone(job)
	w.wantEvent(job, "may be left at Speechmatics until its retention ends: it cannot be found out")
}

// TestDoubt_deletionAfterTheEnd deletes jobs that have failed because their submissions could not be looked for, when they can: what runs is
// found and deleted, unless the policy is Never.
func TestDoubt_deletionAfterTheEnd(t *testing.T) {
	t.Parallel()
	lost := answerLost
	lost.Count = len(policies)
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute), withWindow(6*time.Second), withFaults(lost))
	account := w.account()
	jobs := map[v1alpha1.RemoteDeletionPolicy]*v1alpha1.TranscriptionJob{}
	for _, policy := range policies {
		jobs[policy] = w.job("job-"+strings.ToLower(string(policy)), func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = policy })
	}
	for _, job := range jobs {
		w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown)
	}
	w.otherProject(account)
	for _, job := range jobs {
		w.awaitReason(job, v1alpha1.ReasonSubmissionAmbiguous)
	}
	w.simulator.AddKey(apiKey)
	w.useKey(account, apiKey)
	for policy, job := range jobs {
		want := "deleted"
		if policy == v1alpha1.RemoteDeletionNever {
			want = "running"
		}
		w.delete(job)
		w.awaitGone(job)
		w.wantRemoteJobs(job, want)
	}
}

// TestLost_forAWhile does not find the first attempt's job for a while, until the second one has taken its place: there are two, of which one
// is too many.
func TestLost_forAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(5*time.Second), withFaults(
		simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationGet, Status: http.StatusNotFound, Reference: "*/1/*", Count: 4}))
	w.account()
	job := w.job("job")
	first := w.awaitRecord(job)
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 2)
	w.eventually("the first one is deleted", func() (bool, string) { return w.remoteStatus(first) == "deleted", w.logs.String() })
	w.wantRemote(*job.Status.RemoteJob.ID, "done")
	w.wantEvent(job, "Warning SurplusDeleted")
}

// TestLost_oneMissOfALaterAttempt loses the first attempt's job, and answers 404 once about the second one's. What was noted about the
// first does not count for the second.
func TestLost_oneMissOfALaterAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(2*time.Second), withFaults(
		simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationGet, Status: http.StatusNotFound, Reference: "*/2/*", Count: 1}))
	w.account()
	job := w.job("job")
	w.simulator.DeleteJob(w.awaitRecord(job))
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 2)
}

// TestWake_otherDefaultAccount deletes the account of a job that was submitted in vain, and creates the other default account, as the
// message asks: the job goes on.
func TestWake_otherDefaultAccount(t *testing.T) {
	t.Parallel()
	job := &v1alpha1.TranscriptionJob{}
	job.Status.AccountRef = &v1alpha1.ResolvedAccountReference{Kind: v1alpha1.NamespacedAccount, Name: v1alpha1.DefaultAccountName}
	cluster := &v1alpha1.ClusterSpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultAccountName}}
	other := &v1alpha1.ClusterSpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{Name: "other"}}
	if !mayUse(job, cluster) || mayUse(job, other) {
		t.Error("the other default account has to wake the job, and no other")
	}
}

// TestRetry_givesUpItsPlace has a job wait for its next attempt: others may run meanwhile.
func TestRetry_givesUpItsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPatience(), withProcessing(100*time.Millisecond))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(1))}
	})
	failing := w.job("failing", func(j *v1alpha1.TranscriptionJob) { j.Spec.Media.URL = ptr.To(w.media + "/missing.wav") })
	w.awaitReason(failing, v1alpha1.ReasonRetrying)
	w.awaitReason(w.job("other"), v1alpha1.ReasonComplete)
}

// TestPriority_changed raises the priority of a job that waits already.
func TestPriority_changed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Minute))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(1))}
	})
	running := w.job("running")
	w.awaitRecord(running)
	first, raised := w.job("first"), w.newJob("raised")
	w.awaitReason(first, v1alpha1.ReasonWaiting)
	w.create(raised)
	w.awaitReason(raised, v1alpha1.ReasonWaiting)
	update(w, raised, func(j *v1alpha1.TranscriptionJob) { j.Spec.Priority = ptr.To(int32(100)) })
	w.eventually("the new priority is observed", func() (bool, string) {
		w.get(raised)
		return *raised.Status.ObservedGeneration == raised.Generation, ""
	})
	w.delete(running)
	w.awaitGone(running)
	w.awaitRecord(raised)
	w.wantSubmissions(first, 0)
}

// TestSuspend_stopsTheClock suspends a job that has been tried in vain: its deadline passes, and does not count.
func TestSuspend_stopsTheClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationCreate, Status: http.StatusForbidden, Count: 1}))
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) { j.Spec.ActiveDeadlineSeconds = ptr.To(int64(15)) })
	w.awaitReason(job, v1alpha1.ReasonSubmissionForbidden)
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Spec.Suspend = ptr.To(true) })
	w.awaitReason(job, v1alpha1.ReasonSuspended)
	started := job.Status.StartTime
	w.eventually("the deadline has passed", func() (bool, string) { return time.Since(started.Time) > 15500*time.Millisecond, "" })
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Spec.Suspend = nil })
	w.awaitReason(job, v1alpha1.ReasonComplete)
	if !job.Status.StartTime.After(started.Time) {
		t.Error("resuming did not restart the clock")
	}
}

// TestLimits_lowRequestRate has more finished jobs than the request limit serves at once, with several formats each: they are
// collected at about the limit's pace, instead of taking each other's turns for ever.
func TestLimits_lowRequestRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(100*time.Millisecond))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{RequestsPerSecond: ptr.To(int32(4))}
	})
	var jobs []*v1alpha1.TranscriptionJob
	for i := range 8 {
		jobs = append(jobs, w.job(fmt.Sprintf("job-%d", i), func(j *v1alpha1.TranscriptionJob) {
			j.Spec.Transcripts.Formats = []v1alpha1.TranscriptFormat{v1alpha1.FormatText, v1alpha1.FormatSRT, v1alpha1.FormatJSONv2}
		}))
	}
	for _, job := range jobs {
		w.awaitReason(job, v1alpha1.ReasonComplete)
	}
	if n := w.requests(operationTranscript); n != 3*len(jobs) {
		t.Errorf("%d transcripts were fetched, want each once: %d", n, 3*len(jobs))
	}
	if strings.Contains(w.logs.String(), "broken off") {
		t.Error("a delivery was broken off")
	}
}
