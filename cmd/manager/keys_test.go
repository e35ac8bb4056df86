// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/transcription-operator/transcription-operator/notification"
)

// TestMakeNotificationKeys begins with the empty Secret of the manifests. Several managers start at once, and again later: there is one key,
// and it stays.
func TestMakeNotificationKeys(t *testing.T) {
	t.Setenv("KUBECONFIG", env.Kubeconfig(t))
	namespace := env.Namespace(t.Context(), t, nil)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "notification-keys"}}
	if err := env.Client.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	config, err := parseFlags([]string{"--namespace=" + namespace, "--make-notification-keys=" + secret.Name}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]string, 0, 8)
	for range 2 {
		var managers sync.WaitGroup
		for range 4 {
			managers.Go(func() {
				if err := makeNotificationKeys(t.Context(), config, logr.Discard()); err != nil {
					t.Error(err)
				}
			})
		}
		managers.Wait()
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(secret.Data[notification.SigningKeyFile]))
	}
	if keys[0] != keys[1] {
		t.Error("a key that was there was replaced: the notifications under way would be refused")
	}
	if _, err := notification.NewKeyring([]byte(keys[0])); err != nil {
		t.Errorf("the key is of no use: %v", err)
	}

	// Each installation has its own, and what else is in the Secret is left alone.
	other := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "other"}, Data: map[string][]byte{"additional-key": []byte("x")}}
	if err := env.Client.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	config.makeNotificationKeys = other.Name
	if err := makeNotificationKeys(t.Context(), config, logr.Discard()); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(other), other); err != nil {
		t.Fatal(err)
	}
	if string(other.Data[notification.SigningKeyFile]) == keys[0] || string(other.Data["additional-key"]) != "x" {
		t.Error("the other Secret has the same key, or lost what it had")
	}
}

// TestMakeNotificationKeys_noSecret: the manager makes no Secret, which it has no right for; the message says where it comes from.
func TestMakeNotificationKeys_noSecret(t *testing.T) {
	t.Setenv("KUBECONFIG", env.Kubeconfig(t))
	config, err := parseFlags([]string{"--namespace=" + env.Namespace(t.Context(), t, nil), "--make-notification-keys=missing"}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if err := makeNotificationKeys(t.Context(), config, logr.Discard()); !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), "apply them") {
		t.Errorf("error %v, want one that says what to do", err)
	}
}

// TestAwaitKeys: keys may come a little later than the manager starts, as they do when it has made them itself.
func TestAwaitKeys(t *testing.T) {
	dir := t.TempDir()
	waiting := &firstLine{write: func() {
		if err := os.WriteFile(filepath.Join(dir, notification.SigningKeyFile), bytes.Repeat([]byte("k"), notification.MinKeyBytes), 0o600); err != nil {
			t.Error(err)
		}
	}}
	if _, err := awaitKeys(t.Context(), dir, logr.New(waiting)); err != nil {
		t.Errorf("awaitKeys() = %v", err)
	}
	if waiting.lines == 0 {
		t.Error("it did not say that it waits")
	}

	// A key that is there and too short will not become longer by waiting.
	if err := os.WriteFile(filepath.Join(dir, notification.SigningKeyFile), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := awaitKeys(t.Context(), dir, logr.Discard()); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("awaitKeys() = %v, want what is wrong with the key", err)
	}
}

// firstLine does something when the first line is logged.
type firstLine struct {
	lines int
	write func()
}

func (l *firstLine) Init(logr.RuntimeInfo)                {}
func (l *firstLine) Enabled(int) bool                     { return true }
func (l *firstLine) WithValues(...any) logr.LogSink       { return l }
func (l *firstLine) WithName(string) logr.LogSink         { return l }
func (l *firstLine) Error(_ error, msg string, kv ...any) { l.Info(0, msg, kv...) }
func (l *firstLine) Info(int, string, ...any) {
	if l.lines++; l.lines == 1 {
		l.write()
	}
}

// TestMakeKey_twoManagers has another manager make a key between the look and the write: that one stays.
func TestMakeKey_twoManagers(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: env.Namespace(t.Context(), t, nil), Name: "notification-keys"}}
	if err := env.Client.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	const first = "the other manager's key, which is in use already"
	c := interceptor.NewClient(env.Client, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			if err := c.Get(ctx, key, object, options...); err != nil {
				return err
			}
			other := secret.DeepCopy()
			other.Data = map[string][]byte{notification.SigningKeyFile: []byte(first)}
			return c.Update(ctx, other)
		},
	})
	if made, err := makeKey(t.Context(), c, client.ObjectKeyFromObject(secret)); made || !apierrors.IsConflict(err) {
		t.Errorf("makeKey() = %t, %v, want a conflict", made, err)
	}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Fatal(err)
	}
	if got := string(secret.Data[notification.SigningKeyFile]); got != first {
		t.Errorf("the key is %q: the other manager signs with one that nobody knows", got)
	}
}
