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
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// TestDeletion_policies deletes jobs that run and jobs that are complete under each policy.
func TestDeletion_policies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(2*time.Second))
	w.account()
	for _, c := range []struct {
		policy   v1alpha1.RemoteDeletionPolicy
		running  string
		complete string
	}{
		{v1alpha1.RemoteDeletionOnDeletion, "deleted", "deleted"},
		{v1alpha1.RemoteDeletionAfterStored, "deleted", "deleted"},
		{v1alpha1.RemoteDeletionNever, "running", "done"},
	} {
		name := strings.ToLower(string(c.policy))
		change := func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = c.policy }
		running, complete := w.job(name+"-running", change), w.job(name+"-complete", change)
		runningID := w.awaitRecord(running)
		w.delete(running)
		w.awaitGone(running)
		if got := w.remoteStatus(runningID); got != c.running {
			t.Errorf("%s: the job that was running is %s at the provider, want %s", c.policy, got, c.running)
		}
		w.awaitReason(complete, v1alpha1.ReasonComplete)
		completeID := *complete.Status.RemoteJob.ID
		w.delete(complete)
		w.awaitGone(complete)
		if got := w.remoteStatus(completeID); got != c.complete {
			t.Errorf("%s: the complete job is %s at the provider, want %s", c.policy, got, c.complete)
		}
	}
}

// TestDeletion_afterStored deletes the remote job as soon as the transcript is durable, while the object stays.
func TestDeletion_afterStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = v1alpha1.RemoteDeletionAfterStored })
	w.awaitReason(job, v1alpha1.ReasonComplete)
	id := *job.Status.RemoteJob.ID
	w.eventually("the remote job is deleted", func() (bool, string) { return w.remoteStatus(id) == "deleted", w.remoteStatus(id) })
	w.wantEvent(job, "RemoteJobDeleted")
	if text := w.text(job); text == "" {
		t.Error("the transcript is not there")
	}
}

// TestDeletion_keepsTheOnlyCopy deletes an object whose transcript is at the provider only: it is kept there.
func TestDeletion_keepsTheOnlyCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withFaults(
		simulator.Fault{Kind: simulator.FaultNotificationLost},
		simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationTranscript, Status: http.StatusServiceUnavailable},
	))
	w.account()
	job := w.job("job")
	id := w.awaitRecord(job)
	w.eventually("the provider is done", func() (bool, string) { return w.remoteStatus(id) == "done", w.remoteStatus(id) })
	w.delete(job)
	w.awaitGone(job)
	if got := w.remoteStatus(id); got != "done" {
		t.Errorf("the only copy of the transcript is %s", got)
	}
	w.wantEvent(job, "Warning TranscriptKept")
}

// TestDeletion_keepsWhatCameBack has a job fail since the provider does not know its remote job any more, which comes back, and is done: with the
// object the only transcript would go.
func TestDeletion_keepsWhatCameBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Second))
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) { j.Spec.BackoffLimit = ptr.To(int32(0)) })
	id := w.awaitRecord(job)
	if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationGet, Status: http.StatusNotFound}); err != nil {
		t.Fatal(err)
	}
	w.awaitReason(job, v1alpha1.ReasonRemoteJobLost)
	if err := w.simulator.SetFaults(); err != nil {
		t.Fatal(err)
	}
	w.eventually("the provider is done", func() (bool, string) { return w.remoteStatus(id) == "done", w.remoteStatus(id) })
	w.delete(job)
	w.awaitGone(job)
	if got := w.remoteStatus(id); got != "done" {
		t.Errorf("the only copy of the transcript is %s", got)
	}
	w.wantEvent(job, "Warning TranscriptKept")
}

