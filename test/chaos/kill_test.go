// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// killScenarios kill processes, whatever they are doing.
func killScenarios() []scenario {
	return []scenario{
		{
			name: "kill-at-random", fault: "manager and receivers killed at random",
			story:  "every few hundred milliseconds a manager or a receiver gets SIGKILL",
			short:  1,
			breaks: func(r *run) { r.killAtRandom(24, 4) },
		},
		{
			name: "kill-500-jobs", fault: "manager and receivers killed at random, 500 jobs",
			story:  "as before, with 500 jobs at once",
			system: manyJobs,
			breaks: func(r *run) { r.killAtRandom(500, 10) },
		},
		{
			name: "kill-at-running-limit", fault: "manager and receivers killed at random, 3 jobs at a time",
			story:  "as before, and the account permits 3 jobs at the provider at a time, of which each takes three seconds",
			system: fewAtATime,
			breaks: func(r *run) { r.killAtRandom(16, 4) },
			checks: checkRunning(runningLimit),
		},
		killWhileAttemptsFail("kill-while-attempts-fail", "notifications tell how they ended", false),
		killWhileAttemptsFail("kill-while-attempts-fail-polled", "nobody is notified, so that what was submitted has to be looked for", true),
		{
			name: "kill-while-deleting", fault: "objects deleted while the manager is killed at random",
			story:  "every object is deleted at a moment of its own, and every few hundred milliseconds the manager gets SIGKILL",
			breaks: (*run).deleteAndKill,
		},
		{
			name: "kill-while-deleting-the-done", fault: "objects deleted while the manager is killed at random",
			story:  "objects are deleted whose jobs are done, and of whose transcripts nobody was notified, and the manager gets SIGKILL meanwhile",
			breaks: (*run).deleteDoneAndKill,
		},
		{
			name: "receiver-killed-in-mid-body", fault: "receiver killed in mid-body",
			story:  "the receiver gets SIGKILL while it reads long bodies",
			system: func(r *run) harness.SystemOptions { return r.crashing(nil, r.readingBodies()) },
			breaks: func(r *run) {
				for range 3 {
					r.createLarge()
				}
				r.create(9)
			},
		},
	}
}

// manyJobs is a system whose provider permits many jobs at a time.
func manyJobs(*run) harness.SystemOptions {
	return harness.SystemOptions{
		Receivers:     2,
		ManagerArgs:   []string{"--leader-elect=false"},
		SimulatorArgs: []string{"--submissions-per-second=60", "--reads-per-second=300"},
		Limits:        &v1alpha1.AccountLimits{SubmissionsPerSecond: ptr.To[int32](50), RequestsPerSecond: ptr.To[int32](250)},
	}
}

// runningLimit is how many jobs an account permits that permits few.
const runningLimit = 3

// fewAtATime is a system whose account permits few jobs at the provider at a time.
func fewAtATime(r *run) harness.SystemOptions {
	options := slowJobs(r)
	options.Limits = &v1alpha1.AccountLimits{RunningJobs: ptr.To[int32](runningLimit)}
	return options
}

// killAtRandom creates jobs in some batches, and kills one process after the other meanwhile.
func (r *run) killAtRandom(jobs, batches int) {
	r.Helper()
	kills := 0
	for range batches {
		r.create(jobs / batches)
		for range 2 + r.random.IntN(4) {
			r.wait(r.between(200*time.Millisecond, 900*time.Millisecond))
			r.must(pick(r, r.programs()...).Kill())
			kills++
		}
	}
	r.Logf("%d kills", kills)
}

// killWhileAttemptsFail is a scenario in which processes are killed while second attempts follow first ones. In its first runs the manager also
// kills itself in the middle of a submission, unless it was killed before.
func killWhileAttemptsFail(name, how string, unnotified bool) scenario {
	return scenario{
		name: name, fault: "manager and receivers killed at random, attempts that fail",
		story: "first attempts are rejected for a reason that may pass, or vanish; every few hundred milliseconds a manager or a receiver gets " +
			"SIGKILL, and the manager kills itself between the steps of submissions; " + how,
		system: func(r *run) harness.SystemOptions {
			var points []crashpoint.Point
			for range 3 {
				points = append(points, crashpoint.Claimed, crashpoint.TakenUp, crashpoint.LastBytes, crashpoint.Accepted, crashpoint.Recorded)
			}
			options := slowJobs(r)
			options.ManagerRuns = map[int][]string{0: r.eachOnce(points)}
			options.Unnotified = unnotified
			return options
		},
		breaks:   (*run).failAttemptsAndKill,
		attempts: 2,
		checks:   (*run).checkSecondAttempts,
	}
}

