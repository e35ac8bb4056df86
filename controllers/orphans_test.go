// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// withOrphanSearches searches all the time, with short waits.
func withOrphanSearches() worldOption {
	return withOptions(func(o *Options) {
		o.SubmissionWindow, o.ListLag, o.ClockSkew = 800*time.Millisecond, 100*time.Millisecond, 50*time.Millisecond
		o.SecretInterval, o.OrphanInterval = 400*time.Millisecond, 400*time.Millisecond
	})
}

// deletesOrphans is an account that has its orphans deleted.
func deletesOrphans(a *v1alpha1.SpeechmaticsAccount) { a.Spec.OrphanPolicy = v1alpha1.OrphanDelete }

// endless is a job that runs until the test ends: its media take that long.
func (w *world) endless(name string, change ...func(*v1alpha1.TranscriptionJob)) (*v1alpha1.TranscriptionJob, string) {
	w.t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }))
	w.t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	job := w.job(name, append(change, func(j *v1alpha1.TranscriptionJob) { j.Spec.Media.URL = ptr.To(s.URL + "/endless.wav") })...)
	return job, w.awaitRecord(job)
}

// awaitProof waits until the account says who has submitted the job, in a later second than that in which it was claimed.
func (w *world) awaitProof(account v1alpha1.Account, job *v1alpha1.TranscriptionJob) {
	w.t.Helper()
	w.get(job)
	claim, err := notification.ParseClaim(job.Annotations[notification.ClaimAnnotation])
	if err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the submitter is recorded", func() (bool, string) {
		w.get(account)
		recorded := valueOf(account.AccountStatus().OrphanSearch).Submitters
		var ids []string
		for _, r := range recorded {
			ids = append(ids, r.ID)
		}
		from, ok := originOf(ids, account.GetUID(), claim.Reference())
		return ok && from.isRecorded(recorded), fmt.Sprintf("%+v", recorded)
	})
}

// vanish removes an object and its finalizers by force, while no manager can see to it.
func (w *world) vanish(jobs ...*v1alpha1.TranscriptionJob) {
	w.t.Helper()
	w.stop()
	<-w.stopped
	for _, job := range jobs {
		update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Finalizers = nil })
		w.delete(job)
		w.awaitGone(job)
	}
	w.startManager()
}

// searched waits until an account has been searched a few times from now on, long enough that what is an orphan is known to be one, and
// returns what was found.
func (w *world) searched(account v1alpha1.Account) *v1alpha1.SpeechmaticsAccountStatus {
	w.t.Helper()
	began := time.Now().Truncate(time.Second)
	w.eventually("the account is searched again and again", func() (bool, string) {
		w.get(account)
		last := valueOf(account.AccountStatus().OrphanSearch).LastTime
		return last != nil && last.Sub(began) >= 3*time.Second, fmt.Sprintf("last %v", last)
	})
	return account.AccountStatus()
}

// awaitOrphans waits until an account has that many orphans.
func (w *world) awaitOrphans(account v1alpha1.Account, want int32) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("there are %d orphans", want), func() (bool, string) {
		w.get(account)
		status := account.AccountStatus()
		return status.OrphanedJobs != nil && *status.OrphanedJobs == want, fmt.Sprintf("%v, %+v", status.OrphanedJobs, status.OrphanSearch)
	})
}

func (w *world) wantRemote(id, want string) {
	w.t.Helper()
	if got := w.remoteStatus(id); got != want {
		w.t.Errorf("job %s is %s at the provider, want %s\nlogs:\n%s", id, got, want, w.logs.String())
	}
}

// gauges are the values of a metric by the value of its label.
func (w *world) gauges(name string) map[string]float64 {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name {
				values[metric.GetLabel()[0].GetValue()] = metric.GetGauge().GetValue()
			}
		}
	}
	return values
}

