// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

func onVolume(directory string) func(*v1alpha1.TranscriptionJobSpec) {
	return func(s *v1alpha1.TranscriptionJobSpec) {
		s.Transcripts.PersistentVolumeClaim = &v1alpha1.PersistentVolumeClaimStore{ClaimName: harness.VolumeClaim}
		if directory != "" {
			s.Transcripts.PersistentVolumeClaim.Directory = &directory
		}
	}
}

// TestOutsideTheFolder has jobs write elsewhere than into the namespace's folder on the volume: by a directory that climbs, which the API
// server refuses; by a claim that the receiver does not mount; and by links that somebody with access to the volume has put there.
func TestOutsideTheFolder(t *testing.T) {
	t.Parallel()
	for _, directory := range []string{"..", "../" + victim, "a/../../" + victim, "/" + victim, "a//b", "a/", ".", "./a", ".hidden", `..\` + victim, "a\x00b", "a\nb", "%2e%2e", strings.Repeat("a/", 128)} {
		if err := town.mallory.Create(t.Context(), newJob("climbs", onVolume(directory))); !apierrors.IsInvalid(err) {
			t.Errorf("the directory %q: %v", directory, err)
		}
	}
	for _, claim := range []string{"../" + harness.VolumeClaim, "a/b", "..", ""} {
		job := newJob("claims", onVolume(""), func(s *v1alpha1.TranscriptionJobSpec) { s.Transcripts.PersistentVolumeClaim.ClaimName = claim })
		if err := town.mallory.Create(t.Context(), job); !apierrors.IsInvalid(err) {
			t.Errorf("the claim %q: %v", claim, err)
		}
	}
	other := newJob("not-mounted", func(s *v1alpha1.TranscriptionJobSpec) {
		s.Transcripts.PersistentVolumeClaim = &v1alpha1.PersistentVolumeClaimStore{ClaimName: "etc"}
	})
	create(t, town.mallory, other)
	if message := awaitReason(t, other, v1alpha1.ReasonVolumeNotMounted); !strings.Contains(message, `"etc"`) {
		t.Errorf("the message does not name the claim: %s", message)
	}
	wantNothingBought(t, other)

	theirs := jobIn(victim, "on-volume", onVolume(""))
	create(t, town.admin, theirs)
	awaitReason(t, theirs, v1alpha1.ReasonComplete)
	before := filesIn(t, victim)
	if err := os.Symlink(victim, filepath.Join(town.Volume, thief)); err != nil {
		t.Fatal(err)
	}
	linked := newJob("on-volume", onVolume(""))
	create(t, town.mallory, linked)
	if message := awaitReason(t, linked, v1alpha1.ReasonStoreUnavailable); !strings.Contains(message, thief+" is there and is not a folder; remove it") {
		t.Errorf("the message does not say what to do: %s", message)
	}
	wantNothingBought(t, linked)
	if after := filesIn(t, victim); after != before {
		t.Errorf("the victim's folder had\n%s\nand has\n%s", before, after)
	}

	// Without the link it goes on by itself, in its own folder.
	if err := os.Remove(filepath.Join(town.Volume, thief)); err != nil {
		t.Fatal(err)
	}
	awaitReason(t, linked, v1alpha1.ReasonComplete)
	path := ptr.Deref(linked.Status.Transcripts[0].PersistentVolumeClaim, v1alpha1.TranscriptFileReference{}).Path
	if _, err := os.Stat(filepath.Join(town.Volume, path)); err != nil || !strings.HasPrefix(path, thief+"/on-volume/"+string(linked.UID)+"-1/") {
		t.Errorf("the transcript is at %s, %v", path, err)
	}
}

// filesIn lists the files of a folder of the volume.
func filesIn(t *testing.T, folder string) string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(filepath.Join(town.Volume, folder), func(path string, _ os.DirEntry, err error) error {
		found = append(found, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(found, "\n")
}
