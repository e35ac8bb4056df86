// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import "time"

// leakScenarios break nothing, and look for what jobs leave behind in the processes.
func leakScenarios() []scenario {
	return []scenario{{
		name: "nothing-broken", fault: "nothing, twice",
		story:  "jobs finish undisturbed, and as many once more, in the same processes",
		system: manyJobs,
		breaks: (*run).loadTwice,
	}}
}

// loadTwice has jobs finish, and as many again. What the first ones needed is there for the second ones, so that a goroutine more for every
// second job is one that a job leaves behind; the slack is for what comes and goes.
func (r *run) loadTwice() {
	r.Helper()
	jobs := 3 * goroutineSlack
	var before map[string]float64
	for range 2 {
		r.create(jobs)
		r.untilFinished()
		r.eventually(patience, "all is done for every job", func() (string, error) { return r.unfinished(isSettled) })
		r.wait(time.Second) // for what the last ones began
		now := r.goroutinesAtRest()
		for role, had := range before {
			if now[role] > had+goroutineSlack/2 {
				r.Errorf("a %s had %.0f goroutines after %d jobs, and has %.0f after as many again", role, had, jobs, now[role])
			}
		}
		before = now
	}
}
