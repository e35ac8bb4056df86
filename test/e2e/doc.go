// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package e2e installs the operator into a real cluster, with the simulator as a pod in the provider's place, and has it transcribe while
// pods are rolled and killed, keys rotated, and versions upgraded.
//
//	make test-e2e     # starts a cluster, builds and loads the images, runs the tests, and removes the cluster
//
// docs/e2e.md says what is shown, what is not, and how to run it against a cluster that is there already.
package e2e
