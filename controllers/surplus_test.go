// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// TestSurplus_nextAttempt notes a surplus job that cannot be deleted before the attempt fails: the next attempt's claim still knows of it.
func TestSurplus_nextAttempt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	r := step(t, env.Client)
	s := newScope(job, r.options)
	if err := r.claimAttempt(ctx, s, testProvider()); err != nil {
		t.Fatal(err)
	}
	if err := r.noteSurplus(ctx, s, "other"); err != nil {
		t.Fatal(err)
	}
	if err := r.record(ctx, s, testProvider(), "kept"); err != nil {
		t.Fatal(err)
	}
	v := s.failAttempt(&failure{reason: v1alpha1.ReasonMediaFetchFailed, message: "m", retryable: true})
	if err := r.applyStatus(ctx, s, v); err != nil {
		t.Fatal(err)
	}
	s = newScope(get(t, job), r.options)
	if err := r.claimAttempt(ctx, s, testProvider()); err != nil {
		t.Fatal(err)
	}
	s = newScope(get(t, job), r.options)
	if diff := cmp.Diff([]string{"other"}, s.claim.Surplus); s.claim.Attempt != 2 || diff != "" || !s.sweepOwed() {
		t.Errorf("attempt %d: surplus (-want +got):\n%s", s.claim.Attempt, diff)
	}

	// It has a surplus job of its own, and then more than can be noted.
	for _, c := range []struct {
		found   []string
		want    []string
		givenUp bool
	}{
		{[]string{"third", "other"}, []string{"other", "third"}, false},
		{[]string{"4", "5", "6", "7", "8", "9", "10"}, []string{"other", "third", "4", "5", "6", "7", "8", "9"}, true},
	} {
		var found []*speechmatics.Job
		for _, id := range c.found {
			found = append(found, &speechmatics.Job{ID: id, Status: speechmatics.JobRunning})
		}
		if err := r.noteSurplus(ctx, s, living(found)...); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, s.claim.Surplus); diff != "" || s.claim.GivenUp != c.givenUp {
			t.Errorf("found %v: given up %v, surplus (-want +got):\n%s", c.found, s.claim.GivenUp, diff)
		}
	}
}

// again submits a job's first attempt once more, behind the operator's back, and returns the ID.
func (w *world) again(job *v1alpha1.TranscriptionJob) string {
	w.t.Helper()
	reference := notification.Reference{UID: job.UID, Attempt: 1, Nonce: notification.NewNonce()}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	config := fmt.Sprintf(`{"type":"transcription","fetch_data":{"url":%q},"transcription_config":{"language":"en"},"tracking":{"reference":%q}}`, w.media+"/standup.wav", reference)
	if err := form.WriteField("config", config); err != nil {
		w.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.provider+"/jobs", &body)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var created struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&created); err != nil || created.ID == "" {
		w.t.Fatalf("the submission was answered %s, %v", resp.Status, err)
	}
	return created.ID
}

// changeClaim changes a job's claim, while no manager runs.
func (w *world) changeClaim(job *v1alpha1.TranscriptionJob, change func(*notification.Claim)) {
	w.t.Helper()
	update(w, job, func(j *v1alpha1.TranscriptionJob) {
		claim, err := notification.ParseClaim(j.Annotations[notification.ClaimAnnotation])
		if err != nil {
			w.t.Fatal(err)
		}
		change(&claim)
		if j.Annotations[notification.ClaimAnnotation], err = claim.Annotation(); err != nil {
			w.t.Fatal(err)
		}
	})
}

// TestSurplus_deletion deletes an object that has another remote job beside the recorded one, which is noted, or which was given up and
// has arrived after all. Both go.
func TestSurplus_deletion(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*notification.Claim, string){
		"noted":    func(c *notification.Claim, id string) { c.Surplus = []string{id} },
		"given up": func(c *notification.Claim, _ string) { c.GivenUp = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute))
			w.doubled = true
			w.account()
			job := w.job("job")
			recorded := w.awaitRecord(job)
			w.stop()
			<-w.stopped
			other := w.again(job)
			w.changeClaim(job, func(c *notification.Claim) { change(c, other) })
			w.delete(job)
			w.startManager()
			w.awaitGone(job)
			for _, id := range []string{recorded, other} {
				if got := w.remoteStatus(id); got != "deleted" {
					t.Errorf("job %s is %s at the provider, want deleted", id, got)
				}
			}
		})
	}
}

