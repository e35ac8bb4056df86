// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr"
)

func checkOf(address string) *config { return &config{check: address} }

// TestCheck_somethingElse: what answers is no receiver, or something on the way answers for it. TestProgram has the receiver itself.
func TestCheck_somethingElse(t *testing.T) {
	answer := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}
	}
	for name, tt := range map[string]struct {
		get, post http.HandlerFunc
		says      string
	}{
		"a web server":            {answer(http.StatusNotFound), answer(http.StatusNotFound), "404"},
		"it says yes to all":      {answer(http.StatusOK), answer(http.StatusOK), "200"},
		"a login page":            {answer(http.StatusFound, "Location", "/login"), answer(http.StatusFound), "302"},
		"the internal listener":   {answer(http.StatusMethodNotAllowed, "Allow", "GET, POST, PUT"), answer(http.StatusUnauthorized), "something else"},
		"no backend":              {answer(http.StatusBadGateway), answer(http.StatusBadGateway), "502"},
		"any token is good":       {answer(http.StatusMethodNotAllowed, "Allow", "POST, PUT"), answer(http.StatusNoContent), "wrong token"},
		"only reading is allowed": {answer(http.StatusMethodNotAllowed, "Allow", "POST, PUT"), answer(http.StatusForbidden), "403"},
		"small bodies alone": {answer(http.StatusMethodNotAllowed, "Allow", "POST, PUT"), func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength > 1<<20 { // as ingress-nginx
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				return
			}
			w.WriteHeader(http.StatusUnauthorized)
		}, "8 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					tt.get(w, r)
					return
				}
				tt.post(w, r)
			}))
			defer server.Close()
			if err := check(t.Context(), checkOf(server.URL), logr.Discard()); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("check() = %v, want an error that says %q", err, tt.says)
			}
		})
	}
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if err := check(t.Context(), checkOf(server.URL), logr.Discard()); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("check() of an address where nobody listens = %v", err)
	}
}
