// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// creators is how many objects are created at a time, unless that is paced: enough that the API server is never idle.
const creators = 16

// create creates objects, as fast as the API server takes them or as many a second as said.
func (b *bench) create(ctx context.Context, n int, perSecond float64, object func(int) client.Object) error {
	pace := rate.NewLimiter(rate.Inf, 1)
	if perSecond > 0 {
		pace.SetLimit(rate.Limit(perSecond))
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for i := range n {
		if err := pace.Wait(ctx); err != nil {
			return errors.Join(err, group.Wait())
		}
		group.Go(func() error { return b.cluster.Client.Create(ctx, object(i)) })
	}
	return group.Wait()
}

// drain creates a system's jobs, and waits until each is Complete. It returns when it began, and when each was seen to be.
func (b *bench) drain(ctx context.Context, system *harness.System, in inputs) (began time.Time, complete map[string]time.Time, err error) {
	watch, err := startWatch(ctx, b.cluster.Config, jobsPath(system), v1alpha1.ReasonComplete)
	if err != nil {
		return time.Time{}, nil, err
	}
	defer watch.close()
	began = time.Now()
	if err := b.create(ctx, in.Jobs, in.PerSecond, func(i int) client.Object { return newJob(system, i, in) }); err != nil {
		return time.Time{}, nil, err
	}
	complete, err = watch.await(ctx, in.Jobs)
	return began, complete, err
}

// spent is what a system's programs have used.
type spent struct {
	manager, receiver time.Duration
}

func spentBy(system *harness.System) (spent, error) {
	manager, err := cpuOf(system.Managers[0])
	receiver, err2 := cpuOf(system.Receivers[0])
	return spent{manager: manager, receiver: receiver}, errors.Join(err, err2)
}

// measureLoad has a system do its jobs, and measures what that costs.
func (b *bench) measureLoad(ctx context.Context, system *harness.System, in inputs, m *measures) (complete map[string]time.Time, err error) {
	mark, err := b.auditMark()
	if err != nil {
		return nil, err
	}
	before, err := spentBy(system)
	if err != nil {
		return nil, err
	}
	requests, err := system.API.Requests(ctx)
	if err != nil {
		return nil, err
	}
	profiled := b.profile(ctx, system)
	began, complete, err := b.drain(ctx, system, in)
	if err := errors.Join(err, profiled()); err != nil {
		return nil, err
	}
	var last time.Time
	for _, at := range complete {
		if at.After(last) {
			last = at
		}
	}
	jobs := float64(in.Jobs)
	m.add("jobs/s", jobs/last.Sub(began).Seconds(), "1/s")
	after, err := spentBy(system)
	if err != nil {
		return nil, err
	}
	if err := b.addTraffic(ctx, mark, system.Namespace, jobs, m); err != nil {
		return nil, err
	}
	now, err := system.API.Requests(ctx)
	if err != nil {
		return nil, err
	}
	m.add("provider requests per job", float64(now.Since(requests).Total())/jobs, "")
	m.add("requests that the provider refused", float64(now.Since(requests).Answered(429)), "")
	m.add("CPU s per 1000 jobs", 1000*(after.manager-before.manager+after.receiver-before.receiver).Seconds()/jobs, "s")
	m.add("of that, the manager's", 1000*(after.manager-before.manager).Seconds()/jobs, "s")
	if err := addMemory(system, m); err != nil {
		return nil, err
	}
	return complete, b.verify(ctx, system, in)
}

// addTraffic adds what was asked of the API server for each job.
func (b *bench) addTraffic(ctx context.Context, mark int64, namespace string, jobs float64, m *measures) error {
	seen, err := b.auditSince(ctx, mark, namespace)
	if err != nil {
		return err
	}
	m.add("writes per job", float64(total(seen.writes))/jobs, "")
	for _, key := range mostFirst(seen.writes) {
		m.add("writes per job: "+key, float64(seen.writes[key])/jobs, "")
	}
	m.add("reads per job", float64(total(seen.reads))/jobs, "")
	m.add("events per job", float64(seen.events)/jobs, "")
	return nil
}

// addMemory adds the peaks of the resident memory.
func addMemory(system *harness.System, m *measures) error {
	manager, err := memoryOf(system.Managers[0], peakLine)
	if err != nil {
		return err
	}
	receiver, err := memoryOf(system.Receivers[0], peakLine)
	if err != nil {
		return err
	}
	m.add("peak RSS", manager+receiver, "MB")
	m.add("of that, the manager's ", manager, "MB")
	return nil
}

// verify checks that what was measured is what was to be done: each job was submitted once, is complete, and has its transcript.
func (b *bench) verify(ctx context.Context, system *harness.System, in inputs) error {
	ledger, err := system.API.Ledger(ctx)
	if err != nil {
		return err
	}
	jobs := &v1alpha1.TranscriptionJobList{}
	configMaps := &corev1.ConfigMapList{}
	err = errors.Join(
		b.cluster.Client.List(ctx, jobs, client.InNamespace(system.Namespace)),
		b.cluster.Client.List(ctx, configMaps, client.InNamespace(system.Namespace)),
	)
	if err != nil {
		return err
	}
	stored := 0
	for _, job := range jobs.Items {
		if meta.IsStatusConditionTrue(job.Status.Conditions, v1alpha1.ConditionComplete) && len(job.Status.Transcripts) == 1 {
			stored++
		}
	}
	if len(ledger) != in.Jobs || stored != in.Jobs || (!in.Volume && len(configMaps.Items) != in.Jobs) {
		return fmt.Errorf("of %d jobs, %d were submitted, %d are complete, and there are %d ConfigMaps", in.Jobs, len(ledger), stored, len(configMaps.Items))
	}
	return nil
}
