// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

const (
	markedAccount types.UID = "11111111-1111-1111-1111-111111111111"
	markedJob     types.UID = "22222222-2222-2222-2222-222222222222"
)

// marked is the reference of a job that a submitter has claimed with an account.
func marked(s *submitter, account types.UID, claimed time.Time, kept bool) notification.Reference {
	claim := notification.Claim{UID: markedJob, Attempt: 1, ClaimedAt: claimed}
	claim.Nonce = s.nonce(account, claim, kept)
	return claim.Reference()
}

// TestSubmitter_origin recognises what the submitter has submitted, and nothing else: not with another account, of another run, of another
// object or attempt, nor with a nonce that has no mark.
func TestSubmitter_origin(t *testing.T) {
	t.Parallel()
	s, claimed := newSubmitter(), time.Unix(1_800_000_000, 5)
	for _, kept := range []bool{false, true} {
		reference := marked(s, markedAccount, claimed, kept)
		parsed, err := notification.ParseReference(reference.String())
		if err != nil {
			t.Fatalf("a marked reference cannot be read: %v", err)
		}
		got, ok := originOf([]string{newSubmitter().id, s.id}, markedAccount, parsed)
		want := origin{submitter: s.id, claimedAt: claimed.Truncate(time.Second), kept: kept}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(origin{})); !ok || diff != "" {
			t.Errorf("recognised: %v (-want +got):\n%s", ok, diff)
		}
	}
	own := marked(s, markedAccount, claimed, false)
	changed := func(change func(*notification.Reference)) notification.Reference {
		other := own
		change(&other)
		return other
	}
	flip := func(i int) notification.Reference {
		return changed(func(r *notification.Reference) {
			digit := byte('0')
			if r.Nonce[i] == digit {
				digit = '1'
			}
			r.Nonce = r.Nonce[:i] + string(digit) + r.Nonce[i+1:]
		})
	}
	for name, c := range map[string]struct {
		submitter string
		account   types.UID
		reference notification.Reference
	}{
		"another account": {s.id, "33333333-3333-3333-3333-333333333333", own},
		"another run":     {newSubmitter().id, markedAccount, own},
		"another object":  {s.id, markedAccount, changed(func(r *notification.Reference) { r.UID = markedAccount })},
		"another attempt": {s.id, markedAccount, changed(func(r *notification.Reference) { r.Attempt = 2 })},
		"another time":    {s.id, markedAccount, flip(nonceTimeDigits - 1)},
		"another nonce":   {s.id, markedAccount, flip(nonceHeadDigits - 1)},
		"another mark":    {s.id, markedAccount, flip(nonceHeadDigits)},
		"no mark":         {s.id, markedAccount, changed(func(r *notification.Reference) { r.Nonce = notification.NewNonce() })},
	} {
		if from, ok := originOf([]string{c.submitter}, c.account, c.reference); ok {
			t.Errorf("%s: recognised as %+v", name, from)
		}
	}
}

// TestSubmitter_nonces are different, however many are made in the same second.
func TestSubmitter_nonces(t *testing.T) {
	t.Parallel()
	s, now := newSubmitter(), time.Unix(1_800_000_000, 0)
	nonces := map[string]bool{}
	for range 100 {
		nonces[marked(s, markedAccount, now, false).Nonce] = true
	}
	if len(nonces) != 100 {
		t.Errorf("%d different nonces of 100", len(nonces))
	}
	for nonce := range nonces {
		if len(nonce) != 32 || strings.Trim(nonce, "0123456789abcdef") != "" {
			t.Errorf("%q is not 32 hexadecimal digits", nonce)
		}
	}
}

