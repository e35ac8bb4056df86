// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// receiver has a receiver without a manager take notifications, several at a time, and measures what bounds it in the same run.
func receiver(ctx context.Context, b *bench, in inputs) (*measures, error) {
	system, err := b.startSystem(ctx, in, func(o *harness.SystemOptions) { o.Unmanaged = true })
	if err != nil {
		return nil, err
	}
	m := newMeasures()
	return m, errors.Join(b.measureReceiver(ctx, system, in, m), system.Close())
}

func (b *bench) measureReceiver(ctx context.Context, system *harness.System, in inputs, m *measures) error {
	s, err := b.newSender(ctx, system, in)
	if err != nil {
		return err
	}
	if err := s.send(ctx, 0); err != nil { // what is made once is not measured
		return err
	}
	small, err := memoryOf(system.Receivers[0], presentLine)
	if err != nil {
		return err
	}
	before, err := mallocsOf(ctx, system.Receivers[0])
	if err != nil {
		return err
	}
	began := time.Now()
	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(in.Parallel)
	for i := 1; i <= in.Jobs; i++ {
		group.Go(func() error { return s.send(sending, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	after, err := mallocsOf(ctx, system.Receivers[0])
	if err != nil {
		return err
	}
	peak, err := memoryOf(system.Receivers[0], peakLine)
	if err != nil {
		return err
	}
	m.add("notifications/s", float64(in.Jobs)/took, "1/s")
	m.add("MB/s", float64(in.Jobs)*float64(in.Bytes)/1e6/took, "MB/s")
	m.add("p50", milliseconds(quantile(s.took, 0.5)), "ms")
	m.add("p99", milliseconds(quantile(s.took, 0.99)), "ms")
	m.add("peak RSS", peak, "MB")
	m.add("RSS after the first", small, "MB")
	m.add("allocations per notification", (after-before)/float64(in.Jobs), "")
	if err := b.verifyStored(ctx, system, in); err != nil {
		return err
	}
	return b.bounds(ctx, system, in, m)
}

// mallocsOf is how many allocations a program has made.
func mallocsOf(ctx context.Context, program *harness.Program) (float64, error) {
	return program.Metric(ctx, "go_memstats_mallocs_total")
}

// sender sends notifications as the provider does.
type sender struct {
	system      *harness.System
	client      *http.Client
	keyring     *notification.Keyring
	uids        []types.UID
	body        []byte
	contentType string

	mu   sync.Mutex
	took []time.Duration
}

// newSender creates the jobs that notifications are about: one more than are measured.
func (b *bench) newSender(ctx context.Context, system *harness.System, in inputs) (*sender, error) {
	keyring, err := notification.NewKeyring([]byte(system.SigningKey))
	if err != nil {
		return nil, err
	}
	s := &sender{
		system: system, keyring: keyring, uids: make([]types.UID, in.Jobs+1),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: in.Parallel}, Timeout: 5 * time.Minute},
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := notification.CreatePart(form, notification.ContentOf(v1alpha1.FormatText))
	if err != nil {
		return nil, err
	}
	_, err = part.Write(bytes.Repeat([]byte("What was said in this recording, "), in.Bytes/33+1)[:in.Bytes])
	if err := errors.Join(err, form.Close()); err != nil {
		return nil, err
	}
	s.body, s.contentType = body.Bytes(), form.FormDataContentType()
	err = b.create(ctx, len(s.uids), 0, func(i int) client.Object { return newJob(system, i, in) })
	if err != nil {
		return nil, err
	}
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := b.cluster.Client.List(ctx, jobs, client.InNamespace(system.Namespace)); err != nil {
		return nil, err
	}
	for i, job := range jobs.Items { // by name
		s.uids[i] = job.UID
	}
	return s, nil
}

// send sends the notification about a job, and wants it acknowledged.
func (s *sender) send(ctx context.Context, index int) error {
	target := notification.Target{Namespace: s.system.Namespace, Name: jobName(index), UID: s.uids[index], Attempt: 1}
	address := s.system.ReceiverURL(0) + target.Path() + "?" + url.Values{
		notification.ParameterID: {fmt.Sprintf("job%07d", index)}, notification.ParameterStatus: {string(v1alpha1.OutcomeSuccess)},
	}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(s.body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", s.contentType)
	request.Header.Set("Authorization", notification.Authorization(s.keyring.Token(notification.PurposeCallback, target)))
	began := time.Now()
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("the notification about %s is answered with %s: %s", target.Name, response.Status, answer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took = append(s.took, time.Since(began))
	return nil
}

// verifyStored checks that each job has its transcript, of the right length.
func (b *bench) verifyStored(ctx context.Context, system *harness.System, in inputs) error {
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := b.cluster.Client.List(ctx, jobs, client.InNamespace(system.Namespace)); err != nil {
		return err
	}
	for _, job := range jobs.Items {
		stored := job.Status.Transcripts
		if len(stored) != 1 || stored[0].Bytes == nil || *stored[0].Bytes != int64(in.Bytes) {
			return fmt.Errorf("the transcript of %s is not stored: %+v", job.Name, stored)
		}
	}
	return nil
}
