// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxJobIDBytes = 256

	// What stays unread of an answer up to this size is read and thrown away, so that its connection can be used again.
	maxDrainBytes = 64 << 10
)

// call is one request, and knows what is needed to speak about it.
type call struct {
	operation string
	jobID     string // empty for calls that are not about one job
	method    string
	root      string // what the segments are below; empty: the client's base URL
	segments  []string
	query     url.Values
	accepts   int    // a status that is an answer besides 2xx; 0: none
	key       string // what it was sent with last; it is removed from every text about the call
}

// jobCall returns a call about one job, after checking its ID.
func jobCall(operation, method, id string, more ...string) (*call, error) {
	if problem := jobIDProblem(id); problem != "" {
		return nil, &InvalidError{Operation: operation, Field: "job ID", Problem: problem}
	}
	return &call{
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

// do sends a call without a body and returns its answer if that is a success. The caller closes the answer's body.
//
// If the key is refused, and the source has another one, the call is sent once more.
func (c *Client) do(ctx context.Context, call *call) (*http.Response, error) {
	if err := c.takeKey(ctx, call); err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, call)
	if !c.noteRefusal(call, err) {
		return resp, err
	}
	refused := call.key
	if err := c.takeKey(ctx, call); err != nil {
		return nil, err
	}
	if call.key == refused {
		return nil, err
	}
	resp, err = c.send(ctx, call)
	c.noteRefusal(call, err)
	return resp, err
}

// send sends a call with the key that it has.
func (c *Client) send(ctx context.Context, call *call) (*http.Response, error) {
	req, err := c.newRequest(ctx, call, http.NoBody)
	if err != nil {
		return nil, call.transportError(err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, call.transportError(err)
	}
	if !isSuccess(resp.StatusCode) && resp.StatusCode != call.accepts {
		defer closeBody(resp)
		return nil, call.readError(resp, c.now)
	}
	if isHTML(resp.Header.Get("Content-Type")) {
		defer closeBody(resp)
		return nil, call.responseError(resp, errPage)
	}
	return resp, nil
}

// newRequest builds a call's request; the segments of its path are escaped here.
func (c *Client) newRequest(ctx context.Context, call *call, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, call.method, c.target(call), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.userAgent)
	if call.key != "" {
		req.Header.Set("Authorization", "Bearer "+call.key)
	}
	return req, nil
}

func (c *Client) target(call *call) string {
	query := url.Values{}
	maps.Copy(query, call.query)
	if c.integration != "" {
		query.Set("sm-sdk", c.integration)
	}
	if c.app != "" {
		query.Set("sm-app", c.app)
	}
	var target strings.Builder
	target.WriteString(c.base)
	if call.root != "" {
		target.Reset()
		target.WriteString(call.root)
	}
	for _, segment := range call.segments {
		target.WriteString("/" + url.PathEscape(segment))
	}
	if len(query) > 0 {
		target.WriteString("?" + query.Encode())
	}
	return target.String()
}

// readJSON sends a call, and reads its answer, of at most maxBytes, into value. It returns what identifies the request.
func (c *Client) readJSON(ctx context.Context, call *call, maxBytes int64, value any) (requestID string, err error) {
	resp, err := c.do(ctx, call)
	if err != nil {
		return "", err
	}
	defer closeBody(resp)
	return call.requestID(resp), call.decode(resp, maxBytes, value)
}

// decode reads an answer of at most maxBytes into value.
func (k *call) decode(resp *http.Response, maxBytes int64, value any) error {
	body, err := readBounded(resp.Body, maxBytes)
	switch {
	case errors.Is(err, errTooLarge):
		return k.responseError(resp, err)
	case err != nil:
		return k.transportError(err)
	}
	if err := json.Unmarshal(body, value); err != nil {
		return k.responseError(resp, err)
	}
	return nil
}

func (k *call) transportError(err error) *TransportError {
	// The operation says more than the URL that http.Client adds. An error further down, of a fence for example, stays as it is.
	if outer, ok := err.(*url.Error); ok { //nolint:errorlint // only the outermost one is http.Client's
		err = outer.Err
	}
	return &TransportError{Operation: k.operation, JobID: k.jobID, Err: err, text: k.clean(err.Error(), maxErrorTextBytes)}
}

func (k *call) responseError(resp *http.Response, err error) *ResponseError {
	return &ResponseError{
		Operation:  k.operation,
		JobID:      k.jobID,
		StatusCode: resp.StatusCode,
		RequestID:  k.requestID(resp),
		Err:        err,
		text:       k.clean(err.Error(), maxErrorTextBytes),
	}
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }

// errPage means that an answer is a page for people. The API has none: something in front of it has answered, such as a portal, a proxy
// or the notice of a maintenance; a page is no transcript, and does not tell that anything was deleted.
var errPage = errors.New("it is an HTML page")

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
