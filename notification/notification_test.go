// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"strings"
	"testing"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

const testUID = "6f1f0a5e-3a52-4c0e-9d2e-0123456789ab"

func testTarget() Target {
	return Target{Namespace: "media", Name: "standup", UID: testUID, Attempt: 2}
}

func TestTargetPaths(t *testing.T) {
	target := testTarget()
	if got, want := target.Path(), "/v1/notifications/media/standup/"+testUID+"/2"; got != want {
		t.Errorf("Path() = %q, want %q", got, want)
	}
	if got, want := target.StorePath(), "/v1/stores/media/standup/"+testUID+"/2"; got != want {
		t.Errorf("StorePath() = %q, want %q", got, want)
	}
}

func TestParseTarget(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := []struct {
		name                          string
		namespace, object, uid, count string
		want                          *Target
	}{
		{"ordinary", "media", "standup", testUID, "2", &Target{"media", "standup", testUID, 2}},
		{"subdomain as name", "media", "standup.2026", testUID, "1", &Target{"media", "standup.2026", testUID, 1}},
		{"longest names", long, long, testUID, "1000", &Target{long, long, testUID, 1000}},
		{"namespace empty", "", "standup", testUID, "2", nil},
		{"namespace with dot", "me.dia", "standup", testUID, "2", nil},
		{"namespace climbing", "..", "standup", testUID, "2", nil},
		{"namespace too long", long + "a", "standup", testUID, "2", nil},
		{"name empty", "media", "", testUID, "2", nil},
		{"name climbing", "media", "..", testUID, "2", nil},
		{"name with slash", "media", "a/b", testUID, "2", nil},
		{"name in capitals", "media", "Standup", testUID, "2", nil},
		{"name too long", "media", long + "a", testUID, "2", nil},
		{"name with line break", "media", "standup\n", testUID, "2", nil},
		{"UID empty", "media", "standup", "", "2", nil},
		{"UID in capitals", "media", "standup", strings.ToUpper(testUID), "2", nil},
		{"UID without dashes", "media", "standup", strings.ReplaceAll(testUID, "-", ""), "2", nil},
		{"UID in braces", "media", "standup", "{" + testUID + "}", "2", nil},
		{"UID with line break", "media", "standup", testUID + "\n", "2", nil},
		{"attempt empty", "media", "standup", testUID, "", nil},
		{"attempt zero", "media", "standup", testUID, "0", nil},
		{"attempt negative", "media", "standup", testUID, "-1", nil},
		{"attempt with sign", "media", "standup", testUID, "+2", nil},
		{"attempt with leading zero", "media", "standup", testUID, "02", nil},
		{"attempt too high", "media", "standup", testUID, "1001", nil},
		{"attempt beyond int32", "media", "standup", testUID, "4294967298", nil},
		{"attempt with underscore", "media", "standup", testUID, "1_0", nil},
		{"attempt in other digits", "media", "standup", testUID, "٢", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseTarget(tt.namespace, tt.object, tt.uid, tt.count)
			if (err == nil) != (tt.want != nil) {
				t.Fatalf("ParseTarget() = %+v, %v", got, err)
			}
			if tt.want != nil && got != *tt.want {
				t.Errorf("ParseTarget() = %+v, want %+v", got, *tt.want)
			}
		})
	}
}

func TestParsePath(t *testing.T) {
	target := testTarget()
	for name, tt := range map[string]struct {
		parse func(string) (Target, error)
		good  string
	}{
		"notification": {ParsePath, target.Path()},
		"store":        {ParseStorePath, target.StorePath()},
	} {
		if got, err := tt.parse(tt.good); err != nil || got != target {
			t.Errorf("%s: %q is read as %+v, %v", name, tt.good, got, err)
		}
		for _, bad := range []string{
			"", "/", "/v1", notificationsRoot, storesRoot + "/", tt.good + "/", "/" + tt.good, tt.good[1:], tt.good + "/x", tt.good + "?a",
			strings.Replace(tt.good, "/media/", "//", 1), strings.Replace(tt.good, "/media/", "/./media/", 1), "/x" + tt.good,
			strings.Replace(tt.good, "v1", "v2", 1), strings.Replace(tt.good, "media", "%6dedia", 1),
		} {
			if got, err := tt.parse(bad); err == nil {
				t.Errorf("%s: %q is read as %+v", name, bad, got)
			}
		}
	}
	if _, err := ParsePath(target.StorePath()); err == nil {
		t.Error("a question about a store is taken for a notification")
	}
}

