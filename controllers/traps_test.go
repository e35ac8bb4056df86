// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// step is a reconciler that is driven by hand, step by step, on the real API server.
func step(t *testing.T, c client.Client) *JobReconciler {
	t.Helper()
	counted, err := newMetrics(prometheus.NewRegistry(), newRisks(), newCensus(nil), false)
	if err != nil {
		t.Fatal(err)
	}
	options := Options{Namespace: "manager"}.withDefaults()
	return &JobReconciler{
		client: c, live: env.Client, recorder: events.NewFakeRecorder(100), providers: newProviders(env.Client, options),
		metrics: counted, options: options, rests: newRests(), risks: newRisks(), tracker: newTracker(options.Clock), keys: newKeyring(t),
	}
}

// bareJob creates a job that no manager sees.
func bareJob(t *testing.T, namespace, name string) *v1alpha1.TranscriptionJob {
	t.Helper()
	url := "https://media.example.com/a.wav"
	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.TranscriptionJobSpec{
			Media:         v1alpha1.MediaSource{URL: &url},
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"},
		},
	}
	if err := env.Client.Create(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	return job
}

func get(t *testing.T, job *v1alpha1.TranscriptionJob) *v1alpha1.TranscriptionJob {
	t.Helper()
	live := &v1alpha1.TranscriptionJob{}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(job), live); err != nil {
		t.Fatal(err)
	}
	return live
}

// testProvider is a provider that is never asked.
func testProvider() *provider {
	return &provider{
		account: v1alpha1.ResolvedAccountReference{Kind: v1alpha1.NamespacedAccount, Name: "default", UID: "11111111-1111-1111-1111-111111111111"},
		backend: speechmatics.SaaS, baseURL: "https://api.example.com/v2", keyFingerprint: fingerprint(apiKey),
	}
}

// TestTrap_twoManagersClaim has two managers claim the same object from caches of the same age: one of them fails before money is
// spent.
func TestTrap_twoManagersClaim(t *testing.T) {
	t.Parallel()
	job := bareJob(t, env.Namespace(t.Context(), t, nil), "job")
	a, b := step(t, env.Client), step(t, env.Client)
	if err := a.claimAttempt(t.Context(), newScope(job.DeepCopy(), a.options), testProvider()); err != nil {
		t.Fatalf("the first claim failed: %v", err)
	}
	err := b.claimAttempt(t.Context(), newScope(job.DeepCopy(), b.options), testProvider())
	if !apierrors.IsConflict(err) {
		t.Fatalf("the second claim ended with %v, want a conflict", err)
	}
	if live := get(t, job); len(live.Finalizers) != 1 {
		t.Errorf("the claim came without the finalizer: %v", live.Finalizers)
	}
}

// TestTrap_staleStatus applies a status that was computed from a stale object, after the submission was recorded and the
// receiver has stored a transcript. It fails, and erases nothing.
func TestTrap_staleStatus(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	r := step(t, env.Client)
	if err := r.applyStatus(ctx, newScope(job.DeepCopy(), r.options), verdict{reason: v1alpha1.ReasonSubmitting, message: "m"}); err != nil {
		t.Fatal(err)
	}
	stale := get(t, job)
	if err := r.record(ctx, newScope(stale.DeepCopy(), r.options), testProvider(), "remote1"); err != nil {
		t.Fatal(err)
	}
	recorded := get(t, job)

	err := r.applyStatus(ctx, newScope(stale.DeepCopy(), r.options), verdict{reason: v1alpha1.ReasonRunning, message: "m"})
	if !apierrors.IsConflict(err) {
		t.Fatalf("the stale apply ended with %v, want a conflict", err)
	}
	ignore := cmpopts.IgnoreTypes(metav1.ObjectMeta{})
	if diff := cmp.Diff(recorded, get(t, job), ignore); diff != "" {
		t.Errorf("the stale apply changed something (-before +after):\n%s", diff)
	}

	// From the fresh object it holds, and leaves the record alone.
	if err := r.applyStatus(ctx, newScope(get(t, job), r.options), verdict{reason: v1alpha1.ReasonRunning, message: "m"}); err != nil {
		t.Fatal(err)
	}
	if live := get(t, job); live.Status.RemoteJob == nil || valueOf(live.Status.RemoteJob.ID) != "remote1" || valueOf(live.Status.Attempt) != 1 {
		t.Errorf("the controller's apply took back the record: %+v", live.Status)
	}
}

