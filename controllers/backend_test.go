// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

const (
	appliance = v1alpha1.BackendAppliance
	worker    = v1alpha1.BackendWorker
)

// neverArrived has a gateway answer in the provider's place, so that the outcome of the first submission is unknown, and nothing was created.
var neverArrived = simulator.Fault{
	Kind: simulator.FaultError, Operation: simulator.OperationCreate, Status: http.StatusBadGateway, Body: simulator.BodyHTML, Count: 1,
}

// TestPremises_story goes the ordinary way without a key, notified and polled, with every form of ID that is known.
func TestPremises_story(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backend   v1alpha1.Backend
		behaviour simulator.Behaviour
	}{
		"appliance":                {appliance, simulator.Behaviour{}},
		"appliance, numbers":       {appliance, simulator.Behaviour{ApplianceIDs: simulator.ApplianceIDsNumber}},
		"worker":                   {worker, simulator.Behaviour{}},
		"worker, as its docs read": {worker, simulator.Behaviour{WorkerSpelling: simulator.WorkerSpellingProse}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, onPremises(c.backend), withBehaviour(c.behaviour), withFaults(simulator.Fault{Kind: simulator.FaultNotificationLost, Title: "polled"}))
			account := w.account()
			w.awaitAccount(account, v1alpha1.ReasonReachable)
			for _, name := range []string{"notified", "polled"} {
				job := w.job(name, func(j *v1alpha1.TranscriptionJob) {
					j.Spec.Tracking = &v1alpha1.Tracking{Title: &name}
					j.Spec.Processing = &v1alpha1.ProcessingSpec{ParallelEngines: ptr.To(int32(4)), UserID: ptr.To("ward-7")}
				})
				w.awaitReason(job, v1alpha1.ReasonComplete)
				w.wantSubmissions(job, 1)
				if text := w.text(job); !strings.Contains(text, standupWords) {
					t.Errorf("%s: the transcript is not the recording's:\n%s", name, text)
				}
				if got := valueOf(job.Status.AccountRef.KeyFingerprint); got != noKeyFingerprint {
					t.Errorf("the account has no key, and its fingerprint is %q", got)
				}
			}
			want := slices.Repeat([]string{`{"parallel_engines":4,"user_id":"ward-7"}`}, 2)
			if diff := cmp.Diff(want, w.premises.header(http.MethodPost, "X-SM-Processing-Data")); diff != "" {
				t.Errorf("X-SM-Processing-Data of the submissions (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPremises_processingOfSaaS asks the hosted service for what only an installation on premises takes: that costs nothing.
func TestPremises_processingOfSaaS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Processing = &v1alpha1.ProcessingSpec{ParallelEngines: ptr.To(int32(4))}
	})
	message := w.awaitReason(job, v1alpha1.ReasonInvalidConfiguration)
	if !strings.Contains(message, "spec.processing") || !strings.Contains(message, "saas") {
		t.Errorf("the message %q does not say what does not go together", message)
	}
	w.wantSubmissions(job, 0)
	if len(job.Annotations) != 0 || job.Status.StartTime != nil {
		t.Errorf("the job was claimed: %v", job.Annotations)
	}
}

