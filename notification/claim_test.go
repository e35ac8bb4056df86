// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testClaim() Claim {
	at := time.Date(2026, 9, 1, 12, 0, 0, 123456789, time.UTC)
	return Claim{
		UID: testUID, Attempt: 2, Nonce: "0123456789abcdef0123456789abcdef",
		ClaimedAt: at, NotAfter: at.Add(time.Minute),
		AccountUID: "00000000-0000-4000-8000-000000000001", BaseURL: "https://eu1.asr.api.speechmatics.com", KeyFingerprint: "sha256:abc",
		JobID: "z2jfp1jwu1",
	}
}

func TestClaimRoundTrip(t *testing.T) {
	for _, jobID := range []string{"", "z2jfp1jwu1"} {
		want := testClaim()
		want.JobID = jobID
		annotation, err := want.Annotation()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseClaim(annotation)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseClaim(Annotation()) (-want +got):\n%s", diff)
		}
	}
	if got, want := testClaim().Reference().String(), testUID+"/2/0123456789abcdef0123456789abcdef"; got != want {
		t.Errorf("Reference() = %s, want %s", got, want)
	}
}

// TestClaimLongest has every text be as long as it may, and of characters that JSON escapes: what is written can be read.
func TestClaimLongest(t *testing.T) {
	want := testClaim()
	want.JobID = strings.Repeat("<", MaxJobIDLength)
	want.Surplus = slices.Repeat([]string{want.JobID}, MaxSurplus)
	want.BaseURL = strings.Repeat("&", maxBaseURL)
	want.KeyFingerprint = strings.Repeat(">", maxKeyFingerprint)
	annotation, err := want.Annotation()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseClaim(annotation)
	if err != nil {
		t.Fatalf("a claim of %d bytes cannot be read: %v", len(annotation), err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseClaim(Annotation()) (-want +got):\n%s", diff)
	}
}

// A time zone is not a fact: the annotation is the same wherever the manager runs.
func TestClaimIsWrittenInUTC(t *testing.T) {
	want, err := testClaim().Annotation()
	if err != nil {
		t.Fatal(err)
	}
	claim := testClaim()
	claim.ClaimedAt = claim.ClaimedAt.In(time.FixedZone("somewhere", 3*3600))
	got, err := claim.Annotation()
	if err != nil || got != want {
		t.Errorf("Annotation() = %s, %v, want %s", got, err, want)
	}
}

func TestClaimThatIsRefused(t *testing.T) {
	tests := map[string]func(*Claim){
		"uid empty":               func(c *Claim) { c.UID = "" },
		"uid in capitals":         func(c *Claim) { c.UID = "6F1F0A5E-3A52-4C0E-9D2E-0123456789AB" },
		"attempt zero":            func(c *Claim) { c.Attempt = 0 },
		"attempt negative":        func(c *Claim) { c.Attempt = -1 },
		"attempt too high":        func(c *Claim) { c.Attempt = MaxAttempt + 1 },
		"nonce empty":             func(c *Claim) { c.Nonce = "" },
		"nonce not hexadecimal":   func(c *Claim) { c.Nonce = "g123456789abcdef0123456789abcdef" },
		"claimedAt missing":       func(c *Claim) { c.ClaimedAt = time.Time{} },
		"notAfter missing":        func(c *Claim) { c.NotAfter = time.Time{} },
		"notAfter not after":      func(c *Claim) { c.NotAfter = c.ClaimedAt },
		"accountUID empty":        func(c *Claim) { c.AccountUID = "" },
		"baseURL empty":           func(c *Claim) { c.BaseURL = "" },
		"baseURL too long":        func(c *Claim) { c.BaseURL = strings.Repeat("a", maxBaseURL+1) },
		"keyFingerprint empty":    func(c *Claim) { c.KeyFingerprint = "" },
		"keyFingerprint too long": func(c *Claim) { c.KeyFingerprint = strings.Repeat("a", maxKeyFingerprint+1) },
		"jobID climbing":          func(c *Claim) { c.JobID = "../x" },
		"surplus climbing":        func(c *Claim) { c.Surplus = []string{"../x"} },
		"surplus too long":        func(c *Claim) { c.Surplus = make([]string, MaxSurplus+1) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			claim := testClaim()
			spoil(&claim)
			if annotation, err := claim.Annotation(); err == nil {
				t.Errorf("Annotation() = %s, want an error", annotation)
			}
			annotation, err := json.Marshal(claim)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := ParseClaim(string(annotation)); err == nil {
				t.Errorf("ParseClaim() = %+v, want an error", got)
			}
		})
	}
}

func TestParseClaimStrictness(t *testing.T) {
	good, err := testClaim().Annotation()
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty":           "",
		"not JSON":        "claim",
		"null":            "null",
		"array":           "[" + good + "]",
		"more after":      good + good,
		"wrong type":      strings.Replace(good, `"attempt":2`, `"attempt":"2"`, 1),
		"fraction":        strings.Replace(good, `"attempt":2`, `"attempt":2.5`, 1),
		"twice":           strings.Replace(good, `"attempt":2`, `"attempt":2,"attempt":3`, 1),
		"other case":      strings.Replace(good, `"attempt"`, `"Attempt"`, 1),
		"no time":         strings.Replace(good, `2026-09-01T12:00:00.123456789Z`, `yesterday`, 1),
		"too long":        good + strings.Repeat(" ", maxClaimBytes),
		"missing a field": strings.Replace(good, `"baseURL"`, `"other"`, 1),
	} {
		if got, err := ParseClaim(bad); err == nil {
			t.Errorf("%s: ParseClaim() = %+v, want an error", name, got)
		}
	}
	newer := strings.Replace(good, `{`, `{"fromANewerManager":true,`, 1)
	if _, err := ParseClaim(newer); err != nil {
		t.Errorf("a field that is not known is refused: %v", err)
	}
}

// A claim that is accepted can be written, and is the same when it is read again.
func FuzzParseClaim(f *testing.F) {
	good, err := testClaim().Annotation()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("{}")
	f.Add(`{"attempt":1e3}`)
	f.Fuzz(func(t *testing.T, s string) {
		claim, err := ParseClaim(s)
		if err != nil {
			return
		}
		annotation, err := claim.Annotation()
		if err != nil {
			// The one thing that JSON can read and not write: a time beyond the year 9999, or a zone of 24 hours.
			if y := claim.NotAfter.UTC().Year(); y >= 0 && y <= 9999 {
				t.Fatalf("ParseClaim(%q) accepts what Annotation() refuses: %v", s, err)
			}
			return
		}
		again, err := ParseClaim(annotation)
		if err != nil {
			t.Fatalf("ParseClaim(%q): %v", annotation, err)
		}
		if !again.NotAfter.Equal(claim.NotAfter) || again.Reference() != claim.Reference() || again.JobID != claim.JobID {
			t.Errorf("ParseClaim(Annotation()) = %+v, want %+v", again, claim)
		}
	})
}
