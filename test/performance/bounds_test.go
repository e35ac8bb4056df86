// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	applyv1alpha1 "github.com/transcription-operator/transcription-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// bounds measures what nobody who stores as many transcripts as durably can do better: the disk and the API server, with the bench's own hands.
func (b *bench) bounds(ctx context.Context, system *harness.System, in inputs, m *measures) error {
	if in.Volume {
		perSecond, err := filesPerSecond(filepath.Join(system.Volume, "bound"), in)
		if err != nil {
			return err
		}
		m.add("bound: serial files/s", perSecond, "1/s")
	}
	perSecond, err := b.statusesPerSecond(ctx, system, in)
	if err != nil {
		return err
	}
	name := "bound: pairs/s"
	if in.Volume {
		name = "bound: statuses/s"
	}
	m.add(name, perSecond, "1/s")
	m.add("bound", lower(m, "bound: serial files/s", name), "1/s")
	return nil
}

// lower is the lower of those metrics that were measured.
func lower(m *measures, names ...string) float64 {
	lowest, found := 0.0, false
	for _, name := range names {
		if value, ok := m.values[name]; ok && (!found || value < lowest) {
			lowest, found = value, true
		}
	}
	return lowest
}

// filesPerSecond writes files one after the other as a volume stores them: write, fsync, rename, fsync of the directory.
func filesPerSecond(dir string, in inputs) (float64, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	content := bytes.Repeat([]byte{'x'}, in.Bytes)
	began := time.Now()
	for i := range in.Jobs {
		if err := writeDurably(dir, fmt.Sprint(i), content); err != nil {
			return 0, err
		}
	}
	perSecond := float64(in.Jobs) / time.Since(began).Seconds()
	return perSecond, os.RemoveAll(dir)
}

func writeDurably(dir, name string, content []byte) error {
	file, err := os.CreateTemp(dir, "temporary-")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close(), os.Rename(file.Name(), filepath.Join(dir, name))); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// statusesPerSecond applies the status of the jobs once more, after it has created a ConfigMap for each unless transcripts go to a volume.
func (b *bench) statusesPerSecond(ctx context.Context, system *harness.System, in inputs) (float64, error) {
	text := string(bytes.Repeat([]byte{'x'}, in.Bytes))
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(in.Parallel)
	for i := range in.Jobs {
		group.Go(func() error {
			if !in.Volume {
				configMap := &corev1.ConfigMap{
					ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace, Name: fmt.Sprintf("bound-%d", i)}, Data: map[string]string{"txt": text},
				}
				if err := b.cluster.Client.Create(ctx, configMap); err != nil {
					return err
				}
			}
			apply := applyv1alpha1.TranscriptionJob(jobName(i), system.Namespace).WithStatus(applyv1alpha1.TranscriptionJobStatus().
				WithTranscripts(applyv1alpha1.StoredTranscript().WithFormat(v1alpha1.FormatSRT).WithLanguage("").WithAttempt(1).WithJobID("bound").
					WithEncoding(v1alpha1.EncodingIdentity).WithParts(1).WithBytes(1).WithSHA256(fmt.Sprintf("%064x", i))))
			return b.cluster.Client.Status().Apply(ctx, apply, client.FieldOwner("bound"), client.ForceOwnership)
		})
	}
	err := group.Wait()
	return float64(in.Jobs) / time.Since(began).Seconds(), err
}
