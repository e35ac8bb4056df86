// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// TestDeriveConditions checks what each verdict says, and that it never breaks a rule.
func TestDeriveConditions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cases := []struct {
		name string
		v    verdict
		want []string // conditions that are True
	}{
		{"running", verdict{reason: v1alpha1.ReasonRunning, message: "m"}, nil},
		{"waiting for an account", verdict{reason: v1alpha1.ReasonAccountNotFound, message: "m"}, nil},
		{"suspended", verdict{reason: v1alpha1.ReasonSuspended, message: "m"}, []string{"Suspended"}},
		{"held", verdict{reason: v1alpha1.ReasonClaimedByAnotherObject, message: "m", stalled: true}, []string{"Stalled"}},
		{"complete", verdict{reason: v1alpha1.ReasonComplete, message: "m", ending: completed}, []string{"Ready", "Complete", "Finished"}},
		{"failed", verdict{reason: v1alpha1.ReasonRejected, message: "m", ending: failed, stalled: true}, []string{"Failed", "Finished", "Stalled"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Generation: 3}}
			job.Status.Conditions = deriveConditions(job, c.v, now)
			job.Status.ObservedGeneration = ptr.To(int64(3))
			if c.v.ending != unfinished {
				job.Status.CompletionTime = ptr.To(metav1.NewTime(now))
			}
			var got []string
			for _, condition := range job.Status.Conditions {
				if condition.Status == metav1.ConditionTrue {
					got = append(got, condition.Type)
				}
				if condition.Type == v1alpha1.ConditionFeaturesFailed {
					continue // it has reasons of its own
				}
				if condition.Reason != c.v.reason {
					t.Errorf("%s has the reason %s, want %s", condition.Type, condition.Reason, c.v.reason)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("True conditions (-want +got):\n%s", diff)
			}
			for _, broken := range lintConditions(job) {
				t.Error(broken)
			}
			job.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TranscriptionJob"}
			if got, want := kstatusOf(t, job), wantKstatus(job); got != want {
				t.Errorf("kstatus says %s, want %s", got, want)
			}
		})
	}
}

// TestDeriveConditions_keepsTransitionTimes checks that the time of a condition changes with its status only, and that the
// argument is left alone.
func TestDeriveConditions_keepsTransitionTimes(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	job := &v1alpha1.TranscriptionJob{}
	job.Status.Conditions = deriveConditions(job, verdict{reason: "Running", message: "a"}, first)
	before := job.DeepCopy()
	later := deriveConditions(job, verdict{reason: "Complete", message: "b", ending: completed}, first.Add(time.Hour))
	if diff := cmp.Diff(before, job); diff != "" {
		t.Errorf("the job was changed (-before +after):\n%s", diff)
	}
	for kind, want := range map[string]time.Time{v1alpha1.ConditionReady: first.Add(time.Hour), v1alpha1.ConditionFailed: first} {
		if got := meta.FindStatusCondition(later, kind).LastTransitionTime.Time; !got.Equal(want) {
			t.Errorf("%s changed at %s, want %s", kind, got, want)
		}
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"short", 10, "short"},
		{"exact", 5, "exact"},
		{"longer than that", 10, "longer …"},
		{strings.Repeat("ü", 10), 10, "üüü…"},
	} {
		got := clip(c.text, c.n)
		if got != c.want || len(got) > c.n {
			t.Errorf("clip(%q, %d) = %q (%d bytes), want %q", c.text, c.n, got, len(got), c.want)
		}
	}
}

// TestControllerStatus_leavesOthersAlone checks that the controller's apply never names a field of another owner: it would take
// it over, and drop it the next time.
func TestControllerStatus_leavesOthersAlone(t *testing.T) {
	t.Parallel()
	status := &v1alpha1.TranscriptionJobStatus{
		Attempt:      ptr.To(int32(1)),
		RemoteJob:    &v1alpha1.RemoteJob{ID: ptr.To("id"), BaseURL: ptr.To("url"), State: ptr.To(v1alpha1.RemoteRunning)},
		Notification: &v1alpha1.Notification{JobID: "id"},
		Document:     &v1alpha1.DocumentFacts{JobID: "id"},
		Transcripts:  []v1alpha1.StoredTranscript{{Format: v1alpha1.FormatText}},
	}
	apply := controllerStatus(status)
	if apply.Attempt != nil || apply.Notification != nil || apply.Transcripts != nil || apply.Document != nil || apply.RemoteJob.ID != nil || apply.RemoteJob.BaseURL != nil {
		t.Errorf("the controller applies a field that is not its own: %+v", apply)
	}
	if apply.RemoteJob.State == nil {
		t.Error("the controller does not apply the remote state")
	}
}
