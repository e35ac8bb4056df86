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
	if err := b.Stage(t.Context(), format, strings.NewReader(text)); err != nil {
		t.Fatalf("Stage(%s): %v", format, err)
	}
}

// keep stores one transcript.
func keep(t testing.TB, s Store, job Job, format v1alpha1.TranscriptFormat, text string) (v1alpha1.StoredTranscript, error) {
	t.Helper()
	batch, err := s.Begin(t.Context(), job)
	if err != nil {
		return v1alpha1.StoredTranscript{}, err
	}
	defer batch.Discard()
	if err := batch.Stage(t.Context(), format, strings.NewReader(text)); err != nil {
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
