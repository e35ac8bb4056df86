// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

const (
	// idleTime is how long a manager is watched that has nothing new to do.
	idleTime = time.Minute
	// restartTime is for how long requests are counted after a restart.
	restartTime = time.Minute
)

// many has jobs that run for long and jobs that have finished, and measures what they cost as they are, the first reconciliation of a new one among
// them, and a restart.
func many(ctx context.Context, b *bench, in inputs) (*measures, error) {
	system, err := b.startSystem(ctx, in)
	if err != nil {
		return nil, err
	}
	m := newMeasures()
	return m, errors.Join(b.measureMany(ctx, system, in, m), system.Close())
}

func (b *bench) measureMany(ctx context.Context, system *harness.System, in inputs, m *measures) error {
	if err := b.seedFinished(ctx, system, in.Finished); err != nil {
		return err
	}
	if err := b.seedRunning(ctx, system, in); err != nil {
		return err
	}
	cpu, requests, err := b.rest(ctx, system, idleTime)
	if err != nil {
		return err
	}
	m.add("idle CPU", 100*cpu.Seconds()/idleTime.Seconds(), "% of a core")
	m.add("idle provider requests/min", requests*60/idleTime.Seconds(), "1/min")
	if err := b.measureFirst(ctx, system, in.Finished+in.Running, m); err != nil {
		return err
	}
	if err := b.measureRestart(ctx, system, in, m); err != nil {
		return err
	}
	rss, err := memoryOf(system.Managers[0], peakLine)
	m.add("peak RSS after the restart", rss, "MB")
	return err
}

// seedFinished makes jobs that have finished, without a manager's work: only what their objects hold matters.
func (b *bench) seedFinished(ctx context.Context, system *harness.System, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for i := range n {
		group.Go(func() error {
			job := newJob(system, i, inputs{})
			if err := b.cluster.Client.Create(ctx, job); err != nil {
				return err
			}
			return b.finish(ctx, job)
		})
	}
	return group.Wait()
}

// finish writes the status of a job that is complete.
func (b *bench) finish(ctx context.Context, job *v1alpha1.TranscriptionJob) error {
	now := metav1.Now()
	status := &job.Status
	status.ObservedGeneration = ptr.To(job.Generation)
	for kind, is := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionReady: metav1.ConditionTrue, v1alpha1.ConditionComplete: metav1.ConditionTrue, v1alpha1.ConditionFinished: metav1.ConditionTrue,
		v1alpha1.ConditionFailed: metav1.ConditionFalse, v1alpha1.ConditionSuspended: metav1.ConditionFalse, v1alpha1.ConditionStalled: metav1.ConditionFalse,
		v1alpha1.ConditionFeaturesFailed: metav1.ConditionFalse, v1alpha1.ConditionTranscriptAtRisk: metav1.ConditionFalse,
	} {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: kind, Status: is, Reason: v1alpha1.ReasonComplete, Message: "txt stored in ConfigMap " + job.Name + "-txt", ObservedGeneration: job.Generation, LastTransitionTime: now,
		})
	}
	status.StartTime, status.CompletionTime = &now, &now
	status.Attempt, status.FailedAttempts = ptr.To[int32](1), ptr.To[int32](0)
	id := "fin" + job.Name[len("job-"):] + "x"
	status.RemoteJob = &v1alpha1.RemoteJob{ID: &id, BaseURL: ptr.To(systemURL), State: ptr.To(v1alpha1.RemoteDone), CreatedAt: &now, Language: ptr.To("en")}
	status.Notification = &v1alpha1.Notification{JobID: id, Attempt: 1, Outcome: v1alpha1.OutcomeSuccess, Source: v1alpha1.SourceCallback, ReceivedAt: now}
	status.Transcripts = []v1alpha1.StoredTranscript{{
		Format: v1alpha1.FormatText, Attempt: 1, JobID: id, Encoding: v1alpha1.EncodingIdentity, Parts: 1, Bytes: ptr.To[int64](2300),
		SHA256: fmt.Sprintf("%064x", len(job.Name)), ConfigMapRef: &v1alpha1.TranscriptConfigMapReference{Name: job.Name + "-txt", Key: "transcript.txt"},
	}}
	return b.cluster.Client.Status().Update(ctx, job)
}

// systemURL is where finished jobs were.
const systemURL = "https://eu1.asr.api.speechmatics.com/v2"

// seedRunning has jobs submitted.
func (b *bench) seedRunning(ctx context.Context, system *harness.System, in inputs) error {
	watch, err := startWatch(ctx, b.cluster.Config, jobsPath(system), v1alpha1.ReasonRunning)
	if err != nil {
		return err
	}
	defer watch.close()
	if err := b.create(ctx, in.Running, 0, func(i int) client.Object { return newJob(system, in.Finished+i, in) }); err != nil {
		return err
	}
	_, err = watch.await(ctx, in.Running)
	return err
}

// rest waits, and returns what the manager has used and asked of the provider meanwhile.
func (b *bench) rest(ctx context.Context, system *harness.System, d time.Duration) (cpu time.Duration, requests float64, err error) {
	before, err := cpuOf(system.Managers[0])
	if err != nil {
		return 0, 0, err
	}
	asked, err := system.API.Requests(ctx)
	if err != nil {
		return 0, 0, err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	after, err := cpuOf(system.Managers[0])
	if err != nil {
		return 0, 0, err
	}
	now, err := system.API.Requests(ctx)
	return after - before, float64(now.Since(asked).Total()), err
}

// measureFirst measures how soon a new job is worked on: until it is seen to be at the provider.
func (b *bench) measureFirst(ctx context.Context, system *harness.System, index int, m *measures) error {
	job := newJob(system, index, inputs{})
	began := time.Now()
	if err := b.cluster.Client.Create(ctx, job); err != nil {
		return err
	}
	for {
		if err := b.cluster.Client.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return err
		}
		if job.Status.RemoteJob != nil {
			m.add("a new job is submitted after", milliseconds(time.Since(began)), "ms")
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// measureRestart kills the manager, and measures how long it takes until a new job is submitted, and what the first minute costs the provider.
func (b *bench) measureRestart(ctx context.Context, system *harness.System, in inputs, m *measures) error {
	asked, err := system.API.Requests(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := system.Managers[0].Restart(); err != nil {
		return err
	}
	waited := newMeasures()
	if err := b.measureFirst(ctx, system, in.Finished+in.Running+1, waited); err != nil {
		return err
	}
	m.add("restart until a new job is submitted", time.Since(began).Seconds(), "s")
	if left := restartTime - time.Since(began); left > 0 {
		if _, _, err := b.rest(ctx, system, left); err != nil {
			return err
		}
	}
	now, err := system.API.Requests(ctx)
	m.add("provider requests in the first minute after", float64(now.Since(asked).Total()), "")
	return err
}
