// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/internal/tracing"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// collect fetches the transcripts that no notification brought, and delivers them through the webhook receiver's door, as a
// notification would have. They are streamed from the provider to the receiver. What the receiver stores comes back as a
// change of the object.
func (r *JobReconciler) collect(ctx context.Context, s *scope, p *provider, job *speechmatics.Job) (v verdict, err error) {
	r.rests.doneSince(s.job.UID, job.ID, s.now())
	ctx, span := r.startSpan(ctx, s, spanCollect)
	defer func() { endSpan(span, err) }()
	missing := s.missingFormats()
	if err := r.receiver.CanStore(ctx, s.target()); err != nil {
		return verdict{}, r.storePause(err)
	}
	crashpoint.At(crashpoint.Collecting)
	// The turns are taken first, so that a delivery that was begun is not slowed down by the limits.
	for range missing {
		if err := p.limits.followUp(ctx); err != nil {
			return verdict{}, r.unavailable(ctx, p, err)
		}
	}
	var providerErr error
	err = r.receiver.Deliver(ctx, s.target(), job.ID, func(ctx context.Context, w *multipart.Writer) error {
		providerErr = r.writeDelivery(ctx, w, p, job, missing)
		return providerErr
	})
	switch {
	case err == nil:
	case providerErr != nil && !isBrokenOff(providerErr):
		return verdict{}, r.uncollected(ctx, p, job, providerErr)
	default:
		// The receiver broke the delivery off, or refused it at its end; what it answered says why.
		return verdict{}, r.undelivered(err)
	}
	crashpoint.At(crashpoint.Delivered)
	r.metrics.delivered.Inc()
	r.log(ctx).Info("Delivered transcripts that no notification brought", "remoteJob", job.ID, "formats", missing)
	// What was delivered is in the object by now; the rest of the pass goes by it.
	if err := r.reload(ctx, s); err != nil {
		return verdict{}, errReloaded
	}
	s.status = *s.job.Status.DeepCopy()
	s.noteRemote(job)
	if missing = s.missingFormats(); len(missing) == 0 {
		return s.conclude()
	}
	return r.deliveredInVain(s, job, missing)
}

// maxDeliveries is how often transcripts are delivered that the receiver takes and does not store.
const maxDeliveries = 5

// deliveredInVain deals with a delivery that the receiver took although transcripts are missing, or what comes from them, as before: a
// receiver of an older version does that, which does not know all that the manager asks for. More of the same will not help for ever.
func (r *JobReconciler) deliveredInVain(s *scope, job *speechmatics.Job, missing []v1alpha1.TranscriptFormat) (verdict, error) {
	left := fmt.Sprintf("%s of job %s was delivered to the webhook receiver, which took it; but what is to come from it is not there", formatList(missing), job.ID)
	tries := r.rests.deliveredInVain(s.job.UID, left)
	if tries >= maxDeliveries {
		return verdict{}, &failure{reason: v1alpha1.ReasonTranscriptNotStored, message: fmt.Sprintf(
			"%s after %d deliveries; check that webhook receiver and manager are of the same version; Speechmatics keeps the transcript until its retention ends", left, tries)}
	}
	return verdict{reason: v1alpha1.ReasonCollecting, message: left + "; it is delivered again", after: s.backOffAfter(tries)}, nil
}

// isBrokenOff reports whether writing a delivery failed because the receiver does not read it any more.
func isBrokenOff(err error) bool {
	return errors.Is(err, io.ErrClosedPipe) || errors.Is(err, context.Canceled)
}

// undelivered is the pause after a delivery that the receiver refused. What a person has to put right is tried again less often,
// since each try fetches the transcripts.
func (r *JobReconciler) undelivered(err error) error {
	p := r.storePause(err)
	var refused *receiverError
	if errors.As(err, &refused) && refused.status != http.StatusServiceUnavailable {
		p.after = r.options.SecretInterval
	}
	return p
}

