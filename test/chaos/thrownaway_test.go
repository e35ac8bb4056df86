// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"io/fs"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// checkThrownAway: nobody has deleted at the provider a job that he knew to be done, unless its object's transcripts are stored. It is checked
// when all objects are gone, so that it holds for their deletion as well; there is no garbage collector here that would take away what they had
// stored.
func (r *run) checkThrownAway() {
	r.Helper()
	f := r.gather()
	stored := r.storedFormats()
	jobs := map[types.UID]*job{}
	for _, j := range r.jobs {
		jobs[j.uid] = j
	}
	for of, entries := range f.byAttempt() {
		j := jobs[of.uid]
		if j == nil || j.collected {
			continue
		}
		for _, entry := range entries {
			if entry.DeletedBy != simulator.RemoverAPI || entry.ToldDoneAt.IsZero() {
				continue
			}
			for _, wanted := range notification.Transcripts(&j.spec) {
				if !stored[of.uid][wanted.Format] {
					r.lostf("job %s of %s was done, and was deleted at the provider, and its %s is not stored: %+v", entry.JobID, j.name, wanted.Format, entry)
				}
			}
		}
	}
}

// storedFormats are the formats of the transcripts that are stored, by object: in ConfigMaps and on the volume, whoever knows of them.
func (r *run) storedFormats() map[types.UID]map[v1alpha1.TranscriptFormat]bool {
	r.Helper()
	stored := map[types.UID]map[v1alpha1.TranscriptFormat]bool{}
	note := func(uid types.UID, format v1alpha1.TranscriptFormat) {
		if stored[uid] == nil {
			stored[uid] = map[v1alpha1.TranscriptFormat]bool{}
		}
		stored[uid][format] = true
	}
	configMaps := &corev1.ConfigMapList{}
	r.must(cluster.Client.List(r.ctx, configMaps, client.InNamespace(r.system.Namespace), client.MatchingLabels{store.LabelManagedBy: store.ManagedBy}))
	for _, c := range configMaps.Items {
		note(types.UID(c.Labels[store.LabelJobUID]), v1alpha1.TranscriptFormat(c.Labels[store.LabelFormat]))
	}
	r.must(filepath.WalkDir(r.system.Volume, func(name string, entry fs.DirEntry, err error) error {
		extension, isTranscript := strings.CutPrefix(filepath.Base(name), "transcript.")
		if err != nil || entry.IsDir() || !isTranscript {
			return err
		}
		if extension == "json" {
			extension = string(v1alpha1.FormatJSONv2)
		}
		folder := filepath.Base(filepath.Dir(name)) // <uid>-<attempt>
		note(types.UID(folder[:max(0, strings.LastIndexByte(folder, '-'))]), v1alpha1.TranscriptFormat(extension))
		return nil
	}))
	return stored
}