// TestPremises_uncertain breaks submissions whose outcome is not known then. An appliance is asked about each job of that time; a worker
// is, too, but that it knows of none proves nothing.
func TestPremises_uncertain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backend v1alpha1.Backend
		fault   simulator.Fault
		policy  v1alpha1.AmbiguousSubmissionPolicy
		reason  string
		event   string
	}{
		"appliance, arrived": {appliance, answerLost, v1alpha1.AmbiguousFail, v1alpha1.ReasonComplete, "Normal Adopted"},
		"appliance, not":     {appliance, neverArrived, v1alpha1.AmbiguousFail, v1alpha1.ReasonComplete, "Normal Submitted"},
		"worker, arrived":    {worker, answerLost, v1alpha1.AmbiguousFail, v1alpha1.ReasonComplete, "Normal Adopted"},
		"worker, not":        {worker, neverArrived, v1alpha1.AmbiguousFail, v1alpha1.ReasonSubmissionAmbiguous, "Warning SubmissionAmbiguous"},
		"worker, resubmit":   {worker, neverArrived, v1alpha1.AmbiguousResubmit, v1alpha1.ReasonComplete, "Normal Submitted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withoutCallbacks(), onPremises(c.backend))
			w.account()
			others := []*v1alpha1.TranscriptionJob{w.job("other-1"), w.job("other-2")}
			for _, other := range others {
				w.awaitReason(other, v1alpha1.ReasonComplete)
			}
			if err := w.simulator.SetFaults(c.fault); err != nil {
				t.Fatal(err)
			}
			job := w.job("uncertain", func(j *v1alpha1.TranscriptionJob) { j.Spec.AmbiguousSubmissionPolicy = c.policy })
			message := w.awaitReason(job, c.reason)
			w.wantEvent(job, c.event)
			if !strings.Contains(w.logs.String(), "The outcome of the submission is not known") {
				t.Error("the submission was never uncertain, so that this tests nothing")
			}
			want := 1
			if c.reason == v1alpha1.ReasonSubmissionAmbiguous {
				want = 0
				if !strings.Contains(message, "forgets its jobs") {
					t.Errorf("the message %q does not say why nobody can tell", message)
				}
			}
			w.wantSubmissions(job, want)
		})
	}
}

// TestPremises_workerRestarted restarts the worker while it works on a job: the attempt has failed, and the next one brings the
// transcript, if there may be one.
func TestPremises_workerRestarted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backoffLimit int32
		reason       string
		submissions  int
	}{
		"again": {1, v1alpha1.ReasonComplete, 2},
		"once":  {0, v1alpha1.ReasonRemoteJobLost, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withoutCallbacks(), onPremises(worker), withProcessing(2*time.Second))
			w.account()
			job := w.job("job", func(j *v1alpha1.TranscriptionJob) { j.Spec.BackoffLimit = ptr.To(c.backoffLimit) })
			w.awaitRecord(job)
			if !w.simulator.Restart() {
				t.Fatal("the worker was not restarted")
			}
			message := w.awaitReason(job, c.reason)
			w.wantSubmissions(job, c.submissions)
			w.wantEvent(job, "forgets its jobs when it is restarted")
			if c.reason == v1alpha1.ReasonRemoteJobLost && !strings.Contains(message, "forgets") {
				t.Errorf("the message %q does not say why", message)
			}
		})
	}
}

// TestPremises_workerRestartedWhileUncertain restarts the worker after a submission whose answer got lost.
func TestPremises_workerRestartedWhileUncertain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), onPremises(worker), withProcessing(time.Minute), withFaults(answerLost))
	w.account()
	job := w.job("job")
	w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown)
	if !w.simulator.Restart() {
		t.Fatal("the worker was not restarted")
	}
	w.awaitReason(job, v1alpha1.ReasonSubmissionAmbiguous)
	w.wantSubmissions(job, 1)
}

// TestPremises_busy has the only engine of a worker be in use. Nothing has failed; the job says what it waits for, and goes on when there
// is room.
func TestPremises_busy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPremises(worker), withEngines(1), withProcessing(time.Second))
	w.account()
	running := w.job("running")
	w.awaitRecord(running)
	job := w.job("job")
	w.eventually("the job says that the worker is busy", func() (bool, string) {
		w.get(job)
		ready := readyCondition(job.Status.Conditions)
		if ready == nil {
			return false, "no condition Ready"
		}
		return ready.Reason == v1alpha1.ReasonWaiting && strings.Contains(ready.Message, "Server busy: 1 engines not available"), ready.Message
	})
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.awaitReason(running, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
	if valueOf(job.Status.FailedAttempts) != 0 {
		t.Errorf("%d attempts have failed, want none", *job.Status.FailedAttempts)
	}
}