// TestTrap_recordConflict has somebody write the object between the claim and the record: the record is retried until it holds.
func TestTrap_recordConflict(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	r := step(t, env.Client)
	s := newScope(job, r.options)
	if err := r.claimAttempt(ctx, s, testProvider()); err != nil {
		t.Fatal(err)
	}
	live := get(t, job)
	live.Labels = map[string]string{"changed": "meanwhile"}
	if err := env.Client.Update(ctx, live); err != nil {
		t.Fatal(err)
	}
	if err := r.record(ctx, s, testProvider(), "remote1"); err != nil && !errors.Is(err, errReloaded) {
		t.Fatal(err)
	}
	if got := get(t, job); valueOf(got.Status.RemoteJob.ID) != "remote1" || got.Labels["changed"] == "" {
		t.Errorf("status %+v, labels %v: want the record and the other change", got.Status.RemoteJob, got.Labels)
	}
}

// TestTrap_recordTransientErrors has the API server fail a few times in the dangerous moment, and the manager be told to stop.
// The record is written all the same.
func TestTrap_recordTransientErrors(t *testing.T) {
	t.Parallel()
	job := bareJob(t, env.Namespace(t.Context(), t, nil), "job")
	var failures atomic.Int32
	broken := interceptor.NewClient(env.Client, interceptor.Funcs{
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, apply runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			if failures.Add(1) <= 3 {
				return errors.New("connection refused")
			}
			return c.SubResource(sub).Apply(ctx, apply, opts...)
		},
	})
	r := step(t, broken)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.record(ctx, newScope(job, r.options), testProvider(), "remote1"); err != nil && !errors.Is(err, errReloaded) {
		t.Fatal(err)
	}
	if got := get(t, job); got.Status.RemoteJob == nil || valueOf(got.Status.RemoteJob.ID) != "remote1" {
		t.Errorf("status %+v, want the record", got.Status)
	}
}

// TestTrap_namesake has the object be deleted and created again under the same name while its job is being submitted. The record
// must not land in the namesake, which would never be submitted then.
func TestTrap_namesake(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	job.Spec.RemoteDeletionPolicy = v1alpha1.RemoteDeletionNever // The provider of this test does not exist.
	r := step(t, env.Client)
	s := newScope(job.DeepCopy(), r.options)
	if err := env.Client.Delete(ctx, job); err != nil {
		t.Fatal(err)
	}
	namesake := bareJob(t, job.Namespace, job.Name)
	if err := r.record(ctx, s, testProvider(), "remote1"); err != nil && !errors.Is(err, errReloaded) {
		t.Fatal(err)
	}
	if live := get(t, namesake); live.Status.RemoteJob != nil || live.Status.Attempt != nil {
		t.Errorf("the namesake got another object's record: %+v", live.Status)
	}
}

// TestTrap_ownership checks who owns what in the status, since server-side apply removes what an owner leaves out.
func TestTrap_ownership(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	r := step(t, env.Client)
	s := newScope(job, r.options)
	s.remote().State = new(v1alpha1.RemoteRunning)
	s.remote().Errors = []v1alpha1.RemoteError{{Message: "m"}}
	if err := r.applyStatus(ctx, s, verdict{reason: v1alpha1.ReasonRunning, message: "m"}); err != nil {
		t.Fatal(err)
	}
	if err := r.record(ctx, s, testProvider(), "remote1"); err != nil && !errors.Is(err, errReloaded) {
		t.Fatal(err)
	}
	// The next attempt begins: what was said of the last one goes, the record stays until the next record.
	s = newScope(get(t, job), r.options)
	s.status.RemoteJob = &v1alpha1.RemoteJob{ID: s.remote().ID, BaseURL: s.remote().BaseURL}
	if err := r.applyStatus(ctx, s, verdict{reason: v1alpha1.ReasonRetrying, message: "m"}); err != nil {
		t.Fatal(err)
	}
	want := &v1alpha1.RemoteJob{ID: new("remote1"), BaseURL: new("https://api.example.com/v2")}
	if diff := cmp.Diff(want, get(t, job).Status.RemoteJob); diff != "" {
		t.Errorf("remote job (-want +got):\n%s", diff)
	}
}

