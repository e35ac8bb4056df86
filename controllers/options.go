// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/clock"

	"github.com/transcription-operator/transcription-operator/internal/tracing"
)

// Options are what the reconcilers need to know. Zero values mean the defaults.
type Options struct {
	// Clock is the time. The default is the real one.
	Clock clock.WithDelayedExecution
	// Namespace is the manager's own: the Secrets of ClusterSpeechmaticsAccounts live there.
	Namespace string
	// CallbackURL is the public base URL of the webhook receiver. Empty means that no notification is asked for unless
	// the account names an address.
	CallbackURL string
	// AllowedBaseURLs are the base URLs that namespaced accounts may use besides the regions.
	AllowedBaseURLs []string
	// AllowPrivateAddresses permits connections to loopback, private and link-local addresses.
	AllowPrivateAddresses bool
	// PollInterval is how often a running job is looked at where no notification is expected. Default 30 s.
	PollInterval time.Duration
	// SubmissionWindow is how long a claim permits its submission to take: past it, the request's last bytes do not go
	// out. Default 60 s.
	SubmissionWindow time.Duration
	// ListLag is how long a new job may take to appear in the provider's list. It is not documented; default 60 s.
	ListLag time.Duration
	// SearchTimeout bounds one search of the provider's list, of however many pages. Default 5 min.
	SearchTimeout time.Duration
	// ClockSkew is how far the clocks of the cluster's nodes may be apart. Default 10 s.
	ClockSkew time.Duration
	// ProviderClockSkew is how far the provider's clock may be off. Default 10 min.
	ProviderClockSkew time.Duration
	// SecretInterval is how often an account's Secret is read again and its key tried. Default 5 min.
	SecretInterval time.Duration
	// RetryInterval is how soon a job looks again at something that a person has to put right, and the base of the
	// back-off after failed attempts. Default 10 s.
	RetryInterval time.Duration
	// OrphanInterval is how often the jobs of an account are searched for such whose object is gone. Default 1 h.
	OrphanInterval time.Duration
	// MaxConcurrentReconciles is how many jobs are worked on at a time. Default 16.
	MaxConcurrentReconciles int
	// MetricsByNamespace has what was spent counted by the jobs' namespaces, of which there may be many.
	MetricsByNamespace bool
	// Tracer makes the traces of jobs. The default, nil, makes none.
	Tracer *tracing.Tracer
	// WatchNamespaces are the namespaces whose jobs are worked on. Empty means all.
	WatchNamespaces []string
	// NoClusterAccounts means that jobs may use the SpeechmaticsAccounts of their own namespace alone. Then nothing is read outside of the
	// namespaces that have jobs, but Namespace.
	NoClusterAccounts bool
}

// minHands is how many workers may be busy with one host and key at a time, if there are enough.
const minHands = 8

// handsFor is how many workers may be busy with one host and key at a time: as many as are needed for a rate of submissions, which take
// less than a second each, and never more than half.
func (o Options) handsFor(submissionsPerSecond int) int {
	return max(1, min(max(minHands, submissionsPerSecond), o.MaxConcurrentReconciles/2))
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&o.PollInterval, 30 * time.Second},
		{&o.SubmissionWindow, time.Minute},
		{&o.ListLag, time.Minute},
		{&o.SearchTimeout, 5 * time.Minute},
		{&o.ClockSkew, 10 * time.Second},
		{&o.ProviderClockSkew, 10 * time.Minute},
		{&o.SecretInterval, 5 * time.Minute},
		{&o.RetryInterval, 10 * time.Second},
		{&o.OrphanInterval, time.Hour},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if o.MaxConcurrentReconciles == 0 {
		o.MaxConcurrentReconciles = 16
	}
	return o
}

// validate reports what cannot work.
func (o Options) validate() error {
	if o.Namespace == "" {
		return errors.New("the manager's own namespace is not known")
	}
	if o.PollInterval < 0 || o.SubmissionWindow < 0 || o.ListLag < 0 || o.SearchTimeout < 0 || o.ClockSkew < 0 || o.ProviderClockSkew < 0 || o.SecretInterval < 0 || o.RetryInterval < 0 || o.OrphanInterval < 0 {
		return fmt.Errorf("intervals must not be negative: %+v", o)
	}
	return nil
}
