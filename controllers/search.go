// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const (
	// maxLookups bounds the jobs of one search that are looked at one by one, where the list does not tell whose they are. The limits
	// of the account may permit fewer within the time that a search has.
	maxLookups = 10_000
	// searchesBeforeDoubt is how many times a search's time a submission is looked for again, after it was not looked for to the end: that
	// may have been the provider's bad moment.
	searchesBeforeDoubt = 6
)

// look finds out what became of a submission whose answer is not known, before anything else is done. The job is adopted if
// it is in the provider's list; the attempt may be submitted again only if the list was seen without it late enough that
// it cannot appear any more.
func (r *JobReconciler) look(ctx context.Context, s *scope) (verdict, error) {
	began := s.now()
	if began.Before(s.claim.NotAfter) {
		return s.unknownSubmission(nil), nil
	}
	p, err := r.providerOf(ctx, s)
	if err != nil {
		return r.nobodyToAsk(ctx, s, err)
	}
	s.restoreFacts(p)
	p.occupy(s.job)
	searchCtx, span := r.startClientSpan(ctx, s, spanFind)
	found, err := r.findClaimed(searchCtx, s, p)
	endSpan(span, err)
	if err != nil {
		return verdict{}, r.unavailable(ctx, p, err)
	}
	crashpoint.At(crashpoint.Searched)
	switch settled := r.settledAt(s.claim); {
	case len(found.Jobs) > 0:
		return r.adopt(ctx, s, p, found.Jobs)
	case began.Before(settled):
		v := s.unknownSubmission(nil)
		v.after = settled.Sub(began)
		return v, nil
	case found.Incomplete && began.Before(settled.Add(searchesBeforeDoubt*r.options.SearchTimeout)):
		r.log(ctx).Info("The job was not looked for to the end; looking again", "attempt", s.attempt(), "cause", errSearchIncomplete.Error())
		v := s.unknownSubmission(nil)
		v.after = r.options.RetryInterval
		return v, nil
	default:
		return r.settle(ctx, s, r.doubt(s, p, found))
	}
}

// nobodyToAsk obeys the policy on doubt if the account that was submitted with is gone, so that nobody can be asked about the
// submission any more.
func (r *JobReconciler) nobodyToAsk(ctx context.Context, s *scope, err error) (verdict, error) {
	var p *pause
	if !errors.As(err, &p) {
		return verdict{}, err
	}
	if left := r.settledAt(s.claim).Sub(s.now()); left > 0 {
		p.after = soonest(p.after, left)
		return verdict{}, p
	}
	switch p.reason {
	case v1alpha1.ReasonAccountReplaced:
		return r.settle(ctx, s, "its account was replaced")
	case v1alpha1.ReasonAccountNotFound:
		return r.settle(ctx, s, "its account is gone")
	default:
		return verdict{}, err
	}
}

// settledAt is when a submission that has not appeared in the list never will.
func (r *JobReconciler) settledAt(claim *notification.Claim) time.Time {
	return claim.NotAfter.Add(r.options.ListLag + r.options.ClockSkew)
}

// findClaimed finds the jobs of the claimed attempt: those that live before those that do not, the oldest first.
func (r *JobReconciler) findClaimed(ctx context.Context, s *scope, p *provider) (*speechmatics.Submissions, error) {
	return r.findRemote(ctx, s, p, s.claim.ClaimedAt, func(job *speechmatics.Job) bool { return s.ownsAttempt(job, s.claim.Attempt) })
}

// findOwned finds the jobs of the object, of whatever attempt, since the first submission that was given up.
func (r *JobReconciler) findOwned(ctx context.Context, s *scope, p *provider) (*speechmatics.Submissions, error) {
	return r.findRemote(ctx, s, p, s.givenUpSince(), s.ownsAnyAttempt)
}

// givenUpSince is the time before which nothing was submitted that was given up.
func (s *scope) givenUpSince() time.Time {
	if since := s.claim.GivenUpSince; !since.IsZero() {
		return since
	}
	return s.job.CreationTimestamp.Time // the claim does not say, which is no reason to look at less
}

