// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// RevokeKey has the provider refuse the account's key from now on.
func (s *System) RevokeKey(ctx context.Context) error {
	return s.API.Do(ctx, http.MethodDelete, "/admin/keys/"+url.PathEscape(s.APIKey))
}

// ReplaceKey puts a new key of the same project into the account's Secret, after RevokeKey.
func (s *System) ReplaceKey(ctx context.Context) error {
	key := newKey()
	if err := s.API.Do(ctx, http.MethodPut, "/admin/keys/"+url.PathEscape(key)); err != nil {
		return err
	}
	secret := &corev1.Secret{}
	if err := s.Cluster.Client.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: accountSecret}, secret); err != nil {
		return fmt.Errorf("cannot read the account's Secret: %w", err)
	}
	secret.Data = map[string][]byte{apiKeyOf: []byte(key)}
	if err := s.Cluster.Client.Update(ctx, secret); err != nil {
		return fmt.Errorf("cannot replace the key in the account's Secret: %w", err)
	}
	s.RevokedKeys = append(s.RevokedKeys, s.APIKey)
	s.APIKey, s.API.apiKey = key, key
	return nil
}

// AddForeign adds jobs of somebody else to the account's project, created over the past spread.
func (p *Provider) AddForeign(ctx context.Context, n int, spread time.Duration) error {
	query := url.Values{"key": {p.apiKey}, "count": {fmt.Sprint(n)}, "spread": {spread.String()}}
	return p.Do(ctx, http.MethodPost, "/admin/foreign?"+query.Encode())
}