// TestSurplus_onlyTranscript rejects the recorded job when another one is done that was given up, or noted: the transcript is nowhere else, so
// that nobody deletes it, neither when the job has failed nor with its object.
func TestSurplus_onlyTranscript(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*notification.Claim, string){
		"given up": func(c *notification.Claim, _ string) { c.GivenUp = true },
		"noted":    func(c *notification.Claim, id string) { c.Surplus = []string{id} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withoutCallbacks(), withProcessing(time.Second))
			w.doubled = true
			w.account()
			job := w.job("job")
			id := w.awaitRecord(job)
			w.stop()
			<-w.stopped
			w.simulator.RejectJob(id)
			other := w.again(job)
			w.changeClaim(job, func(c *notification.Claim) { change(c, other) })
			w.eventually("the other one is done", func() (bool, string) { return w.remoteStatus(other) == "done", w.remoteStatus(other) })
			w.startManager()
			w.awaitReason(job, v1alpha1.ReasonRejected)
			w.wantEvent(job, "Warning TranscriptKept: job "+other)
			w.eventually("nothing is owed any more", func() (bool, string) {
				w.get(job)
				return !newScope(job, w.options).sweepOwed(), w.logs.String()
			})
			w.wantRemote(other, "done")
			w.changeClaim(job, func(c *notification.Claim) { change(c, other) })
			w.delete(job)
			w.awaitGone(job)
			w.wantRemote(other, "done")
			w.wantRemote(id, "deleted")
		})
	}
}

// TestSurplus_adoptBest finds several jobs of one attempt: the one that is nearest to a transcript is recorded.
func TestSurplus_adoptBest(t *testing.T) {
	t.Parallel()
	for want, found := range map[string][]*speechmatics.Job{
		"done":    {{ID: "rejected", Status: speechmatics.JobRejected}, {ID: "running", Status: speechmatics.JobRunning}, {ID: "done", Status: speechmatics.JobDone}},
		"running": {{ID: "rejected", Status: speechmatics.JobRejected}, {ID: "running", Status: speechmatics.JobRunning}, {ID: "younger", Status: speechmatics.JobRunning}},
		"first":   {{ID: "first", Status: speechmatics.JobRejected}, {ID: "second", Status: speechmatics.JobRejected}},
		"unheard": {{ID: "gone", Status: speechmatics.JobDeleted}, {ID: "unheard", Status: "paused"}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			job := bareJob(t, env.Namespace(ctx, t, nil), "job")
			r := step(t, env.Client)
			s := newScope(job, r.options)
			if err := r.claimAttempt(ctx, s, testProvider()); err != nil {
				t.Fatal(err)
			}
			var deleted atomic.Int32
			p := testProvider()
			p.limits = newLimits(r.options, func(types.NamespacedName) {})
			p.client = countingClient(t, job.UID, &deleted)
			if _, err := r.adopt(ctx, s, p, found); err != nil {
				t.Fatal(err)
			}
			if got := newScope(get(t, job), r.options).remoteID(); got != want {
				t.Errorf("job %s is recorded, want %s", got, want)
			}
			others := len(living(found)) - 1
			if got := int(deleted.Load()); got != others {
				t.Errorf("%d others were deleted, want %d", got, others)
			}
			if got := counted(t, r.metrics.surplus); got != float64(others) {
				t.Errorf("%v jobs are counted as deleted, want %d", got, others)
			}
		})
	}
}

// TestSurplus_notFound has a surplus job that the provider does not find. Nothing is deleted or counted, and it stays noted until the job has
// finished, since it may come back.
func TestSurplus_notFound(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	r := step(t, env.Client)
	s := newScope(job, r.options)
	if err := r.claimAttempt(ctx, s, testProvider()); err != nil {
		t.Fatal(err)
	}
	if err := r.noteSurplus(ctx, s, "other"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(rw, `{"code":404,"error":"Job not found"}`)
	}))
	t.Cleanup(server.Close)
	p := testProvider()
	p.limits = newLimits(r.options, func(types.NamespacedName) {})
	var err error
	if p.client, err = speechmatics.New(server.URL+"/v2", speechmatics.WithAPIKey(apiKey)); err != nil {
		t.Fatal(err)
	}
	for _, finished := range []bool{false, true} {
		if finished {
			s.job.Status.CompletionTime = ptr.To(metav1.Now())
		}
		if err := r.deleteNoted(ctx, s, p); err != nil {
			t.Fatal(err)
		}
		if owed := newScope(get(t, job), r.options).sweepOwed(); owed == finished {
			t.Errorf("finished %v: the job is noted: %v", finished, owed)
		}
	}
	if got := counted(t, r.metrics.surplus); got != 0 {
		t.Errorf("%v jobs are counted as deleted, want none", got)
	}
}

