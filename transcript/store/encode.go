// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// GzipFrom is the size of a transcript, in bytes, from which on it is compressed. Below it, `kubectl get -o yaml` shows it.
const GzipFrom = 32 << 10

// errOverLimit is what a limitedBuffer returns when it is full.
var errOverLimit = errors.New("over the limit")

// document is a transcript as it is put into ConfigMaps.
type document struct {
	format   v1alpha1.TranscriptFormat
	encoding v1alpha1.Encoding
	stored   []byte
	bytes    int64
	sha256   string
}

// encode reads a transcript to its end and encodes it, gzip from GzipFrom on. If more than limit bytes would have to be
// stored, it returns errOverLimit; it never holds more than that and GzipFrom in memory.
func encode(format v1alpha1.TranscriptFormat, r io.Reader, limit int64) (*document, error) {
	plain := &meter{hash: sha256.New()}
	r = io.TeeReader(r, plain)
	head, err := io.ReadAll(io.LimitReader(r, GzipFrom))
	if err != nil {
		return nil, err
	}
	stored := &limitedBuffer{limit: limit}
	encoding := v1alpha1.EncodingIdentity
	if len(head) < GzipFrom {
		_, err = stored.Write(head)
	} else {
		encoding = v1alpha1.EncodingGzip
		err = compress(stored, io.MultiReader(bytes.NewReader(head), r))
	}
	if err != nil {
		return nil, err
	}
	return &document{format: format, encoding: encoding, stored: stored.buffer.Bytes(), bytes: plain.n, sha256: plain.sum()}, nil
}

// compress gzips without a time or a name in the header, so that the same transcript gives the same bytes.
func compress(w io.Writer, r io.Reader) error {
	gz := gzip.NewWriter(w)
	if _, err := io.Copy(gz, r); err != nil {
		return err
	}
	return gz.Close()
}

// meter counts and hashes what is written to it.
type meter struct {
	hash hash.Hash
	n    int64
}

func (m *meter) Write(p []byte) (int, error) {
	m.n += int64(len(p))
	return m.hash.Write(p)
}

func (m *meter) sum() string { return hex.EncodeToString(m.hash.Sum(nil)) }

// limitedBuffer is a buffer that refuses to grow beyond a limit.
type limitedBuffer struct {
	buffer bytes.Buffer
	limit  int64
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if int64(b.buffer.Len())+int64(len(p)) > b.limit {
		return 0, errOverLimit
	}
	return b.buffer.Write(p)
}
