// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

const claim = "transcripts"

func volumeJob() Job {
	return Job{
		Namespace: "media", Name: "standup", UID: newUID(), Attempt: 2, ID: "z2jfp1jwu1",
		Transcripts: v1alpha1.TranscriptsSpec{
			Formats:               []v1alpha1.TranscriptFormat{v1alpha1.FormatText},
			PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStore{ClaimName: claim, Directory: ptr.To("meetings/2026")},
		},
	}
}

func openVolume(t testing.TB, dir string) *Volumes {
	t.Helper()
	v, err := OpenVolumes([]Volume{{Claim: claim, Path: dir}}, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// files lists the files below a folder.
func files(t testing.TB, dir string) []string {
	t.Helper()
	found := []string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			relative, _ := filepath.Rel(dir, path)
			found = append(found, relative)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestVolumeKeepsAFile(t *testing.T) {
	dir, job := t.TempDir(), volumeJob()
	text := noise(100_000)
	got := mustKeep(t, openVolume(t, dir), job, v1alpha1.FormatJSONv2, text)
	path := "media/meetings/2026/standup/" + string(job.UID) + "-2/transcript.json"
	want := v1alpha1.StoredTranscript{
		Format: "json-v2", Attempt: 2, JobID: "z2jfp1jwu1",
		PersistentVolumeClaim: &v1alpha1.TranscriptFileReference{ClaimName: claim, Path: path},
		Encoding:              "identity", Parts: 1, Bytes: ptr.To(int64(len(text))), SHA256: sum(text),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{path}, files(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(dir, path))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v, want 0640", info.Mode(), err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(content) != text {
		t.Errorf("the file holds something else; %v", err)
	}
}

func TestVolumeKeepsTranslations(t *testing.T) {
	dir, job := t.TempDir(), volumeJob()
	v := openVolume(t, dir)
	folder := "media/meetings/2026/standup/" + string(job.UID) + "-2/"
	for language, file := range map[string]string{"": "transcript.srt", "de": "transcript.de.srt", "cmn_Hant": "transcript.cmn_Hant.srt"} {
		got, err := keepKey(t, v, job, Key{Format: v1alpha1.FormatSRT, Language: language}, "in "+language)
		if err != nil {
			t.Fatal(err)
		}
		if got.Language != language || got.PersistentVolumeClaim.Path != folder+file || got.SHA256 != sum("in "+language) {
			t.Errorf("stored %+v, %+v, want %s", got, got.PersistentVolumeClaim, file)
		}
	}
	for _, language := range []string{"../../de", "de/de", ".", "de."} {
		if _, err := keepKey(t, v, job, Key{Format: v1alpha1.FormatSRT, Language: language}, "x"); err == nil {
			t.Errorf("the language %q is accepted", language)
		}
	}
	if found := files(t, dir); len(found) != 3 {
		t.Errorf("files %v, want three", found)
	}
}

func TestVolumeDuplicateWritesNothing(t *testing.T) {
	dir, job := t.TempDir(), volumeJob()
	v := openVolume(t, dir)
	first := mustKeep(t, v, job, v1alpha1.FormatText, "one")
	path := filepath.Join(dir, first.PersistentVolumeClaim.Path)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "another"} {
		if diff := cmp.Diff(first, mustKeep(t, v, job, v1alpha1.FormatText, text)); diff != "" {
			t.Errorf("after %q (-first +second):\n%s", text, diff)
		}
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("the file changed; %v", err)
	}
	if found := files(t, dir); len(found) != 1 {
		t.Errorf("files %v, want one", found)
	}
}

func TestVolumeStoresNothingOfABrokenBody(t *testing.T) {
	dir := t.TempDir()
	batch, err := openVolume(t, dir).Begin(t.Context(), volumeJob())
	if err != nil {
		t.Fatal(err)
	}
	stage(t, batch, v1alpha1.FormatText, "whole")
	if err := batch.Stage(t.Context(), Key{Format: v1alpha1.FormatJSONv2}, &brokenReader{noise(100_000)}); !errors.Is(err, errBroken) {
		t.Errorf("Stage() = %v, want the reader's error", err)
	}
	for _, name := range files(t, dir) {
		if !strings.HasPrefix(filepath.Base(name), temporaryPrefix) {
			t.Errorf("%s has its final name before it is committed", name)
		}
	}
	batch.Discard()
	if found := files(t, dir); len(found) != 0 {
		t.Errorf("of a broken body, %v is left", found)
	}
}

// A crash leaves temporary files, and those go when any job is committed later, or when the volume is opened. A file that is being
// written stays.
func TestVolumeRemovesWhatACrashLeft(t *testing.T) {
	for name, later := range map[string]func(*testing.T, *Volumes, string){
		"at the next commit": func(t *testing.T, v *Volumes, _ string) {
			other := volumeJob()
			other.Name, other.UID = "other", newUID()
			mustKeep(t, v, other, v1alpha1.FormatText, "text")
		},
		"when opened": func(t *testing.T, v *Volumes, dir string) {
			again, err := OpenVolumes([]Volume{{claim, dir}}, v.clock)
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			v := openVolume(t, dir)
			now := testingclock.NewFakePassiveClock(time.Now())
			v.clock = now
			crashed, err := v.Begin(t.Context(), volumeJob())
			if err != nil {
				t.Fatal(err)
			}
			stage(t, crashed, v1alpha1.FormatText, "left over")
			later(t, v, dir)
			if left := temporary(t, dir); len(left) != 1 {
				t.Errorf("temporary files %v: one that is being written was removed", left)
			}
			now.SetTime(now.Now().Add(staleAfter + time.Minute))
			later(t, v, dir)
			if left := temporary(t, dir); len(left) != 0 {
				t.Errorf("temporary files %v are left", left)
			}
		})
	}
}

// temporary are the files of a volume that are not complete.
func temporary(t *testing.T, dir string) []string {
	t.Helper()
	return slices.DeleteFunc(files(t, dir), func(name string) bool { return !strings.HasSuffix(name, temporarySuffix) })
}

func TestVolumeRefusesToLeaveItsFolder(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "media")); err != nil {
		t.Fatal(err)
	}
	v := openVolume(t, dir)
	var unavailable *UnavailableError
	if _, err := keep(t, v, volumeJob(), v1alpha1.FormatText, "text"); !errors.As(err, &unavailable) {
		t.Errorf("a link out of the volume is followed: %v", err)
	}
	for _, directory := range []string{"..", "../other", "a/../../other", "/etc", "a//b", "a/", ".hidden", "a/.b", ""} {
		job := volumeJob()
		job.Transcripts.PersistentVolumeClaim.Directory = ptr.To(directory)
		if _, err := v.Begin(t.Context(), job); err == nil {
			t.Errorf("the directory %q is accepted by Begin", directory)
		}
		if err := v.Check(t.Context(), job); err == nil {
			t.Errorf("the directory %q is accepted by Check", directory)
		}
	}
	for _, name := range []string{"..", ".", "", "a/b"} {
		job := volumeJob()
		job.Name = name
		if _, err := v.Begin(t.Context(), job); name != "a/b" && err == nil {
			t.Errorf("the name %q is accepted", name)
		}
	}
	if found := files(t, outside); len(found) != 0 {
		t.Errorf("outside the volume there is %v", found)
	}
}