// TestOrphans_report tells about the remote job of an object that somebody has removed by force, and touches it not. The job is known by the
// manager that comes after the one which submitted it.
func TestOrphans_report(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches())
	account := w.account()
	job, id := w.endless("job")
	other, otherID := w.endless("other")
	w.awaitProof(account, other)
	w.vanish(job)
	w.awaitOrphans(account, 1)
	if diff := cmp.Diff([]string{id}, account.Status.OrphanSearch.JobIDs); diff != "" {
		t.Errorf("orphans (-want +got):\n%s", diff)
	}
	w.wantEventOf(account.UID, "Warning OrphanedJobs: 1 jobs at Speechmatics are running or finished whose TranscriptionJobs are gone without having cleaned up: "+id)
	w.searched(account)
	w.wantRemote(id, "running")
	w.wantRemote(otherID, "running")
	if got := w.gauges("transcription_operator_orphaned_jobs"); got["own"] != 1 || got["unproven"] != 0 {
		t.Errorf("the metric has %v, want one of our own", got)
	}
	// Somebody deletes it at the provider: it is none any more.
	w.simulator.DeleteJob(id)
	w.awaitOrphans(account, 0)
}

// TestOrphans_delete deletes the orphan that still runs, and keeps the one that has finished, whose transcript may be stored nowhere else,
// and what was rejected.
func TestOrphans_delete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches())
	account := w.account(deletesOrphans)
	runs, running := w.endless("runs")
	rejects, rejected := w.endless("rejects")
	finishes := w.job("finishes")
	finished := w.awaitRecord(finishes)
	w.awaitReason(finishes, v1alpha1.ReasonComplete)
	for _, job := range []*v1alpha1.TranscriptionJob{runs, rejects, finishes} {
		w.awaitProof(account, job)
	}
	w.simulator.RejectJob(rejected)
	w.vanish(runs, rejects, finishes)
	w.eventually("the running one is deleted", func() (bool, string) { return w.remoteStatus(running) == "deleted", w.logs.String() })
	w.wantEventOf(account.UID, "Warning OrphansDeleted: 1 jobs at Speechmatics still ran whose TranscriptionJobs are gone, and were deleted: "+running)
	status := w.searched(account)
	w.wantRemote(finished, "done")
	w.wantRemote(rejected, "rejected")
	if diff := cmp.Diff([]string{finished}, status.OrphanSearch.JobIDs); diff != "" || valueOf(status.OrphanedJobs) != 1 {
		t.Errorf("%d orphans are left (-want +got):\n%s", valueOf(status.OrphanedJobs), diff)
	}
}

// TestOrphans_twoClusters has two clusters share a key, both with orphans deleted: neither touches what the other one has, and the other
// one's orphan is the other one's to delete.
func TestOrphans_twoClusters(t *testing.T) {
	t.Parallel()
	a := newWorld(t, withoutCallbacks(), withOrphanSearches())
	b := newWorld(t, withoutCallbacks(), withOrphanSearches(), withOptions(func(o *Options) { o.AllowedBaseURLs = []string{a.provider} }))
	b.simulator, b.provider = a.simulator, a.provider
	accountA, accountB := a.account(deletesOrphans), b.account(deletesOrphans)
	jobA, idA := a.endless("job")
	jobB, idB := b.endless("job")
	a.awaitProof(accountA, jobA)
	b.awaitProof(accountB, jobB)
	for _, w := range []struct {
		*world
		account *v1alpha1.SpeechmaticsAccount
	}{{a, accountA}, {b, accountB}} {
		status := w.searched(w.account)
		if valueOf(status.OrphanedJobs) != 0 || valueOf(status.OrphanSearch.UnprovenJobs) != 1 {
			t.Errorf("%d orphans and %d unproven ones, want 0 and the other cluster's", valueOf(status.OrphanedJobs), valueOf(status.OrphanSearch.UnprovenJobs))
		}
	}
	a.wantRemote(idA, "running")
	a.wantRemote(idB, "running")

	b.stop()
	<-b.stopped
	update(b, jobB, func(j *v1alpha1.TranscriptionJob) { j.Finalizers = nil })
	b.delete(jobB)
	a.searched(accountA)
	a.wantRemote(idB, "running")
	b.startManager()
	b.eventually("its own cluster deletes it", func() (bool, string) { return a.remoteStatus(idB) == "deleted", b.logs.String() })
	a.wantRemote(idA, "running")
}

