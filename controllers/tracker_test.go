// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// TestTracker checks what is stale, and what is gone.
func TestTracker(t *testing.T) {
	t.Parallel()
	clock := testingclock.NewFakePassiveClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	tr := newTracker(clock)
	version := func(uid types.UID, resourceVersion string) *v1alpha1.TranscriptionJob {
		return &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b", UID: uid, ResourceVersion: resourceVersion}}
	}
	expect := func(what string, object *v1alpha1.TranscriptionJob, wantGone types.UID, wantStale bool) {
		t.Helper()
		if gone, stale := tr.meet(object); gone != wantGone || stale != wantStale {
			t.Errorf("%s: gone %q, stale %v; want %q, %v", what, gone, stale, wantGone, wantStale)
		}
	}
	expect("a new object", version("1", "10"), "", false)
	tr.wrote(version("1", "12"))
	expect("older than the own write", version("1", "11"), "", true)
	expect("the own write", version("1", "12"), "", false)
	expect("newer", version("1", "13"), "", false)
	clock.SetTime(clock.Now().Add(time.Minute))
	expect("still older after a minute: the write will never come", version("1", "11"), "", false)
	expect("a namesake", version("2", "5"), "1", false)
	if gone := tr.miss(types.NamespacedName{Namespace: "a", Name: "b"}); gone != "2" {
		t.Errorf("missing: gone %q, want the namesake", gone)
	}
}