// Who may write to the volume puts links there that lead to another namespace's folder: in the place of his own, and within it. Neither is
// followed, to write or to read.
func TestVolumeRefusesToEnterAnothersFolder(t *testing.T) {
	for name, link := range map[string]string{
		"the namespace's folder":     "media",
		"a folder of spec.directory": "media/meetings",
		"the job's folder":           "media/meetings/2026/standup",
		"the attempt's folder":       "media/meetings/2026/standup/UID-2",
		"the transcript":             "media/meetings/2026/standup/UID-2/transcript.txt",
	} {
		t.Run(name, func(t *testing.T) {
			dir, job := t.TempDir(), volumeJob()
			victim := filepath.Join(dir, "victim")
			link := filepath.Join(dir, strings.ReplaceAll(link, "UID", string(job.UID)))
			if err := errors.Join(os.MkdirAll(victim, 0o750), os.MkdirAll(filepath.Dir(link), 0o750)); err != nil {
				t.Fatal(err)
			}
			target := victim
			if strings.HasSuffix(link, ".txt") {
				target = filepath.Join(victim, "transcript.txt")
				if err := os.WriteFile(target, []byte("the victim's"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			relative, err := filepath.Rel(filepath.Dir(link), target)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(relative, link); err != nil {
				t.Fatal(err)
			}
			before := files(t, victim)
			var unavailable *UnavailableError
			v := openVolume(t, dir)
			if stored, err := keep(t, v, job, v1alpha1.FormatText, "the thief's"); !errors.As(err, &unavailable) {
				t.Errorf("a link to another namespace's folder is followed: %+v, %v", stored, err)
			}
			if diff := cmp.Diff(before, files(t, victim)); diff != "" {
				t.Errorf("the other namespace's folder (-before +after):\n%s", diff)
			}
			if err := v.Check(t.Context(), job); filepath.Base(link) == "media" && (!errors.As(err, &unavailable) || !strings.Contains(err.Error(), "media is there and is not a folder; remove it")) {
				t.Errorf("Check() = %v", err)
			}
		})
	}
}

func TestVolumeNotMounted(t *testing.T) {
	v := openVolume(t, t.TempDir())
	job := volumeJob()
	job.Transcripts.PersistentVolumeClaim.ClaimName = "other"
	var notMounted *NotMountedError
	if _, err := v.Begin(t.Context(), job); !errors.As(err, &notMounted) || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("Begin() = %v", err)
	}
	if err := v.Check(t.Context(), job); !errors.As(err, &notMounted) {
		t.Errorf("Check() = %v", err)
	}
	if err := v.Check(t.Context(), volumeJob()); err != nil {
		t.Errorf("Check() of a mounted claim = %v", err)
	}
}

func TestOpenVolumesRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenVolumes([]Volume{{claim, dir}, {claim, dir}}, clock.RealClock{}); err == nil {
		t.Error("the same claim twice is accepted")
	}
	if _, err := OpenVolumes([]Volume{{"other", dir}, {claim, filepath.Join(dir, "missing")}}, clock.RealClock{}); err == nil {
		t.Error("a folder that is not there is accepted")
	}
}

// failingFile is a file on a disk that is broken in one way.
type failingFile struct {
	file
	write, sync error
}

func (f *failingFile) Write(p []byte) (int, error) {
	if f.write != nil {
		return 0, f.write
	}
	return f.file.Write(p)
}

func (f *failingFile) Sync() error { return errors.Join(f.sync, f.file.Sync()) }

func TestVolumeThatIsBroken(t *testing.T) {
	for name, broken := range map[string]func(*Volumes){
		"full": func(v *Volumes) {
			v.create = func(root *os.Root, name string) (file, error) {
				f, err := createFile(root, name)
				return &failingFile{file: f, write: syscall.ENOSPC}, err
			}
		},
		"not syncing": func(v *Volumes) {
			v.create = func(root *os.Root, name string) (file, error) {
				f, err := createFile(root, name)
				return &failingFile{file: f, sync: syscall.EIO}, err
			}
		},
		"read-only": func(v *Volumes) {
			v.create = func(*os.Root, string) (file, error) { return nil, syscall.EROFS }
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			v := openVolume(t, dir)
			broken(v)
			var unavailable *UnavailableError
			if _, err := keep(t, v, volumeJob(), v1alpha1.FormatText, "text"); !errors.As(err, &unavailable) || !strings.Contains(err.Error(), claim) {
				t.Errorf("Stage() = %v", err)
			}
			if err := v.Check(t.Context(), volumeJob()); !errors.As(err, &unavailable) {
				t.Errorf("Check() = %v", err)
			}
			if found := files(t, dir); len(found) != 0 {
				t.Errorf("on the broken volume, %v is left", found)
			}
		})
	}
}

