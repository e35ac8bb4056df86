// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	applyv1alpha1 "github.com/transcription-operator/transcription-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// errClaimExpired is what the fence says of a submission that took too long.
var errClaimExpired = errors.New("the time that the claim allows for the submission is over")

// errStoodBack ends the first pass over a job whose namespace has many waiting: it is made when there is nothing else to do. The jobs of other
// namespaces and accounts need not wait until each of a crowd was looked at, which could not be submitted now anyway.
var errStoodBack = errors.New("the jobs of others go first")

// recordTimeout bounds the record of an accepted submission when the manager is shutting down.
const recordTimeout = 30 * time.Second

// submit takes the job up: it gathers everything that can go wrong for free, claims the attempt, and submits it. Nothing is
// paid for before the claim is written.
func (r *JobReconciler) submit(ctx context.Context, s *scope) (verdict, error) {
	p, err := r.maySubmit(ctx, s)
	if err != nil {
		// A job that cannot go on now does not keep the place that it may have been given.
		r.providers.release(s.job.UID)
		return verdict{}, err
	}
	if p.limits.waits(s.job, p.account.UID) {
		return s.waiting(p), nil
	}
	if p.limits.isCrowded(s.job.Namespace) && r.rests.standBack(s.job.UID) {
		return verdict{}, errStoodBack
	}
	if p.limits.isLetIn(s.job.UID) {
		if err := s.takeHand(p); err != nil {
			return verdict{}, err // what is prepared now would have to be prepared again
		}
	}
	in, err := r.prepare(ctx, s, p)
	if err != nil {
		r.providers.release(s.job.UID)
		return verdict{}, err
	}
	if !p.limits.admit(s.job, p.account.UID) {
		return s.waiting(p), nil
	}
	if err := s.takeHand(p); err != nil {
		return verdict{}, err // it keeps its place
	}
	crashpoint.At(crashpoint.Admitted)
	if err := r.claimAndTakeUp(ctx, s, p); err != nil {
		return verdict{}, err
	}
	return r.send(ctx, s, p, in)
}

// claimAndTakeUp writes what has to be known to everybody before the submission.
func (r *JobReconciler) claimAndTakeUp(ctx context.Context, s *scope, p *provider) (err error) {
	ctx, span := r.startSpan(ctx, s, spanClaim)
	defer func() { endSpan(span, err) }()
	since := s.waitsSince()
	if err := r.claimAttempt(ctx, s, p); err != nil {
		return err
	}
	crashpoint.At(crashpoint.Claimed)
	r.tracer.Period(s.target(), spanAdmission, since, s.claim.ClaimedAt)
	if err := r.takeUp(ctx, s, p); err != nil {
		return err
	}
	crashpoint.At(crashpoint.TakenUp)
	return nil
}

// maySubmit finds what stands in the way of a submission and can be told at once.
func (r *JobReconciler) maySubmit(ctx context.Context, s *scope) (*provider, error) {
	if s.suspended() {
		return nil, pausef(v1alpha1.ReasonSuspended, 0, "spec.suspend keeps the job from being submitted; unset it to go on")
	}
	if err := checkConfiguration(&s.job.Spec); err != nil {
		return nil, err
	}
	if err := r.backOff(s); err != nil {
		return nil, err
	}
	return r.providerForSubmission(ctx, s)
}

// input is what a submission takes from elsewhere than the spec.
type input struct {
	media         *media
	notifications []speechmatics.NotificationConfig
}

