// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// riskShare is the part of the provider's retention, at its end, in which a transcript that is not stored is at risk: the last
// quarter. Of seven days these are 42 hours, of an appliance's 24 hours six: long enough for a person to come back from a
// weekend, or to be woken.
const riskShare = 4

// risk is what the condition TranscriptAtRisk says while it is True.
type risk struct {
	reason  string
	message string
}

// assess adds to a verdict whether the transcript is at risk. If it is to be at risk later, the job is looked at again then, whatever
// else it waits for. The backend is asked for only if it matters.
func (s *scope) assess(v verdict, at func() speechmatics.Backend) verdict {
	if !s.onlyAtProvider(v) {
		return v
	}
	backend := at()
	retention := backend.Capabilities().Retention
	if retention == 0 {
		v.risk = s.notRetained(v, backend)
		return v
	}
	end := s.keptSince().Add(retention)
	if left := end.Add(-retention / riskShare).Sub(s.now()); left > 0 {
		v.after = soonest(v.after, left)
		return v
	}
	v.risk = s.retentionEnding(v, end)
	return v
}

// onlyAtProvider reports whether there is, or may be, a transcript of the job at the provider and nowhere else. A job that the provider
// has just said to be running has none yet; one that was running when it could be asked last may have one by now.
func (s *scope) onlyAtProvider(v verdict) bool {
	return v.ending == unfinished && s.recorded() && v.reason != v1alpha1.ReasonRunning && len(s.lacking()) > 0
}

// hostedDomain is where the regions of the hosted service are.
const hostedDomain = ".speechmatics.com/"

// backendOfJob is the backend of the job's account. If the account is gone, the address tells the hosted service; what is elsewhere may be
// an appliance, which keeps jobs for less.
func (r *JobReconciler) backendOfJob(ctx context.Context, s *scope) speechmatics.Backend {
	account, err := r.resolveAccount(ctx, s)
	switch {
	case err == nil:
		return backendOf(account.AccountSpec())
	case strings.Contains(valueOf(s.job.Status.RemoteJob.BaseURL), hostedDomain):
		return speechmatics.SaaS
	default:
		return speechmatics.Appliance
	}
}

// keptSince is when the provider's retention began at the earliest: when the job was created. (It begins with the job's end, the
// provider says, which nobody here has seen.)
func (s *scope) keptSince() time.Time {
	switch {
	case s.status.RemoteJob != nil && s.status.RemoteJob.CreatedAt != nil:
		return s.status.RemoteJob.CreatedAt.Time
	case s.claimed():
		return s.claim.ClaimedAt
	case s.status.StartTime != nil:
		return s.status.StartTime.Time
	default:
		return s.job.CreationTimestamp.Time
	}
}

func (s *scope) isDone() bool {
	return s.status.RemoteJob != nil && valueOf(s.status.RemoteJob.State) == v1alpha1.RemoteDone
}

// notRetained is the risk of a transcript at a backend that promises to keep nothing. There, one that is not done has no transcript
// that could be lost.
func (s *scope) notRetained(v verdict, backend speechmatics.Backend) *risk {
	if !s.isDone() {
		return nil
	}
	return &risk{reason: v1alpha1.ReasonNotRetained, message: fmt.Sprintf(
		"job %s is done and its transcripts are not all stored: %s keeps them only until it is restarted, or newer jobs push them out; leave it running, and put right what is in the way (%s, see the condition Ready)",
		s.remoteID(), backendNames[backend], v.reason)}
}

// retentionEnding is the risk of a transcript that the provider keeps until a time which is near.
func (s *scope) retentionEnding(v verdict, end time.Time) *risk {
	state := "is done"
	if !s.isDone() {
		state = "should be done by now"
	}
	return &risk{reason: v1alpha1.ReasonRetentionEnding, message: fmt.Sprintf(
		"job %s %s and its transcripts are not all stored: Speechmatics may delete them from %s on, after which they have to be bought again; put right what is in the way (%s, see the condition Ready)",
		s.remoteID(), state, end.UTC().Format(time.RFC3339), v.reason)}
}

// riskCondition says whether the transcript is at risk. Like that of the others, its reason is Ready's while it is False.
func riskCondition(job *v1alpha1.TranscriptionJob, v verdict, now time.Time) metav1.Condition {
	condition := metav1.Condition{
		Type:               v1alpha1.ConditionTranscriptAtRisk,
		Status:             metav1.ConditionFalse,
		ObservedGeneration: job.Generation,
		LastTransitionTime: metav1.NewTime(now),
		Reason:             v.reason,
	}
	if v.risk != nil {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionTrue, v.risk.reason, clip(v.risk.message, maxMessageLength)
	}
	return condition
}

// risks are the jobs whose transcripts are at risk, for the metric. After a restart every job is looked at once, and they are known again.
type risks struct {
	mu   sync.Mutex
	jobs map[types.UID]struct{}
}

func newRisks() *risks { return &risks{jobs: map[types.UID]struct{}{}} }

func (rs *risks) set(uid types.UID, atRisk bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if atRisk {
		rs.jobs[uid] = struct{}{}
		return
	}
	delete(rs.jobs, uid)
}

func (rs *risks) count() float64 {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return float64(len(rs.jobs))
}