// uncollected is the pause after a transcript that could not be fetched. A job that is done may still answer "not ready" for a
// moment; nothing is lost, as the provider keeps the transcript for days.
func (r *JobReconciler) uncollected(ctx context.Context, p *provider, job *speechmatics.Job, err error) error {
	if speechmatics.IsNotFound(err) || speechmatics.IsGone(err) {
		return pausef(v1alpha1.ReasonCollecting, r.options.RetryInterval, "job %s is done, but its transcript cannot be fetched yet: %s", job.ID, explain(err))
	}
	return r.unavailable(ctx, p, err)
}

// writeDelivery writes the body of a delivery: the job's facts, and each transcript as it comes from the provider.
func (r *JobReconciler) writeDelivery(ctx context.Context, w *multipart.Writer, p *provider, job *speechmatics.Job, formats []v1alpha1.TranscriptFormat) error {
	if err := writeJobInfo(w, job); err != nil {
		return err
	}
	for _, format := range formats {
		if err := r.copyTranscript(ctx, w, p, job.ID, format); err != nil {
			return err
		}
		crashpoint.At(crashpoint.Delivering)
	}
	return w.Close()
}

func (r *JobReconciler) copyTranscript(ctx context.Context, w *multipart.Writer, p *provider, id string, format v1alpha1.TranscriptFormat) (err error) {
	ctx, span := r.tracer.Child(ctx, spanFetch)
	span.SetAttributes(tracing.Format.String(string(format)))
	defer func() { endSpan(span, err) }()
	transcript, err := p.client.Transcript(ctx, id, speechmatics.TranscriptFormat(format))
	r.metrics.observeRequest(operationTranscript, err)
	if err != nil {
		return err
	}
	defer func() { _ = transcript.Body.Close() }()
	part, err := notification.CreatePart(w, notification.ContentOf(format))
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, transcript.Body); err != nil {
		return fmt.Errorf("cannot pass on the %s transcript of job %s: %w", format, id, err)
	}
	return nil
}

// jobInfo is what the provider's own notifications say about a job, as far as the receiver needs it.
type jobInfo struct {
	ID        string           `json:"id"`
	CreatedAt time.Time        `json:"created_at,omitzero"`
	DataName  string           `json:"data_name"`
	Duration  int64            `json:"duration,omitempty"`
	Tracking  *jobInfoTracking `json:"tracking,omitempty"`
}

type jobInfoTracking struct {
	Reference string `json:"reference,omitempty"`
}

func writeJobInfo(w *multipart.Writer, job *speechmatics.Job) error {
	info := jobInfo{ID: job.ID, CreatedAt: job.CreatedAt, DataName: job.DataName, Duration: int64(job.Duration / time.Second)}
	if job.Tracking != nil {
		info.Tracking = &jobInfoTracking{Reference: job.Tracking.Reference}
	}
	part, err := notification.CreatePart(w, notification.ContentJobInfo)
	if err != nil {
		return err
	}
	return json.NewEncoder(part).Encode(info)
}

// storePause is the pause after the webhook receiver refused to store, or cannot be asked.
func (r *JobReconciler) storePause(err error) *pause {
	var problem *receiverError
	if !errors.As(err, &problem) {
		return pausef(v1alpha1.ReasonStoreUnavailable, r.options.RetryInterval, "the webhook receiver cannot be reached: %s", explain(err))
	}
	reasons := map[notification.Reason]string{
		notification.ReasonVolumeNotMounted:   v1alpha1.ReasonVolumeNotMounted,
		notification.ReasonConfigMapConflict:  v1alpha1.ReasonConfigMapConflict,
		notification.ReasonTranscriptTooLarge: v1alpha1.ReasonTranscriptTooLarge,
		notification.ReasonStoreForbidden:     v1alpha1.ReasonStoreForbidden,
	}
	reason, ok := reasons[problem.Reason]
	if !ok {
		reason = v1alpha1.ReasonStoreUnavailable
	}
	return pausef(reason, r.options.RetryInterval, "%s", problem.Message)
}
