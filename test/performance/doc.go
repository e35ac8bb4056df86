// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package performance measures the whole system, as processes on this machine: what a job costs, and how that grows.
//
// What is measured, with which inputs and against which thresholds, is in scenarios.yaml. `make bench` runs all of it, some of it with
// SCENARIO=…, and writes build/bench/results.json and the table of docs/performance.md. TestCounts is the small form, which runs in
// `make test`: it guards what does not depend on the machine.
//
// The control plane is a real one, with an etcd that waits for the disk, and nothing stands between the programs. What is
// written is counted from the API server's audit log, and what reaches the provider by the provider.
package performance