// TestDeletion_whileUncertain deletes an object whose submission may have arrived: the finalizer stays until the job is found.
func TestDeletion_whileUncertain(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]simulator.FaultKind{"arrived": simulator.FaultResponseLost, "did not arrive": simulator.FaultRequestReset} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute))
			w.account()
			if err := w.simulator.SetFaults(simulator.Fault{Kind: kind, Operation: simulator.OperationCreate}); err != nil {
				t.Fatal(err)
			}
			job := w.job("job")
			w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown, v1alpha1.ReasonProviderUnavailable)
			w.delete(job)
			w.awaitGone(job)
			for _, remote := range w.simulator.Jobs() {
				if remote.Status != "deleted" {
					t.Errorf("job %s is left at the provider, %s", remote.ID, remote.Status)
				}
			}
		})
	}
}

// TestDeletion_accountGone deletes an object whose account is gone. Nothing can be cleaned up, and nothing is held hostage.
func TestDeletion_accountGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Minute))
	account := w.account()
	job := w.job("job")
	w.awaitRecord(job)
	w.delete(account)
	w.awaitGone(account)
	w.delete(job)
	w.awaitGone(job)
	w.wantEvent(job, "Warning RemoteJobLeft")
}

// TestDeletion_keyRevoked deletes a job whose account's key was revoked and not replaced, when that is known already or only found out by the
// clean-up: nothing holds the object, and it is told what is left, without the key.
func TestDeletion_keyRevoked(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"known": true, "found out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withPatience(), withProcessing(time.Minute))
			account := w.account()
			job := w.job("job")
			id := w.awaitRecord(job)
			w.simulator.RevokeKey(apiKey)
			if known {
				update(w, account, func(a *v1alpha1.SpeechmaticsAccount) { a.Annotations = map[string]string{"look": "again"} })
				w.restartManager()
				w.awaitAccount(account, v1alpha1.ReasonKeyRefused)
			}
			w.delete(job)
			w.awaitGone(job)
			w.wantEvent(job, "Warning RemoteJobLeft: job "+id)
			if strings.Contains(w.logs.String(), "Cannot clean up at the provider yet") {
				t.Error("the object was held for another try")
			}
			for _, event := range w.events(job.UID) {
				if strings.Contains(event, apiKey) {
					t.Errorf("an event has the key: %s", event)
				}
			}
			if got := w.counter("transcription_operator_remote_jobs_left_total"); got != 1 {
				t.Errorf("%d jobs count as left, want 1", got)
			}
			w.wantRemote(id, "running")
		})
	}
}

// TestDeletion_namespaceTerminating deletes the namespace while the provider is down.
func TestDeletion_namespaceTerminating(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Minute))
	w.account()
	job := w.job("job")
	w.awaitRecord(job)
	if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Status: http.StatusServiceUnavailable}); err != nil {
		t.Fatal(err)
	}
	w.delete(job)
	w.wantHeld(job)
	w.awaitReason(job, v1alpha1.ReasonCleanUpDelayed)
	w.delete(&corev1.Namespace{ObjectMeta: w.clusterMeta(w.namespace)})
	w.awaitGone(job)
}

// TestRetention_ttl deletes the object on time, and keeps a transcript that is to be retained.
func TestRetention_ttl(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.TTLSecondsAfterFinished = ptr.To(int32(1))
		j.Spec.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{Name: ptr.To("kept"), RetentionPolicy: ptr.To(v1alpha1.RetentionRetain)}
	})
	w.awaitGone(job)
	configMap := &corev1.ConfigMap{ObjectMeta: w.meta("kept-txt")}
	w.get(configMap)
	if len(configMap.OwnerReferences) != 0 {
		t.Error("a retained transcript has an owner, with which it would be deleted")
	}
	w.wantSubmissions(job, 1)
}

// TestRetention_newTTL sets a TTL on a job that has finished long since.
func TestRetention_newTTL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{RetentionPolicy: ptr.To(v1alpha1.RetentionDelete)}
	})
	w.awaitReason(job, v1alpha1.ReasonComplete)
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Spec.TTLSecondsAfterFinished = ptr.To(int32(1000)) })
	w.eventually("the new generation is observed", func() (bool, string) {
		w.get(job)
		return *job.Status.ObservedGeneration == job.Generation, ""
	})
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Spec.TTLSecondsAfterFinished = ptr.To(int32(0)) })
	w.awaitGone(job)
}

