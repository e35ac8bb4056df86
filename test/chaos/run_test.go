// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

const (
	// patience is how long a run may take to be well again after it was broken.
	patience = 2 * time.Minute
	// runTimeout bounds a run as a whole.
	runTimeout = 10 * time.Minute
	// lookInterval is how often it is looked whether something has happened.
	lookInterval = 100 * time.Millisecond
)

// run is a scenario with a seed.
type run struct {
	*testing.T

	ctx      context.Context
	scenario *scenario
	seed     uint64
	// small means that the run is of the size of the short form.
	small bool
	// random is what all choices come from; it is not for several goroutines.
	random *rand.Rand
	system *harness.System
	// inForce are the provider's faults, and ordered says that some of them have to happen.
	inForce []simulator.Fault
	ordered bool

	mu   sync.Mutex
	jobs []*job
	made int

	result result
}

// runs numbers the runs, for their namespaces' names.
var runs atomic.Int64

// execute runs a scenario, makes all checks, and adds the result to the others.
func execute(t *testing.T, p planned, results *results) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	r := &run{
		T: t, ctx: ctx, scenario: &p.scenario, seed: p.seed, small: p.small,
		random: rand.New(rand.NewPCG(p.seed, 1)),
	}
	r.result = result{Fault: p.scenario.fault, Scenario: p.scenario.name, Seed: p.seed, Small: p.small, Faults: map[simulator.FaultKind]int{}}
	r.Logf("%s: %s; seed %d", p.scenario.name, p.scenario.story, p.seed)
	t.Cleanup(func() {
		r.result.Failed, r.result.Jobs = t.Failed(), len(r.jobs)
		results.add(r.result)
		if t.Failed() {
			r.Logf("to repeat this run: %s", p.again())
		}
	})
	r.start()
	defer r.stop()
	p.scenario.breaks(r)
	r.converge()
	r.noteFaults()
	r.verify()
}

// start starts the system.
func (r *run) start() {
	r.Helper()
	options := harness.SystemOptions{Receivers: 2, ManagerArgs: []string{"--leader-elect=false"}}
	if r.scenario.system != nil {
		options = r.scenario.system(r)
	}
	options.Name = fmt.Sprintf("run-%d", runs.Add(1))
	system, err := cluster.StartSystem(r.ctx, options)
	if err != nil {
		r.Fatal(err)
	}
	r.system = system
}

// stop ends the system. Its files stay if something went wrong.
func (r *run) stop() {
	r.Helper()
	if err := r.system.Close(); err != nil {
		r.Errorf("not everything ended in order: %v", err)
	}
	if r.Failed() {
		r.Logf("logs and files are in %s", r.system.Logs)
		return
	}
	if !*keep {
		if err := os.RemoveAll(r.system.Logs); err != nil {
			r.Error(err)
		}
	}
}

// must ends a run whose own means have failed.
func (r *run) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// wait waits for some time, or until the run is over.
func (r *run) wait(d time.Duration) {
	r.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
		r.Fatal("the run has taken too long")
	}
}

// between chooses a duration.
func (r *run) between(shortest, longest time.Duration) time.Duration {
	return shortest + time.Duration(r.random.Int64N(int64(longest-shortest)))
}

// eventually waits until something is true; what is missing is said otherwise.
func (r *run) eventually(limit time.Duration, what string, missing func() (string, error)) {
	r.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		why, err := missing()
		if err == nil && why == "" {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			r.Fatalf("after %s, not %s: %s %v", limit, what, why, err)
		case <-r.ctx.Done():
			r.Fatalf("the run has taken too long, and not %s: %s %v", what, why, err)
		}
	}
}

// objects are the jobs as the API server has them, by UID.
func (r *run) objects() (map[types.UID]*v1alpha1.TranscriptionJob, error) {
	list := &v1alpha1.TranscriptionJobList{}
	if err := cluster.Client.List(r.ctx, list, client.InNamespace(r.system.Namespace)); err != nil {
		return nil, err
	}
	found := make(map[types.UID]*v1alpha1.TranscriptionJob, len(list.Items))
	for i := range list.Items {
		found[list.Items[i].UID] = &list.Items[i]
	}
	return found, nil
}

