// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
	"github.com/transcription-operator/transcription-operator/transcript"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// facts are what is known of a run when it has come to its end.
type facts struct {
	objects map[types.UID]*v1alpha1.TranscriptionJob
	// remote are the provider's jobs by ID, ledger all that it ever accepted.
	remote map[string]simulator.JobState
	ledger []simulator.LedgerEntry
	// notifications are those that passed the public front.
	notifications []harness.Notification
}

// verify makes all checks, every time. Each has a section in docs/chaos.md.
func (r *run) verify() {
	r.Helper()
	if crashes := r.crashes(); len(crashes) > 0 {
		r.result.Crashes = crashes
		r.Logf("crashed at %s", strings.Join(crashes, ", "))
	}
	f := r.gather()
	r.checkStates(f)
	r.checkPayments(f)
	r.checkAttempts(f)
	r.checkTranscripts(f)
	r.checkNotifications(f)
	r.checkForeign(f)
	if r.scenario.checks != nil {
		r.scenario.checks(r, f)
	}
	r.checkRestart(f)
	r.checkFiles()
	r.checkSecrets()
	r.checkPanics()
	r.checkDeletion(f)
}

// gather reads all facts.
func (r *run) gather() *facts {
	r.Helper()
	f := &facts{remote: map[string]simulator.JobState{}, notifications: r.system.Public.Notifications()}
	var err error
	f.objects, err = r.objects()
	r.must(err)
	f.ledger, err = r.system.API.Ledger(r.ctx)
	r.must(err)
	remote, err := r.system.API.Jobs(r.ctx)
	r.must(err)
	for _, state := range remote {
		f.remote[state.ID] = state
	}
	return f
}

// checkStates: every job is in one state, that its story justifies.
func (r *run) checkStates(f *facts) {
	r.Helper()
	for _, j := range r.jobs {
		object := f.objects[j.uid]
		if object == nil {
			continue // deleted, as converge has seen
		}
		complete, failed := isTrue(object, v1alpha1.ConditionComplete), isTrue(object, v1alpha1.ConditionFailed)
		held := object.Status.CompletionTime == nil && isTrue(object, v1alpha1.ConditionStalled)
		switch {
		case complete && failed, complete != isTrue(object, v1alpha1.ConditionReady), (complete || failed) != isTrue(object, v1alpha1.ConditionFinished), !complete && !failed && !held:
			r.Errorf("%s is in no state: %s", j.name, describe(object))
		case !complete && !r.scenario.justifies(readyReason(object)):
			r.Errorf("%s has ended in a way that nothing justifies: %s", j.name, describe(object))
		}
	}
}

// attemptOf is one attempt of one object.
type attemptOf struct {
	uid     types.UID
	attempt int32
}

// byAttempt are the provider's jobs that are ours, by object and attempt.
func (f *facts) byAttempt() map[attemptOf][]simulator.LedgerEntry {
	paid := map[attemptOf][]simulator.LedgerEntry{}
	for _, entry := range f.ledger {
		if reference, err := notification.ParseReference(entry.Reference); err == nil {
			of := attemptOf{reference.UID, reference.Attempt}
			paid[of] = append(paid[of], entry)
		}
	}
	return paid
}

// lives reports whether a remote job is still there.
func (f *facts) lives(id string) bool {
	state, ok := f.remote[id]
	return ok && state.Status != "deleted" && state.Status != "expired"
}

// checkPayments: by object and attempt there is one remote job, and no object has more attempts than its story justifies. A surplus is
// allowed where the story says so, if it was deleted and counted.
func (r *run) checkPayments(f *facts) {
	r.Helper()
	paid := f.byAttempt()
	attempts := map[types.UID]int32{}
	own := 0
	for of, entries := range paid {
		attempts[of.uid]++
		own += len(entries)
		if len(entries) == 1 {
			continue
		}
		living := 0
		for _, entry := range entries {
			if f.lives(entry.JobID) {
				living++
			}
		}
		extra := len(entries) - 1
		switch {
		case living <= 1 && extra <= maxSurplus && r.scenario.surplus:
			r.result.Surplus += extra
		default:
			r.result.Duplicates += extra
			r.Errorf("attempt %d of %s was paid for %d times, and %d of its jobs live: %+v", of.attempt, of.uid, len(entries), living, entries)
		}
	}
	for uid, n := range attempts {
		if allowed := max(1, r.scenario.attempts); n > allowed {
			r.result.Duplicates += int(n - allowed)
			r.Errorf("%s has had %d attempts; its story justifies %d", uid, n, allowed)
		}
	}
	if foreign := len(f.ledger) - own; foreign > 0 {
		r.Errorf("%d remote jobs have no reference of ours", foreign)
	}
	if r.result.Surplus > 0 {
		if counted := r.countedSurplus(); counted < r.result.Surplus {
			r.Errorf("%d surplus jobs were deleted, but only %d were reported", r.result.Surplus, counted)
		}
	}
}

