// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// reasons counts the jobs of the world by the reason of their Ready.
func (w *world) reasons() map[string]int {
	w.t.Helper()
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := env.Client.List(w.ctx, jobs, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	counts := map[string]int{}
	for i := range jobs.Items {
		if ready := readyCondition(jobs.Items[i].Status.Conditions); ready != nil {
			counts[ready.Reason]++
		}
	}
	return counts
}

// awaitReasons waits until so many jobs have a reason.
func (w *world) awaitReasons(n int, reason string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%d jobs are %s", n, reason), func() (bool, string) {
		counts := w.reasons()
		return counts[reason] >= n, fmt.Sprint(counts)
	})
}

// unauthorized counts the answers 401 of the provider.
func (w *world) unauthorized() int {
	n := 0
	for _, answers := range w.simulator.Requests() {
		n += answers[http.StatusUnauthorized]
	}
	return n
}

// TestCircuit_revokedKey revokes the key while jobs run and others wait: that takes a request of each worker at most and not one of each
// job, and then there are none. Everybody says why. A new key in the Secret is found by itself within seconds, and all go on.
func TestCircuit_revokedKey(t *testing.T) {
	t.Parallel()
	const running, waiting = 12, 24
	w := newWorld(t, withoutCallbacks(), withProcessing(10*time.Minute), withOptions(func(o *Options) {
		o.RetryInterval, o.SecretInterval, o.SubmissionWindow = 2*time.Second, 5*time.Minute, 10*time.Second
	}))
	account := w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(running)), SubmissionsPerSecond: ptr.To(int32(100))}
	})
	w.crowd(running+waiting, "job")
	w.awaitReasons(running, v1alpha1.ReasonRunning)
	w.awaitReasons(waiting, v1alpha1.ReasonWaiting)

	w.simulator.RevokeKey(apiKey)
	w.awaitAccount(account, v1alpha1.ReasonKeyRefused)
	w.awaitReasons(running+waiting, v1alpha1.ReasonAccountNotReady)
	refused := w.unauthorized()
	if refused > minHands+2 {
		t.Errorf("%d requests were refused, want at most one for each worker and the account's own", refused)
	}
	if held := meta.FindStatusCondition(account.Status.Conditions, v1alpha1.ConditionSubmissionsHeld); held.Reason != v1alpha1.ReasonKeyRefused {
		t.Errorf("submissions are held because of %s", held.Reason)
	}
	w.consistently("the key is not tried again", func() (bool, string) {
		n := w.unauthorized()
		return n == refused, fmt.Sprintf("%d more requests", n-refused)
	})

	const newKey = "sm-secret-new-key-0123456789"
	w.secrets = append(w.secrets, newKey)
	w.simulator.AddKey(newKey)
	start := time.Now()
	update(w, &corev1.Secret{ObjectMeta: w.meta("speechmatics")}, func(s *corev1.Secret) { s.Data = map[string][]byte{"apiKey": []byte(newKey)} })
	w.awaitAccount(account, v1alpha1.ReasonKeyAccepted)
	t.Logf("%d requests were refused; the new key was accepted after %s", refused, time.Since(start).Round(100*time.Millisecond))
	w.awaitReasons(running, v1alpha1.ReasonRunning)
	w.awaitReasons(waiting, v1alpha1.ReasonWaiting)
	w.rejectRunning()
	w.awaitReasons(running, v1alpha1.ReasonRejected)
	w.awaitReasons(running, v1alpha1.ReasonRunning)
}

// TestCircuit_credit has the credit be used up while a job runs, told by each code of the specification that may tell it: few are tried, the account says
// why the others wait, the running job is followed to its end, and all go on when there is credit again.
func TestCircuit_credit(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusForbidden:       v1alpha1.ReasonSubmissionsForbidden,
		http.StatusTooManyRequests: v1alpha1.ReasonRateLimited,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			const jobs = 20
			w := newWorld(t, withProcessing(3*time.Second), withBehaviour(simulator.Behaviour{NoCreditStatus: status}), withOptions(func(o *Options) {
				o.RetryInterval, o.SecretInterval = 2*time.Second, 4*time.Second
			}))
			account := w.account()
			first := w.job("first")
			w.awaitRecord(first)
			if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultNoCredit}); err != nil {
				t.Fatal(err)
			}
			w.crowd(jobs, "job")
			w.eventually("the account says that submissions are held", func() (bool, string) {
				w.get(account)
				held := meta.FindStatusCondition(account.Status.Conditions, v1alpha1.ConditionSubmissionsHeld)
				return held != nil && held.Reason == want, fmt.Sprintf("%+v, %v", held, w.simulator.Requests())
			})
			if ready := readyCondition(account.Status.Conditions); ready.Reason != v1alpha1.ReasonKeyAccepted {
				t.Errorf("the account is %s; what is running is to be followed", ready.Reason)
			}
			w.awaitReason(first, v1alpha1.ReasonComplete)
			// Three open the circuit, and what is under way by then cannot be held up. Further ones come one by one.
			if n := w.simulator.Requests()[simulator.OperationCreate][status]; n > jobs*2/3 {
				t.Errorf("%d submissions of %d jobs were refused, want few", n, jobs)
			}
			if err := w.simulator.SetFaults(); err != nil {
				t.Fatal(err)
			}
			w.awaitReasons(jobs+1, v1alpha1.ReasonComplete)
			w.eventually("submissions are held no longer", func() (bool, string) {
				w.get(account)
				return meta.IsStatusConditionFalse(account.Status.Conditions, v1alpha1.ConditionSubmissionsHeld), ""
			})
		})
	}
}

