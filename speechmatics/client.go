// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxBaseURLBytes     = 2048
	maxAPIKeyBytes      = 16 << 10 // temporary keys are JWTs of one or two KiB
	maxUserAgentBytes   = 256
	maxIntegrationBytes = 128

	defaultUserAgent = "transcription-operator-speechmatics-go"
)

// Client is a client of the batch API at one base URL, with one key. It is safe for concurrent use. See the package
// documentation for what it leaves to its caller.
type Client struct {
	base        string    // without a trailing slash
	keys        KeySource // nil: requests carry no key
	userAgent   string
	integration string
	app         string
	backend     Backend
	http        *http.Client
	now         func() time.Time
}

// Option adjusts a Client.
type Option func(*Client) error

// WithHTTPClient sets the HTTP client: its transport decides on proxies, TLS and connections. The client is copied, and the copy
// follows no redirects whatever the original does. A Timeout of it includes uploading media and reading a transcript
// to the end; contexts are the better bound.
func WithHTTPClient(httpClient *http.Client) Option {
	return func(c *Client) error {
		if httpClient == nil {
			return &InvalidError{Operation: opNew, Field: "HTTP client", Problem: "is nil"}
		}
		c.http = withoutRedirects(*httpClient)
		return nil
	}
}

// WithUserAgent replaces the User-Agent header.
func WithUserAgent(userAgent string) Option {
	return func(c *Client) error {
		if problem := headerValueProblem(strings.ReplaceAll(userAgent, " ", ""), maxUserAgentBytes); problem != "" {
			return &InvalidError{Operation: opNew, Field: "user agent", Problem: problem}
		}
		c.userAgent = userAgent
		return nil
	}
}

// WithIntegration names the calling program to the provider, as "name-version", in the query parameter sm-sdk of every
// request, as the provider's own libraries do.
func WithIntegration(nameVersion string) Option {
	return func(c *Client) error {
		if problem := headerValueProblem(nameVersion, maxIntegrationBytes); problem != "" {
			return &InvalidError{Operation: opNew, Field: "integration", Problem: problem}
		}
		c.integration = nameVersion
		return nil
	}
}

// WithApp names the application that usage is attributed to, in the query parameter sm-app of every request. The provider's support has to
// enable it first.
func WithApp(app string) Option {
	return func(c *Client) error {
		if problem := headerValueProblem(app, maxIntegrationBytes); problem != "" {
			return &InvalidError{Operation: opNew, Field: "app", Problem: problem}
		}
		c.app = app
		return nil
	}
}

// WithClock sets the clock. The client reads it where an answer's age matters, and never waits for it.
func WithClock(now func() time.Time) Option {
	return func(c *Client) error {
		if now == nil {
			return &InvalidError{Operation: opNew, Field: "clock", Problem: "is nil"}
		}
		c.now = now
		return nil
	}
}

// headerValueProblem says why a text cannot be sent as a token, or returns "". It never repeats the text, which may be
// a key; the newline at the end of a file is the usual culprit.
func headerValueProblem(value string, maxBytes int) string {
	switch {
	case value == "":
		return "is empty"
	case len(value) > maxBytes:
		return fmt.Sprintf("is longer than %d bytes", maxBytes)
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "contains white space, control characters or non-ASCII characters (perhaps a newline at its end)"
	default:
		return ""
	}
}

// New returns a client for the API at baseURL, which includes the version ("https://eu1.asr.api.speechmatics.com/v2") and, behind a
// gateway, its path. The URL is http or https and has no user information, query or fragment. Errors are *InvalidError.
func New(baseURL string, opts ...Option) (*Client, error) {
	base, err := parseBaseURL(opNew, "base URL", baseURL)
	if err != nil {
		return nil, err
	}
	c := &Client{base: base, userAgent: defaultUserAgent, backend: SaaS, now: time.Now}
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, err
		}
	}
	if c.http == nil {
		c.http = withoutRedirects(http.Client{Transport: newTransport()})
	}
	return c, nil
}

// parseBaseURL checks a base URL. Its errors do not repeat the URL, which may hold a password that does not belong there.
func parseBaseURL(operation, field, baseURL string) (string, error) {
	invalid := func(problem string) (string, error) {
		return "", &InvalidError{Operation: operation, Field: field, Problem: problem}
	}
	if len(baseURL) > maxBaseURLBytes {
		return invalid(fmt.Sprintf("is longer than %d bytes", maxBaseURLBytes))
	}
	u, err := url.Parse(baseURL)
	switch {
	case err != nil:
		return invalid("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return invalid("must begin with https:// or http://")
	case u.Hostname() == "":
		return invalid("names no host")
	case u.User != nil:
		return invalid("must not hold user information; use an API key")
	case u.RawQuery != "" || u.ForceQuery:
		return invalid("must not have a query")
	case strings.Contains(baseURL, "#"):
		return invalid("must not have a fragment")
	}
	return strings.TrimRight(baseURL, "/"), nil
}

// newTransport returns the transport that is used unless another is given.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer.DialContext,
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: 15 * time.Second,
		MaxIdleConns:        100,
		MaxIdleConnsPerHost: 16,
		// The answers' bodies have bounds of their own.
		MaxResponseHeaderBytes: 256 << 10,
		// Shorter than what servers and load balancers grant (from a minute on): a submission sent on a connection
		// that is being closed at the other end has an unknown outcome.
		IdleConnTimeout: 30 * time.Second,
	}
}

// String names the client without its key, so that it can be printed.
func (c *Client) String() string { return "speechmatics.Client of " + c.base }

// GoString is String: what %#v prints must not hold the key either.
func (c *Client) GoString() string { return c.String() }

// CloseIdleConnections closes connections that are kept for later requests. Call it when the client is no longer needed.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }
