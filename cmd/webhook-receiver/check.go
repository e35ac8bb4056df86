// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/transcription-operator/transcription-operator/notification"
)

const (
	// checkTimeout bounds each request of a check.
	checkTimeout = 30 * time.Second
	// checkBytes is how much is sent: as much as the transcript of a few hours has. Proxies often let less through, and short transcripts do not show it.
	checkBytes = 8 << 20
)

// check finds out whether an address leads to a receiver's public listener: to the path that notifications come to, with nothing on the way that
// answers in its place, or lets only small bodies through. It has no token that is any good, so that nothing happens to any job.
func check(ctx context.Context, config *config, log logr.Logger) error {
	target := notification.Target{Namespace: "default", Name: "check", UID: "00000000-0000-0000-0000-000000000000", Attempt: 1}
	address := strings.TrimRight(config.check, "/") + target.Path()
	for _, expected := range []struct {
		method string
		bytes  int
		status int
		allow  string
		wrong  string
	}{
		{http.MethodGet, 0, http.StatusMethodNotAllowed, "POST, PUT", "something else than the webhook receiver's public listener answers there"},
		{http.MethodPost, 0, http.StatusUnauthorized, "", "a notification with a wrong token has to be refused"},
		{http.MethodPost, checkBytes, http.StatusUnauthorized, "", "something on the way does not let a body of 8 MiB through, which notifications of long recordings have; raise its limit"},
	} {
		status, allow, err := ask(ctx, expected.method, expected.bytes, address)
		if err != nil {
			return fmt.Errorf("--check: no answer from %s to %s with %d bytes; does its name lead here, and is there a path through Ingress, Gateway and NetworkPolicy? %w",
				config.check, expected.method, expected.bytes, err)
		}
		if status != expected.status || allow != expected.allow {
			return fmt.Errorf("--check: %s %s was answered with status %d and Allow: %q, not with %d and %q: %s",
				expected.method, address, status, allow, expected.status, expected.allow, expected.wrong)
		}
	}
	log.Info("A webhook receiver answers", "address", config.check)
	return nil
}

// ask sends a request as the provider would, but for the token, and returns the status and which methods are allowed. Redirects are not followed, as the
// provider is not known to follow them.
func ask(ctx context.Context, method string, bodyBytes int, address string) (status int, allow string, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, address+"?id=check&status=success", bytes.NewReader(make([]byte, bodyBytes))) //nolint:gosec // To call the address that is given is what it is for.
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer none")
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer c.CloseIdleConnections()
	resp, err := c.Do(req) //nolint:gosec // as above
	if err != nil {
		return 0, "", err
	}
	return resp.StatusCode, resp.Header.Get("Allow"), resp.Body.Close()
}