// TestSubmitter_isRecorded believes a claim to be this cluster's only if its run wrote the account in a later second. A copy of the
// cluster that was made in between has the account's entry as it was then, and must not take the original's later jobs for its own.
func TestSubmitter_isRecorded(t *testing.T) {
	t.Parallel()
	s, copied := newSubmitter(), time.Unix(1_800_000_000, 0)
	recorded := s.record(nil, copied, time.Hour)
	for name, c := range map[string]struct {
		claimed time.Time
		want    bool
	}{
		"before":             {copied.Add(-time.Second), true},
		"in the same second": {copied.Add(-time.Nanosecond).Truncate(time.Second).Add(time.Second), false},
		"after":              {copied.Add(time.Hour), false},
	} {
		from, ok := originOf([]string{s.id}, markedAccount, marked(s, markedAccount, c.claimed, false))
		if !ok || from.isRecorded(recorded) != c.want {
			t.Errorf("claimed %s: recognised %v, recorded %v, want %v", name, ok, from.isRecorded(recorded), c.want)
		}
		if from.isRecorded(newSubmitter().record(nil, copied.Add(time.Hour), time.Hour)) {
			t.Errorf("claimed %s: another run's entry proves it", name)
		}
	}
}

// TestOrigin_isSpared spares what was claimed before the time and in its second, and nothing if there is none.
func TestOrigin_isSpared(t *testing.T) {
	t.Parallel()
	spared := metav1.NewTime(time.Unix(1_800_000_000, 0))
	for after, want := range map[time.Duration]bool{-time.Hour: true, 0: true, time.Second: false} {
		o := origin{claimedAt: spared.Add(after)}
		if o.isSpared(&spared) != want || o.isSpared(nil) {
			t.Errorf("claimed %s after: spared %v, want %v; without a time: %v, want false", after, o.isSpared(&spared), want, o.isSpared(nil))
		}
	}
}

// TestSubmitter_owes writes a run into an account when it has claimed something there since, and not else.
func TestSubmitter_owes(t *testing.T) {
	t.Parallel()
	s, now := newSubmitter(), time.Unix(1_800_000_000, 0)
	if s.owes(markedAccount, nil) {
		t.Error("a run owes an entry without having claimed anything")
	}
	marked(s, markedAccount, now, false)
	marked(s, markedAccount, now.Add(-time.Minute), false) // by another worker, later
	for name, c := range map[string]struct {
		recorded []v1alpha1.Submitter
		want     bool
	}{
		"nobody recorded":     {nil, true},
		"another run":         {newSubmitter().record(nil, now.Add(time.Hour), time.Hour), true},
		"recorded before":     {s.record(nil, now.Add(-time.Second), time.Hour), true},
		"in the same second":  {s.record(nil, now, time.Hour), true},
		"recorded since then": {s.record(nil, now.Add(time.Second), time.Hour), false},
	} {
		if got := s.owes(markedAccount, c.recorded); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if s.owes("33333333-3333-3333-3333-333333333333", nil) {
		t.Error("an account owes another one's entry")
	}
	s.forget(markedAccount)
	if s.owes(markedAccount, nil) {
		t.Error("an account that was forgotten owes an entry")
	}
}

// TestSubmitter_record keeps as many runs as the API server takes, the newest, and none whose jobs are all gone.
func TestSubmitter_record(t *testing.T) {
	t.Parallel()
	s, now := newSubmitter(), time.Unix(1_800_000_000, 0)
	recorded := []v1alpha1.Submitter{{ID: s.id, LastTime: metav1.NewTime(now.Add(-time.Minute))}}
	for i := range 2 * maxSubmitters {
		recorded = append(recorded, v1alpha1.Submitter{ID: newSubmitter().id, LastTime: metav1.NewTime(now.Add(-time.Duration(i) * time.Minute))})
	}
	all := s.record(recorded, now, 10*time.Minute)
	if len(all) != 12 || all[0].ID != s.id || !all[0].LastTime.Time.Equal(now) {
		t.Errorf("%d runs are kept that have jobs, want 12, the own one first: %+v", len(all), all)
	}
	if all = s.record(recorded, now, 24*time.Hour); len(all) != maxSubmitters || all[1].ID != recorded[1].ID {
		t.Errorf("%d runs are kept, want the newest %d", len(all), maxSubmitters)
	}
}
