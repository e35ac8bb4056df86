// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const (
	// fullBytes is how long files may become on a disk that is full: whatever is written breaks off in its midst.
	fullBytes = 16
	// readOnlyMode and writableMode are those of the volume's folders.
	readOnlyMode = 0o500
	writableMode = 0o700
)

// FillDisks has the disks of all receivers be full, that of the volume and that of the scratch files: files can be made, and writing to
// them fails. It holds for the present processes.
//
// It is a limit on the length of files (RLIMIT_FSIZE), which needs no rights and fails as a full disk does but for the name of the error.
func (s *System) FillDisks() error { return s.limitFiles(fullBytes) }

// FreeDisks ends FillDisks.
func (s *System) FreeDisks() error { return s.limitFiles(unlimited) }

func (s *System) limitFiles(bytes uint64) error {
	var all []error
	for _, receiver := range s.Receivers {
		if err := limitFiles(receiver.PID(), bytes); err != nil {
			all = append(all, fmt.Errorf("cannot limit the files of %s: %w", receiver.Name(), err))
		}
	}
	return errors.Join(all...)
}

// ProtectVolume makes the volume read-only, or writable again. It holds for root, too: see start.
func (s *System) ProtectVolume(readOnly bool) error {
	mode := fs.FileMode(writableMode)
	if readOnly {
		mode = readOnlyMode
	}
	root, err := os.OpenRoot(s.Volume)
	if err != nil {
		return err
	}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return root.Chmod(name, mode)
	})
	return errors.Join(err, root.Close())
}
