// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DocumentFacts are the small facts that the json-v2 transcript tells. They are there if the job asks for that format or
// for something that only that document can tell.
type DocumentFacts struct {
	// jobID is the provider's ID of the job that the document belongs to.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +required
	JobID string `json:"jobID,omitempty"`

	// attempt that it belongs to.
	// +kubebuilder:validation:Minimum=1
	// +required
	Attempt int32 `json:"attempt,omitempty"`

	// language is the language that was transcribed: the one identified if the job's is auto.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Language *string `json:"language,omitempty"`

	// audioDuration is the length of the media in whole seconds ("15s").
	// +optional
	AudioDuration *metav1.Duration `json:"audioDuration,omitempty"`

	// speakers is how many speakers were told apart; those that could not be identified do not count.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Speakers *int32 `json:"speakers,omitempty"`

	// translations are the languages that the document has a translation to.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=32
	// +listType=atomic
	// +optional
	Translations []string `json:"translations,omitempty"`

	// featureErrors say which of the features that were asked for failed. The job is complete all the same; its condition
	// FeaturesFailed is True.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	FeatureErrors []FeatureError `json:"featureErrors,omitempty"`

	// problem says why the document could not be read, if it could not. It is stored as it came then.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Problem *string `json:"problem,omitempty"`
}

// Feature is something beyond the plain transcript that a job can ask for. Clients must tolerate values that are not listed here: the
// provider may report a feature that only a newer version knows.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=64
// +kubebuilder:validation:Pattern=`^[A-Z][A-Za-z0-9]*$`
type Feature string

const (
	// FeatureTranslation is spec.translation.
	FeatureTranslation Feature = "Translation"
	// FeatureSummarization is spec.summarization.
	FeatureSummarization Feature = "Summarization"
	// FeatureSentimentAnalysis is spec.sentimentAnalysis.
	FeatureSentimentAnalysis Feature = "SentimentAnalysis"
	// FeatureTopicDetection is spec.topicDetection.
	FeatureTopicDetection Feature = "TopicDetection"
	// FeatureAutoChapters is spec.autoChapters.
	FeatureAutoChapters Feature = "AutoChapters"
	// FeatureAudioEvents is spec.audioEvents.
	FeatureAudioEvents Feature = "AudioEvents"
	// FeatureLanguageIdentification is the language auto, and spec.languageIdentification.
	FeatureLanguageIdentification Feature = "LanguageIdentification"
)

// FeatureError says that one feature failed although the job is done.
type FeatureError struct {
	// feature that failed.
	// +required
	Feature Feature `json:"feature,omitempty"`

	// language is the language of the translation that failed, if it is one and the provider says which.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Language *string `json:"language,omitempty"`

	// type is the provider's word for what went wrong: "translation_failed", "unsupported_language".
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Type string `json:"type,omitempty"`

	// message is the provider's message, cut at 512 characters.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`
}