// TestOrphans_recreatedAccount creates the account anew: nothing proves that the orphan of the former one is the new one's, so that it is
// counted and left alone.
func TestOrphans_recreatedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches())
	account := w.account(deletesOrphans)
	job, id := w.endless("job")
	w.awaitProof(account, job)
	w.delete(account)
	w.awaitGone(account)
	w.vanish(job)
	again := &v1alpha1.SpeechmaticsAccount{ObjectMeta: w.meta("default"), Spec: account.Spec}
	w.create(again)
	status := w.searched(again)
	if valueOf(status.OrphanedJobs) != 0 || valueOf(status.OrphanSearch.UnprovenJobs) != 1 {
		t.Errorf("%d orphans and %d unproven ones, want 0 and 1", valueOf(status.OrphanedJobs), valueOf(status.OrphanSearch.UnprovenJobs))
	}
	w.wantRemote(id, "running")
}

// TestOrphans_never leaves alone what is left at the provider on purpose, whether its policy was Never when it was submitted, so that it is
// not even an orphan, or only when it was deleted.
func TestOrphans_never(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches())
	account := w.account(deletesOrphans)
	never := func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = v1alpha1.RemoteDeletionNever }
	first, firstID := w.endless("first", never)
	w.awaitProof(account, first)
	w.delete(first)
	w.awaitGone(first)
	status := w.searched(account)
	if valueOf(status.OrphanedJobs) != 0 || status.OrphanSearch.SparedBefore != nil {
		t.Errorf("%d orphans, %+v; want none, and nothing that is remembered", valueOf(status.OrphanedJobs), status.OrphanSearch)
	}

	later, laterID := w.endless("later")
	w.awaitProof(account, later)
	update(w, later, never)
	w.delete(later)
	w.awaitGone(later)
	w.get(account)
	if account.Status.OrphanSearch.SparedBefore == nil {
		t.Error("it is not remembered that a job was left on purpose")
	}
	w.awaitOrphans(account, 1)
	w.searched(account)
	w.wantRemote(firstID, "running")
	w.wantRemote(laterID, "running")
}

// TestOrphans_neverThenForced changes the policy of a running job to Never, and then removes the object by force: what was seen to be left on
// purpose is.
func TestOrphans_neverThenForced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches())
	account := w.account(deletesOrphans)
	job, id := w.endless("job")
	w.awaitProof(account, job)
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = v1alpha1.RemoteDeletionNever })
	w.eventually("the change is seen", func() (bool, string) {
		w.get(job)
		return valueOf(job.Status.ObservedGeneration) == job.Generation, w.logs.String()
	})
	w.vanish(job)
	w.searched(account)
	w.wantRemote(id, "running")
}

// TestOrphans_sparedByFinished deletes a finished job with the policy Never, of which nobody knows any more which run of the manager has
// submitted it. It runs no more, so that the search goes on to delete what does.
func TestOrphans_sparedByFinished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches())
	account := w.account(deletesOrphans)
	victim, id := w.endless("victim")
	done := w.job("done", func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = v1alpha1.RemoteDeletionNever })
	w.awaitReason(done, v1alpha1.ReasonComplete)
	w.awaitProof(account, victim)
	submitters := func(change func(*v1alpha1.OrphanSearch)) {
		w.get(account)
		change(account.Status.OrphanSearch)
		if err := env.Client.Status().Update(w.ctx, account); err != nil {
			t.Fatal(err)
		}
	}
	w.stop()
	<-w.stopped
	var known []v1alpha1.Submitter
	submitters(func(s *v1alpha1.OrphanSearch) { known, s.Submitters = s.Submitters, nil })
	w.startManager()
	w.delete(done)
	w.awaitGone(done)
	w.stop()
	<-w.stopped
	submitters(func(s *v1alpha1.OrphanSearch) { s.Submitters = known })
	if spared := account.Status.OrphanSearch.SparedBefore; spared != nil {
		t.Errorf("what was submitted before %s is spared", spared)
	}
	w.startManager()
	w.vanish(victim)
	w.eventually("the orphan is deleted", func() (bool, string) { return w.remoteStatus(id) == "deleted", w.logs.String() })
}

