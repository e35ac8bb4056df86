// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// keyList gives one key after the other: the next one when one is refused.
type keyList struct {
	keys    []string
	err     error
	refused []string
}

func (l *keyList) Key(context.Context) (string, error) {
	if len(l.keys) == 0 {
		return "", l.err
	}
	return l.keys[0], nil
}

func (l *keyList) Refused(key string) {
	l.refused = append(l.refused, key)
	if len(l.keys) > 1 || l.err != nil {
		l.keys = l.keys[1:]
	}
}

// keyServer accepts one key.
func keyServer(t *testing.T, good string, asked *[]string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		*asked = append(*asked, key)
		switch {
		case key != good:
			answer(http.StatusUnauthorized, "application/json", `{"code":401,"error":"not `+key+`"}`)(w, r)
		case r.Method == http.MethodPost:
			answer(http.StatusCreated, "application/json", `{"id":"a"}`)(w, r)
		default:
			answer(http.StatusOK, "application/json", `{"job":{"id":"a"}}`)(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

func TestKeySource(t *testing.T) {
	const first, second, third = "first-key-0001", "second-key-002", "third-key-0003"
	errNone := errors.New("no more, not even first-key-0001")
	getJob := func(ctx context.Context, c *Client) error { _, err := c.GetJob(ctx, "a"); return err }
	createJob := func(ctx context.Context, c *Client) error { _, err := c.CreateJob(ctx, upload100(100)); return err }
	isRefused := func(err error) bool { return IsUnauthorized(err) && !errors.As(err, new(*KeyError)) }
	tests := []struct {
		name    string
		source  keyList
		call    func(context.Context, *Client) error
		asked   []string
		refused []string
		is      func(error) bool // nil: no error
	}{
		{name: "good", source: keyList{keys: []string{second}}, call: getJob, asked: []string{second}},
		{
			name: "replaced", source: keyList{keys: []string{first, second}}, call: getJob,
			asked: []string{first, second}, refused: []string{first},
		},
		{
			name: "replaced by a bad one", source: keyList{keys: []string{first, third, second}}, call: getJob,
			asked: []string{first, third}, refused: []string{first, third}, is: isRefused,
		},
		{
			name: "the only one", source: keyList{keys: []string{first}}, call: getJob,
			asked: []string{first}, refused: []string{first}, is: isRefused,
		},
		{
			name: "none to begin with", source: keyList{err: errNone}, call: getJob,
			is: func(err error) bool { return errors.As(err, new(*KeyError)) && errors.Is(err, errNone) },
		},
		{
			name: "none to replace it", source: keyList{keys: []string{first}, err: errNone}, call: getJob,
			asked: []string{first}, refused: []string{first},
			is: func(err error) bool { return errors.As(err, new(*KeyError)) && errors.Is(err, errNone) },
		},
		{
			name: "a key that is none", source: keyList{keys: []string{"with\nnewline"}}, call: getJob,
			is: func(err error) bool { return errors.As(err, new(*KeyError)) && !strings.Contains(err.Error(), "with") },
		},
		{name: "submission", source: keyList{keys: []string{second}}, call: createJob, asked: []string{second}},
		{
			name: "a submission is not repeated", source: keyList{keys: []string{first, second}}, call: createJob,
			asked: []string{first}, refused: []string{first},
			is: func(err error) bool { return isRefused(err) && NotCreated(err) },
		},
		{
			name: "a submission without a key", source: keyList{err: errNone}, call: createJob,
			is: func(err error) bool { return errors.As(err, new(*KeyError)) && NotCreated(err) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked []string
			server := keyServer(t, second, &asked)
			c, err := New(server.URL+"/v2", WithKeySource(&tt.source))
			if err != nil {
				t.Fatal(err)
			}
			defer c.CloseIdleConnections()
			err = tt.call(testContext(t), c)
			if (err == nil) != (tt.is == nil) || (err != nil && !tt.is(err)) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(tt.asked, asked); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.refused, tt.source.refused); diff != "" {
				t.Error(diff)
			}
			for _, key := range tt.asked {
				if err != nil && strings.Contains(err.Error(), key) {
					t.Errorf("the key is in %q", err)
				}
			}
		})
	}
}

func TestKeyOptions(t *testing.T) {
	if _, err := New("https://example.com/v2", WithKeySource(nil)); err == nil {
		t.Error("no source is accepted")
	}
	if _, err := New("https://example.com/v2", WithClock(nil)); err == nil {
		t.Error("no clock is accepted")
	}
	var asked []string
	server := keyServer(t, testKey, &asked)
	c := newTestClient(t, server.URL+"/v2", WithKeySource(&keyList{keys: []string{"another"}}), WithAPIKey(testKey))
	if _, err := c.GetJob(testContext(t), "a"); err != nil {
		t.Error(err)
	}
	// A key that does not change is not worth a second request.
	if _, err := newTestClient(t, server.URL+"/v2", WithAPIKey("another")).GetJob(testContext(t), "a"); !IsUnauthorized(err) || len(asked) != 2 {
		t.Errorf("got %v after %v", err, asked)
	}
}

// What holds a key must not tell it, whatever it is printed with.
func TestKeysAreNotPrinted(t *testing.T) {
	keys, err := NewTemporaryKeys(testKey, TemporaryKeysOptions{})
	if err != nil {
		t.Fatal(err)
	}
	key := TemporaryKey{Value: testKey, Expires: at(0, 0)}
	keys.current = key
	holders := []any{keys, key, &key, newTestClient(t, "https://example.com/v2"), newTestClient(t, "https://example.com/v2", WithKeySource(keys))}
	for _, holder := range holders {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if text := fmt.Sprintf(verb, holder); strings.Contains(text, testKey) || text == "" {
				t.Errorf("%T with %s: %s", holder, verb, text)
			}
		}
	}
}

// keyMaker stands in for the management API.
type keyMaker struct {
	status      int
	answer      string // empty: numbered keys
	made        atomic.Int32
	requests    []string
	bodies      []string
	beforeReply func()
}

func (m *keyMaker) RoundTrip(r *http.Request) (*http.Response, error) {
	n := m.made.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m.requests = append(m.requests, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Content-Type"))
	m.bodies = append(m.bodies, string(body))
	if m.beforeReply != nil {
		m.beforeReply()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	status, text := http.StatusCreated, fmt.Sprintf(`{"apikey_id":null,"key_value":"eyJ.%d"}`, n)
	if m.answer != "" || m.status != 0 {
		status, text = m.status, m.answer
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func newKeys(t *testing.T, maker http.RoundTripper, opts TemporaryKeysOptions) *TemporaryKeys {
	t.Helper()
	opts.HTTPClient = &http.Client{Transport: maker}
	keys, err := NewTemporaryKeys(testKey, opts)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestTemporaryKeys(t *testing.T) {
	now := at(0, 0)
	maker := &keyMaker{}
	keys := newKeys(t, maker, TemporaryKeysOptions{TTL: 2 * time.Minute, ClientRef: `user "1"`, Now: func() time.Time { return now }})
	expect := func(want string, requests int32) {
		t.Helper()
		got, err := keys.Key(testContext(t))
		if err != nil || got != want || maker.made.Load() != requests {
			t.Errorf("got %q, %v after %d requests", got, err, maker.made.Load())
		}
	}
	expect("eyJ.1", 1)
	expect("eyJ.1", 1)
	now = now.Add(2*time.Minute - 10*time.Second - 1)
	expect("eyJ.1", 1)
	now = now.Add(1)
	expect("eyJ.2", 2)
	keys.Refused("eyJ.1") // an old one
	expect("eyJ.2", 2)
	keys.Refused("eyJ.2")
	expect("eyJ.3", 3)
	for i, request := range maker.requests {
		if want := "POST https://mp.speechmatics.com/v1/api_keys?type=batch Bearer " + testKey + " application/json"; request != want {
			t.Errorf("got %s", request)
		}
		if want := `{"ttl":120,"client_ref":"user \"1\""}`; maker.bodies[i] != want {
			t.Errorf("got %s", maker.bodies[i])
		}
	}
	made, err := keys.Create(testContext(t))
	if err != nil || made.Value != "eyJ.4" || !made.Expires.Equal(now.Add(2*time.Minute)) {
		t.Errorf("got %v, %v", made, err)
	}
	expect("eyJ.3", 4)
}

func TestTemporaryKeysOptions(t *testing.T) {
	maker := &keyMaker{}
	keys := newKeys(t, maker, TemporaryKeysOptions{URL: "http://127.0.0.1:1/v1/api_keys"})
	made, err := keys.Create(testContext(t))
	if err != nil || time.Until(made.Expires) > 10*time.Minute || time.Until(made.Expires) < 9*time.Minute {
		t.Errorf("got %v, %v", made, err)
	}
	if maker.bodies[0] != `{"ttl":600}` || !strings.HasPrefix(maker.requests[0], "POST http://127.0.0.1:1/v1/api_keys?type=batch ") {
		t.Errorf("got %s %s", maker.requests[0], maker.bodies[0])
	}
	for _, tt := range []struct {
		key, field string
		options    TemporaryKeysOptions
	}{
		{"", "API key", TemporaryKeysOptions{}},
		{"a key\n", "API key", TemporaryKeysOptions{}},
		{testKey, "TTL", TemporaryKeysOptions{TTL: 59 * time.Second}},
		{testKey, "TTL", TemporaryKeysOptions{TTL: 24*time.Hour + 1}},
		{testKey, "TTL", TemporaryKeysOptions{TTL: 90*time.Second + 1}},
		{testKey, "TTL", TemporaryKeysOptions{TTL: -time.Minute}},
		{testKey, "ClientRef", TemporaryKeysOptions{ClientRef: strings.Repeat("a", 1025)}},
		{testKey, "ClientRef", TemporaryKeysOptions{ClientRef: "a\n"}},
		{testKey, "ClientRef", TemporaryKeysOptions{ClientRef: "\xff"}},
		{testKey, "URL", TemporaryKeysOptions{URL: "https://u:p@example.com"}},
		{testKey, "URL", TemporaryKeysOptions{URL: "mp.speechmatics.com"}},
		{testKey, "URL", TemporaryKeysOptions{URL: "https://example.com/?type=rt"}},
	} {
		var invalid *InvalidError
		if _, err := NewTemporaryKeys(tt.key, tt.options); !errors.As(err, &invalid) || invalid.Field != tt.field {
			t.Errorf("%+v: got %v", tt.options, err)
		}
	}
	keys, err = NewTemporaryKeys(testKey, TemporaryKeysOptions{})
	if err != nil {
		t.Fatal(err)
	}
	keys.CloseIdleConnections()
}

func TestTemporaryKeysFail(t *testing.T) {
	tests := []struct {
		name   string
		status int
		answer string
		is     func(error) bool
	}{
		{"refused", 401, `{"code":401,"error":"` + testKey + ` is bad"}`, IsUnauthorized},
		{"not permitted", 403, `{"code":403,"error":"Forbidden"}`, IsForbidden},
		{"down", 503, ``, func(err error) bool { return hasStatus(err, 503) }},
		{"moved", 302, ``, func(err error) bool { return hasStatus(err, 302) }},
		{"a page", 200, `<html>hunter2</html>`, isResponseError},
		{"no key", 201, `{"apikey_id":null}`, isResponseError},
		{"null", 201, `{"key_value":null}`, isResponseError},
		{"a number", 201, `{"key_value":1}`, isResponseError},
		{"empty", 201, `{"key_value":""}`, isResponseError},
		{"with a newline", 201, `{"key_value":"hunter2\n"}`, isResponseError},
		{"too long", 201, `{"key_value":"` + strings.Repeat("x", maxAPIKeyBytes+1) + `"}`, isResponseError},
		{"too large", 201, strings.Repeat(" ", maxTemporaryAnswerBytes) + `{"key_value":"x"}`, isResponseError},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			maker := &keyMaker{status: tt.status, answer: tt.answer}
			keys := newKeys(t, maker, TemporaryKeysOptions{})
			_, err := keys.Key(testContext(t))
			if !tt.is(err) {
				t.Errorf("got %v", err)
			}
			if text := err.Error(); strings.Contains(text, testKey) || strings.Contains(text, "hunter2") || !strings.Contains(text, "TemporaryKeys.Create") {
				t.Errorf("got %q", text)
			}
			maker.answer, maker.status = "", 0
			if _, err := keys.Key(testContext(t)); err != nil {
				t.Errorf("the failure is kept: %v", err)
			}
		})
	}
}

func isResponseError(err error) bool { return errors.As(err, new(*ResponseError)) }

// Whoever needs a key while one is made gets that one, or its failure.
func TestTemporaryKeysSingleFlight(t *testing.T) {
	for name, status := range map[string]int{"success": 0, "failure": http.StatusForbidden} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const callers = 20
				gate := make(chan struct{})
				maker := &keyMaker{status: status, beforeReply: func() { <-gate }}
				keys := newKeys(t, maker, TemporaryKeysOptions{})
				results := make(chan error, callers)
				for range callers {
					go func() {
						_, err := keys.Key(t.Context())
						results <- err
					}()
				}
				synctest.Wait()
				close(gate)
				for range callers {
					if err := <-results; IsForbidden(err) != (status != 0) {
						t.Errorf("got %v", err)
					}
				}
				if n := maker.made.Load(); n != 1 {
					t.Errorf("%d requests", n)
				}
			})
		})
	}
}

