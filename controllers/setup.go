// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// CacheTransform is what the manager's cache leaves out of objects before it keeps them: who owns which field, which is more than half of a job that
// has finished. So what is read from the cache must not be written back as a whole; statuses are applied, and metadata patched by what differs.
func CacheTransform() toolscache.TransformFunc { return cache.TransformStripManagedFields() }

// SetupWithManager adds the reconcilers of jobs and accounts to a manager. Registry receives their metrics; nil means
// controller-runtime's.
func SetupWithManager(mgr ctrl.Manager, receiver *ReceiverClient, keys notification.KeySource, options Options, registry prometheus.Registerer) error {
	options = options.withDefaults()
	if err := options.validate(); err != nil {
		return fmt.Errorf("cannot set up the controllers: %w", err)
	}
	if registry == nil {
		registry = crmetrics.Registry
	}
	atRisk := newRisks()
	counting := newCensus(mgr.GetCache())
	if err := mgr.Add(counting); err != nil {
		return fmt.Errorf("cannot set up the count of jobs: %w", err)
	}
	counted, err := newMetrics(registry, atRisk, counting, options.MetricsByNamespace)
	if err != nil {
		return fmt.Errorf("cannot register metrics: %w", err)
	}
	shared := newProviders(mgr.GetAPIReader(), options)
	shared.active = func(ctx context.Context) (map[types.UID]activeJob, error) {
		return activeJobs(ctx, mgr.GetAPIReader(), options.WatchNamespaces)
	}
	shared.waited = counted.observeTurn
	jobs := &JobReconciler{
		client:    mgr.GetClient(),
		live:      mgr.GetAPIReader(),
		recorder:  mgr.GetEventRecorder("transcriptionjob-controller"),
		providers: shared,
		receiver:  receiver,
		keys:      keys,
		metrics:   counted,
		tracer:    options.Tracer,
		options:   options,
		rests:     newRests(),
		risks:     atRisk,
		tracker:   newTracker(options.Clock),
	}
	shared.observers.metrics, shared.observers.log = counted, mgr.GetLogger().WithName("observers")
	shared.observers.tell = jobs.wake
	if err := mgr.Add(shared.observers); err != nil {
		return fmt.Errorf("cannot set up the looks at running jobs: %w", err)
	}
	if err := jobs.setupWithManager(mgr); err != nil {
		return fmt.Errorf("cannot set up the controller of TranscriptionJobs: %w", err)
	}
	for kind, newObject := range options.accountKinds() {
		accounts := &AccountReconciler{
			client:    mgr.GetClient(),
			recorder:  mgr.GetEventRecorder("account-controller"),
			providers: shared,
			metrics:   counted,
			options:   options,
			kind:      kind,
			newObject: newObject,
			tracker:   newTracker(options.Clock),
		}
		if err := accounts.setupWithManager(mgr); err != nil {
			return fmt.Errorf("cannot set up the controller of %s objects: %w", kind, err)
		}
		orphans := newOrphanReconciler(jobs, mgr.GetEventRecorder("orphan-controller"), kind, newObject)
		if err := orphans.setupWithManager(mgr); err != nil {
			return fmt.Errorf("cannot set up the search for orphaned jobs of %s objects: %w", kind, err)
		}
	}
	return nil
}

// accountKinds are the kinds of account that jobs may use, and how to make a new object of each.
func (o Options) accountKinds() map[v1alpha1.AccountKind]func() v1alpha1.Account {
	kinds := map[v1alpha1.AccountKind]func() v1alpha1.Account{
		v1alpha1.NamespacedAccount: func() v1alpha1.Account { return &v1alpha1.SpeechmaticsAccount{} },
	}
	if !o.NoClusterAccounts {
		kinds[v1alpha1.ClusterAccount] = func() v1alpha1.Account { return &v1alpha1.ClusterSpeechmaticsAccount{} }
	}
	return kinds
}
