// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	applyv1alpha1 "github.com/transcription-operator/transcription-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// errClaimExpired is what the fence says of a submission that took too long.
var errClaimExpired = errors.New("the time that the claim allows for the submission is over")

// recordTimeout bounds the record of an accepted submission when the manager is shutting down.
const recordTimeout = 30 * time.Second

// submit takes the job up: it gathers everything that can go wrong for free, claims the attempt, and submits it. Nothing is
// paid for before the claim is written.
func (r *JobReconciler) submit(ctx context.Context, s *scope) (verdict, error) {
	p, m, err := r.prepare(ctx, s)
	if err != nil {
		// A job that cannot go on now does not keep the place that it may have been given.
		r.providers.release(s.job.UID)
		return verdict{}, err
	}
	if !p.limits.admit(s.job) {
		return verdict{reason: v1alpha1.ReasonWaiting, message: "waiting for its turn within the limits of " + accountName(&p.account), after: time.Minute}, nil
	}
	if err := r.takeUp(ctx, s, p); err != nil {
		return verdict{}, err
	}
	if err := r.claimAttempt(ctx, s, p); err != nil {
		return verdict{}, err
	}
	return r.send(ctx, s, p, m)
}

// prepare gathers what a submission needs, and finds what stands in its way.
func (r *JobReconciler) prepare(ctx context.Context, s *scope) (*provider, *media, error) {
	if s.suspended() {
		return nil, nil, pausef(v1alpha1.ReasonSuspended, 0, "spec.suspend keeps the job from being submitted")
	}
	s.resume()
	if err := r.backOff(s); err != nil {
		return nil, nil, err
	}
	p, err := r.providerForSubmission(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	m, err := r.loadMedia(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	if err := r.receiver.CanStore(ctx, s.target()); err != nil {
		return nil, nil, r.storePause(err)
	}
	return p, m, nil
}

// resume restarts the clock of a job that was suspended.
func (s *scope) resume() {
	if s.status.StartTime != nil && meta.IsStatusConditionTrue(s.job.Status.Conditions, v1alpha1.ConditionSuspended) {
		s.status.StartTime = ptr.To(metav1.NewTime(s.now()))
	}
}

// takeUp writes the account and the start time before the first claim. By the start time, a job whose claim got lost is told
// from one that was never claimed.
func (r *JobReconciler) takeUp(ctx context.Context, s *scope, p *provider) error {
	if s.job.Status.StartTime != nil && s.job.Status.AccountRef != nil {
		return nil
	}
	s.status.AccountRef = p.account.DeepCopy()
	if s.status.StartTime == nil {
		s.status.StartTime = ptr.To(metav1.NewTime(s.now()))
	}
	return r.applyStatus(ctx, s, verdict{reason: v1alpha1.ReasonSubmitting, message: "submitting the job to " + accountName(&p.account)})
}

// send submits a claimed attempt and settles the answer.
func (r *JobReconciler) send(ctx context.Context, s *scope, p *provider, m *media) (verdict, error) {
	config, err := r.jobConfig(s, p, m)
	if err != nil {
		return verdict{}, errors.Join(err, r.settleClaim(ctx, s))
	}
	notAfter := s.claim.NotAfter
	sendCtx, cancel := context.WithTimeout(ctx, notAfter.Sub(s.now()))
	defer cancel()
	created, err := p.client.CreateJob(sendCtx, speechmatics.CreateJobRequest{
		Config: config,
		Media:  m.upload(),
		BeforeLastBytes: func() error {
			if !r.options.Clock.Now().Before(notAfter) {
				return errClaimExpired
			}
			return nil
		},
	})
	r.metrics.observeRequest(operationSubmit, err)
	if err != nil {
		return r.notSubmitted(ctx, s, p, err)
	}
	r.log(ctx).Info("Submitted", "attempt", s.attempt(), "remoteJob", created.ID, "requestID", created.RequestID, "account", p.account.Name)
	r.event(s.job, eventNormal, "Submitted", "Submit", fmt.Sprintf("Speechmatics accepted attempt %d as job %s", s.attempt(), created.ID))
	if err := r.record(ctx, s, created.ID, p.baseURL); err != nil {
		return verdict{}, err
	}
	return s.running(r.firstPoll(s, p)), nil
}

// notSubmitted settles a submission that did not return an ID: either nothing was created, or that is not known.
func (r *JobReconciler) notSubmitted(ctx context.Context, s *scope, p *provider, err error) (verdict, error) {
	log := r.log(ctx).WithValues("attempt", s.attempt(), "account", p.account.Name)
	if !speechmatics.NotCreated(err) {
		log.Info("The outcome of the submission is not known; looking for the job before anything else", "cause", err.Error())
		return s.unknownSubmission(), nil
	}
	log.Info("Not submitted", "cause", err.Error())
	if settleErr := r.settleClaim(ctx, s); settleErr != nil {
		// The claim stays, so that the job will be looked for: slower, but as safe.
		return verdict{}, settleErr
	}
	r.providers.release(s.job.UID)
	return verdict{}, r.refusal(p, err)
}

// refusal says what becomes of a submission that is known to have created nothing.
func (r *JobReconciler) refusal(p *provider, err error) error {
	var answer *speechmatics.Error
	switch {
	case errors.Is(err, errClaimExpired) || !errors.As(err, &answer):
		return pausef(v1alpha1.ReasonProviderUnavailable, r.options.RetryInterval, "the job could not be submitted: %v", rootCause(err))
	case speechmatics.IsRateLimited(err):
		p.limits.slowDown(answer.RetryAfter)
		return pausef(v1alpha1.ReasonWaiting, max(answer.RetryAfter, minPause), "Speechmatics asks to slow down: %v", answer)
	case speechmatics.IsUnauthorized(err):
		r.refused(p)
		return pausef(v1alpha1.ReasonAccountNotReady, r.options.SecretInterval, "Speechmatics refused the key of %s: %v", accountName(&p.account), answer)
	case speechmatics.IsForbidden(err):
		// An option that the contract does not cover, or credit that is used up: which one it is, nobody documents.
		return pausef(v1alpha1.ReasonSubmissionForbidden, r.options.SecretInterval,
			"Speechmatics refuses the job: %v; the contract of %s may not cover what the job asks for, or its credit is used up", answer, accountName(&p.account))
	case answer.Temporary():
		return pausef(v1alpha1.ReasonProviderUnavailable, r.options.RetryInterval, "the job could not be submitted: %v", answer)
	default:
		return &failure{reason: v1alpha1.ReasonSubmissionRefused, message: fmt.Sprintf("Speechmatics refused the job: %v", answer)}
	}
}

// rootCause is an error without the advice that the client adds to it for programs.
func rootCause(err error) error {
	var submission *speechmatics.SubmissionError
	if errors.As(err, &submission) {
		return submission.Err
	}
	return err
}

// unknownSubmission is the verdict of a claim whose submission may have arrived.
func (s *scope) unknownSubmission() verdict {
	from := s.claim.NotAfter
	return verdict{
		reason: v1alpha1.ReasonSubmissionUnknown,
		message: fmt.Sprintf("it is not known whether attempt %d reached Speechmatics; it is looked for there from %s on, and not submitted again before",
			s.attempt(), from.UTC().Format(time.RFC3339)),
		after: max(from.Sub(s.now()), time.Second),
	}
}

// record writes the ID of an accepted submission into the status. It is the one write that is retried in place until it holds,
// also while the manager is shutting down: losing it is the dangerous moment. It carries the resourceVersion that the
// claim's write returned, and is computed anew from a live read after a conflict, so that it can never reach a namesake.
func (r *JobReconciler) record(ctx context.Context, s *scope, id, baseURL string) error {
	attempt := s.attempt()
	deadline := r.options.Clock.Now().Add(recordTimeout)
	recordCtx := context.WithoutCancel(ctx)
	backoff := wait.Backoff{Duration: 50 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 100, Cap: 5 * time.Second}
	for {
		err := r.applyRecord(recordCtx, s, attempt, id, baseURL)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errJobGone):
			return r.orphaned(recordCtx, s, id, err)
		case ctx.Err() != nil && r.options.Clock.Now().After(deadline):
			return fmt.Errorf("cannot record job %s before shutting down; the claim will have it found again: %w", id, err)
		}
		if !apierrors.IsConflict(err) {
			r.log(ctx).Error(err, "Cannot record the submission; trying again", "attempt", attempt, "remoteJob", id)
		}
		timer := r.options.Clock.NewTimer(backoff.Step())
		<-timer.C()
		if err := r.reload(recordCtx, s); err != nil {
			if errors.Is(err, errJobGone) {
				return r.orphaned(recordCtx, s, id, err)
			}
			r.log(ctx).Error(err, "Cannot read the job to record its submission; trying again", "attempt", attempt, "remoteJob", id)
		}
	}
}

