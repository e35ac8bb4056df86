// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// nonceBytes is the randomness of a nonce.
const nonceBytes = 16

// noncePattern is the form of a nonce.
var noncePattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// NewNonce returns a nonce: 128 random bits in hexadecimal. The manager marks those that it submits with, so that their last half is
// no more random.
func NewNonce() string {
	var nonce [nonceBytes]byte
	// crypto/rand.Read never returns an error; it ends the program if there is no randomness.
	_, _ = rand.Read(nonce[:])
	return hex.EncodeToString(nonce[:])
}

// Reference is what a job at Speechmatics carries as tracking.reference. By it a job is found again whose ID was never
// received, and every answer about a job is checked against it before it is believed.
type Reference struct {
	// UID of the TranscriptionJob.
	UID types.UID
	// Attempt is the number of the submission, from 1 to MaxAttempt.
	Attempt int32
	// Nonce tells the claims of one attempt apart; see NewNonce.
	Nonce string
}

// String is the reference as the provider keeps it: <uid>/<attempt>/<nonce>.
func (r Reference) String() string { return fmt.Sprintf("%s/%d/%s", r.UID, r.Attempt, r.Nonce) }

// ParseReference reads a reference strictly. Errors do not repeat the input, which may be anybody's.
func ParseReference(s string) (Reference, error) {
	uid, rest, ok := strings.Cut(s, "/")
	attempt, nonce, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return Reference{}, errors.New("the reference does not have the form <uid>/<attempt>/<nonce>")
	}
	parsedUID, err := parseUID(uid)
	if err != nil {
		return Reference{}, fmt.Errorf("in the reference, %w", err)
	}
	parsedAttempt, err := parseAttempt(attempt)
	if err != nil {
		return Reference{}, fmt.Errorf("in the reference, %w", err)
	}
	if !noncePattern.MatchString(nonce) {
		return Reference{}, errors.New("in the reference, the nonce is not 32 hexadecimal digits")
	}
	return Reference{UID: parsedUID, Attempt: parsedAttempt, Nonce: nonce}, nil
}