// That the caller who is making a key goes away is no failure of the others, and a waiting one can go away by itself.
func TestTemporaryKeysAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		maker := &keyMaker{beforeReply: func() { <-gate }}
		keys := newKeys(t, maker, TemporaryKeysOptions{})
		key := func(ctx context.Context) chan error {
			result := make(chan error, 1)
			go func() {
				_, err := keys.Key(ctx)
				result <- err
			}()
			synctest.Wait()
			return result
		}
		makingCtx, cancelMaking := context.WithCancel(t.Context())
		waitingCtx, cancelWaiting := context.WithCancel(t.Context())
		making, waiting, patient := key(makingCtx), key(waitingCtx), key(t.Context())
		cancelWaiting()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting: got %v", err)
		}
		cancelMaking()
		close(gate)
		if err := <-making; !errors.Is(err, context.Canceled) {
			t.Errorf("making: got %v", err)
		}
		if err := <-patient; err != nil {
			t.Errorf("patient: got %v", err)
		}
		if n := maker.made.Load(); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}

// A transport that panics must not leave the others waiting, nor give them nothing for a key.
func TestTemporaryKeysPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		maker := &keyMaker{}
		maker.beforeReply = func() {
			<-gate
			maker.beforeReply = nil
			panic("broken transport")
		}
		keys := newKeys(t, maker, TemporaryKeysOptions{})
		for range 2 {
			go func() {
				defer func() { _ = recover() }()
				if key, err := keys.Key(t.Context()); err != nil || key != "eyJ.2" {
					t.Errorf("got %q, %v", key, err)
				}
			}()
			synctest.Wait()
		}
		close(gate)
		synctest.Wait()
		if n := maker.made.Load(); n != 2 {
			t.Errorf("%d requests", n)
		}
	})
}

