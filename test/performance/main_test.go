// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

var (
	full     = flag.Bool("performance.full", false, "run the scenarios, and not the small form")
	which    = flag.String("performance.scenario", "", "regular expression: the scenarios that are run; empty means all")
	times    = flag.Int("performance.runs", 0, "how often each is run; 0 is what scenarios.yaml says")
	output   = flag.String("performance.output", "", "folder for results.json; what it has of scenarios that are not run stays")
	document = flag.String("performance.document", "", "Markdown file whose table is replaced")
	profiles = flag.Bool("performance.profiles", false, "take CPU and heap profiles of manager and receiver while a scenario runs, into -performance.output")
	peers    = flag.String("performance.peers", "", "folder with kwok and kube-controller-manager; see hack/kwok.sh")
	keep     = flag.Bool("performance.keep", false, "keep logs and files")
)

const (
	// buildTimeout bounds the build of the programs, with a compiler's cache that may be empty.
	buildTimeout = 15 * time.Minute
	// startTimeout bounds the start of the control plane.
	startTimeout = 2 * time.Minute
)

// profilingTag is the build tag of programs that can be profiled.
const profilingTag = "profiling"

func TestMain(m *testing.M) {
	flag.Parse()
	logf.SetLogger(logr.Discard()) // what the bench's own client has to say
	os.Exit(m.Run())
}

// newBench builds the programs and starts a control plane, which end with the test.
func newBench(t *testing.T) *bench {
	t.Helper()
	dir, err := os.MkdirTemp("", "performance-") //nolint:usetesting // it stays if the test fails
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() || *keep {
			t.Log("logs and files are in", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	tag := ""
	if *profiles {
		tag = profilingTag
	}
	building, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	programs, err := harness.Build(building, dir, tag)
	if err != nil {
		t.Fatal(err)
	}
	starting, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	audit := filepath.Join(dir, "audit.log")
	cluster, err := harness.StartClusterWith(starting, dir, programs, harness.ClusterOptions{Durable: true, AuditLog: audit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{cluster: cluster, dir: dir, audit: audit}
}

// bench is what scenarios are run with.
type bench struct {
	cluster *harness.Cluster
	dir     string
	// audit is the API server's audit log.
	audit string
	runs  int
}

// name makes a name for a run, good for a namespace.
func (b *bench) name() string {
	b.runs++
	return fmt.Sprintf("bench-%d", b.runs)
}
