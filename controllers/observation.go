// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const (
	// notifiedPollFactor is how much less often a job is looked at when a notification is expected of it: polling is then
	// only there for the notifications that get lost.
	notifiedPollFactor = 10
	// maxRemoteErrors and maxErrorLength keep the status small.
	maxRemoteErrors = 5
	maxErrorLength  = 512
)

// follow takes a recorded job from what is known about it to the next step. What the API server already tells is decided
// without asking the provider.
func (r *JobReconciler) follow(ctx context.Context, s *scope) (verdict, error) {
	if err := r.protect(ctx, s); err != nil {
		return verdict{}, err
	}
	if len(s.missingFormats()) == 0 {
		return r.complete(s), nil
	}
	if wait := r.polls.wait(s.job.UID, s.notification(), s.now()); wait > 0 && !s.deadlinePassed() {
		return s.running(s.beforeDeadline(wait)), nil
	}
	return r.observe(ctx, s)
}

// complete is the verdict of a job whose transcripts are all stored.
func (r *JobReconciler) complete(s *scope) verdict {
	remote := s.remote()
	if remote.State == nil || *remote.State == v1alpha1.RemoteRunning {
		remote.State = ptr.To(v1alpha1.RemoteDone)
	}
	if n := s.notification(); n != nil && n.AudioDuration != nil && remote.AudioDuration == nil {
		remote.AudioDuration = n.AudioDuration
	}
	return verdict{ending: completed, reason: v1alpha1.ReasonComplete, message: fmt.Sprintf("%s stored in %s", formatList(s.formats()), storeName(s.job))}
}

// observe asks the provider about a recorded job and acts on the answer.
func (r *JobReconciler) observe(ctx context.Context, s *scope) (verdict, error) {
	p, err := r.providerOf(ctx, s)
	if err != nil {
		return verdict{}, err
	}
	if recorded := valueOf(s.job.Status.RemoteJob.BaseURL); recorded != p.baseURL {
		return verdict{}, pausef(v1alpha1.ReasonAccountNotReady, r.options.SecretInterval,
			"the job lives at %s, but the address of %s was changed to %s; set it back until the job has finished", recorded, accountName(&p.account), p.baseURL)
	}
	p.limits.occupy(s.job.UID)
	if err := p.limits.request(ctx); err != nil {
		return verdict{}, err
	}
	job, err := p.client.GetJob(ctx, s.remoteID())
	r.metrics.observeRequest(operationGet, err)
	r.polls.polled(s.job.UID, s.notification(), s.now().Add(r.nextPoll(p)))
	switch {
	case speechmatics.IsNotFound(err) || speechmatics.IsGone(err):
		return r.vanished(ctx, s, p, err)
	case err != nil:
		return verdict{}, r.unavailable(p, err)
	case !s.owns(job):
		return verdict{}, pausef(v1alpha1.ReasonUnexpectedAnswer, r.nextPoll(p), "Speechmatics' answer about job %s does not carry this job's reference, so that it is not believed; ask their support", s.remoteID())
	}
	r.polls.seen(s.job.UID)
	s.noteRemote(job)
	return r.actOn(ctx, s, p, job)
}

// actOn decides by the remote job's state.
func (r *JobReconciler) actOn(ctx context.Context, s *scope, p *provider, job *speechmatics.Job) (verdict, error) {
	switch job.Status {
	case speechmatics.JobRunning:
		if s.deadlinePassed() {
			return r.cancel(ctx, s, p)
		}
		return s.running(s.beforeDeadline(r.nextPoll(p))), nil
	case speechmatics.JobDone:
		return r.collect(ctx, s, p, job)
	case speechmatics.JobRejected:
		return verdict{}, s.rejection(job)
	case speechmatics.JobDeleted, speechmatics.JobExpired:
		return verdict{}, &failure{reason: v1alpha1.ReasonRemoteJobLost, retryable: true, message: fmt.Sprintf(
			"job %s is %s at Speechmatics, and not all of its transcripts are stored", job.ID, job.Status)}
	default:
		return verdict{}, pausef(v1alpha1.ReasonUnexpectedAnswer, r.nextPoll(p), "Speechmatics says that job %s is %q, which this version does not know; waiting for a state that it knows", job.ID, clip(string(job.Status), 64))
	}
}

