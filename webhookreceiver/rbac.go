// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

// What the receiver's ServiceAccount may do. It is the part that the world can reach, so it is as little as possible: no Secrets,
// no lists, no watches, nothing to update or delete.

// Each notification is about a job, which is read live: is it still there, and is it the same one?
// +kubebuilder:rbac:groups=transcription-operator.io,resources=transcriptionjobs,verbs=get

// What was received and stored is recorded by server-side apply, which is a patch.
// +kubebuilder:rbac:groups=transcription-operator.io,resources=transcriptionjobs/status,verbs=patch

// Transcripts are created and never changed; one that is there is compared.
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=create;get