// TestSpareFromSearch spares what may run, and nothing else.
func TestSpareFromSearch(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	namespace := env.Namespace(ctx, t, nil)
	account := &v1alpha1.SpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}, Spec: v1alpha1.SpeechmaticsAccountSpec{
		BaseURL: ptr.To("https://api.example.com/v2"), APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"},
	}}
	if err := env.Client.Create(ctx, account); err != nil {
		t.Fatal(err)
	}
	r := step(t, env.Client)
	finished := func(s *scope) { s.job.Status.CompletionTime = ptr.To(metav1.NewTime(s.now())) }
	recorded := func(state v1alpha1.RemoteState) func(*scope) {
		return func(s *scope) {
			s.job.Status.Attempt = ptr.To(int32(1))
			s.job.Status.RemoteJob = &v1alpha1.RemoteJob{ID: ptr.To("id"), State: &state}
		}
	}
	aged := func(s *scope) { s.claim.ClaimedAt = s.now().Add(-8 * 24 * time.Hour) }
	for name, c := range map[string]struct {
		changes []func(*scope)
		want    bool
	}{
		"running":                     {[]func(*scope){recorded(v1alpha1.RemoteRunning)}, true},
		"finished, and done":          {[]func(*scope){recorded(v1alpha1.RemoteDone), finished}, false},
		"finished, and not cancelled": {[]func(*scope){recorded(v1alpha1.RemoteRunning), finished}, true},
		"finished in doubt":           {[]func(*scope){finished}, true},
		"older than the retention":    {[]func(*scope){recorded(v1alpha1.RemoteRunning), aged}, false},
	} {
		err := r.changeOrphanSearch(ctx, account, func(status *v1alpha1.SpeechmaticsAccountStatus) { status.OrphanSearch = nil })
		if err != nil {
			t.Fatal(err)
		}
		s := newScope(&v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, UID: markedJob}}, r.options)
		s.job.Spec.AccountRef = &v1alpha1.AccountReference{Kind: v1alpha1.NamespacedAccount, Name: account.Name}
		s.claim = &notification.Claim{UID: markedJob, Attempt: 1, Nonce: notification.NewNonce(), ClaimedAt: s.now()}
		for _, change := range c.changes {
			change(s)
		}
		if err := r.spareFromSearch(ctx, s); err != nil {
			t.Fatal(err)
		}
		live, err := r.liveAccount(ctx, account)
		if err != nil {
			t.Fatal(err)
		}
		if got := valueOf(live.AccountStatus().OrphanSearch).SparedBefore != nil; got != c.want {
			t.Errorf("%s: spared %v, want %v", name, got, c.want)
		}
	}
}

// TestOrphans_restored restores an object from a backup, under a new UID and with the old claim: it is held, and what it claims is not
// deleted before a person has decided.
func TestOrphans_restored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches())
	account := w.account(deletesOrphans)
	job, id := w.endless("job")
	w.awaitProof(account, job)
	w.stop()
	<-w.stopped
	w.get(job)
	restored := w.newJob("job", func(j *v1alpha1.TranscriptionJob) {
		j.Annotations, j.Finalizers, j.Spec = job.Annotations, job.Finalizers, job.Spec
	})
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Finalizers = nil })
	w.delete(job)
	w.create(restored)
	w.startManager()
	w.awaitReason(restored, v1alpha1.ReasonClaimedByAnotherObject)
	status := w.searched(account)
	if valueOf(status.OrphanedJobs) != 0 {
		t.Errorf("%d orphans, want none", valueOf(status.OrphanedJobs))
	}
	w.wantRemote(id, "running")

	// It is given up, and its job with it.
	w.delete(restored)
	w.awaitGone(restored)
	w.eventually("the job is deleted", func() (bool, string) { return w.remoteStatus(id) == "deleted", w.logs.String() })
}

// TestOrphans_held has an object whose deletion somebody else's finalizer holds up, in a namespace that no manager watches any more: it is
// there, and its job is none of the search's.
func TestOrphans_held(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches())
	account := &v1alpha1.ClusterSpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Labels: map[string]string{worldLabel: w.namespace}}}
	w.secret("speechmatics", corev1.SecretTypeOpaque, map[string]string{"apiKey": apiKey})
	account.Spec.BaseURL, account.Spec.OrphanPolicy = &w.provider, v1alpha1.OrphanDelete
	account.Spec.APIKeySecretRef = &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"}
	account.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "speech"}}
	w.create(account)
	t.Cleanup(func() { _ = env.Client.Delete(context.WithoutCancel(w.ctx), account) })
	uses := func(j *v1alpha1.TranscriptionJob) {
		j.Spec.AccountRef = &v1alpha1.AccountReference{Kind: v1alpha1.ClusterAccount, Name: account.Name}
	}
	job, id := w.endless("job", uses, func(j *v1alpha1.TranscriptionJob) { j.Finalizers = []string{"example.com/held"} })
	w.awaitProof(account, job)
	w.stop()
	<-w.stopped
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Finalizers = []string{"example.com/held"} })
	w.delete(job)
	watched := w.namespace
	w.namespace = env.Namespace(w.ctx, t, nil)
	// The account's label is that of the world's namespace, by which its manager sees it.
	update(w, account, func(a *v1alpha1.ClusterSpeechmaticsAccount) { a.Labels[worldLabel] = w.namespace })
	w.startManager()
	if status := w.searched(account); valueOf(status.OrphanedJobs) != 0 {
		t.Errorf("%d orphans, want none", valueOf(status.OrphanedJobs))
	}
	w.wantRemote(id, "running")
	w.namespace = watched
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Finalizers = nil })
	w.eventually("the job is deleted when the object is gone", func() (bool, string) { return w.remoteStatus(id) == "deleted", w.logs.String() })
}

