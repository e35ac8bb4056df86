// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package store

import (
	"os"
	"path"
	"sync"

	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
)

// awaitPowerLoss has the volumes lose what is not synced when the power fails (see package crashpoint): files are cut to what was synced
// of them, and names are gone whose folder was not synced since they were given. A process that is killed loses neither, since the
// operating system lives on; so this stands in for what only a machine's end shows.
func awaitPowerLoss(v *Volumes) {
	u := &unsynced{files: map[*unsyncedFile]bool{}, names: map[unsyncedName]*os.Root{}}
	create, syncFolder := v.create, v.syncFolder
	v.create = func(root *os.Root, name string) (file, error) {
		f, err := create(root, name)
		if err != nil {
			return nil, err
		}
		return u.watch(f, root, name)
	}
	v.named = func(root *os.Root, name string) {
		handle, err := root.OpenRoot(".")
		if err != nil {
			panic(err)
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.names[unsyncedName{root, name}] = handle
	}
	v.syncFolder = func(root *os.Root, dir string) error {
		err := syncFolder(root, dir)
		if err == nil {
			u.folderSynced(root, dir)
		}
		return err
	}
	crashpoint.OnPowerLoss(u.lose)
}

// unsynced is what the disk does not have.
type unsynced struct {
	mu    sync.Mutex
	files map[*unsyncedFile]bool
	// names have a handle of their folder each, since that of the batch is closed at its end.
	names map[unsyncedName]*os.Root
}

type unsyncedName struct {
	root *os.Root
	name string
}

// unsyncedFile is a file of which not all may be on the disk. It has a descriptor of its own, by which it is cut also when it has been
// closed, and under whichever name.
type unsyncedFile struct {
	file

	all           *unsynced
	handle        *os.File
	written, kept int64
}

func (u *unsynced) watch(f file, root *os.Root, name string) (file, error) {
	handle, err := root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	watched := &unsyncedFile{file: f, all: u, handle: handle}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files[watched] = true
	return watched, nil
}

func (f *unsyncedFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	f.all.mu.Lock()
	defer f.all.mu.Unlock()
	f.written += int64(n)
	return n, err
}

// Sync makes the file safe; it is not watched any more then.
func (f *unsyncedFile) Sync() error {
	err := f.file.Sync()
	f.all.mu.Lock()
	defer f.all.mu.Unlock()
	if err == nil {
		f.kept = f.written
		delete(f.all.files, f)
		_ = f.handle.Close()
	}
	return err
}

func (u *unsynced) folderSynced(root *os.Root, dir string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for n, handle := range u.names {
		if n.root == root && path.Dir(n.name) == dir {
			delete(u.names, n)
			_ = handle.Close()
		}
	}
}

// lose loses it. The lock is kept, so that nothing is written any more.
func (u *unsynced) lose() {
	u.mu.Lock()
	for f := range u.files {
		_ = f.handle.Truncate(f.kept)
	}
	for n, handle := range u.names {
		_ = handle.Remove(n.name)
	}
}
