// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"slices"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

// scenario is one way to break the system.
type scenario struct {
	// name is unique, fault the row of the table that the runs are counted in, story what happens in one line.
	name, fault, story string
	// short is how often it is run in the short form.
	short int
	// exclusive means that it breaks the control plane, so that nothing else may run meanwhile.
	exclusive bool

	// system says what the system consists of; nil means one manager, which needs no lease, and two receivers.
	system func(r *run) harness.SystemOptions
	// breaks creates the jobs and breaks the system. When it returns, everything that it broke is whole again, or will be by itself.
	breaks func(r *run)

	// endings are reasons of the condition Ready, besides Complete, with which the story justifies that a job ends or is held.
	endings []string
	// attempts is how many attempts the story justifies for one job; 0 means one.
	attempts int32
	// checks are made besides those that are made after every run.
	checks func(r *run, f *facts)
	// surplus means that an attempt may have had several remote jobs, if it was detected: all but one deleted, and counted.
	surplus bool
}

// scenarios are all of them, in the order of the table.
func scenarios() []scenario {
	return slices.Concat(
		crashpointScenarios(),
		wayScenarios(),
		killScenarios(),
		clusterScenarios(),
		providerScenarios(),
		notificationScenarios(),
		stormScenarios(),
		orphanScenarios(),
		leakScenarios(),
	)
}

// justifies reports whether a job may end, or be held, with a reason.
func (s *scenario) justifies(reason string) bool {
	return reason == "Complete" || slices.Contains(s.endings, reason)
}
