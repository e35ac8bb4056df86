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

// errOverLimit means that a transcript needs more room than it may have.
var errOverLimit = errors.New("over the limit")

// document is a transcript as it is put into ConfigMaps.
type document struct {
	key      Key
	encoding v1alpha1.Encoding
	// stored are the bytes as they are stored, of which there are size: in memory if they are few, else in a scratch file.
	stored io.ReaderAt
	size   int64
	// bytes and sha256 are those of the plain transcript.
	bytes  int64
	sha256 string
}

// close forgets the stored bytes.
func (d *document) close() {
	if file, ok := d.stored.(*ScratchFile); ok {
		_ = file.Close() // nothing that was written is needed any more
	}
}

// encode reads a transcript to its end and encodes it, gzip from GzipFrom on. If more than limit bytes would have to be
// stored, it returns errOverLimit. It holds no more than GzipFrom in memory.
func encode(scratch *Scratch, key Key, r io.Reader, limit int64) (*document, error) {
	plain := &meter{hash: sha256.New()}
	r = io.TeeReader(r, plain)
	head, err := io.ReadAll(io.LimitReader(r, GzipFrom))
	if err != nil {
		return nil, err
	}
	doc := &document{key: key, encoding: v1alpha1.EncodingIdentity, stored: bytes.NewReader(head), size: int64(len(head))}
	if len(head) == GzipFrom {
		file, err := compressed(scratch, io.MultiReader(bytes.NewReader(head), r), limit)
		if err != nil {
			return nil, err
		}
		doc.encoding, doc.stored, doc.size = v1alpha1.EncodingGzip, file, file.Size()
	} else if doc.size > limit {
		return nil, errOverLimit
	}
	doc.bytes, doc.sha256 = plain.n, plain.sum()
	return doc, nil
}

// compressed gzips into a scratch file.
func compressed(scratch *Scratch, r io.Reader, limit int64) (*ScratchFile, error) {
	file, err := scratch.Create()
	if err != nil {
		return nil, err
	}
	if err := compress(&limitedWriter{w: file, left: limit}, r); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
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

// limitedWriter refuses to write more than what is left.
type limitedWriter struct {
	w    io.Writer
	left int64
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errOverLimit
	}
	return l.w.Write(p)
}