// TestOrphans_appliance searches nothing where the list does not tell whose a job is.
func TestOrphans_appliance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches(), onPremises(appliance))
	account := w.account()
	job := w.job("job")
	w.awaitReason(job, v1alpha1.ReasonComplete)
	lists := w.requests(operationList)
	w.get(account)
	if account.Status.OrphanedJobs != nil || account.Status.OrphanSearch != nil {
		t.Errorf("%v orphans, %+v; want nothing to be said", account.Status.OrphanedJobs, account.Status.OrphanSearch)
	}
	if lists > 30 {
		t.Errorf("%d lists were read", lists)
	}
}

// TestOrphanSearch_consider decides about one job of the list by everything that speaks against its being an orphan.
func TestOrphanSearch_consider(t *testing.T) {
	t.Parallel()
	s, now := newSubmitter(), time.Unix(1_800_000_000, 0)
	account := &v1alpha1.SpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{UID: markedAccount}}
	account.Status.OrphanSearch = &v1alpha1.OrphanSearch{Submitters: s.record(nil, now, time.Hour)}
	proven := marked(s, markedAccount, now.Add(-time.Hour), false)
	for name, c := range map[string]struct {
		status    speechmatics.JobStatus
		reference string
		known     bool
		orphans   int
		unproven  int
	}{
		"running":                      {speechmatics.JobRunning, proven.String(), false, 1, 0},
		"done":                         {speechmatics.JobDone, proven.String(), false, 1, 0},
		"of an unknown state":          {"paused", proven.String(), false, 1, 0},
		"rejected":                     {speechmatics.JobRejected, proven.String(), false, 0, 0},
		"deleted":                      {speechmatics.JobDeleted, proven.String(), false, 0, 0},
		"expired":                      {speechmatics.JobExpired, proven.String(), false, 0, 0},
		"with an object":               {speechmatics.JobRunning, proven.String(), true, 0, 0},
		"to stay":                      {speechmatics.JobRunning, marked(s, markedAccount, now.Add(-time.Hour), true).String(), false, 0, 0},
		"claimed since":                {speechmatics.JobRunning, marked(s, markedAccount, now, false).String(), false, 0, 1},
		"another account's":            {speechmatics.JobRunning, marked(s, markedJob, now.Add(-time.Hour), false).String(), false, 0, 1},
		"another run's":                {speechmatics.JobRunning, marked(newSubmitter(), markedAccount, now.Add(-time.Hour), false).String(), false, 0, 1},
		"without a mark":               {speechmatics.JobRunning, notification.Reference{UID: markedJob, Attempt: 1, Nonce: notification.NewNonce()}.String(), false, 0, 1},
		"somebody else's":              {speechmatics.JobRunning, "invoice 7", false, 0, 0},
		"somebody's without reference": {speechmatics.JobRunning, "", false, 0, 0},
	} {
		known := map[types.UID]struct{}{}
		if c.known {
			known[markedJob] = struct{}{}
		}
		search := newOrphanSearch(account, known)
		job := &speechmatics.Job{ID: "id", Status: c.status}
		if c.reference != "" {
			job.Tracking = &speechmatics.Tracking{Reference: c.reference}
		}
		search.consider(job)
		if len(search.orphans) != c.orphans || search.unproven != c.unproven {
			t.Errorf("a job %s: %d orphans and %d unproven ones, want %d and %d", name, len(search.orphans), search.unproven, c.orphans, c.unproven)
		}
	}
	search := newOrphanSearch(account, nil)
	for range maxIdleOrphans + 1 {
		search.consider(&speechmatics.Job{ID: "id", Status: speechmatics.JobDone, Tracking: &speechmatics.Tracking{Reference: proven.String()}})
	}
	search.consider(&speechmatics.Job{ID: "runs", Status: speechmatics.JobRunning, Tracking: &speechmatics.Tracking{Reference: proven.String()}})
	if len(search.orphans) != maxIdleOrphans+1 || !search.incomplete {
		t.Errorf("%d orphans are kept, incomplete %v; want %d and the one that runs, and that it is said", len(search.orphans), search.incomplete, maxIdleOrphans)
	}
	if last := search.orphans[len(search.orphans)-1]; last.id != "runs" || !last.running {
		t.Errorf("the one that runs is hidden by those that do not: the last one is %+v", last)
	}
	search.exclude(map[types.UID]struct{}{markedJob: {}})
	if len(search.orphans) != 0 {
		t.Error("jobs are orphans whose object the API server has")
	}
}

