// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const jobUID = "6f1f0a5e-3a52-4c0e-9d2e-0123456789ab"

func TestValidJobID(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"z2jfp1jwu1", "17", jobUID, "0123456789abcdef0123", "A_b-C", "a.b", "a b", "ä", "-", strings.Repeat("a", 256)} {
		if !notification.ValidJobID(good) {
			t.Errorf("ValidJobID(%q) = false", good)
		}
	}
	for _, bad := range []string{"", ".", "..", "../etc/passwd", "a/b", `a\b`, "a\n", "a\x00b", "a\u0085b", "a\xff", strings.Repeat("a", 257), strings.Repeat("ä", 129)} {
		if notification.ValidJobID(bad) {
			t.Errorf("ValidJobID(%q) = true", bad)
		}
	}
}

// TestValidJobID_asTheClient holds ValidJobID to the client's rule, character by character: an ID that the client takes from an
// answer must be one that a notification can name, a delivery can carry and a claim can hold.
func TestValidJobID_asTheClient(t *testing.T) {
	t.Parallel()
	ids := []string{"", ".", "..", "...", "17", strings.Repeat("a", 256), strings.Repeat("a", 257), strings.Repeat("ä", 128), strings.Repeat("ä", 129)}
	for r := range rune(0x200) {
		ids = append(ids, string(r)+"1")
	}
	for _, id := range ids {
		accepted := acceptedByClient(t, id)
		if valid := notification.ValidJobID(id); valid != accepted {
			t.Errorf("ValidJobID(%q) = %t, the client accepts it: %t", id, valid, accepted)
		}
		if accepted {
			checkCarried(t, id)
		}
	}
}

// acceptedByClient reports whether the client takes a text for a job's ID.
func acceptedByClient(t *testing.T, id string) bool {
	t.Helper()
	document, err := json.Marshal(map[string]string{"id": id, "status": "running"})
	if err != nil {
		t.Fatal(err)
	}
	var job speechmatics.Job
	return json.Unmarshal(document, &job) == nil && job.ID == id
}

// checkCarried sends an ID through what carries it from one program to the other.
func checkCarried(t *testing.T, id string) {
	t.Helper()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	claim := notification.Claim{
		UID: jobUID, Attempt: 1, Nonce: notification.NewNonce(), ClaimedAt: now, NotAfter: now.Add(time.Minute),
		AccountUID: jobUID, BaseURL: "https://appliance.example.com/v2", KeyFingerprint: "none", JobID: id,
	}
	annotation, err := claim.Annotation()
	if err != nil {
		t.Errorf("a claim cannot hold the ID %q: %v", id, err)
	}
	if read, err := notification.ParseClaim(annotation); err != nil || read.JobID != id {
		t.Errorf("the ID %q comes out of a claim as %q, %v", id, read.JobID, err)
	}
	target := notification.Target{Namespace: "media", Name: "standup", UID: jobUID, Attempt: 1}
	if _, err := notification.DeliveryURL("http://receiver:8081", target, id, v1alpha1.OutcomeSuccess); err != nil {
		t.Errorf("a delivery cannot carry the ID %q: %v", id, err)
	}
}
