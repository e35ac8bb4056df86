// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package authheaders

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpguts"
)

func TestParse(t *testing.T) {
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
		{"too long", "A: " + strings.Repeat("x", MaxHeaderBytes), nil, true},
		{"too many", strings.Repeat("A: b\n", MaxHeaders+1), nil, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(c.text)
			if (err != nil) != c.bad {
				t.Fatalf("error %v, want one: %v", err, c.bad)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzParse checks that no Secret makes a header that splits a request, and that no value gets into a message.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"Authorization: Bearer secret", "A: 1\r\nB: 2", "A: b\rc", ":", "A:\x7f", "\n\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		headers, err := Parse(text)
		if (err == nil) == (len(headers) == 0) {
			t.Fatalf("%d headers with the error %v", len(headers), err)
		}
		for _, header := range headers {
			name, value, ok := strings.Cut(header, ": ")
			if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
				t.Fatalf("%q is no header", header)
			}
		}
	})
}
