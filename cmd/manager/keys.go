// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/notification"
)

const (
	// keysPatience is how long the manager waits for its notification keys. A Secret that has just got its first key is mounted anew within
	// seconds as a rule, and a minute and a half at the latest.
	keysPatience = 2 * time.Minute
	// keysRetry is how often it looks.
	keysRetry = time.Second
	// newKeyBytes is how many random bytes a key is made of.
	newKeyBytes = 48
	// makingTimeout bounds the making of a key.
	makingTimeout = time.Minute
)

// awaitKeys reads the notification keys, and waits for them if there are none yet. What is there and cannot be used is an error at once.
func awaitKeys(ctx context.Context, dir string, log logr.Logger) (*notification.KeyDirectory, error) {
	var keys *notification.KeyDirectory
	var missing error
	err := wait.PollUntilContextTimeout(ctx, keysRetry, keysPatience, true, func(context.Context) (bool, error) {
		var err error
		keys, err = notification.NewKeyDirectory(dir, clock.RealClock{}, log)
		if !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
		if missing == nil {
			log.Info("Waiting for the notification keys", "folder", dir, "atMost", keysPatience.String())
		}
		missing = err
		return false, nil
	})
	if wait.Interrupted(err) && missing != nil {
		err = missing
	}
	return keys, err
}

// makeNotificationKeys puts a random signing key into the Secret that is named, unless it has one. The Secret itself comes with the manifests,
// empty: to fill it takes the right to patch this one, where making one would take the right to make any Secret, a token of another
// ServiceAccount among them.
func makeNotificationKeys(ctx context.Context, config *config, log logr.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, makingTimeout)
	defer cancel()
	restConfig, err := apiServer()
	if err != nil {
		return err
	}
	c, err := client.New(restConfig, client.Options{})
	if err != nil {
		return fmt.Errorf("cannot make a client of the API server: %w", err)
	}
	name := types.NamespacedName{Namespace: config.namespace, Name: config.makeNotificationKeys}
	var made bool
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		made, err = makeKey(ctx, c, name)
		return err
	})
	if err != nil {
		return err
	}
	log.Info("The Secret has a signing key", "namespace", name.Namespace, "secret", name.Name, "made", made)
	return nil
}

// makeKey fills the Secret and says whether it did. The patch carries the resourceVersion: of two that find it empty, one fails and finds the
// other's key.
func makeKey(ctx context.Context, c client.Client, name types.NamespacedName) (bool, error) {
	secret := &corev1.Secret{}
	if err := c.Get(ctx, name, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return false, fmt.Errorf("there is no Secret %s; it is part of the manifests, without a key: apply them: %w", name, err)
		}
		return false, fmt.Errorf("cannot read the Secret %s: %w", name, err)
	}
	if len(secret.Data[notification.SigningKeyFile]) > 0 {
		return false, nil
	}
	before := secret.DeepCopy()
	random := make([]byte, newKeyBytes)
	_, _ = rand.Read(random) // it never fails: it would end the program
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[notification.SigningKeyFile] = base64.StdEncoding.AppendEncode(nil, random)
	if err := c.Patch(ctx, secret, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return false, fmt.Errorf("cannot put a signing key into the Secret %s: %w", name, err)
	}
	return true, nil
}

// apiServer is how the API server is reached.
func apiServer() (*rest.Config, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot find out how to reach the API server; set KUBECONFIG or --kubeconfig: %w", err)
	}
	return config, nil
}
