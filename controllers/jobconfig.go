// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/redaction"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// jobType is the provider's type of all jobs that the operator submits.
const jobType = speechmatics.JobTranscription

// jobConfig is the provider's configuration of a job, as JSON: what the spec asks for, what the operator adds to find the job
// again and to be told of its end, and spec.providerConfig over it.
func (r *JobReconciler) jobConfig(s *scope, p *provider, in *input) (json.RawMessage, error) {
	config, err := specConfig(&s.job.Spec)
	if err != nil {
		return nil, err
	}
	own, err := r.notificationConfig(s, p)
	if err != nil {
		return nil, err
	}
	config.FetchData = in.media.fetch
	config.NotificationConfig = slices.Concat(own, in.notifications)
	s.secrets = sentSecrets(&s.job.Spec, in, own)
	if config.Tracking == nil {
		config.Tracking = &speechmatics.Tracking{}
	}
	config.Tracking.Reference = s.claim.Reference().String()
	return mergeProviderConfig(config, s.job.Spec.ProviderConfig)
}

// sentSecrets are the secrets in a job's configuration: what Secrets hold of it, and the operator's own token.
func sentSecrets(spec *v1alpha1.TranscriptionJobSpec, in *input, own []speechmatics.NotificationConfig) []string {
	var secrets []string
	if fetch := in.media.fetch; fetch != nil {
		secrets = redaction.OfHeaders(fetch.AuthHeaders)
		if spec.Media.URLFrom != nil {
			secrets = append(secrets, redaction.OfURL(fetch.URL)...)
		}
	}
	for i, n := range in.notifications {
		secrets = append(secrets, redaction.OfHeaders(n.AuthHeaders)...)
		if spec.Notifications[i].URLFrom != nil {
			secrets = append(secrets, redaction.OfURL(n.URL)...)
		}
	}
	for _, n := range own {
		secrets = append(secrets, redaction.OfHeaders(n.AuthHeaders)...)
	}
	return secrets
}

// checkConfiguration finds what the schema cannot check and the provider would refuse, ignore or let the job fail for. It is
// asked before the job is claimed, so that nothing is paid for.
func checkConfiguration(spec *v1alpha1.TranscriptionJobSpec) error {
	if _, err := specConfig(spec); err != nil {
		return err
	}
	if err := checkDetails(spec.Tracking); err != nil {
		return err
	}
	return checkProviderConfig(spec)
}

// specConfig translates the spec, all but what needs Secrets or the claim. What is absent there is absent here, and what is
// empty there is empty here: to the provider these are different things. Its error is a failure that names the field.
func specConfig(spec *v1alpha1.TranscriptionJobSpec) (speechmatics.JobConfig, error) {
	transcription, err := transcriptionConfig(&spec.Transcription)
	if err != nil {
		return speechmatics.JobConfig{}, err
	}
	return speechmatics.JobConfig{
		Type:                         jobType,
		TranscriptionConfig:          transcription,
		Tracking:                     trackingConfig(spec.Tracking),
		OutputConfig:                 outputConfig(spec.Output),
		TranslationConfig:            translationConfig(spec.Translation),
		LanguageIdentificationConfig: languageIdentificationConfig(spec.LanguageIdentification),
		SummarizationConfig:          summarizationConfig(spec.Summarization),
		SentimentAnalysisConfig:      sentimentAnalysisConfig(spec.SentimentAnalysis),
		TopicDetectionConfig:         topicDetectionConfig(spec.TopicDetection),
		AutoChaptersConfig:           autoChaptersConfig(spec.AutoChapters),
		AudioEventsConfig:            audioEventsConfig(spec.AudioEvents),
	}, nil
}

// trackingConfig translates spec.tracking; the reference is the operator's own.
func trackingConfig(spec *v1alpha1.Tracking) *speechmatics.Tracking {
	if spec == nil {
		return nil
	}
	tracking := &speechmatics.Tracking{Title: valueOf(spec.Title), Tags: spec.Tags}
	if spec.Details != nil {
		tracking.Details = json.RawMessage(spec.Details.Raw)
	}
	return tracking
}

// notificationConfig asks for a notification with all transcripts. The job's facts are always asked for as well, since they
// carry the reference that the notification is checked against.
func (r *JobReconciler) notificationConfig(s *scope, p *provider) ([]speechmatics.NotificationConfig, error) {
	if p.callbackURL == "" {
		return nil, nil
	}
	address, err := notification.CallbackURL(p.callbackURL, s.target())
	if err != nil {
		return nil, fmt.Errorf("cannot ask for a notification at the callback URL of %s: %w", accountName(&p.account), err)
	}
	keys, err := r.keys.Keyring()
	if err != nil {
		return nil, fmt.Errorf("cannot sign a notification's token: %w", err)
	}
	token := keys.Token(notification.PurposeCallback, s.target())
	return []speechmatics.NotificationConfig{{
		URL:         address,
		Contents:    notification.Contents(&s.job.Spec),
		AuthHeaders: []string{"Authorization: " + notification.Authorization(token)},
	}}, nil
}
