// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

// What the manager may do, each verb with its reason. `make manifests` turns it into config/rbac.

// Jobs are watched; patch adds the finalizer and the claim; delete is for the time to live.
// +kubebuilder:rbac:groups=transcription-operator.io,resources=transcriptionjobs,verbs=get;list;watch;patch;delete

// Patch applies the manager's fields of the status.
// +kubebuilder:rbac:groups=transcription-operator.io,resources=transcriptionjobs/status,verbs=patch

// Accounts are watched.
// +kubebuilder:rbac:groups=transcription-operator.io,resources=speechmaticsaccounts;clusterspeechmaticsaccounts,verbs=get;list;watch

// Patch applies what became of the account's key.
// +kubebuilder:rbac:groups=transcription-operator.io,resources=speechmaticsaccounts/status;clusterspeechmaticsaccounts/status,verbs=patch

// API keys, URLs and media are read by name. Secrets are neither listed nor watched nor cached.
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get

// Media are read by name.
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get

// A cluster account selects namespaces by their labels, and the jobs of a namespace that is going are let go.
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch

// Events tell people what happened; patch counts repeated ones.
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch
