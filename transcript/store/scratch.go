// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"k8s.io/utils/clock"
)

// DefaultScratchBytes is the most that a Scratch holds at once unless said otherwise. Ten hours of speech need some 25 MB as JSON and
// a few more compressed.
const DefaultScratchBytes = 1 << 30

// Scratch is a folder for what is too large for memory and not yet stored. Its files have no names: they are gone with the process,
// however that ends. It never holds more than its limit, since a folder that outgrows its volume has the whole pod evicted.
type Scratch struct {
	path     string
	maxBytes int64
	used     atomic.Int64
	// whole is what this is a half of; nil if it is all.
	whole *Scratch
}

// OpenScratch returns a Scratch in a folder, which must exist. It tries whether files can be made there, and removes those that a crash has
// left, in the moment between their creation and the removal of their names.
func OpenScratch(path string, maxBytes int64, clk clock.PassiveClock) (*Scratch, error) {
	removeStaleScratch(path, clk)
	s := &Scratch{path: path, maxBytes: maxBytes}
	f, err := s.Create()
	if err != nil {
		return nil, err
	}
	return s, f.Close()
}

// Half is a Scratch in the same folder that takes at most half of this one's limit, and leaves the rest to others.
func (s *Scratch) Half() *Scratch {
	return &Scratch{path: s.path, maxBytes: s.maxBytes / 2, whole: s}
}

// scratchPattern is what the files are called before they lose their names.
const scratchPattern = "transcript-*"

// removeStaleScratch is a courtesy: what it cannot remove is empty.
func removeStaleScratch(path string, clk clock.PassiveClock) {
	names, _ := filepath.Glob(filepath.Join(path, scratchPattern)) // the pattern is a good one
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() && info.Size() == 0 && clk.Since(info.ModTime()) > staleAfter {
			_ = os.Remove(name)
		}
	}
}

// Create makes an empty file. Its errors, and those of writing to the file, are *UnavailableError, but for a file that is too large.
func (s *Scratch) Create() (*ScratchFile, error) {
	f, err := os.CreateTemp(s.path, scratchPattern)
	if err != nil {
		return nil, s.unavailable(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(s.unavailable(err), f.Close())
	}
	return &ScratchFile{scratch: s, file: f}, nil
}

// Limit is how many bytes there may be.
func (s *Scratch) Limit() int64 { return s.maxBytes }

// Used is how many bytes its files hold.
func (s *Scratch) Used() int64 { return s.used.Load() }

// take counts bytes as used, unless there is no room for them.
func (s *Scratch) take(n int64) bool {
	if s.used.Add(n) > s.maxBytes || (s.whole != nil && !s.whole.take(n)) {
		s.used.Add(-n)
		return false
	}
	return true
}

// give counts bytes as free again.
func (s *Scratch) give(n int64) {
	s.used.Add(-n)
	if s.whole != nil {
		s.whole.give(n)
	}
}

func (s *Scratch) unavailable(err error) error {
	return &UnavailableError{Store: "the webhook receiver's scratch folder " + s.path, Err: err}
}

// ScratchFile is a file of a Scratch. It is written first, then read as often as needed, and closed at last.
type ScratchFile struct {
	scratch *Scratch
	file    *os.File
	size    int64
}

// Write implements io.Writer. A file that has no room even if it is alone is a *TooLargeError.
func (f *ScratchFile) Write(p []byte) (int, error) {
	if f.size+int64(len(p)) > f.scratch.maxBytes {
		return 0, &TooLargeError{Limit: f.scratch.maxBytes, Scratch: true}
	}
	if !f.scratch.take(int64(len(p))) {
		return 0, f.scratch.unavailable(fmt.Errorf("it would hold more than %d bytes; see the webhook receiver's --scratch-max-bytes", f.scratch.maxBytes))
	}
	n, err := f.file.Write(p)
	f.size += int64(n)
	f.scratch.give(int64(len(p)) - int64(n))
	if err != nil {
		return n, f.scratch.unavailable(err)
	}
	return n, nil
}

// Size is how many bytes were written.
func (f *ScratchFile) Size() int64 { return f.size }

// Content reads what was written so far, from the beginning.
func (f *ScratchFile) Content() *io.SectionReader { return io.NewSectionReader(f, 0, f.size) }

// ReadAt implements io.ReaderAt.
func (f *ScratchFile) ReadAt(p []byte, offset int64) (int, error) {
	n, err := f.file.ReadAt(p, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		err = f.scratch.unavailable(err)
	}
	return n, err
}

// Close forgets the content.
func (f *ScratchFile) Close() error {
	f.scratch.give(f.size)
	f.size = 0
	return f.file.Close()
}
