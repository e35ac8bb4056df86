// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// evilServer notes what it is sent. As a provider it has no jobs.
type evilServer struct {
	*httptest.Server

	mu       sync.Mutex
	requests []string
}

func startEvilServer() *evilServer {
	e := &evilServer{}
	e.Server = httptest.NewServer(e)
	return e
}

// ServeHTTP implements http.Handler.
func (e *evilServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	e.requests = append(e.requests, r.Method+" "+r.URL.String())
	e.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"jobs":[]}`))
}

// got are the requests below a path, but for those that try an account's key.
func (e *evilServer) got(path string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.requests), func(r string) bool {
		return !strings.Contains(r, path) || strings.Contains(r, "/closed/v2/jobs?limit=1")
	})
}

// newJob is a job of mallory's with the shared account.
func newJob(name string, change ...func(*v1alpha1.TranscriptionJobSpec)) *v1alpha1.TranscriptionJob {
	return jobIn(thief, name, change...)
}

func jobIn(namespace, name string, change ...func(*v1alpha1.TranscriptionJobSpec)) *v1alpha1.TranscriptionJob {
	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.TranscriptionJobSpec{
			AccountRef:    &v1alpha1.AccountReference{Kind: v1alpha1.ClusterAccount, Name: sharedAccount},
			Media:         v1alpha1.MediaSource{URL: ptr.To(town.MediaURL(recording))},
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"},
		},
	}
	for _, f := range change {
		f(&job.Spec)
	}
	return job
}

// create creates an object as a user.
func create(t *testing.T, as client.Client, object client.Object) {
	t.Helper()
	if err := as.Create(t.Context(), object); err != nil {
		t.Fatalf("cannot create %T %s: %v", object, object.GetName(), err)
	}
}

func get(t *testing.T, object client.Object) {
	t.Helper()
	if err := town.admin.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatalf("cannot get %T %s: %v", object, object.GetName(), err)
	}
}

// eventually waits for something to come true.
func eventually(t *testing.T, what string, check func() (bool, string)) {
	t.Helper()
	state := ""
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, patience, true, func(context.Context) (done bool, _ error) {
		done, state = check()
		return done, nil
	})
	if err != nil {
		t.Fatalf("waited in vain until %s; now: %s; logs: %s", what, state, town.Logs)
	}
}

// awaitReason waits until a job's Ready has a reason, and returns its message.
func awaitReason(t *testing.T, job *v1alpha1.TranscriptionJob, reasons ...string) string {
	t.Helper()
	message := ""
	eventually(t, fmt.Sprintf("%s/%s is %s", job.Namespace, job.Name, strings.Join(reasons, " or ")), func() (bool, string) {
		get(t, job)
		ready := meta.FindStatusCondition(job.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil {
			return false, "no condition Ready"
		}
		message = ready.Message
		return slices.Contains(reasons, ready.Reason), ready.Reason + ": " + ready.Message
	})
	return message
}

// remove deletes a job of mallory's, which must be possible whatever she has done to it.
func remove(t *testing.T, job *v1alpha1.TranscriptionJob) {
	t.Helper()
	if err := town.mallory.Delete(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	eventually(t, job.Name+" is gone", func() (bool, string) {
		err := town.admin.Get(t.Context(), client.ObjectKeyFromObject(job), job)
		return apierrors.IsNotFound(err), fmt.Sprint(err, job.Finalizers)
	})
}

// wantNothingBought checks that nothing was submitted for a job.
func wantNothingBought(t *testing.T, job *v1alpha1.TranscriptionJob) {
	t.Helper()
	ledger, err := town.API.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range ledger {
		if strings.HasPrefix(entry.Reference, string(job.UID)+"/") {
			t.Errorf("job %s was submitted: %+v", job.Name, entry)
		}
	}
}

// remoteStatus is the state of a remote job.
func remoteStatus(t *testing.T, id string) string {
	t.Helper()
	jobs, err := town.API.Jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range jobs {
		if job.ID == id {
			return job.Status
		}
	}
	return "unknown"
}

// readable is all that mallory can read in her namespace, and what an onlooker might show her: the events.
func readable(t *testing.T) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // tests look when their subtests have ended
	jobs, events := &v1alpha1.TranscriptionJobList{}, &eventsv1.EventList{}
	if err := town.mallory.List(ctx, jobs, client.InNamespace(thief)); err != nil {
		t.Fatal(err)
	}
	if err := town.admin.List(ctx, events, client.InNamespace(thief)); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal([]any{jobs, events})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// completed is a job of the victim's, with its transcript. Its remote job stays.
func completed(t *testing.T, name string, change ...func(*v1alpha1.TranscriptionJobSpec)) (job *v1alpha1.TranscriptionJob, id string) {
	t.Helper()
	job = jobIn(victim, name, append(change, func(s *v1alpha1.TranscriptionJobSpec) { s.RemoteDeletionPolicy = v1alpha1.RemoteDeletionNever })...)
	create(t, town.admin, job)
	awaitReason(t, job, v1alpha1.ReasonComplete)
	return job, *job.Status.RemoteJob.ID
}

// transcriptOf is the plain text of a complete job.
func transcriptOf(t *testing.T, job *v1alpha1.TranscriptionJob) string {
	t.Helper()
	ref := job.Status.Transcripts[0].ConfigMapRef
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: ref.Name}}
	get(t, configMap)
	if configMap.Data[ref.Key] == "" {
		t.Fatalf("job %s has no text: %+v", job.Name, job.Status.Transcripts)
	}
	return configMap.Data[ref.Key]
}

// suspended keeps a job from being submitted, so that mallory has the time to write a claim.
func suspended(s *v1alpha1.TranscriptionJobSpec) { s.Suspend = ptr.To(true) }

// forge writes a claim into a job as mallory, and has the job go on.
func forge(t *testing.T, job *v1alpha1.TranscriptionJob, claim string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{notification.ClaimAnnotation: claim}},
		"spec":     map[string]any{"suspend": false},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := town.mallory.Patch(t.Context(), job, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
}

// claimOf is a good claim of a job.
func claimOf(t *testing.T, job *v1alpha1.TranscriptionJob, change func(*notification.Claim)) string {
	t.Helper()
	account := &v1alpha1.ClusterSpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{Name: sharedAccount}}
	get(t, account)
	claim := notification.Claim{
		UID: job.UID, Attempt: 1, Nonce: notification.NewNonce(), ClaimedAt: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(-30 * time.Second),
		AccountUID: account.UID, BaseURL: town.BaseURL(), KeyFingerprint: "0123456789abcdef0123456789abcdef",
	}
	change(&claim)
	annotation, err := claim.Annotation()
	if err != nil {
		t.Fatal(err)
	}
	return annotation
}
