// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// clusterScenarios break what is between the programs and the cluster, and its objects.
func clusterScenarios() []scenario {
	return []scenario{
		{
			name: "api-server-killed", fault: "API server killed and restarted",
			story: "kube-apiserver gets SIGKILL, twice, and is there again after some seconds",
			short: 1, exclusive: true,
			breaks: func(r *run) {
				for range 2 {
					r.create(8)
					r.wait(r.between(0, 2*time.Second))
					r.holdAPIServer(r.between(0, 3*time.Second))
				}
			},
		},
		{
			name: "api-server-down", fault: "API server killed and restarted",
			story:     "kube-apiserver is down for ten seconds and more, while jobs are finished and their notifications come",
			exclusive: true,
			breaks: func(r *run) {
				r.create(12)
				r.wait(r.between(500*time.Millisecond, 2*time.Second))
				r.holdAPIServer(r.between(10*time.Second, 20*time.Second))
			},
		},
		{
			name: "watches-cut", fault: "connections to the API server cut",
			story:  "the connections of managers and receivers to the API server are cut, refused or stalled, again and again",
			breaks: (*run).cutWatches,
		},
		{
			name: "conflicts", fault: "conflicts: somebody else writes all objects all the time",
			story: "somebody changes labels and annotations of all jobs without a pause",
			breaks: func(r *run) {
				stop := r.meddle()
				defer stop()
				r.create(20)
				r.eventually(patience, "every job has finished although somebody meddles", func() (string, error) { return r.unfinished(r.isFinished) })
			},
		},
		{
			name: "restored", fault: "objects restored from a backup, with old claims under new UIDs",
			story:   "all objects are saved while they are in flight, deleted, and created again with their old annotations and status",
			breaks:  (*run).restore,
			endings: []string{v1alpha1.ReasonClaimedByAnotherObject},
		},
		{
			name: "namespace-deleted", fault: "namespace deleted with everything in flight",
			story:  "the namespace is terminating, and all of its objects are deleted, sometimes while the provider cannot be reached",
			breaks: (*run).deleteNamespace,
		},
		{
			name: "leader-killed", fault: "leader killed; the other manager takes over",
			story:  "of two managers the one with the lease gets SIGKILL, several times",
			system: twoManagers,
			breaks: func(r *run) {
				for range 3 {
					r.create(8)
					r.wait(r.between(time.Second, 3*time.Second))
					r.must(r.system.Managers[0].Kill())
					r.wait(r.between(time.Second, 3*time.Second))
					r.must(r.system.Managers[1].Kill())
				}
			},
		},
		stoppedLeader(crashpoint.Admitted, false),
		stoppedLeader(crashpoint.Claimed, false),
		stoppedLeader(crashpoint.TakenUp, false),
		stoppedLeader(crashpoint.BeforeFence, false),
		stoppedLeader(crashpoint.LastBytes, true),
		stoppedLeader(crashpoint.Accepted, false),
		stoppedLeader(crashpoint.Searched, false),
		stoppedLeader(crashpoint.Judged, false),
	}
}

// twoManagers is a system of two managers, of which one has the lease.
func twoManagers(*run) harness.SystemOptions { return harness.SystemOptions{Managers: 2, Receivers: 2} }

// stoppedLeader stops (SIGSTOP) whoever has the lease at a point in mid-submission, until the lease is over and the other one has taken
// over; then it goes on where it was.
func stoppedLeader(at crashpoint.Point, surplus bool) scenario {
	short := 0
	if at == crashpoint.BeforeFence {
		short = 1
	}
	return scenario{
		name: "leader-stopped-at-" + string(at), fault: "leader stopped past its lease, and continued",
		story: "the manager with the lease stands still at " + string(at) + " until the other one has taken over, and then goes on",
		short: short, surplus: surplus,
		system: func(r *run) harness.SystemOptions {
			options := twoManagers(r)
			options.Unnotified = at == crashpoint.Searched // nobody tells then what is searched for
			options.ManagerRuns = map[int][]string{}
			for range r.stops(at) {
				options.ManagerRuns[0] = append(options.ManagerRuns[0], crashpointVariable+"="+order(at, 1+r.random.IntN(4), "stop"))
			}
			return options
		},
		breaks: func(r *run) { r.continueStopped(at) },
	}
}

