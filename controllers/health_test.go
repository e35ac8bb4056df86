// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

// Argo CD's words.
const (
	argoHealthy     = "Healthy"
	argoProgressing = "Progressing"
	argoDegraded    = "Degraded"
	argoSuspended   = "Suspended"
)

// lintHealth returns in what Argo CD and kstatus, which Flux goes by, do not agree about an object. It holds after every story.
func lintHealth(t *testing.T, object client.Object) []string {
	t.Helper()
	want := map[status.Status]string{status.CurrentStatus: argoHealthy, status.FailedStatus: argoDegraded, status.InProgressStatus: argoProgressing}[kstatusOf(t, object)]
	job, isJob := object.(*v1alpha1.TranscriptionJob)
	switch {
	case object.GetDeletionTimestamp() != nil:
		return nil // Argo CD does not ask its scripts about these
	case isJob && meta.IsStatusConditionTrue(job.Status.Conditions, v1alpha1.ConditionSuspended) && want == argoProgressing:
		want = argoSuspended
	}
	got, message := testenv.ArgoCDHealth(t, object)
	var broken []string
	if got != want {
		broken = append(broken, fmt.Sprintf("Argo CD says %s (%s), kstatus %s", got, message, kstatusOf(t, object)))
	}
	if message == "" {
		broken = append(broken, "Argo CD has no message")
	}
	return broken
}

// TestHealth_documented holds the table of docs/gitops.md to what Argo CD and kstatus make of each STATUS, and to the constants.
func TestHealth_documented(t *testing.T) {
	t.Parallel()
	reasons := reasonsOfJobs(t)
	var documented []string
	for _, row := range testenv.Table(t, "docs/gitops.md", "| STATUS | Argo CD | Flux, kstatus |") {
		for cell := range strings.SplitSeq(row[0], ", ") {
			reason := strings.Trim(cell, "`")
			documented = append(documented, reason)
			if !slices.Contains(reasons, reason) {
				continue // told below
			}
			job := jobWith(reason)
			if got := kstatusOf(t, job).String(); got != row[2] {
				t.Errorf("%s: kstatus says %s, docs/gitops.md %s", reason, got, row[2])
			}
			if got, _ := testenv.ArgoCDHealth(t, job); got != row[1] {
				t.Errorf("%s: Argo CD says %s, docs/gitops.md %s", reason, got, row[1])
			}
			for _, broken := range append(lintConditions(job), lintHealth(t, job)...) {
				t.Errorf("%s: %s", reason, broken)
			}
		}
	}
	slices.Sort(documented)
	if diff := cmp.Diff(reasons, documented); diff != "" {
		t.Errorf("docs/gitops.md (-constants +documented):\n%s", diff)
	}
}

// jobWith is a job in the state of which STATUS says reason.
func jobWith(reason string) *v1alpha1.TranscriptionJob {
	v := verdict{reason: reason, message: "because"}
	switch reason {
	case v1alpha1.ReasonComplete, v1alpha1.ReasonCompleteWithErrors:
		v.ending = completed
	case v1alpha1.ReasonClaimedByAnotherObject, v1alpha1.ReasonInvalidClaim:
		v.stalled = true
	case v1alpha1.ReasonSubmissionRefused, v1alpha1.ReasonInvalidConfiguration, v1alpha1.ReasonTranscriptUnreadable, v1alpha1.ReasonTranscriptNotStored,
		v1alpha1.ReasonRejected, v1alpha1.ReasonMediaFetchFailed, v1alpha1.ReasonRemoteJobLost, v1alpha1.ReasonDeadlineExceeded, v1alpha1.ReasonSubmissionAmbiguous:
		v.ending, v.stalled = failed, true
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	job := newTypedJob(2)
	job.Status.ObservedGeneration = ptr.To(int64(2))
	if reason == v1alpha1.ReasonCompleteWithErrors {
		job.Status.RemoteJob, job.Status.Attempt = &v1alpha1.RemoteJob{ID: ptr.To("remote1")}, ptr.To(int32(1))
		job.Status.Document = &v1alpha1.DocumentFacts{JobID: "remote1", Attempt: 1, FeatureErrors: []v1alpha1.FeatureError{{Feature: "Summarization", Type: "t"}}}
	}
	if v.ending != unfinished {
		job.Status.CompletionTime = ptr.To(metav1.NewTime(now))
	}
	job.Status.Conditions = deriveConditions(job, v, now)
	return job
}

func newTypedJob(generation int64) *v1alpha1.TranscriptionJob {
	return &v1alpha1.TranscriptionJob{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TranscriptionJob"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "job", Generation: generation},
	}
}

// TestHealth_notLookedAt checks that an object of which the operator has not said anything, or nothing about its present spec, is neither well
// nor ill, whatever its conditions are.
func TestHealth_notLookedAt(t *testing.T) {
	t.Parallel()
	changed := jobWith(v1alpha1.ReasonComplete)
	changed.Generation++
	untouched := newTypedJob(1)
	untouched.Status.ObservedGeneration = ptr.To(int64(-1)) // the schema's default
	withoutReady := jobWith(v1alpha1.ReasonRunning)
	meta.RemoveStatusCondition(&withoutReady.Status.Conditions, v1alpha1.ConditionReady)
	for name, job := range map[string]*v1alpha1.TranscriptionJob{"untouched": untouched, "changed": changed, "without Ready": withoutReady} {
		if got, message := testenv.ArgoCDHealth(t, job); got != argoProgressing || message == "" {
			t.Errorf("%s: Argo CD says %s (%s)", name, got, message)
		}
		if got := kstatusOf(t, job); name != "without Ready" && got != status.InProgressStatus {
			t.Errorf("%s: kstatus says %s", name, got)
		}
	}
}

// TestHealth_tellsTrouble checks that what is not in Ready is in Argo CD's message.
func TestHealth_tellsTrouble(t *testing.T) {
	t.Parallel()
	job := jobWith(v1alpha1.ReasonStoreUnavailable)
	meta.SetStatusCondition(&job.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionTranscriptAtRisk, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRetentionEnding, Message: "until Friday",
	})
	if _, message := testenv.ArgoCDHealth(t, job); message != "StoreUnavailable: because; TranscriptAtRisk: until Friday" {
		t.Errorf("a job at risk: %s", message)
	}
	account := &v1alpha1.ClusterSpeechmaticsAccount{TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: string(v1alpha1.ClusterAccount)}}
	account.Generation, account.Status.ObservedGeneration = 3, ptr.To(int64(3))
	for _, c := range []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonKeyAccepted, Message: "fine"},
		{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonKeyAccepted},
		{Type: v1alpha1.ConditionSubmissionsHeld, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSuspended, Message: "spec.suspend is set"},
	} {
		meta.SetStatusCondition(&account.Status.Conditions, c)
	}
	got, message := testenv.ArgoCDHealth(t, account)
	if got != argoHealthy || message != "KeyAccepted: fine; SubmissionsHeld: spec.suspend is set" {
		t.Errorf("an account whose submissions are held: %s, %s", got, message)
	}
	for _, broken := range lintHealth(t, account) {
		t.Error(broken)
	}
}
