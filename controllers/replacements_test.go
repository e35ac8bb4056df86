// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
)

func TestCheckReplacement(t *testing.T) {
	t.Parallel()
	fine := []string{
		"word", "two words", "/", "//", "(", "*", "a/b", "/half", "half/", "[", `\`,
		`/colou?r/`, `/[]/`, `/[^]/`, `/a{/`, `/a{1/`, `/a{,5}/`, `/]/`, `/}/`, `/\c/`, `/\k<x>/`, `/\/path\//`,
		`/(?<year>\d{4})-(?<month>\d\d)/`, `/(?<=a)b/`, `/(?<!a)b/`, `/(?=a)*/`, `/\u{1F600}/`, `/\p{L}+/`, `/\p{Script=Greek}/`,
		`/[a-\d]/`, `/[\w-a]/`, `/\1(a)/`, `/(|a)/`, `/[[:alpha:]/`, `/(?i:a)/`, `/[\b]/`, `/日本(語|人)?/`,
		`/\(?i\)/`, `/[(?i)]/`, `/[(?>]/`, `/[\](?#]/`, `/(?:a)/`, `/(?!a)b/`, `/(?-i:a)/`, `/(?i-ms:a)/`, `/\\(a)?/`,
		"/usr/bin", "/um/or", "//i", "a/um/i", "/um/I",
	}
	for _, from := range fine {
		if err := checkReplacement(from); err != nil {
			t.Errorf("%q is refused: %v", from, err)
		}
	}
	malformed := []string{
		`/(/`, `/)/`, `/[/`, `/[a/`, `/*/`, `/*a/`, `/+a/`, `/?/`, `/a**/`, `/(a/`, `/a)/`, `/[b-a]/`, `/a{2,1}/`, `/a\/`, `/(?<n>/`, `/(?/`, `/a|*/`, "/" + strings.Repeat("(", 1022) + "/",
		`/(?i)um/`, `/(?#c)a/`, `/(?>a)/`, `/(?x)a/`, `/(?x:a)/`, `/(?P<n>a)/`, `/(?'n'a)/`, `/(?|a)/`, `/a(b(?i)c)/`, `/\\(?i)a/`, `/[a](?>b)/`, `/[\]](?>b)/`, `/[^](?>b)/`, `/[](?>b)/`,
		`/um/i`, `/um/gi`, `/\/a\/b/g`, "/a\nb/i",
	}
	for _, from := range malformed {
		if err := checkReplacement(from); err == nil {
			t.Errorf("%q is let through", from)
		}
	}
}

// TestCheckReplacement_flags says how to do without the flags that other dialects have.
func TestCheckReplacement_flags(t *testing.T) {
	t.Parallel()
	for _, from := range []string{`/um/i`, `/(?i)um/`, `/a(?s-m)um/`} {
		if err := checkReplacement(from); err == nil || !strings.Contains(err.Error(), "flags") || !strings.Contains(err.Error(), "write ") || !strings.Contains(err.Error(), "[Uu]m") {
			t.Errorf("%s: the message does not say how to do without: %v", from, err)
		}
	}
	if err := checkReplacement(`/(?>a)/`); err == nil || strings.Contains(err.Error(), "flags") {
		t.Errorf("an atomic group is called %v", err)
	}
}

// FuzzCheckReplacement checks that nothing makes the parser panic, and that words are never taken for expressions.
func FuzzCheckReplacement(f *testing.F) {
	for _, seed := range []string{"word", "/a/", "/(/", "/[[:a/", `/\p{L/`, "/(?<a>(?<b>(?<c>/", "/\xff/", "/um/i", "/[(?i)](?#c)/", `/\(?i\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, from string) {
		if len(from) > 1024 {
			return // the schema's bound
		}
		if err := checkReplacement(from); err != nil && from[0] != '/' {
			t.Fatalf("the word %q is refused: %v", from, err)
		}
	})
}
