// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the custom resources of the group transcription-operator.io: TranscriptionJob,
// SpeechmaticsAccount and ClusterSpeechmaticsAccount. The comments on the fields are their reference documentation;
// `kubectl explain transcriptionjob.spec` shows them.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package=applyconfiguration
// +groupName=transcription-operator.io
package v1alpha1
