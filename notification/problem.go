// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"encoding/json"
	"fmt"
	"io"
)

// Reason says in one word, for programs, why the receiver could not do what the manager asked for.
type Reason string

const (
	// ReasonVolumeNotMounted (422): the receiver does not mount the PersistentVolumeClaim that the job names. A person
	// has to act: add it to the receiver (flag --volume), or name another one in a new job.
	ReasonVolumeNotMounted Reason = "VolumeNotMounted"
	// ReasonConfigMapConflict (409): a ConfigMap of the transcript's name is there and is not the job's. A person has to
	// act: delete or rename it, or name another one in a new job.
	ReasonConfigMapConflict Reason = "ConfigMapConflict"
	// ReasonTranscriptTooLarge (413): the transcripts are more than a job may keep in ConfigMaps, or larger than the
	// receiver takes. A person has to act: use a volume in a new job, or raise the limit.
	ReasonTranscriptTooLarge Reason = "TranscriptTooLarge"
	// ReasonStoreUnavailable (503): the volume or the API server does not answer, or is full. It may pass: try again.
	ReasonStoreUnavailable Reason = "StoreUnavailable"
	// ReasonStoreForbidden (422): the API server does not let the transcripts be stored, for example because of a quota or
	// an admission policy. A person has to act.
	ReasonStoreForbidden Reason = "StoreForbidden"
	// ReasonJobChanged (503): the job was changed again and again meanwhile. It will pass: try again.
	ReasonJobChanged Reason = "JobChanged"
	// ReasonJobGone (410): the job is no longer there, or a namesake of it is. Nothing is left to do.
	ReasonJobGone Reason = "JobGone"
	// ReasonBadRequest (400): the delivery is malformed, cut off or too slow; the message says in what.
	ReasonBadRequest Reason = "BadRequest"
	// ReasonReferenceMismatch (403): the facts about the job that were delivered are those of another job.
	ReasonReferenceMismatch Reason = "ReferenceMismatch"
	// ReasonUnauthorized (401): the token is missing or wrong; manager and receiver must mount the same notification keys.
	ReasonUnauthorized Reason = "Unauthorized"
	// ReasonBusy (503): the receiver has as many requests as it can take. It will pass: try again.
	ReasonBusy Reason = "Busy"
	// ReasonInternal (503): something that should not happen did; the receiver's log has more.
	ReasonInternal Reason = "Internal"
)

// ProblemMediaType is the content type of a Problem.
const ProblemMediaType = "application/json"

// maxProblemBytes bounds what is read of a Problem.
const maxProblemBytes = 64 << 10

// Problem is the body of the errors of the receiver's internal door. The public door tells nobody anything.
type Problem struct {
	// Reason for programs. A newer receiver may know more reasons than are listed here.
	Reason Reason `json:"reason"`
	// Message for people: which object, what is wrong with it, what to do next.
	Message string `json:"message"`
}

// DecodeProblem reads the body of an error. What is not a Problem is an error: something else than the receiver answered.
func DecodeProblem(r io.Reader) (Problem, error) {
	var p Problem
	if err := json.NewDecoder(io.LimitReader(r, maxProblemBytes)).Decode(&p); err != nil {
		return Problem{}, fmt.Errorf("the answer is not the webhook receiver's: %w", err)
	}
	if p.Reason == "" {
		return Problem{}, fmt.Errorf("the answer is not the webhook receiver's: it gives no reason")
	}
	return p, nil
}
