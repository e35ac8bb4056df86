// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// orphanScenarios have objects go whose jobs are not cleaned up.
func orphanScenarios() []scenario {
	return []scenario{{
		name: "finalizers-removed", fault: "finalizers removed by force, manager killed",
		story: "objects and their finalizers are removed while the manager is down and their jobs run, among others that stay; the account has " +
			"orphans deleted, and the manager is killed while it searches for them",
		system: func(*run) harness.SystemOptions {
			return harness.SystemOptions{
				Receivers:   2,
				ManagerArgs: []string{"--leader-elect=false", "--orphan-interval=1s"},
				// A job takes eight seconds, and that of a long recording half an hour.
				SimulatorArgs: []string{"--processing-base=80s", "--processing-factor=0.5"},
			}
		},
		breaks: (*run).removeFinalizers,
	}}
}

// removeFinalizers removes objects whose jobs run, by force, and waits until the provider has only those jobs that somebody wants.
func (r *run) removeFinalizers() {
	r.Helper()
	r.deleteOrphans()
	doomed := r.create(6, r.withLongRecording)
	r.create(6)
	remote := r.awaitProof(doomed)
	r.must(r.system.Managers[0].Hold())
	for _, j := range doomed {
		r.must(r.patch(j, `{"metadata":{"finalizers":null}}`))
		r.delete(j)
	}
	r.system.Managers[0].Release()
	for range 4 {
		r.create(3)
		r.wait(r.between(500*time.Millisecond, 4*time.Second))
		r.must(r.system.Managers[0].Kill())
	}
	r.create(3) // they run while orphans are found
	r.awaitDeletion(remote)
	r.checkOrphansDeleted(remote)
}

// deleteOrphans has the account's orphans deleted.
func (r *run) deleteOrphans() {
	r.Helper()
	account := r.account()
	before := account.DeepCopy()
	account.Spec.OrphanPolicy = v1alpha1.OrphanDelete
	r.must(cluster.Client.Patch(r.ctx, account, client.MergeFrom(before)))
}

func (r *run) account() *v1alpha1.SpeechmaticsAccount {
	r.Helper()
	account := &v1alpha1.SpeechmaticsAccount{}
	r.must(cluster.Client.Get(r.ctx, client.ObjectKey{Namespace: r.system.Namespace, Name: v1alpha1.DefaultAccountName}, account))
	return account
}

// withLongRecording gives a job a recording of ten hours.
func (r *run) withLongRecording(object *v1alpha1.TranscriptionJob) {
	r.Helper()
	recording := object.Name + ".wav"
	r.must(os.WriteFile(filepath.Join(r.system.Media, recording), silence(), 0o600))
	r.must(os.WriteFile(filepath.Join(r.system.Media, object.Name+".txt"), []byte("@length 10h\n"), 0o600))
	object.Spec.Media = v1alpha1.MediaSource{URL: ptr.To(r.system.MediaURL(recording))}
}

// awaitProof waits until jobs run, and the account proves whose they are: the manager has written itself into it in a later second than that in
// which they were claimed. It returns the remote jobs' IDs.
func (r *run) awaitProof(jobs []*job) map[string]bool {
	r.Helper()
	remote := map[string]bool{}
	r.eventually(patience, "every job is recorded, and its submitter too", func() (string, error) {
		objects, err := r.objects()
		if err != nil {
			return "", err
		}
		proven := time.Time{}
		if search := r.account().Status.OrphanSearch; search != nil && len(search.Submitters) > 0 {
			proven = search.Submitters[0].LastTime.Time
		}
		for _, j := range jobs {
			object := objects[j.uid]
			if object == nil || recordedID(object) == "" {
				return j.name + " is not", nil
			}
			claim, err := notification.ParseClaim(object.Annotations[notification.ClaimAnnotation])
			if err != nil {
				return "", err
			}
			if claim.ClaimedAt.Unix() >= proven.Unix() {
				return fmt.Sprintf("%s was claimed at %s, and the submitter was there at %s", j.name, claim.ClaimedAt, proven), nil
			}
			remote[recordedID(object)] = true
		}
		return "", nil
	})
	return remote
}

// awaitDeletion waits until the provider has none of some jobs any more.
func (r *run) awaitDeletion(remote map[string]bool) {
	r.Helper()
	r.eventually(patience, "every orphan is deleted", func() (string, error) {
		f := r.gather()
		for id := range remote {
			if f.lives(id) {
				return fmt.Sprintf("job %s is %s", id, f.remote[id].Status), nil
			}
		}
		return "", nil
	})
}

// checkOrphansDeleted: somebody asked for the orphans' deletion, and the search has deleted nothing else. (That the other jobs were not is
// what all transcripts say, too.)
func (r *run) checkOrphansDeleted(remote map[string]bool) {
	r.Helper()
	for _, entry := range r.gather().ledger {
		if remote[entry.JobID] && entry.DeletedBy != simulator.RemoverAPI {
			r.Errorf("the orphan %s was deleted by %q", entry.JobID, entry.DeletedBy)
		}
	}
	log, err := r.system.Managers[0].Log()
	r.must(err)
	deleted := 0
	for line := range bytes.Lines(log) {
		if !bytes.Contains(line, []byte(`"Deleted an orphaned job"`)) {
			continue
		}
		deleted++
		orphan := false
		for id := range remote {
			orphan = orphan || bytes.Contains(line, []byte(id))
		}
		if !orphan {
			r.Errorf("deleted as an orphan, and was none: %s", line)
		}
	}
	if deleted == 0 {
		r.Errorf("the search has deleted no orphan")
	}
}