// noteRemote takes over what the provider tells about the job, as far as it is small and fit to be read by anybody.
func (s *scope) noteRemote(job *speechmatics.Job) {
	remote := s.remote()
	remote.State = ptr.To(v1alpha1.RemoteState(clip(string(job.Status), 64)))
	if !job.CreatedAt.IsZero() {
		remote.CreatedAt = ptr.To(metav1.NewTime(job.CreatedAt.Truncate(time.Second)))
	}
	if job.Duration > 0 {
		remote.AudioDuration = &metav1.Duration{Duration: job.Duration}
	}
	if job.Language != "" {
		remote.Language = ptr.To(clip(job.Language, 32))
	}
	remote.Errors = remoteErrors(job.Errors)
}

// remoteErrors keeps the latest of the provider's messages.
func remoteErrors(all []speechmatics.JobError) []v1alpha1.RemoteError {
	var kept []v1alpha1.RemoteError
	for _, e := range all[max(0, len(all)-maxRemoteErrors):] {
		message := clip(speechmatics.RedactURLs(e.Message), maxErrorLength)
		if message == "" {
			message = "(no message)"
		}
		remoteError := v1alpha1.RemoteError{Message: message}
		if !e.Timestamp.IsZero() {
			remoteError.Time = ptr.To(metav1.NewTime(e.Timestamp.Truncate(time.Second)))
		}
		kept = append(kept, remoteError)
	}
	return kept
}

// rejection says why the provider could not process a job, and whether another attempt may help.
func (s *scope) rejection(job *speechmatics.Job) *failure {
	cause := "it gives no reason"
	if n := len(job.Errors); n > 0 {
		cause = clip(speechmatics.RedactURLs(job.Errors[n-1].Message), maxErrorLength)
	}
	n := s.notification()
	if isFetchError(job.Errors) || (n != nil && n.Outcome == v1alpha1.OutcomeFetchError) {
		return &failure{reason: v1alpha1.ReasonMediaFetchFailed, retryable: true, message: fmt.Sprintf(
			"Speechmatics could not fetch the media: %s; check that the URL can be reached from the internet", cause)}
	}
	return &failure{reason: v1alpha1.ReasonRejected, message: fmt.Sprintf("Speechmatics rejected job %s: %s", job.ID, cause)}
}

// isFetchError reports whether the messages of a rejected job say that its media could not be fetched. The provider gives no
// code for it; these are the texts that it is known to use.
func isFetchError(all []speechmatics.JobError) bool {
	for _, e := range all {
		message := strings.ToLower(e.Message)
		if strings.Contains(message, "unable to fetch audio") || strings.Contains(message, "audio fetch error") {
			return true
		}
	}
	return false
}

// vanished deals with a recorded job that the provider does not know. One such answer proves nothing: it must come twice,
// spaced, and the key must be proven by another request.
func (r *JobReconciler) vanished(ctx context.Context, s *scope, p *provider, cause error) (verdict, error) {
	if !r.polls.missedTwice(s.job.UID, s.now(), r.options.RetryInterval) {
		return verdict{}, pausef(v1alpha1.ReasonProviderUnavailable, r.options.RetryInterval, "Speechmatics does not find job %s (%v); asking again", s.remoteID(), cause)
	}
	if err := r.proveKey(ctx, p); err != nil {
		return verdict{}, r.unavailable(p, err)
	}
	return verdict{}, &failure{reason: v1alpha1.ReasonRemoteJobLost, retryable: true, message: fmt.Sprintf(
		"Speechmatics does not know job %s any more: %v", s.remoteID(), cause)}
}

// proveKey makes the cheapest request that only an accepted key can make.
func (r *JobReconciler) proveKey(ctx context.Context, p *provider) error {
	if err := p.limits.request(ctx); err != nil {
		return err
	}
	err := probe(ctx, p)
	r.metrics.observeRequest(operationList, err)
	return err
}

