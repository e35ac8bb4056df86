// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// TestRunning_restarts has many jobs go through five places, at a provider that refuses a sixth, with the manager broken off and replaced in
// between, and two accounts that share the key: none is ever refused.
func TestRunning_restarts(t *testing.T) {
	t.Parallel()
	const places, jobs = 5, 36
	limits := &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(places)), SubmissionsPerSecond: ptr.To(int32(100)), RequestsPerSecond: ptr.To(int32(500))}
	w := newWorld(t, withProcessing(200*time.Millisecond), func(_ *world, o *simulator.Options) {
		o.Limits.RunningJobs, o.Limits.SubmissionsPerSecond, o.Limits.ReadsPerSecond = places, -1, -1
	}, withOptions(func(o *Options) { o.SubmissionWindow = 10 * time.Second }))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) { a.Spec.Limits = limits })
	w.secondAccount("twin", apiKey, limits)
	w.crowd(jobs/2, "job")
	w.crowd(jobs/2, "twins", under("twin"))
	for i := 1; i < 4; i++ {
		w.eventually("some more are through", func() (bool, string) {
			n := w.complete()
			return n >= i*jobs/5, fmt.Sprintf("%d are complete", n)
		})
		w.restartManager()
	}
	w.eventually("all are complete", func() (bool, string) {
		n := w.complete()
		return n == jobs, fmt.Sprintf("%d are complete", n)
	})
	if n := w.simulator.Requests()[simulator.OperationCreate][http.StatusTooManyRequests]; n > 0 {
		t.Errorf("%d jobs were submitted when there was no place for them", n)
	}
}

// TestRunning_lowered lowers the limit while more jobs are running: nobody is let in before enough of them have ended.
func TestRunning_lowered(t *testing.T) {
	t.Parallel()
	fake := newSteppingClock()
	woken := &admissions{}
	l := limitsAt(fake, woken.wake)
	l.set(sharing("account", &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(3))}))
	for i := range 3 {
		l.occupy(types.UID(fmt.Sprint(i)), occupiedPlace{key: types.NamespacedName{Namespace: "n", Name: fmt.Sprint(i)}})
	}
	if l.admit(waitingJob("n", "next", 0, fake.Now()), "account") {
		t.Fatal("a job was let in though no place is free")
	}
	l.set(sharing("account", &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(1))}))
	for i := range 2 {
		l.release(types.UID(fmt.Sprint(i)))
		fake.Step(time.Second)
		if n := len(woken.all()); n > 0 {
			t.Fatalf("a job was let in when %d of 3 had ended, and 1 may run", i+1)
		}
	}
	l.release("2")
	if diff := cmp.Diff([]string{"n/next"}, woken.all()); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
}

// TestRunning_spoiltClaim has somebody spoil the claim of his running job, which he may write: that frees no place for another one, neither at
// once nor for the next manager.
func TestRunning_spoiltClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Hour))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(1))}
	})
	first := w.job("first")
	w.awaitReason(first, v1alpha1.ReasonRunning)
	update(w, first, func(j *v1alpha1.TranscriptionJob) { j.Annotations[notification.ClaimAnnotation] = "garbage" })
	w.awaitReason(first, v1alpha1.ReasonInvalidClaim)
	next := w.job("next")
	w.awaitReason(next, v1alpha1.ReasonWaiting)
	w.restartManager()
	w.consistently("only one is at the provider", func() (bool, string) {
		w.get(next)
		return len(w.simulator.Jobs()) == 1, fmt.Sprintf("%d are, and the next one says %s", len(w.simulator.Jobs()), readyCondition(next.Status.Conditions).Reason)
	})
	w.delete(first)
	w.awaitReason(next, v1alpha1.ReasonRunning)
}

// anAccount is the UID of an account that another manager has used.
const anAccount = types.UID("0b5c9f6e-6f0a-4a51-9f52-2f6a1d0e7c11")

