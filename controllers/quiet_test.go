// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// TestQuiet_waitsAreKept has each kind of trouble last, with waits of minutes: what the reconciler writes about it comes back as an
// event, and must not begin the next try.
func TestQuiet_waitsAreKept(t *testing.T) {
	t.Parallel()
	fail := func(operation simulator.Operation, status int) simulator.Fault {
		return simulator.Fault{Kind: simulator.FaultError, Operation: operation, Status: status}
	}
	deadline := func(j *v1alpha1.TranscriptionJob) { j.Spec.ActiveDeadlineSeconds = ptr.To(int64(2)) }
	for name, c := range map[string]struct {
		fault     simulator.Fault
		change    func(*v1alpha1.TranscriptionJob)
		operation string
		reasons   []string
		atMost    int
	}{
		"submission forbidden":   {fail(simulator.OperationCreate, http.StatusForbidden), nil, operationSubmit, []string{v1alpha1.ReasonSubmissionForbidden}, 1},
		"submission interrupted": {simulator.Fault{Kind: simulator.FaultRequestReset, Operation: simulator.OperationCreate}, nil, operationSubmit, []string{v1alpha1.ReasonProviderUnavailable, v1alpha1.ReasonSubmissionUnknown}, 1},
		"state not told":         {fail(simulator.OperationGet, http.StatusServiceUnavailable), nil, operationGet, []string{v1alpha1.ReasonProviderUnavailable}, 1},
		"deadline not kept":      {fail(simulator.OperationGet, http.StatusServiceUnavailable), deadline, operationGet, []string{v1alpha1.ReasonProviderUnavailable}, 2},
		"transcript not given":   {fail(simulator.OperationTranscript, http.StatusServiceUnavailable), nil, operationTranscript, []string{v1alpha1.ReasonProviderUnavailable}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withPatience(), withoutCallbacks(), withProcessing(100*time.Millisecond))
			w.account()
			if err := w.simulator.SetFaults(c.fault); err != nil {
				t.Fatal(err)
			}
			var changes []func(*v1alpha1.TranscriptionJob)
			if c.change != nil {
				changes = append(changes, c.change)
			}
			job := w.job("job", changes...)
			w.awaitReason(job, c.reasons...)
			w.consistently("the wait", func() (bool, string) {
				n := w.requests(c.operation)
				return n <= c.atMost, w.logs.String()
			})
		})
	}
}

// TestQuiet_uncertain asks the list no more often than the waits permit while it is down.
func TestQuiet_uncertain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPatience(), withoutCallbacks(), withOptions(func(o *Options) { o.SubmissionWindow = 500 * time.Millisecond }))
	w.account()
	before := w.requests(operationList)
	if err := w.simulator.SetFaults(
		simulator.Fault{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate},
		simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationList, Status: http.StatusServiceUnavailable},
	); err != nil {
		t.Fatal(err)
	}
	job := w.job("job")
	w.awaitReason(job, v1alpha1.ReasonProviderUnavailable)
	w.consistently("the wait", func() (bool, string) {
		n := w.requests(operationList) - before
		return n <= 1, w.logs.String()
	})
}

// TestQuiet_storeConflict keeps saying what a person has to put right, instead of fetching the transcript again and again.
func TestQuiet_storeConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(500*time.Millisecond))
	w.account()
	job := w.job("job")
	w.awaitRecord(job)
	w.create(&corev1.ConfigMap{ObjectMeta: w.meta("job-txt"), Data: map[string]string{"mine": "yes"}})
	w.awaitReason(job, v1alpha1.ReasonConfigMapConflict)
	w.consistently("the condition", func() (bool, string) {
		w.get(job)
		ready := readyCondition(job.Status.Conditions)
		return ready.Reason == v1alpha1.ReasonConfigMapConflict && w.requests(operationTranscript) == 0, ready.Reason
	})
	w.delete(&corev1.ConfigMap{ObjectMeta: w.meta("job-txt")})
	w.awaitReason(job, v1alpha1.ReasonComplete)
}

// TestQuiet_finished causes no traffic for a job that has finished, whatever happens to the object.
func TestQuiet_finished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("job")
	w.awaitReason(job, v1alpha1.ReasonComplete)
	all := func() int {
		return w.requests(operationSubmit) + w.requests(operationGet) + w.requests(operationTranscript) + w.requests(operationDelete)
	}
	before := all()
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Labels = map[string]string{"a": "b"} })
	w.consistently("silence", func() (bool, string) { return all() == before, w.logs.String() })
	if submitted := w.requests(operationSubmit); submitted != 1 || before != 1 {
		t.Errorf("%d submissions and %d requests in all, want one request for a job that is notified", submitted, before)
	}
}

