// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// TestProgramsKnowTheirFlags starts each program with the arguments of each of its containers, and --help after them: it gets there
// only if it knows every flag and can read every value.
func TestProgramsKnowTheirFlags(t *testing.T) {
	build(t)
	for _, kustomization := range []string{"transcripts-volume", "one-namespace", "public-ingress"} {
		for _, deployment := range all[appsv1.Deployment](t, render(t, "config/overlays/"+kustomization), "Deployment") {
			pod := deployment.Spec.Template.Spec
			for _, container := range append(pod.InitContainers, pod.Containers...) {
				t.Run(kustomization+"/"+container.Name, func(t *testing.T) {
					run(t, filepath.Join(programs, container.Image), append(container.Args, "--help")...)
				})
			}
		}
	}
}

// programs is the folder of the programs, when they were built.
var programs string

// build builds the programs, once, as `make build` does, whose compiled packages are then used. It returns their folder.
func build(t *testing.T) string {
	t.Helper()
	if programs == "" {
		folder, err := os.MkdirTemp("", "programs-") //nolint:usetesting // It outlives the test that is the first to need it.
		if err != nil {
			t.Fatal(err)
		}
		programs = folder
		run(t, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-buildvcs=false", "-o", folder, "./cmd/manager", "./cmd/webhook-receiver")
	}
	return programs
}
