// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"strings"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// notificationSource is a source that an entry of spec.notifications names.
func notificationSource(entry, field, what string) source {
	return source{field: entry + "." + field, what: what, notFound: v1alpha1.ReasonInvalidNotification, invalid: v1alpha1.ReasonInvalidNotification}
}

// loadNotifications reads spec.notifications, the addresses of the user's own, with what Secrets hold of them.
func (r *JobReconciler) loadNotifications(ctx context.Context, s *scope) ([]speechmatics.NotificationConfig, error) {
	var configs []speechmatics.NotificationConfig
	for i := range s.job.Spec.Notifications {
		config, err := r.loadNotification(ctx, s, &s.job.Spec.Notifications[i], fmt.Sprintf("spec.notifications[%d]", i))
		if err != nil {
			return nil, err
		}
		configs = append(configs, *config)
	}
	return configs, nil
}

func (r *JobReconciler) loadNotification(ctx context.Context, s *scope, spec *v1alpha1.NotificationSpec, entry string) (*speechmatics.NotificationConfig, error) {
	address, where := valueOf(spec.URL), entry+".url"
	if from := spec.URLFrom; from != nil {
		value, err := r.secretValue(ctx, s, from.SecretKeyRef, notificationSource(entry, "urlFrom", "the URL"))
		if err != nil {
			return nil, err
		}
		address, where = strings.TrimSpace(string(value)), nameOf(from.SecretKeyRef)
	}
	if _, err := r.providerURL(address, where, v1alpha1.ReasonInvalidNotification); err != nil {
		return nil, err
	}
	headers, err := r.authHeaders(ctx, s, spec.AuthHeadersFrom, notificationSource(entry, "authHeadersFrom", "the headers"))
	if err != nil {
		return nil, err
	}
	return &speechmatics.NotificationConfig{
		URL:         address,
		Contents:    translate(spec.Contents, func(c v1alpha1.NotificationContent) string { return string(c) }),
		Method:      string(valueOf(spec.Method)),
		AuthHeaders: headers,
	}, nil
}