// TestQuiet_deletion cannot clean up, for another reason each time. What the job says of it must not begin the next try.
func TestQuiet_deletion(t *testing.T) {
	t.Parallel()
	var deletions atomic.Int32
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute), func(w *world, _ *simulator.Options) {
		w.intercept = func(provider http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodDelete && deletions.Add(1) > 0 {
					http.Error(rw, fmt.Sprintf("trouble number %d", deletions.Load()), http.StatusServiceUnavailable)
					return
				}
				provider.ServeHTTP(rw, r)
			})
		}
	})
	w.account()
	job := w.job("job")
	w.awaitRecord(job)
	w.delete(job)
	w.awaitReason(job, v1alpha1.ReasonCleanUpDelayed)
	w.consistently("the wait", func() (bool, string) { return deletions.Load() == 1, w.logs.String() })
}

// TestIsolation_pausedAccount has one account be told to pause for minutes, with a single worker: the jobs of others go on.
func TestIsolation_pausedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute), withOptions(func(o *Options) { o.MaxConcurrentReconciles = 1 }))
	w.account()
	for _, name := range []string{"a", "b"} {
		w.awaitRecord(w.job(name))
	}
	if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationGet, Status: http.StatusTooManyRequests, RetryAfter: 300, Count: 1}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the account is paused", func() (bool, string) { return w.requests(operationGet) > 0, "" })
	job := w.job("other", func(j *v1alpha1.TranscriptionJob) { j.Spec.AccountRef = &v1alpha1.AccountReference{Name: "nobody"} })
	w.awaitReason(job, v1alpha1.ReasonAccountNotFound)
}

// TestKey_ofAnotherProject puts the key of another project into the Secret while a job runs. There the job does not exist, which
// proves nothing: it is neither given up nor bought again.
func TestKey_ofAnotherProject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(4*time.Second))
	w.account()
	job := w.job("job")
	w.awaitRecord(job)
	const other = "sm-other-project-key-0123456789"
	w.secrets = append(w.secrets, other)
	w.simulator.AddProjectKey("other", other)
	secret := &corev1.Secret{ObjectMeta: w.meta("speechmatics")}
	update(w, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"apiKey": []byte(other)} })
	w.awaitReason(job, v1alpha1.ReasonAccountNotReady)
	w.consistently("the job is not given up", func() (bool, string) {
		w.get(job)
		return w.submissions(job) == 1 && valueOf(job.Status.FailedAttempts) == 0, readyCondition(job.Status.Conditions).Message
	})
	update(w, secret, func(s *corev1.Secret) { s.Data = map[string][]byte{"apiKey": []byte(apiKey)} })
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
}

// TestLimits_ghost deletes a job that waits for its turn, after a restart: its turn must not be kept for it.
func TestLimits_ghost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Minute))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(1))}
	})
	running, ghost := w.job("running"), w.newJob("ghost")
	w.awaitRecord(running)
	w.create(ghost)
	w.awaitReason(ghost, v1alpha1.ReasonWaiting)
	w.restartManager()
	next := w.job("next")
	w.awaitReason(next, v1alpha1.ReasonWaiting)
	w.delete(ghost)
	w.awaitGone(ghost)
	w.delete(running)
	w.awaitGone(running)
	w.awaitRecord(next)
}

// TestLimits_ofDeletedAccount forgets the limits of an account that is gone, though another one uses the same key.
func TestLimits_ofDeletedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Minute))
	account := w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(1))}
	})
	w.delete(account)
	w.awaitGone(account)
	fresh := &v1alpha1.SpeechmaticsAccount{ObjectMeta: w.meta("default"), Spec: v1alpha1.SpeechmaticsAccountSpec{
		BaseURL: &w.provider, APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"},
	}}
	w.create(fresh)
	w.awaitAccount(fresh, v1alpha1.ReasonKeyAccepted)
	for _, name := range []string{"a", "b"} {
		w.awaitRecord(w.job(name))
	}
}

// TestDeadline_accountGone fails a job on time that nobody can look at or cancel.
func TestDeadline_accountGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute))
	account := w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) { j.Spec.ActiveDeadlineSeconds = ptr.To(int64(15)) })
	w.awaitRecord(job)
	w.delete(account)
	w.awaitReason(job, v1alpha1.ReasonDeadlineExceeded)
}