// failAttemptsAndKill has first attempts fail, and kills processes while they do, and while second ones follow. The faults end by themselves:
// there are no more first attempts.
func (r *run) failAttemptsAndKill() {
	r.Helper()
	batch := 8
	if r.small {
		batch = 4
	}
	// Those that vanish would run for three seconds.
	r.order(
		simulator.Fault{Kind: simulator.FaultDelete, Reference: firstAttempts, Count: batch, Delay: simulator.Duration(time.Second), Probability: 0.5},
		simulator.Fault{Kind: simulator.FaultReject, Reference: firstAttempts, Count: 2 * batch, Message: "internal server error", Probability: 0.8},
	)
	r.killAtRandom(3*batch, 3)
	for range 16 {
		r.wait(r.between(200*time.Millisecond, 1500*time.Millisecond))
		r.must(pick(r, r.programs()...).Kill())
	}
}

// checkSecondAttempts: some second attempts followed first ones that had vanished, and some those that were rejected. (That they were justified,
// and that none is the end of its job, is checked after every run.)
func (r *run) checkSecondAttempts(f *facts) {
	r.Helper()
	paid := f.byAttempt()
	vanished, rejected := 0, 0
	for of, entries := range paid {
		switch {
		case of.attempt != 1 || len(paid[attemptOf{of.uid, 2}]) == 0:
		case entries[0].DeletedBy == simulator.RemoverFault:
			vanished++
		default:
			rejected++
		}
	}
	r.Logf("second attempts: %d after the first had vanished, %d after it was rejected", vanished, rejected)
	if vanished == 0 || rejected == 0 {
		r.Errorf("%d second attempts followed those that had vanished, and %d those that were rejected, want some of each", vanished, rejected)
	}
}

// deleteAndKill deletes every object at some moment, and kills the manager meanwhile.
func (r *run) deleteAndKill() {
	r.Helper()
	left := r.create(20)
	r.random.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	for batch := range slices.Chunk(left, 4) {
		r.wait(r.between(200*time.Millisecond, 900*time.Millisecond))
		for _, j := range batch {
			r.delete(j)
		}
		r.must(pick(r, r.system.Managers...).Kill())
	}
}

// deleteDoneAndKill deletes objects whose jobs are done before anybody has noticed, and kills the manager meanwhile.
func (r *run) deleteDoneAndKill() {
	r.Helper()
	r.order(simulator.Fault{Kind: simulator.FaultNotificationLost})
	jobs := r.create(16)
	r.eventually(patience, "every job has ended at the provider", func() (string, error) {
		ledger, err := r.system.API.Ledger(r.ctx)
		ended := 0
		for _, entry := range ledger {
			if !entry.EndedAt.IsZero() {
				ended++
			}
		}
		if ended < len(jobs) {
			return fmt.Sprintf("%d of %d have", ended, len(jobs)), err
		}
		return "", err
	})
	for batch := range slices.Chunk(jobs, 4) {
		for _, j := range batch {
			r.delete(j)
		}
		r.must(pick(r, r.system.Managers...).Kill())
		r.wait(r.between(200*time.Millisecond, 900*time.Millisecond))
	}
	r.order()
}

// readingBodies orders that the receiver is killed after some pieces of bodies, again and again.
func (r *run) readingBodies() []string {
	runs := make([]string, 0, 8)
	for range cap(runs) {
		runs = append(runs, crashpointVariable+"="+order(crashpoint.ReadingBody, 2+r.random.IntN(100), "kill"))
	}
	return runs
}

// programs are the managers and receivers.
func (r *run) programs() []*harness.Program {
	return slices.Concat(r.system.Managers, r.system.Receivers)
}