// TestPremises_tooManyEngines asks for more engines than a worker has, which it calls busy, too. Neither that job nor the one behind it waits
// for ever.
func TestPremises_tooManyEngines(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPremises(worker), withEngines(2))
	w.account()
	engines := func(n int32) func(*v1alpha1.TranscriptionJob) {
		return func(j *v1alpha1.TranscriptionJob) { j.Spec.Processing = &v1alpha1.ProcessingSpec{ParallelEngines: &n} }
	}
	large, fitting := w.job("large", engines(3)), w.job("fitting", engines(2))
	message := w.awaitReason(large, v1alpha1.ReasonInvalidConfiguration)
	if !strings.Contains(message, "parallelEngines is 3") || !strings.Contains(message, "has 2 engines") {
		t.Errorf("the message %q does not say what is too much", message)
	}
	w.wantSubmissions(large, 0)
	w.awaitReason(fitting, v1alpha1.ReasonComplete)
}

// TestPremises_busyIsQuiet has many jobs wait for a busy worker with long waits: a few try, the others wait with them. The job that is
// there already is followed all the same.
func TestPremises_busyIsQuiet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPatience(), withoutCallbacks(), onPremises(worker), withEngines(1), withProcessing(3*time.Second))
	w.account()
	running := w.job("running")
	w.awaitRecord(running)
	var jobs []*v1alpha1.TranscriptionJob
	for i := range 20 {
		jobs = append(jobs, w.job(fmt.Sprintf("job-%02d", i)))
	}
	for _, job := range jobs {
		w.awaitReason(job, v1alpha1.ReasonWaiting)
	}
	w.awaitReason(running, v1alpha1.ReasonComplete)
	tried := w.premises.count(http.MethodPost)
	if tried < 2 || tried > len(jobs)/2 {
		t.Errorf("%d submissions, want some, before it was known that the worker is busy, and not all", tried)
	}
	w.consistently("nobody tries again", func() (bool, string) {
		n := w.premises.count(http.MethodPost)
		return n == tried, fmt.Sprintf("%d submissions, after %d", n, tried)
	})
}

// TestPremises_workerCannotDelete wants jobs deleted where that is not possible, in every way there is: nothing waits for it, nothing is
// asked of the worker, and what is left there is told.
func TestPremises_workerCannotDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPremises(worker), withProcessing(time.Minute))
	w.account()
	t.Cleanup(func() {
		if n := w.premises.count(http.MethodDelete); n != 0 {
			t.Errorf("%d requests to delete were sent to a worker, which knows none", n)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		t.Parallel()
		w := w.in(t)
		job := w.job("deadline")
		w.awaitRecord(job)
		update(w, job, deadlineOf(1))
		message := w.awaitReason(job, v1alpha1.ReasonDeadlineExceeded)
		if !strings.Contains(message, "could not be cancelled") || strings.Contains(message, "was cancelled") {
			t.Errorf("the message %q does not say that the job runs on", message)
		}
		if got := valueOf(job.Status.RemoteJob.State); got != v1alpha1.RemoteRunning {
			t.Errorf("the status says that the remote job is %s, want running", got)
		}
	})
	t.Run("deleted while it runs", func(t *testing.T) {
		t.Parallel()
		w := w.in(t)
		job := w.job("running")
		id := w.awaitRecord(job)
		w.delete(job)
		w.awaitGone(job)
		w.wantEvent(job, "Warning RemoteJobLeft: job "+id+" may be left: the HTTP batch worker has no way to delete jobs: there it stays until a restart")
		if got := w.remoteStatus(id); got != "running" {
			t.Errorf("the remote job is %s", got)
		}
	})
	t.Run("deleted, and never to be deleted there", func(t *testing.T) {
		t.Parallel()
		w := w.in(t)
		job := w.job("never", func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = v1alpha1.RemoteDeletionNever })
		w.awaitRecord(job)
		w.delete(job)
		w.awaitGone(job)
		for _, note := range w.events(job.UID) {
			if strings.Contains(note, "RemoteJobLeft") {
				t.Errorf("it was to be left, and still there is an event: %s", note)
			}
		}
	})
}

// TestPremises_workerUnreachable deletes a job whose worker is down: since it could not delete anything, nobody waits for it.
func TestPremises_workerUnreachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPremises(worker), withProcessing(time.Minute))
	w.account()
	job := w.job("job")
	w.awaitRecord(job)
	if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Status: http.StatusServiceUnavailable}); err != nil {
		t.Fatal(err)
	}
	w.delete(job)
	w.awaitGone(job)
	w.wantEvent(job, "Warning RemoteJobLeft")
}

