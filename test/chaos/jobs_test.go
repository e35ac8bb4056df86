// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// job is a TranscriptionJob that a run has created.
type job struct {
	name string
	uid  types.UID
	spec v1alpha1.TranscriptionJobSpec
	// word is spoken in its recording and in no other's.
	word string
	// deleted means that the run has deleted it, kept that the provider may have the only transcript of it.
	deleted, kept bool
	// erased means that its finalizer was removed by hand, so that it must not be deleted at once.
	erased bool
	// abandoned means that it was deleted in a way in which one try to clean up is all that there is; what is left is to be reported.
	abandoned bool
	// collected means that what it had stored was deleted after it, as the garbage collector would.
	collected bool
}

// jobOption changes a job before it is created.
type jobOption func(*v1alpha1.TranscriptionJob)

// create creates jobs of all kinds: media by URL and by upload, transcripts in ConfigMaps and on the volume, in several formats.
func (r *run) create(n int, options ...jobOption) []*job {
	r.Helper()
	created := make([]*job, 0, n)
	for range n {
		created = append(created, r.createOne(options...))
	}
	return created
}

func (r *run) createOne(options ...jobOption) *job {
	r.Helper()
	r.mu.Lock()
	index := r.made
	r.made++
	r.mu.Unlock()
	j := &job{name: fmt.Sprintf("job-%d", index), word: "w" + letters(index)}
	object := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.system.Namespace, Name: j.name},
		Spec: v1alpha1.TranscriptionJobSpec{
			Media:                r.media(j),
			Transcription:        v1alpha1.TranscriptionConfig{Language: "en"},
			Transcripts:          r.transcripts(),
			RemoteDeletionPolicy: pick(r, v1alpha1.RemoteDeletionOnDeletion, v1alpha1.RemoteDeletionAfterStored),
		},
	}
	for _, option := range options {
		option(object)
	}
	r.must(cluster.Client.Create(r.ctx, object))
	j.uid, j.spec = object.UID, object.Spec
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = append(r.jobs, j)
	return j
}

// media makes a recording, to be fetched or to be uploaded.
func (r *run) media(j *job) v1alpha1.MediaSource {
	r.Helper()
	recording, words := j.name+".wav", fmt.Sprintf("This is the recording %s and nothing else. It says %s once more.\n", j.word, j.word)
	r.must(os.WriteFile(filepath.Join(r.system.Media, j.name+".txt"), []byte(words), 0o600))
	if r.random.IntN(2) == 0 {
		r.must(os.WriteFile(filepath.Join(r.system.Media, recording), silence(), 0o600))
		return v1alpha1.MediaSource{URL: ptr.To(r.system.MediaURL(recording))}
	}
	r.must(cluster.Client.Create(r.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.system.Namespace, Name: "media-of-" + j.name},
		BinaryData: map[string][]byte{recording: silence()},
	}))
	return v1alpha1.MediaSource{ConfigMap: &v1alpha1.ObjectKeyReference{Name: "media-of-" + j.name, Key: recording}}
}

// transcripts chooses formats and a store.
func (r *run) transcripts() v1alpha1.TranscriptsSpec {
	spec := v1alpha1.TranscriptsSpec{Formats: pick(r,
		[]v1alpha1.TranscriptFormat{v1alpha1.FormatText},
		[]v1alpha1.TranscriptFormat{v1alpha1.FormatText, v1alpha1.FormatSRT},
		[]v1alpha1.TranscriptFormat{v1alpha1.FormatJSONv2, v1alpha1.FormatText, v1alpha1.FormatVTT},
	)}
	if r.random.IntN(2) == 0 {
		spec.PersistentVolumeClaim = &v1alpha1.PersistentVolumeClaimStore{ClaimName: harness.VolumeClaim}
	}
	return spec
}

// pick chooses one of several.
func pick[T any](r *run, choices ...T) T { return choices[r.random.IntN(len(choices))] }

// letters writes a number in letters, since digits become numbers' words in a transcript.
func letters(n int) string {
	text := []byte{}
	for ; n > 0 || len(text) == 0; n /= 10 {
		text = append(text, "bcdfghjkmn"[n%10])
	}
	return string(text) + "x" // so that none is the beginning of another
}

// silence is a recording of a fifth of a second.
func silence() []byte {
	const rate = 8000
	samples := bytes.Repeat([]byte{0x80}, rate/5)
	var wav bytes.Buffer
	wav.WriteString("RIFF")
	write := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&wav, binary.LittleEndian, v) // to memory
		}
	}
	write(uint32(36 + len(samples)))
	wav.WriteString("WAVEfmt ")
	write(uint32(16), uint16(1), uint16(1), uint32(rate), uint32(rate), uint16(1), uint16(8))
	wav.WriteString("data")
	write(uint32(len(samples)))
	wav.Write(samples)
	return wav.Bytes()
}
