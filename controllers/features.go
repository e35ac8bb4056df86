// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// features is what the condition FeaturesFailed says.
type features struct {
	reason  string
	message string
}

// failedFeatures says which features have failed, by what the document tells; nil is no document.
func failedFeatures(document *v1alpha1.DocumentFacts) features {
	if document == nil || len(document.FeatureErrors) == 0 {
		return features{reason: v1alpha1.ReasonNoFeatureErrors}
	}
	reason := featureReason(document.FeatureErrors[0].Feature)
	told := make([]string, 0, len(document.FeatureErrors))
	for _, e := range document.FeatureErrors {
		if featureReason(e.Feature) != reason {
			reason = v1alpha1.ReasonSeveralFeaturesFailed
		}
		told = append(told, featureErrorText(e))
	}
	return features{reason: reason, message: strings.Join(told, "; ")}
}

// featureReason is the reason of one feature's failure; the constants v1alpha1.Reason…Failed are these.
func featureReason(feature v1alpha1.Feature) string { return string(feature) + "Failed" }

// featureErrorText is the error of a feature for a person.
func featureErrorText(e v1alpha1.FeatureError) string {
	text := string(e.Feature)
	if e.Language != nil {
		text += " to " + *e.Language
	}
	switch {
	case e.Type != "" && e.Message != "":
		return fmt.Sprintf("%s failed (%s): %s", text, e.Type, e.Message)
	case e.Message != "":
		return fmt.Sprintf("%s failed: %s", text, e.Message)
	case e.Type != "":
		return fmt.Sprintf("%s failed: %s", text, e.Type)
	default:
		return text + " failed, without a reason"
	}
}

// recordedDocument is what the document of the recorded remote job tells, of whichever attempt that is.
func recordedDocument(status *v1alpha1.TranscriptionJobStatus) *v1alpha1.DocumentFacts {
	d, remote := status.Document, status.RemoteJob
	if d == nil || remote == nil || valueOf(remote.ID) != d.JobID || valueOf(status.Attempt) != d.Attempt {
		return nil
	}
	return d
}