// Streaming to a volume allocates the same for a small and for a large transcript.
func BenchmarkVolumeStage(b *testing.B) {
	for name, size := range map[string]int64{"64KiB": 64 << 10, "64MiB": 64 << 20} {
		b.Run(name, func(b *testing.B) {
			v := openVolume(b, b.TempDir())
			block := bytes.Repeat([]byte("a transcript "), 4096)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				batch, err := v.Begin(b.Context(), volumeJob())
				if err != nil {
					b.Fatal(err)
				}
				if err := batch.Stage(b.Context(), Key{Format: v1alpha1.FormatText}, io.LimitReader(&repeatingReader{block: block}, size)); err != nil {
					b.Fatal(err)
				}
				batch.Discard()
			}
		})
	}
}

// repeatingReader gives a block again and again.
type repeatingReader struct {
	block []byte
	at    int
}

func (r *repeatingReader) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// Two writers that meet at one name: neither takes the place of the other, and both record what is there.
func TestVolumeWritersAtOnce(t *testing.T) {
	for range 50 {
		dir := t.TempDir()
		volumes, err := OpenVolumes([]Volume{{Claim: "transcripts", Path: dir}}, clock.RealClock{})
		if err != nil {
			t.Fatal(err)
		}
		job := Job{
			Namespace: "a", Name: "b", UID: "11111111-1111-4111-8111-111111111111", Attempt: 1, ID: "x",
			Transcripts: v1alpha1.TranscriptsSpec{PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStore{ClaimName: "transcripts"}},
		}
		var wg sync.WaitGroup
		sums := make([]string, 2)
		for i := range sums {
			wg.Go(func() {
				sums[i] = mustKeep(t, volumes, job, v1alpha1.FormatText, strings.Repeat("words ", i+1)).SHA256
			})
		}
		wg.Wait()
		content, err := os.ReadFile(filepath.Join(dir, "a", "b", string(job.UID)+"-1", "transcript.txt"))
		if err != nil {
			t.Fatal(err)
		}
		if sums[0] != sums[1] || sums[0] != sum(string(content)) {
			t.Fatalf("recorded %v, the file is %s", sums, sum(string(content)))
		}
		if err := volumes.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A file is durable only with its name: before Commit returns, the file, its folder and every folder above that may be new are synced;
// and if one cannot be, nothing is reported as stored.
func TestVolumeIsDurable(t *testing.T) {
	mounted := t.TempDir()
	volumes, err := OpenVolumes([]Volume{{Claim: "transcripts", Path: mounted}}, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := volumes.Close(); err != nil {
			t.Error(err)
		}
	})
	job := Job{
		Namespace: "a", Name: "b", UID: "11111111-1111-4111-8111-111111111111", Attempt: 1, ID: "x",
		Transcripts: v1alpha1.TranscriptsSpec{PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStore{ClaimName: "transcripts"}},
	}
	var steps []string
	volumes.create = func(root *os.Root, name string) (file, error) {
		f, err := createFile(root, name)
		return &recordingFile{file: f, synced: func() { steps = append(steps, "file") }}, err
	}
	volumes.syncFolder = func(root *os.Root, dir string) error {
		if _, err := os.Stat(filepath.Join(mounted, "a", "b", string(job.UID)+"-1", "transcript.txt")); err != nil {
			t.Errorf("%s is synced before the file has its name", dir)
		}
		folder, err := filepath.Rel(mounted, filepath.Join(root.Name(), dir))
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, folder)
		return syncDirectory(root, dir)
	}
	mustKeep(t, volumes, job, v1alpha1.FormatText, "words")
	want := []string{"file", "a/b/" + string(job.UID) + "-1", "a/b", "a", "."}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("synced (-want +got):\n%s", diff)
	}

	volumes.syncFolder = func(*os.Root, string) error { return syscall.EIO }
	job.Attempt = 2
	var unavailable *UnavailableError
	if _, err := keep(t, volumes, job, v1alpha1.FormatText, "words"); !errors.As(err, &unavailable) {
		t.Errorf("a folder that cannot be synced: %v, want an unavailable store", err)
	}
}

// recordingFile tells when it is synced.
type recordingFile struct {
	file
	synced func()
}

func (f *recordingFile) Sync() error {
	f.synced()
	return f.file.Sync()
}
