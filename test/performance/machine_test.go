// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"k8s.io/client-go/discovery"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

// about is what the figures depend on.
type about struct {
	CPU        string `json:"cpu"`
	CPUs       int    `json:"cpus"`
	Memory     string `json:"memory"`
	Kernel     string `json:"kernel"`
	FileSystem string `json:"fileSystem"`
	Go         string `json:"go"`
	Kubernetes string `json:"kubernetes"`
	Etcd       string `json:"etcd"`
	Commit     string `json:"commit"`
}

func (a about) String() string {
	return fmt.Sprintf("Measured on %d × %s, %s of memory, %s, %s; Kubernetes %s, etcd %s, %s; commit %s.\n",
		a.CPUs, a.CPU, a.Memory, a.Kernel, a.FileSystem, a.Kubernetes, a.Etcd, a.Go, a.Commit)
}

// machine finds out on what is measured.
func machine(ctx context.Context, b *bench) (about, error) {
	client, err := discovery.NewDiscoveryClientForConfig(b.cluster.Config)
	if err != nil {
		return about{}, err
	}
	version, err := client.ServerVersion()
	if err != nil {
		return about{}, err
	}
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	meminfo, err2 := os.ReadFile("/proc/meminfo")
	kernel, err3 := os.ReadFile("/proc/sys/kernel/osrelease")
	if err := errors.Join(err, err2, err3); err != nil {
		return about{}, fmt.Errorf("the bench runs on Linux only: %w", err)
	}
	assets := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "etcd")
	return about{
		CPU: first(`(?m)^model name\s*: (.*)$`, string(cpuinfo)), CPUs: runtime.NumCPU(),
		Memory: first(`(?m)^MemTotal:\s*(.*)$`, string(meminfo)), Kernel: "Linux " + strings.TrimSpace(string(kernel)),
		FileSystem: first(`(\S+)\s*$`, said(ctx, "stat", "-f", "-c", "%T", b.dir)),
		Go:         runtime.Version(), Kubernetes: version.GitVersion, Etcd: first(`etcd Version: (\S+)`, said(ctx, assets, "--version")),
		Commit: first(`(\S+)`, said(ctx, "git", "-C", harness.Root(), "describe", "--always", "--dirty")),
	}, nil
}

// said is what a command says; empty if it cannot be run, which is no reason not to measure.
func said(ctx context.Context, name string, args ...string) string {
	output, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return ""
	}
	return string(output)
}

// first is the first group of an expression in a text.
func first(expression, text string) string {
	if found := regexp.MustCompile(expression).FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return "unknown"
}
