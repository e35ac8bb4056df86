// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	kjson "sigs.k8s.io/json"
)

// ClaimAnnotation is the annotation of a TranscriptionJob that holds the Claim as JSON.
const ClaimAnnotation = "transcription-operator.io/claim"

const (
	// maxClaimBytes bounds the annotation. The longest claim that is written, full of IDs whose every byte JSON writes as six, has some
	// 27 KiB; a usual one has half a KiB.
	maxClaimBytes = 32 << 10
	// maxBaseURL is the bound of v1alpha1.RemoteJob.BaseURL, in bytes.
	maxBaseURL = 2048
	// maxKeyFingerprint leaves room for a hexadecimal SHA-512.
	maxKeyFingerprint = 128
)

// Claim is written into a job's metadata before it is submitted. Writing it is what decides who may submit an attempt.
type Claim struct {
	// UID of the TranscriptionJob that was claimed. If it is not the object's own, the annotation was copied or restored
	// from a backup and proves nothing.
	UID types.UID `json:"uid"`
	// Attempt is the number of the submission, from 1 to MaxAttempt.
	Attempt int32 `json:"attempt"`
	// Nonce tells the claims of one attempt apart; see NewNonce.
	Nonce string `json:"nonce"`
	// ClaimedAt is when the claim was made, by the manager's clock.
	ClaimedAt time.Time `json:"claimedAt"`
	// NotAfter is when the last bytes of the submission may go out at the latest, by the same clock. It is after ClaimedAt.
	NotAfter time.Time `json:"notAfter"`
	// AccountUID is the UID of the account whose key is used.
	AccountUID types.UID `json:"accountUID"`
	// BaseURL is where the job is submitted to.
	BaseURL string `json:"baseURL"`
	// KeyFingerprint identifies the API key without giving it away.
	KeyFingerprint string `json:"keyFingerprint"`
	// JobID is the provider's ID, mirrored from the status once it is known, because a status is not restored from a
	// backup and `kubectl replace` of the status may lose it. Empty until then.
	JobID string `json:"jobID,omitempty"`
	// NotCreated means that the submission is proven not to have created a job, so that the attempt may be claimed again
	// without looking for one first.
	NotCreated bool `json:"notCreated,omitempty"`
	// GivenUp means that an earlier submission of the attempt was not found and given up. Should it appear in the provider's list
	// all the same, later than any submission is known to, it is a surplus that somebody has to look for.
	GivenUp bool `json:"givenUp,omitempty"`
	// GivenUpSince is when the earliest submission that was given up was claimed: nothing that is looked for is older.
	GivenUpSince time.Time `json:"givenUpSince,omitzero"`
	// Surplus are the IDs of remote jobs of the attempt that are to be deleted, because another one is kept. At most MaxSurplus.
	Surplus []string `json:"surplus,omitempty"`
}

// MaxSurplus bounds Claim.Surplus. More than one at a time was never seen; what is beyond sets GivenUp.
const MaxSurplus = 8

// Reference is what the job that is submitted under the claim carries as tracking.reference.
func (c Claim) Reference() Reference {
	return Reference{UID: c.UID, Attempt: c.Attempt, Nonce: c.Nonce}
}

// AsGivenUp is the claim with the note that its own submission is given up, beside those before.
func (c Claim) AsGivenUp() Claim {
	if !c.GivenUp {
		c.GivenUp, c.GivenUpSince = true, c.ClaimedAt
	}
	return c
}

// Annotation is the claim as it is kept in ClaimAnnotation. A claim that ParseClaim would refuse is an error.
func (c Claim) Annotation() (string, error) {
	if err := c.validate(); err != nil {
		return "", err
	}
	c.ClaimedAt, c.NotAfter, c.GivenUpSince = c.ClaimedAt.UTC(), c.NotAfter.UTC(), c.GivenUpSince.UTC()
	annotation, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("cannot write the claim: %w", err)
	}
	return string(annotation), nil
}

// ParseClaim reads the annotation ClaimAnnotation. Every field is checked; fields that it does not know are ignored, so that
// a receiver which is updated after the manager can still read what it needs. Errors do not repeat the annotation.
func ParseClaim(annotation string) (Claim, error) {
	if len(annotation) > maxClaimBytes {
		return Claim{}, fmt.Errorf("the claim has more than %d bytes", maxClaimBytes)
	}
	var claim Claim
	strict, err := kjson.UnmarshalStrict([]byte(annotation), &claim, kjson.DisallowDuplicateFields)
	if err != nil {
		return Claim{}, errors.New("the claim is not the JSON object that it should be")
	}
	if len(strict) > 0 {
		return Claim{}, errors.New("the claim says a thing twice")
	}
	if err := claim.validate(); err != nil {
		return Claim{}, err
	}
	return claim, nil
}

func (c Claim) validate() error {
	switch {
	case !uidPattern.MatchString(string(c.UID)):
		return errors.New("the claim's uid is not a UUID in lower case")
	case c.Attempt < 1 || c.Attempt > MaxAttempt:
		return fmt.Errorf("the claim's attempt is not from 1 to %d", MaxAttempt)
	case !noncePattern.MatchString(c.Nonce):
		return errors.New("the claim's nonce is not 32 hexadecimal digits")
	case c.ClaimedAt.IsZero() || !c.NotAfter.After(c.ClaimedAt):
		return errors.New("the claim's notAfter is not after its claimedAt")
	case !uidPattern.MatchString(string(c.AccountUID)):
		return errors.New("the claim's accountUID is not a UUID in lower case")
	case c.BaseURL == "" || len(c.BaseURL) > maxBaseURL:
		return fmt.Errorf("the claim's baseURL does not have 1 to %d bytes", maxBaseURL)
	case c.KeyFingerprint == "" || len(c.KeyFingerprint) > maxKeyFingerprint:
		return fmt.Errorf("the claim's keyFingerprint does not have 1 to %d bytes", maxKeyFingerprint)
	case c.JobID != "" && !ValidJobID(c.JobID):
		return errors.New("the claim's jobID cannot be the ID of a job")
	case len(c.Surplus) > MaxSurplus || slices.ContainsFunc(c.Surplus, func(id string) bool { return !ValidJobID(id) }):
		return fmt.Errorf("the claim's surplus is not a list of at most %d IDs of jobs", MaxSurplus)
	}
	return nil
}