// TestOrphanState_confirm takes nothing for an orphan that it sees for the first time, or that was back in between.
func TestOrphanState_confirm(t *testing.T) {
	t.Parallel()
	const settle = time.Minute
	now, state := time.Unix(1_800_000_000, 0), &orphanState{}
	found := []orphan{{id: "a"}}
	for i, c := range []struct {
		after time.Duration
		found []orphan
		want  int
	}{
		{0, found, 0},
		{settle, found, 0},
		{time.Nanosecond, found, 1},
		{0, nil, 0}, // it was in a cache, or at the API server
		{settle, found, 0},
		{settle + 1, append(found, orphan{id: "b"}), 1},
	} {
		now = now.Add(c.after)
		if got := state.confirm(c.found, now, settle); len(got) != c.want {
			t.Errorf("search %d: %d orphans, want %d", i, len(got), c.want)
		}
	}
}

// TestOrphanTurns takes a tenth of the requests that the key has, also for another account's search, and an end.
func TestOrphanTurns(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(time.Unix(1_800_000_000, 0))
	r := step(t, env.Client)
	l := newLimits(Options{Clock: clock}.withDefaults(), func(types.NamespacedName) {})
	search := func() *orphanTurns { return &orphanTurns{searchTurns: searchTurns{limits: l, metrics: r.metrics}} }
	if err := search().next(t.Context()); err != nil {
		t.Fatalf("the first page: %v", err)
	}
	turns := search()
	second := make(chan error, 1)
	go func() { second <- turns.next(t.Context()) }()
	for !clock.HasWaiters() {
		select {
		case err := <-second:
			t.Fatalf("the second page did not wait: %v", err)
		default:
		}
	}
	clock.Step(orphanShare*time.Second/defaultRequestsPerSecond - time.Nanosecond)
	if !clock.HasWaiters() {
		t.Fatal("the second page waited too short")
	}
	clock.Step(time.Nanosecond)
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := turns.next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a search that is over waited: %v", err)
	}
	turns.pages = maxOrphanPages
	if err := turns.next(t.Context()); !errors.Is(err, errEnoughPages) {
		t.Errorf("page %d: %v, want %v", maxOrphanPages+1, err, errEnoughPages)
	}
}

// TestOrphanPace has searches of many accounts with one key take a tenth of its requests together, one search at a time.
func TestOrphanPace(t *testing.T) {
	t.Parallel()
	const perSecond, pages = 5, 100
	clock := clocktesting.NewFakeClock(time.Unix(1_800_000_000, 0))
	l := newLimits(Options{Clock: clock}.withDefaults(), func(types.NamespacedName) {})
	l.requests.setRate(perSecond)
	for page := range pages {
		if got, want := l.reserveOrphanTurn(), time.Duration(page)*orphanShare*time.Second/perSecond; got != want {
			t.Fatalf("page %d is due in %s, want %s", page, got, want)
		}
	}
	clock.Step(pages * orphanShare * time.Second / perSecond)
	if got := l.reserveOrphanTurn(); got != 0 {
		t.Errorf("after all turns are over, the next one is due in %s", got)
	}
	if !l.beginOrphanSearch() || l.beginOrphanSearch() {
		t.Error("want one search at a time")
	}
	l.endOrphanSearch()
	if !l.beginOrphanSearch() {
		t.Error("there is no search after the first one")
	}
}

