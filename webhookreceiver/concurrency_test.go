// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// brokenStatus is a status that cannot be applied, or before whose apply something happens.
type brokenStatus struct {
	client.SubResourceClient
	err    error
	before func(n int)
	n      int
}

func (s *brokenStatus) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
	if s.err != nil {
		return s.err
	}
	s.n++
	s.before(s.n)
	return s.SubResourceClient.Apply(ctx, obj, opts...)
}

// interfering returns a client before whose status applies something happens.
func interfering(before func(n int)) client.Client {
	var status *brokenStatus
	return interceptor.NewClient(env.Client, interceptor.Funcs{
		SubResource: func(c client.WithWatch, name string) client.SubResourceClient {
			if status == nil {
				status = &brokenStatus{SubResourceClient: c.SubResource(name), before: before}
			}
			return status
		},
	})
}

// Two replicas that store two formats of one job at once lose neither.
func TestTwoReplicasStoreTwoFormatsAtOnce(t *testing.T) {
	one, two := start(t), start(t)
	for range 25 {
		job := newJob(t)
		requests := map[*rig]request{
			one: multi(t, item{"transcript.txt", "", "", text}),
			two: multi(t, item{"transcript.srt", "", "", srt}),
		}
		var wg sync.WaitGroup
		for r, q := range requests {
			wg.Go(func() {
				if got, err := r.try(t.Context(), targetOf(job, 1), q); err != nil || got.status != http.StatusNoContent {
					t.Errorf("answer %+v, %v", got, err)
				}
			})
		}
		wg.Wait()
		if got := stored(read(t, job)); len(got) != 2 {
			t.Fatalf("of two formats, %v are recorded", got)
		}
	}
}

// The status is applied to the object that it was computed from, or computed again.
func TestJobChangesUnderANotification(t *testing.T) {
	var job *v1alpha1.TranscriptionJob
	label := func(n int) {
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"n":"`+strings.Repeat("x", n)+`"}}}`))
		if err := env.Client.Patch(t.Context(), job.DeepCopy(), patch); err != nil {
			t.Error(err)
		}
	}
	t.Run("three times", func(t *testing.T) {
		var applies int
		r := start(t, func(o *Options) {
			o.Client = interfering(func(n int) {
				if applies = n; n <= 3 {
					label(n)
				}
			})
		})
		job = newJob(t)
		if got := r.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusNoContent {
			t.Errorf("answer %+v", got)
		}
		if got := stored(read(t, job)); len(got) != 3 || applies != 4 {
			t.Errorf("after %d applies, %v are recorded", applies, got)
		}
	})
	t.Run("again and again", func(t *testing.T) {
		var applies int
		r := start(t, func(o *Options) { o.Client = interfering(func(n int) { applies = n; label(n) }) })
		job = newJob(t)
		q := multi(t, everything(t, job)...)
		q.internal = true
		if got := r.send(t, job, q); got.status != http.StatusServiceUnavailable || got.problem(t).Reason != notification.ReasonJobChanged {
			t.Errorf("answer %+v", got)
		}
		if applies != maxApplies {
			t.Errorf("%d applies, want %d", applies, maxApplies)
		}
	})
	t.Run("the record contradicts", func(t *testing.T) {
		r := start(t, func(o *Options) { o.Client = interfering(func(int) { record(t, job, 1, "other") }) })
		job = newJob(t)
		if got := r.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusNoContent {
			t.Errorf("answer %+v", got)
		}
		if after := read(t, job); after.Status.Notification != nil || len(after.Status.Transcripts) != 0 {
			t.Errorf("recorded %+v", after.Status)
		}
	})
	t.Run("the manifest is replaced", func(t *testing.T) {
		r := start(t, func(o *Options) {
			o.Client = interfering(func(n int) {
				if n > 1 {
					return
				}
				replaced := read(t, job)
				replaced.Annotations = nil
				if err := env.Client.Update(t.Context(), replaced); err != nil {
					t.Error(err)
				}
			})
		})
		job = newJob(t)
		withClaim(t, job, 1)
		if got := r.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusNoContent {
			t.Errorf("answer %+v", got)
		}
		if got := stored(read(t, job)); len(got) != 3 {
			t.Errorf("recorded %v", got)
		}
	})
}

// A namesake that is created while a notification is being processed gets nothing of it.
func TestNamesakeUnderANotification(t *testing.T) {
	var job *v1alpha1.TranscriptionJob
	r := start(t, func(o *Options) {
		o.Client = interfering(func(int) {
			if err := env.Client.Delete(t.Context(), job.DeepCopy()); err != nil {
				t.Error(err)
			}
			namesake := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: job.Name}, Spec: job.Spec}
			if err := env.Client.Create(t.Context(), namesake); err != nil {
				t.Error(err)
			}
		})
	})
	job = newJob(t)
	if got := r.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusNoContent {
		t.Errorf("answer %+v", got)
	}
	if after := read(t, job); after.UID == job.UID || after.Status.Notification != nil || len(after.Status.Transcripts) != 0 {
		t.Errorf("the namesake's status: %+v", after.Status)
	}
}

// A job that is deleted meanwhile is nobody's any more.
func TestJobDeletedUnderANotification(t *testing.T) {
	var job *v1alpha1.TranscriptionJob
	r := start(t, func(o *Options) {
		o.Client = interfering(func(int) {
			if err := env.Client.Delete(t.Context(), job.DeepCopy()); err != nil {
				t.Error(err)
			}
		})
	})
	job = newJob(t)
	if got := r.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusNoContent {
		t.Errorf("answer %+v", got)
	}
	err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(job), &v1alpha1.TranscriptionJob{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the job is there again: %v", err)
	}
}

// The receiver owns its own fields only, and leaves the others' as they are.
func TestFieldOwnership(t *testing.T) {
	r := start(t)
	job := newJob(t)
	record(t, job, 1, jobID)
	for range 2 { // a second apply must not own more than the first
		q := multi(t, everything(t, job)[1:2]...)
		if job.Labels == nil {
			job.Labels = map[string]string{}
		} else {
			q = multi(t, everything(t, job)...)
		}
		if got := r.send(t, job, q); got.status != http.StatusNoContent {
			t.Fatalf("answer %+v", got)
		}
	}
	after := read(t, job)
	if after.Status.RemoteJob == nil || ptr.Deref(after.Status.RemoteJob.ID, "") != jobID || ptr.Deref(after.Status.Attempt, 0) != 1 {
		t.Errorf("the record is gone: %+v", after.Status)
	}
	for _, entry := range after.ManagedFields {
		if entry.Manager != FieldManager {
			continue
		}
		owned := string(entry.FieldsV1.GetRawBytes())
		if entry.Subresource != "status" || !strings.Contains(owned, "f:notification") || !strings.Contains(owned, "f:transcripts") ||
			strings.Contains(owned, "f:remoteJob") || strings.Contains(owned, "f:attempt\":{},\"f:remoteJob") || strings.Contains(owned, "f:spec") {
			t.Errorf("the receiver owns %s", owned)
		}
	}
}
