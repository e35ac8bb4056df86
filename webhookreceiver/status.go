// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	applyv1alpha1 "github.com/transcription-operator/transcription-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// FieldManager owns status.notification, status.document and status.transcripts of a TranscriptionJob, and nothing else.
const FieldManager = "webhook-receiver"

// errJobGone means that the job is no longer there, or that a namesake is.
var errJobGone = errors.New("the TranscriptionJob is no longer there")

// errJobChanges means that every status apply found the job changed.
var errJobChanges = errors.New("the TranscriptionJob was changed again and again meanwhile")

// liveJob reads the job from the API server: never from a cache, which may hold a namesake that is gone.
func liveJob(ctx context.Context, c client.Reader, t notification.Target) (*v1alpha1.TranscriptionJob, error) {
	var job v1alpha1.TranscriptionJob
	err := c.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: t.Name}, &job)
	switch {
	case apierrors.IsNotFound(err):
		return nil, errJobGone
	case err != nil:
		return nil, fmt.Errorf("cannot get the TranscriptionJob %s/%s: %w", t.Namespace, t.Name, err)
	case job.UID != t.UID:
		return nil, errJobGone
	}
	return &job, nil
}

// facts are what the receiver records in a job's status: its complete own set.
type facts struct {
	notification v1alpha1.Notification
	document     *v1alpha1.DocumentFacts
	transcripts  []v1alpha1.StoredTranscript
}

// merge adds a notification, and the facts and transcripts that it brought, to what is recorded, and says whether that changes anything.
// What is recorded of the same attempt and the same provider's job stays; all else is void.
func merge(status *v1alpha1.TranscriptionJobStatus, v *visit, now time.Time) (facts, bool) {
	n := &v.notice
	merged := facts{
		notification: v1alpha1.Notification{
			JobID: n.jobID, Attempt: n.target.Attempt, Outcome: n.outcome, Source: n.source, ReceivedAt: metav1.NewTime(now),
			AudioDuration: n.audioDuration(),
		},
		document:    cmp.Or(recordedDocument(status, n), v.recordable()),
		transcripts: mergeTranscripts(recordedTranscripts(status, n), v.stored),
	}
	before := status.Notification
	if !isAnother(before, n) {
		return merged, true
	}
	if merged.notification.AudioDuration == nil {
		merged.notification.AudioDuration = before.AudioDuration
	}
	changed := before.Outcome != n.outcome ||
		!equality.Semantic.DeepEqual(before.AudioDuration, merged.notification.AudioDuration) ||
		!equality.Semantic.DeepEqual(status.Document, merged.document) ||
		!equality.Semantic.DeepEqual(status.Transcripts, merged.transcripts)
	return merged, changed
}

// isAnother reports whether a notification about the same attempt and the same provider's job is recorded already.
func isAnother(recorded *v1alpha1.Notification, n *notice) bool {
	return recorded != nil && recorded.JobID == n.jobID && recorded.Attempt == n.target.Attempt
}

// recordedTranscripts are the recorded transcripts that belong to the attempt and the provider's job of the notification.
func recordedTranscripts(status *v1alpha1.TranscriptionJobStatus, n *notice) []v1alpha1.StoredTranscript {
	var own []v1alpha1.StoredTranscript
	for _, transcript := range status.Transcripts {
		if transcript.Attempt == n.target.Attempt && transcript.JobID == n.jobID {
			own = append(own, transcript)
		}
	}
	return own
}

// recordedDocument are the recorded facts of the document that belong to the attempt and the provider's job of the notification.
func recordedDocument(status *v1alpha1.TranscriptionJobStatus, n *notice) *v1alpha1.DocumentFacts {
	if facts := status.Document; facts != nil && facts.Attempt == n.target.Attempt && facts.JobID == n.jobID {
		return facts
	}
	return nil
}

func mergeTranscripts(recorded, stored []v1alpha1.StoredTranscript) []v1alpha1.StoredTranscript {
	merged := append([]v1alpha1.StoredTranscript(nil), recorded...)
next:
	for _, transcript := range stored {
		for i := range merged {
			if merged[i].Format == transcript.Format && merged[i].Language == transcript.Language {
				merged[i] = transcript
				continue next
			}
		}
		merged = append(merged, transcript)
	}
	return merged
}

// applyBackoff spaces the attempts to apply a status that others change at the same time.
var applyBackoff = wait.Backoff{Duration: 10 * time.Millisecond, Factor: 1.5, Jitter: 1, Steps: maxApplies}

