// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"
)

func TestScratch(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenScratch(dir, 100, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"once ", "and ", "again"} {
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if got, err := io.ReadAll(f.Content()); err != nil || string(got) != "once and again" || f.Size() != int64(len(got)) {
			t.Errorf("read %q, %v", got, err)
		}
	}
	// A crash at this moment would leave nothing.
	if found := files(t, dir); len(found) != 0 {
		t.Errorf("the file has a name: %v", found)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var unavailable *UnavailableError
	if _, err := f.Write([]byte("x")); !errors.As(err, &unavailable) {
		t.Errorf("writing to a closed file: %v", err)
	}
	if used := s.used.Load(); used != 0 {
		t.Errorf("%d bytes are in use after the end", used)
	}
}

// The limit is for all files together, and what is closed makes room again.
func TestScratchLimit(t *testing.T) {
	s, err := OpenScratch(t.TempDir(), 100, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	one, two := scratchFile(t, s), scratchFile(t, s)
	if _, err := io.WriteString(one, strings.Repeat("x", 60)); err != nil {
		t.Fatal(err)
	}
	var unavailable *UnavailableError
	if n, err := io.WriteString(two, strings.Repeat("x", 41)); n != 0 || !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "--scratch-max-bytes") {
		t.Errorf("beyond the limit: %d, %v", n, err)
	}
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(two, strings.Repeat("x", 100)); err != nil {
		t.Errorf("there is room again, and still: %v", err)
	}
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}

	var all sync.WaitGroup
	for range 8 {
		f := scratchFile(t, s)
		all.Go(func() {
			for range 100 {
				_, _ = f.Write([]byte("x"))
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if used := s.used.Load(); used != 0 {
		t.Errorf("%d bytes are in use after the end", used)
	}
}

// A half leaves the rest of the room to others, and has none when the whole has none.
func TestScratchHalf(t *testing.T) {
	s, err := OpenScratch(t.TempDir(), 100, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	half := s.Half()
	whole, part := scratchFile(t, s), scratchFile(t, half)
	write := func(f *ScratchFile, n int, fits bool) {
		t.Helper()
		if _, err := io.WriteString(f, strings.Repeat("x", n)); (err == nil) != fits {
			t.Errorf("%d bytes more, with %d in use, %d of them the half's: %v", n, s.Used(), half.Used(), err)
		}
	}
	var tooLarge *TooLargeError
	if _, err := io.WriteString(part, strings.Repeat("x", 51)); !errors.As(err, &tooLarge) {
		t.Errorf("a file larger than the half: %v", err)
	}
	write(part, 50, true)
	write(whole, 51, false)
	write(whole, 50, true)
	for _, f := range []*ScratchFile{part, whole} {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	whole, part = scratchFile(t, s), scratchFile(t, half)
	write(whole, 60, true)
	write(part, 41, false)
	write(part, 40, true)
	for _, f := range []*ScratchFile{part, whole} {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if s.Used() != 0 || half.Used() != 0 {
		t.Errorf("%d and %d bytes are in use after the end", s.Used(), half.Used())
	}
}

func scratchFile(t *testing.T, s *Scratch) *ScratchFile {
	t.Helper()
	f, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestScratchThatIsNotThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	var unavailable *UnavailableError
	if _, err := OpenScratch(dir, 100, clock.RealClock{}); !errors.As(err, &unavailable) || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), dir) {
		t.Errorf("OpenScratch() = %v", err)
	}
}

// A transcript for ConfigMaps that does not fit into the scratch folder may fit when others are through.
func TestConfigMapOfAFullScratchFolder(t *testing.T) {
	scratch, err := OpenScratch(t.TempDir(), 200_000, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	other := scratchFile(t, scratch)
	if _, err := io.WriteString(other, noise(160_000)); err != nil {
		t.Fatal(err)
	}
	var unavailable *UnavailableError
	if _, err := keep(t, NewConfigMaps(env.Client, scratch, 1<<20), configMapJob(t), "txt", noise(100_000)); !errors.As(err, &unavailable) {
		t.Errorf("Stage() = %v", err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if used := scratch.used.Load(); used != 0 {
		t.Errorf("%d bytes are in use after the end", used)
	}
}

// A crash can leave an empty file with a name, which goes later. A new one stays, and so does what is not a scratch file.
func TestScratchRemovesWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-2 * staleAfter)
	for name, when := range map[string]time.Time{"transcript-1": old, "transcript-2": time.Now(), "other": old} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chtimes(file, when, when)); err != nil {
			t.Fatal(err)
		}
	}
	full := filepath.Join(dir, "transcript-3")
	if err := errors.Join(os.WriteFile(full, []byte("somebody's"), 0o600), os.Chtimes(full, old, old)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenScratch(dir, 100, clock.RealClock{}); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, name := range files(t, dir) {
		left = append(left, filepath.Base(name))
	}
	slices.Sort(left)
	if diff := cmp.Diff([]string{"other", "transcript-2", "transcript-3"}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}
