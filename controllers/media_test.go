// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpguts"
)

func TestParseAuthHeaders(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		text string
		want []string
		bad  bool
	}{
		{"one", "Authorization: Bearer x", []string{"Authorization: Bearer x"}, false},
		{"several, with blank lines and CRLF", "A: 1\r\n\r\nB:2\n", []string{"A: 1", "B: 2"}, false},
		{"empty", " \n ", nil, true},
		{"no colon", "Bearer x", nil, true},
		{"no value", "A:", nil, true},
		{"bad name", "A B: c", nil, true},
		{"control character", "A: b\x00c", nil, true},
		{"too long", "A: " + strings.Repeat("x", maxAuthHeaderBytes), nil, true},
		{"too many", strings.Repeat("A: b\n", maxAuthHeaders+1), nil, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, problem := parseAuthHeaders(c.text)
			if (problem != "") != c.bad {
				t.Fatalf("problem %q, want one: %v", problem, c.bad)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParseAuthHeaders checks that no Secret makes a header that splits a request, and that no value gets into a message.
func FuzzParseAuthHeaders(f *testing.F) {
	for _, seed := range []string{"Authorization: Bearer secret", "A: 1\r\nB: 2", "A: b\rc", ":", "A:\x7f", "\n\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		headers, problem := parseAuthHeaders(text)
		if (problem == "") == (len(headers) == 0) {
			t.Fatalf("%d headers with the problem %q", len(headers), problem)
		}
		for _, header := range headers {
			name, value, ok := strings.Cut(header, ": ")
			if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
				t.Fatalf("%q is no header", header)
			}
		}
	})
}