// stops is how often the leader is stopped at most: whether what was stopped still gets through is decided anew each time. At the last
// bytes it is repeated until it has; about every other time it does.
func (r *run) stops(at crashpoint.Point) int {
	switch {
	case r.small:
		return 2
	case at == crashpoint.LastBytes:
		return 12
	default:
		return 6
	}
}

// continueStopped has the leader stand still and go on at a point, again and again.
func (r *run) continueStopped(at crashpoint.Point) {
	r.Helper()
	if at == crashpoint.Searched { // what is searched for are submissions without an answer
		r.replaceFaults(simulator.Fault{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate})
	}
	for r.stopAndContinue(at) {
		if at == crashpoint.LastBytes && r.hasSurplus() {
			return
		}
	}
	if r.says(r.system.Managers[0], stopsAt(at)) == 0 {
		r.Errorf("nobody has stood still at %s", at)
	}
	if at == crashpoint.LastBytes && !r.small {
		r.Errorf("nothing of what was stopped got through in %d stops", r.stops(at))
	}
}

// hasSurplus reports whether an attempt has had several remote jobs.
func (r *run) hasSurplus() bool {
	r.Helper()
	ledger, err := r.system.API.Ledger(r.ctx)
	r.must(err)
	for _, entries := range (&facts{ledger: ledger}).byAttempt() {
		if len(entries) > 1 {
			return true
		}
	}
	return false
}

// stopAndContinue has the first manager lead, until it stands still; has the second one take over; and lets the first one go on after longer
// than lease, claim and search last. It reports false when there is no order left to stand still: each start of a manager obeys one, also a
// start after it has lost its lease on a busy machine.
func (r *run) stopAndContinue(at crashpoint.Point) bool {
	r.Helper()
	stopped, other := r.system.Managers[0], r.system.Managers[1]
	ordered := func() bool { return stopped.Starts() <= r.stops(at) }
	if !ordered() {
		return false
	}
	stopsBefore := r.says(stopped, stopsAt(at))
	r.must(other.Hold())
	r.create(8)
	r.eventually(patience, "the leader stands still", func() (string, error) {
		if r.says(stopped, stopsAt(at)) == stopsBefore && ordered() {
			return "it does not say so", nil
		}
		return "", nil
	})
	if r.says(stopped, stopsAt(at)) == stopsBefore {
		other.Release()
		return false
	}
	takesOver, submitsAgain := `"msg":"Starting workers","controller":"transcriptionjob"`, "The uncertain submission did not arrive; submitting again"
	before, givenUpBefore := r.says(other, takesOver), r.says(other, submitsAgain)
	other.Release()
	r.untilSays(other, takesOver, before, "the other manager has taken over")
	if at == crashpoint.LastBytes { // what gets through after that comes too late to be found
		r.untilSays(other, submitsAgain, givenUpBefore, "the other manager submits again")
		r.wait(r.between(time.Second, 3*time.Second))
	} else {
		timings := r.system.Timings()
		r.wait(timings.LeaseDuration + timings.SubmissionWindow + timings.ListLag + timings.ClockSkew + r.between(0, 2*time.Second))
	}
	starts := stopped.Starts()
	r.must(stopped.Continue())
	r.eventually(patience, "it has found its lease lost", func() (string, error) {
		if stopped.Starts() == starts {
			return "it has not ended", nil
		}
		return "", nil
	})
	return true
}

// stopsAt is what a process says that stops itself.
func stopsAt(at crashpoint.Point) string { return "crashpoint " + string(at) + ": stop\n" }

// says is how often a program has logged something.
func (r *run) says(program *harness.Program, something string) int {
	r.Helper()
	log, err := program.Log()
	r.must(err)
	return bytes.Count(log, []byte(something))
}

// untilSays waits until a program has logged something more often than before.
func (r *run) untilSays(program *harness.Program, something string, before int, what string) {
	r.Helper()
	r.eventually(patience, what, func() (string, error) {
		if r.says(program, something) == before {
			return "it does not say so", nil
		}
		return "", nil
	})
}

// holdAPIServer kills the API server and keeps it down for some time.
func (r *run) holdAPIServer(d time.Duration) {
	r.Helper()
	r.must(cluster.APIServer.Hold())
	r.wait(d)
	cluster.APIServer.Release()
	r.must(cluster.Ready(r.ctx))
}

