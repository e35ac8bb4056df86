// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// DefaultTemporaryKeyURL is where the provider makes temporary keys (documentation, "Authentication").
	DefaultTemporaryKeyURL = "https://mp.speechmatics.com/v1/api_keys"

	minTemporaryKeyTTL     = time.Minute
	maxTemporaryKeyTTL     = 24 * time.Hour
	defaultTemporaryKeyTTL = 10 * time.Minute

	// keyExpiryMargin is how long before its end a key is replaced, so that a request is there before its key has ended.
	keyExpiryMargin = 10 * time.Second

	maxClientRefBytes       = 1024
	maxTemporaryAnswerBytes = 64 << 10
)

// TemporaryKeysOptions adjusts [NewTemporaryKeys].
type TemporaryKeysOptions struct {
	// TTL is how long each key is valid: whole seconds, a minute to a day; 0 means ten minutes.
	TTL time.Duration
	// ClientRef, if not empty, restricts the keys to the jobs that were created with keys of the same one: a user of the caller's for
	// example, to whom a key may be given then. Such keys cannot be used for [Client.Usage].
	ClientRef string
	// URL is where keys are made; empty for [DefaultTemporaryKeyURL].
	URL string
	// HTTPClient sends the requests; nil for one with a transport of its own. Redirects are not followed.
	HTTPClient *http.Client
	// Now is the clock; nil for the system's.
	Now func() time.Time
}

// TemporaryKeys is a [KeySource] that makes temporary keys out of an API key, and a new one ten seconds before the old one ends or
// when it is refused. Whoever needs one while it is made waits for that one request. It is safe for concurrent use.
type TemporaryKeys struct {
	url       string
	apiKey    string
	ttl       time.Duration
	clientRef string
	http      *http.Client
	now       func() time.Time

	mu      sync.Mutex
	current TemporaryKey
	flight  *keyFlight // nil: no key is being made
}

// TemporaryKey is a key that ends by itself.
type TemporaryKey struct {
	// Value is the key. It is a secret.
	Value string
	// Expires is when it ends, at the earliest.
	Expires time.Time
}

// String does not tell the key.
func (k TemporaryKey) String() string {
	return "temporary key until " + k.Expires.Format(time.RFC3339)
}

// GoString does not tell the key either.
func (k TemporaryKey) GoString() string { return k.String() }

// keyFlight is a key that is being made. What it holds is written before done is closed.
type keyFlight struct {
	done      chan struct{}
	key       TemporaryKey
	err       error
	abandoned bool // the caller who was making it went away, which says nothing to the others
}

// NewTemporaryKeys returns a source of keys that are made out of an API key, which the hosted service's management API has to permit.
// Errors are *InvalidError; no key is made yet.
func NewTemporaryKeys(apiKey string, opts TemporaryKeysOptions) (*TemporaryKeys, error) {
	invalid := func(field, problem string) (*TemporaryKeys, error) {
		return nil, &InvalidError{Operation: opNewTemporaryKeys, Field: field, Problem: problem}
	}
	if problem := headerValueProblem(apiKey, maxAPIKeyBytes); problem != "" {
		return invalid("API key", problem)
	}
	if opts.TTL == 0 {
		opts.TTL = defaultTemporaryKeyTTL
	}
	if opts.TTL < minTemporaryKeyTTL || opts.TTL > maxTemporaryKeyTTL || opts.TTL%time.Second != 0 {
		return invalid("TTL", fmt.Sprintf("is %s, and must be whole seconds, from %s to %s", opts.TTL, minTemporaryKeyTTL, maxTemporaryKeyTTL))
	}
	if problem := clientRefProblem(opts.ClientRef); problem != "" {
		return invalid("ClientRef", problem)
	}
	if opts.URL == "" {
		opts.URL = DefaultTemporaryKeyURL
	}
	url, err := parseBaseURL(opNewTemporaryKeys, "URL", opts.URL)
	if err != nil {
		return nil, err
	}
	keys := &TemporaryKeys{url: url, apiKey: apiKey, ttl: opts.TTL, clientRef: opts.ClientRef, now: opts.Now}
	if keys.now == nil {
		keys.now = time.Now
	}
	if opts.HTTPClient == nil {
		opts.HTTPClient = &http.Client{Transport: newTransport()}
	}
	keys.http = withoutRedirects(*opts.HTTPClient)
	return keys, nil
}

