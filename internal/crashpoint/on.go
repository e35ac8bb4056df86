// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package crashpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Variable is the environment variable that orders what happens.
const Variable = "TRANSCRIPTION_OPERATOR_CRASHPOINT"

// order says what is to happen at a point.
type order struct {
	pass   int64
	action string
	passed atomic.Int64
}

// orders are read when the first point is passed. A program whose orders make no sense does not go on, or the suite would believe that
// it had obeyed.
var orders = sync.OnceValue(func() map[Point][]*order {
	all, err := parse(os.Getenv(Variable))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", Variable, err)
		os.Exit(2)
	}
	return all
})

// parse reads orders.
func parse(text string) (map[Point][]*order, error) {
	all := map[Point][]*order{}
	if text == "" {
		return all, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		parts := strings.Split(item, ":")
		if len(parts) != 3 {
			return nil, fmt.Errorf("%q is not POINT:PASS:ACTION", item)
		}
		pass, err := strconv.ParseInt(parts[1], 10, 32)
		if err != nil || pass < 1 {
			return nil, fmt.Errorf("%q: the pass is no number from 1", item)
		}
		if parts[2] != "kill" && parts[2] != "power" && parts[2] != "stop" {
			return nil, fmt.Errorf("%q: the action is none of kill, power and stop", item)
		}
		all[Point(parts[0])] = append(all[Point(parts[0])], &order{pass: pass, action: parts[2]})
	}
	return all, nil
}

// At obeys what is ordered at a point.
func At(p Point) {
	for _, o := range orders()[p] {
		if o.passed.Add(1) == o.pass {
			o.obey(p)
		}
	}
}

// obey says what it does, for the suite to count, and does it.
func (o *order) obey(p Point) {
	if o.action == "power" {
		losePower()
	}
	fmt.Fprintf(os.Stderr, "crashpoint %s: %s\n", p, o.action)
	if o.action == "stop" {
		sent := time.Now()
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		// This thread may run on for a moment. When it is continued it goes on at once, before anything else in the process has noticed
		// that time has passed: that is the worst case.
		for time.Since(sent) < stopLatency {
		}
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // as above
}

// stopLatency is how long it takes at most until a process stands still. A stop lasts much longer.
const stopLatency = 5 * time.Millisecond

var (
	powerMu   sync.Mutex
	powerLoss []func()
)

// OnPowerLoss has something done when the power is to fail: whoever writes files takes back what is not synced.
func OnPowerLoss(f func()) {
	powerMu.Lock()
	defer powerMu.Unlock()
	powerLoss = append(powerLoss, f)
}

// losePower keeps the lock, so that nothing is written any more.
func losePower() {
	powerMu.Lock()
	for _, f := range powerLoss {
		f()
	}
}
