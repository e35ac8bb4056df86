// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/notification"
)

// newSecret makes up a value that must not be told.
func (c *cluster) newSecret(what string) string {
	value := rand.Text() + rand.Text() // as long as a key of notifications has to be
	c.secrets[what] = value
	return value
}

// notificationKeyRotated: the key of the notifications' tokens is replaced by the one command for it while notifications come in, until the manager
// signs with the new one. None is refused, whichever key it was signed with, and the old key cannot be removed as long as a job may know it.
func notificationKeyRotated(t *testing.T, c *cluster) {
	p := c.withProvider(t)
	created := c.createWhile(t, func(ctx context.Context) error {
		if _, err := c.command(ctx, "", "hack/notification-keys.sh", "rotate", operatorNamespace); err != nil {
			return err
		}
		return c.newKeySigns(ctx, p)
	})
	c.rememberKeys(t)
	jobs := c.complete(t, p, created)
	tries := c.allNotified(t, jobs)
	t.Logf("the key was replaced while %d jobs were notified of, in %d tries", len(jobs), tries)
	if _, err := c.command(t.Context(), "", "hack/notification-keys.sh", "retire", operatorNamespace); err == nil || !strings.Contains(err.Error(), "try again later") {
		t.Errorf("the old key could be removed at once: %v", err)
	}
}

// newKeySigns waits until the provider has a job whose token was made with the key that signs now: the manager has it some seconds after the Secret.
func (c *cluster) newKeySigns(ctx context.Context, p *provider) error {
	keys := &corev1.Secret{}
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: keysSecret}, keys); err != nil {
		return err
	}
	keyring, err := notification.NewKeyring(keys.Data["signing-key"])
	if err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, interval, patience, true, func(ctx context.Context) (bool, error) {
		tokens, err := p.tokens(ctx)
		for token, target := range tokens {
			if keyring.Verify(notification.PurposeCallback, target, token) {
				return true, nil
			}
		}
		if err != nil && ctx.Err() == nil {
			err = nil // a forwarded connection may get stuck
		}
		return false, err
	})
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
	c.complete(t, c.withProvider(t), created) // by the new key
	c.kubectl(t, "-n", userNamespace, "wait", "--for=condition=Ready", "speechmaticsaccount/default", "--timeout="+patience.String())
	t.Logf("the API key was replaced while %d jobs were submitted", len(created))
}
