// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/transcription-operator/transcription-operator/notification"
)

// maxAudioDuration bounds the length of media that is believed. No file is a year long.
const maxAudioDuration = 365 * 24 * time.Hour

// jobInfo is what the facts about a job tell us. Everything in it comes from outside.
type jobInfo struct {
	// id is the provider's ID of the job; empty if it is not told.
	id string
	// reference is tracking.reference; empty if it is not told.
	reference string
	// duration is the length of the media; 0 if it is not told.
	duration time.Duration
}

// jobInfoDocument is the layout, which is not documented well: the job's facts at the root or below "job", the tracking data among
// them or in "config".
type jobInfoDocument struct {
	jobFacts
	Job *jobFacts `json:"job"`
}

type jobFacts struct {
	ID       scalar          `json:"id"`
	Duration json.RawMessage `json:"duration"`
	Tracking *tracking       `json:"tracking"`
	Config   *struct {
		Tracking *tracking `json:"tracking"`
	} `json:"config"`
}

type tracking struct {
	Reference string `json:"reference"`
}

// scalar is a string, or a number as older appliances write IDs.
type scalar string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scalar) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*s = scalar(text)
		return nil
	}
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return errors.New("neither a string nor a number")
	}
	*s = scalar(number)
	return nil
}

// parseJobInfo reads the facts about a job, at most maxJobInfoBytes. Its errors are *bodyError and do not repeat what was read: a job's
// configuration holds credentials.
func parseJobInfo(r io.Reader) (*jobInfo, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxJobInfoBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxJobInfoBytes {
		return nil, &bodyError{fmt.Errorf("%w: the facts about the job have more than %d bytes", errBodyTooLarge, maxJobInfoBytes)}
	}
	var document jobInfoDocument
	if err := json.Unmarshal(trimBOM(data), &document); err != nil {
		return nil, &bodyError{fmt.Errorf("%w: the facts about the job are not the JSON object that they should be", errBodyMalformed)}
	}
	facts := document.jobFacts
	if document.Job != nil {
		facts = *document.Job
	}
	return &jobInfo{id: string(facts.ID), reference: facts.reference(), duration: parseDuration(facts.Duration)}, nil
}

func (f jobFacts) reference() string {
	switch {
	case f.Tracking != nil:
		return f.Tracking.Reference
	case f.Config != nil && f.Config.Tracking != nil:
		return f.Config.Tracking.Reference
	default:
		return ""
	}
}

// parseDuration reads whole seconds. What it cannot read, and the 0 of jobs whose media was fetched, is not told.
func parseDuration(data json.RawMessage) time.Duration {
	var seconds float64
	if len(data) == 0 || json.Unmarshal(data, &seconds) != nil {
		return 0
	}
	if seconds < 0 || seconds > maxAudioDuration.Seconds() {
		return 0
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second)
}

// errForeign means that the facts which came with a notification are those of another job.
var errForeign = errors.New("the facts about the job that came with the notification are those of another job")

// check compares the facts about a job with the notification that they came with. The reference must be ours: it names the job's UID and
// the attempt. Its nonce does not matter: an attempt is claimed anew after its first submission was lost sight of, or its
// claim erased, and it is the first one's job that may announce itself here.
func (i *jobInfo) check(n *notice) error {
	if i == nil {
		return nil
	}
	if i.id != "" && i.id != n.jobID {
		return fmt.Errorf("%w: they tell another ID", errForeign)
	}
	reference, err := notification.ParseReference(i.reference)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errForeign, err)
	case reference.UID != n.target.UID:
		return fmt.Errorf("%w: the reference is another object's", errForeign)
	case reference.Attempt != n.target.Attempt:
		return fmt.Errorf("%w: the reference is another attempt's", errForeign)
	}
	return nil
}