// findRemote finds the jobs that are wanted among all that were created since a time.
func (r *JobReconciler) findRemote(ctx context.Context, s *scope, p *provider, since time.Time, wanted func(*speechmatics.Job) bool) (*speechmatics.Submissions, error) {
	turns := &searchTurns{limits: p.limits, metrics: r.metrics}
	query := r.searchQuery(s, p, since)
	query.Match, query.BeforeRequest = wanted, turns.next
	query.MaxLookups = min(query.MaxLookups, p.limits.requestsWithin(query.Timeout))
	found, err := p.client.FindSubmissions(ctx, query)
	turns.end(err)
	return found, err
}

// searchQuery says which jobs a search looks at: all since a time, deleted ones included. Where the list does not tell whose they are,
// so that each costs a request, those are left out that were created after the claim's submission could have arrived.
func (r *JobReconciler) searchQuery(s *scope, p *provider, since time.Time) speechmatics.SubmissionQuery {
	query := speechmatics.SubmissionQuery{Since: since.Add(-r.options.ProviderClockSkew), MaxLookups: maxLookups, Timeout: r.options.SearchTimeout}
	if !p.can().ListHasConfig {
		query.Until = r.settledAt(s.claim).Add(r.options.ProviderClockSkew)
	}
	return query
}

// searchTurns takes the turns of a search's requests, and counts those that were sent.
type searchTurns struct {
	limits  *limits
	metrics *metrics
	// sent is the request that is under way; empty if there is none.
	sent string
}

// searchOperations are the operations that the client's methods stand for.
var searchOperations = map[string]string{"ListJobs": operationList, "GetJob": operationGet}

// next waits for the turn of the next request. The first one of a search is not waited for long.
func (t *searchTurns) next(ctx context.Context, method string) error {
	take := t.limits.followUp
	if t.sent == "" {
		take = t.limits.request
	} else {
		t.metrics.observeRequest(t.sent, nil)
	}
	t.sent = ""
	if err := take(ctx); err != nil {
		return err
	}
	t.sent = searchOperations[method]
	return nil
}

// end counts the last request of a search, with the error that the search ended with.
func (t *searchTurns) end(err error) {
	if t.sent != "" {
		t.metrics.observeRequest(t.sent, err)
	}
}

// owns reports whether a remote job belongs to the object and attempt, by its reference; the nonce may be that of an earlier
// claim.
func (s *scope) owns(job *speechmatics.Job) bool { return s.ownsAttempt(job, s.attempt()) }

func (s *scope) ownsAttempt(job *speechmatics.Job, attempt int32) bool {
	reference, ok := referenceOf(job)
	return ok && reference.UID == s.job.UID && reference.Attempt == attempt
}

// ownsAnyAttempt reports whether a remote job belongs to the object, whatever the attempt.
func (s *scope) ownsAnyAttempt(job *speechmatics.Job) bool {
	reference, ok := referenceOf(job)
	return ok && reference.UID == s.job.UID
}

func referenceOf(job *speechmatics.Job) (notification.Reference, bool) {
	if job.Tracking == nil {
		return notification.Reference{}, false
	}
	reference, err := notification.ParseReference(job.Tracking.Reference)
	return reference, err == nil
}

func isGone(job *speechmatics.Job) bool {
	return job.Status == speechmatics.JobDeleted || job.Status == speechmatics.JobExpired
}

