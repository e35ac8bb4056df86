// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// Purpose says what a token is good for. A token for one purpose is worthless for another.
type Purpose string

const (
	// PurposeCallback is for Speechmatics' own notifications, which come in at the receiver's public door. Whoever holds
	// the account's API key can read this token there.
	PurposeCallback Purpose = "callback"
	// PurposeDeliver is for the manager's deliveries and questions, at the receiver's internal door.
	PurposeDeliver Purpose = "deliver"
)

// MinKeyBytes is the shortest key that is accepted, in bytes: the output size of SHA-256 (RFC 2104, section 3).
const MinKeyBytes = 32

// Keyring signs tokens with one key and accepts those of an additional one. While keys are rotated, receivers learn the new
// key as the additional one, then it signs, and the old one stays as additional key for as long as the longest job.
// A Keyring does not change and may be used concurrently.
type Keyring struct {
	signing    []byte
	additional [][]byte
}

// NewKeyring returns a keyring with its own copies of the keys. Each must have at least MinKeyBytes bytes.
func NewKeyring(signing []byte, additional ...[]byte) (*Keyring, error) {
	if len(signing) < MinKeyBytes {
		return nil, fmt.Errorf("the signing key has %d bytes; at least %d are needed", len(signing), MinKeyBytes)
	}
	k := &Keyring{signing: append([]byte(nil), signing...)}
	for _, key := range additional {
		if len(key) < MinKeyBytes {
			return nil, fmt.Errorf("the additional key has %d bytes; at least %d are needed", len(key), MinKeyBytes)
		}
		k.additional = append(k.additional, append([]byte(nil), key...))
	}
	return k, nil
}

// Token returns the token that proves the right to speak for the target: base64url, without padding, of
// HMAC-SHA256(signing key, purpose "\n" path). It is unambiguous, since neither part can hold a line break.
func (k *Keyring) Token(p Purpose, t Target) string { return sign(k.signing, p, t) }

// Verify says whether a token is the target's, under any of the keys. The time it takes depends neither on the token's
// content nor on which key matches.
func (k *Keyring) Verify(p Purpose, t Target, token string) bool {
	valid := hmac.Equal([]byte(sign(k.signing, p, t)), []byte(token))
	for _, key := range k.additional {
		matches := hmac.Equal([]byte(sign(key, p, t)), []byte(token))
		valid = valid || matches
	}
	return valid
}

func sign(key []byte, p Purpose, t Target) string {
	mac := hmac.New(sha256.New, key)
	// hash.Hash never returns an error.
	_, _ = mac.Write([]byte(string(p) + "\n" + t.Path()))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// bearerPrefix is what a token follows in the header Authorization (RFC 6750).
const bearerPrefix = "Bearer "

// Authorization is the value of the header Authorization that carries a token.
func Authorization(token string) string { return bearerPrefix + token }

// ParseAuthorization takes the token from the value of the header Authorization.
func ParseAuthorization(value string) (token string, err error) {
	if len(value) <= len(bearerPrefix) || value[:len(bearerPrefix)] != bearerPrefix {
		return "", errors.New("the header Authorization carries no bearer token")
	}
	return value[len(bearerPrefix):], nil
}
