// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/authheaders"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// maxURLBytes bounds a URL from a Secret, as the schema bounds the one in the spec.
const maxURLBytes = 2048

// media is a job's media, read and checked: either a URL for the provider to fetch, or the file itself.
type media struct {
	fetch *speechmatics.FetchData
	name  string
	data  []byte
}

// upload is the file as a submission carries it, or nil if the provider fetches it.
func (m *media) upload() *speechmatics.Media {
	if m.fetch != nil {
		return nil
	}
	return &speechmatics.Media{Name: m.name, Reader: bytes.NewReader(m.data), Size: int64(len(m.data))}
}

// loadMedia reads what spec.media names. ConfigMaps and Secrets are read by name and without a cache, so that the manager
// neither lists nor keeps them.
func (r *JobReconciler) loadMedia(ctx context.Context, s *scope) (*media, error) {
	source := s.job.Spec.Media
	switch {
	case source.URL != nil:
		return r.fetchedMedia(ctx, s, *source.URL, "spec.media.url")
	case source.URLFrom != nil:
		ref := source.URLFrom.SecretKeyRef
		value, err := r.mediaSecret(ctx, s, ref, "spec.media.urlFrom")
		if err != nil {
			return nil, err
		}
		return r.fetchedMedia(ctx, s, strings.TrimSpace(string(value)), fmt.Sprintf("the value of %q in Secret %s", ref.Key, ref.Name))
	case source.ConfigMap != nil:
		data, err := r.mediaConfigMap(ctx, s, *source.ConfigMap)
		return &media{name: source.ConfigMap.Key, data: data}, err
	case source.Secret != nil:
		data, err := r.mediaSecret(ctx, s, *source.Secret, "spec.media.secret")
		return &media{name: source.Secret.Key, data: data}, err
	default:
		// The schema does not let this in; an object from before that rule, or a version of it that is newer, might.
		return nil, pausef(v1alpha1.ReasonInvalidMedia, 0, "spec.media names no source that this version knows; set exactly one of url, urlFrom, configMap and secret in a new job")
	}
}

// fetchedMedia is a URL for the provider to fetch. The URL itself may be a secret and is never repeated in messages.
func (r *JobReconciler) fetchedMedia(ctx context.Context, s *scope, address, where string) (*media, error) {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxURLBytes || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return nil, pausef(v1alpha1.ReasonInvalidMedia, r.options.RetryInterval, "%s is not an http or https URL of at most %d bytes; correct it", where, maxURLBytes)
	}
	headers, err := r.authHeaders(ctx, s)
	if err != nil {
		return nil, err
	}
	return &media{fetch: &speechmatics.FetchData{URL: address, AuthHeaders: headers}, name: path.Base(u.Path)}, nil
}

// authHeaders reads the HTTP headers that go with the URL.
func (r *JobReconciler) authHeaders(ctx context.Context, s *scope) ([]string, error) {
	source := s.job.Spec.Media.AuthHeadersFrom
	if source == nil {
		return nil, nil
	}
	ref := source.SecretKeyRef
	value, err := r.mediaSecret(ctx, s, ref, "spec.media.authHeadersFrom")
	if err != nil {
		return nil, err
	}
	headers, err := authheaders.Parse(string(value))
	if err != nil {
		return nil, pausef(v1alpha1.ReasonInvalidMedia, r.options.RetryInterval, "the value of %q in Secret %s: %v; write one \"Name: value\" a line", ref.Key, ref.Name, err)
	}
	return headers, nil
}

// mediaConfigMap reads a file from a ConfigMap.
func (r *JobReconciler) mediaConfigMap(ctx context.Context, s *scope, ref v1alpha1.ObjectKeyReference) ([]byte, error) {
	configMap := &corev1.ConfigMap{}
	if err := r.live.Get(ctx, types.NamespacedName{Namespace: s.job.Namespace, Name: ref.Name}, configMap); err != nil {
		return nil, r.mediaGetError(s, err, "ConfigMap", ref.Name, "spec.media.configMap")
	}
	if data, ok := configMap.BinaryData[ref.Key]; ok {
		return r.nonEmpty(data, "ConfigMap", ref)
	}
	if data, ok := configMap.Data[ref.Key]; ok {
		return r.nonEmpty([]byte(data), "ConfigMap", ref)
	}
	return nil, r.keyMissing("ConfigMap", ref)
}

// mediaSecret reads a value from a Secret that says of itself that jobs may use it.
func (r *JobReconciler) mediaSecret(ctx context.Context, s *scope, ref v1alpha1.ObjectKeyReference, field string) ([]byte, error) {
	secret := &corev1.Secret{}
	if err := r.live.Get(ctx, types.NamespacedName{Namespace: s.job.Namespace, Name: ref.Name}, secret); err != nil {
		return nil, r.mediaGetError(s, err, "Secret", ref.Name, field)
	}
	if secret.Type != v1alpha1.MediaSecretType {
		return nil, pausef(v1alpha1.ReasonInvalidMedia, r.options.RetryInterval,
			"Secret %s has the type %s; jobs may only use Secrets of the type %s: create it anew with that type", ref.Name, secret.Type, v1alpha1.MediaSecretType)
	}
	data, ok := secret.Data[ref.Key]
	if !ok {
		return nil, r.keyMissing("Secret", ref)
	}
	return r.nonEmpty(data, "Secret", ref)
}

func (r *JobReconciler) mediaGetError(s *scope, err error, kind, name, field string) error {
	if apierrors.IsNotFound(err) {
		return pausef(v1alpha1.ReasonMediaNotFound, r.options.RetryInterval, "there is no %s %s in namespace %s, which %s names; create it", kind, name, s.job.Namespace, field)
	}
	return fmt.Errorf("cannot read %s %s/%s: %w", kind, s.job.Namespace, name, err)
}

func (r *JobReconciler) keyMissing(kind string, ref v1alpha1.ObjectKeyReference) error {
	return pausef(v1alpha1.ReasonMediaNotFound, r.options.RetryInterval, "%s %s has no key %q; put the media there", kind, ref.Name, ref.Key)
}

func (r *JobReconciler) nonEmpty(data []byte, kind string, ref v1alpha1.ObjectKeyReference) ([]byte, error) {
	if len(data) == 0 {
		return nil, pausef(v1alpha1.ReasonInvalidMedia, r.options.RetryInterval, "the key %q of %s %s is empty; put the media there", ref.Key, kind, ref.Name)
	}
	return data, nil
}