// TestSuspend holds a job back, and lets it go.
func TestSuspend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) { j.Spec.Suspend = ptr.To(true) })
	w.awaitReason(job, v1alpha1.ReasonSuspended)
	w.wantSubmissions(job, 0)
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Spec.Suspend = nil })
	w.awaitReason(job, v1alpha1.ReasonComplete)
}

// TestDeadline cancels a job that takes too long, also at the provider.
func TestDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Minute))
	w.account()
	job := w.job("job")
	w.awaitRecord(job)
	update(w, job, deadlineOf(1))
	w.awaitReason(job, v1alpha1.ReasonDeadlineExceeded)
	if got := w.remoteStatus(*job.Status.RemoteJob.ID); got != "deleted" {
		t.Errorf("the job is %s at the provider, want it cancelled", got)
	}
	w.wantSubmissions(job, 1)
}

// TestLimits_story lets no more jobs run at a time than the account permits, also across a restart.
func TestLimits_story(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(3*time.Second))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(1))}
	})
	var jobs []*v1alpha1.TranscriptionJob
	for _, name := range []string{"a", "b", "c"} {
		jobs = append(jobs, w.job(name))
	}
	w.eventually("one runs and the others wait", func() (bool, string) {
		reasons := map[string]int{}
		for _, job := range jobs {
			w.get(job)
			if ready := readyCondition(job.Status.Conditions); ready != nil {
				reasons[ready.Reason]++
			}
		}
		return reasons[v1alpha1.ReasonRunning] == 1 && reasons[v1alpha1.ReasonWaiting] == 2, fmt.Sprint(reasons)
	})
	w.restartManager()
	highest := 0
	w.eventually("all are complete", func() (bool, string) {
		running := 0
		for _, remote := range w.simulator.Jobs() {
			if remote.Status == "running" {
				running++
			}
		}
		highest = max(highest, running)
		done := 0
		for _, job := range jobs {
			w.get(job)
			if isComplete(job) {
				done++
			}
		}
		return done == len(jobs), ""
	})
	if highest > 1 {
		t.Errorf("%d jobs ran at a time, want at most 1", highest)
	}
}

// TestClaim_foreign holds an object that carries another one's claim: it may have been paid for. Removing the annotation lets it
// go on, and deleting it touches nothing at the provider.
func TestClaim_foreign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	original := w.job("original")
	w.awaitReason(original, v1alpha1.ReasonComplete)
	claim := original.Annotations[notification.ClaimAnnotation]
	for name, c := range map[string]struct {
		annotation string
		reason     string
	}{
		"restored": {claim, v1alpha1.ReasonClaimedByAnotherObject},
		"broken":   {"{", v1alpha1.ReasonInvalidClaim},
		"deleted":  {claim, v1alpha1.ReasonClaimedByAnotherObject},
	} {
		job := w.job(name, func(j *v1alpha1.TranscriptionJob) {
			j.Annotations = map[string]string{notification.ClaimAnnotation: c.annotation}
			j.Finalizers = []string{v1alpha1.RemoteJobFinalizer}
		})
		message := w.awaitReason(job, c.reason)
		if !strings.Contains(message, notification.ClaimAnnotation) {
			t.Errorf("the message %q does not say what to remove", message)
		}
		w.wantSubmissions(job, 0)
		if name == "deleted" {
			w.delete(job)
			w.awaitGone(job)
			continue
		}
		update(w, job, func(j *v1alpha1.TranscriptionJob) { delete(j.Annotations, notification.ClaimAnnotation) })
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.wantSubmissions(job, 1)
	}
	if got := w.remoteStatus(*original.Status.RemoteJob.ID); got != "done" {
		t.Errorf("the original's remote job is %s, though only a copy of the object was deleted", got)
	}
}
