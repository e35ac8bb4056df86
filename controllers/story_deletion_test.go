// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// policies are all remoteDeletionPolicies.
var policies = []v1alpha1.RemoteDeletionPolicy{v1alpha1.RemoteDeletionOnDeletion, v1alpha1.RemoteDeletionAfterStored, v1alpha1.RemoteDeletionNever}

// deletionCase is a state in which an object is deleted.
type deletionCase struct {
	state  string
	change func(*v1alpha1.TranscriptionJob)
	// reached waits until the job is in the state.
	reached func(*world, *v1alpha1.TranscriptionJob)
	// remote are the states of the remote jobs after the deletion, and left those with the policy Never.
	remote, left string
	event        string
}

// deleteInEach deletes a job in each state under each policy.
func deleteInEach(t *testing.T, w *world, cases []deletionCase) {
	t.Helper()
	jobs := map[string]*v1alpha1.TranscriptionJob{}
	for _, c := range cases {
		for _, policy := range policies {
			name := c.state + "-" + strings.ToLower(string(policy))
			changes := []func(*v1alpha1.TranscriptionJob){titled, func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = policy }}
			if c.change != nil {
				changes = append(changes, c.change)
			}
			jobs[name] = w.job(name, changes...)
		}
		for _, policy := range policies {
			job := jobs[c.state+"-"+strings.ToLower(string(policy))]
			c.reached(w, job)
			w.delete(job)
		}
	}
	for _, c := range cases {
		for _, policy := range policies {
			job, want := jobs[c.state+"-"+strings.ToLower(string(policy))], c.remote
			if policy == v1alpha1.RemoteDeletionNever {
				want = c.left
			}
			w.awaitGone(job)
			if got := strings.Join(w.remoteJobs(job), ", "); got != want {
				t.Errorf("%s: the remote jobs are %q afterwards, want %q", job.Name, got, want)
			}
			if c.event != "" && policy != v1alpha1.RemoteDeletionNever {
				w.wantEvent(job, c.event)
			}
		}
	}
}

// is waits until Ready has one of the reasons.
func is(reasons ...string) func(*world, *v1alpha1.TranscriptionJob) {
	return func(w *world, job *v1alpha1.TranscriptionJob) { w.awaitReason(job, reasons...) }
}

// TestDeletion_beforeTheEnd deletes jobs in every state before the provider has done its part.
func TestDeletion_beforeTheEnd(t *testing.T) {
	t.Parallel()
	window := func(o *Options) { o.SubmissionWindow = 5 * time.Second } // which is how long the outcome stays unknown
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute), withOptions(window), withFaults(
		simulator.Fault{Kind: simulator.FaultResponseLost, Title: "uncertain-*", Operation: simulator.OperationCreate},
		simulator.Fault{Kind: simulator.FaultResponseLate, Title: "claimed-*", Operation: simulator.OperationCreate, Delay: simulator.Duration(time.Second)},
	))
	w.account()
	original := w.job("original")
	w.awaitRecord(original)
	w.awaitReason(original, v1alpha1.ReasonRunning)
	w.get(original)
	copied := original.Annotations[notification.ClaimAnnotation]
	w.create(&v1alpha1.SpeechmaticsAccount{ObjectMeta: w.meta("full"), Spec: v1alpha1.SpeechmaticsAccountSpec{
		BaseURL: &w.provider, APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"},
		Suspend: ptr.To(true),
	}})
	deleteInEach(t, w, []deletionCase{
		{state: "running", reached: is(v1alpha1.ReasonRunning), remote: "deleted", left: "running"},
		{state: "uncertain", reached: is(v1alpha1.ReasonSubmissionUnknown), remote: "deleted", left: "running", event: "Warning CleanUpDelayed"},
		{state: "claimed", reached: func(w *world, job *v1alpha1.TranscriptionJob) {
			w.eventually("it is claimed and taken up, so that nothing keeps it from being sent", func() (bool, string) {
				w.get(job)
				return job.Annotations[notification.ClaimAnnotation] != "" && job.Status.StartTime != nil, ""
			})
		}, remote: "deleted", left: "running"},
		{
			state: "waiting", change: func(j *v1alpha1.TranscriptionJob) { j.Spec.AccountRef = &v1alpha1.AccountReference{Name: "full"} },
			reached: is(v1alpha1.ReasonAccountSuspended),
		},
		{state: "suspended", change: suspend, reached: is(v1alpha1.ReasonSuspended)},
		{state: "held", change: func(j *v1alpha1.TranscriptionJob) {
			j.Annotations = map[string]string{notification.ClaimAnnotation: copied}
			j.Finalizers = []string{v1alpha1.RemoteJobFinalizer}
		}, reached: is(v1alpha1.ReasonClaimedByAnotherObject)},
		{state: "unreadable", change: func(j *v1alpha1.TranscriptionJob) {
			j.Annotations = map[string]string{notification.ClaimAnnotation: "{"}
			j.Finalizers = []string{v1alpha1.RemoteJobFinalizer}
		}, reached: is(v1alpha1.ReasonInvalidClaim)},
		{state: "late", reached: func(w *world, job *v1alpha1.TranscriptionJob) {
			w.awaitRecord(job)
			update(w, job, deadlineOf(1))
			w.awaitReason(job, v1alpha1.ReasonDeadlineExceeded)
		}, remote: "deleted", left: "deleted"},
	})
	w.wantRemoteJobs(original, "running")
}

