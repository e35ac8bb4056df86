// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// storeRefuses: as long as a quota keeps a transcript from being stored, its notification is not said to be received. The job is left to a later step.
func storeRefuses(t *testing.T, c *cluster) {
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: userNamespace, Name: "no-more-configmaps"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/configmaps": resource.MustParse("0")}},
	}
	must(t, c.client.Create(t.Context(), quota))
	job := c.create(t, fromURL, toConfigMap)
	var first attempt
	eventually(t, "it is notified of", func(ctx context.Context) error {
		if err := c.client.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return err
		}
		for _, a := range c.notificationAttempts() {
			if job.Status.RemoteJob != nil && a.jobID == ptr.Deref(job.Status.RemoteJob.ID, "") {
				first = a
				return nil
			}
		}
		return errors.New("there was no try to notify")
	})
	if !first.refusedForNow() {
		t.Errorf("a notification was answered with %q whose transcript could not be stored", first.failure)
	}
	if len(job.Status.Transcripts) > 0 {
		t.Errorf("it is said to have transcripts: %+v", job.Status.Transcripts)
	}
	must(t, c.client.Delete(t.Context(), quota))
	c.underWay = append(c.underWay, job)
}