// TestCircuit_oneJob has one job be refused for an option of its own: the others go on.
func TestCircuit_oneJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(100*time.Millisecond))
	w.account()
	if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultNoCredit, Title: "bad"}); err != nil {
		t.Fatal(err)
	}
	bad := w.job("bad", func(j *v1alpha1.TranscriptionJob) { j.Spec.Tracking = &v1alpha1.Tracking{Title: ptr.To("bad")} })
	w.awaitReason(bad, v1alpha1.ReasonSubmissionForbidden)
	for i := range 4 {
		w.awaitReason(w.job(fmt.Sprintf("good-%d", i)), v1alpha1.ReasonComplete)
	}
	w.awaitReason(bad, v1alpha1.ReasonSubmissionForbidden)
}

// TestCircuit_otherTenants has all jobs of one namespace be refused, so that submissions with the account that it shares are held for minutes:
// those of another namespace are sent nevertheless.
func TestCircuit_otherTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withNeighbour(), withProcessing(100*time.Millisecond), withOptions(func(o *Options) {
		o.RetryInterval, o.SecretInterval, o.SubmissionWindow = 2*patience, 4*patience, time.Minute
	}))
	account, shared := w.sharedAccount(nil)
	if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultNoCredit, Title: "bad"}); err != nil {
		t.Fatal(err)
	}
	w.crowd(12, "bad", shared, func(j *v1alpha1.TranscriptionJob) {
		j.Namespace = w.neighbour
		j.Spec.Tracking = &v1alpha1.Tracking{Title: ptr.To("bad")}
	})
	w.eventually("submissions are held", func() (bool, string) {
		w.get(account)
		return meta.IsStatusConditionTrue(account.Status.Conditions, v1alpha1.ConditionSubmissionsHeld), fmt.Sprintf("%+v", account.Status)
	})
	for i := range 3 {
		w.awaitReason(w.job(fmt.Sprintf("good-%d", i), shared), v1alpha1.ReasonComplete)
	}
}

// TestIsolation_hangingAccount has the provider of one account accept connections and answer nothing, with more jobs than there are workers:
// the jobs of another account are done meanwhile.
func TestIsolation_hangingAccount(t *testing.T) {
	t.Parallel()
	var inFlight, most atomic.Int32
	hanging := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = rw.Write([]byte(`{"jobs":[]}`)) // the key is accepted
			return
		}
		if n := inFlight.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer inFlight.Add(-1)
		_, _ = io.Copy(io.Discard, r.Body) // or nobody would notice that the other side has gone
		<-r.Context().Done()
	}))
	t.Cleanup(hanging.Close)
	address := hanging.URL + "/v2"
	const workers = 4
	w := newWorld(t, withProcessing(100*time.Millisecond), withOptions(func(o *Options) {
		o.MaxConcurrentReconciles, o.SubmissionWindow = workers, time.Minute
		o.AllowedBaseURLs = []string{address}
	}))
	w.account()
	const crowd = 3 * workers
	stuck := &v1alpha1.SpeechmaticsAccount{ObjectMeta: w.meta("stuck"), Spec: v1alpha1.SpeechmaticsAccountSpec{
		BaseURL: &address, APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"},
	}}
	w.create(stuck)
	w.awaitAccount(stuck, v1alpha1.ReasonKeyAccepted)
	w.crowd(crowd, "stuck", under("stuck"))
	w.eventually("half of the workers hang", func() (bool, string) {
		return inFlight.Load() == workers/2, fmt.Sprintf("%d do", inFlight.Load())
	})
	for i := range 4 {
		w.awaitReason(w.job(fmt.Sprintf("good-%d", i)), v1alpha1.ReasonComplete)
	}
	w.awaitReasons(crowd-workers/2, v1alpha1.ReasonWaiting)
	if n := inFlight.Load(); n != workers/2 || most.Load() != n {
		t.Errorf("%d workers hang, and %d did at most; want %d", n, most.Load(), workers/2)
	}
}
