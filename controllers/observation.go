// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/redaction"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const (
	// requestTimeout bounds one request to the provider that brings no transcript, its answer's body included.
	requestTimeout = 30 * time.Second
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
	r.noteArrival(s)
	if len(s.missingFormats()) == 0 {
		return s.conclude()
	}
	return r.observe(ctx, s)
}

// noteArrival notes that a notification has come of those that the account's jobs ask for.
func (r *JobReconciler) noteArrival(s *scope) {
	if n := s.notification(); n != nil && n.Source == v1alpha1.SourceCallback && s.status.AccountRef != nil {
		r.providers.observers.punctuality.arrived(s.status.AccountRef.UID)
	}
}

// observe asks how a recorded job is doing at the provider, and acts on the answer if there is one. If not the pass ends here, and the
// job is reconciled when there is.
func (r *JobReconciler) observe(ctx context.Context, s *scope) (verdict, error) {
	p, err := r.providerOf(ctx, s)
	var unreachable *pause
	if errors.As(err, &unreachable) {
		return verdict{}, s.outOfReach(unreachable)
	}
	if err != nil {
		return verdict{}, err
	}
	if err := s.sameAddress(p); err != nil {
		return verdict{}, pausef(v1alpha1.ReasonAccountNotReady, r.options.SecretInterval, "%v; set it back until the job has finished", err)
	}
	s.restoreFacts(p)
	p.occupy(s.job)
	seen := r.providers.observers.ask(s.question(p))
	if seen == nil {
		return s.asBefore(r.nextPoll(p)), nil
	}
	job, err := seen.job, seen.err
	switch {
	case speechmatics.IsNotFound(err) || speechmatics.IsGone(err):
		return r.vanished(ctx, s, p, err)
	case seen.hearsay:
		return verdict{}, r.notAsked(p, err)
	case err != nil:
		return verdict{}, r.unavailable(ctx, p, err)
	case !s.owns(job):
		return verdict{}, pausef(v1alpha1.ReasonUnexpectedAnswer, r.nextPoll(p), "Speechmatics' answer about job %s does not carry this job's reference, so that it is not believed; ask their support", s.remoteID())
	}
	r.rests.seen(s.job.UID)
	if err := r.deleteNoted(ctx, s, p); err != nil {
		r.log(ctx).Info("Cannot delete surplus jobs yet; trying again", "cause", err.Error())
	}
	if err := r.noteKey(ctx, s, p); err != nil {
		return verdict{}, err
	}
	s.status.AccountRef = p.reference() // with the key that is known to see the job
	if len(job.Errors) > 0 {
		r.recallSecrets(ctx, s, p)
	}
	s.noteRemote(job)
	return r.actOn(ctx, s, p, job)
}

// question is what the observers are asked about the recorded job.
func (s *scope) question(p *provider) question {
	remote := s.remote()
	created := time.Time{}
	if remote.CreatedAt != nil {
		created = remote.CreatedAt.Time
	}
	return question{
		uid: s.job.UID, name: client.ObjectKeyFromObject(s.job), attempt: s.attempt(), id: s.remoteID(),
		provider: p, created: created, urgent: s.needsAnswer(p),
		cause: cause{facts: factsOf(s.job), overdue: s.deadlinePassed()},
		known: knownFacts{duration: remote.AudioDuration != nil, errors: len(remote.Errors)},
	}
}

// needsAnswer reports whether there is something to do for the job even if it turns out that it still runs.
func (s *scope) needsAnswer(p *provider) bool {
	ready := readyCondition(s.job.Status.Conditions)
	runs := valueOf(s.remote().State) == v1alpha1.RemoteRunning && ready != nil && ready.Reason == v1alpha1.ReasonRunning
	return !runs || s.notification() != nil || s.deadlinePassed() || (s.claim != nil && !s.provenKey(p)) || len(s.surplus()) > 0
}

// asBefore is the verdict of a pass that has learned nothing new about a recorded job.
func (s *scope) asBefore(after time.Duration) verdict {
	ready := readyCondition(s.job.Status.Conditions)
	if ready == nil || slices.Contains(runsAfter, ready.Reason) {
		return s.running(after)
	}
	return verdict{reason: ready.Reason, message: withoutRemark(ready.Message), after: after}
}

// runsAfter are the reasons after which a job runs that is recorded and of which nothing else is known.
var runsAfter = []string{
	v1alpha1.ReasonRunning, v1alpha1.ReasonWaiting, v1alpha1.ReasonSubmitting, v1alpha1.ReasonSubmissionUnknown, v1alpha1.ReasonRetrying,
}

// sameAddress checks that the provider is where the recorded job lives: its ID means nothing elsewhere.
func (s *scope) sameAddress(p *provider) error {
	if recorded := valueOf(s.job.Status.RemoteJob.BaseURL); recorded != p.baseURL {
		return fmt.Errorf("job %s lives at %s, but the address of %s was changed to %s", s.remoteID(), recorded, accountName(&p.account), p.baseURL)
	}
	return nil
}

