// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// TestForgedClaim has mallory write claims by hand. They point to the victim's remote job, which the same account sees, to an address of
// her own, to another object. Nothing of the victim's is touched or given to her, nothing is sent to her, and her jobs can be deleted.
func TestForgedClaim(t *testing.T) {
	t.Parallel()
	theirs, id := completed(t, "claimed")
	words := transcriptOf(t, theirs)[:40]
	const address = "/claim/v2"
	for name, c := range map[string]struct {
		claim  func(*v1alpha1.TranscriptionJob) string
		reason string
		says   string
	}{
		"the-victims-job": {
			func(j *v1alpha1.TranscriptionJob) string {
				return claimOf(t, j, func(c *notification.Claim) { c.JobID = id })
			}, v1alpha1.ReasonUnexpectedAnswer, "does not carry this job's reference",
		},
		"an-address": {
			func(j *v1alpha1.TranscriptionJob) string {
				return claimOf(t, j, func(c *notification.Claim) { c.JobID, c.BaseURL = id, town.evil.URL+address })
			}, v1alpha1.ReasonAccountNotReady, "lives at",
		},
		"an-address-to-look": {
			func(j *v1alpha1.TranscriptionJob) string {
				return claimOf(t, j, func(c *notification.Claim) { c.BaseURL = town.evil.URL + address })
			}, v1alpha1.ReasonSubmissionAmbiguous, "address was changed",
		},
		"the-metadata-service": {
			func(j *v1alpha1.TranscriptionJob) string {
				return claimOf(t, j, func(c *notification.Claim) { c.JobID, c.BaseURL = id, "http://169.254.169.254/v2" })
			}, v1alpha1.ReasonAccountNotReady, "lives at",
		},
		"the-victims-object": {
			func(*v1alpha1.TranscriptionJob) string { return theirs.Annotations[notification.ClaimAnnotation] },
			v1alpha1.ReasonClaimedByAnotherObject, "remove the annotation",
		},
		"no-claim": {func(*v1alpha1.TranscriptionJob) string { return `{"uid":"` }, v1alpha1.ReasonInvalidClaim, "remove the annotation"},
		"huge":     {func(*v1alpha1.TranscriptionJob) string { return strings.Repeat("[", 200_000) }, v1alpha1.ReasonInvalidClaim, "remove the annotation"},
		"a-surplus": {
			func(j *v1alpha1.TranscriptionJob) string {
				return claimOf(t, j, func(c *notification.Claim) { c.Surplus, c.NotCreated = []string{id}, true })
			}, v1alpha1.ReasonComplete, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			get(t, theirs.DeepCopy())
			job := newJob(name, suspended)
			create(t, town.mallory, job)
			forge(t, job, c.claim(job))
			if message := awaitReason(t, job, c.reason); !strings.Contains(message, c.says) {
				t.Errorf("the message does not say %q: %s", c.says, message)
			}
			if c.reason != v1alpha1.ReasonComplete {
				wantNothingBought(t, job)
				if len(job.Status.Transcripts) > 0 {
					t.Errorf("transcripts: %+v", job.Status.Transcripts)
				}
			}
			remove(t, job)
			if got := remoteStatus(t, id); got != "done" {
				t.Errorf("the victim's job is %s at the provider", got)
			}
		})
	}
	t.Cleanup(func() {
		if got := town.evil.got("/claim"); len(got) > 0 {
			t.Errorf("mallory's server was called: %v", got)
		}
		if strings.Contains(readable(t), words) {
			t.Error("the victim's words are to be read in mallory's namespace")
		}
	})
}

// TestClosedAccount names a cluster account that does not select mallory's namespace, and claims to have been submitted with it. Its key
// stays unused: for submissions, for searches and for deletions.
func TestClosedAccount(t *testing.T) {
	t.Parallel()
	closed := func(s *v1alpha1.TranscriptionJobSpec) { s.AccountRef.Name = closedAccount }
	for name, claim := range map[string]func(*notification.Claim){
		"plain":     nil,
		"uncertain": func(*notification.Claim) {},
		"announced": func(c *notification.Claim) { c.JobID = "z2jfp1jwu1" },
		"given-up":  func(c *notification.Claim) { c.GivenUp, c.Surplus = true, []string{"z2jfp1jwu1"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := newJob("closed-"+name, closed, suspended)
			create(t, town.mallory, job)
			if claim == nil {
				patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"suspend":false}}`))
				if err := town.mallory.Patch(t.Context(), job, patch); err != nil {
					t.Fatal(err)
				}
			} else {
				forge(t, job, claimOf(t, job, func(c *notification.Claim) {
					c.BaseURL = town.evil.URL + "/closed/v2"
					claim(c)
				}))
			}
			if message := awaitReason(t, job, v1alpha1.ReasonAccountNotPermitted); !strings.Contains(message, "ask the administrator") {
				t.Errorf("the message does not say what to do: %s", message)
			}
			wantNothingBought(t, job)
			remove(t, job)
		})
	}
	for _, ref := range []v1alpha1.AccountReference{
		{Kind: "Secret", Name: "key"}, {Kind: v1alpha1.NamespacedAccount, Name: victim + "/default"}, {Kind: v1alpha1.NamespacedAccount, Name: "../" + victim + "/default"},
	} {
		err := town.mallory.Create(t.Context(), newJob("ref", func(s *v1alpha1.TranscriptionJobSpec) { s.AccountRef = &ref }))
		if !apierrors.IsInvalid(err) {
			t.Errorf("accountRef %+v: %v", ref, err)
		}
	}
	// The account of the other namespace has the name of the default, and is no default of this one.
	job := newJob("default", func(s *v1alpha1.TranscriptionJobSpec) { s.AccountRef = nil })
	create(t, town.mallory, job)
	awaitReason(t, job, v1alpha1.ReasonAccountNotFound)
	t.Cleanup(func() {
		if got := town.evil.got("/closed"); len(got) > 0 {
			t.Errorf("the closed account's key was used: %v", got)
		}
	})
}

// TestAccountIsClosed takes the label away that opens an account to a namespace. Its jobs there are followed to their end, and no new one
// is submitted.
func TestAccountIsClosed(t *testing.T) {
	label := func(value string) {
		t.Helper()
		namespace := &corev1.Namespace{}
		namespace.Name = thief
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"speech":"`+value+`"}}}`))
		if err := town.admin.Patch(t.Context(), namespace, patch); err != nil {
			t.Fatal(err)
		}
	}
	defer label("shared")
	running := newJob("running")
	create(t, town.mallory, running)
	eventually(t, "it is submitted", func() (bool, string) {
		get(t, running)
		return running.Status.RemoteJob != nil, ""
	})
	label("none")
	eventually(t, "new jobs are not let in", func() (bool, string) {
		job := newJob("late-" + time.Now().Format("150405.000000"))
		create(t, town.mallory, job)
		awaitReason(t, job, v1alpha1.ReasonAccountNotPermitted, v1alpha1.ReasonComplete)
		ready := job.Status.CompletionTime == nil
		return ready, "the manager's cache is older"
	})
	awaitReason(t, running, v1alpha1.ReasonComplete)
	if ptr.Deref(running.Status.FailedAttempts, 0) != 0 {
		t.Errorf("attempts failed: %+v", running.Status)
	}
}