// prepare checks what the account's backend takes, reads the media and the other things that the spec names, and makes sure that
// the transcripts will have a place.
func (r *JobReconciler) prepare(ctx context.Context, s *scope, p *provider) (*input, error) {
	if err := p.takes(s); err != nil {
		return nil, err
	}
	m, err := r.loadMedia(ctx, s)
	if err != nil {
		return nil, err
	}
	notifications, err := r.loadNotifications(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := r.receiver.CanStore(ctx, s.target()); err != nil {
		return nil, r.storePause(err)
	}
	return &input{media: m, notifications: notifications}, nil
}

// waiting is the verdict of a job whose turn has not come. It is woken when it has.
func (s *scope) waiting(p *provider) verdict {
	return verdict{reason: v1alpha1.ReasonWaiting, message: p.queue(), after: jitter(time.Minute)}
}

// queue says what a job waits for that waits for its turn.
func (p *provider) queue() string {
	if because := p.limits.holding(); because != "" {
		return fmt.Sprintf("%s has no room for another job now, and the job is submitted when it has: %s", accountName(&p.account), because)
	}
	if _, because := p.limits.refusing(); because != "" {
		return fmt.Sprintf("the provider refuses one job of %s after the other (%s); one is tried now and then, and the others are submitted when one is accepted", accountName(&p.account), because)
	}
	return "waiting for its turn within the limits of " + accountName(&p.account)
}

// resume restarts the clock of a job that was suspended.
func (s *scope) resume() {
	if s.status.StartTime != nil && meta.IsStatusConditionTrue(s.job.Status.Conditions, v1alpha1.ConditionSuspended) {
		s.status.StartTime = ptr.To(metav1.NewTime(s.now()))
	}
}

// takeUp writes the account and the start time before the first submission. By the start time, a job whose claim got lost is told
// from one that was never submitted.
//
// Whoever writes the object between the claim and this makes it fail. As long as the claim is still the one that was just
// written, and under which nothing was sent, it is tried again.
func (r *JobReconciler) takeUp(ctx context.Context, s *scope, p *provider) error {
	nonce := s.claim.Nonce
	for {
		s.status.AccountRef = p.reference()
		if s.status.StartTime == nil {
			s.status.StartTime = ptr.To(metav1.NewTime(s.now()))
		}
		if equality.Semantic.DeepEqual(s.status.StartTime, s.job.Status.StartTime) && equality.Semantic.DeepEqual(s.status.AccountRef, s.job.Status.AccountRef) {
			return nil
		}
		err := r.applyStatus(ctx, s, verdict{reason: v1alpha1.ReasonSubmitting, message: "submitting the job to " + accountName(&p.account)})
		if !apierrors.IsConflict(err) {
			return err
		}
		if err := r.reload(ctx, s); err != nil {
			return err
		}
		if s.claim == nil || s.claim.Nonce != nonce || s.job.DeletionTimestamp != nil {
			return errReloaded
		}
		s.status = *s.job.Status.DeepCopy()
		s.resume()
	}
}

// send submits a claimed attempt and settles the answer.
func (r *JobReconciler) send(ctx context.Context, s *scope, p *provider, in *input) (verdict, error) {
	config, err := r.jobConfig(s, p, in)
	if err != nil {
		return verdict{}, errors.Join(err, r.settleClaim(ctx, s))
	}
	notAfter := s.claim.NotAfter
	sendCtx, cancel := context.WithTimeout(ctx, notAfter.Sub(s.now()))
	defer cancel()
	if err := p.limits.submission(sendCtx); err != nil {
		// Nothing was sent. The job keeps its place.
		if settleErr := r.settleClaim(ctx, s); settleErr != nil {
			return verdict{}, settleErr
		}
		return verdict{}, err
	}
	sendCtx, span := r.startClientSpan(sendCtx, s, spanSubmit)
	created, err := p.client.CreateJob(sendCtx, speechmatics.CreateJobRequest{
		ConfigJSON:     config,
		Media:          in.media.upload(),
		ProcessingData: processingData(s.job.Spec.Processing),
		BeforeLastBytes: func() error {
			crashpoint.At(crashpoint.BeforeFence)
			if !r.options.Clock.Now().Before(notAfter) {
				return errClaimExpired
			}
			crashpoint.At(crashpoint.LastBytes)
			return nil
		},
	})
	r.metrics.observeRequest(operationSubmit, err)
	endSubmission(span, p, created, err)
	if err != nil {
		return r.notSubmitted(ctx, s, p, err)
	}
	crashpoint.At(crashpoint.Accepted)
	r.logOf(ctx, s).Info("Submitted", "attempt", s.attempt(), "remoteJob", created.ID, "requestID", created.RequestID)
	p.limits.accepted()
	r.event(s.job, eventNormal, "Submitted", "Submit", fmt.Sprintf("Speechmatics accepted attempt %d as job %s", s.attempt(), created.ID))
	if err := r.recordAs(ctx, s, p, created.ID, runningSince(created.Date)); err != nil {
		return verdict{}, err
	}
	crashpoint.At(crashpoint.Recorded)
	return r.accepted(s, p), nil
}

// runningSince is what is known of a remote job that was just created.
func runningSince(created time.Time) *v1alpha1.RemoteJob {
	remote := &v1alpha1.RemoteJob{State: ptr.To(v1alpha1.RemoteRunning)}
	if !created.IsZero() {
		remote.CreatedAt = ptr.To(metav1.NewTime(created))
	}
	return remote
}

// accepted is the verdict of a job that was just submitted and recorded. It is looked at from now on.
func (r *JobReconciler) accepted(s *scope, p *provider) verdict {
	r.providers.observers.expect(s.question(p))
	return s.running(r.providers.observers.nextPoll(p))
}

// notSubmitted settles a submission that did not return an ID: either nothing was created, or that is not known.
func (r *JobReconciler) notSubmitted(ctx context.Context, s *scope, p *provider, err error) (verdict, error) {
	log := r.logOf(ctx, s).WithValues("attempt", s.attempt())
	if !speechmatics.NotCreated(err) {
		log.Info("The outcome of the submission is not known; looking for the job before anything else", "cause", s.redact(err.Error()))
		p.countRefusal(s.job, err)
		return s.unknownSubmission(rootCause(err)), nil
	}
	log.Info("Not submitted", "cause", s.redact(err.Error()))
	crashpoint.At(crashpoint.NotCreated)
	if settleErr := r.settleClaim(ctx, s); settleErr != nil {
		// The claim stays, so that the job will be looked for: slower, but as safe.
		return verdict{}, settleErr
	}
	p.countRefusal(s.job, err)
	r.providers.release(s.job.UID)
	if busy := p.busyAnswer(err); busy != nil {
		return verdict{}, r.noRoom(ctx, s, p, busy)
	}
	return verdict{}, r.refusal(s, p, err)
}

// refusal says what becomes of a submission that is known to have created nothing. The provider repeats what it does not like, so
// that all that is said goes through redact.
func (r *JobReconciler) refusal(s *scope, p *provider, err error) error {
	var (
		answer  *speechmatics.Error
		invalid *speechmatics.InvalidError
	)
	switch {
	case errors.As(err, &invalid):
		return &failure{reason: v1alpha1.ReasonInvalidConfiguration, message: fmt.Sprintf("the job cannot be submitted: %s; correct it in a new TranscriptionJob", s.explain(invalid))}
	case errors.Is(err, errClaimExpired) || !errors.As(err, &answer):
		return pausef(v1alpha1.ReasonProviderUnavailable, r.options.RetryInterval, "the job could not be submitted and is tried again: %s", s.explain(rootCause(err)))
	case speechmatics.IsRateLimited(err):
		p.limits.slowDown(answer.RetryAfter)
		return pausef(v1alpha1.ReasonWaiting, min(max(answer.RetryAfter, minPause), maxPause), "Speechmatics asks to slow down: %s", s.explain(answer))
	case speechmatics.IsUnauthorized(err):
		r.refused(p)
		// Soon: if the Secret has a good key by now, the account's state does not change, and nothing else wakes the job.
		return pausef(v1alpha1.ReasonAccountNotReady, r.options.RetryInterval, "%s: %s", p.keyProblem(), s.explain(answer))
	case speechmatics.IsForbidden(err):
		// An option that the contract does not cover, credit that is used up, or a key that has expired: which one it is, nobody
		// documents. Trying the key tells the last one.
		r.refused(p)
		return pausef(v1alpha1.ReasonSubmissionForbidden, r.options.SecretInterval,
			"Speechmatics refuses the job: %s; the contract of %s may not cover what the job asks for, or its credit is used up; see to that, and the job is submitted, or delete it", s.explain(answer), accountName(&p.account))
	case answer.Temporary() || isAddressProblem(answer):
		return pausef(v1alpha1.ReasonProviderUnavailable, r.options.RetryInterval, "the job could not be submitted and is tried again: %s", s.explain(answer))
	default:
		return &failure{reason: v1alpha1.ReasonSubmissionRefused, message: fmt.Sprintf("Speechmatics refused the job: %s; correct it in a new TranscriptionJob", s.explain(answer))}
	}
}

// isAddressProblem reports whether an answer is about the address and not about the job: there is no place for submissions, as at a wrong
// base URL, or behind an ingress that has lost its way for a moment.
func isAddressProblem(answer *speechmatics.Error) bool {
	return answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusMethodNotAllowed
}

// explain is explain for an error of a request that carried the job's secrets.
func (s *scope) explain(err error) string { return s.redact(explain(err)) }

// rootCause is an error without the advice that the client adds to it for programs.
func rootCause(err error) error {
	var submission *speechmatics.SubmissionError
	if errors.As(err, &submission) {
		return submission.Err
	}
	return err
}

// unknownSubmission is the verdict of a claim whose submission may have arrived. The cause, what came instead of an answer, may be nil:
// only the pass that submitted knows it.
func (s *scope) unknownSubmission(cause error) verdict {
	left := s.claim.NotAfter.Sub(s.now())
	because := ""
	if cause != nil {
		because = " (" + s.explain(cause) + ")"
	}
	next := "it is being looked for there, and not submitted again before that has come to an end"
	if left > 0 {
		next = fmt.Sprintf("it is looked for there from %s on, and not submitted again before", s.claim.NotAfter.UTC().Format(time.RFC3339))
	}
	return verdict{
		reason:  v1alpha1.ReasonSubmissionUnknown,
		message: fmt.Sprintf("it is not known whether attempt %d reached Speechmatics%s; %s", s.attempt(), because, next),
		after:   max(left, time.Second),
	}
}

// record writes the ID of an accepted submission into the status. It is the one write that is retried in place until it holds,
// also while the manager is shutting down: losing it is the dangerous moment. Only what the API server calls invalid does not keep the
// worker for longer than recordTimeout. It carries the resourceVersion that the
// claim's write returned. After a conflict, the object is read again and judged anew: the record must neither reach a
// namesake nor take the place of another one. The pass ends with errReloaded then, since what else it has found out was
// computed from the older object.
func (r *JobReconciler) record(ctx context.Context, s *scope, p *provider, id string) error {
	return r.recordAs(ctx, s, p, id, nil)
}

// recordAs is record of a job of which something is known besides its ID: that it runs. The record says that too, in the same write, unless the
// object has changed meanwhile; then the next pass says it.
func (r *JobReconciler) recordAs(ctx context.Context, s *scope, p *provider, id string, known *v1alpha1.RemoteJob) (err error) {
	ctx, span := r.startSpan(ctx, s, spanRecord)
	defer func() { endSpan(span, err) }()
	attempt := s.attempt()
	deadline := r.options.Clock.Now().Add(recordTimeout)
	recordCtx := context.WithoutCancel(ctx)
	backoff := wait.Backoff{Duration: 50 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 100, Cap: 5 * time.Second}
	var settled error   // what a pass that has to begin anew ends with
	unanswered := false // a try may have been written without anybody saying so
	for {
		err := r.tryRecord(recordCtx, s, p, attempt, id, known)
		switch {
		case err == nil:
			return settled
		case errors.Is(err, errReloaded):
			if unanswered && s.relationTo(attempt, id) == recordThere {
				r.metrics.observeRecord(s, attempt)
			}
			return err
		case s.relationTo(attempt, id) != recordMissing && r.options.Clock.Now().After(deadline):
			return r.leftOver(recordCtx, s, id, err)
		case (ctx.Err() != nil || apierrors.IsInvalid(err)) && r.options.Clock.Now().After(deadline):
			return fmt.Errorf("cannot record job %s; the claim will have it found again: %w", id, err)
		case !apierrors.IsConflict(err):
			r.log(ctx).Error(err, "Cannot record the submission; trying again", "attempt", attempt, "remoteJob", id)
		}
		unanswered = unanswered || mayHaveArrived(err)
		timer := r.options.Clock.NewTimer(backoff.Step())
		<-timer.C()
		settled, known = errReloaded, nil
		if err := r.reload(recordCtx, s); err != nil && !s.gone {
			r.log(ctx).Error(err, "Cannot read the job to record its submission; trying again", "attempt", attempt, "remoteJob", id)
		}
	}
}

// tryRecord is one try of record: it writes the record, unless the object as it was last read says that there is no place for it.
func (r *JobReconciler) tryRecord(ctx context.Context, s *scope, p *provider, attempt int32, id string, known *v1alpha1.RemoteJob) error {
	relation := s.relationTo(attempt, id)
	var err error
	switch {
	case s.gone:
		err = r.orphaned(ctx, s, p, id)
	case relation == recordSuperseded:
		err = r.dismiss(ctx, s, p, id)
	case relation == recordMissing:
		if err := r.applyRecord(ctx, s, attempt, id, p.baseURL, known); err != nil {
			return err
		}
		r.metrics.observeRecord(s, attempt)
		return nil
	}
	if err != nil {
		return err
	}
	return errReloaded
}

// dismiss deletes a job for whose record there is no place, or notes that it is to be looked at again when the object's job has finished.
func (r *JobReconciler) dismiss(ctx context.Context, s *scope, p *provider, id string) error {
	settled, err := r.deleteSurplus(ctx, s, p, id)
	if err != nil || settled {
		return err
	}
	return r.noteForLater(ctx, s, id)
}

// noteForLater is noteSurplus for a job that is one already.
func (r *JobReconciler) noteForLater(ctx context.Context, s *scope, id string) error {
	if s.claim == nil || s.held() {
		return fmt.Errorf("job %s cannot be noted as a surplus: the object has no claim of its own", id)
	}
	return r.noteSurplus(ctx, s, id)
}

// leftOver gives up deleting a job for whose record there is no place: that is tried again when the object's job has finished. Where that
// cannot be noted, it says that the job is left.
func (r *JobReconciler) leftOver(ctx context.Context, s *scope, id string, cause error) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := r.reload(ctx, s); err != nil {
			return err
		}
		return r.noteForLater(ctx, s, id)
	})
	if err != nil {
		r.surplusLeft(ctx, s, id, cause)
		return errReloaded
	}
	r.log(ctx).Info("A surplus job cannot be deleted yet; trying again later", "remoteJob", id, "cause", cause.Error())
	return errReloaded
}

