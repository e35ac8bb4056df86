// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// saasRetention is how long the provider keeps, and lists, jobs.
const saasRetention = 7 * 24 * time.Hour

// listPageSize is the largest page that the provider gives.
const listPageSize = 100

// look finds out what became of a submission whose answer is not known, before anything else is done. The job is adopted if
// it is in the provider's list; the attempt may be submitted again only if the list was seen without it late enough that
// it cannot appear any more.
func (r *JobReconciler) look(ctx context.Context, s *scope) (verdict, error) {
	began := s.now()
	if began.Before(s.claim.NotAfter) {
		return s.unknownSubmission(), nil
	}
	p, err := r.providerOf(ctx, s)
	if err != nil {
		return verdict{}, err
	}
	p.limits.occupy(s.job.UID)
	found, err := r.findRemote(ctx, s, p)
	if err != nil {
		return verdict{}, r.unavailable(p, err)
	}
	switch settled := r.settledAt(s.claim); {
	case len(found) > 0:
		return r.adopt(ctx, s, p, found)
	case began.Before(settled):
		v := s.unknownSubmission()
		v.after = settled.Sub(began)
		return v, nil
	default:
		return r.notFound(ctx, s, p)
	}
}

// settledAt is when a submission that has not appeared in the list never will.
func (r *JobReconciler) settledAt(claim *notification.Claim) time.Time {
	return claim.NotAfter.Add(r.options.ListLag + r.options.ClockSkew)
}

// findRemote pages the provider's list, deleted jobs included, back to before the claim, and returns the jobs of the current
// attempt: those that live before those that do not, the oldest first.
func (r *JobReconciler) findRemote(ctx context.Context, s *scope, p *provider) ([]*speechmatics.Job, error) {
	var found []*speechmatics.Job
	seen := 0
	options := speechmatics.ListOptions{
		CreatedAfter:   s.claim.ClaimedAt.Add(-r.options.ProviderClockSkew),
		IncludeDeleted: true,
		PageSize:       listPageSize,
	}
	if err := p.limits.request(ctx); err != nil {
		return nil, err
	}
	for job, err := range p.client.ListJobs(ctx, options) {
		if err != nil {
			r.metrics.observeRequest(operationList, err)
			return nil, err
		}
		if s.owns(job) {
			found = append(found, job)
		}
		if seen++; seen%listPageSize == 0 {
			if err := p.limits.request(ctx); err != nil {
				return nil, err
			}
		}
	}
	r.metrics.observeRequest(operationList, nil)
	slices.SortStableFunc(found, func(a, b *speechmatics.Job) int {
		if isGone(a) != isGone(b) {
			if isGone(a) {
				return 1
			}
			return -1
		}
		return a.CreatedAt.Compare(b.CreatedAt)
	})
	return found, nil
}

// owns reports whether a remote job belongs to the object and attempt, by its reference; the nonce may be that of an earlier
// claim.
func (s *scope) owns(job *speechmatics.Job) bool {
	if job.Tracking == nil {
		return false
	}
	reference, err := notification.ParseReference(job.Tracking.Reference)
	return err == nil && reference.UID == s.job.UID && reference.Attempt == s.attempt()
}

func isGone(job *speechmatics.Job) bool {
	return job.Status == speechmatics.JobDeleted || job.Status == speechmatics.JobExpired
}

// adopt records the first of the jobs that were found, and deletes the others: they are paid for, but nobody needs them.
func (r *JobReconciler) adopt(ctx context.Context, s *scope, p *provider, found []*speechmatics.Job) (verdict, error) {
	kept := found[0]
	if err := r.record(ctx, s, kept.ID, p.baseURL); err != nil {
		return verdict{}, err
	}
	r.metrics.adopted.Inc()
	r.log(ctx).Info("Found the job whose submission was uncertain", "attempt", s.attempt(), "remoteJob", kept.ID, "matches", len(found))
	r.event(s.job, eventNormal, "Adopted", "Look", fmt.Sprintf("attempt %d had reached Speechmatics, as job %s", s.attempt(), kept.ID))
	for _, surplus := range found[1:] {
		if isGone(surplus) {
			continue
		}
		if err := r.deleteRemote(ctx, p, surplus.ID, true); err != nil {
			return verdict{}, r.unavailable(p, err)
		}
		r.metrics.surplus.Inc()
		r.log(ctx).Info("Deleted a surplus job", "attempt", s.attempt(), "remoteJob", surplus.ID)
		r.event(s.job, eventWarning, "SurplusDeleted", "Look", fmt.Sprintf("attempt %d was at Speechmatics more than once; job %s was deleted", s.attempt(), surplus.ID))
	}
	return s.running(time.Second), nil
}

// notFound settles a submission that is not in the list and cannot appear any more.
func (r *JobReconciler) notFound(ctx context.Context, s *scope, p *provider) (verdict, error) {
	doubt := r.doubt(s, p)
	if doubt != "" && s.job.Spec.AmbiguousSubmissionPolicy != v1alpha1.AmbiguousResubmit {
		return verdict{}, &failure{reason: v1alpha1.ReasonSubmissionAmbiguous, message: fmt.Sprintf(
			"it cannot be found out whether attempt %d reached Speechmatics, because %s; look for the reference %s there, and create a new job if it is not there",
			s.attempt(), doubt, s.claim.Reference())}
	}
	if err := r.settleClaim(ctx, s); err != nil {
		return verdict{}, err
	}
	r.providers.release(s.job.UID)
	r.log(ctx).Info("The uncertain submission did not arrive; submitting again", "attempt", s.attempt(), "doubt", doubt)
	return verdict{reason: v1alpha1.ReasonSubmitting, message: fmt.Sprintf("attempt %d did not reach Speechmatics; submitting it again", s.attempt()), after: time.Millisecond}, nil
}

// doubt says why the list proves nothing about a claim; empty if it does.
func (r *JobReconciler) doubt(s *scope, p *provider) string {
	switch {
	case s.claim.AccountUID != p.account.UID:
		return "its account was replaced"
	case s.claim.BaseURL != p.baseURL:
		return fmt.Sprintf("the account's address was changed from %s to %s", s.claim.BaseURL, p.baseURL)
	case s.claim.KeyFingerprint != p.keyFingerprint:
		return "the account's key was replaced, and the new one may belong to another project"
	case s.now().Sub(s.claim.ClaimedAt) > saasRetention-r.options.ProviderClockSkew:
		return "the submission is older than what Speechmatics keeps"
	default:
		return ""
	}
}
