// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// jobType is the provider's type of all jobs that the operator submits.
const jobType = "transcription"

// jobConfig is the provider's configuration of a job: what the spec asks for, and what the operator adds to find the job again
// and to be told of its end.
func (r *JobReconciler) jobConfig(s *scope, p *provider, m *media) (speechmatics.JobConfig, error) {
	transcription, err := transcriptionConfig(&s.job.Spec.Transcription)
	if err != nil {
		return speechmatics.JobConfig{}, err
	}
	notifications, err := r.notificationConfig(s, p)
	if err != nil {
		return speechmatics.JobConfig{}, err
	}
	return speechmatics.JobConfig{
		Type:                jobType,
		FetchData:           m.fetch,
		TranscriptionConfig: transcription,
		NotificationConfig:  notifications,
		Tracking:            trackingConfig(s.job.Spec.Tracking, s.claim.Reference()),
	}, nil
}

// transcriptionConfig translates spec.transcription. What is absent there is absent here.
func transcriptionConfig(spec *v1alpha1.TranscriptionConfig) (*speechmatics.TranscriptionConfig, error) {
	speakers, err := speakerDiarization(spec.SpeakerDiarization)
	if err != nil {
		return nil, err
	}
	punctuation, err := punctuationOverrides(spec.PunctuationOverrides)
	if err != nil {
		return nil, err
	}
	return &speechmatics.TranscriptionConfig{
		Language:                 spec.Language,
		Model:                    string(valueOf(spec.Model)),
		OperatingPoint:           string(valueOf(spec.OperatingPoint)),
		Domain:                   valueOf(spec.Domain),
		OutputLocale:             valueOf(spec.OutputLocale),
		AdditionalVocab:          additionalVocab(spec.AdditionalVocab),
		PunctuationOverrides:     punctuation,
		Diarization:              string(valueOf(spec.Diarization)),
		ChannelDiarizationLabels: spec.ChannelDiarizationLabels,
		SpeakerDiarizationConfig: speakers,
		EnableEntities:           spec.EnableEntities,
	}, nil
}

func additionalVocab(spec []v1alpha1.AdditionalVocab) []speechmatics.AdditionalVocab {
	if spec == nil {
		return nil
	}
	vocab := make([]speechmatics.AdditionalVocab, 0, len(spec))
	for _, v := range spec {
		vocab = append(vocab, speechmatics.AdditionalVocab{Content: v.Content, SoundsLike: v.SoundsLike})
	}
	return vocab
}

func speakerDiarization(spec *v1alpha1.SpeakerDiarizationConfig) (*speechmatics.SpeakerDiarizationConfig, error) {
	if spec == nil {
		return nil, nil
	}
	sensitivity, err := fraction(spec.SpeakerSensitivity, "spec.transcription.speakerDiarization.speakerSensitivity")
	if err != nil {
		return nil, err
	}
	return &speechmatics.SpeakerDiarizationConfig{
		SpeakerSensitivity:   sensitivity,
		PreferCurrentSpeaker: spec.PreferCurrentSpeaker,
		GetSpeakers:          spec.GetSpeakers,
	}, nil
}

func punctuationOverrides(spec *v1alpha1.PunctuationOverrides) (*speechmatics.PunctuationOverrides, error) {
	if spec == nil {
		return nil, nil
	}
	sensitivity, err := fraction(spec.Sensitivity, "spec.transcription.punctuationOverrides.sensitivity")
	if err != nil {
		return nil, err
	}
	overrides := &speechmatics.PunctuationOverrides{Sensitivity: sensitivity}
	if spec.PermittedMarks != nil {
		overrides.PermittedMarks = &spec.PermittedMarks
	}
	return overrides, nil
}

// fraction reads a decimal number between 0 and 1, which the schema has checked already.
func fraction(value *v1alpha1.Fraction, field string) (*float64, error) {
	if value == nil {
		return nil, nil
	}
	f, err := strconv.ParseFloat(string(*value), 64)
	if err != nil || f < 0 || f > 1 {
		return nil, &failure{reason: v1alpha1.ReasonSubmissionRefused, message: fmt.Sprintf("%s is not a decimal number between 0 and 1; create a new job", field)}
	}
	return &f, nil
}

// trackingConfig adds the reference by which the job is found again.
func trackingConfig(spec *v1alpha1.Tracking, reference notification.Reference) *speechmatics.Tracking {
	tracking := &speechmatics.Tracking{Reference: reference.String()}
	if spec == nil {
		return tracking
	}
	tracking.Title = valueOf(spec.Title)
	tracking.Tags = spec.Tags
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