// A target has one spelling: what is parsed is written again as it was read.
func FuzzParseTarget(f *testing.F) {
	f.Add("media", "standup", testUID, "2")
	f.Add("..", "a/b", strings.ToUpper(testUID), "+02")
	f.Add("a", "b.c", testUID, "1000")
	f.Fuzz(func(t *testing.T, namespace, name, uid, attempt string) {
		target, err := ParseTarget(namespace, name, uid, attempt)
		if err != nil {
			return
		}
		if want := notificationsRoot + "/" + namespace + "/" + name + "/" + uid + "/" + attempt; target.Path() != want {
			t.Errorf("Path() = %q, want %q", target.Path(), want)
		}
		if strings.ContainsAny(target.Path(), "\n\r %?#\\") || strings.Contains(target.Path(), "..") {
			t.Errorf("Path() = %q has characters that it must not have", target.Path())
		}
	})
}

func TestURLs(t *testing.T) {
	target := testTarget()
	path := "/v1/notifications/media/standup/" + testUID + "/2"
	tests := []struct{ name, base, want string }{
		{"plain", "https://hooks.example.com", "https://hooks.example.com" + path},
		{"slash at the end", "https://hooks.example.com/", "https://hooks.example.com" + path},
		{"sub-path", "https://example.com/speech", "https://example.com/speech" + path},
		{"sub-path with slash", "https://example.com/speech/", "https://example.com/speech" + path},
		{"escaped sub-path", "https://example.com/a%2Fb", "https://example.com/a%2Fb" + path},
		{"port", "http://receiver.example:8443", "http://receiver.example:8443" + path},
		{"IPv6", "http://[::1]:8443", "http://[::1]:8443" + path},
		{"empty", "", ""},
		{"relative", "/hooks", ""},
		{"other scheme", "ftp://example.com", ""},
		{"no host", "https:///hooks", ""},
		{"port only", "https://:8443", ""},
		{"user", "https://me:secret@example.com", ""},
		{"query", "https://example.com?a=b", ""},
		{"empty query", "https://example.com?", ""},
		{"fragment", "https://example.com#a", ""},
		{"not a URL", "https://exa mple.com", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := CallbackURL(tt.base, target)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Fatalf("CallbackURL(%q) = %q, %v, want %q", tt.base, got, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error repeats the password: %v", err)
			}
			delivery, err := DeliveryURL(tt.base, target, "z2jfp1jwu1", v1alpha1.OutcomeSuccess)
			if (err == nil) != (tt.want != "") || (err == nil && delivery != tt.want+"?id=z2jfp1jwu1&status=success") {
				t.Errorf("DeliveryURL(%q) = %q, %v", tt.base, delivery, err)
			}
			store, err := StoreURL(tt.base, target)
			if want := strings.Replace(tt.want, "/notifications/", "/stores/", 1); store != want || (err == nil) != (want != "") {
				t.Errorf("StoreURL(%q) = %q, %v, want %q", tt.base, store, err, want)
			}
		})
	}
}