// claimedJob creates a job as another manager has left it behind.
func claimedJob(t *testing.T, namespace, name string, claim func(*notification.Claim)) *v1alpha1.TranscriptionJob {
	t.Helper()
	job := bareJob(t, namespace, name)
	c := notification.Claim{
		UID: job.UID, Attempt: 1, Nonce: notification.NewNonce(), ClaimedAt: dawn, NotAfter: dawn.Add(time.Minute),
		AccountUID: anAccount, BaseURL: "https://provider.example.com/v2", KeyFingerprint: "0123456789abcdef0123456789abcdef",
	}
	claim(&c)
	annotation, err := c.Annotation()
	if err != nil {
		t.Fatal(err)
	}
	job.Annotations = map[string]string{notification.ClaimAnnotation: annotation}
	if err := env.Client.Update(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	return job
}

// TestActiveJobs finds what another manager has left at the provider, or may have: by the claim, which is all that there is an instant
// after it was written.
func TestActiveJobs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	namespaces := []string{env.Namespace(ctx, t, nil), env.Namespace(ctx, t, nil)}
	bareJob(t, namespaces[0], "untouched")
	claimedJob(t, namespaces[0], "not-created", func(c *notification.Claim) { c.NotCreated = true })
	claimedJob(t, namespaces[0], "copied", func(c *notification.Claim) { c.UID = "5d3f7a52-0d4c-4f0e-8a52-0d8b7f3c9e21" })
	want := map[types.UID]activeJob{}
	for _, namespace := range namespaces {
		job := claimedJob(t, namespace, "claimed", func(*notification.Claim) {})
		want[job.UID] = activeJob{
			occupiedPlace: occupiedPlace{key: client.ObjectKeyFromObject(job), account: anAccount},
			limits:        []string{"https://provider.example.com/v2 0123456789abcdef0123456789abcdef"},
		}
	}
	got, err := activeJobs(ctx, env.Client, namespaces)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(activeJob{}, occupiedPlace{})); diff != "" {
		t.Errorf("active jobs (-want +got):\n%s", diff)
	}

	all, err := activeJobs(ctx, env.Client, nil)
	if err != nil {
		t.Fatal(err)
	}
	for uid := range want {
		if _, ok := all[uid]; !ok {
			t.Errorf("job %s is not among those of all namespaces", uid)
		}
	}
}

// TestStock counts what was at the provider before anybody is let in: the account's own jobs, whatever key they were submitted with, and
// those of others with the same key; not those of others with another one.
func TestStock(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const host = "http://worker.example.com:18000/v2"
	ps := newProviders(env.Client, Options{Namespace: "manager", AllowedBaseURLs: []string{host}}.withDefaults())
	lists := 0
	at := func(name string, account types.UID, limits string) activeJob {
		return activeJob{occupiedPlace: occupiedPlace{key: types.NamespacedName{Namespace: "n", Name: name}, account: account}, limits: []string{limits}}
	}
	ps.active = func(context.Context) (map[types.UID]activeJob, error) {
		lists++
		if lists == 1 {
			return nil, errors.New("the API server is not there")
		}
		return map[types.UID]activeJob{
			"own":        at("own", "a", limitsID(host, noKeyFingerprint, "a")),
			"old key":    at("old-key", "a", limitsID(host, "another key", "a")),
			"the same":   at("the-same", "b", limitsID(host, noKeyFingerprint, "a")),
			"another":    at("another", "b", limitsID(host, "another key", "b")),
			"never seen": at("never-seen", "a", limitsID(host, noKeyFingerprint, "a")),
		}, nil
	}
	account := &v1alpha1.SpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "default", UID: "a", Generation: 1},
		Spec:       v1alpha1.SpeechmaticsAccountSpec{Backend: worker, BaseURL: new(host), Limits: &v1alpha1.AccountLimits{RunningJobs: ptr.To(int32(3))}},
	}
	if _, err := ps.get(ctx, account); err == nil {
		t.Fatal("an account can be used though it is not known what is at the provider")
	}
	p, err := ps.get(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	job := waitingJob("n", "next", 0, dawn)
	if running, _ := p.limits.counts(); running != 4 || p.limits.admit(job, "a") {
		t.Fatalf("%d jobs are counted, want 4, and none let in", running)
	}
	ps.release("own")
	ps.releaseNamed(types.NamespacedName{Namespace: "n", Name: "never-seen"})
	if running, _ := p.limits.counts(); running != 3 {
		t.Errorf("%d jobs are counted after one has ended, one was gone, and one was let in; want 3", running)
	}
	if len(ps.stock) != 3 || lists != 2 {
		t.Errorf("%d jobs are in stock after %d lists, want 3 after 2", len(ps.stock), lists)
	}
}

// TestDeletion_busy has a namespace go with more jobs running than the account's limits permit to delete at once: those that do not get
// their turn within a second are not let go for that, with what they have at the provider.
func TestDeletion_busy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Hour), withOptions(func(o *Options) { o.PollInterval = time.Hour }))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{RequestsPerSecond: ptr.To(int32(3))}
	})
	jobs := w.crowd(6, "job")
	for _, job := range jobs {
		w.awaitRecord(job)
	}
	w.delete(&corev1.Namespace{ObjectMeta: w.clusterMeta(w.namespace)})
	for _, job := range jobs {
		w.delete(job)
	}
	for _, job := range jobs {
		w.awaitGone(job)
	}
	for _, remote := range w.simulator.Jobs() {
		if remote.Status != "deleted" {
			t.Errorf("job %s is %s at the provider", remote.ID, remote.Status)
		}
	}
}