// TestPremises_deletedWhileUncertain deletes a job whose submission may have arrived at a worker: there is nothing to wait for beyond the
// time that the submission may take.
func TestPremises_deletedWhileUncertain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), onPremises(worker), withProcessing(time.Minute), withFaults(answerLost))
	w.account()
	job := w.job("job")
	w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown)
	w.delete(job)
	w.awaitGone(job)
	w.wantEvent(job, "Warning RemoteJobLeft: a job with the reference "+string(job.UID))
}

// TestPremises_afterStored wants the remote job deleted as soon as the transcript is stored, which a worker cannot: the condition says so,
// once, also after a restart.
func TestPremises_afterStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPremises(worker))
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = v1alpha1.RemoteDeletionAfterStored })
	told := func() (bool, string) {
		w.get(job)
		ready := readyCondition(job.Status.Conditions)
		if ready == nil || ready.Status != metav1.ConditionTrue {
			return false, "not complete"
		}
		return strings.Count(ready.Message, "is not deleted: the HTTP batch worker has no way to delete jobs") == 1, ready.Message
	}
	w.eventually("the condition says that the job is left", told)
	w.wantEvent(job, "Warning RemoteJobLeft")
	version := job.ResourceVersion
	w.restartManager()
	w.awaitReason(w.job("another"), v1alpha1.ReasonComplete)
	w.consistently("nothing is told again", func() (bool, string) {
		w.get(job)
		return job.ResourceVersion == version, job.ResourceVersion
	})
	if got := valueOf(job.Status.RemoteJob.State); got != v1alpha1.RemoteDone {
		t.Errorf("the status says that the remote job is %s, want done", got)
	}
}

// TestPremises_surplusAtWorker finds the same attempt twice at a worker: the older one is adopted, though the other one cannot be deleted.
func TestPremises_surplusAtWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), onPremises(worker, func(p *premises) { p.doubles = true }), withProcessing(time.Second))
	w.doubled = true
	w.account()
	job := w.job("job")
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantEvent(job, "may be left: the HTTP batch worker has no way to delete jobs")
	w.wantSubmissions(job, 2)
}

// TestPremises_accounts tries accounts on premises: with a key that is asked for, with certificates that nobody knows.
func TestPremises_accounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPremises(appliance, func(p *premises) { p.tls = true }))
	account := w.account()
	w.awaitAccount(account, v1alpha1.ReasonReachable)
	job := w.job("job")
	w.awaitReason(job, v1alpha1.ReasonComplete)
	for name, c := range map[string]struct {
		change func(*v1alpha1.SpeechmaticsAccountSpec)
		reason string
		says   string
	}{
		"unknown certificate": {func(s *v1alpha1.SpeechmaticsAccountSpec) { s.CABundle = nil }, v1alpha1.ReasonProviderUnavailable, "certificate"},
		"whatever certificate": {func(s *v1alpha1.SpeechmaticsAccountSpec) {
			s.CABundle, s.InsecureSkipTLSVerify = nil, ptr.To(true)
		}, v1alpha1.ReasonReachable, "appliance answers"},
		"with a key": {func(s *v1alpha1.SpeechmaticsAccountSpec) {
			s.APIKeySecretRef = &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"}
		}, v1alpha1.ReasonKeyAccepted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := w.in(t)
			other := &v1alpha1.SpeechmaticsAccount{ObjectMeta: w.meta(strings.ReplaceAll(name, " ", "-")), Spec: *account.Spec.DeepCopy()}
			c.change(&other.Spec)
			w.create(other)
			if message := w.awaitAccount(other, c.reason); !strings.Contains(message, c.says) {
				t.Errorf("the message %q does not say %q", message, c.says)
			}
		})
	}
}