// record applies the merged facts to the job's status. The apply carries the resourceVersion of the object that it was computed from:
// without it, two replicas would erase each other's transcripts, and a namesake would get what is not its own. On 409 the
// job is read and judged anew.
func (d *door) record(ctx context.Context, job *v1alpha1.TranscriptionJob, v *visit) (result, error) {
	var res result
	n := &v.notice
	err := wait.ExponentialBackoffWithContext(ctx, applyBackoff, func(ctx context.Context) (done bool, err error) {
		if job == nil {
			if job, err = liveJob(ctx, d.client, n.target); err != nil {
				return false, err
			}
		}
		if s := judge(job, n.target.Attempt, n.jobID); !s.counts {
			res = s.why
			return true, nil
		}
		merged, changed := merge(&job.Status, v, d.clock.Now())
		if !changed {
			res = resultDuplicate
			return true, nil
		}
		res = resultRecorded
		if len(v.stored) > 0 {
			res = resultStored
		}
		err = d.client.Status().Apply(ctx, applyConfiguration(job, merged), client.FieldOwner(FieldManager), client.ForceOwnership)
		switch {
		case apierrors.IsConflict(err):
			job = nil
			return false, nil
		case apierrors.IsNotFound(err):
			return false, errJobGone
		case err != nil:
			return false, fmt.Errorf("cannot record the notification in the status of the TranscriptionJob %s/%s: %w", n.target.Namespace, n.target.Name, err)
		}
		v.isFirst, v.age = !isAnother(job.Status.Notification, n), d.clock.Since(job.CreationTimestamp.Time)
		return true, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return "", errJobChanges
	}
	return res, err
}

// applyConfiguration is built anew for each apply: it comes back holding the server's whole object, and applying that again would own
// every field of it.
func applyConfiguration(job *v1alpha1.TranscriptionJob, f facts) *applyv1alpha1.TranscriptionJobApplyConfiguration {
	status := applyv1alpha1.TranscriptionJobStatus().WithNotification(notificationConfiguration(f.notification))
	if f.document != nil {
		status.WithDocument(documentConfiguration(f.document))
	}
	for _, transcript := range f.transcripts {
		status.WithTranscripts(transcriptConfiguration(transcript))
	}
	return applyv1alpha1.TranscriptionJob(job.Name, job.Namespace).
		WithResourceVersion(job.ResourceVersion).
		WithStatus(status)
}

func notificationConfiguration(n v1alpha1.Notification) *applyv1alpha1.NotificationApplyConfiguration {
	c := applyv1alpha1.Notification().
		WithJobID(n.JobID).WithAttempt(n.Attempt).WithOutcome(n.Outcome).WithSource(n.Source).WithReceivedAt(n.ReceivedAt)
	if n.AudioDuration != nil {
		c.WithAudioDuration(*n.AudioDuration)
	}
	return c
}

func documentConfiguration(d *v1alpha1.DocumentFacts) *applyv1alpha1.DocumentFactsApplyConfiguration {
	d = d.DeepCopy() // the server's answer is decoded into what the configuration points to
	c := applyv1alpha1.DocumentFacts().WithJobID(d.JobID).WithAttempt(d.Attempt).WithTranslations(d.Translations...)
	c.Language, c.AudioDuration, c.Speakers, c.Problem = d.Language, d.AudioDuration, d.Speakers, d.Problem
	for _, e := range d.FeatureErrors {
		told := applyv1alpha1.FeatureError().WithFeature(e.Feature)
		told.Language = e.Language
		if e.Type != "" {
			told.WithType(e.Type)
		}
		if e.Message != "" {
			told.WithMessage(e.Message)
		}
		c.WithFeatureErrors(told)
	}
	return c
}

func transcriptConfiguration(s v1alpha1.StoredTranscript) *applyv1alpha1.StoredTranscriptApplyConfiguration {
	c := applyv1alpha1.StoredTranscript().
		WithFormat(s.Format).WithLanguage(s.Language).WithAttempt(s.Attempt).WithJobID(s.JobID).
		WithEncoding(s.Encoding).WithParts(s.Parts).WithBytes(ptr.Deref(s.Bytes, 0)).WithSHA256(s.SHA256)
	if ref := s.ConfigMapRef; ref != nil {
		c.WithConfigMapRef(applyv1alpha1.TranscriptConfigMapReference().WithName(ref.Name).WithKey(ref.Key))
	}
	if ref := s.PersistentVolumeClaim; ref != nil {
		c.WithPersistentVolumeClaim(applyv1alpha1.TranscriptFileReference().WithClaimName(ref.ClaimName).WithPath(ref.Path))
	}
	return c
}
