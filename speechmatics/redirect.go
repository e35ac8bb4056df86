// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import "net/http"

// withoutRedirects returns a copy of an HTTP client that gives redirects to its caller as they are. A redirect could lead the key, or media,
// to another host, and send a submission again.
func withoutRedirects(client http.Client) *http.Client {
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	client.Transport = locationFilter{client.Transport}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// locationFilter removes a header Location that is not a URL. For it http.Client would lose the answer, and repeat the header, which may hold
// a token, in an error.
type locationFilter struct{ http.RoundTripper }

func (f locationFilter) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := f.RoundTripper.RoundTrip(req)
	if err != nil || resp == nil { // the latter is a broken transport, which http.Client reports
		return resp, err
	}
	if _, err := resp.Location(); err != nil {
		resp.Header.Del("Location")
	}
	return resp, nil
}

// CloseIdleConnections makes http.Client's method of this name reach the transport.
func (f locationFilter) CloseIdleConnections() {
	if transport, ok := f.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		transport.CloseIdleConnections()
	}
}
