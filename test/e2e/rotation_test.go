// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/rand"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// newSecret makes up a value that must not be told.
func (c *cluster) newSecret(what string) string {
	value := rand.Text() + rand.Text() // as long as a key of notifications has to be
	c.secrets[what] = value
	return value
}

// notificationKeyRotated: the key of the notifications' tokens is replaced by the one command for it while notifications come in. None is refused.
func notificationKeyRotated(t *testing.T, c *cluster) {
	p := c.withProvider(t)
	created := c.createWhile(t, func(ctx context.Context) error {
		_, err := c.command(ctx, "", "hack/notification-keys.sh", "rotate", operatorNamespace)
		return err
	})
	c.rememberKeys(t)
	jobs := c.complete(t, p, created)
	tries := c.allNotified(t, jobs)
	t.Logf("the key was replaced while %d jobs were notified of, in %d tries", len(jobs), tries)
}

// apiKeyRotated: an account's API key is replaced, and the old one revoked, while jobs are submitted.
func apiKeyRotated(t *testing.T, c *cluster) {
	p := c.withProvider(t)
	old := c.secrets["API key"]
	c.secrets["revoked API key"] = old
	next := c.newSecret("API key")
	created := c.createWhile(t, func(ctx context.Context) error {
		if err := p.Do(ctx, http.MethodPut, "/admin/keys/"+next); err != nil {
			return err
		}
		secret := &corev1.Secret{}
		if err := c.client.Get(ctx, client.ObjectKey{Namespace: userNamespace, Name: "speechmatics"}, secret); err != nil {
			return err
		}
		secret.Data["apiKey"] = []byte(next)
		if err := c.client.Update(ctx, secret); err != nil {
			return err
		}
		// At once: what the manager has still got is refused, and it has to look for the new one.
		return p.Do(ctx, http.MethodDelete, "/admin/keys/"+old)
	})
	c.complete(t, p, created)
	c.kubectl(t, "-n", userNamespace, "wait", "--for=condition=Ready", "speechmaticsaccount/default", "--timeout="+patience.String())
	t.Logf("the API key was replaced while %d jobs were submitted", len(created))
}