func TestReference(t *testing.T) {
	nonce := NewNonce()
	if other := NewNonce(); other == nonce {
		t.Errorf("two nonces are the same: %s", nonce)
	}
	want := Reference{UID: testUID, Attempt: 12, Nonce: nonce}
	got, err := ParseReference(want.String())
	if err != nil || got != want {
		t.Errorf("ParseReference(%q) = %+v, %v", want.String(), got, err)
	}
	for _, bad := range []string{
		"", "/", "//", "x", testUID, testUID + "/1", testUID + "/1/", testUID + "/0/" + nonce, testUID + "/1/" + nonce + "/",
		testUID + "/01/" + nonce, testUID + "/1/" + strings.ToUpper(nonce[:31]) + "F", "x/1/" + nonce, testUID + "/1001/" + nonce,
		" " + testUID + "/1/" + nonce, testUID + "/1/" + nonce + "\n", strings.Repeat("a/", 1000),
	} {
		if got, err := ParseReference(bad); err == nil {
			t.Errorf("ParseReference(%q) = %+v, want an error", bad, got)
		}
	}
}

func FuzzParseReference(f *testing.F) {
	f.Add(Reference{UID: testUID, Attempt: 12, Nonce: NewNonce()}.String())
	f.Add("a/1/b")
	f.Add("//")
	f.Fuzz(func(t *testing.T, s string) {
		reference, err := ParseReference(s)
		if err == nil && reference.String() != s {
			t.Errorf("ParseReference(%q).String() = %q", s, reference.String())
		}
	})
}

func TestParseOutcome(t *testing.T) {
	tests := []struct {
		in    string
		want  v1alpha1.NotificationOutcome
		known bool
	}{
		{"success", v1alpha1.OutcomeSuccess, true},
		{"error", v1alpha1.OutcomeError, true},
		{"fetch_error", v1alpha1.OutcomeFetchError, true},
		{"trim_error", v1alpha1.OutcomeTrimError, true},
		{"billing_error", "billing_error", false},
		{strings.Repeat("a", 32), v1alpha1.NotificationOutcome(strings.Repeat("a", 32)), false},
		{strings.Repeat("a", 33), "", false},
		{"", "", false},
		{"Success", "", false},
		{"success\n", "", false},
		{"<script>", "", false},
		{"../x", "", false},
	}
	for _, tt := range tests {
		if got, known := ParseOutcome(tt.in); got != tt.want || known != tt.known {
			t.Errorf("ParseOutcome(%q) = %q, %v, want %q, %v", tt.in, got, known, tt.want, tt.known)
		}
	}
}

func FuzzParseOutcome(f *testing.F) {
	f.Add("success")
	f.Add("new_word")
	f.Add("<script>")
	f.Fuzz(func(t *testing.T, s string) {
		outcome, known := ParseOutcome(s)
		if outcome == "" && known {
			t.Error("a refused outcome is known")
		}
		if outcome != "" && (string(outcome) != s || len(outcome) > MaxOutcomeLength || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "") {
			t.Errorf("ParseOutcome(%q) = %q", s, outcome)
		}
	})
}

func TestAuthorization(t *testing.T) {
	if token, err := ParseAuthorization(Authorization("abc")); err != nil || token != "abc" {
		t.Errorf("ParseAuthorization() = %q, %v", token, err)
	}
	for _, bad := range []string{"", "Bearer", "Bearer ", "bearer abc", "Basic abc", "abc"} {
		if token, err := ParseAuthorization(bad); err == nil {
			t.Errorf("ParseAuthorization(%q) = %q, want an error", bad, token)
		}
	}
}

func TestDecodeProblem(t *testing.T) {
	got, err := DecodeProblem(strings.NewReader(`{"reason":"Busy","message":"later","more":1}`))
	if err != nil || got != (Problem{Reason: ReasonBusy, Message: "later"}) {
		t.Errorf("DecodeProblem() = %+v, %v", got, err)
	}
	for _, bad := range []string{"", "<html>", "{}", `{"reason":1}`, `{"reason":"` + strings.Repeat("a", maxProblemBytes) + `"}`} {
		if got, err := DecodeProblem(strings.NewReader(bad)); err == nil {
			t.Errorf("DecodeProblem(%.20q) = %.20v, want an error", bad, got)
		}
	}
}
