// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"flag"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// full has the tests named TestScale_* run with the sizes of a busy cluster and print figures, which takes minutes (make scale). Without
// it they run with small ones.
var full = flag.Bool("scale.full", false, "run TestScale_* with their full sizes, which takes minutes")

// sized is a size of a test: the full one, or a small one in which it says the same.
func sized[T any](fullSize, small T) T {
	if *full {
		return fullSize
	}
	return small
}

// crowd creates many jobs at once, and returns them by name.
func (w *world) crowd(n int, name string, change ...func(*v1alpha1.TranscriptionJob)) []*v1alpha1.TranscriptionJob {
	w.t.Helper()
	jobs := make([]*v1alpha1.TranscriptionJob, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	hands := make(chan struct{}, 8)
	for i := range jobs {
		jobs[i] = w.newJob(fmt.Sprintf("%s-%04d", name, i), change...)
		wg.Go(func() {
			hands <- struct{}{}
			defer func() { <-hands }()
			errs[i] = env.Client.Create(w.ctx, jobs[i])
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return jobs
}

// submitted are when the jobs of the ledger were accepted, by the UID of the object, in the order of the ledger.
func (w *world) submitted() (order []types.UID, at map[types.UID]time.Time) {
	at = map[types.UID]time.Time{}
	for _, entry := range w.simulator.Ledger() {
		reference, err := notification.ParseReference(entry.Reference)
		if err != nil {
			continue
		}
		order = append(order, reference.UID)
		at[reference.UID] = entry.CreatedAt
	}
	return order, at
}

// awaitSubmitted waits until all of some jobs are submitted, and returns how long that took since the first of them was.
// Meanwhile it does something now and then.
func (w *world) awaitSubmitted(limit time.Duration, jobs []*v1alpha1.TranscriptionJob, meanwhile ...func()) time.Duration {
	w.t.Helper()
	var first, last time.Time
	w.within(limit, "all are submitted", func() (bool, string) {
		for _, do := range meanwhile {
			do()
		}
		_, at := w.submitted()
		n := 0
		first, last = time.Time{}, time.Time{}
		for _, job := range jobs {
			t, ok := at[job.UID]
			if !ok {
				continue
			}
			n++
			if first.IsZero() || t.Before(first) {
				first = t
			}
			if t.After(last) {
				last = t
			}
		}
		return n == len(jobs), fmt.Sprintf("%d of %d are", n, len(jobs))
	})
	return last.Sub(first)
}

// secondAccount creates another account, with a key of another project or with the same key.
func (w *world) secondAccount(name, key string, limits *v1alpha1.AccountLimits) {
	w.t.Helper()
	if key != apiKey {
		w.secrets = append(w.secrets, key)
		w.simulator.AddProjectKey(name, key)
	}
	w.secret(name, corev1.SecretTypeOpaque, map[string]string{"apiKey": key})
	account := &v1alpha1.SpeechmaticsAccount{ObjectMeta: w.meta(name), Spec: v1alpha1.SpeechmaticsAccountSpec{
		BaseURL: &w.provider, APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: name, Key: "apiKey"}, Limits: limits,
	}}
	w.create(account)
	w.awaitAccount(account, v1alpha1.ReasonKeyAccepted)
}

// under has a job use an account.
func under(name string) func(*v1alpha1.TranscriptionJob) {
	return func(j *v1alpha1.TranscriptionJob) {
		j.Spec.AccountRef = &v1alpha1.AccountReference{Kind: v1alpha1.NamespacedAccount, Name: name}
	}
}

// refused counts the answers 429 of the provider.
func (w *world) refused() int {
	n := 0
	for _, answers := range w.simulator.Requests() {
		n += answers[http.StatusTooManyRequests]
	}
	return n
}

// TestScale_limits creates a crowd of jobs at once, with two accounts that share a key, at a provider that enforces its limits: no request
// is refused, the rate is used to the full, and the jobs of an account with another key are as fast as without the crowd.
func TestScale_limits(t *testing.T) {
	t.Parallel()
	const perSecond, reads = 10, 50
	jobs := sized(2000, 60)
	limits := &v1alpha1.AccountLimits{SubmissionsPerSecond: ptr.To(int32(perSecond)), RequestsPerSecond: ptr.To(int32(reads))}
	w := newWorld(t, withProcessing(time.Second), func(_ *world, o *simulator.Options) {
		o.Limits.SubmissionsPerSecond, o.Limits.ReadsPerSecond = perSecond, reads
	}, withOptions(func(o *Options) { o.SecretInterval, o.SubmissionWindow = 5*time.Minute, time.Minute }))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) { a.Spec.Limits = limits })
	w.secondAccount("twin", apiKey, limits)
	w.secondAccount("other", "sm-other-project-key-0123456789", limits)

	alone := w.timeToSubmit("alone", under("other"))
	crowd := append(w.crowd(jobs/2, "crowd"), w.crowd(jobs/2, "twins", under("twin"))...)
	beside := w.timeToSubmit("beside", under("other"))
	took := w.awaitSubmitted(time.Duration(jobs/perSecond)*time.Second+patience, crowd)
	w.within(patience, "all are complete", func() (bool, string) {
		n := w.complete()
		return n == jobs+20, fmt.Sprintf("%d of %d are", n, jobs+20)
	})

	rate := float64(jobs-1) / took.Seconds()
	t.Logf("%d jobs at %d submissions/s: %.2f/s; %d answers 429; ten jobs of another account were submitted in %.1f s alone, in %.1f s beside the crowd",
		jobs, perSecond, rate, w.refused(), alone.Seconds(), beside.Seconds())
	if n := w.refused(); n > 0 {
		t.Errorf("the provider refused %d requests as too many: %v", n, w.simulator.Requests())
	}
	if rate > perSecond {
		t.Errorf("%.2f submissions a second: the accounts do not share their key's limit", rate)
	}
	// How fast it is says more of a machine that has other things to do than of the code.
	if *full && rate < 9.5 {
		t.Errorf("%.2f submissions a second, want at least 9.5", rate)
	}
	if *full && beside > alone+2*time.Second {
		t.Errorf("another account was slowed down: its jobs took %s beside the crowd, and %s alone", beside, alone)
	}
}

// TestScale_reads has a crowd of jobs come to their end without a notification, each with three transcripts, while no manager runs: all are
// collected at once by the one that starts, at a provider that enforces its limit of reads. No request is refused, and no transcript is fetched
// twice.
func TestScale_reads(t *testing.T) {
	t.Parallel()
	const plenty, reads, formats = 1000, 50, 3
	jobs := sized(2000, 40)
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Second), func(_ *world, o *simulator.Options) {
		o.Limits.SubmissionsPerSecond, o.Limits.ReadsPerSecond = plenty, reads
	}, withOptions(func(o *Options) {
		o.SecretInterval, o.SubmissionWindow, o.PollInterval = 5*time.Minute, time.Minute, time.Hour
	}))
	w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Limits = &v1alpha1.AccountLimits{SubmissionsPerSecond: ptr.To(int32(plenty)), RequestsPerSecond: ptr.To(int32(reads))}
	})
	all := w.crowd(jobs, "job", withFormats(v1alpha1.FormatJSONv2, v1alpha1.FormatText, v1alpha1.FormatSRT))
	for _, job := range all {
		w.awaitRecord(job)
	}
	w.stop()
	<-w.stopped
	w.eventually("all are done at the provider", func() (bool, string) {
		n := w.atProvider("done")
		return n == jobs, fmt.Sprintf("%d of %d are", n, jobs)
	})

	w.options.PollInterval = 2 * time.Second // of which a sixth is waited before the first look
	before := w.simulator.Requests()
	began := time.Now()
	w.startManager()
	w.within(time.Duration(jobs*formats/reads)*time.Second+patience, "all are complete", func() (bool, string) {
		n := w.complete()
		return n == jobs, fmt.Sprintf("%d of %d are", n, jobs)
	})
	took, requests := time.Since(began), w.simulator.Requests().Since(before)
	fetched := requests.Total(simulator.OperationTranscript)
	rate := float64(fetched) / took.Seconds()
	t.Logf("%d jobs that were done at once were collected with %d transcripts within %s, %.1f/s of %d: %v", jobs, fetched, took.Round(100*time.Millisecond), rate, reads, requests)
	if n := w.refused(); n > 0 {
		t.Errorf("the provider refused %d requests as too many: %v", n, requests)
	}
	if fetched != jobs*formats {
		t.Errorf("%d transcripts were fetched, want %d", fetched, jobs*formats)
	}
}