// TestPremises_keyRequired has an appliance ask for a token that the account does not have.
func TestPremises_keyRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.account(func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.Backend, a.Spec.APIKeySecretRef = appliance, nil
	})
	message := w.awaitAccount(account, v1alpha1.ReasonKeyRequired)
	if !strings.Contains(message, "spec.apiKeySecretRef") {
		t.Errorf("the message %q does not say what to do", message)
	}
	update(w, account, func(a *v1alpha1.SpeechmaticsAccount) {
		a.Spec.APIKeySecretRef = &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"}
	})
	w.awaitAccount(account, v1alpha1.ReasonKeyAccepted)
}

// TestWorkerAddress has an account of a worker, older than the rule of the schema about it, whose address has nothing beside it.
func TestWorkerAddress(t *testing.T) {
	t.Parallel()
	ps := newProviders(nil, Options{Clock: testingclock.NewFakeClock(time.Unix(0, 0))})
	account := func(baseURL string) v1alpha1.Account {
		return &v1alpha1.ClusterSpeechmaticsAccount{Spec: v1alpha1.ClusterSpeechmaticsAccountSpec{
			SpeechmaticsAccountSpec: v1alpha1.SpeechmaticsAccountSpec{Backend: worker, BaseURL: &baseURL},
		}}
	}
	for _, baseURL := range []string{"http://host:18000", "http://host:18000/v1", "http://host:18000/v2/api"} {
		_, err := ps.build(account(baseURL), "")
		var broken *accountError
		if !errors.As(err, &broken) || broken.reason != v1alpha1.ReasonInvalidAccount ||
			broken.message != "spec.baseURL of a worker must end in /v2, for example http://host:18000/v2; correct it" {
			t.Errorf("%s: %v", baseURL, err)
		}
	}
	for _, baseURL := range []string{"http://host:18000/v2", "http://host:18000/v2/", "http://host/gateway/v2"} {
		if _, err := ps.build(account(baseURL), ""); err != nil {
			t.Errorf("%s: %v", baseURL, err)
		}
	}
}

// TestPremises_workerAddress gives a worker the address of a server that is no worker, and one that is not permitted.
func TestPremises_workerAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPremises(appliance))
	for name, c := range map[string]struct {
		baseURL, reason, says string
	}{
		"no-worker": {
			w.provider, v1alpha1.ReasonProviderUnavailable,
			"the account could not be tried: GET " + strings.TrimSuffix(w.provider, "/v2") + "/ready: 404 Not Found: Not Found; is this a batch worker? see spec.backend",
		},
		"foreign": {"http://worker.example.com/v2", v1alpha1.ReasonBaseURLNotAllowed, "the account may not use the address http://worker.example.com/v2: ask the administrator"},
	} {
		account := &v1alpha1.SpeechmaticsAccount{ObjectMeta: w.meta(name), Spec: v1alpha1.SpeechmaticsAccountSpec{Backend: worker, BaseURL: &c.baseURL}}
		w.create(account)
		if message := w.awaitAccount(account, c.reason); !strings.Contains(message, c.says) {
			t.Errorf("%s: the message %q does not say %q", name, message, c.says)
		}
	}
}

// TestIsNoWorker tells what is no worker from a worker that has trouble.
func TestIsNoWorker(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"no such page":      {&speechmatics.Error{StatusCode: http.StatusNotFound}, true},
		"sent elsewhere":    {&speechmatics.Error{StatusCode: http.StatusFound}, true},
		"not JSON":          {&speechmatics.ResponseError{StatusCode: http.StatusOK}, true},
		"trouble":           {&speechmatics.Error{StatusCode: http.StatusBadGateway}, false},
		"too many requests": {&speechmatics.Error{StatusCode: http.StatusTooManyRequests}, false},
		"no answer":         {&speechmatics.TransportError{Err: context.DeadlineExceeded}, false},
	} {
		if got := isNoWorker(c.err); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}

// TestUnusable words what the client refuses without its names for things.
func TestUnusable(t *testing.T) {
	t.Parallel()
	_, err := speechmatics.New("ftp://host/v2")
	if said := unusable(err).Error(); !strings.HasPrefix(said, "the account's address or key cannot be used: base URL ") || strings.Contains(said, "New") {
		t.Errorf("the message is %q", said)
	}
}