// adopt records the best of the jobs that were found and deletes the others, which are paid for but needed by nobody.
//
// The others are noted in the claim first, so that nobody forgets them if this manager does not come to delete them. And none is
// deleted before one is recorded: another manager may have recorded one of them since this one's cache was filled, and
// that one would be gone (test/model, SURPLUS_FIRST).
func (r *JobReconciler) adopt(ctx context.Context, s *scope, p *provider, found []*speechmatics.Job) (verdict, error) {
	slices.SortStableFunc(found, func(a, b *speechmatics.Job) int { return cmp.Compare(distance(a), distance(b)) })
	kept := found[0]
	if err := r.noteSurplus(ctx, s, living(found[1:])...); err != nil {
		return verdict{}, err
	}
	crashpoint.At(crashpoint.SurplusNoted)
	if err := r.record(ctx, s, p, kept.ID); err != nil {
		return verdict{}, err
	}
	crashpoint.At(crashpoint.Adopted)
	r.metrics.adopted.Inc()
	r.log(ctx).Info("Found the job whose submission was uncertain", "attempt", s.attempt(), "remoteJob", kept.ID, "matches", len(found))
	r.tellAdopted(s, kept.ID)
	if err := r.deleteNoted(ctx, s, p); err != nil {
		return verdict{}, r.unavailable(ctx, p, err)
	}
	return s.running(time.Millisecond), nil
}

// tellAdopted tells that the job of a submission is known whose answer did not arrive.
func (r *JobReconciler) tellAdopted(s *scope, id string) {
	r.event(s.job, eventNormal, "Adopted", "Look", fmt.Sprintf("attempt %d had reached Speechmatics, as job %s", s.attempt(), id))
}

// distance is how far a job is from a transcript.
func distance(job *speechmatics.Job) int {
	switch {
	case job.Status == speechmatics.JobDone:
		return 0
	case job.Status == speechmatics.JobRejected:
		return 2
	case isGone(job):
		return 3
	default:
		return 1
	}
}

// living are the IDs of the jobs that are there.
func living(jobs []*speechmatics.Job) []string {
	var ids []string
	for _, job := range jobs {
		if !isGone(job) {
			ids = append(ids, job.ID)
		}
	}
	return ids
}

// noteSurplus notes in the claim the jobs that are to be deleted once another one is recorded.
func (r *JobReconciler) noteSurplus(ctx context.Context, s *scope, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	claim := *s.claim
	for _, id := range ids {
		if !slices.Contains(claim.Surplus, id) { // those of an earlier attempt may be there still
			claim.Surplus = append(slices.Clone(claim.Surplus), id)
		}
	}
	if len(claim.Surplus) > notification.MaxSurplus {
		claim.Surplus = claim.Surplus[:notification.MaxSurplus]
		claim = claim.AsGivenUp() // the rest, which is of this attempt, is found when the job has finished
	}
	return r.writeClaim(ctx, s, claim)
}

// surplus are the surplus jobs that the claim notes. What the status records is none of them, whoever has noted it.
func (s *scope) surplus() []string {
	if s.claim == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.claim.Surplus), func(id string) bool { return id == s.remoteID() })
}

// deleteNoted deletes the surplus jobs that the claim notes. Those that are not settled stay noted.
func (r *JobReconciler) deleteNoted(ctx context.Context, s *scope, p *provider) error {
	if s.claim == nil || len(s.claim.Surplus) == 0 {
		return nil
	}
	var left []string
	for _, id := range s.surplus() {
		settled, err := r.deleteSurplus(ctx, s, p, id)
		if err != nil {
			return err
		}
		if !settled {
			left = append(left, id)
		}
	}
	if len(left) == len(s.claim.Surplus) {
		return nil
	}
	claim := *s.claim
	claim.Surplus = left
	return r.writeClaim(ctx, s, claim)
}

