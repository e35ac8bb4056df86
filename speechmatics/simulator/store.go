// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// errTooLarge says that media are larger than allowed.
var errTooLarge = errors.New("media are too large")

// errStoreClosed says that the server was closed.
var errStoreClosed = errors.New("the simulator is closed")

// mediaStore keeps media in files, so that memory does not grow with them.
type mediaStore struct {
	parent string
	budget int64

	mu     sync.Mutex
	dir    string
	used   int64
	closed bool
}

// mediaFile is media in a file.
type mediaFile struct {
	path   string
	size   int64
	sha256 string
	store  *mediaStore
}

// spool writes media to a file. It reads at most limit bytes (negative: any number); more is errTooLarge.
func (m *mediaStore) spool(r io.Reader, limit int64) (_ *mediaFile, err error) {
	f, err := m.create()
	if err != nil {
		return nil, fmt.Errorf("storing media: %w", err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("storing media: %w", closeErr)
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if limit >= 0 {
		r = io.LimitReader(r, limit+1)
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, sum), r)
	if err != nil {
		return nil, err
	}
	if limit >= 0 && size > limit {
		return nil, errTooLarge
	}
	m.mu.Lock()
	m.used += size
	m.mu.Unlock()
	return &mediaFile{path: f.Name(), size: size, sha256: hex.EncodeToString(sum.Sum(nil)), store: m}, nil
}

// create makes an empty file in the server's own folder, which is made with the first one.
func (m *mediaStore) create() (*os.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errStoreClosed
	}
	if m.dir == "" {
		dir, err := os.MkdirTemp(m.parent, "speechmatics-simulator-")
		if err != nil {
			return nil, err
		}
		m.dir = dir
	}
	return os.CreateTemp(m.dir, "media-")
}

// overBudget says that more is kept than should be.
func (m *mediaStore) overBudget() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.budget >= 0 && m.used > m.budget
}

// close removes everything.
func (m *mediaStore) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.dir == "" {
		return nil
	}
	return os.RemoveAll(m.dir)
}

// probe reads what the file holds.
func (f *mediaFile) probe() (recording, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return recording{}, err
	}
	defer func() { _ = file.Close() }() // was read only
	return probe(file, f.size)
}

// open opens the media for reading. The caller closes them.
func (f *mediaFile) open() (*os.File, error) { return os.Open(f.path) }

// remove deletes the media. A nil file is none.
func (f *mediaFile) remove() {
	if f == nil {
		return
	}
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	if os.Remove(f.path) == nil {
		f.store.used -= f.size
	}
}
