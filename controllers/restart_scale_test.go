// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// TestScale_restart starts the manager with many jobs running that it knows nothing of but what the objects say: they are looked at together,
// once, and soon; and in the first minute not again, be they polled or not.
func TestScale_restart(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]worldOption{"notified": nil, "polled": {withoutCallbacks()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			startWithMany(t, options...)
		})
	}
}

func startWithMany(t *testing.T, options ...worldOption) {
	t.Helper()
	const plenty = 1_000_000
	n := sized(5000, 150)
	w := newWorld(t, append(options, withProcessing(24*time.Hour),
		func(_ *world, o *simulator.Options) {
			o.Limits = simulator.Limits{SubmissionsPerSecond: plenty, ReadsPerSecond: plenty, RunningJobs: plenty}
		},
		withPatience(), // or the account's key would be tried every other second, with the list
		withOptions(func(o *Options) { o.PollInterval = sized(30*time.Second, 6*time.Second) }))...)
	account := w.account()
	p := w.takenUp(account)
	w.stop()
	<-w.stopped
	making := &errgroup.Group{}
	making.SetLimit(8)
	for i := range n {
		making.Go(func() error { return w.running(p, fmt.Sprintf("job-%05d", i)) })
	}
	if err := making.Wait(); err != nil {
		t.Fatal(err)
	}
	before := w.simulator.Requests()
	took := func() simulator.RequestCounts { return w.simulator.Requests().Since(before) }
	began := time.Now()
	w.startManager()
	w.eventually("all jobs are looked at", func() (bool, string) {
		seen := w.counter("transcription_operator_observations_total")
		return seen >= n, fmt.Sprintf("%d of %d, with %v", seen, n, took())
	})
	steady := time.Since(began)
	t.Logf("%d running jobs were looked at within %s of a start, with %v", n, steady.Round(100*time.Millisecond), took())
	if *full {
		w.consistentlyFor(time.Minute-steady, "silence", func() (bool, string) { return took().Total(simulator.OperationList) <= 60, fmt.Sprint(took()) })
		t.Logf("%v in the first minute", took())
	}
	// One page more than there have to be for each account whose key is tried, and for the orphans' search.
	lists, gets := took().Total(simulator.OperationList), took().Total(simulator.OperationGet)
	if lists > n/pageSize+10 || gets > 0 || steady > 30*time.Second {
		t.Errorf("it took %d pages and %d single requests, within %s", lists, gets, steady)
	}
}

// takenUp is what reaches the provider for an account that was tried.
func (w *world) takenUp(account *v1alpha1.SpeechmaticsAccount) *provider {
	w.t.Helper()
	client, err := speechmatics.New(w.provider, speechmatics.WithAPIKey(apiKey))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.CloseIdleConnections)
	return &provider{client: client, baseURL: w.provider, keyFingerprint: fingerprint(apiKey), account: v1alpha1.ResolvedReference(account)}
}

// running makes a job that a manager has submitted and seen running.
func (w *world) running(p *provider, name string) error {
	job := w.newJob(name)
	if err := env.Client.Create(w.ctx, job); err != nil {
		return err
	}
	now := time.Now()
	claim := notification.Claim{
		UID: job.UID, Attempt: 1, Nonce: "0123456789abcdef0123456789abcdef", ClaimedAt: now, NotAfter: now.Add(time.Minute),
		AccountUID: p.account.UID, BaseURL: p.baseURL, KeyFingerprint: p.keyFingerprint,
	}
	annotation, err := claim.Annotation()
	if err != nil {
		return err
	}
	created, err := p.client.CreateJob(w.ctx, speechmatics.CreateJobRequest{
		ConfigJSON: fmt.Appendf(nil, `{"type":"transcription","transcription_config":{"language":"en"},"tracking":{"reference":%q}}`, claim.Reference()),
		Media:      &speechmatics.Media{Name: "a.wav", Reader: bytes.NewReader(silence), Size: int64(len(silence))},
	})
	if err != nil {
		return err
	}
	job.Annotations = map[string]string{notification.ClaimAnnotation: annotation}
	job.Finalizers = []string{v1alpha1.RemoteJobFinalizer}
	if err := env.Client.Update(w.ctx, job); err != nil {
		return err
	}
	job.Status = v1alpha1.TranscriptionJobStatus{
		ObservedGeneration: ptr.To(job.Generation), Attempt: ptr.To(int32(1)), FailedAttempts: ptr.To(int32(0)),
		AccountRef: p.reference(), StartTime: ptr.To(metav1.NewTime(now)),
		RemoteJob: &v1alpha1.RemoteJob{
			ID: &created.ID, BaseURL: &p.baseURL, State: ptr.To(v1alpha1.RemoteRunning), CreatedAt: ptr.To(metav1.NewTime(created.Date)), Language: ptr.To("en"),
		},
	}
	s := newScope(job, w.options)
	job.Status.Conditions = deriveConditions(job, s.running(0), now)
	return env.Client.Status().Update(w.ctx, job)
}

// counter is the sum of a counter.
func (w *world) counter(name string) int {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, family := range families {
		if family.GetName() == name {
			for _, metric := range family.GetMetric() {
				n += int(metric.GetCounter().GetValue())
			}
		}
	}
	return n
}