// deleteSurplus deletes a job that the object has besides the recorded one, counts it and tells about it. Where jobs cannot be deleted, and
// where this one is not the object's, it tells that it is left.
//
// It reports whether that settles it. As long as the object's job has not finished, one that is not found may come back (see vanished), and
// the transcript of one that is done may be the only one there will be. When it has, such a transcript is kept unless there is another.
func (r *JobReconciler) deleteSurplus(ctx context.Context, s *scope, p *provider, id string) (settled bool, err error) {
	job, err := r.getOwn(ctx, s, p, id)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		r.surplusLeft(ctx, s, id, err)
		return true, nil
	case errors.Is(err, errNotOwn):
		r.log(ctx).Info("Left a remote job alone that is noted as a surplus", "remoteJob", id, "cause", err.Error())
		r.event(s.job, eventWarning, "RemoteJobLeft", "Look", fmt.Sprintf("job %s is noted as a surplus of this job and is left alone: %v", id, err))
		return true, nil
	case speechmatics.IsNotFound(err) || speechmatics.IsGone(err):
		return isFinished(s.job), nil
	case err != nil:
		return false, err
	case isGone(job):
		return true, nil
	case job.Status == speechmatics.JobDone && s.isOnlyCopy(id):
		if isFinished(s.job) {
			r.transcriptKept(ctx, s, id)
		}
		return isFinished(s.job), nil
	}
	if err := r.deleteRemote(ctx, p, id); err != nil {
		return false, err
	}
	r.metrics.surplus.Inc()
	r.log(ctx).Info("Deleted a surplus job", "attempt", s.attempt(), "remoteJob", id)
	r.event(s.job, eventWarning, "SurplusDeleted", "Look", fmt.Sprintf("this job was at Speechmatics more than once; job %s was deleted", id))
	return true, nil
}

// surplusLeft counts a surplus job that is not deleted, and tells about it.
func (r *JobReconciler) surplusLeft(ctx context.Context, s *scope, id string, err error) {
	r.metrics.uncleaned.Inc()
	r.log(ctx).Info("A surplus job is left at the provider", "attempt", s.attempt(), "remoteJob", id, "cause", err.Error())
	r.event(s.job, eventWarning, "RemoteJobLeft", "Look", leftBehind("the surplus job "+id, err))
}

// settle ends the search for a submission that is not in the list and cannot appear any more, or for which nobody can look. If
// that proves nothing, the policy on doubt decides.
func (r *JobReconciler) settle(ctx context.Context, s *scope, doubt string) (verdict, error) {
	if doubt != "" && s.job.Spec.AmbiguousSubmissionPolicy != v1alpha1.AmbiguousResubmit {
		return verdict{}, &failure{reason: v1alpha1.ReasonSubmissionAmbiguous, message: fmt.Sprintf(
			"it cannot be found out whether attempt %d reached Speechmatics, because %s; look for the reference %s there, and create a new job if it is not there",
			s.attempt(), doubt, s.claim.Reference())}
	}
	if err := r.giveUpClaim(ctx, s); err != nil {
		return verdict{}, err
	}
	crashpoint.At(crashpoint.GivenUp)
	r.providers.release(s.job.UID)
	r.log(ctx).Info("The uncertain submission did not arrive; submitting again", "attempt", s.attempt(), "doubt", doubt)
	return verdict{reason: v1alpha1.ReasonSubmitting, message: fmt.Sprintf("attempt %d did not reach Speechmatics; submitting it again", s.attempt()), after: time.Millisecond}, nil
}

// doubt says why it proves nothing about a claim that its job was not found; empty if it does. A job that is gone and of which
// nobody can tell any more whose it was is no doubt: if it was the claim's, somebody has deleted it, and another one is due.
func (r *JobReconciler) doubt(s *scope, p *provider, found *speechmatics.Submissions) string {
	switch {
	case s.claim.KeyFingerprint == unknownFingerprint:
		return "the claim was lost, and with it which key was used"
	case s.claim.BaseURL != p.baseURL:
		return fmt.Sprintf("the account's address was changed from %s to %s", s.claim.BaseURL, p.baseURL)
	case s.claim.KeyFingerprint != p.keyFingerprint:
		return "the account's key was replaced, and the new one may belong to another project"
	case !p.can().Remembers:
		return p.forgets()
	case s.now().Sub(s.claim.ClaimedAt) > p.can().Retention-r.options.ProviderClockSkew:
		return fmt.Sprintf("the submission is older than what %s keeps", backendNames[p.backend])
	case found.Incomplete:
		return fmt.Sprintf("%s has more jobs of that time than could be looked at within the limits of %s", backendNames[p.backend], accountName(&p.account))
	default:
		return ""
	}
}
