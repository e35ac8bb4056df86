// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// rejectionRule says what becomes of an attempt that the provider rejected in known words.
type rejectionRule struct {
	// text is a part of the provider's message, in lower case.
	text string
	// reason is that of the failure.
	reason string
	// retryable means that the same submission may succeed another time.
	retryable bool
}

// rejectionRules are the rejections that are known, by the provider's documentation, its specification's list of errors, and what its
// users report. It gives no codes. docs/jobs.md has the same table with the reasons why; a test compares them. What is not here
// is not tried again: an attempt may cost money, and nobody knows whether it would end otherwise.
var rejectionRules = []rejectionRule{
	{"unable to fetch audio", v1alpha1.ReasonMediaFetchFailed, true},
	{"audio fetch error", v1alpha1.ReasonMediaFetchFailed, true},
	{"language identification failed", v1alpha1.ReasonRejected, true},
	{"internal server error", v1alpha1.ReasonRejected, true},
	{"max concurrent running jobs exceeded", v1alpha1.ReasonRejected, true},
	{"invalid audio", v1alpha1.ReasonRejected, false},
	{"invalid text", v1alpha1.ReasonRejected, false},
	{"is not one of the expected languages", v1alpha1.ReasonRejected, false},
	{"no speech found", v1alpha1.ReasonRejected, false},
	{"could not identify any language", v1alpha1.ReasonRejected, false},
	{"is not supported for transcription", v1alpha1.ReasonRejected, false},
	{"are not supported for language id", v1alpha1.ReasonRejected, false},
	{"no language selected", v1alpha1.ReasonRejected, false},
	{"job config json is invalid", v1alpha1.ReasonRejected, false},
	{"malformed request", v1alpha1.ReasonRejected, false},
	{"unprocessable entity", v1alpha1.ReasonRejected, false},
	{"format not supported", v1alpha1.ReasonRejected, false},
	{"missing data_file", v1alpha1.ReasonRejected, false},
	{"missing callback", v1alpha1.ReasonRejected, false},
	{"entitlement check failed", v1alpha1.ReasonRejected, false},
	{"permission denied", v1alpha1.ReasonRejected, false},
	{"requested product not available", v1alpha1.ReasonRejected, false},
	{"invalid or missing license", v1alpha1.ReasonRejected, false},
}

// outcomeRules are the outcomes of notifications that say more than that a job has failed. What they say counts whatever the
// messages are.
var outcomeRules = map[v1alpha1.NotificationOutcome]rejectionRule{
	v1alpha1.OutcomeFetchError: {reason: v1alpha1.ReasonMediaFetchFailed, retryable: true},
	v1alpha1.OutcomeTrimError:  {reason: v1alpha1.ReasonRejected},
}

// emptyRejections are messages that say no more than that the job was rejected; one before them may say why.
var emptyRejections = []string{"job rejected", "job error", ""}

// rejection says why the provider could not process a job, and whether another attempt may help.
func (s *scope) rejection(job *speechmatics.Job) *failure {
	message := decisiveMessage(job.Errors)
	rule := ruleFor(message)
	if n := s.notification(); n != nil {
		if known, ok := outcomeRules[n.Outcome]; ok {
			rule = known
		}
	}
	cause := "it gives no reason"
	if message != "" {
		cause = clip(s.redact(message), maxErrorLength)
	}
	f := &failure{reason: rule.reason, retryable: rule.retryable, message: fmt.Sprintf("Speechmatics rejected job %s: %s", job.ID, cause)}
	switch {
	case rule.reason == v1alpha1.ReasonMediaFetchFailed:
		f.message = "Speechmatics could not fetch the media: " + cause
		f.advice = "check that the URL can be reached from the internet"
	case rule.retryable:
		f.advice = "that may pass, so that a new TranscriptionJob may succeed later"
	default:
		f.advice = "correct the media or the configuration in a new TranscriptionJob"
	}
	return f
}

// ruleFor is the rule for a message. One that is not known is final.
func ruleFor(message string) rejectionRule {
	message = strings.ToLower(message)
	for _, rule := range rejectionRules {
		if strings.Contains(message, rule.text) {
			return rule
		}
	}
	return rejectionRule{reason: v1alpha1.ReasonRejected}
}

// decisiveMessage is the message that says why a job was rejected: the last one that says anything about it. The provider keeps
// everything that happened to a job in one list: attempts to fetch its media, and notifications that could not be delivered, which
// come after the rejection and have nothing to do with it.
func decisiveMessage(all []speechmatics.JobError) string {
	last := ""
	for _, e := range slices.Backward(all) {
		message := strings.TrimSpace(e.Message)
		switch {
		case strings.Contains(strings.ToLower(message), "sending notification") || strings.Contains(strings.ToLower(message), "send notification"):
		case isEmptyRejection(message):
			if last == "" {
				last = message
			}
		default:
			return message
		}
	}
	return last
}

func isEmptyRejection(message string) bool {
	for _, empty := range emptyRejections {
		if strings.EqualFold(strings.TrimRight(message, "."), empty) {
			return true
		}
	}
	return false
}