func clientRefProblem(ref string) string {
	switch {
	case len(ref) > maxClientRefBytes:
		return fmt.Sprintf("is longer than %d bytes", maxClientRefBytes)
	case !utf8.ValidString(ref) || strings.ContainsFunc(ref, unicode.IsControl):
		return "is not UTF-8, or contains control characters"
	default:
		return ""
	}
}

// String does not tell the keys.
func (t *TemporaryKeys) String() string { return "speechmatics.TemporaryKeys of " + t.url }

// GoString does not tell the keys either.
func (t *TemporaryKeys) GoString() string { return t.String() }

// CloseIdleConnections closes connections that are kept for later requests. Call it when the source is no longer needed.
func (t *TemporaryKeys) CloseIdleConnections() { t.http.CloseIdleConnections() }

// Key returns a key that is valid for ten seconds at least, making one if need be. Errors are those of [TemporaryKeys.Create], and the
// context's.
func (t *TemporaryKeys) Key(ctx context.Context) (string, error) {
	for {
		key, flight, mine := t.board()
		switch {
		case flight == nil:
			return key.Value, nil
		case mine:
			t.fly(ctx, flight)
			return flight.key.Value, flight.err
		}
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-flight.done:
			if !flight.abandoned {
				return flight.key.Value, flight.err
			}
		}
	}
}

// Refused forgets a key, so that the next one is another.
func (t *TemporaryKeys) Refused(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.Value == key {
		t.current = TemporaryKey{}
	}
}

// board returns the present key if it is good, and otherwise the flight that brings the next one, which is the caller's to make if
// it is his.
func (t *TemporaryKeys) board() (key TemporaryKey, flight *keyFlight, mine bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.now().Before(t.current.Expires.Add(-keyExpiryMargin)):
		return t.current, nil, false
	case t.flight != nil:
		return TemporaryKey{}, t.flight, false
	default:
		t.flight = &keyFlight{done: make(chan struct{})}
		return TemporaryKey{}, t.flight, true
	}
}

// fly makes a key, and gives it to everybody who waits for it.
func (t *TemporaryKeys) fly(ctx context.Context, flight *keyFlight) {
	flight.abandoned = true // should Create panic, the others try themselves
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.current = flight.key // none if that failed
		t.flight = nil
		close(flight.done)
	}()
	flight.key, flight.err = t.Create(ctx)
	flight.abandoned = flight.err != nil && ctx.Err() != nil
}

// Create makes a key and returns it, without keeping it: to hand it to somebody for example. Errors are *Error, *TransportError and
// *ResponseError.
func (t *TemporaryKeys) Create(ctx context.Context) (TemporaryKey, error) {
	made := t.now() // before the request, so that Expires is not later than the provider's idea of it
	call := &call{operation: opTemporaryKey, key: t.apiKey}
	req, err := t.newRequest(ctx)
	if err != nil {
		return TemporaryKey{}, call.transportError(err)
	}
	resp, err := t.http.Do(req)
	if err != nil {
		return TemporaryKey{}, call.transportError(err)
	}
	defer closeBody(resp)
	if !isSuccess(resp.StatusCode) {
		return TemporaryKey{}, call.readError(resp, t.now)
	}
	value, err := call.readTemporaryKey(resp)
	if err != nil {
		return TemporaryKey{}, err
	}
	return TemporaryKey{Value: value, Expires: made.Add(t.ttl)}, nil
}

func (t *TemporaryKeys) newRequest(ctx context.Context) (*http.Request, error) {
	body, err := json.Marshal(struct {
		TTL       int64  `json:"ttl"`
		ClientRef string `json:"client_ref,omitempty"`
	}{int64(t.ttl / time.Second), t.clientRef})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"?type=batch", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", defaultUserAgent)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+t.apiKey)
	return req, nil
}

// readTemporaryKey reads {"apikey_id": null, "key_value": "eyJ…"}. Its errors do not repeat the answer, which is a secret.
func (k *call) readTemporaryKey(resp *http.Response) (string, error) {
	var made struct {
		KeyValue json.RawMessage `json:"key_value"`
	}
	if err := k.decode(resp, maxTemporaryAnswerBytes, &made); err != nil {
		return "", err
	}
	var value string
	if err := json.Unmarshal(made.KeyValue, &value); err != nil {
		return "", k.responseError(resp, errors.New("it has no key_value"))
	}
	if problem := headerValueProblem(value, maxAPIKeyBytes); problem != "" {
		return "", k.responseError(resp, errors.New("its key_value "+problem))
	}
	return value, nil
}
