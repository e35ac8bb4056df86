// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// defaultProject is the project of the keys that name none.
const defaultProject = "default"

// keyring knows the API keys, by their SHA-256: a lookup takes the same time whatever the key.
type keyring struct {
	mu        sync.RWMutex
	keys      map[[sha256.Size]byte]*apiKey
	temporary int // how many of them are
}

// apiKey is a key with its own rate limits.
type apiKey struct {
	caller
	expiresAt          time.Time // zero: never
	submissions, reads *rate.Limiter
}

// AddKey adds a key of the default project; an existing one starts with full rate limits again.
func (s *Server) AddKey(key string) { s.AddProjectKey(defaultProject, key) }

// AddProjectKey adds a key of a project.
func (s *Server) AddProjectKey(project, key string) {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if s.keys.keys == nil {
		s.keys.keys = map[[sha256.Size]byte]*apiKey{}
	}
	s.keys.keys[sha256.Sum256([]byte(key))] = &apiKey{
		caller:      caller{project: project},
		submissions: limiter(s.options.Limits.SubmissionsPerSecond),
		reads:       limiter(s.options.Limits.ReadsPerSecond),
	}
}

// RevokeKey removes a key at once, and reports whether there was such a key.
func (s *Server) RevokeKey(secret string) bool {
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	sum := sha256.Sum256([]byte(secret))
	key, known := s.keys.keys[sum]
	if known && key.temporary {
		s.keys.temporary--
	}
	delete(s.keys.keys, sum)
	return known
}

// empty says that there are no keys at all.
func (k *keyring) empty() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.keys) == 0
}

// of returns the key that a request carries.
func (k *keyring) of(r *http.Request) (*apiKey, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, false
	}
	return k.find(strings.TrimSpace(token))
}

// find returns a key by what clients send.
func (k *keyring) find(secret string) (*apiKey, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	key, ok := k.keys[sha256.Sum256([]byte(secret))]
	return key, ok
}

// allow takes a token of the bucket that the operation uses.
func (k *apiKey) allow(operation Operation, now time.Time) bool {
	if operation == OperationCreate {
		return k.submissions.AllowN(now, 1)
	}
	return k.reads.AllowN(now, 1)
}

// limiter is a bucket that holds one second's worth of requests.
func limiter(perSecond float64) *rate.Limiter {
	if perSecond < 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
}
