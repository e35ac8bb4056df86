// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"regexp"
	"strings"
)

const redacted = "[redacted]"

// schemeSeparator is what follows a URL's scheme, also as some JSON encoders escape it.
var schemeSeparator = regexp.MustCompile(`:(?:\\?/){2}`)

// RedactURLs returns a text in which every URL has lost its user information, query and fragment, which is where signatures, tokens
// and passwords are. The rest of the text is unchanged. A URL is whatever surrounds "://" without white space, quotation mark or angle
// bracket, well-formed or not: of a URL that makes no sense, more is removed rather than less.
func RedactURLs(text string) string {
	var out strings.Builder
	for {
		separator := schemeSeparator.FindStringIndex(text)
		if separator == nil {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(text[:separator[1]])
		text = text[separator[1]:]
		text = redactRest(&out, text)
	}
}

// redactRest writes what may stay of a URL whose scheme has been written. It returns the text to go on with: what follows the URL, or
// the inner URL if there is one in the path.
func redactRest(out *strings.Builder, text string) string {
	end := endOfURL(text)
	rest := text[:end]
	authority := rest[:indexAny(rest, `/\?#`)]
	safe, whole := redactAuthority(authority)
	out.WriteString(safe)
	if !whole {
		return text[end:]
	}
	path := rest[len(authority):]
	secret := indexAny(path, "?#")
	if inner := schemeSeparator.FindStringIndex(path[:secret]); inner != nil {
		out.WriteString(path[:inner[0]])
		return text[len(authority)+inner[0]:]
	}
	out.WriteString(path[:secret])
	return text[end:]
}

// redactAuthority removes user information. It reports false, and removes everything, for an authority that is not one: a password with
// a slash in it looks so, for example.
func redactAuthority(authority string) (safe string, whole bool) {
	host := authority[strings.LastIndexByte(authority, '@')+1:]
	port := strings.TrimRight(host, "):;,.!]}'")
	if strings.HasPrefix(host, "[") {
		port = port[strings.LastIndexByte(port, ']')+1:]
	}
	colon := strings.IndexByte(port, ':')
	if colon >= 0 && strings.Trim(port[colon+1:], "0123456789") != "" {
		return redacted, false
	}
	return host, true
}

// endOfURL returns where a URL at the beginning of text ends. Characters that may be part of one, an apostrophe for example, do not end it,
// so that no part of a secret is left behind.
func endOfURL(text string) int { return indexAny(text, " \t\r\n\v\f\"<>`") }

// indexAny is strings.IndexAny, but returns the length where it returns -1.
func indexAny(text, chars string) int {
	if i := strings.IndexAny(text, chars); i >= 0 {
		return i
	}
	return len(text)
}