// TestDeletion_afterTheEnd deletes jobs in every state after the provider has done its part.
func TestDeletion_afterTheEnd(t *testing.T) {
	t.Parallel()
	slow := func(o *Options) { o.RetryInterval = 5 * time.Second } // so that the wait between two attempts is met
	w := newWorld(t, withoutCallbacks(), withProcessing(300*time.Millisecond), withOptions(slow), withFaults(
		simulator.Fault{Kind: simulator.FaultError, Title: "uncollected-*", Operation: simulator.OperationTranscript, Status: http.StatusServiceUnavailable},
		simulator.Fault{Kind: simulator.FaultReject, Title: "retrying-*", Message: "Internal Server Error"},
		simulator.Fault{Kind: simulator.FaultReject, Title: "failed-*", Message: "Job rejected due to invalid audio"},
	))
	w.account()
	stored := func(w *world, job *v1alpha1.TranscriptionJob) {
		w.awaitReason(job, v1alpha1.ReasonComplete)
		if job.Spec.RemoteDeletionPolicy == v1alpha1.RemoteDeletionAfterStored {
			w.eventually("it is deleted already", func() (bool, string) { return w.remoteJobs(job)[0] == "deleted", "" })
		}
	}
	deleteInEach(t, w, []deletionCase{
		{state: "uncollected", reached: func(w *world, job *v1alpha1.TranscriptionJob) {
			w.eventually("the provider is done", func() (bool, string) { return slices.Equal(w.remoteJobs(job), []string{"done"}), "" })
		}, remote: "done", left: "done", event: "Warning TranscriptKept"},
		{state: "retrying", reached: is(v1alpha1.ReasonRetrying), remote: "deleted", left: "rejected"},
		{state: "failed", reached: is(v1alpha1.ReasonRejected), remote: "deleted", left: "rejected"},
		{state: "complete", reached: stored, remote: "deleted", left: "done"},
	})
}

// TestAfterStored_storeBroken deletes nothing at the provider as long as the transcript is not durable.
func TestAfterStored_storeBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(300*time.Millisecond))
	w.account()
	job, inTheWay := w.unstored("job", afterStored)
	// Of several transcripts, one that a notification brought is not enough.
	two, secondInTheWay := w.unstored("two", afterStored, withFormats("srt", "txt"))
	w.notify(two, *two.Status.RemoteJob.ID, "multipart/form-data; boundary=b",
		"--b\r\nContent-Disposition: form-data; name=\"transcript.srt\"\r\n\r\n1\n00:00:00,000 --> 00:00:01,000\nGood morning.\n\r\n--b--\r\n")
	w.eventually("one is stored", func() (bool, string) {
		w.get(two)
		return len(two.Status.Transcripts) == 1, ""
	})
	w.consistently("nothing is deleted", func() (bool, string) {
		return w.remoteJobs(job)[0] == "done" && w.remoteJobs(two)[0] == "done" && w.requests(operationDelete) == 0, ""
	})
	w.delete(inTheWay)
	w.delete(secondInTheWay)
	for _, job := range []*v1alpha1.TranscriptionJob{job, two} {
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.eventually("the remote job is deleted", func() (bool, string) { return w.remoteJobs(job)[0] == "deleted", "" })
		w.wantSubmissions(job, 1)
	}
}

// TestAfterStored_changedLate changes the policy of jobs that are complete: it counts at once.
func TestAfterStored_changedLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	deleted, kept := w.job("deleted"), w.job("kept")
	for _, job := range []*v1alpha1.TranscriptionJob{deleted, kept} {
		w.awaitReason(job, v1alpha1.ReasonComplete)
	}
	policy := func(policy v1alpha1.RemoteDeletionPolicy) func(*v1alpha1.TranscriptionJob) {
		return func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = policy }
	}
	update(w, deleted, policy(v1alpha1.RemoteDeletionAfterStored))
	w.eventually("the remote job is deleted", func() (bool, string) { return w.remoteJobs(deleted)[0] == "deleted", "" })
	update(w, kept, policy(v1alpha1.RemoteDeletionNever))
	w.delete(kept)
	w.awaitGone(kept)
	w.wantRemoteJobs(kept, "done")
}

