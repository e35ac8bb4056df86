// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package store keeps transcripts, in ConfigMaps or on volumes.
//
// Storing has two phases. All transcripts of a request are staged first, as they come in; only when the request was read to
// its end without an error are they committed. What is committed is durable, and what is not committed was never there.
//
// Nothing is ever written over. A transcript that is stored already stays as it is: it is a whole transcript of the same
// attempt, and whoever has read it may rely on it.
package store

import (
	"context"
	"fmt"
	"io"
	"regexp"

	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// Job is the attempt of a job whose transcripts are stored.
type Job struct {
	// Namespace, Name and UID of the TranscriptionJob.
	Namespace, Name string
	UID             types.UID
	// Attempt is the number of the submission, from 1.
	Attempt int32
	// ID is the provider's ID of the job.
	ID string
	// Transcripts is the part of the job's spec that says where transcripts are kept.
	Transcripts v1alpha1.TranscriptsSpec
	// Wanted are the transcripts that the job is to have in the end. Check asks for room for them.
	Wanted []Key
	// Recorded are the transcripts of this attempt that the job's status knows of. They count against the cap on what a
	// job may store in ConfigMaps.
	Recorded []v1alpha1.StoredTranscript
}

// Key tells the transcripts of an attempt apart.
type Key struct {
	// Format of the transcript.
	Format v1alpha1.TranscriptFormat
	// Language is the language that it was translated to; empty for the one that was spoken.
	Language string
}

// String names the transcript in error texts.
func (k Key) String() string {
	if k.Language == "" {
		return string(k.Format)
	}
	return string(k.Format) + " in " + k.Language
}

// languagePattern is the pattern of the languages that a job may ask for.
var languagePattern = regexp.MustCompile(`^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*$`)

// check refuses languages that the API server should have refused: they become parts of file names.
func (k Key) check() error {
	if k.Language != "" && (len(k.Language) > 32 || !languagePattern.MatchString(k.Language)) {
		return fmt.Errorf("%.64q cannot be a language", k.Language)
	}
	return nil
}

// String names the job in error texts.
func (j Job) String() string { return fmt.Sprintf("TranscriptionJob %s/%s", j.Namespace, j.Name) }

// Store keeps transcripts.
type Store interface {
	// Check says whether the job's transcripts could be stored, without storing anything. Its errors are those of Commit.
	Check(ctx context.Context, job Job) error
	// Begin starts to store transcripts of the job. Its errors are those of Commit.
	Begin(ctx context.Context, job Job) (Batch, error)
}

// Batch is what one request stores. It must be ended by Discard, also after Commit. It is not safe for concurrent use.
type Batch interface {
	// Stage reads a transcript to its end, without storing it yet. Besides the errors of Commit it returns those of r,
	// for errors.Is to find; then nothing is staged of this transcript, and everything of the others. A key may be staged once.
	Stage(ctx context.Context, key Key, r io.Reader) error
	// Commit stores durably what was staged and returns what is stored now: for a key that was stored already, the
	// stored transcript instead of the staged one. Errors are *UnavailableError, *ConflictError, *TooLargeError,
	// *RejectedError, *NotMountedError or ErrGone.
	Commit(ctx context.Context) ([]v1alpha1.StoredTranscript, error)
	// Discard forgets what was staged and not committed.
	Discard()
}

// Stores is the Store that the job's spec asks for.
type Stores struct {
	ConfigMaps *ConfigMaps
	Volumes    *Volumes
}

var _ Store = Stores{}

// Check implements Store.
func (s Stores) Check(ctx context.Context, job Job) error { return s.of(job).Check(ctx, job) }

// Begin implements Store.
func (s Stores) Begin(ctx context.Context, job Job) (Batch, error) { return s.of(job).Begin(ctx, job) }

func (s Stores) of(job Job) Store {
	if job.Transcripts.PersistentVolumeClaim != nil {
		return s.Volumes
	}
	return s.ConfigMaps
}

// fileName is the name of a transcript as a file, and as a key of a ConfigMap.
func fileName(key Key) string {
	extension := string(key.Format)
	if key.Format == v1alpha1.FormatJSONv2 {
		extension = "json"
	}
	if key.Language != "" {
		extension = key.Language + "." + extension
	}
	return "transcript." + extension
}
