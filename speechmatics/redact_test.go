// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRedactURLs(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"nothing", "unable to fetch audio: http status code 404", "unable to fetch audio: http status code 404"},
		{"empty", "", ""},
		{"plain URL", "see https://example.com/a/b.wav now", "see https://example.com/a/b.wav now"},
		{"query", "https://example.com/a?sig=hunter2&x=1", "https://example.com/a"},
		{"query without path", "https://example.com?sig=hunter2", "https://example.com"},
		{"fragment", "https://example.com/a#hunter2", "https://example.com/a"},
		{"user information", "https://user:hunter2@example.com:8443/a", "https://example.com:8443/a"},
		{"user information with @", "https://user:hunter2@x@example.com/a", "https://example.com/a"},
		{"user alone", "https://hunter2@example.com", "https://example.com"},
		{"@ in the path", "https://example.com/@someone/a.mp3", "https://example.com/@someone/a.mp3"},
		{"other schemes", "s3://b/k?hunter2 FTP://u:hunter2@h/x grpc+tls://h?hunter2", "s3://b/k FTP://h/x grpc+tls://h"},
		{
			"a message of the provider's",
			`Post "https://example.com/500?id=1uyo82b1bv&status=success": context deadline exceeded`,
			`Post "https://example.com/500": context deadline exceeded`,
		},
		{"an apostrophe does not end a secret", "'https://h/a?sig=hun'hunter2' b", "'https://h/a b"},
		{"nor does a bracket or a comma", "(https://h/a?sig=x),hunter2;hunter2) b", "(https://h/a b"},
		{"several", "https://h/1?hunter2\nhttps://h/2?hunter2\thttps://h/3#hunter2", "https://h/1\nhttps://h/2\thttps://h/3"},
		{"in angle brackets", "<https://h/1?hunter2> <b>", "<https://h/1> <b>"},
		{"in the query", "https://h/?next=https://u:hunter2@h/", "https://h/"},
		{"in the path", "https://proxy/https://u:hunter2@h/x?hunter2 b", "https://proxy/https://h/x b"},
		{"in the path, twice", "a://b/c://d/e://u:hunter2@f/g?hunter2", "a://b/c://d/e://f/g"},
		{"escaped slashes", `"https:\/\/u:hunter2@h\/p?hunter2"`, `"https:\/\/h\/p"`},
		{"password with a slash", "https://user:hunter2/x@example.com/a", "https://[redacted]"},
		{"password with a question mark", "https://user:hun?hunter2@example.com/a", "https://[redacted]"},
		{"IPv6", "https://u:hunter2@[2001:db8::1]:443/a?hunter2", "https://[2001:db8::1]:443/a"},
		{"port and what follows it", "dial https://h:443: refused (https://h:443).", "dial https://h:443: refused (https://h:443)."},
		{"no host", "file:///etc/x?hunter2", "file:///etc/x"},
		{"separator alone", "://", "://"},
		{"not UTF-8", "https://h/\xff?\xffhunter2", "https://h/\xff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := RedactURLs(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("got %q", got)
			}
			if again := RedactURLs(got); again != got {
				t.Errorf("once more: %q", again)
			}
		})
	}
}

// Text comes from outside: no input may take long.
func TestRedactURLsIsFast(t *testing.T) {
	for _, part := range []string{"://", "a://b/", "a://b?", "a://@", `:\/\/`, "https://a ", ":", "[://"} {
		text := strings.Repeat(part, maxErrorBodyBytes*4/len(part))
		begin := time.Now()
		RedactURLs(text)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%q: %s", part, took)
		}
	}
}

func FuzzRedactURLs(f *testing.F) {
	f.Add("see https://", "h.example/a", " and so on")
	f.Add("", "u:p@h/https://", "\n")
	f.Add("a://b?", "c", "")
	f.Fuzz(func(t *testing.T, before, middle, after string) {
		const secret = "hunter2-0123456789"
		if strings.Contains(before+middle+after, secret[:4]) {
			t.Skip()
		}
		word := strings.Map(func(r rune) rune { // what does not end a URL
			if strings.ContainsRune(" \t\r\n\v\f\"<>`", r) {
				return -1
			}
			return r
		}, middle)
		for _, text := range []string{
			before + " https://" + word + "?" + secret + " " + after,
			before + " https://" + word + "#" + secret + " " + after,
			before + " https://user:" + secret + "@" + after,
			before + " https://h/" + word + "?a=" + secret + word + " " + after,
		} {
			got := RedactURLs(text)
			if strings.Contains(got, secret) {
				t.Errorf("%q became %q", text, got)
			}
			if again := RedactURLs(got); again != got {
				t.Errorf("%q, once more %q", got, again)
			}
		}
	})
}
