// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/controllers"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// copies is how many objects are kept to weigh one.
const copies = 1000

// cachedBytes is how much memory a finished job takes in the manager's cache, in bytes.
func (b *bench) cachedBytes(ctx context.Context, system *harness.System) (float64, error) {
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := b.cluster.Client.List(ctx, jobs, client.InNamespace(system.Namespace), client.Limit(1)); err != nil {
		return 0, err
	}
	if len(jobs.Items) == 0 {
		return 0, errors.New("there is no job to weigh")
	}
	cached, err := controllers.CacheTransform()(&jobs.Items[0])
	if err != nil {
		return 0, err
	}
	job, ok := cached.(*v1alpha1.TranscriptionJob)
	if !ok {
		return 0, fmt.Errorf("the cache would keep a %T", cached)
	}
	before := heap()
	kept := make([]*v1alpha1.TranscriptionJob, copies)
	for i := range kept {
		kept[i] = withOwnStrings(job)
	}
	bytes := float64(heap()-before) / copies
	runtime.KeepAlive(kept)
	return bytes, nil
}

// withOwnStrings copies a job as one is that was decoded: DeepCopy shares strings.
func withOwnStrings(job *v1alpha1.TranscriptionJob) *v1alpha1.TranscriptionJob {
	text, err := json.Marshal(job)
	own := &v1alpha1.TranscriptionJob{}
	if err := errors.Join(err, json.Unmarshal(text, own)); err != nil {
		panic(err) // it has just been decoded
	}
	return own
}

// heap is how much of the heap is in use after what is not needed any more was freed.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one's finalizers have freed
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
