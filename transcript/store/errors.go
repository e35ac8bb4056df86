// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
)

// ErrGone means that the job's namespace is being deleted: there is nobody left to store a transcript for.
var ErrGone = errors.New("the namespace is being deleted")

// UnavailableError means that the store does not work at the moment. It may pass: try again.
type UnavailableError struct {
	// Store is the store, for example "the PersistentVolumeClaim transcripts".
	Store string
	Err   error
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("%s cannot be used now: %v", e.Store, e.Err)
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// ConflictError means that an object of the name is there that is not the job's. A person has to act.
type ConflictError struct {
	// Namespace and Name of the ConfigMap.
	Namespace, Name string
	// Belongs says whose it is, as far as it can be seen.
	Belongs string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("the ConfigMap %s/%s is there already and is not the job's own: %s; "+
		"delete or rename it, or create a new TranscriptionJob with another spec.transcripts.configMap.name",
		e.Namespace, e.Name, e.Belongs)
}

// TooLargeError means that the transcripts are larger than the store takes. A person has to act.
type TooLargeError struct {
	// Limit is the most that is stored, in bytes as they are stored.
	Limit int64
	// Scratch means that a transcript alone is larger than the scratch folder may be.
	Scratch bool
}

func (e *TooLargeError) Error() string {
	if e.Scratch {
		return fmt.Sprintf("a transcript of the job needs more than %d bytes, which is the most that the webhook receiver's scratch folder may hold; "+
			"have the cluster's administrator raise the webhook receiver's --scratch-max-bytes", e.Limit)
	}
	return fmt.Sprintf("the transcripts of the job need more than %d bytes in ConfigMaps, which is the most that one job may use; "+
		"create a new TranscriptionJob that keeps them on a volume (spec.transcripts.persistentVolumeClaim), "+
		"or have the cluster's administrator raise the webhook receiver's --configmap-max-bytes", e.Limit)
}

// RejectedError means that the API server does not admit the object, for example because of a quota. A person has to act.
type RejectedError struct {
	// Namespace and Name of the ConfigMap.
	Namespace, Name string
	Err             error
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("the API server does not let the webhook receiver create the ConfigMap %s/%s (look for a quota, an admission policy, "+
		"or missing rights of its ServiceAccount): %v", e.Namespace, e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *RejectedError) Unwrap() error { return e.Err }

// NotMountedError means that the receiver does not mount the claim. A person has to act.
type NotMountedError struct {
	// Claim is the name of the PersistentVolumeClaim.
	Claim string
}

func (e *NotMountedError) Error() string {
	return fmt.Sprintf("the webhook receiver does not mount the PersistentVolumeClaim %q; "+
		"have the cluster's administrator add it to the receiver (flag --volume), or name another one in a new TranscriptionJob", e.Claim)
}
