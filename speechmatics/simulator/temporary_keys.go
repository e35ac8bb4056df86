// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	minKeyTTL = 60
	maxKeyTTL = 86_400
	// maxTemporaryKeys bounds how many keys are remembered; expired ones make room.
	maxTemporaryKeys = 10_000
	maxClientRef     = 1024
)

// keyRequest is what a temporary key is to be.
type keyRequest struct {
	ttl       time.Duration
	clientRef string
}

// createdKey is the answer to a request for a temporary key.
type createdKey struct {
	ID    *string `json:"apikey_id"` // always null
	Value string  `json:"key_value"`
}

// createKey answers POST /v1/api_keys?type=batch: a key for a while, perhaps restricted to the jobs that are
// created with the same client_ref.
func (s *Server) createKey(w http.ResponseWriter, r *http.Request, by caller) {
	if by.temporary {
		s.writeError(w, http.StatusForbidden, "Forbidden", "")
		return
	}
	wanted, err := readKeyRequest(w, r)
	if err != nil {
		// The reason is in message, where the provider's own library looks for it.
		const status = http.StatusUnprocessableEntity
		writeJSON(w, status, map[string]any{"code": status, "error": http.StatusText(status), "message": err.Error()})
		return
	}
	token, ok := s.addTemporaryKey(by.project, wanted)
	if !ok {
		s.writeError(w, http.StatusForbidden, "Forbidden", "too many keys")
		return
	}
	writeJSON(w, http.StatusCreated, createdKey{Value: token})
}

func readKeyRequest(w http.ResponseWriter, r *http.Request) (keyRequest, error) {
	if r.URL.Query().Get("type") != "batch" {
		return keyRequest{}, errors.New("type in query must be batch")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBytes))
	if err != nil {
		return keyRequest{}, errors.New("the body cannot be read")
	}
	fields, err := decodeObject(body)
	if err != nil {
		return keyRequest{}, errors.New("the body must be a JSON object")
	}
	o := object{fields: fields}
	ttl, there, err := o.number("ttl", minKeyTTL, maxKeyTTL, true)
	if err != nil || !there {
		return keyRequest{}, errors.New("ttl must be between 60 and 86400")
	}
	clientRef, err := o.string("client_ref")
	if err != nil || len(clientRef) > maxClientRef {
		return keyRequest{}, errors.New("client_ref must be a short string")
	}
	return keyRequest{ttl: time.Duration(ttl) * time.Second, clientRef: clientRef}, nil
}

// addTemporaryKey makes a key and remembers it, unless there are too many.
func (s *Server) addTemporaryKey(project string, wanted keyRequest) (string, bool) {
	now := s.clock.Now()
	token := signedToken(s.tokenSecret, project, wanted, now)
	k := &apiKey{
		caller:      caller{project: project, clientRef: wanted.clientRef, temporary: true},
		expiresAt:   now.Add(wanted.ttl),
		submissions: limiter(s.options.Limits.SubmissionsPerSecond),
		reads:       limiter(s.options.Limits.ReadsPerSecond),
	}
	return token, s.keys.addTemporary(token, k, now)
}

// addTemporary remembers a key. Where there are too many, expired ones are forgotten.
func (k *keyring) addTemporary(token string, key *apiKey, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.temporary >= maxTemporaryKeys {
		for sum, known := range k.keys {
			if known.temporary && known.expired(now) {
				delete(k.keys, sum)
				k.temporary--
			}
		}
	}
	if k.temporary >= maxTemporaryKeys {
		return false
	}
	k.keys[sha256.Sum256([]byte(token))] = key
	k.temporary++
	return true
}

// expired says whether a temporary key's time is over.
func (k *apiKey) expired(now time.Time) bool {
	return !k.expiresAt.IsZero() && !now.Before(k.expiresAt)
}

// signedToken looks like the service's keys: a JSON Web Token.
func signedToken(secret []byte, project string, wanted keyRequest, now time.Time) string {
	claims := map[string]any{
		"aud": []string{"batch"}, "exp": now.Add(wanted.ttl).Unix(), "iat": now.Unix(), "iss": serverName, "jti": randomHex(16), "sub": project,
	}
	if wanted.clientRef != "" {
		claims["client_ref"] = wanted.clientRef
	}
	signed := encodedToken(map[string]any{"alg": "HS256", "typ": "JWT"}) + "." + encodedToken(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func encodedToken(part map[string]any) string {
	encoded, err := json.Marshal(part)
	if err != nil { // plain values only
		panic("simulator: a token cannot be encoded: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(encoded)
}

// refuseExpired answers for a key whose time is over.
func (s *Server) refuseExpired(w http.ResponseWriter) {
	if s.Behaviour().ExpiredKeyStatus == http.StatusUnauthorized {
		s.edgeError(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	s.writeError(w, http.StatusForbidden, "Forbidden", "Entitlement check failed")
}