// cutWatches breaks connections to the API server in all ways.
func (r *run) cutWatches() {
	r.Helper()
	proxies := []*harness.Proxy{r.system.ManagerAPI, r.system.ReceiverAPI}
	for range 4 {
		r.create(6)
		for range 3 {
			r.wait(r.between(100*time.Millisecond, 700*time.Millisecond))
			proxy := pick(r, proxies...)
			switch r.random.IntN(4) {
			case 0:
				proxy.Refuse()
				r.wait(r.between(200*time.Millisecond, 2*time.Second))
			case 1:
				proxy.Stall()
				r.wait(r.between(200*time.Millisecond, 2*time.Second))
			default:
				proxy.Cut()
			}
			proxy.Pass()
		}
	}
}

// meddle changes labels and annotations of all jobs without a pause, until the returned function is called.
func (r *run) meddle() (stop func()) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.ctx)
	random := rand.New(rand.NewPCG(r.seed, 2))
	var meddling sync.WaitGroup
	meddling.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			list := &v1alpha1.TranscriptionJobList{}
			if err := cluster.Client.List(ctx, list, client.InNamespace(r.system.Namespace)); err != nil {
				continue
			}
			for i := range list.Items {
				merge := fmt.Sprintf(`{"metadata":{"labels":{"meddled":"%d"},"annotations":{"example.com/meddled":"%d"}}}`, n, random.IntN(1000))
				_ = cluster.Client.Patch(ctx, &list.Items[i], client.RawPatch(types.MergePatchType, []byte(merge))) // it may be gone
			}
		}
	})
	return func() {
		cancel()
		meddling.Wait()
	}
}

// restore saves all objects while they are in flight, deletes them, and creates them again as a backup would.
func (r *run) restore() {
	r.Helper()
	r.create(12)
	r.wait(r.between(200*time.Millisecond, 1500*time.Millisecond))
	saved, err := r.objects()
	r.must(err)
	r.wait(r.between(0, 2*time.Second))
	before := r.jobs
	for _, j := range before {
		r.delete(j)
	}
	r.eventually(patience, "every object is deleted", func() (string, error) { return r.unfinished(r.isFinished) })
	for _, j := range before {
		backup := saved[j.uid]
		if _, claimed := backup.Annotations[notification.ClaimAnnotation]; !claimed {
			r.collectGarbage(j) // it is submitted anew, and needs the names of its transcripts
		}
		object := &v1alpha1.TranscriptionJob{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: backup.Namespace, Name: backup.Name, Annotations: backup.Annotations, Labels: backup.Labels, Finalizers: backup.Finalizers,
			},
			Spec: backup.Spec,
		}
		r.must(cluster.Client.Create(r.ctx, object))
		r.jobs = append(r.jobs, &job{name: j.name, uid: object.UID, spec: object.Spec, word: j.word})
		r.restoreStatus(object, backup.Status)
	}
}

// collectGarbage deletes the transcripts of a deleted object, as the garbage collector does, which is not here.
func (r *run) collectGarbage(j *job) {
	r.Helper()
	j.collected = true
	r.must(cluster.Client.DeleteAllOf(r.ctx, &corev1.ConfigMap{}, client.InNamespace(r.system.Namespace), client.MatchingLabels{store.LabelJobUID: string(j.uid)}))
}

// restoreStatus writes a status over whatever the manager has written meanwhile, as a tool for backups does.
func (r *run) restoreStatus(object *v1alpha1.TranscriptionJob, status v1alpha1.TranscriptionJobStatus) {
	r.Helper()
	if _, claimed := object.Annotations[notification.ClaimAnnotation]; !claimed {
		return // there is nothing to restore, and the job may be at the provider anew by now
	}
	r.eventually(patience, "the status is restored", func() (string, error) {
		if err := cluster.Client.Get(r.ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return "", err
		}
		object.Status = status
		return "", cluster.Client.Status().Update(r.ctx, object)
	})
}

// deleteNamespace has the namespace terminate, as far as the API server does by itself: there is no controller here that deletes what is
// in it, so that is done by hand.
func (r *run) deleteNamespace() {
	r.Helper()
	jobs := r.create(12)
	r.wait(r.between(200*time.Millisecond, 2500*time.Millisecond))
	if r.random.IntN(2) == 0 {
		r.system.Provider.Refuse()
		defer r.system.Provider.Pass()
	}
	r.must(cluster.Client.Delete(r.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.system.Namespace}}))
	for _, j := range jobs {
		r.delete(j)
		j.abandoned = true
	}
	r.eventually(patience, "every object is gone", func() (string, error) { return r.unfinished(r.isFinished) })
}