// TestTrap_ownershipOfRunning checks that what a record says besides the ID, that the job runs, is there with it, goes with the attempt, and takes no
// condition along.
func TestTrap_ownershipOfRunning(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	r := step(t, env.Client)
	s := newScope(job, r.options)
	if err := r.applyStatus(ctx, s, verdict{reason: v1alpha1.ReasonSubmitting, message: "m"}); err != nil {
		t.Fatal(err)
	}
	created := r.options.Clock.Now().UTC().Truncate(time.Second)
	if err := r.recordAs(ctx, s, testProvider(), "remote1", runningSince(created)); err != nil {
		t.Fatal(err)
	}
	recorded := get(t, job)
	want := &v1alpha1.RemoteJob{ID: new("remote1"), BaseURL: new("https://api.example.com/v2"), State: new(v1alpha1.RemoteRunning), CreatedAt: new(metav1.NewTime(created))}
	if diff := cmp.Diff(want, recorded.Status.RemoteJob, cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("remote job with the record (-want +got):\n%s", diff)
	}
	if ready := readyCondition(recorded.Status.Conditions); ready == nil || ready.Reason != v1alpha1.ReasonRunning {
		t.Errorf("Ready with the record: got %+v", ready)
	}
	if err := r.applyStatus(ctx, s, s.running(0)); err != nil {
		t.Fatal(err)
	}
	if got := get(t, job).ResourceVersion; got != recorded.ResourceVersion {
		t.Error("the status was written once more, although the record had said everything")
	}

	v, _ := s.judge(verdict{}, &failure{reason: v1alpha1.ReasonRemoteJobLost, message: "m", retryable: true})
	if err := r.applyStatus(ctx, s, v); err != nil {
		t.Fatal(err)
	}
	retrying := get(t, job)
	want = &v1alpha1.RemoteJob{ID: want.ID, BaseURL: want.BaseURL}
	if diff := cmp.Diff(want, retrying.Status.RemoteJob); diff != "" {
		t.Errorf("remote job of an attempt that has failed (-want +got):\n%s", diff)
	}
	s = newScope(retrying, r.options)
	if err := r.record(ctx, s, testProvider(), "remote2"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(retrying.Status.Conditions, get(t, job).Status.Conditions); diff != "" {
		t.Errorf("conditions after the next record (-want +got):\n%s", diff)
	}
}

// TestTrap_recordSuperseded has a manager wake up with an answer after another one has taken over, given the attempt up, and gone
// on: its record must not turn the clock back.
func TestTrap_recordSuperseded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	a, b := step(t, env.Client), step(t, env.Client)
	old := newScope(job, a.options)
	if err := a.claimAttempt(ctx, old, testProvider()); err != nil {
		t.Fatal(err)
	}

	s := newScope(get(t, job), b.options)
	if err := b.record(ctx, s, testProvider(), "first"); err != nil {
		t.Fatal(err)
	}
	v, _ := s.judge(verdict{}, &failure{reason: v1alpha1.ReasonRemoteJobLost, message: "m", retryable: true})
	if err := b.applyStatus(ctx, s, v); err != nil {
		t.Fatal(err)
	}
	s = newScope(get(t, job), b.options)
	if err := b.claimAttempt(ctx, s, testProvider()); err != nil {
		t.Fatal(err)
	}
	if err := b.record(ctx, s, testProvider(), "second"); err != nil {
		t.Fatal(err)
	}
	if err := b.applyStatus(ctx, s, verdict{ending: completed, reason: v1alpha1.ReasonComplete, message: "m"}); err != nil {
		t.Fatal(err)
	}
	before := get(t, job)

	var deleted atomic.Int32
	provider := testProvider()
	provider.limits = newLimits(a.options, func(types.NamespacedName) {})
	provider.client = countingClient(t, job.UID, &deleted)
	if err := a.record(ctx, old, provider, "first"); !errors.Is(err, errReloaded) {
		t.Fatalf("the late record ended with %v, want the pass to begin anew", err)
	}
	if diff := cmp.Diff(before, get(t, job)); diff != "" {
		t.Errorf("the late record changed the object (-before +after):\n%s", diff)
	}
	if deleted.Load() != 1 {
		t.Errorf("%d remote jobs were deleted, want the surplus", deleted.Load())
	}
}

// TestTrap_staleAdoption has a manager find two jobs for one attempt, while its cache does not know yet that another manager has
// recorded one of them. It deletes neither, because it cannot know which one is kept.
func TestTrap_staleAdoption(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	a, b := step(t, env.Client), step(t, env.Client)
	if err := a.claimAttempt(ctx, newScope(job, a.options), testProvider()); err != nil {
		t.Fatal(err)
	}
	stale := newScope(get(t, job), a.options)
	if err := b.record(ctx, newScope(get(t, job), b.options), testProvider(), "younger"); err != nil {
		t.Fatal(err)
	}

	var deleted atomic.Int32
	provider := testProvider()
	provider.limits = newLimits(a.options, func(types.NamespacedName) {})
	provider.client = countingClient(t, job.UID, &deleted)
	found := []*speechmatics.Job{{ID: "older", Status: speechmatics.JobRunning}, {ID: "younger", Status: speechmatics.JobRunning}}
	if _, err := a.adopt(ctx, stale, provider, found); !apierrors.IsConflict(err) {
		t.Fatalf("the adoption by an old cache ended with %v, want a conflict", err)
	}
	if deleted.Load() != 0 {
		t.Errorf("%d remote jobs were deleted by an old cache", deleted.Load())
	}

	// By the object as it is, the recorded one stays, though it is noted as surplus, and the other one goes.
	s := newScope(get(t, job), a.options)
	if err := a.noteSurplus(ctx, s, living(found)...); err != nil {
		t.Fatal(err)
	}
	if err := a.deleteNoted(ctx, s, provider); err != nil {
		t.Fatal(err)
	}
	if deleted.Load() != 1 {
		t.Errorf("%d remote jobs were deleted, want the one that is not recorded", deleted.Load())
	}
	if claim := newScope(get(t, job), a.options).claim; claim == nil || len(claim.Surplus) != 0 {
		t.Errorf("the claim still notes a surplus: %+v", claim)
	}
}

