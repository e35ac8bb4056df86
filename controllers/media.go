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
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/authheaders"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// maxURLBytes bounds a URL from a Secret, as the schema bounds the one in the spec.
const maxURLBytes = 2048

// source is where a value of a job's configuration comes from, for people: the field that names it, what is to be there, and the
// reasons of a job whose source is missing or of no use.
type source struct {
	field, what       string
	notFound, invalid string
}

// mediaSource is a source that spec.media names.
func mediaSource(field string) source {
	return source{field: "spec.media." + field, what: "the media", notFound: v1alpha1.ReasonMediaNotFound, invalid: v1alpha1.ReasonInvalidMedia}
}

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
	spec := s.job.Spec.Media
	switch {
	case spec.URL != nil:
		return r.fetchedMedia(ctx, s, *spec.URL, "spec.media.url")
	case spec.URLFrom != nil:
		ref := spec.URLFrom.SecretKeyRef
		value, err := r.secretValue(ctx, s, ref, mediaSource("urlFrom"))
		if err != nil {
			return nil, err
		}
		return r.fetchedMedia(ctx, s, strings.TrimSpace(string(value)), nameOf(ref))
	case spec.ConfigMap != nil:
		data, err := r.mediaConfigMap(ctx, s, *spec.ConfigMap)
		return r.uploadedMedia(data, err, "ConfigMap", *spec.ConfigMap)
	case spec.Secret != nil:
		data, err := r.secretValue(ctx, s, *spec.Secret, mediaSource("secret"))
		return r.uploadedMedia(data, err, "Secret", *spec.Secret)
	default:
		// The schema does not let this in; an object from before that rule, or a version of it that is newer, might.
		return nil, pausef(v1alpha1.ReasonInvalidMedia, 0, "spec.media names no source that this version knows; set exactly one of url, urlFrom, configMap and secret in a new job")
	}
}

// uploadedMedia is a file that is sent to the provider, which sends it on to whoever spec.notifications names. Whoever may create jobs may not
// therefore read every ConfigMap of the namespace: a text is no recording, and does not leave the cluster as one.
func (r *JobReconciler) uploadedMedia(data []byte, err error, kind string, ref v1alpha1.ObjectKeyReference) (*media, error) {
	if err != nil {
		return nil, err
	}
	if isText(data) {
		return nil, pausef(v1alpha1.ReasonInvalidMedia, r.options.RetryInterval, "the key %q of %s %s holds a text, which is no media; put a recording there", ref.Key, kind, ref.Name)
	}
	return &media{name: ref.Key, data: data}, nil
}

// isText reports whether data is a text, which no format of media is: all of them have bytes in their first headers that no text has.
func isText(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(c rune) bool { return unicode.IsControl(c) && !unicode.IsSpace(c) })
}

// fetchedMedia is a URL for the provider to fetch.
func (r *JobReconciler) fetchedMedia(ctx context.Context, s *scope, address, where string) (*media, error) {
	u, err := r.providerURL(address, where, v1alpha1.ReasonInvalidMedia)
	if err != nil {
		return nil, err
	}
	headers, err := r.authHeaders(ctx, s, s.job.Spec.Media.AuthHeadersFrom, mediaSource("authHeadersFrom"))
	if err != nil {
		return nil, err
	}
	return &media{fetch: &speechmatics.FetchData{URL: address, AuthHeaders: headers}, name: path.Base(u.Path)}, nil
}

// providerURL checks a URL that the provider is to call. The URL itself may be a secret and is never repeated in messages.
func (r *JobReconciler) providerURL(address, where, reason string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || len(address) > maxURLBytes || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return nil, pausef(reason, r.options.RetryInterval, "%s is not an http or https URL of at most %d bytes; correct it", where, maxURLBytes)
	}
	return u, nil
}