// TestOrphans_oneAtATime has an account wait while another one with the same key is searched, and comes back to it.
func TestOrphans_oneAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks())
	account := w.account()
	clock := clocktesting.NewFakeClock(time.Now())
	jobs := step(t, env.Client)
	jobs.options = w.options.withDefaults()
	jobs.options.Clock = clock
	jobs.providers = newProviders(env.Client, jobs.options)
	p, err := jobs.providers.get(w.ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	r := newOrphanReconciler(jobs, events.NewFakeRecorder(10), v1alpha1.NamespacedAccount, func() v1alpha1.Account { return &v1alpha1.SpeechmaticsAccount{} })
	if !p.limits.beginOrphanSearch() {
		t.Fatal("a search is under way that nobody has begun")
	}
	state := r.stateOf(account.UID)
	searched := func() bool {
		r.search(w.ctx, account, state)
		w.get(account)
		last := valueOf(account.Status.OrphanSearch).LastTime
		return last != nil && last.Unix() == clock.Now().Unix()
	}
	if searched() {
		t.Fatal("two searches are under way")
	}
	if left, most := state.due.Sub(clock.Now()), 2*jobs.orphanSettleTime(); left > most {
		t.Errorf("the search that had to wait is made up for in %s, want at most %s", left, most)
	}
	p.limits.endOrphanSearch()
	for range 2 {
		if !searched() {
			t.Error("the account is not searched")
		}
		clock.Step(time.Hour)
	}
}

// TestOrphanReconciler_spread has the first searches of many accounts begin at different times, none at once.
func TestOrphanReconciler_spread(t *testing.T) {
	t.Parallel()
	const accounts = 100
	clock := clocktesting.NewFakeClock(time.Unix(1_800_000_000, 0))
	jobs := step(t, env.Client)
	jobs.options.Clock = clock
	r := newOrphanReconciler(jobs, events.NewFakeRecorder(10), v1alpha1.NamespacedAccount, nil)
	first, last := time.Duration(1<<62), time.Duration(0)
	for i := range accounts {
		due := r.stateOf(types.UID(fmt.Sprint(i))).due.Sub(clock.Now())
		first, last = min(first, due), max(last, due)
	}
	if interval := jobs.options.OrphanInterval; first < interval/firstOrphanSearch || last > 3*interval/firstOrphanSearch || last-first < interval/firstOrphanSearch {
		t.Errorf("the first searches begin between %s and %s", first, last)
	}
}

// TestOrphans_restoredElsewhere restores an object into a namespace that the account does not belong to: what its claim names is not
// deleted before a person has decided.
func TestOrphans_restoredElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches())
	account := w.account(deletesOrphans)
	job, id := w.endless("job")
	w.awaitProof(account, job)
	elsewhere := env.Namespace(w.ctx, t, nil)
	w.get(job)
	restored := w.newJob("job", func(j *v1alpha1.TranscriptionJob) {
		j.Namespace, j.Annotations, j.Spec = elsewhere, job.Annotations, job.Spec
	})
	w.create(restored)
	w.vanish(job)
	if status := w.searched(account); valueOf(status.OrphanedJobs) != 0 {
		t.Errorf("%d orphans, want none", valueOf(status.OrphanedJobs))
	}
	w.wantRemote(id, "running")

	w.delete(restored)
	w.eventually("the job is deleted when nobody claims it any more", func() (bool, string) { return w.remoteStatus(id) == "deleted", w.logs.String() })
}

