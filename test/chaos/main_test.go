// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

var (
	duration = flag.Duration("chaos.duration", 0, "how long to go on: every scenario is run at least once, and then they are run in random order; 0 runs the short form, or the scenarios of -chaos.only once")
	seed     = flag.Uint64("chaos.seed", 0, "what all choices follow from; 0 takes 1 for the short form, and any for the rest")
	only     = flag.String("chaos.only", "", "regular expression: the scenarios that are run")
	small    = flag.Bool("chaos.small", false, "the scenarios of -chaos.only are of the size of the short form")
	lanes    = flag.Int("chaos.lanes", 4, "how many runs there are at a time")
	report   = flag.String("chaos.report", "", "file for the table, as Markdown; beside it, as JSON, all runs")
	keep     = flag.Bool("chaos.keep", false, "keep logs and files of runs that passed")
)

const (
	// buildTimeout bounds the build of the programs, with a compiler's cache that may be empty.
	buildTimeout = 15 * time.Minute
	// startTimeout bounds the start of the control plane.
	startTimeout = 2 * time.Minute
)

var (
	// programs are what is run.
	programs harness.Programs
	// cluster is the control plane that all runs share.
	cluster *harness.Cluster
)

func TestMain(m *testing.M) {
	flag.Parse()
	logf.SetLogger(logr.Discard()) // what the tests' own client has to say
	if listing := flag.Lookup("test.list"); listing != nil && listing.Value.String() != "" {
		os.Exit(m.Run())
	}
	code, err := runWithCluster(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// runWithCluster starts the control plane, runs the tests and stops it. What it leaves of a failure is said.
func runWithCluster(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "chaos-")
	if err != nil {
		return 1, err
	}
	defer func() {
		if code == 0 && err == nil && !*keep {
			err = os.RemoveAll(dir)
			return
		}
		fmt.Fprintln(os.Stderr, "chaos: logs and files are in", dir)
	}()
	building, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	if programs, err = harness.Build(building, dir, harness.Tag); err != nil {
		return 1, err
	}
	starting, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if cluster, err = harness.StartCluster(starting, dir, programs); err != nil {
		return 1, err
	}
	code = m.Run()
	return code, cluster.Close()
}

// TestChaos runs the scenarios. It fails if a check of a run does, and prints how to repeat that run.
func TestChaos(t *testing.T) {
	chosen, err := choose(scenarios(), *only)
	if err != nil {
		t.Fatal(err)
	}
	master := *seed
	if master == 0 {
		master = 1
		if *duration > 0 {
			master = uint64(time.Now().UnixNano())
		}
	}
	t.Logf("seed %d", master)
	results := &results{}
	var exclusive sync.RWMutex
	var workers sync.WaitGroup
	plan := newPlan(chosen, master, *duration, formOf(*duration, *only, *small))
	for range *lanes {
		workers.Go(func() {
			for {
				next, ok := plan.next()
				if !ok {
					return
				}
				alone := exclusive.RLocker()
				if next.scenario.exclusive {
					alone = &exclusive
				}
				alone.Lock()
				t.Run(next.scenario.name, func(t *testing.T) { execute(t, next, results) })
				alone.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("%s", results.table())
	complain := t.Logf
	if *duration > 0 && *only == "" {
		complain = t.Errorf // a run of all scenarios is to prove it for each
	}
	if unpassed := results.unpassed(); len(unpassed) > 0 {
		complain("points at which nothing has crashed: %q", unpassed)
	}
	if unhappened := results.unhappened(); len(unhappened) > 0 {
		complain("faults that were ordered, and have not happened: %q", unhappened)
	}
	if err := results.write(*report); err != nil {
		t.Error(err)
	}
}