// recordRelation is how an object stands to a record that is to be written.
type recordRelation int

const (
	// recordMissing means that the record is to be written.
	recordMissing recordRelation = iota
	// recordThere means that it is there already.
	recordThere
	// recordSuperseded means that another remote job has taken its place: the attempt has another one, or is over.
	recordSuperseded
)

// relationTo compares the object with a record that is to be written.
func (s *scope) relationTo(attempt int32, id string) recordRelation {
	recorded := valueOf(s.job.Status.Attempt)
	switch {
	case s.gone:
		return recordSuperseded
	case recorded == attempt && s.remoteID() == id:
		return recordThere
	case recorded == attempt && s.remoteID() != "", recorded > attempt,
		valueOf(s.job.Status.FailedAttempts) >= attempt, isFinished(s.job):
		return recordSuperseded
	default:
		return recordMissing
	}
}

// applyRecord is one try of record. What is known of the job besides may be nil; then the conditions stay as they are.
func (r *JobReconciler) applyRecord(ctx context.Context, s *scope, attempt int32, id, baseURL string, known *v1alpha1.RemoteJob) error {
	remote, status := applyv1alpha1.RemoteJob(), applyv1alpha1.TranscriptionJobStatus()
	before, runs := s.job.Status.Conditions, s.runningAs(id)
	conditions := before
	if known != nil {
		remote = remoteApply(known.DeepCopy()) // the server's answer is decoded into what it points to
		conditions = deriveConditions(s.job, runs, s.now())
	}
	// Conditions that it has named before and leaves out now would lose what nobody else names, and be invalid.
	status.WithConditions(conditionApplies(conditions)...)
	apply := applyv1alpha1.TranscriptionJob(s.job.Name, s.job.Namespace).
		WithResourceVersion(s.job.ResourceVersion).
		WithStatus(status.WithAttempt(attempt).WithRemoteJob(remote.WithID(id).WithBaseURL(baseURL)))
	if err := r.client.Status().Apply(ctx, apply, client.FieldOwner(v1alpha1.FieldManagerSubmission), client.ForceOwnership); err != nil {
		s.gone = apierrors.IsNotFound(err)
		return err
	}
	s.applied(apply, func(status *v1alpha1.TranscriptionJobStatus) {
		status.Attempt, status.Conditions = &attempt, conditions
		if status.RemoteJob == nil {
			status.RemoteJob = &v1alpha1.RemoteJob{}
		}
		status.RemoteJob.ID, status.RemoteJob.BaseURL = &id, &baseURL
		if known != nil {
			status.RemoteJob.State, status.RemoteJob.CreatedAt = known.State, known.CreatedAt
		}
	})
	r.tracker.wrote(s.job)
	if known != nil {
		r.announce(ctx, s, runs, readyCondition(before))
	}
	return nil
}

