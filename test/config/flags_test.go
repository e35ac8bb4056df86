// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// TestProgramsKnowTheirFlags starts each program with the Deployment's arguments, and --help after them: it gets there
// only if it knows every flag and can read every value.
func TestProgramsKnowTheirFlags(t *testing.T) {
	for _, deployment := range all[appsv1.Deployment](t, render(t, "config/overlays/transcripts-volume"), "Deployment") {
		container := deployment.Spec.Template.Spec.Containers[0]
		t.Run(container.Name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), container.Name)
			// Built as `make build` does, whose compiled packages are then used.
			run(t, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-buildvcs=false", "-o", program, "./cmd/"+container.Name)
			run(t, program, append(container.Args, "--help")...)
		})
	}
}