// maxSurplus is how many jobs of one attempt may be surplus, where any may: each of two managers may have stood still once at the last byte.
const maxSurplus = 2

// countedSurplus is how many surplus jobs the managers say to have deleted: by their logs, since a metric ends with its process.
func (r *run) countedSurplus() int {
	r.Helper()
	n := 0
	for _, manager := range r.system.Managers {
		n += r.says(manager, `"Deleted a surplus job"`)
	}
	return n
}

// checkTranscripts: what the provider finished for a job that is there is stored, with the provider's bytes, and the status tells the
// truth about it. That a job has ended in a way that its story justifies is no excuse; only one that is held is not looked after.
func (r *run) checkTranscripts(f *facts) {
	r.Helper()
	for _, j := range r.jobs {
		object := f.objects[j.uid]
		if object == nil {
			continue
		}
		if !isTrue(object, v1alpha1.ConditionComplete) {
			if id := recordedID(object); id != "" && f.remote[id].Status == "done" && readyReason(object) != v1alpha1.ReasonClaimedByAnotherObject {
				r.lostf("%s: the provider has finished job %s, and the job is not complete: %s", j.name, id, describe(object))
			}
			continue
		}
		for _, wanted := range notification.Transcripts(&object.Spec) {
			if err := r.checkTranscript(j, object, wanted); err != nil {
				r.lostf("%s, %s: %v", j.name, wanted.Format, err)
			}
		}
	}
}

// lostf reports something that is lost.
func (r *run) lostf(format string, args ...any) {
	r.Helper()
	r.result.Lost++
	r.Errorf(format, args...)
}

func recordedID(object *v1alpha1.TranscriptionJob) string {
	if object.Status.RemoteJob == nil || object.Status.RemoteJob.ID == nil {
		return ""
	}
	return *object.Status.RemoteJob.ID
}

// checkTranscript checks one transcript that is to be stored.
func (r *run) checkTranscript(j *job, object *v1alpha1.TranscriptionJob, wanted notification.Transcript) error {
	at := slices.IndexFunc(object.Status.Transcripts, func(s v1alpha1.StoredTranscript) bool {
		return s.Format == wanted.Format && s.Language == wanted.Language
	})
	if at < 0 {
		return fmt.Errorf("the status does not name it: %s", describe(object))
	}
	recorded := object.Status.Transcripts[at]
	if recorded.JobID != recordedID(object) || recorded.Attempt != *object.Status.Attempt {
		return fmt.Errorf("it is of job %s, attempt %d: %s", recorded.JobID, recorded.Attempt, describe(object))
	}
	content, err := r.readStored(object.Namespace, recorded)
	if err != nil {
		return err
	}
	// The simulator numbers the words of a recording whose text it could not fetch in time.
	if !bytes.Contains(bytes.ToLower(content), []byte(j.word)) && !bytes.Contains(content, []byte("word1")) {
		return fmt.Errorf("the word %q is not in it: %.200s", j.word, content)
	}
	served, err := r.served(recorded.JobID, wanted.Format)
	if err != nil {
		return fmt.Errorf("cannot compare it: %w", err)
	}
	if !bytes.Equal(served, content) {
		return fmt.Errorf("what is stored (%d bytes) is not what the provider serves (%d bytes)", len(content), len(served))
	}
	return nil
}

// served is what the provider serves of a job, or has served before the job was deleted. WebVTT, which it does not make, is rendered from its document.
func (r *run) served(id string, format v1alpha1.TranscriptFormat) ([]byte, error) {
	if format != v1alpha1.FormatVTT {
		return r.system.API.Transcript(r.ctx, id, string(format))
	}
	document, err := r.system.API.Transcript(r.ctx, id, string(v1alpha1.FormatJSONv2))
	if err != nil {
		return nil, err
	}
	var captions bytes.Buffer
	err = transcript.WriteVTT(&captions, bytes.NewReader(document), transcript.Options{})
	return captions.Bytes(), err
}

// checkForeign: the jobs of somebody else are as they were.
func (r *run) checkForeign(f *facts) {
	r.Helper()
	for _, state := range f.remote {
		if state.Foreign && state.Status != "done" {
			r.Errorf("job %s of somebody else is %s", state.ID, state.Status)
		}
	}
}

