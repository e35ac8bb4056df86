// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Tag is the build tag of programs that obey crash points.
const Tag = "chaos"

// Programs are the executables that are run.
type Programs struct {
	Manager, Receiver, Simulator string
	// Etcd and APIServer are found in $KUBEBUILDER_ASSETS.
	Etcd, APIServer string
}

// Build builds the programs into a folder, with a build tag unless it is empty, and finds those of the control plane.
func Build(ctx context.Context, dir, tag string) (Programs, error) {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		return Programs{}, fmt.Errorf("KUBEBUILDER_ASSETS is not set; run `make test`, or export KUBEBUILDER_ASSETS=$(hack/control-plane.sh)")
	}
	// The flags are those of the Makefile, so that the compiler's cache serves both.
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", dir + string(filepath.Separator)}
	if tag != "" {
		args = append(args, "-tags", tag)
	}
	args = append(args, "./cmd/manager", "./cmd/webhook-receiver", "./cmd/speechmatics-simulator")
	build := exec.CommandContext(ctx, "go", args...) //nolint:gosec // fixed arguments
	build.Dir = Root()
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	var output bytes.Buffer
	build.Stdout, build.Stderr = &output, &output
	if err := build.Run(); err != nil {
		return Programs{}, fmt.Errorf("cannot build the programs: %w\n%s", err, &output)
	}
	return Programs{
		Manager:   filepath.Join(dir, "manager"),
		Receiver:  filepath.Join(dir, "webhook-receiver"),
		Simulator: filepath.Join(dir, "speechmatics-simulator"),
		Etcd:      filepath.Join(assets, "etcd"),
		APIServer: filepath.Join(assets, "kube-apiserver"),
	}, nil
}

// Root is the folder of the repository's root.
func Root() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("harness: the caller's file is unknown")
	}
	return filepath.Join(filepath.Dir(file), "..", "..")
}
