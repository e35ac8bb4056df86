// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// titled gives a job its name as a title, by which faults find it.
func titled(j *v1alpha1.TranscriptionJob) {
	j.Spec.Tracking = &v1alpha1.Tracking{Title: ptr.To(j.Name)}
}

// remoteJobs are the states of the remote jobs that an object had, oldest first.
func (w *world) remoteJobs(job *v1alpha1.TranscriptionJob) []string {
	var states []string
	for _, remote := range w.simulator.Jobs() {
		if reference, err := notification.ParseReference(remote.Reference); err == nil && reference.UID == job.UID {
			states = append(states, remote.Status)
		}
	}
	return states
}

func (w *world) wantRemoteJobs(job *v1alpha1.TranscriptionJob, want ...string) {
	w.t.Helper()
	if got := strings.Join(w.remoteJobs(job), " "); got != strings.Join(want, " ") {
		w.t.Errorf("%s: the remote jobs are %q, want %q", job.Name, got, want)
	}
}

// TestAttempts_rejected has jobs be rejected for reasons that may pass, and for such that cannot. The remote job of an attempt that another one
// follows is deleted, if anything may be.
func TestAttempts_rejected(t *testing.T) {
	t.Parallel()
	const passing = "Language identification failed"
	reject := func(title, message string, count int) simulator.Fault {
		return simulator.Fault{Kind: simulator.FaultReject, Title: title, Message: message, Count: count}
	}
	trim := reject("trim", "the audio is shorter than nothing", 0)
	trim.Outcome = string(v1alpha1.OutcomeTrimError)
	w := newWorld(t, withFaults(
		reject("passes", passing, 1), reject("passes-never", passing, 1), reject("lasts", passing, 0), reject("once", passing, 0),
		reject("language", "The identified language 'uz' is not supported for transcription", 0), reject("unknown", "the moon is wrong", 0), trim,
	))
	w.account()
	cases := []struct {
		name   string
		change func(*v1alpha1.TranscriptionJobSpec)
		reason string
		says   string
		failed int32
		remote []string
	}{
		{"passes", nil, v1alpha1.ReasonComplete, "txt", 1, []string{"deleted", "done"}},
		{"passes-never", func(s *v1alpha1.TranscriptionJobSpec) { s.RemoteDeletionPolicy = v1alpha1.RemoteDeletionNever }, v1alpha1.ReasonComplete, "txt", 1, []string{"rejected", "done"}},
		{"lasts", func(s *v1alpha1.TranscriptionJobSpec) { s.BackoffLimit = ptr.To(int32(2)) }, v1alpha1.ReasonRejected, "attempt 3 of 3", 3, []string{"deleted", "deleted", "rejected"}},
		{"once", func(s *v1alpha1.TranscriptionJobSpec) { s.BackoffLimit = ptr.To(int32(0)) }, v1alpha1.ReasonRejected, passing, 1, []string{"rejected"}},
		{"language", nil, v1alpha1.ReasonRejected, "'uz'", 1, []string{"rejected"}},
		{"unknown", nil, v1alpha1.ReasonRejected, "moon", 1, []string{"rejected"}},
		{"trim", nil, v1alpha1.ReasonRejected, "shorter", 1, []string{"rejected"}},
	}
	jobs := make([]*v1alpha1.TranscriptionJob, len(cases))
	for i, c := range cases {
		jobs[i] = w.job(c.name, titled, func(j *v1alpha1.TranscriptionJob) {
			if c.change != nil {
				c.change(&j.Spec)
			}
		})
	}
	for i, c := range cases {
		message := w.awaitReason(jobs[i], c.reason)
		if !strings.Contains(message, c.says) {
			t.Errorf("%s: the message %q does not say %q", c.name, message, c.says)
		}
		w.wantSubmissions(jobs[i], len(c.remote))
		w.wantRemoteJobs(jobs[i], c.remote...)
		if got := valueOf(jobs[i].Status.FailedAttempts); got != c.failed || jobs[i].Status.LastFailureTime == nil {
			t.Errorf("%s: %d attempts have failed, the last at %v; want %d", c.name, got, jobs[i].Status.LastFailureTime, c.failed)
		}
	}
}

// TestAttempts_backOff says when the next attempt comes, and waits twice as long each time, also across a restart.
func TestAttempts_backOff(t *testing.T) {
	t.Parallel()
	const base = 2 * time.Second
	w := newWorld(t,
		withFaults(simulator.Fault{Kind: simulator.FaultReject, Message: "Internal Server Error"}),
		withOptions(func(o *Options) { o.RetryInterval = base }))
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) { j.Spec.BackoffLimit = ptr.To(int32(2)) })
	message := w.awaitReason(job, v1alpha1.ReasonRetrying)
	next := job.Status.LastFailureTime.Add(base).UTC().Format(time.RFC3339)
	for _, part := range []string{"attempt 1 of 3", "Internal Server Error", "the next one follows at " + next} {
		if !strings.Contains(message, part) {
			t.Errorf("the message %q does not say %q", message, part)
		}
	}
	w.restartManager()
	w.awaitReason(job, v1alpha1.ReasonRejected)
	w.wantSubmissions(job, 3)
	var created []time.Time
	for _, entry := range w.simulator.Ledger() {
		created = append(created, entry.CreatedAt)
	}
	for i, wait := range []time.Duration{base, 2 * base} {
		// A status has whole seconds, so that a wait may be one second shorter.
		if got := created[i+1].Sub(created[i]); got < wait-time.Second {
			t.Errorf("attempt %d followed after %s, want %s", i+2, got, wait)
		}
	}
}

// TestAttempts_lostButStored has somebody delete the remote job after its transcript was stored, before the manager knows: nothing is lost.
func TestAttempts_lostButStored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(500*time.Millisecond))
	w.account()
	job := w.job("job")
	id := w.awaitRecord(job)
	w.stop()
	<-w.stopped
	w.eventually("the transcript is stored", func() (bool, string) {
		w.get(job)
		return len(job.Status.Transcripts) == 1, ""
	})
	if !w.simulator.DeleteJob(id) {
		t.Fatal("there is nothing to delete")
	}
	w.startManager()
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
	if n := w.requests(operationGet); n != 0 {
		t.Errorf("the provider was asked %d times about a job that is stored", n)
	}
}

// TestBackOffAfter has the wait between two attempts double from the retry interval on, up to six minutes, and never become shorter.
func TestBackOffAfter(t *testing.T) {
	t.Parallel()
	const s, m = time.Second, time.Minute
	for interval, want := range map[time.Duration][12]time.Duration{
		10 * s:    {10 * s, 20 * s, 40 * s, 80 * s, 160 * s, 320 * s, 6 * m, 6 * m, 6 * m, 6 * m, 6 * m, 6 * m},
		s:         {s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 64 * s, 128 * s, 256 * s, 6 * m, 6 * m, 6 * m},
		6 * m:     {6 * m, 6 * m, 6 * m, 6 * m, 6 * m, 6 * m, 6 * m, 6 * m, 6 * m, 6 * m, 6 * m, 6 * m},
		time.Hour: {time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour},
	} {
		scope := &scope{options: Options{RetryInterval: interval}}
		for i, want := range want {
			if got := scope.backOffAfter(int32(i + 1)); got != want {
				t.Errorf("after %d attempts, with a retry interval of %s, the wait is %s, want %s", i+1, interval, got, want)
			}
		}
	}
}
