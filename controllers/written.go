// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// writtenVersions remembers the version of each object that the reconciler wrote last, so that a pass does not begin with an
// older one from the cache. It saves work only: writes with a stale object fail at the API server.
type writtenVersions struct {
	mu       sync.Mutex
	versions map[types.NamespacedName]writtenVersion
}

type writtenVersion struct {
	uid             types.UID
	resourceVersion string
}

func newWrittenVersions() *writtenVersions {
	return &writtenVersions{versions: map[types.NamespacedName]writtenVersion{}}
}

// note remembers a version that was just written.
func (w *writtenVersions) note(job *v1alpha1.TranscriptionJob) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.versions[client.ObjectKeyFromObject(job)] = writtenVersion{uid: job.UID, resourceVersion: job.ResourceVersion}
}

// newerThan reports whether the reconciler has written a newer version of the very object.
func (w *writtenVersions) newerThan(job *v1alpha1.TranscriptionJob) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	written, ok := w.versions[client.ObjectKeyFromObject(job)]
	if !ok || written.uid != job.UID {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(job.ResourceVersion, written.resourceVersion)
	return err == nil && order < 0
}

// forget drops what is known about an object that is gone, and returns its UID.
func (w *writtenVersions) forget(name types.NamespacedName) types.UID {
	w.mu.Lock()
	defer w.mu.Unlock()
	uid := w.versions[name].uid
	delete(w.versions, name)
	return uid
}
