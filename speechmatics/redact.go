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
	if !schemeSeparator.MatchString(text) {
		return text
	}
	var out strings.Builder
	for text != "" {
		// Word by word, since a URL is part of one: white space and the like end both.
		end := indexAny(text, endOfURL)
		redactWord(&out, text[:end])
		text = text[end:]
		gap := len(text) - len(strings.TrimLeft(text, endOfURL))
		out.WriteString(text[:gap])
		text = text[gap:]
	}
	return out.String()
}

// endOfURL lists what cannot be part of a URL. What may be, an apostrophe or a bracket for example, does not end one, so that no
// part of a secret is left behind.
const endOfURL = " \t\r\n\v\f\"<>`"

// redactWord writes what may stay of a word: all of it if it contains no URL, and nothing behind a query's or fragment's beginning if it
// does. URLs in a URL's path are redacted, too.
func redactWord(out *strings.Builder, word string) {
	first := schemeSeparator.FindStringIndex(word)
	if first == nil {
		out.WriteString(word)
		return
	}
	out.WriteString(word[:first[0]])
	urls := word[first[0]:]
	urls = urls[:indexAny(urls, "?#")]
	rest := urls
	for _, separator := range schemeSeparator.FindAllStringIndex(urls, -1) {
		begin := separator[1] - (len(urls) - len(rest))
		out.WriteString(rest[:begin])
		rest = rest[begin:]
		authority := rest[:indexAny(rest, `/\`)]
		safe, ok := redactAuthority(authority)
		out.WriteString(safe)
		if !ok {
			return
		}
		rest = rest[len(authority):]
	}
	out.WriteString(rest)
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

// indexAny is strings.IndexAny, but returns the length where it returns -1.
func indexAny(text, chars string) int {
	if i := strings.IndexAny(text, chars); i >= 0 {
		return i
	}
	return len(text)
}