// applyRecord is one try of record.
func (r *JobReconciler) applyRecord(ctx context.Context, s *scope, attempt int32, id, baseURL string) error {
	apply := applyv1alpha1.TranscriptionJob(s.job.Name, s.job.Namespace).
		WithResourceVersion(s.job.ResourceVersion).
		WithStatus(applyv1alpha1.TranscriptionJobStatus().
			WithAttempt(attempt).
			WithRemoteJob(applyv1alpha1.RemoteJob().WithID(id).WithBaseURL(baseURL)))
	if err := r.client.Status().Apply(ctx, apply, client.FieldOwner(v1alpha1.FieldManagerSubmission), client.ForceOwnership); err != nil {
		if apierrors.IsNotFound(err) {
			return errJobGone
		}
		return err
	}
	s.applied(apply, func(status *v1alpha1.TranscriptionJobStatus) {
		status.Attempt = &attempt
		if status.RemoteJob == nil {
			status.RemoteJob = &v1alpha1.RemoteJob{}
		}
		status.RemoteJob.ID, status.RemoteJob.BaseURL = &id, &baseURL
	})
	r.written.note(s.job)
	return nil
}

// errJobGone means that the object does not exist any more, or that a namesake is in its place.
var errJobGone = errors.New("the TranscriptionJob is gone")

// reload reads the object anew from the API server.
func (r *JobReconciler) reload(ctx context.Context, s *scope) error {
	job := &v1alpha1.TranscriptionJob{}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(s.job), job); err != nil {
		if apierrors.IsNotFound(err) {
			return errJobGone
		}
		return err
	}
	if job.UID != s.job.UID {
		return errJobGone
	}
	s.refresh(job)
	return nil
}

// orphaned deals with a remote job whose object vanished while it was being submitted, which takes somebody who removes
// finalizers by hand: nobody will ever ask for the transcript.
func (r *JobReconciler) orphaned(ctx context.Context, s *scope, id string, cause error) error {
	r.log(ctx).Info("The object vanished while its job was being submitted; deleting the remote job", "remoteJob", id, "cause", cause.Error())
	if s.job.Spec.RemoteDeletionPolicy == v1alpha1.RemoteDeletionNever {
		return nil
	}
	p, err := r.providerOf(ctx, s)
	if err != nil {
		return fmt.Errorf("cannot delete the orphaned remote job %s: %w", id, err)
	}
	return r.deleteRemote(ctx, p, id, true)
}