var (
	// errJobGone means that the object does not exist any more, or that a namesake is in its place.
	errJobGone = errors.New("the TranscriptionJob is gone")
	// errReloaded ends a pass whose object was read again in its course: what the pass has found out before is of an older one.
	errReloaded = errors.New("the TranscriptionJob has changed meanwhile")
)

// reload reads the object anew from the API server.
func (r *JobReconciler) reload(ctx context.Context, s *scope) error {
	job := &v1alpha1.TranscriptionJob{}
	err := r.live.Get(ctx, client.ObjectKeyFromObject(s.job), job)
	if err != nil {
		s.gone = apierrors.IsNotFound(err)
	} else {
		s.gone = job.UID != s.job.UID
	}
	switch {
	case s.gone:
		return errJobGone
	case err != nil:
		return err
	}
	s.refresh(job)
	return nil
}

// orphaned deals with a remote job whose object vanished while it was being submitted, which takes somebody who removes
// finalizers by hand: nobody will ever ask for the transcript.
func (r *JobReconciler) orphaned(ctx context.Context, s *scope, p *provider, id string) error {
	r.log(ctx).Info("The object vanished while its job was being submitted", "remoteJob", id, "remoteDeletionPolicy", s.job.Spec.RemoteDeletionPolicy)
	if s.job.Spec.RemoteDeletionPolicy == v1alpha1.RemoteDeletionNever {
		return nil
	}
	err := r.deleteOwn(ctx, s, p, id)
	if err == nil {
		return nil
	}
	r.metrics.uncleaned.Inc()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, errNotOwn) {
		r.log(ctx).Info("The job is left at the provider", "remoteJob", id, "cause", err.Error())
		return nil
	}
	return fmt.Errorf("job %s is left at Speechmatics: %w", id, err)
}
