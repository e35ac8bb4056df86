// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// world is a system with what has happened in it.
type world struct {
	*testing.T
	ctx        context.Context
	system     *harness.System
	prometheus *prometheus
	collector  *collector

	// created are jobs, and what became of some of them: their notifications were missed, they were rejected, they have a surplus. Forged are
	// notifications with a wrong token.
	created, missed, rejected, surplus, forged int
}

// recording is what all jobs are about.
const recording = "greeting.ogg"

// wave has jobs go all ways that the metrics tell of, and waits until all have come to their ends.
func (w *world) wave() {
	w.Helper()
	w.provideMedia()
	w.setFaults(simulator.Fault{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate, Count: 1})
	w.submitTwice(w.create("unanswered"))
	w.setFaults(
		simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationList, Status: http.StatusServiceUnavailable, Count: 1},
		simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationCreate, Status: http.StatusTooManyRequests, RetryAfter: 1, Count: 1})
	w.create("plain")
	w.create("uploaded", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Media = v1alpha1.MediaSource{ConfigMap: &v1alpha1.ObjectKeyReference{Name: "media", Key: recording}}
		j.Spec.Transcription.Model = ptr.To(v1alpha1.ModelEnhanced)
	})
	w.create("stored", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Transcripts = v1alpha1.TranscriptsSpec{
			Formats:               []v1alpha1.TranscriptFormat{v1alpha1.FormatJSONv2, v1alpha1.FormatText, v1alpha1.FormatVTT},
			PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStore{ClaimName: harness.VolumeClaim},
		}
	})
	w.create("lost")
	w.missed++
	w.create("noise")
	w.rejected++
	w.forge()
	w.eventually("all jobs have finished", func(context.Context) error {
		for _, job := range w.objects() {
			if job.Status.CompletionTime == nil {
				return fmt.Errorf("%s has not: %v", job.Name, job.Status.Conditions)
			}
		}
		return nil
	})
}

// provideMedia puts the recording where jobs find it.
func (w *world) provideMedia() {
	w.Helper()
	if w.created > 0 {
		return
	}
	from := filepath.Join(harness.Root(), "config", "samples", "media")
	for _, name := range []string{recording, strings.TrimSuffix(recording, ".ogg") + ".txt"} {
		content, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(w.system.Media, name), content, 0o600)
		}
		if err == nil && name == recording {
			err = w.client().Create(w.ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.system.Namespace, Name: "media"}, BinaryData: map[string][]byte{recording: content},
			})
		}
		if err != nil {
			w.Fatal(err)
		}
	}
}

// setFaults orders faults, besides those by which jobs of some names go their ways.
func (w *world) setFaults(faults ...simulator.Fault) {
	w.Helper()
	faults = append(faults,
		simulator.Fault{Kind: simulator.FaultNotificationLost, Title: "lost"},
		simulator.Fault{Kind: simulator.FaultNotificationLost, Title: "unanswered"},
		simulator.Fault{Kind: simulator.FaultReject, Title: "noise", Message: "it is noise"})
	if err := w.system.API.SetFaults(w.ctx, faults...); err != nil {
		w.Fatal(err)
	}
}

// create creates a job whose title says which way it goes.
func (w *world) create(title string, change ...func(*v1alpha1.TranscriptionJob)) *v1alpha1.TranscriptionJob {
	w.Helper()
	w.created++
	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.system.Namespace, Name: fmt.Sprintf("%s-%d", title, w.created)},
		Spec: v1alpha1.TranscriptionJobSpec{
			Media:         v1alpha1.MediaSource{URL: ptr.To(w.system.MediaURL(recording))},
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"},
			Tracking:      &v1alpha1.Tracking{Title: &title},
		},
	}
	for _, c := range change {
		c(job)
	}
	if err := w.client().Create(w.ctx, job); err != nil {
		w.Fatal(err)
	}
	return job
}

// submitTwice has a submission whose answer is lost arrive once more, as something between the manager and the provider could do it, before the
// manager looks for it.
func (w *world) submitTwice(job *v1alpha1.TranscriptionJob) {
	w.Helper()
	w.eventually("the job is submitted", func(ctx context.Context) error {
		if err := w.client().Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return err
		}
		claim, err := notification.ParseClaim(job.Annotations[notification.ClaimAnnotation])
		if err != nil {
			return err
		}
		ledger, err := w.system.API.Ledger(ctx)
		if err != nil {
			return err
		}
		for _, entry := range ledger {
			if entry.Reference == claim.Reference().String() {
				return w.system.API.Submit(ctx, *job.Spec.Media.URL, entry.Reference)
			}
		}
		return errors.New("it is not in the ledger")
	})
	w.surplus++
}

// forge sends a notification with a token that is none.
func (w *world) forge() {
	w.Helper()
	path := notification.Target{Namespace: w.system.Namespace, Name: "any", UID: "00000000-0000-0000-0000-000000000000", Attempt: 1}.Path()
	request, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.system.ReceiverURL(0)+path+"?id=a&status=success", http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer none")
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		w.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusUnauthorized {
		w.Fatalf("a forged notification is answered with %s, %v", response.Status, err)
	}
	w.forged++
}

// objects are all jobs.
func (w *world) objects() []v1alpha1.TranscriptionJob {
	w.Helper()
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := w.client().List(w.ctx, jobs, client.InNamespace(w.system.Namespace)); err != nil {
		w.Fatal(err)
	}
	return jobs.Items
}

func (w *world) client() client.Client { return w.system.Cluster.Client }
