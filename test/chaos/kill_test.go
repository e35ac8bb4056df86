// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"time"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

// killScenarios kill processes.
func killScenarios() []scenario {
	return []scenario{
		{
			name: "kill-at-random", fault: "manager and receivers killed at random",
			story: "every few hundred milliseconds a manager or a receiver gets SIGKILL, whatever it does",
			short: 1,
			breaks: func(r *run) {
				jobs := 24
				if *duration > 0 {
					jobs = 60
				}
				r.killAtRandom(jobs, 4)
			},
		},
	}
}

// killAtRandom creates jobs in some batches, and kills one process after the other until all of them are at the provider or beyond.
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

// programs are the managers and receivers.
func (r *run) programs() []*harness.Program {
	return append(append([]*harness.Program{}, r.system.Managers...), r.system.Receivers...)
}
