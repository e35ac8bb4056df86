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
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxBaseURLBytes     = 2048
	maxAPIKeyBytes      = 16 << 10 // temporary keys are JWTs of one or two KiB
	maxUserAgentBytes   = 256
	maxIntegrationBytes = 128
	maxJobIDBytes       = 256

	defaultUserAgent = "transcription-operator-speechmatics-go"

	// What stays unread of an answer up to this size is read and thrown away, so that its connection can be used again.
	maxDrainBytes = 64 << 10
)

// Client is a client of the batch API at one base URL, with one key. It is safe for concurrent use. See the package
// documentation for what it leaves to its caller.
type Client struct {
	base        string // without a trailing slash
	apiKey      string
	userAgent   string
	integration string
	app         string
	backend     Backend
	http        *http.Client
	now         func() time.Time
}

// Option adjusts a Client.
type Option func(*Client) error

// WithAPIKey authenticates with an API key or a temporary key. Backends without authentication need no key: leave the
// option out.
func WithAPIKey(key string) Option {
	return func(c *Client) error {
		if problem := headerValueProblem(key, maxAPIKeyBytes); problem != "" {
			return &InvalidError{Operation: opNew, Field: "API key", Problem: problem}
		}
		c.apiKey = key
		return nil
	}
}

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
	base, err := parseBaseURL(baseURL)
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
func parseBaseURL(baseURL string) (string, error) {
	invalid := func(problem string) (string, error) {
		return "", &InvalidError{Operation: opNew, Field: "base URL", Problem: problem}
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

// CloseIdleConnections closes connections that are kept for later requests. Call it when the client is no longer needed.
func (c *Client) CloseIdleConnections() { c.http.CloseIdleConnections() }

// newRequest builds a request for a path below the base URL; its segments are escaped here.
func (c *Client) newRequest(ctx context.Context, method string, segments []string, query url.Values, body io.Reader) (*http.Request, error) {
	if query == nil {
		query = url.Values{}
	}
	if c.integration != "" {
		query.Set("sm-sdk", c.integration)
	}
	if c.app != "" {
		query.Set("sm-app", c.app)
	}
	var target strings.Builder
	target.WriteString(c.base)
	for _, segment := range segments {
		target.WriteString("/" + url.PathEscape(segment))
	}
	if len(query) > 0 {
		target.WriteString("?" + query.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.userAgent)
	if c.apiKey != "" {
		req.Header.Set("Authorization", "Bearer "+c.apiKey)
	}
	return req, nil
}

// call is one request about a job, or about jobs, without a body.
type call struct {
	operation string
	jobID     string // empty for calls that are not about one job
	method    string
	segments  []string
	query     url.Values
}

// do sends a call and returns its answer if that is a success. The caller closes the answer's body.
func (c *Client) do(ctx context.Context, call call) (*http.Response, error) {
	req, err := c.newRequest(ctx, call.method, call.segments, call.query, http.NoBody)
	if err != nil {
		return nil, c.transportError(call.operation, call.jobID, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportError(call.operation, call.jobID, err)
	}
	if !isSuccess(resp.StatusCode) {
		defer closeBody(resp)
		return nil, c.readError(call.operation, call.jobID, resp)
	}
	return resp, nil
}

// jobCall returns a call about one job, after checking its ID.
func jobCall(operation, method, id string, more ...string) (call, error) {
	if problem := jobIDProblem(id); problem != "" {
		return call{}, &InvalidError{Operation: operation, Field: "job ID", Problem: problem}
	}
	return call{
		operation: operation,
		jobID:     id,
		method:    method,
		segments:  append([]string{"jobs", id}, more...),
		query:     url.Values{},
	}, nil
}

// jobIDProblem says why a text cannot be a job's ID, or returns "". IDs are opaque (ten characters, UUIDs and small numbers
// have been seen), but they become a segment of a path: "." and ".." would be resolved on the way, and an escaped slash is not
// one segment any more behind a proxy that unescapes it.
func jobIDProblem(id string) string {
	switch {
	case id == "":
		return "is empty"
	case len(id) > maxJobIDBytes:
		return fmt.Sprintf("is longer than %d bytes", maxJobIDBytes)
	case id == "." || id == "..":
		return "is a relative path"
	case strings.ContainsAny(id, `/\`):
		return "contains a slash"
	case !utf8.ValidString(id):
		return "is not UTF-8"
	case strings.ContainsFunc(id, unicode.IsControl):
		return "contains control characters"
	default:
		return ""
	}
}

func (c *Client) transportError(operation, jobID string, err error) *TransportError {
	// The operation says more than the URL that http.Client adds. An error further down, of a fence for example, stays as it is.
	if outer, ok := err.(*url.Error); ok { //nolint:errorlint // only the outermost one is http.Client's
		err = outer.Err
	}
	return &TransportError{Operation: operation, JobID: jobID, Err: err, text: c.clean(err.Error(), maxErrorTextBytes)}
}

func (c *Client) responseError(operation, jobID string, resp *http.Response, err error) *ResponseError {
	return &ResponseError{
		Operation:  operation,
		JobID:      jobID,
		StatusCode: resp.StatusCode,
		RequestID:  c.requestID(resp),
		Err:        err,
		text:       c.clean(err.Error(), maxErrorTextBytes),
	}
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }

// errTooLarge means that an answer is beyond its bound.
var errTooLarge = errors.New("too large")

// readBounded reads all of r if it is not more than limit bytes.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return data, err
	}
	if int64(len(data)) > limit {
		return data[:limit], fmt.Errorf("%w: more than %d bytes", errTooLarge, limit)
	}
	return data, nil
}

// closeBody finishes with an answer. Errors do not matter any more: what was wanted of it has been read.
func closeBody(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrainBytes)
	_ = resp.Body.Close()
}