// authHeaders reads the HTTP headers that go with a URL, if there are any.
func (r *JobReconciler) authHeaders(ctx context.Context, s *scope, from *v1alpha1.SecretSource, of source) ([]string, error) {
	if from == nil {
		return nil, nil
	}
	value, err := r.secretValue(ctx, s, from.SecretKeyRef, of)
	if err != nil {
		return nil, err
	}
	headers, err := authheaders.Parse(string(value))
	if err != nil {
		return nil, pausef(of.invalid, r.options.RetryInterval, "%s: %v; write one \"Name: value\" a line", nameOf(from.SecretKeyRef), err)
	}
	return headers, nil
}

// nameOf names a value in a Secret for a person.
func nameOf(ref v1alpha1.ObjectKeyReference) string {
	return fmt.Sprintf("the value of %q in Secret %s", ref.Key, ref.Name)
}

// mediaConfigMap reads a file from a ConfigMap.
func (r *JobReconciler) mediaConfigMap(ctx context.Context, s *scope, ref v1alpha1.ObjectKeyReference) ([]byte, error) {
	of := mediaSource("configMap")
	configMap := &corev1.ConfigMap{}
	if err := r.live.Get(ctx, types.NamespacedName{Namespace: s.job.Namespace, Name: ref.Name}, configMap); err != nil {
		return nil, r.sourceError(s, err, "ConfigMap", ref.Name, of)
	}
	if _, ok := configMap.Labels[store.LabelJobUID]; ok {
		return nil, pausef(of.invalid, r.options.RetryInterval, "ConfigMap %s holds a transcript, which is no media; name one with a recording in a new job", ref.Name)
	}
	if data, ok := configMap.BinaryData[ref.Key]; ok {
		return r.nonEmpty(data, "ConfigMap", ref, of)
	}
	if data, ok := configMap.Data[ref.Key]; ok {
		return r.nonEmpty([]byte(data), "ConfigMap", ref, of)
	}
	return nil, r.keyMissing("ConfigMap", ref, of)
}

// secretValue reads a value from a Secret that says of itself that jobs may use it.
func (r *JobReconciler) secretValue(ctx context.Context, s *scope, ref v1alpha1.ObjectKeyReference, of source) ([]byte, error) {
	secret := &corev1.Secret{}
	if err := r.live.Get(ctx, types.NamespacedName{Namespace: s.job.Namespace, Name: ref.Name}, secret); err != nil {
		return nil, r.sourceError(s, err, "Secret", ref.Name, of)
	}
	if secret.Type != v1alpha1.MediaSecretType {
		return nil, pausef(of.invalid, r.options.RetryInterval,
			"Secret %s has the type %s; jobs may only use Secrets of the type %s: create it anew with that type", ref.Name, secret.Type, v1alpha1.MediaSecretType)
	}
	data, ok := secret.Data[ref.Key]
	if !ok {
		return nil, r.keyMissing("Secret", ref, of)
	}
	return r.nonEmpty(data, "Secret", ref, of)
}

func (r *JobReconciler) sourceError(s *scope, err error, kind, name string, of source) error {
	if apierrors.IsNotFound(err) {
		create := "create it"
		if kind == "Secret" {
			create += " with the type " + v1alpha1.MediaSecretType
		}
		return pausef(of.notFound, r.options.RetryInterval, "there is no %s %s in namespace %s, which %s names; %s", kind, name, s.job.Namespace, of.field, create)
	}
	return fmt.Errorf("cannot read %s %s/%s: %w", kind, s.job.Namespace, name, err)
}

func (r *JobReconciler) keyMissing(kind string, ref v1alpha1.ObjectKeyReference, of source) error {
	return pausef(of.notFound, r.options.RetryInterval, "%s %s has no key %q; put %s there", kind, ref.Name, ref.Key, of.what)
}

func (r *JobReconciler) nonEmpty(data []byte, kind string, ref v1alpha1.ObjectKeyReference, of source) ([]byte, error) {
	if len(data) == 0 {
		return nil, pausef(of.invalid, r.options.RetryInterval, "the key %q of %s %s is empty; put %s there", ref.Key, kind, ref.Name, of.what)
	}
	return data, nil
}