// TestBackends_documented holds the table in docs/backends.md to what the client's documentation says of the backends.
func TestBackends_documented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "backends.md"))
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	words := map[string]string{"true": "yes", "false": "no", "168h0m0s": "7 days", "24h0m0s": "24 hours", "0s": "none"}
	columns := []speechmatics.Backend{speechmatics.SaaS, speechmatics.Appliance, speechmatics.Worker}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[speechmatics.Capabilities]()) {
		fmt.Fprintf(&want, "| %s |", field.Name)
		for _, backend := range columns {
			cell := fmt.Sprint(reflect.ValueOf(backend.Capabilities()).FieldByIndex(field.Index))
			fmt.Fprintf(&want, " %s |", words[cell])
		}
		want.WriteString("\n")
	}
	_, table, _ := strings.Cut(string(page), "| | saas | appliance | worker |\n| --- | --- | --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if diff := cmp.Diff(strings.TrimSpace(want.String()), strings.TrimSpace(table)); diff != "" {
		t.Errorf("docs/backends.md (-want +got):\n%s", diff)
	}
}

// TestPremises_applianceDeletes cancels at an appliance what is deleted here.
func TestPremises_applianceDeletes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onPremises(appliance), withProcessing(time.Minute))
	w.account()
	job := w.job("job")
	id := w.awaitRecord(job)
	w.delete(job)
	w.awaitGone(job)
	if got := w.remoteStatus(id); got != "deleted" {
		t.Errorf("the remote job is %s, want deleted", got)
	}
}

// TestPremises_sweepOfWorkerThatIsGone gives an uncertain submission up, completes the job, and has the worker vanish: that nobody can look for
// the one that was given up does not keep the object from its expiry.
func TestPremises_sweepOfWorkerThatIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), onPremises(worker), withProcessing(4*time.Second), withFaults(neverArrived))
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.AmbiguousSubmissionPolicy = v1alpha1.AmbiguousResubmit
		j.Spec.TTLSecondsAfterFinished = ptr.To(int32(0))
		j.Spec.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{RetentionPolicy: ptr.To(v1alpha1.RetentionDelete)}
	})
	w.awaitRecord(job)
	if err := w.simulator.SetFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationList, Status: http.StatusBadGateway}); err != nil {
		t.Fatal(err)
	}
	w.awaitGone(job)
	if !strings.Contains(w.logs.String(), "is not looked for any more") {
		t.Error("nothing was given up, so that this tests nothing")
	}
}

// onPaper is a scope of a job that no API server knows, submitted a while ago.
func onPaper(options Options, submitted time.Duration) *scope {
	start := time.Now().Add(-submitted)
	job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "job", UID: "22222222-2222-2222-2222-222222222222"}}
	job.Status.StartTime = ptr.To(metav1.NewTime(start))
	job.Status.Attempt = ptr.To(int32(1))
	job.Status.RemoteJob = &v1alpha1.RemoteJob{ID: ptr.To("remote1"), BaseURL: ptr.To("https://api.example.com/v2")}
	s := newScope(job, options)
	s.claim = &notification.Claim{
		UID: job.UID, Attempt: 1, Nonce: notification.NewNonce(), ClaimedAt: start, NotAfter: start.Add(time.Minute),
		AccountUID: testProvider().account.UID, BaseURL: testProvider().baseURL, KeyFingerprint: testProvider().keyFingerprint,
	}
	return s
}

// at is a provider of a backend that is never asked.
func at(backend speechmatics.Backend) *provider {
	p := testProvider()
	p.backend = backend
	return p
}