// TestAmbiguous_accountReplaced obeys the policy when there is nobody to ask about an uncertain submission any more.
func TestAmbiguous_accountReplaced(t *testing.T) {
	t.Parallel()
	for policy, want := range map[v1alpha1.AmbiguousSubmissionPolicy]string{
		v1alpha1.AmbiguousFail:     v1alpha1.ReasonSubmissionAmbiguous,
		v1alpha1.AmbiguousResubmit: v1alpha1.ReasonComplete,
	} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withoutCallbacks())
			account := w.account()
			if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationCreate, Status: http.StatusBadGateway, Count: 1}); err != nil {
				t.Fatal(err)
			}
			job := w.job("job", func(j *v1alpha1.TranscriptionJob) { j.Spec.AmbiguousSubmissionPolicy = policy })
			w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown)
			w.delete(account)
			w.awaitGone(account)
			w.create(&v1alpha1.SpeechmaticsAccount{ObjectMeta: w.meta("default"), Spec: v1alpha1.SpeechmaticsAccountSpec{
				BaseURL: &w.provider, APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"},
			}})
			w.awaitReason(job, want)
		})
	}
}

// TestDeletion_replacedAfterwards replaces a finished job by its original manifest, which erases the finalizer, and then deletes it:
// what is at the provider is deleted all the same.
func TestDeletion_replacedAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("job")
	w.awaitReason(job, v1alpha1.ReasonComplete)
	id := *job.Status.RemoteJob.ID
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Annotations, j.Finalizers = nil, nil })
	w.eventually("the finalizer is back", func() (bool, string) {
		w.get(job)
		return len(job.Finalizers) == 1, ""
	})
	w.delete(job)
	w.awaitGone(job)
	if got := w.remoteStatus(id); got != "deleted" {
		t.Errorf("the job is %s at the provider", got)
	}
}

// TestDeletion_rotatedKey deletes a job right after the key was rotated: the new one is read before anything is given up.
func TestDeletion_rotatedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPatience(), withProcessing(time.Minute))
	w.account()
	job := w.job("job")
	id := w.awaitRecord(job)
	const newKey = "sm-secret-new-key-0123456789"
	w.secrets = append(w.secrets, newKey)
	w.simulator.AddKey(newKey)
	update(w, &corev1.Secret{ObjectMeta: w.meta("speechmatics")}, func(s *corev1.Secret) { s.Data = map[string][]byte{"apiKey": []byte(newKey)} })
	w.simulator.RevokeKey(apiKey)
	w.delete(job)
	w.awaitGone(job)
	if got := w.remoteStatus(id); got != "deleted" {
		t.Errorf("the job is %s at the provider", got)
	}
}

// TestSurplus_deleteFails finds two jobs for one uncertain submission, and cannot delete the surplus at first. It is not forgotten.
func TestSurplus_deleteFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute))
	// Something between us and the provider repeats the first submission, and loses the answers.
	w.doubled = true
	proxy := httptest.NewServer(doubling(t, w.simulator))
	t.Cleanup(proxy.Close)
	w.stop()
	<-w.stopped
	address := proxy.URL + "/v2"
	w.options.AllowedBaseURLs = append(w.options.AllowedBaseURLs, address)
	w.startManager()
	w.account(func(a *v1alpha1.SpeechmaticsAccount) { a.Spec.BaseURL = &address })
	if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationDelete, Status: http.StatusServiceUnavailable, Count: 2}); err != nil {
		t.Fatal(err)
	}
	job := w.job("job")
	kept := w.awaitRecord(job)
	w.wantEvent(job, "Warning SurplusDeleted")
	for _, remote := range w.simulator.Jobs() {
		if want := map[bool]string{true: "running", false: "deleted"}[remote.ID == kept]; remote.Status != want {
			t.Errorf("job %s is %s, want %s", remote.ID, remote.Status, want)
		}
	}
}

// doubling passes requests on, but for the first submission: that one is passed on twice, and not answered.
func doubling(t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	var done atomic.Bool
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !done.CompareAndSwap(false, true) {
			next.ServeHTTP(rw, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("cannot read the submission: %v", err)
		}
		for range 2 {
			again := r.Clone(r.Context())
			again.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(httptest.NewRecorder(), again)
		}
		panic(http.ErrAbortHandler)
	})
}