// restoreFacts puts back what a wiped status has lost, from the claim and the account.
func (s *scope) restoreFacts(p *provider) {
	if s.status.AccountRef == nil {
		s.status.AccountRef = p.reference()
	}
	if s.status.StartTime == nil && s.claim != nil {
		s.status.StartTime = ptr.To(metav1.NewTime(s.claim.ClaimedAt))
	}
}

// getRemote asks for one job.
func (r *JobReconciler) getRemote(ctx context.Context, p *provider, id string) (*speechmatics.Job, error) {
	if err := p.limits.request(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	job, err := p.client.GetJob(ctx, id)
	r.metrics.observeRequest(operationGet, err)
	return job, err
}

// actOn decides by the remote job's state.
func (r *JobReconciler) actOn(ctx context.Context, s *scope, p *provider, job *speechmatics.Job) (verdict, error) {
	switch job.Status {
	case speechmatics.JobRunning:
		if s.deadlinePassed() {
			return r.cancel(ctx, s, p)
		}
		return s.running(r.nextPoll(p)), nil
	case speechmatics.JobDone:
		if left := r.notificationDue(s, p); left > 0 {
			return s.running(left), nil
		}
		return r.collect(ctx, s, p, job)
	case speechmatics.JobRejected:
		rejected := s.rejection(job)
		if err := r.tidyUp(ctx, s, p, rejected); err != nil {
			return verdict{}, r.unavailable(ctx, p, err)
		}
		return verdict{}, rejected
	case speechmatics.JobDeleted, speechmatics.JobExpired:
		return verdict{}, &failure{reason: v1alpha1.ReasonRemoteJobLost, retryable: true, message: fmt.Sprintf(
			"job %s is %s at Speechmatics, and not all of its transcripts are stored", job.ID, job.Status)}
	default:
		return verdict{}, pausef(v1alpha1.ReasonUnexpectedAnswer, r.nextPoll(p), "Speechmatics says that job %s is %q, which this version does not know; waiting for a state that it knows", job.ID, clip(string(job.Status), 64))
	}
}

// notificationDue is how long the notification of a job that is done is still waited for. If it does not come, it counts as missed.
func (r *JobReconciler) notificationDue(s *scope, p *provider) time.Duration {
	if p.callbackURL == "" || s.notification() != nil {
		return 0
	}
	left := r.rests.doneSince(s.job.UID, s.remoteID(), s.now()).Add(p.pollInterval / notificationGrace).Sub(s.now())
	if left <= 0 {
		r.providers.observers.missed(p)
	}
	return left
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
	if job.Language != "" && job.Language != notification.LanguageAuto {
		remote.Language = ptr.To(clip(job.Language, 32))
	}
	s.noteLanguage()
	remote.Errors = s.remoteErrors(job.Errors)
}

// remoteErrors keeps the latest of the provider's messages.
func (s *scope) remoteErrors(all []speechmatics.JobError) []v1alpha1.RemoteError {
	var kept []v1alpha1.RemoteError
	for _, e := range all[max(0, len(all)-maxRemoteErrors):] {
		message := clip(s.redact(e.Message), maxErrorLength)
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

// redact removes from a message what is secret about the job: see package redaction.
func (s *scope) redact(message string) string {
	if s.untold {
		return untold
	}
	return redaction.Text(&s.job.Spec, message, s.secrets...)
}

// vanished deals with a recorded job that the provider does not know. One such answer proves nothing: it must come twice,
// spaced, and the key must be proven by another request.
func (r *JobReconciler) vanished(ctx context.Context, s *scope, p *provider, cause error) (verdict, error) {
	if !s.provenKey(p) && p.can().Remembers {
		return r.notVisible(s, p)
	}
	if !r.rests.missedTwice(s.job.UID, s.remoteID(), s.now(), r.options.RetryInterval) {
		return verdict{}, pausef(v1alpha1.ReasonProviderUnavailable, r.options.RetryInterval, "Speechmatics does not find job %s (%s); asking again", s.remoteID(), explain(cause))
	}
	if err := p.probe(ctx, r.metrics); err != nil {
		return verdict{}, r.unavailable(ctx, p, err)
	}
	message := fmt.Sprintf("Speechmatics does not know job %s any more: %s", s.remoteID(), explain(cause))
	if !p.can().Remembers {
		message += "; " + p.forgets()
	}
	lost := &failure{reason: v1alpha1.ReasonRemoteJobLost, retryable: true, message: message}
	return verdict{}, r.remember(ctx, s, p, lost)
}

// remember notes a job that the provider does not find as a surplus, before the next attempt's takes its place in the status: should it
// come back, nobody else would know that it is paid for. It returns the failure, unless it cannot.
func (r *JobReconciler) remember(ctx context.Context, s *scope, p *provider, lost *failure) error {
	if s.claim != nil && p.can().Remembers && s.anotherFollows(lost) {
		if err := r.noteSurplus(ctx, s, s.remoteID()); err != nil {
			return err
		}
	}
	return lost
}

// provenKey reports whether the job is known to be visible to the account's key: it was submitted with it, or has been seen with
// it since.
func (s *scope) provenKey(p *provider) bool {
	return s.claim != nil && s.claim.UID == s.job.UID && s.claim.KeyFingerprint == p.keyFingerprint
}

// notVisible deals with a recorded job that a key does not see which is not the one that it was submitted with. The key may
// belong to another project, where this answer says nothing; only time makes sure.
func (r *JobReconciler) notVisible(s *scope, p *provider) (verdict, error) {
	if start := s.status.StartTime; start != nil && s.now().Sub(start.Time) > p.can().Retention {
		return verdict{}, &failure{reason: v1alpha1.ReasonRemoteJobLost, message: fmt.Sprintf(
			"job %s is not visible to the key of %s, and older than what Speechmatics keeps", s.remoteID(), accountName(&p.account))}
	}
	return verdict{}, pausef(v1alpha1.ReasonAccountNotReady, r.options.SecretInterval,
		"job %s is not visible to the key of %s, which was replaced since the job was submitted; if the new key belongs to another project, put a key of the old one back until the job has finished",
		s.remoteID(), accountName(&p.account))
}

// noteKey notes in the claim that the job was seen with a key that replaced the one it was submitted with.
func (r *JobReconciler) noteKey(ctx context.Context, s *scope, p *provider) error {
	if s.claim == nil || s.provenKey(p) {
		return nil
	}
	claim := *s.claim
	claim.KeyFingerprint, claim.JobID = p.keyFingerprint, s.remoteID()
	return r.writeClaim(ctx, s, claim)
}

// unavailable is the pause after a request that the provider did not answer as it should. It slows the whole account down, or
// has its key tried, where the answer says so.
func (r *JobReconciler) unavailable(ctx context.Context, p *provider, err error) error {
	if isBusy(err) {
		return err
	}
	r.log(ctx).Info("Speechmatics did not answer as it should", "cause", err.Error())
	var answer *speechmatics.Error
	switch {
	case errors.As(err, &answer) && speechmatics.IsRateLimited(err):
		p.limits.slowDown(answer.RetryAfter)
		return pausef(v1alpha1.ReasonProviderUnavailable, max(min(answer.RetryAfter, maxPause), r.options.RetryInterval), "Speechmatics asks to slow down: %s", explain(err))
	case speechmatics.IsUnauthorized(err) || speechmatics.IsForbidden(err):
		r.refused(p)
		// Soon: if the Secret has a good key by now, the account's state does not change, and nothing else wakes the job.
		return pausef(v1alpha1.ReasonAccountNotReady, r.options.RetryInterval, "%s: %s", p.keyProblem(), explain(err))
	default:
		return pausef(v1alpha1.ReasonProviderUnavailable, r.options.RetryInterval, "Speechmatics cannot be asked about the job, and is asked again: %s", explain(err))
	}
}

// explain words an error of the provider's for a condition: without the request's ID and the ports of a connection, which differ
// each time and would make every repetition look like news. They are in the log.
func explain(err error) string {
	var (
		answer    *speechmatics.Error
		response  *speechmatics.ResponseError
		transport *speechmatics.TransportError
		network   *net.OpError
		untrusted *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &answer):
		parts := []string{fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode)), answer.Reason, answer.Detail}
		return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ": ")
	case errors.As(err, &response):
		return fmt.Sprintf("%d %s, but the answer cannot be understood", response.StatusCode, http.StatusText(response.StatusCode))
	case errors.As(err, &transport) && transport.Timeout():
		return "there was no answer in time"
	case errors.Is(err, errPrivateAddress):
		return errPrivateAddress.Error()
	case errors.As(err, &untrusted):
		return fmt.Sprintf("the server's certificate cannot be verified (%v); spec.caBundle of the account may hold the certificates to check it with", untrusted.Err)
	case errors.As(err, &network) && network.Err != nil:
		return fmt.Sprintf("the connection failed (%s): %v", network.Op, network.Err)
	case errors.As(err, &transport):
		return "the connection broke before there was a whole answer"
	default:
		return err.Error()
	}
}

// notAsked is the pause of a job that could not be asked about because the account is in trouble. Many jobs say so at the same
// time, none of which can do anything about it: they are woken when they were looked at.
func (r *JobReconciler) notAsked(p *provider, err error) error {
	return pausef(v1alpha1.ReasonProviderUnavailable, r.nextPoll(p), "Speechmatics cannot be asked about the job, and is asked again: %s", explain(err))
}

// nextPoll is how long a pass rests that waits for news of a running job.
func (r *JobReconciler) nextPoll(p *provider) time.Duration { return r.providers.observers.nextPoll(p) }

// clip shortens a text to at most n bytes without cutting a character in two.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const ellipsis = "…"
	return strings.ToValidUTF8(text[:n-len(ellipsis)], "") + ellipsis
}
