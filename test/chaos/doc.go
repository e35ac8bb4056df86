// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package chaos breaks the whole system, by processes, connections and answers, and checks afterwards that nothing was paid for twice and
// nothing is lost. It is a test and nothing else: see docs/chaos.md.
//
// A scenario says what is broken. A run is a scenario with a seed, from which all of its choices follow; it has a system of its own
// (package harness), whose control plane all runs share. After each run, all checks are made (verify_test.go), and at the end there is a
// table. `go test` runs a short form; `make chaos DURATION=30m` all of it.
package chaos