// TestOrphans_fewRights looks where it may for an account of one namespace if it may not look everywhere, and does not search for
// a cluster account then, whose jobs may be where it cannot look.
func TestOrphans_fewRights(t *testing.T) {
	t.Parallel()
	var listed []string
	jobs := step(t, env.Client)
	jobs.options.WatchNamespaces = []string{"watched"}
	jobs.live = interceptor.NewClient(env.Client, interceptor.Funcs{
		List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			namespace := (&client.ListOptions{}).ApplyOptions(options).Namespace
			listed = append(listed, namespace)
			if namespace == metav1.NamespaceAll {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "transcriptionjobs"}, "", errors.New("only some namespaces"))
			}
			page, ok := list.(*metav1.PartialObjectMetadataList)
			if !ok {
				return fmt.Errorf("unexpected list %T", list)
			}
			page.Items = []metav1.PartialObjectMetadata{{ObjectMeta: metav1.ObjectMeta{UID: types.UID("in " + namespace)}}}
			return nil
		},
	})
	r := newOrphanReconciler(jobs, events.NewFakeRecorder(10), v1alpha1.NamespacedAccount, nil)
	live, err := r.liveUIDs(t.Context(), &v1alpha1.SpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "own"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[types.UID]struct{}{"in own": {}, "in watched": {}}, live); diff != "" {
		t.Errorf("objects that there are (-want +got):\n%s\nlisted: %q", diff, listed)
	}
	if _, err := r.liveUIDs(t.Context(), &v1alpha1.ClusterSpeechmaticsAccount{}); !apierrors.IsForbidden(err) {
		t.Errorf("a cluster account: %v, want that it is not searched for", err)
	}
}

// TestOrphans_changedMeanwhile looks again before it deletes: at the job, whose transcript may be there by then, and at the policy.
func TestOrphans_changedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withOrphanSearches())
	account := w.account(deletesOrphans)
	_, running := w.endless("runs")
	finishes := w.job("finishes")
	finished := w.awaitRecord(finishes)
	w.awaitReason(finishes, v1alpha1.ReasonComplete)
	w.stop()
	<-w.stopped

	jobs := step(t, env.Client)
	jobs.providers = newProviders(env.Client, w.options.withDefaults())
	p, err := jobs.providers.get(w.ctx, account)
	if err != nil {
		t.Fatal(err)
	}
	r := newOrphanReconciler(jobs, events.NewFakeRecorder(10), v1alpha1.NamespacedAccount, func() v1alpha1.Account { return &v1alpha1.SpeechmaticsAccount{} })
	var orphans []orphan
	for _, id := range []string{finished, running, "unknown"} {
		job, err := p.client.GetJob(w.ctx, id)
		o := orphan{id: id, running: true}
		if err == nil {
			o.reference, _ = referenceOf(job)
		}
		orphans = append(orphans, o)
	}
	stale := account.DeepCopy()
	update(w, account, func(a *v1alpha1.SpeechmaticsAccount) { a.Spec.OrphanPolicy = v1alpha1.OrphanReport })
	if deleted := r.deleteOrphans(w.ctx, stale, p, orphans); len(deleted) != 0 {
		t.Errorf("deleted %v against the account's new policy", deleted)
	}
	update(w, account, deletesOrphans)
	other := slices.Clone(orphans[1:2])
	other[0].reference.Attempt++
	if deleted := r.deleteOrphans(w.ctx, account, p, other); len(deleted) != 0 {
		t.Errorf("deleted %v, which has another reference", deleted)
	}
	if diff := cmp.Diff([]string{running}, r.deleteOrphans(w.ctx, account, p, orphans)); diff != "" {
		t.Errorf("deleted (-want +got):\n%s", diff)
	}
	w.wantRemote(finished, "done")
	w.wantRemote(running, "deleted")
	w.startManager()
	w.eventually("the account is as its spec says", func() (bool, string) {
		w.get(account)
		return valueOf(account.Status.ObservedGeneration) == account.Generation, ""
	})
}

// TestNote notes what an object claims, also if nobody can read the claim.
func TestNote(t *testing.T) {
	t.Parallel()
	for name, annotation := range map[string]string{
		"whole":  `{"uid":"22222222-2222-2222-2222-222222222222","attempt":1,"nonce":"00000000000000000000000000000000","claimedAt":"2026-01-01T00:00:00Z","notAfter":"2026-01-01T00:01:00Z","accountUID":"11111111-1111-1111-1111-111111111111","baseURL":"https://x","keyFingerprint":"y"}`,
		"broken": `{"uid":"22222222-2222-2222-2222-222222222222","att`,
	} {
		known := map[types.UID]struct{}{}
		note(known, &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{UID: "own", Annotations: map[string]string{notification.ClaimAnnotation: annotation}}})
		for _, want := range []types.UID{"own", markedJob} {
			if _, ok := known[want]; !ok {
				t.Errorf("a claim that is %s: %s is not noted: %v", name, want, known)
			}
		}
	}
}