// TestDoubt_backends says for each backend what it proves that a job was not found.
func TestDoubt_backends(t *testing.T) {
	t.Parallel()
	r := step(t, env.Client)
	all, some := &speechmatics.Submissions{}, &speechmatics.Submissions{Incomplete: true}
	for name, c := range map[string]struct {
		backend speechmatics.Backend
		age     time.Duration
		found   *speechmatics.Submissions
		doubt   string
	}{
		"saas":                 {speechmatics.SaaS, time.Hour, all, ""},
		"saas, old":            {speechmatics.SaaS, 7 * 24 * time.Hour, all, "older than what Speechmatics keeps"},
		"saas, after a day":    {speechmatics.SaaS, 25 * time.Hour, all, ""},
		"appliance":            {speechmatics.Appliance, time.Hour, all, ""},
		"appliance, old":       {speechmatics.Appliance, 24 * time.Hour, all, "older than what the appliance keeps"},
		"appliance, too many":  {speechmatics.Appliance, time.Hour, some, "has more jobs of that time than"},
		"worker":               {speechmatics.Worker, time.Minute, all, "forgets its jobs"},
		"nobody knows of this": {"mainframe", time.Minute, all, "forgets its jobs"},
	} {
		doubt := r.doubt(onPaper(r.options, c.age), at(c.backend), c.found)
		if (doubt == "") != (c.doubt == "") || !strings.Contains(doubt, c.doubt) {
			t.Errorf("%s: doubt %q, want %q", name, doubt, c.doubt)
		}
	}
}

// TestSearchQuery bounds a search by time where each candidate costs a request, and nowhere else.
func TestSearchQuery(t *testing.T) {
	t.Parallel()
	r := step(t, env.Client)
	s := onPaper(r.options, time.Hour)
	until := s.claim.NotAfter.Add(r.options.ListLag + r.options.ClockSkew + r.options.ProviderClockSkew)
	for backend, want := range map[speechmatics.Backend]time.Time{
		speechmatics.SaaS: {}, speechmatics.Appliance: until, speechmatics.Worker: until,
	} {
		query := r.searchQuery(s, at(backend), s.claim.ClaimedAt)
		if since := s.claim.ClaimedAt.Add(-r.options.ProviderClockSkew); !query.Since.Equal(since) {
			t.Errorf("%s: since %s, want %s", backend, query.Since, since)
		}
		if !query.Until.Equal(want) {
			t.Errorf("%s: until %s, want %s", backend, query.Until, want)
		}
	}
}

// TestVanished_withOtherKey asks with another key about a job that is not found then. Where keys have projects, that proves nothing before the
// retention is over; a worker has none, and what it does not know is lost.
func TestVanished_withOtherKey(t *testing.T) {
	t.Parallel()
	r := step(t, env.Client)
	for name, c := range map[string]struct {
		backend speechmatics.Backend
		age     time.Duration
		reason  string
	}{
		"saas":           {speechmatics.SaaS, 25 * time.Hour, v1alpha1.ReasonAccountNotReady},
		"saas, old":      {speechmatics.SaaS, 169 * time.Hour, v1alpha1.ReasonRemoteJobLost},
		"appliance":      {speechmatics.Appliance, 23 * time.Hour, v1alpha1.ReasonAccountNotReady},
		"appliance, old": {speechmatics.Appliance, 25 * time.Hour, v1alpha1.ReasonRemoteJobLost},
		"worker":         {speechmatics.Worker, time.Hour, v1alpha1.ReasonProviderUnavailable}, // asked once more
	} {
		s, p := onPaper(r.options, c.age), at(c.backend)
		p.keyFingerprint = fingerprint("another key")
		v, err := s.judge(r.vanished(t.Context(), s, p, &speechmatics.Error{StatusCode: http.StatusNotFound}))
		if got := v.reason; err != nil || (got != c.reason && !strings.Contains(v.message, c.reason)) {
			t.Errorf("%s: %s (%s), %v, want %s", name, got, v.message, err, c.reason)
		}
	}
}

// TestRefusal_invalid has the client refuse a submission by itself: it is refused for good, not tried again and again.
func TestRefusal_invalid(t *testing.T) {
	t.Parallel()
	r := step(t, env.Client)
	err := error(&speechmatics.SubmissionError{Outcome: speechmatics.OutcomeNotCreated, Err: &speechmatics.InvalidError{Operation: "CreateJob", Field: "ProcessingData.UserID", Problem: "is too long"}})
	var f *failure
	if !errors.As(r.refusal(newScope(waitingJob("n", "job", 0, time.Time{}), r.options), at(speechmatics.Appliance), err), &f) || f.reason != v1alpha1.ReasonInvalidConfiguration {
		t.Errorf("%v became %v", err, f)
	}
}
