// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	programmetrics "github.com/transcription-operator/transcription-operator/internal/metrics"
)

// States of a job, coarser than its reason.
const (
	statePending   = "pending"
	stateSuspended = "suspended"
	stateRunning   = "running"
	stateStalled   = "stalled"
	stateComplete  = "complete"
	stateFailed    = "failed"
	stateDeleting  = "deleting"
)

var jobStates = []string{statePending, stateSuspended, stateRunning, stateStalled, stateComplete, stateFailed, stateDeleting}

// census counts the jobs that there are, as the cache sees them. It follows the cache's changes, so that a scrape does not cost a look at every
// job. It is a manager.Runnable, which runs while the manager leads: all managers have a cache, and if all told, each job would be there once a
// manager.
type census struct {
	cache cache.Cache
	desc  *prometheus.Desc

	mu sync.Mutex
	// counting means that all jobs are known.
	counting bool
	jobs     map[types.NamespacedName]jobClass
	counts   map[jobClass]int
}

// jobClass is what jobs are counted by.
type jobClass struct{ state, reason string }

func newCensus(jobs cache.Cache) *census {
	c := &census{cache: jobs, jobs: map[types.NamespacedName]jobClass{}, counts: map[jobClass]int{}}
	d := c.description()
	c.desc = prometheus.NewDesc(programmetrics.Prefix+d.Name, d.Help, []string{labelState.Name, labelReason.Name}, nil)
	return c
}

func (c *census) description() programmetrics.Description {
	return programmetrics.Description{
		Name: "jobs", Type: programmetrics.TypeGauge,
		Help:   "TranscriptionJobs that there are. The leader alone tells.",
		Labels: []programmetrics.Label{labelState, labelReason},
	}
}

// Start counts until the context ends.
func (c *census) Start(ctx context.Context) error {
	informer, err := c.cache.GetInformer(ctx, &v1alpha1.TranscriptionJob{})
	if err != nil {
		return fmt.Errorf("cannot count the TranscriptionJobs: %w", err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    c.put,
		UpdateFunc: func(_, object any) { c.put(object) },
		DeleteFunc: c.remove,
	})
	if err != nil {
		return fmt.Errorf("cannot count the TranscriptionJobs: %w", err)
	}
	if toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		c.begin()
	}
	<-ctx.Done()
	return nil
}

// begin has the census tell: all jobs that there are have been counted.
func (c *census) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counting = true
}

// put counts a job that is new, or has changed.
func (c *census) put(object any) {
	job, ok := object.(*v1alpha1.TranscriptionJob)
	if !ok {
		return
	}
	name, class := client.ObjectKeyFromObject(job), classOf(job)
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, ok := c.jobs[name]; ok {
		c.counts[before]--
	}
	c.jobs[name] = class
	c.counts[class]++
}

// remove stops counting a job that is gone.
func (c *census) remove(object any) {
	if unseen, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
		object = unseen.Obj
	}
	job, ok := object.(*v1alpha1.TranscriptionJob)
	if !ok {
		return
	}
	name := client.ObjectKeyFromObject(job)
	c.mu.Lock()
	defer c.mu.Unlock()
	if class, ok := c.jobs[name]; ok {
		c.counts[class]--
		delete(c.jobs, name)
	}
}

// classOf tells what a job is counted as, by its status.
func classOf(job *v1alpha1.TranscriptionJob) jobClass {
	is := func(condition string) bool { return meta.IsStatusConditionTrue(job.Status.Conditions, condition) }
	class := jobClass{state: statePending}
	if ready := readyCondition(job.Status.Conditions); ready != nil {
		class.reason = ready.Reason
	}
	switch {
	case job.DeletionTimestamp != nil:
		class.state = stateDeleting
	case is(v1alpha1.ConditionComplete):
		class.state = stateComplete
	case is(v1alpha1.ConditionFailed):
		class.state = stateFailed
	case is(v1alpha1.ConditionStalled):
		class.state = stateStalled
	case is(v1alpha1.ConditionSuspended):
		class.state = stateSuspended
	case isRecorded(job):
		class.state = stateRunning
	}
	return class
}

// isRecorded reports whether the remote job of the present attempt is known.
func isRecorded(job *v1alpha1.TranscriptionJob) bool {
	return job.Status.RemoteJob != nil && valueOf(job.Status.RemoteJob.ID) != "" && valueOf(job.Status.Attempt) > valueOf(job.Status.FailedAttempts)
}

// Describe implements prometheus.Collector.
func (c *census) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- c.desc }

// Collect implements prometheus.Collector. What there were jobs of once is told as 0 when there are none, so that nobody takes the last number
// for the present one.
func (c *census) Collect(metrics chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.counting {
		return
	}
	for class, n := range c.counts {
		metrics <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(n), class.state, class.reason)
	}
}