// From end to end: a key that ends early is replaced, and the request sent again.
func TestClientWithTemporaryKeys(t *testing.T) {
	maker := &keyMaker{}
	keys := newKeys(t, maker, TemporaryKeysOptions{})
	var asked []string
	server := keyServer(t, "eyJ.2", &asked)
	c, err := New(server.URL+"/v2", WithKeySource(keys))
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	for range 2 {
		if _, err := c.GetJob(testContext(t), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"eyJ.1", "eyJ.2", "eyJ.2"}, asked); diff != "" {
		t.Error(diff)
	}
	// The management API's refusal is told apart from the API's, and its key is in no text either.
	keys.Refused("eyJ.2")
	maker.status, maker.answer = http.StatusForbidden, `{"code":403,"error":"maximum number of keys for `+testKey+`"}`
	_, err = c.GetJob(testContext(t), "a")
	var answer *Error
	if !IsForbidden(err) || !errors.As(err, new(*KeyError)) || !errors.As(err, &answer) || answer.Operation != opTemporaryKey {
		t.Errorf("got %v", err)
	}
	if strings.Contains(err.Error(), testKey) || !strings.Contains(err.Error(), "maximum number of keys") {
		t.Errorf("got %q", err)
	}
}

func TestKeyErrorText(t *testing.T) {
	c, err := New("https://example.com/v2", WithKeySource(&keyList{err: errors.New("GET https://u:p@h/?q=hunter2\nfailed")}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetJob(t.Context(), "z2jfp1jwu1")
	if want := "speechmatics: GetJob z2jfp1jwu1: no API key: GET https://h/ failed"; err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// A redirect could lead the API key to another host.
func TestTemporaryKeysFollowNoRedirects(t *testing.T) {
	elsewhere := httptest.NewServer(neverAsked(t))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/?token=hunter2", http.StatusTemporaryRedirect))
	defer server.Close()
	for _, httpClient := range []*http.Client{nil, server.Client()} {
		keys, err := NewTemporaryKeys(testKey, TemporaryKeysOptions{URL: server.URL, HTTPClient: httpClient})
		if err != nil {
			t.Fatal(err)
		}
		_, err = keys.Key(testContext(t))
		if !hasStatus(err, http.StatusTemporaryRedirect) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
		keys.CloseIdleConnections()
	}
}