// unavailable is the pause after a request that the provider did not answer as it should. It slows the whole account down, or
// has its key tried, where the answer says so.
func (r *JobReconciler) unavailable(p *provider, err error) error {
	var answer *speechmatics.Error
	switch {
	case errors.As(err, &answer) && speechmatics.IsRateLimited(err):
		p.limits.slowDown(answer.RetryAfter)
		return pausef(v1alpha1.ReasonProviderUnavailable, max(answer.RetryAfter, r.options.RetryInterval), "Speechmatics asks to slow down: %v", answer)
	case speechmatics.IsUnauthorized(err) || speechmatics.IsForbidden(err):
		r.refused(p)
		return pausef(v1alpha1.ReasonAccountNotReady, r.options.SecretInterval, "Speechmatics refused the key of %s: %v", accountName(&p.account), err)
	default:
		return pausef(v1alpha1.ReasonProviderUnavailable, r.options.RetryInterval, "Speechmatics cannot be asked about the job: %v", err)
	}
}

// nextPoll is how long to wait before looking at a running job again, with jitter, so that jobs that were created together do not
// stay together.
func (r *JobReconciler) nextPoll(p *provider) time.Duration {
	interval := p.pollInterval
	if p.callbackURL != "" {
		interval *= notifiedPollFactor
	}
	return jitter(interval)
}

// firstPoll plans the first look at a job that was just submitted.
func (r *JobReconciler) firstPoll(s *scope, p *provider) time.Duration {
	wait := r.nextPoll(p)
	r.polls.polled(s.job.UID, nil, s.now().Add(wait))
	return s.beforeDeadline(wait)
}

// jitter spreads a duration by a tenth either way.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1) //nolint:gosec // No secret depends on it.
}

// polls remembers when each job is to be looked at next. It is only a matter of politeness: after a restart every job is
// looked at once, within the account's limits.
type polls struct {
	mu   sync.Mutex
	jobs map[types.UID]*poll
}

type poll struct {
	next time.Time
	// notified is the time of the notification that was last acted on.
	notified metav1.Time
	// missed is when the provider first did not know the job.
	missed time.Time
}

func newPolls() *polls { return &polls{jobs: map[types.UID]*poll{}} }

func (ps *polls) of(uid types.UID) *poll {
	p, ok := ps.jobs[uid]
	if !ok {
		p = &poll{}
		ps.jobs[uid] = p
	}
	return p
}

// wait is how long a job need not be looked at. A notification that was not acted on yet makes it due.
func (ps *polls) wait(uid types.UID, n *v1alpha1.Notification, now time.Time) time.Duration {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.of(uid)
	if n != nil && !n.ReceivedAt.Equal(&p.notified) {
		return 0
	}
	return p.next.Sub(now)
}

// polled plans the next look, and notes which notification has been acted on.
func (ps *polls) polled(uid types.UID, n *v1alpha1.Notification, next time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.of(uid)
	p.next = next
	if n != nil {
		p.notified = n.ReceivedAt
	}
}

// again has a job looked at sooner than planned.
func (ps *polls) again(uid types.UID, at time.Time) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p := ps.of(uid); at.Before(p.next) {
		p.next = at
	}
}

// seen notes that the provider knows the job.
func (ps *polls) seen(uid types.UID) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.of(uid).missed = time.Time{}
}

// missedTwice notes that the provider does not know the job, and reports whether it already did not some time ago.
func (ps *polls) missedTwice(uid types.UID, now time.Time, spacing time.Duration) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.of(uid)
	if p.missed.IsZero() {
		p.missed = now
	}
	p.next = now.Add(spacing)
	return now.Sub(p.missed) >= spacing
}

func (ps *polls) forget(uid types.UID) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.jobs, uid)
}

// clip shortens a text to at most n bytes without cutting a character in two.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const ellipsis = "…"
	return strings.ToValidUTF8(text[:n-len(ellipsis)], "") + ellipsis
}

// formatList names formats for a person.
func formatList(formats []v1alpha1.TranscriptFormat) string {
	names := make([]string, 0, len(formats))
	for _, f := range formats {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// storeName names a job's store for a person.
func storeName(job *v1alpha1.TranscriptionJob) string {
	if pvc := job.Spec.Transcripts.PersistentVolumeClaim; pvc != nil {
		return "PersistentVolumeClaim " + pvc.ClaimName
	}
	for _, t := range job.Status.Transcripts {
		if t.ConfigMapRef != nil && len(job.Spec.Transcripts.Formats) <= 1 && t.Parts <= 1 {
			return "ConfigMap " + t.ConfigMapRef.Name
		}
	}
	return "ConfigMaps; see status.transcripts"
}
