// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewRefuses(t *testing.T) {
	const good = "https://eu1.asr.api.speechmatics.com/v2"
	tests := []struct {
		name    string
		baseURL string
		opts    []Option
		field   string
	}{
		{name: "empty", baseURL: "", field: "base URL"},
		{name: "no scheme", baseURL: "eu1.asr.api.speechmatics.com/v2", field: "base URL"},
		{name: "other scheme", baseURL: "ftp://host/v2", field: "base URL"},
		{name: "no host", baseURL: "https:///v2", field: "base URL"},
		{name: "port without host", baseURL: "https://:443/v2", field: "base URL"},
		{name: "opaque", baseURL: "https:host", field: "base URL"},
		{name: "not a URL", baseURL: "https://user:hunter2@host:port/", field: "base URL"},
		{name: "user information", baseURL: "https://user:hunter2@host/v2", field: "base URL"},
		{name: "query", baseURL: "https://host/v2?key=hunter2", field: "base URL"},
		{name: "empty query", baseURL: "https://host/v2?", field: "base URL"},
		{name: "fragment", baseURL: "https://host/v2#hunter2", field: "base URL"},
		{name: "empty fragment", baseURL: "https://host/v2#", field: "base URL"},
		{name: "control character", baseURL: "https://host/\n", field: "base URL"},
		{name: "too long", baseURL: "https://host/" + strings.Repeat("a", maxBaseURLBytes), field: "base URL"},
		{name: "no key", baseURL: good, opts: []Option{WithAPIKey("")}, field: "API key"},
		{name: "key with a newline", baseURL: good, opts: []Option{WithAPIKey("hunter2\n")}, field: "API key"},
		{name: "key with a letter beyond ASCII", baseURL: good, opts: []Option{WithAPIKey("hunter2é")}, field: "API key"},
		{name: "huge key", baseURL: good, opts: []Option{WithAPIKey(strings.Repeat("a", maxAPIKeyBytes+1))}, field: "API key"},
		{name: "no user agent", baseURL: good, opts: []Option{WithUserAgent("")}, field: "user agent"},
		{name: "user agent of two lines", baseURL: good, opts: []Option{WithUserAgent("a\r\nb")}, field: "user agent"},
		{name: "no integration", baseURL: good, opts: []Option{WithIntegration("")}, field: "integration"},
		{name: "no HTTP client", baseURL: good, opts: []Option{WithHTTPClient(nil)}, field: "HTTP client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.baseURL, tt.opts...)
			var invalid *InvalidError
			if !errors.As(err, &invalid) || invalid.Field != tt.field {
				t.Fatalf("got %v; want a complaint about %s", err, tt.field)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

// Every request, with all that it says.
func TestRequests(t *testing.T) {
	type request struct{ Method, URI, Authorization, UserAgent string }
	tests := []struct {
		name    string
		subPath string
		call    func(context.Context, *Client) error
		want    request
	}{
		{
			name:    "get",
			subPath: "/v2",
			call:    func(ctx context.Context, c *Client) error { _, err := c.GetJob(ctx, "z2jfp1jwu1"); return err },
			want:    request{Method: "GET", URI: "/v2/jobs/z2jfp1jwu1?sm-sdk=test-1.0&wait=0"},
		},
		{
			name:    "get, behind a gateway",
			subPath: "/speech%2Fapi/eu/v2/",
			call:    func(ctx context.Context, c *Client) error { _, err := c.GetJob(ctx, "z2jfp1jwu1"); return err },
			want:    request{Method: "GET", URI: "/speech%2Fapi/eu/v2/jobs/z2jfp1jwu1?sm-sdk=test-1.0&wait=0"},
		},
		{
			name: "get, at the root, with an ID that needs escaping",
			call: func(ctx context.Context, c *Client) error { _, err := c.GetJob(ctx, "..a?b#c%2F ü"); return err },
			want: request{Method: "GET", URI: "/jobs/..a%3Fb%23c%252F%20%C3%BC?sm-sdk=test-1.0&wait=0"},
		},
		{
			name:    "list",
			subPath: "/v2",
			call: func(ctx context.Context, c *Client) error {
				for _, err := range c.ListJobs(ctx, ListOptions{IncludeDeleted: true, CreatedBefore: at(1, 1)}) {
					return err
				}
				return errors.New("nothing was listed")
			},
			want: request{Method: "GET", URI: "/v2/jobs?created_before=2026-01-02T03%3A04%3A05.002Z&include_deleted=true&limit=100&sm-sdk=test-1.0"},
		},
		{
			name:    "transcript",
			subPath: "/v2",
			call:    func(ctx context.Context, c *Client) error { _, err := c.Transcript(ctx, "a", FormatJSONv2); return err },
			want:    request{Method: "GET", URI: "/v2/jobs/a/transcript?format=json-v2&sm-sdk=test-1.0&wait=0"},
		},
		{
			name:    "delete",
			subPath: "/v2",
			call:    func(ctx context.Context, c *Client) error { return c.DeleteJob(ctx, "a", DeleteOptions{}) },
			want:    request{Method: "DELETE", URI: "/v2/jobs/a?sm-sdk=test-1.0"},
		},
		{
			name:    "delete by force",
			subPath: "/v2",
			call:    func(ctx context.Context, c *Client) error { return c.DeleteJob(ctx, "a", DeleteOptions{Force: true}) },
			want:    request{Method: "DELETE", URI: "/v2/jobs/a?force=true&sm-sdk=test-1.0"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []request
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = append(got, request{r.Method, r.RequestURI, r.Header.Get("Authorization"), r.UserAgent()})
				w.WriteHeader(http.StatusServiceUnavailable)
			}))
			defer server.Close()
			c := newTestClient(t, server.URL+tt.subPath, WithIntegration("test-1.0"), WithUserAgent("test agent/1.0"))
			err := tt.call(testContext(t), c)
			var answered *Error
			if !errors.As(err, &answered) || !answered.Temporary() {
				t.Errorf("got %v", err)
			}
			tt.want.Authorization, tt.want.UserAgent = "Bearer "+testKey, "test agent/1.0"
			// One request, and no other after it failed: nothing is retried.
			if diff := cmp.Diff([]request{tt.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoKeyNoAuthorization(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := r.Header["Authorization"]; ok || r.URL.RawQuery != "wait=0" || r.UserAgent() != defaultUserAgent {
			t.Errorf("got %v of %s", r.Header, r.URL)
		}
		answer(http.StatusOK, "application/json", `{"job":{"id":"a"}}`)(w, r)
	}))
	defer server.Close()
	c, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	if _, err := c.GetJob(testContext(t), "a"); err != nil {
		t.Error(err)
	}
}

func TestUnusableIDs(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	ctx := testContext(t)
	for _, id := range []string{"", ".", "..", strings.Repeat("a", 257), "../a", "a/b", `a\b`, "a\nb", "a\x00", "a\u0085b", "\xff"} {
		_, getErr := c.GetJob(ctx, id)
		_, transcriptErr := c.Transcript(ctx, id, FormatText)
		deleteErr := c.DeleteJob(ctx, id, DeleteOptions{})
		for _, err := range []error{getErr, transcriptErr, deleteErr} {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || invalid.Field != "job ID" {
				t.Errorf("%q: got %v", id, err)
			}
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		original := &http.Client{Transport: newTransport()}
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			http.Redirect(w, r, other.URL+"/login?token=hunter2", status)
		}, WithHTTPClient(original))
		ctx := testContext(t)
		_, getErr := c.GetJob(ctx, "a")
		_, createErr := c.CreateJob(ctx, upload100(100))
		deleteErr := c.DeleteJob(ctx, "a", DeleteOptions{})
		for _, err := range []error{getErr, createErr, deleteErr} {
			var answered *Error
			if !errors.As(err, &answered) || answered.StatusCode != status {
				t.Fatalf("%d: got %v", status, err)
			}
			if text := err.Error(); !strings.Contains(text, "check the base URL") || strings.Contains(text, "hunter2") {
				t.Errorf("got %q", text)
			}
		}
		if original.CheckRedirect != nil {
			t.Error("the caller's HTTP client was changed")
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func TestLocationsOfRedirects(t *testing.T) {
	for location, want := range map[string]string{
		"/login?token=hunter2#hunter2":               "redirect to http://127.0.0.1",
		"https://u:hunter2@example.com/a?hunter2":    "redirect to https://example.com/a",
		"/%zz?token=hunter2":                         "302 Found",
		"https://u:hunter2@example.com/%zz?hunter2=": "302 Found",
		"": "302 Found",
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		})
		_, err := c.GetJob(testContext(t), "a")
		text := fmt.Sprint(err)
		if !hasStatus(err, http.StatusFound) || !strings.Contains(text, want) || strings.Contains(text, "hunter2") {
			t.Errorf("%q: got %q", location, text)
		}
	}
}

func TestCloseIdleConnections(t *testing.T) {
	transport := &closeRecorder{}
	c := newTestClient(t, "https://example.com", WithHTTPClient(&http.Client{Transport: transport}))
	c.CloseIdleConnections()
	if !transport.closed {
		t.Error("the transport was not told")
	}
	newTestClient(t, "https://example.com", WithHTTPClient(&http.Client{Transport: roundTripper(nil)})).CloseIdleConnections()
}

type closeRecorder struct {
	roundTripper
	closed bool
}

func (r *closeRecorder) CloseIdleConnections() { r.closed = true }

func TestContextEndsEveryCall(t *testing.T) {
	calls := map[string]func(context.Context, *Client) error{
		"GetJob":     func(ctx context.Context, c *Client) error { _, err := c.GetJob(ctx, "a"); return err },
		"DeleteJob":  func(ctx context.Context, c *Client) error { return c.DeleteJob(ctx, "a", DeleteOptions{}) },
		"Transcript": func(ctx context.Context, c *Client) error { _, err := c.Transcript(ctx, "a", FormatText); return err },
		"ListJobs": func(ctx context.Context, c *Client) error {
			_, err := collect(c.ListJobs(ctx, ListOptions{}))
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(testContext(t))
			c := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				cancel()
				<-r.Context().Done()
			})
			err := call(ctx, c)
			var transport *TransportError
			if !errors.Is(err, context.Canceled) || !errors.As(err, &transport) || transport.Operation != name {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTransportErrorsHoldNoSecrets(t *testing.T) {
	proxied := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "proxyconnect", Err: &url.Error{
			Op: "Get", URL: "http://user:hunter2@proxy.example.com/?q=hunter2",
			Err: errors.New("denied for " + testKey),
		}}
	})}
	c := newTestClient(t, "https://example.com/v2", WithHTTPClient(proxied))
	_, err := c.GetJob(testContext(t), "a")
	if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Fatalf("the cause is lost: %v", err)
	}
	if text := err.Error(); strings.Contains(text, "hunter2") || strings.Contains(text, testKey) || !strings.Contains(text, "proxy.example.com") {
		t.Errorf("got %q", text)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTransportErrorTimeout(t *testing.T) {
	timeout := &TransportError{Err: context.DeadlineExceeded}
	refused := &TransportError{Err: &net.OpError{Op: "dial", Err: errBroken}}
	if !timeout.Timeout() || refused.Timeout() {
		t.Errorf("got %t, %t", timeout.Timeout(), refused.Timeout())
	}
}