// counted is the value of a counter.
func counted(t *testing.T, counter prometheus.Counter) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(counter)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

// TestSurplus_leftOver cannot delete a job for whose record there is no place: it is noted, by the object as it is, so that it is tried again.
// Of an object that is gone, or has no claim, it is told.
func TestSurplus_leftOver(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := step(t, env.Client)
	namespace := env.Namespace(ctx, t, nil)
	claimed := func(name string) (*v1alpha1.TranscriptionJob, *scope) {
		job := bareJob(t, namespace, name)
		s := newScope(job, r.options)
		if err := r.claimAttempt(t.Context(), s, testProvider()); err != nil {
			t.Fatal(err)
		}
		return get(t, job), s
	}
	leave := func(s *scope, wantLeft float64) {
		t.Helper()
		before := counted(t, r.metrics.uncleaned)
		if err := r.leftOver(ctx, s, "late", errors.New("the provider is down")); !errors.Is(err, errReloaded) {
			t.Errorf("it ended with %v, want the pass to begin anew", err)
		}
		if got := counted(t, r.metrics.uncleaned) - before; got != wantLeft {
			t.Errorf("%v jobs are said to be left, want %v", got, wantLeft)
		}
	}
	job, stale := claimed("changed")
	job.Labels = map[string]string{"changed": "meanwhile"}
	if err := env.Client.Update(ctx, job); err != nil {
		t.Fatal(err)
	}
	leave(stale, 0)
	if diff := cmp.Diff([]string{"late"}, newScope(get(t, job), r.options).claim.Surplus); diff != "" {
		t.Errorf("surplus (-want +got):\n%s", diff)
	}
	leave(newScope(bareJob(t, namespace, "unclaimed"), r.options), 1)
	gone, s := claimed("gone")
	gone.Finalizers = nil
	if err := errors.Join(env.Client.Update(ctx, gone), env.Client.Delete(ctx, gone)); err != nil {
		t.Fatal(err)
	}
	leave(s, 1)
}

// TestSurplus_forged notes another object's remote job in a claim, as whoever may edit a job can: as a surplus of a job that runs, of one
// that has finished, and of one that is deleted, and as the job itself. Nobody deletes it, and its transcript goes to its owner alone.
func TestSurplus_forged(t *testing.T) {
	t.Parallel()
	surplus := func(c *notification.Claim, id string) { c.Surplus = []string{id} }
	for name, c := range map[string]struct {
		forge    func(*notification.Claim, string)
		finished bool
		deletes  bool
	}{
		"of a running job":  {forge: surplus},
		"of a finished job": {forge: surplus, finished: true},
		"of a deleted job":  {forge: surplus, deletes: true},
		"as the job itself": {forge: func(c *notification.Claim, id string) { c.JobID = id }, deletes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withoutCallbacks(), withProcessing(10*time.Second))
			w.account()
			victim := w.job("victim")
			id := w.awaitRecord(victim)
			thief := w.job("thief")
			own := w.awaitRecord(thief)
			if c.finished {
				w.simulator.RejectJob(own)
				w.awaitReason(thief, v1alpha1.ReasonRejected)
			}
			w.changeClaim(thief, func(claim *notification.Claim) { c.forge(claim, id) })
			if c.deletes {
				w.delete(thief)
				w.awaitGone(thief)
			} else {
				w.wantEvent(thief, "job "+id+" is noted as a surplus of this job and is left alone")
			}
			if got := w.remoteStatus(id); got != "running" {
				t.Errorf("the other object's job is %s", got)
			}
		})
	}
}

// TestSurplus_deletionWaits deletes an object whose recorded job is that of a claim which was given up, and whose latest claim's job is not
// in the list yet: the object stays until that must be there, and it is deleted.
func TestSurplus_deletionWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute))
	w.doubled = true
	w.account()
	job := w.job("job")
	recorded := w.awaitRecord(job)
	w.stop()
	<-w.stopped
	if err := w.simulator.SetBehaviour(simulator.Behaviour{ListLag: simulator.Duration(1500 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	w.changeClaim(job, func(c *notification.Claim) {
		*c = c.AsGivenUp()
		c.NotAfter = time.Now().Add(w.options.SubmissionWindow)
	})
	other := w.again(job)
	w.delete(job)
	w.startManager()
	w.awaitGone(job)
	for _, id := range []string{recorded, other} {
		if got := w.remoteStatus(id); got != "deleted" {
			t.Errorf("job %s is %s at the provider, want deleted", id, got)
		}
	}
}

// TestSurplus_deletionCannotLook deletes an object while nobody can look for what was given up: it goes after one try, and says so.
func TestSurplus_deletionCannotLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(time.Minute))
	w.account()
	job := w.job("job")
	w.awaitRecord(job)
	w.stop()
	<-w.stopped
	w.changeClaim(job, func(c *notification.Claim) { c.GivenUp = true })
	if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationList, Status: http.StatusBadGateway}); err != nil {
		t.Fatal(err)
	}
	w.delete(job)
	w.startManager()
	w.awaitGone(job)
	w.wantEvent(job, "a submission was given up, and could not be looked for")
}

