// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"time"

	"k8s.io/client-go/tools/leaderelection"
)

// timings are durations whose defaults suit the provider as it is documented and a usual cluster.
type timings struct {
	submissionWindow  time.Duration
	listLag           time.Duration
	clockSkew         time.Duration
	providerClockSkew time.Duration
	secretInterval    time.Duration
	retryInterval     time.Duration
	orphanInterval    time.Duration
	leaseDuration     time.Duration
	renewDeadline     time.Duration
	retryPeriod       time.Duration
}

// timingFlag is the flag of one of the timings.
type timingFlag struct {
	name              string
	value             *time.Duration
	fallback          time.Duration
	shortest, longest time.Duration
	usage             string
}

// flags are the flags of all timings. Each says when it is to be touched, since wrong ones cost money: one that is too short has a job
// submitted again that has only not appeared yet.
func (t *timings) flags() []timingFlag {
	return []timingFlag{
		{
			"submission-window", &t.submissionWindow, time.Minute, time.Second, time.Hour,
			"how long a submission may take until its last bytes; leave alone unless uploads of media take longer",
		},
		{
			"list-lag", &t.listLag, time.Minute, 100 * time.Millisecond, time.Hour,
			"how long a new job may be missing in the provider's list; leave alone unless the provider is known to be slower: below the truth, jobs are paid for twice",
		},
		{
			"clock-skew", &t.clockSkew, 10 * time.Second, 100 * time.Millisecond, time.Hour,
			"how far the clocks of the nodes that managers run on may be apart; leave alone unless they are not synchronised",
		},
		{
			"provider-clock-skew", &t.providerClockSkew, 10 * time.Minute, time.Second, 24 * time.Hour,
			"how far the provider's clock may be off; leave alone unless an installation on premises has a clock that is further off",
		},
		{
			"secret-interval", &t.secretInterval, 5 * time.Minute, time.Second, 24 * time.Hour,
			"how often an account's Secret is read again and its key tried; leave alone unless keys change often",
		},
		{
			"retry-interval", &t.retryInterval, 10 * time.Second, 100 * time.Millisecond, time.Hour,
			"how soon something is tried again that did not work, and the first wait after a failed attempt; leave alone unless for tests",
		},
		{
			"orphan-interval", &t.orphanInterval, time.Hour, time.Second, 7 * 24 * time.Hour,
			"how often the jobs of an account are searched for such whose TranscriptionJob is gone; leave alone unless orphans run up costs within an hour",
		},
		{
			"leader-elect-lease-duration", &t.leaseDuration, 15 * time.Second, time.Second, time.Hour,
			"how long a leader that is not heard of stays the leader; leave alone unless the API server is slow",
		},
		{
			"leader-elect-renew-deadline", &t.renewDeadline, 10 * time.Second, 500 * time.Millisecond, time.Hour,
			"how long a leader tries to stay it before it ends; leave alone unless --leader-elect-lease-duration changes, than which it must be shorter",
		},
		{
			"leader-elect-retry-period", &t.retryPeriod, 2 * time.Second, 100 * time.Millisecond, time.Hour,
			"how often the lease is tried to be renewed or won; leave alone unless --leader-elect-renew-deadline changes, than which it must be shorter",
		},
	}
}

// bind adds the flags to a set.
func (t *timings) bind(flags *flag.FlagSet) {
	for _, f := range t.flags() {
		flags.DurationVar(f.value, f.name, f.fallback, fmt.Sprintf("%s; %s to %s", f.usage, f.shortest, f.longest))
	}
}

// validate reports everything that is wrong at once.
func (t *timings) validate() error {
	var problems []error
	for _, f := range t.flags() {
		if *f.value < f.shortest || *f.value > f.longest {
			problems = append(problems, fmt.Errorf("--%s is %s; it must be between %s and %s", f.name, *f.value, f.shortest, f.longest))
		}
	}
	if t.leaseDuration <= t.renewDeadline {
		problems = append(problems, fmt.Errorf("--leader-elect-lease-duration is %s; it must be longer than --leader-elect-renew-deadline, which is %s", t.leaseDuration, t.renewDeadline))
	}
	if float64(t.renewDeadline) <= leaderelection.JitterFactor*float64(t.retryPeriod) {
		problems = append(problems, fmt.Errorf("--leader-elect-renew-deadline is %s; it must be longer than %g times --leader-elect-retry-period, which is %s",
			t.renewDeadline, leaderelection.JitterFactor, t.retryPeriod))
	}
	return errors.Join(problems...)
}
