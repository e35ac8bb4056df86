// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// clusterAccount: namespaces that a ClusterSpeechmaticsAccount selects use it without having a key; another one's job is told why it may not, and
// goes on when it is selected.
func clusterAccount(t *testing.T, c *cluster) {
	const selected, other = "selected", "not-selected"
	p := c.withProvider(t)
	c.createSecret(t, operatorNamespace, "shared", map[string]string{"apiKey": c.secrets["API key"]})
	account := &v1alpha1.ClusterSpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Name: "default"},
		Spec: v1alpha1.ClusterSpeechmaticsAccountSpec{
			SpeechmaticsAccountSpec: v1alpha1.SpeechmaticsAccountSpec{
				BaseURL: ptr.To(providerURL + "/v2"), APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "shared"},
			},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"transcription": "enabled"}},
		},
	}
	must(t, c.client.Create(t.Context(), account))
	for _, namespace := range []string{selected, other} {
		c.createNamespace(t, namespace)
	}
	c.kubectl(t, "label", "namespace", selected, "transcription=enabled")

	job := c.complete(t, p, []*v1alpha1.TranscriptionJob{c.createIn(t, selected, fromURL, toConfigMap)})[0]
	if ref := job.Status.AccountRef; ref == nil || ref.Kind != v1alpha1.ClusterAccount || ref.UID != account.UID {
		t.Errorf("the job of a selected namespace was not submitted by the cluster's account: %+v", ref)
	}

	refused := c.createIn(t, other, fromURL, toConfigMap)
	eventually(t, "the other namespace's job is told that it may not use the account", func(ctx context.Context) error {
		seen := &v1alpha1.TranscriptionJob{}
		if err := c.client.Get(ctx, client.ObjectKeyFromObject(refused), seen); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(seen.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Reason != v1alpha1.ReasonAccountNotPermitted {
			return fmt.Errorf("it is told %+v", ready)
		}
		return nil
	})
	if paid := p.submissions(t)[refused.UID]; len(paid) > 0 {
		t.Errorf("it was submitted nevertheless: %+v", paid)
	}
	c.kubectl(t, "patch", "clusterspeechmaticsaccount", account.Name, "--type=merge",
		`--patch={"spec":{"namespaceSelector":{"matchLabels":null,"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"In","values":["selected","not-selected"]}]}}}`)
	c.complete(t, p, []*v1alpha1.TranscriptionJob{refused})
	c.delete(t, "namespaces", selected, other, "--wait=false") // as long as the account is there, their jobs can be cleaned up
}