// TestAfterStored_inVain cannot delete what is at the provider. That is told once, and not tried for ever.
func TestAfterStored_inVain(t *testing.T) {
	t.Parallel()
	down := simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationDelete, Status: http.StatusServiceUnavailable}
	t.Run("the account is gone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, withFaults(down))
		account := w.account()
		job := w.job("job", afterStored)
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.delete(account)
		w.awaitMessage(job, "is not deleted: there is no SpeechmaticsAccount")
		w.wantEvent(job, "Warning RemoteJobLeft")
	})
	t.Run("the retention is over", func(t *testing.T) {
		t.Parallel()
		now := &shiftedClock{}
		w := newWorld(t, withFaults(down), withClock(now))
		w.account()
		job := w.job("job", afterStored)
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.eventually("it is tried", func() (bool, string) { return w.requests(operationDelete) > 1, "" })
		now.pass(8 * day)
		w.awaitMessage(job, "is not deleted")
		before := w.requests(operationDelete)
		update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Labels = map[string]string{"touched": "yes"} })
		w.consistently("silence", func() (bool, string) { return w.requests(operationDelete) == before, w.logs.String() })
	})
}

// TestTTL_namesake has a pass with an old object find its time to live over, when a namesake is in its place. The namesake lives.
func TestTTL_namesake(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := step(t, env.Client)
	old := bareJob(t, env.Namespace(ctx, t, nil), "job")
	expired := old.DeepCopy()
	expired.Spec.TTLSecondsAfterFinished = ptr.To(int32(1))
	expired.Status.CompletionTime = ptr.To(metav1.NewTime(time.Now().Add(-time.Hour)))
	if err := env.Client.Delete(ctx, old); err != nil {
		t.Fatal(err)
	}
	namesake := bareJob(t, old.Namespace, "job")
	if _, err := r.deleteExpired(ctx, newScope(expired, r.options)); err != nil && !apierrors.IsConflict(err) {
		t.Fatalf("the pass ended with %v", err)
	}
	if live := get(t, namesake); live.DeletionTimestamp != nil || live.UID != namesake.UID {
		t.Error("the namesake was deleted")
	}
}

// TestTTL_raised has a pass with an old object find its time to live over, when somebody has just raised it.
func TestTTL_raised(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := step(t, env.Client)
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	expired := job.DeepCopy()
	expired.Spec.TTLSecondsAfterFinished = ptr.To(int32(0))
	expired.Status.CompletionTime = ptr.To(metav1.NewTime(time.Now()))
	job.Spec.Priority = ptr.To(int32(1)) // as good as a new TTL, which would need a retention policy
	if err := env.Client.Update(ctx, job); err != nil {
		t.Fatal(err)
	}
	if _, err := r.deleteExpired(ctx, newScope(expired, r.options)); !apierrors.IsConflict(err) {
		t.Errorf("the pass ended with %v, want a conflict", err)
	}
	get(t, job)
}

// TestTTL_zero deletes an object as soon as it has finished, either way, and with it what it owns, and the remote job.
func TestTTL_zero(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withFaults(simulator.Fault{Kind: simulator.FaultReject, Title: "failed", Message: "Job rejected due to invalid audio"}))
	w.account()
	at := func(policy v1alpha1.RetentionPolicy) func(*v1alpha1.TranscriptionJob) {
		return func(j *v1alpha1.TranscriptionJob) {
			j.Spec.TTLSecondsAfterFinished = ptr.To(int32(0))
			j.Spec.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{RetentionPolicy: &policy}
		}
	}
	gone, failed := w.job("gone", at(v1alpha1.RetentionDelete)), w.job("failed", titled, at(v1alpha1.RetentionDelete))
	for _, job := range []*v1alpha1.TranscriptionJob{gone, failed} {
		w.awaitGone(job)
		w.wantRemoteJobs(job, "deleted")
		w.wantSubmissions(job, 1)
	}
	// There is no garbage collector here; what it goes by is the owner.
	transcript := &corev1.ConfigMap{ObjectMeta: w.meta("gone-txt")}
	w.get(transcript)
	if owners := transcript.OwnerReferences; len(owners) != 1 || owners[0].UID != gone.UID {
		t.Errorf("the transcript's owners are %v, want the job", owners)
	}
}