// TestTrap_sweepWaits has a job finish while something may still be submitted under its latest claim: what was given up is looked for
// when that is over, and the object stays until then.
func TestTrap_sweepWaits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	r := step(t, env.Client)
	s := newScope(job, r.options)
	if err := r.claimAttempt(ctx, s, testProvider()); err != nil {
		t.Fatal(err)
	}
	claim := *s.claim
	claim.GivenUp = true
	if err := r.writeClaim(ctx, s, claim); err != nil {
		t.Fatal(err)
	}
	if err := r.applyStatus(ctx, s, verdict{ending: completed, reason: v1alpha1.ReasonComplete, message: "m"}); err != nil {
		t.Fatal(err)
	}
	after, err := r.reconcileFinished(ctx, newScope(get(t, job), r.options))
	if left := r.settledAt(s.claim).Sub(s.now()); err != nil || after < left-time.Minute || after > left+time.Minute {
		t.Errorf("looked again after %v, %v; want %v", after, err, left)
	}
	if live := get(t, job); !newScope(live, r.options).sweepOwed() {
		t.Error("the sweep is not owed any more")
	}
}

// countingClient is a client of a provider that only counts deletions. Every job is one of an object's there.
func countingClient(t *testing.T, owner types.UID, deleted *atomic.Int32) *speechmatics.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deleted.Add(1)
		}
		reference := notification.Reference{UID: owner, Attempt: 1, Nonce: notification.NewNonce()}
		_, _ = fmt.Fprintf(rw, `{"job":{"id":%q,"status":"running","created_at":"2026-03-01T12:00:00.000Z","data_name":"","config":{"type":"transcription","tracking":{"reference":%q}}}}`, path.Base(r.URL.Path), reference)
	}))
	t.Cleanup(server.Close)
	c, err := speechmatics.New(server.URL+"/v2", speechmatics.WithAPIKey(apiKey))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTrap_stalledTranscript has the provider stall in the middle of a transcript: when the webhook receiver gives the delivery up,
// nobody waits for the provider any more.
func TestTrap_stalledTranscript(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Connection", "close") // or the server would read the rest of the body first
		rw.WriteHeader(http.StatusRequestTimeout)
	}))
	t.Cleanup(receiver.Close)
	c, err := NewReceiverClient(receiver.URL, newKeyring(t))
	if err != nil {
		t.Fatal(err)
	}
	target := notification.Target{Namespace: "a", Name: "b", UID: "11111111-1111-1111-1111-111111111111", Attempt: 1}
	err = c.Deliver(t.Context(), target, "id", func(ctx context.Context, _ *multipart.Writer) error {
		<-ctx.Done() // a body that never comes
		return ctx.Err()
	})
	if err == nil {
		t.Error("the delivery succeeded")
	}
}

// TestTrap_renewWhileUsed renews an account's provider while jobs use it; the race detector judges.
func TestTrap_renewWhileUsed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	namespace := env.Namespace(ctx, t, nil)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "key"}, StringData: map[string]string{"apiKey": apiKey}}
	if err := env.Client.Create(ctx, secret); err != nil {
		t.Fatal(err)
	}
	account := &v1alpha1.SpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default", UID: "11111111-1111-1111-1111-111111111111", Generation: 1},
		Spec: v1alpha1.SpeechmaticsAccountSpec{
			Region: new(v1alpha1.Region("eu1")), APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "key", Key: "apiKey"},
		},
	}
	ps := newProviders(env.Client, Options{Namespace: namespace}.withDefaults())
	p, err := ps.get(ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 20 {
			if _, err := ps.renew(ctx, account); err != nil {
				t.Error(err)
			}
		}
	})
	for range 1000 {
		p.limits.counts()
	}
	wg.Wait()
}
