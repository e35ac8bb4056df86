// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// deadline is when the job has taken too long; zero if it may take as long as it likes or has not been taken up.
func (s *scope) deadline() time.Time {
	if s.job.Spec.ActiveDeadlineSeconds == nil || s.status.StartTime == nil {
		return time.Time{}
	}
	return s.status.StartTime.Add(time.Duration(*s.job.Spec.ActiveDeadlineSeconds) * time.Second)
}

func (s *scope) deadlinePassed() bool {
	deadline := s.deadline()
	return !deadline.IsZero() && !s.now().Before(deadline)
}

// beforeDeadline shortens a wait so that it ends with the deadline.
func (s *scope) beforeDeadline(wait time.Duration) time.Duration {
	if deadline := s.deadline(); !deadline.IsZero() {
		return max(min(wait, deadline.Sub(s.now())), time.Millisecond)
	}
	return wait
}

func (s *scope) deadlineExceeded() *failure {
	return &failure{reason: v1alpha1.ReasonDeadlineExceeded, message: fmt.Sprintf("the job took longer than activeDeadlineSeconds (%d s) permits", *s.job.Spec.ActiveDeadlineSeconds)}
}

// cancel deletes a running job at the provider, because its time is over.
func (r *JobReconciler) cancel(ctx context.Context, s *scope, p *provider) (verdict, error) {
	if err := r.deleteRemote(ctx, p, s.remoteID(), true); err != nil {
		return verdict{}, r.unavailable(p, err)
	}
	s.remote().State = ptr.To(v1alpha1.RemoteDeleted)
	return verdict{}, s.deadlineExceeded()
}
