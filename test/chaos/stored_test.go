// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// readStored reads a transcript from where the status says that it is, and checks that it is as the status says.
func (r *run) readStored(namespace string, recorded v1alpha1.StoredTranscript) ([]byte, error) {
	stored, err := r.storedBytes(namespace, recorded)
	if err != nil {
		return nil, err
	}
	if recorded.Encoding == v1alpha1.EncodingGzip {
		reader, err := gzip.NewReader(bytes.NewReader(stored))
		if err != nil {
			return nil, fmt.Errorf("it cannot be decompressed: %w", err)
		}
		if stored, err = io.ReadAll(reader); err != nil {
			return nil, fmt.Errorf("it cannot be decompressed: %w", err)
		}
	}
	sum := sha256.Sum256(stored)
	if got := hex.EncodeToString(sum[:]); got != recorded.SHA256 {
		return nil, fmt.Errorf("the stored bytes (%d) have the sum %s, and the status says %s", len(stored), got, recorded.SHA256)
	}
	if recorded.Bytes == nil || int64(len(stored)) != *recorded.Bytes {
		return nil, fmt.Errorf("%d bytes are stored, which is not what the status says", len(stored))
	}
	return stored, nil
}

// configMapsOf are the names of the ConfigMaps that a transcript is in.
func configMapsOf(recorded v1alpha1.StoredTranscript) []string {
	switch {
	case recorded.ConfigMapRef == nil:
		return nil
	case recorded.Parts <= 1:
		return []string{recorded.ConfigMapRef.Name}
	}
	names := make([]string, 0, recorded.Parts)
	for part := range int(recorded.Parts) {
		names = append(names, fmt.Sprintf("%s-%02d", recorded.ConfigMapRef.Name, part))
	}
	return names
}

// isLeftOver reports whether a ConfigMap of a complete job is none of its transcripts. What an attempt has stored that was given up is not
// left over: it goes with the object, since nobody may delete a ConfigMap before, and it may be all that there is of what was paid for.
func isLeftOver(c *corev1.ConfigMap, object *v1alpha1.TranscriptionJob) bool {
	if c.Labels[store.LabelAttempt] != strconv.Itoa(int(*object.Status.Attempt)) {
		return false
	}
	return !slices.ContainsFunc(object.Status.Transcripts, func(recorded v1alpha1.StoredTranscript) bool {
		return slices.Contains(configMapsOf(recorded), c.Name)
	})
}

// storedBytes reads a file, or puts ConfigMaps together again.
func (r *run) storedBytes(namespace string, recorded v1alpha1.StoredTranscript) ([]byte, error) {
	if file := recorded.PersistentVolumeClaim; file != nil {
		return os.ReadFile(filepath.Join(r.system.Volume, filepath.FromSlash(file.Path)))
	}
	var all []byte
	for _, name := range configMapsOf(recorded) {
		configMap := &corev1.ConfigMap{}
		if err := cluster.Client.Get(r.ctx, client.ObjectKey{Namespace: namespace, Name: name}, configMap); err != nil {
			return nil, err
		}
		all = append(all, configMap.Data[recorded.ConfigMapRef.Key]...)
		all = append(all, configMap.BinaryData[recorded.ConfigMapRef.Key]...)
	}
	return all, nil
}
