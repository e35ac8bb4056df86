// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"

	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// untold takes the place of a message of the provider's that may repeat a secret, which nobody knows any more to remove it.
const untold = "(not told: it may repeat what the job's Secrets held, and they cannot be read any more)"

// recallSecrets finds out again what the submission sent to the provider that nobody is to read: only the pass that submitted still knows it,
// and the provider's messages about a job may repeat it later. If it cannot be read any more, its messages are not told.
func (r *JobReconciler) recallSecrets(ctx context.Context, s *scope, p *provider) {
	if s.secrets != nil {
		return
	}
	sent, own, err := r.sentAgain(ctx, s, p)
	if err != nil {
		r.log(ctx).Info("The provider's messages about the job are not told, since they may repeat secrets that cannot be read any more", "cause", err.Error())
		s.untold = true
		return
	}
	s.secrets = sentSecrets(&s.job.Spec, sent, own)
}

// sentAgain reads what the submission took from Secrets, and the operator's own notification with its token.
func (r *JobReconciler) sentAgain(ctx context.Context, s *scope, p *provider) (*input, []speechmatics.NotificationConfig, error) {
	sent := &input{media: &media{}}
	var err error
	if source := s.job.Spec.Media; source.URL != nil || source.URLFrom != nil { // a file that was uploaded is no message
		if sent.media, err = r.loadMedia(ctx, s); err != nil {
			return nil, nil, err
		}
	}
	if sent.notifications, err = r.loadNotifications(ctx, s); err != nil {
		return nil, nil, err
	}
	own, err := r.notificationConfig(s, p)
	return sent, own, err
}
