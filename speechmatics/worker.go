// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// maxWorkerBytes bounds what a worker tells about itself.
const maxWorkerBytes = 1 << 20

// WorkerCapacity is what a [Worker] has to do.
type WorkerCapacity struct {
	// MaxEngines is how many engines it has.
	MaxEngines int
	// UnusedEngines is how many of them are free: the most that ProcessingData.ParallelEngines may ask for now.
	UnusedEngines int
	// ActiveJobs are the jobs that are being processed.
	ActiveJobs []ActiveJob
}

// ActiveJob is a job that a worker processes.
type ActiveJob struct {
	// ID identifies the job.
	ID string
	// ParallelEngines is the number of engines that it uses.
	ParallelEngines int
}

// WorkerReadiness is whether a [Worker] can take a job now.
type WorkerReadiness struct {
	// Ready means that an engine is free.
	Ready bool
	// EnginesUsed is how many are not.
	EnginesUsed int
}

const needsWorker = "use WithBackend(Worker) if it is one"

// WorkerCapacity asks a worker how many engines it has and what they do: GET /jobs, beside version 2 of the API.
func (c *Client) WorkerCapacity(ctx context.Context) (*WorkerCapacity, error) {
	call, err := c.workerCall(opWorkerCapacity, "jobs")
	if err != nil {
		return nil, err
	}
	capacity := &WorkerCapacity{}
	if _, err := c.readJSON(ctx, call, maxWorkerBytes, capacity); err != nil {
		return nil, err
	}
	return capacity, nil
}

// WorkerReady asks a worker whether it can take a job now: GET /ready, beside version 2 of the API. That it cannot, which it says
// with 503, is an answer and not an error.
func (c *Client) WorkerReady(ctx context.Context) (*WorkerReadiness, error) {
	call, err := c.workerCall(opWorkerReady, "ready")
	if err != nil {
		return nil, err
	}
	call.accepts = http.StatusServiceUnavailable
	readiness := &WorkerReadiness{}
	if _, err := c.readJSON(ctx, call, maxWorkerBytes, readiness); err != nil {
		return nil, err
	}
	return readiness, nil
}

// workerCall returns a call to what a worker has beside version 2 of the API.
func (c *Client) workerCall(operation, path string) (*call, error) {
	if err := c.require(c.backend == Worker, operation, "this address", needsWorker); err != nil {
		return nil, err
	}
	root, ok := strings.CutSuffix(c.base, "/v2")
	if !ok {
		return nil, &InvalidError{Operation: operation, Field: "base URL", Problem: "does not end in /v2, so that what is beside it cannot be found"}
	}
	return &call{operation: operation, method: http.MethodGet, root: root, segments: []string{path}}, nil
}

// UnmarshalJSON reads {"active_jobs": [{"job_id", "parallel_engines"}], "max_engines", "unused_engines"}. Without the numbers it is an
// error: 0 engines must be said, not assumed.
func (w *WorkerCapacity) UnmarshalJSON(data []byte) error {
	members := membersOf(data)
	var read WorkerCapacity
	var err error
	if read.MaxEngines, err = countOf(members, "max_engines"); err != nil {
		return err
	}
	if read.UnusedEngines, err = countOf(members, "unused_engines"); err != nil {
		return err
	}
	for _, item := range listOf(members["active_jobs"]) {
		job := membersOf(item)
		engines, _ := countOf(job, "parallel_engines")
		if id := textOf(job["job_id"]); id != "" {
			read.ActiveJobs = append(read.ActiveJobs, ActiveJob{ID: id, ParallelEngines: engines})
		}
	}
	*w = read
	return nil
}

// UnmarshalJSON reads {"ready", "engines_used"}. Without the first it is an error: something else than a worker has answered.
func (w *WorkerReadiness) UnmarshalJSON(data []byte) error {
	members := membersOf(data)
	var ready *bool
	if json.Unmarshal(members["ready"], &ready) != nil || ready == nil {
		return errors.New(`it does not say whether it is "ready"`)
	}
	used, _ := countOf(members, "engines_used")
	*w = WorkerReadiness{Ready: *ready, EnginesUsed: used}
	return nil
}

// countOf reads a number of things.
func countOf(members map[string]json.RawMessage, name string) (int, error) {
	count, err := strconv.ParseInt(textOf(members[name]), 10, 32)
	if err != nil || count < 0 {
		return 0, errors.New("it has no number " + strconv.Quote(name))
	}
	return int(count), nil
}