// TestRetentionOver ends the search for what was given up when the backend has deleted it by itself.
func TestRetentionOver(t *testing.T) {
	t.Parallel()
	r := step(t, env.Client)
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		provider *provider
		age      time.Duration
		over     bool
	}{
		"appliance, before":   {at(speechmatics.Appliance), day, false},
		"appliance, after":    {at(speechmatics.Appliance), day + time.Hour, true},
		"saas, before":        {at(speechmatics.SaaS), 7 * day, false},
		"saas, after":         {at(speechmatics.SaaS), 7*day + time.Hour, true},
		"unreachable, before": {nil, 7 * day, false},
		"unreachable, after":  {nil, 7*day + time.Hour, true},
	} {
		if got := r.retentionOver(onPaper(r.options, c.age), c.provider); got != c.over {
			t.Errorf("%s: %v, want %v", name, got, c.over)
		}
	}
}

// TestSearch_tooManyJobs has an appliance take so long to tell about other jobs that no search comes to its end. That ends, in doubt, for an
// uncertain submission and for the deletion of one; what was given up is not taken for absent.
func TestSearch_tooManyJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), onPremises(appliance), withOptions(func(o *Options) { o.SearchTimeout = 400 * time.Millisecond }))
	w.account()
	done := w.job("done")
	w.awaitReason(done, v1alpha1.ReasonComplete)
	w.stop()
	<-w.stopped
	w.changeClaim(done, func(c *notification.Claim) { *c = c.AsGivenUp() })
	arrivedNever := neverArrived
	arrivedNever.Count = 2
	if err := w.simulator.SetFaults(arrivedNever, simulator.Fault{Kind: simulator.FaultLatency, Operation: simulator.OperationGet, Delay: simulator.Duration(patience)}); err != nil {
		t.Fatal(err)
	}
	w.startManager()
	uncertain, deleted := w.job("uncertain"), w.job("deleted")
	w.awaitReason(deleted, v1alpha1.ReasonSubmissionUnknown)
	w.delete(deleted)
	w.awaitGone(deleted)
	w.wantEvent(deleted, "Warning RemoteJobLeft")
	message := w.awaitReason(uncertain, v1alpha1.ReasonSubmissionAmbiguous)
	if !strings.Contains(message, "more jobs of that time than could be looked at") {
		t.Errorf("the message does not say why: %s", message)
	}
	if logs := w.logs.String(); !strings.Contains(logs, "was not looked for to the end") || !strings.Contains(logs, "looking again") {
		t.Errorf("no search was repeated:\n%s", logs)
	}
	w.get(done)
	if !newScope(done, w.options).sweepOwed() {
		t.Error("what was given up is taken for absent")
	}
}

// TestSearch_since looks for what was given up from its claim on, not from the object's creation.
func TestSearch_since(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	job := bareJob(t, env.Namespace(ctx, t, nil), "job")
	r := step(t, env.Client)
	s := newScope(job, r.options)
	var first time.Time
	for range 2 {
		if err := r.claimAttempt(ctx, s, testProvider()); err != nil {
			t.Fatal(err)
		}
		if first.IsZero() {
			first = s.claim.ClaimedAt
		}
		if err := r.giveUpClaim(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	s = newScope(get(t, job), r.options)
	if !s.claim.ClaimedAt.After(first) || !s.claim.GivenUpSince.Equal(first) {
		t.Errorf("given up since %s, want the first claim's time, %s", s.claim.GivenUpSince, first)
	}
	s.job.CreationTimestamp = metav1.NewTime(first.Add(-time.Hour))
	if got := s.givenUpSince(); !got.Equal(first) {
		t.Errorf("looked for since %s, want %s", got, first)
	}
	s.claim.GivenUpSince = time.Time{}
	if got := s.givenUpSince(); !got.Equal(s.job.CreationTimestamp.Time) {
		t.Errorf("looked for since %s, want the object's creation, since the claim does not say", got)
	}
}