// checkNotifications: each notification that was acknowledged is in the status, and was when it was acknowledged: what is recorded only
// later was made good by the manager.
func (r *run) checkNotifications(f *facts) {
	r.Helper()
	remoteOf := map[string]bool{}
	for _, entry := range f.ledger {
		remoteOf[entry.JobID] = true
	}
	for _, n := range f.notifications {
		target, err := notification.ParsePath(n.Path)
		object := f.objects[target.UID]
		if err != nil || n.Code/100 != 2 || object == nil {
			continue
		}
		recorded := object.Status.Notification
		if object.Status.Attempt == nil || *object.Status.Attempt != target.Attempt || recordedID(object) != n.JobID {
			continue // it is about an attempt that is over, or a surplus job
		}
		switch {
		case recorded == nil || recorded.JobID != n.JobID:
			r.lostf("%s: the notification about job %s was acknowledged, and is not recorded: %s", target.Name, n.JobID, describe(object))
		case recorded.ReceivedAt.After(n.Received):
			r.lostf("%s: the notification about job %s was acknowledged at %s, and recorded at %s", target.Name, n.JobID, n.Received, recorded.ReceivedAt)
		}
	}
	for _, object := range f.objects {
		if recorded := object.Status.Notification; recorded != nil && !remoteOf[recorded.JobID] {
			r.Errorf("%s: a notification is recorded about job %s, which the provider has never had", object.Name, recorded.JobID)
		}
	}
}

// checkRestart: everything ends in order when it is told to; after the restart nothing has changed, nothing more was submitted, and
// there are as many goroutines as before.
func (r *run) checkRestart(before *facts) {
	r.Helper()
	goroutines := r.goroutinesAtRest()
	r.ageFiles()
	if err := r.system.Restart(r.ctx); err != nil {
		r.Errorf("after SIGTERM: %v", err)
		r.must(r.system.Ready(r.ctx))
	}
	r.eventually(patience, "every job was looked at after the restart", r.unexamined)
	after := r.gather()
	r.checkTranscripts(after)
	for uid, object := range before.objects {
		if now := after.objects[uid]; now == nil || !equality.Semantic.DeepEqual(object.Status, now.Status) {
			r.Errorf("the restart has changed a status:\n%s\n%s", describe(object), describe(now))
		}
	}
	if len(after.ledger) != len(before.ledger) {
		r.Errorf("after the restart there were %d submissions more", len(after.ledger)-len(before.ledger))
	}
	for role, fresh := range r.goroutinesAtRest() {
		if had := goroutines[role]; had > fresh+goroutineSlack {
			r.Errorf("a %s had %.0f goroutines at the end of the run, and has %.0f after a restart", role, had, fresh)
		}
	}
}

// goroutineSlack allows for what a process begins with its first unfinished job, some ten as measured, however many jobs there are; and for
// as many that come and go: a watch that begins anew, a request for metrics.
const goroutineSlack = 20

// goroutinesAtRest are those that are there when nothing is to be done: without the idle connections to the provider and the receivers, which
// are kept for a minute or more and have two goroutines each.
func (r *run) goroutinesAtRest() map[string]float64 {
	r.Helper()
	r.system.Provider.Cut()
	r.system.Internal.DropIdle()
	r.system.Public.DropIdle()
	least := r.goroutines()
	for quiet := 0; quiet < 8; quiet++ {
		r.wait(lookInterval)
		for role, n := range r.goroutines() {
			if n < least[role] {
				least[role], quiet = n, 0
			}
		}
	}
	r.Logf("goroutines at rest: %v", least)
	return least
}

// goroutines are how many the busiest manager and the busiest receiver have. A manager that is not the leader has next to none.
func (r *run) goroutines() map[string]float64 {
	r.Helper()
	most := map[string]float64{}
	for role, programs := range map[string][]*harness.Program{"manager": r.system.Managers, "receiver": r.system.Receivers} {
		for _, program := range programs {
			n, err := program.Metric(r.ctx, "go_goroutines")
			r.must(err)
			most[role] = max(most[role], n)
		}
	}
	return most
}

// unexamined says what the managers have still to look at after a restart: all jobs, once, with an empty queue at the end.
func (r *run) unexamined() (string, error) {
	var done, waiting float64
	for _, manager := range r.system.Managers {
		for name, sum := range map[string]*float64{"controller_runtime_reconcile_total": &done, "workqueue_depth": &waiting} {
			n, err := manager.Metric(r.ctx, name, `"transcriptionjob"`)
			if err != nil {
				return "", err
			}
			*sum += n
		}
	}
	if alive := r.alive(); done < float64(alive) || waiting > 0 {
		return fmt.Sprintf("%.0f of %d jobs were, %.0f wait", done, alive, waiting), nil
	}
	return "", nil
}

// alive is how many jobs were not deleted.
func (r *run) alive() int {
	n := 0
	for _, j := range r.jobs {
		if !j.deleted {
			n++
		}
	}
	return n
}

// ageFiles makes temporary files look as old as they have to be to count as left over from a crash.
func (r *run) ageFiles() {
	r.Helper()
	past := time.Now().Add(-24 * time.Hour)
	for _, name := range r.temporaryFiles() {
		if err := os.Chtimes(name, past, past); err != nil && !os.IsNotExist(err) {
			r.Error(err)
		}
	}
}

