// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

const (
	// SigningKeyFile is the file with the signing key, and the key of the Secret that the folder is mounted from. Its bytes are
	// used as they are, a line break at the end included.
	SigningKeyFile = "signing-key"
	// AdditionalKeyFile is the same for the additional key; it may be missing.
	AdditionalKeyFile = "additional-key"

	// KeyCheckInterval is how often a folder with keys is looked at, at most.
	KeyCheckInterval = 10 * time.Second

	// maxKeyBytes bounds what is read of a file. A key longer than a block of SHA-256 is no stronger.
	maxKeyBytes = 4096

	// dataLink is the symbolic link that Kubernetes swaps to replace all files of a mounted Secret at once.
	dataLink = "..data"

	// maxKeyReads is how often a folder that is replaced while it is read is read again.
	maxKeyReads = 3
)

// KeySource has the keys of the moment. Ask it for each use, since keys are rotated without a restart.
type KeySource interface {
	Keyring() (*Keyring, error)
}

// Keyring makes a keyring a KeySource that never changes.
func (k *Keyring) Keyring() (*Keyring, error) { return k, nil }

// KeyDirectory is a KeySource that reads the keys from the files of a folder, typically a mounted Secret, and reads them again
// when they change. If the new ones are of no use, the last good ones stay in force; see Err. It may be used concurrently.
type KeyDirectory struct {
	dir   string
	clock clock.PassiveClock
	log   logr.Logger

	mu        sync.Mutex
	checkedAt time.Time
	raw       rawKeys
	keyring   *Keyring
	err       error
}

// rawKeys are the bytes of the files; additional is nil if there is no such file.
type rawKeys struct{ signing, additional []byte }

func (r rawKeys) equal(other rawKeys) bool {
	return bytes.Equal(r.signing, other.signing) && bytes.Equal(r.additional, other.additional)
}

// NewKeyDirectory reads the keys in dir, which must be good ones this first time.
func NewKeyDirectory(dir string, clk clock.PassiveClock, log logr.Logger) (*KeyDirectory, error) {
	d := &KeyDirectory{dir: dir, clock: clk, log: log}
	d.reload()
	if d.err != nil {
		return nil, d.err
	}
	return d, nil
}

// Keyring returns the keys of the moment: those that are in the folder, or those that were there last and were good. It
// looks at the folder at most every KeyCheckInterval. The error is always nil; see Err for the folder's state.
func (d *KeyDirectory) Keyring() (*Keyring, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refresh()
	return d.keyring, nil
}

// Err says what is wrong with the keys that are in the folder now, or nil. Meanwhile Keyring returns the last good ones.
func (d *KeyDirectory) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refresh()
	return d.err
}

func (d *KeyDirectory) refresh() {
	if d.clock.Since(d.checkedAt) < KeyCheckInterval {
		return
	}
	hadError := d.err != nil
	changed := d.reload()
	switch {
	case d.err != nil && !hadError:
		d.log.Error(d.err, "The notification keys in the folder are of no use; the last good ones stay in force", "folder", d.dir)
	case d.err == nil && (changed || hadError):
		d.log.Info("The notification keys were read again", "folder", d.dir, "additionalKey", d.raw.additional != nil)
	}
}

// reload reads the folder and says whether it holds other keys than before.
func (d *KeyDirectory) reload() (changed bool) {
	d.checkedAt = d.clock.Now()
	raw, err := readKeys(d.dir)
	if err != nil {
		d.err = err
		return false
	}
	if d.keyring != nil && raw.equal(d.raw) {
		d.err = nil
		return false
	}
	keyring, err := newKeyring(raw)
	if err != nil {
		d.err = fmt.Errorf("the notification keys in %s cannot be used: %w; make them with, for example, `openssl rand -hex 32`", d.dir, err)
		return false
	}
	d.raw, d.keyring, d.err = raw, keyring, nil
	return true
}

func newKeyring(raw rawKeys) (*Keyring, error) {
	if raw.additional == nil {
		return NewKeyring(raw.signing)
	}
	return NewKeyring(raw.signing, raw.additional)
}

// readKeys reads both files from one state of the folder: Kubernetes replaces them by swapping a link, and a pair of which
// each half comes from another Secret would refuse valid tokens.
func readKeys(dir string) (rawKeys, error) {
	var err error
	for range maxKeyReads {
		var raw rawKeys
		before := currentState(dir)
		raw, err = readKeysOf(before)
		if currentState(dir) == before {
			return raw, err
		}
		err = fmt.Errorf("the notification keys in %s change faster than they can be read", dir)
	}
	return rawKeys{}, err
}

// currentState is the folder that the files are in at this moment.
func currentState(dir string) string {
	target, err := os.Readlink(filepath.Join(dir, dataLink))
	if err != nil {
		return dir // a plain folder
	}
	if filepath.IsAbs(target) {
		return target
	}
	return filepath.Join(dir, target)
}

func readKeysOf(dir string) (rawKeys, error) {
	signing, err := readKey(filepath.Join(dir, SigningKeyFile))
	if err != nil {
		return rawKeys{}, err
	}
	additional, err := readKey(filepath.Join(dir, AdditionalKeyFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return rawKeys{}, err
	}
	return rawKeys{signing: signing, additional: additional}, nil
}

func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read a notification key; is the Secret mounted, and does it have the key %s? %w", filepath.Base(path), err)
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing can be lost
	key, err := io.ReadAll(io.LimitReader(f, maxKeyBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read a notification key: %w", err)
	}
	if len(key) > maxKeyBytes {
		return nil, fmt.Errorf("the notification key %s has more than %d bytes", path, maxKeyBytes)
	}
	return key, nil
}
