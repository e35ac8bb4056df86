// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) {
	os.Exit(testenv.Run(m, func(e *testenv.Env) { env = e }))
}

func newUID() types.UID { return uuid.NewUUID() }

// stage stages text as a transcript.
func stage(t testing.TB, b Batch, format v1alpha1.TranscriptFormat, text string) {
	t.Helper()
	if err := b.Stage(t.Context(), Key{Format: format}, strings.NewReader(text)); err != nil {
		t.Fatalf("Stage(%s): %v", format, err)
	}
}

// keep stores one transcript in the language that was spoken.
func keep(t testing.TB, s Store, job Job, format v1alpha1.TranscriptFormat, text string) (v1alpha1.StoredTranscript, error) {
	t.Helper()
	return keepKey(t, s, job, Key{Format: format}, text)
}

// keepKey stores one transcript.
func keepKey(t testing.TB, s Store, job Job, key Key, text string) (v1alpha1.StoredTranscript, error) {
	t.Helper()
	batch, err := s.Begin(t.Context(), job)
	if err != nil {
		return v1alpha1.StoredTranscript{}, err
	}
	defer batch.Discard()
	if err := batch.Stage(t.Context(), key, strings.NewReader(text)); err != nil {
		return v1alpha1.StoredTranscript{}, err
	}
	all, err := batch.Commit(t.Context())
	if err != nil {
		return v1alpha1.StoredTranscript{}, err
	}
	if len(all) != 1 {
		t.Fatalf("Commit() returns %d transcripts, want 1", len(all))
	}
	return all[0], nil
}

func mustKeep(t testing.TB, s Store, job Job, format v1alpha1.TranscriptFormat, text string) v1alpha1.StoredTranscript {
	t.Helper()
	stored, err := keep(t, s, job, format, text)
	if err != nil {
		t.Fatalf("cannot store %s: %v", format, err)
	}
	return stored
}

// newScratch is a scratch folder of a test, which is to be empty at its end.
func newScratch(t testing.TB) *Scratch {
	t.Helper()
	dir := t.TempDir()
	s, err := OpenScratch(dir, DefaultScratchBytes, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left := files(t, dir); len(left) != 0 || s.used.Load() != 0 {
			t.Errorf("in the scratch folder, %v is left, and %d bytes count as used", left, s.used.Load())
		}
	})
	return s
}

// newConfigMaps is a store of ConfigMaps with a scratch folder of its own.
func newConfigMaps(t testing.TB, c client.Client, maxBytes int64) *ConfigMaps {
	t.Helper()
	return NewConfigMaps(c, newScratch(t), maxBytes)
}

// brokenReader gives some text and then fails.
type brokenReader struct{ text string }

var errBroken = errors.New("the connection broke")

func (r *brokenReader) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, errBroken
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}