// checkFiles: no temporary file is left.
func (r *run) checkFiles() {
	r.Helper()
	r.eventually(10*time.Second, "every temporary file is removed", func() (string, error) {
		return strings.Join(r.temporaryFiles(), ", "), nil
	})
}

// temporaryFiles are those on the volume and in the receivers' scratch folders.
func (r *run) temporaryFiles() []string {
	r.Helper()
	var found []string
	for _, root := range []string{r.system.Volume, r.system.Scratch} {
		err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && (root == r.system.Scratch || strings.HasPrefix(entry.Name(), ".")) {
				found = append(found, name)
			}
			return err
		})
		r.must(err)
	}
	return found
}

// checkSecrets: nobody has logged a key or a token.
func (r *run) checkSecrets() {
	r.Helper()
	secrets := append([]string{r.system.APIKey, r.system.SigningKey, "Authorization: Bearer", "Bearer ey"}, r.system.RevokedKeys...)
	for _, program := range append(r.programs(), r.system.Simulator) {
		log, err := program.Log()
		r.must(err)
		for i, secret := range secrets {
			if at := bytes.Index(log, []byte(secret)); at >= 0 {
				r.Errorf("the log of %s has secret %d, at byte %d", program.Name(), i, at)
			}
		}
	}
}

// checkDeletion: every ConfigMap has an owner, and if that is complete, its status names it; and when all objects are deleted they go, no finalizer holds one, and the provider keeps
// none of their jobs but those that it is to keep.
func (r *run) checkDeletion(f *facts) {
	r.Helper()
	configMaps := &corev1.ConfigMapList{}
	r.must(cluster.Client.List(r.ctx, configMaps, client.InNamespace(r.system.Namespace), client.MatchingLabels{store.LabelManagedBy: store.ManagedBy}))
	for i := range configMaps.Items {
		c := &configMaps.Items[i]
		uid := types.UID(c.Labels[store.LabelJobUID])
		object := f.objects[uid]
		switch owned := len(c.OwnerReferences) == 1 && c.OwnerReferences[0].UID == uid; {
		case !owned:
			r.Errorf("nobody owns ConfigMap %s", c.Name)
		case object == nil && !r.isOurs(uid):
			r.Errorf("ConfigMap %s belongs to an object that has never been", c.Name)
		case object != nil && isTrue(object, v1alpha1.ConditionComplete) && isLeftOver(c, object):
			r.Errorf("ConfigMap %s is left over: %s", c.Name, describe(object))
		}
	}
	for _, object := range f.objects {
		r.must(client.IgnoreNotFound(cluster.Client.Delete(r.ctx, object)))
	}
	r.eventually(patience, "every object is gone", func() (string, error) {
		objects, err := r.objects()
		for _, left := range objects {
			return fmt.Sprintf("%d are there, among them %s with finalizers %q", len(objects), describe(left), left.Finalizers), err
		}
		return "", err
	})
	r.checkRemote()
	r.checkThrownAway()
	r.must(cluster.Client.DeleteAllOf(r.ctx, &corev1.ConfigMap{}, client.InNamespace(r.system.Namespace)))
}

func (r *run) isOurs(uid types.UID) bool {
	return slices.ContainsFunc(r.jobs, func(j *job) bool { return j.uid == uid })
}

// checkRemote: of the jobs of deleted objects the provider has none any more, but those whose policy says so, and those of which it has
// the only transcript.
func (r *run) checkRemote() {
	r.Helper()
	f := r.gather()
	for of, entries := range f.byAttempt() {
		for _, entry := range entries {
			at := slices.IndexFunc(r.jobs, func(j *job) bool { return j.uid == of.uid })
			switch {
			case !f.lives(entry.JobID):
			case at < 0:
				r.Errorf("job %s is of an object that has never been: %s", entry.JobID, entry.Reference)
			case r.jobs[at].spec.RemoteDeletionPolicy == v1alpha1.RemoteDeletionNever:
			case r.jobs[at].kept && r.logged("Kept a remote job whose transcript is not stored", entry.JobID):
			case r.jobs[at].abandoned && r.logged("Releasing a job without cleaning up at the provider", string(of.uid)):
			default:
				r.Errorf("job %s of %s is left at the provider, as %q", entry.JobID, r.jobs[at].name, f.remote[entry.JobID].Status)
			}
		}
	}
}

// logged reports whether a manager has logged a message about something.
func (r *run) logged(message, about string) bool {
	r.Helper()
	for _, manager := range r.system.Managers {
		log, err := manager.Log()
		r.must(err)
		for line := range bytes.Lines(log) {
			if bytes.Contains(line, []byte(message)) && bytes.Contains(line, []byte(about)) {
				return true
			}
		}
	}
	return false
}
