// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"k8s.io/utils/clock"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
)

const (
	// incomingFolder has the files of a namespace that are not complete, so that what a crash leaves is found without looking through
	// the whole volume. No namespace and no folder of a job has such a name. The volume itself has one for probes.
	incomingFolder = ".incoming"
	// temporaryPrefix and temporarySuffix enclose the names of files that are not complete.
	temporaryPrefix = ".incoming-"
	temporarySuffix = ".tmp"

	// probePrefix is what the names of files begin with that only try whether the volume can be written.
	probePrefix = ".probe-"

	// staleAfter is how long a temporary file must not have changed before it counts as left over from a crash. A file that
	// is being received changes all the time, and is committed soon after; an hour also bears another replica's clock.
	staleAfter = time.Hour

	// directoryMode and fileMode let the group read, so that other pods with the volume's fsGroup can.
	directoryMode = 0o750
	fileMode      = 0o640
	// temporaryMode is the mode of a file that is not complete: nobody else is to read it.
	temporaryMode = 0o600
)

// directoryPattern is the pattern of spec.transcripts.persistentVolumeClaim.directory. No element begins with a dot, so no path
// climbs out of the namespace's folder.
var directoryPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`)

// Volume is a mounted PersistentVolumeClaim.
type Volume struct {
	// Claim is its name.
	Claim string
	// Path is the folder that it is mounted at.
	Path string
}

// Volumes keeps transcripts as files on volumes: <namespace>/[<directory>/]<name>/<uid>-<attempt>/transcript.[<language>.]{txt,srt,vtt,json}.
// Paths cannot leave the namespace's folder, whatever symbolic links are on the volume.
type Volumes struct {
	roots map[string]*os.Root
	clock clock.PassiveClock

	// create makes a new file; tests replace it to have a disk that is full.
	create func(root *os.Root, name string) (file, error)
	// syncFolder makes the entries of a folder durable; tests replace it to see which, and to have a disk that fails.
	syncFolder func(root *os.Root, dir string) error
	// named is told of each name that a file has got.
	named func(root *os.Root, name string)
}

var _ Store = (*Volumes)(nil)

// file is what is needed of a file that is written.
type file interface {
	io.WriteCloser
	Chmod(mode fs.FileMode) error
	Sync() error
}

// OpenVolumes opens the folders that the volumes are mounted at, and removes what a crash has left there. Close closes them again.
func OpenVolumes(volumes []Volume, clk clock.PassiveClock) (*Volumes, error) {
	v := &Volumes{roots: map[string]*os.Root{}, clock: clk, create: createFile, syncFolder: syncDirectory, named: func(*os.Root, string) {}}
	awaitPowerLoss(v)
	for _, volume := range volumes {
		if v.roots[volume.Claim] != nil {
			return nil, errors.Join(fmt.Errorf("the volume %s is given twice", volume.Claim), v.Close())
		}
		root, err := os.OpenRoot(volume.Path)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("cannot open the folder that the volume %s is mounted at: %w", volume.Claim, err), v.Close())
		}
		v.roots[volume.Claim] = root
		v.removeAllStale(root)
	}
	return v, nil
}

// Close closes the folders. Batches that are not ended fail.
func (v *Volumes) Close() error {
	var all []error
	for _, root := range v.roots {
		all = append(all, root.Close())
	}
	return errors.Join(all...)
}

// Claims are the names of the claims, sorted.
func (v *Volumes) Claims() []string {
	claims := make([]string, 0, len(v.roots))
	for claim := range v.roots {
		claims = append(claims, claim)
	}
	slices.Sort(claims)
	return claims
}

// Probe says whether a file can be written durably on the claim.
func (v *Volumes) Probe(claim string) error {
	root, err := v.root(claim)
	if err != nil {
		return err
	}
	if err := v.writeAndRemove(root, probePrefix); err != nil {
		return unavailable(claim, err)
	}
	return nil
}

func (v *Volumes) writeAndRemove(root *os.Root, prefix string) error {
	f, name, err := v.createTemporary(root, prefix)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte("transcription-operator tries whether it can write here\n"))
	return errors.Join(err, f.Sync(), f.Close(), root.Remove(name))
}

// createTemporary makes a new file among those of a folder that are not complete.
func (v *Volumes) createTemporary(root *os.Root, prefix string) (f file, name string, err error) {
	if err := root.MkdirAll(incomingFolder, directoryMode); err != nil {
		return nil, "", err
	}
	name = path.Join(incomingFolder, prefix+randomName()+temporarySuffix)
	f, err = v.create(root, name)
	return f, name, err
}

// Check implements Store: the claim must be mounted and writable.
func (v *Volumes) Check(_ context.Context, job Job) error {
	if _, err := jobDirectory(job); err != nil {
		return err
	}
	claim := job.Transcripts.PersistentVolumeClaim.ClaimName
	root, err := v.root(claim)
	if err != nil {
		return err
	}
	if _, err := namespaceEntry(root, job.Namespace); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unavailable(claim, err)
	}
	return v.Probe(claim)
}

// Begin implements Store.
func (v *Volumes) Begin(_ context.Context, job Job) (Batch, error) {
	claim := job.Transcripts.PersistentVolumeClaim.ClaimName
	root, err := v.root(claim)
	if err != nil {
		return nil, err
	}
	dir, err := jobDirectory(job)
	if err != nil {
		return nil, err
	}
	return &volumeBatch{store: v, root: root, claim: claim, dir: dir, job: job}, nil
}

func (v *Volumes) root(claim string) (*os.Root, error) {
	root := v.roots[claim]
	if root == nil {
		return nil, &NotMountedError{Claim: claim}
	}
	return root, nil
}

// openNamespace opens the folder of a namespace, and makes it if it is not there. What is opened in it cannot leave it: who may write to
// the volume may have put symbolic links there, and another namespace's folder is no place for a job's transcripts.
func openNamespace(root *os.Root, namespace string) (*os.Root, error) {
	if err := root.MkdirAll(namespace, directoryMode); err != nil {
		return nil, err
	}
	folder, err := root.OpenRoot(namespace)
	if err != nil {
		return nil, err
	}
	entry, err := namespaceEntry(root, namespace)
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	opened, err := folder.Stat(".")
	if err == nil && !os.SameFile(entry, opened) {
		err = fmt.Errorf("%s was replaced at this moment", namespace)
	}
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	return folder, nil
}

// namespaceEntry is the entry of a namespace's folder. It must be a folder itself, and no link to one.
func namespaceEntry(root *os.Root, namespace string) (fs.FileInfo, error) {
	entry, err := root.Lstat(namespace)
	if err != nil {
		return nil, err
	}
	if !entry.IsDir() {
		return nil, fmt.Errorf("%s is there and is not a folder; remove it", namespace)
	}
	return entry, nil
}

// jobDirectory is the folder of a job's transcripts within the namespace's folder, with slashes. All of its elements were validated
// before, the directory by the API server; they are validated again, since a mistake would let one tenant write into
// another's folder.
func jobDirectory(job Job) (string, error) {
	elements := []string{job.Namespace}
	if directory := job.Transcripts.PersistentVolumeClaim.Directory; directory != nil {
		if !directoryPattern.MatchString(*directory) {
			return "", fmt.Errorf("spec.transcripts.persistentVolumeClaim.directory of %s is not a path without dots at its elements' beginnings", job)
		}
		elements = append(elements, *directory)
	}
	elements = append(elements, job.Name, fmt.Sprintf("%s-%d", job.UID, job.Attempt))
	dir := strings.Join(elements, "/")
	if path.Clean(dir) != dir || !fs.ValidPath(dir) {
		return "", fmt.Errorf("the path of the transcripts of %s is not a plain one", job)
	}
	_, dir, _ = strings.Cut(dir, "/")
	return dir, nil
}

type volumeBatch struct {
	store *Volumes
	root  *os.Root
	claim string
	// folder is the namespace's, once something is staged; dir is the job's folder in it.
	folder *os.Root
	dir    string
	job    Job
	staged []stagedFile
}

// stagedFile is a complete temporary file.
type stagedFile struct {
	key       Key
	temporary string
	bytes     int64
	sha256    string
}

// Stage implements Batch. It streams to a temporary file on the same volume; memory does not grow with the size.
func (b *volumeBatch) Stage(_ context.Context, key Key, r io.Reader) error {
	if err := key.check(); err != nil {
		return err
	}
	if err := b.open(); err != nil {
		return unavailable(b.claim, err)
	}
	f, name, err := b.store.createTemporary(b.folder, temporaryPrefix+fileName(key)+"-")
	if err != nil {
		return unavailable(b.claim, err)
	}
	crashpoint.At(crashpoint.FileCreated)
	content := &meter{hash: sha256.New()}
	if err := b.fill(f, content, r); err != nil {
		// One that cannot be removed is left to removeStale.
		_ = b.folder.Remove(name)
		return err
	}
	b.staged = append(b.staged, stagedFile{key: key, temporary: name, bytes: content.n, sha256: content.sum()})
	return nil
}

// open opens the namespace's folder.
func (b *volumeBatch) open() (err error) {
	if b.folder == nil {
		b.folder, err = openNamespace(b.root, b.job.Namespace)
	}
	return err
}

// fill writes a temporary file, so that it is on the disk when it gets its final name: afterwards would be too late, since a crash
// could leave an empty file of that name.
func (b *volumeBatch) fill(f file, content *meter, r io.Reader) error {
	source := &sourceReader{r: r}
	_, err := io.Copy(io.MultiWriter(f, content), source)
	if source.err != nil {
		return errors.Join(source.err, f.Close())
	}
	crashpoint.At(crashpoint.FileWritten)
	if err := errors.Join(err, f.Chmod(fileMode), f.Sync(), f.Close()); err != nil {
		return unavailable(b.claim, err)
	}
	crashpoint.At(crashpoint.FileSynced)
	return nil
}

// Commit implements Batch.
func (b *volumeBatch) Commit(context.Context) ([]v1alpha1.StoredTranscript, error) {
	if len(b.staged) == 0 {
		return nil, nil
	}
	if err := b.folder.MkdirAll(b.dir, directoryMode); err != nil {
		return nil, unavailable(b.claim, err)
	}
	all := make([]v1alpha1.StoredTranscript, 0, len(b.staged))
	for _, staged := range b.staged {
		stored, err := b.place(staged)
		if err != nil {
			return nil, unavailable(b.claim, err)
		}
		all = append(all, *stored)
		crashpoint.At(crashpoint.FileNamed)
	}
	if err := errors.Join(b.store.syncPath(b.folder, b.dir), b.store.syncFolder(b.root, ".")); err != nil {
		return nil, unavailable(b.claim, err)
	}
	crashpoint.At(crashpoint.FolderSynced)
	b.store.removeStale(b.folder)
	return all, nil
}

// place gives a staged file its final name, unless a transcript of that name is there.
func (b *volumeBatch) place(staged stagedFile) (*v1alpha1.StoredTranscript, error) {
	final := path.Join(b.dir, fileName(staged.key))
	size, sum, err := b.existing(final)
	switch {
	case err == nil:
		return b.describe(staged.key, final, size, sum), nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	// A link, unlike a rename, never takes the place of a file: of two writers at the same moment, one finds the other's.
	switch err := b.folder.Link(staged.temporary, final); {
	case errors.Is(err, fs.ErrExist):
		size, sum, err := b.existing(final)
		if err != nil {
			return nil, err
		}
		return b.describe(staged.key, final, size, sum), nil
	case errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS):
		// A file system without hard links.
		if err := b.folder.Rename(staged.temporary, final); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	b.store.named(b.folder, final)
	return b.describe(staged.key, final, staged.bytes, staged.sha256), nil
}

// existing reads a transcript that is there. It is a whole one, since it got its name only when it was.
func (b *volumeBatch) existing(name string) (size int64, sum string, err error) {
	info, err := b.folder.Stat(name)
	if err != nil {
		return 0, "", err
	}
	if !info.Mode().IsRegular() {
		return 0, "", fmt.Errorf("%s is there and is not a file; remove it", name)
	}
	f, err := b.folder.Open(name)
	if err != nil {
		return 0, "", err
	}
	content := &meter{hash: sha256.New()}
	_, err = io.Copy(content, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, "", err
	}
	return content.n, content.sum(), nil
}

func (b *volumeBatch) describe(key Key, name string, size int64, sum string) *v1alpha1.StoredTranscript {
	return &v1alpha1.StoredTranscript{
		Format:                key.Format,
		Language:              key.Language,
		Attempt:               b.job.Attempt,
		JobID:                 b.job.ID,
		PersistentVolumeClaim: &v1alpha1.TranscriptFileReference{ClaimName: b.claim, Path: path.Join(b.job.Namespace, name)},
		Encoding:              v1alpha1.EncodingIdentity,
		Parts:                 1,
		Bytes:                 &size,
		SHA256:                sum,
	}
}

// Discard implements Batch.
func (b *volumeBatch) Discard() {
	for _, staged := range b.staged {
		// One that cannot be removed is left to removeStale.
		_ = b.folder.Remove(staged.temporary)
	}
	b.staged = nil
	if b.folder != nil {
		_ = b.folder.Close() // nothing was written through it
		b.folder = nil
	}
}

// removeAllStale is removeStale for a volume and all of its namespaces' folders.
func (v *Volumes) removeAllStale(root *os.Root) {
	v.removeStale(root)
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if folder, err := root.OpenRoot(entry.Name()); err == nil {
			v.removeStale(folder)
			_ = folder.Close() // nothing was written through it
		}
	}
}

// removeStale removes what crashes have left of a folder's incoming files. It is a courtesy: if it fails, the transcripts are there all the
// same.
func (v *Volumes) removeStale(root *os.Root) {
	entries, err := fs.ReadDir(root.FS(), incomingFolder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), temporarySuffix) {
			continue
		}
		info, err := entry.Info()
		if err == nil && v.clock.Since(info.ModTime()) > staleAfter {
			_ = root.Remove(path.Join(incomingFolder, entry.Name()))
		}
	}
}

// syncPath makes the entries of a folder durable, and those of all folders above it: another request may have made one of
// them a moment ago and not have synced it yet.
func (v *Volumes) syncPath(root *os.Root, dir string) error {
	for ; ; dir = path.Dir(dir) {
		if err := v.syncFolder(root, dir); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

func syncDirectory(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func createFile(root *os.Root, name string) (file, error) {
	return root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, temporaryMode)
}

func randomName() string {
	var random [8]byte
	// crypto/rand.Read never returns an error.
	_, _ = rand.Read(random[:])
	return hex.EncodeToString(random[:])
}

func unavailable(claim string, err error) error {
	return &UnavailableError{Store: "the PersistentVolumeClaim " + claim, Err: err}
}

// sourceReader remembers an error of what is read, to tell it from one of what is written.
type sourceReader struct {
	r   io.Reader
	err error
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