// atProvider counts the jobs that are in a state at the provider.
func (w *world) atProvider(state string) int {
	n := 0
	for _, job := range w.simulator.Jobs() {
		if job.Status == state {
			n++
		}
	}
	return n
}

// rejectRunning has the provider reject what it works on.
func (w *world) rejectRunning() {
	for _, job := range w.simulator.Jobs() {
		if job.Status == "running" {
			w.simulator.RejectJob(job.ID)
		}
	}
}

// timeToSubmit creates ten jobs and returns how long it takes from then until all are submitted.
func (w *world) timeToSubmit(name string, change func(*v1alpha1.TranscriptionJob)) time.Duration {
	w.t.Helper()
	start := time.Now()
	w.awaitSubmitted(patience, w.crowd(10, name, change))
	return time.Since(start)
}

// complete counts the jobs that are complete.
func (w *world) complete() int {
	w.t.Helper()
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := env.Client.List(w.ctx, jobs, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for i := range jobs.Items {
		if isComplete(&jobs.Items[i]) {
			n++
		}
	}
	return n
}

// TestScale_fairness has a namespace create many jobs of high priority before another creates ten: the ten are submitted within their share,
// which is every other turn. In its small size all of them wait before the first one is let in, and go one by one, so that the order does not
// depend on the machine.
func TestScale_fairness(t *testing.T) {
	t.Parallel()
	jobs := sized(1000, 60)
	w := newWorld(t, withNeighbour(), withProcessing(sized(time.Minute, time.Hour)), withOptions(func(o *Options) { o.SubmissionWindow = time.Minute }))
	_, shared := w.sharedAccount(&v1alpha1.AccountLimits{SubmissionsPerSecond: ptr.To(int32(10)), RunningJobs: sized[*int32](nil, ptr.To(int32(1)))})

	if !*full {
		w.awaitRecord(w.job("first", shared))
	}
	many := w.crowd(jobs, "many", shared, func(j *v1alpha1.TranscriptionJob) { j.Spec.Priority = ptr.To(int32(1000)) })
	earlier, _ := w.submitted()
	few := w.crowd(10, "few", shared, func(j *v1alpha1.TranscriptionJob) { j.Namespace = w.neighbour })
	if !*full {
		for _, job := range append(few, many...) {
			w.awaitReason(job, v1alpha1.ReasonWaiting)
		}
	}
	end := func() {
		if !*full {
			w.rejectRunning()
		}
	}
	w.awaitSubmitted(patience, few, end)
	order, _ := w.submitted()
	isFew := map[types.UID]bool{}
	for _, job := range few {
		isFew[job.UID] = true
	}
	begin, last := -1, 0
	for i, uid := range order {
		if isFew[uid] {
			last = i
			if begin < 0 {
				begin = i
			}
		}
	}
	t.Logf("of %d jobs, %d were submitted before the ten were created, %d before the first of these was, and %d until the last of them",
		len(many), len(earlier), begin, last-begin+1)
	// Those that were let in one shortly after the other may reach the provider in another order. In the full size, jobs are let in while
	// the ten are being created and come to be known.
	if wait := begin - len(earlier); wait > 2+minHands+sized(20, 0) {
		t.Errorf("the first of the ten waited for %d others, want 1", wait)
	}
	if span := last - begin + 1; span > 20+sized(minHands, 0) {
		t.Errorf("the ten were submitted within %d turns, want 20", span)
	}
	w.eventually("all of the crowd were looked at", func() (bool, string) {
		counts, n := w.reasons(), 0
		for _, count := range counts {
			n += count
		}
		return n >= len(many), fmt.Sprint(counts)
	})
}