// converge waits until every job has come to its end, and takes the time; then until nothing is left to be done for any.
func (r *run) converge() {
	r.Helper()
	began := time.Now()
	r.eventually(patience, "every job has finished", func() (string, error) { return r.unfinished(r.isFinished) })
	r.result.Converged = time.Since(began)
	r.eventually(patience, "all is done for every job", func() (string, error) { return r.unfinished(isSettled) })
	r.must(r.system.Ready(r.ctx)) // whoever was killed last may still be starting
}

// unfinished names jobs for which something is not true.
func (r *run) unfinished(is func(*v1alpha1.TranscriptionJob) bool) (string, error) {
	objects, err := r.objects()
	if err != nil {
		return "", err
	}
	missing, example := 0, ""
	for _, j := range r.jobs {
		object := objects[j.uid]
		switch {
		case object == nil && j.deleted:
		case object == nil:
			missing, example = missing+1, j.name+" is gone"
		case j.deleted:
			missing, example = missing+1, j.name+" is being deleted"
		case !is(object):
			missing, example = missing+1, describe(object)
		}
	}
	if missing == 0 {
		return "", nil
	}
	return fmt.Sprintf("%d of %d are not, among them %s", missing, len(r.jobs), example), nil
}

// patch changes an object, as a person does, under no precondition. One that is gone is left alone.
func (r *run) patch(j *job, merge string) error {
	object := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: r.system.Namespace, Name: j.name}}
	return client.IgnoreNotFound(cluster.Client.Patch(r.ctx, object, client.RawPatch(types.MergePatchType, []byte(merge))))
}

// delete deletes an object. Of a job that is done, and whose transcript is not stored yet, the provider is to keep it.
func (r *run) delete(j *job) {
	r.Helper()
	object := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: r.system.Namespace, Name: j.name}}
	j.deleted, j.kept = true, true
	r.must(client.IgnoreNotFound(cluster.Client.Delete(r.ctx, object, client.Preconditions{UID: &j.uid})))
}

// isFinished reports whether a job has come to an end, or is held as the story justifies.
func (r *run) isFinished(object *v1alpha1.TranscriptionJob) bool {
	return object.Status.CompletionTime != nil || (isTrue(object, v1alpha1.ConditionStalled) && r.scenario.justifies(readyReason(object)))
}

// isSettled reports whether nothing is left to be done for a finished job: no remote job is to be deleted, and none to be looked for.
func isSettled(object *v1alpha1.TranscriptionJob) bool {
	claim, err := notification.ParseClaim(object.Annotations[notification.ClaimAnnotation])
	if err == nil && claim.UID != object.UID {
		return true // it is held, and touches nothing at the provider
	}
	if isTrue(object, v1alpha1.ConditionComplete) && object.Spec.RemoteDeletionPolicy == v1alpha1.RemoteDeletionAfterStored {
		state := object.Status.RemoteJob.State
		if state == nil || *state != v1alpha1.RemoteDeleted {
			return false
		}
	}
	return err != nil || (!claim.GivenUp && len(claim.Surplus) == 0)
}

func isTrue(object *v1alpha1.TranscriptionJob, kind string) bool {
	for _, c := range object.Status.Conditions {
		if c.Type == kind {
			return c.Status == "True"
		}
	}
	return false
}

func readyReason(object *v1alpha1.TranscriptionJob) string {
	for _, c := range object.Status.Conditions {
		if c.Type == v1alpha1.ConditionReady {
			return c.Reason
		}
	}
	return ""
}

// describe says how a job stands.
func describe(object *v1alpha1.TranscriptionJob) string {
	status, err := json.Marshal(object.Status)
	if err != nil {
		return object.Name
	}
	return fmt.Sprintf("%s (%s, claim %s): %s", object.Name, readyReason(object), object.Annotations[notification.ClaimAnnotation], status)
}
