// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"bytes"
	_ "embed"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// full has the larger budgets checked, which takes minutes and some gigabytes of memory (make model).
var full = flag.Bool("model.full", false, "check the model with larger budgets, which takes minutes")

// submission is the model: embedded, so that go test notices when it changes.
//
//go:embed submission.pml
var submission []byte

// budgets bound what goes wrong in one run.
type budgets string

const (
	// none: nothing fails, but two managers are at work, and everything happens in any order.
	none budgets = "-DCRASHES=0 -DLOSSES=0 -DSLOW=0 -DSTALE=0"
	// loss: a request or an answer is lost.
	loss budgets = "-DCRASHES=0 -DLOSSES=1 -DSLOW=0 -DSTALE=0"
	// crash: one process dies, at any moment.
	crash budgets = "-DCRASHES=1 -DLOSSES=0 -DSLOW=0 -DSTALE=0"
	// crashAndLoss: a process dies, a request or an answer is lost, and each manager once goes by an old cache.
	crashAndLoss budgets = "-DCRASHES=1 -DLOSSES=1 -DSLOW=0 -DSTALE=1"
	// slow: a manager is stopped until its claim has expired.
	slow budgets = "-DCRASHES=0 -DLOSSES=0 -DSLOW=1 -DSTALE=0"
	// slowAndLoss: as slow, and a request or an answer is lost.
	slowAndLoss budgets = "-DCRASHES=0 -DLOSSES=1 -DSLOW=1 -DSTALE=0"
	// slowAndCrash: as slow, and a process dies.
	slowAndCrash budgets = "-DCRASHES=1 -DLOSSES=0 -DSLOW=1 -DSTALE=0"
	// all: everything at once.
	all budgets = "-DCRASHES=1 -DLOSSES=1 -DSLOW=1 -DSTALE=1"
)

// TestProtocol has every order of events tried, and finds none with a bad end.
func TestProtocol(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		variant string
		budgets budgets
		full    bool
	}{
		{name: "two managers, crash, loss", budgets: crashAndLoss},
		{name: "notifications, crash", variant: "-DNOTIFICATIONS", budgets: crash},
		{name: "deletion, crash", variant: "-DDELETION", budgets: crash},
		{name: "stopped before the fence", budgets: slow},
		{name: "pause at the last byte, loss", variant: "-DPAUSE", budgets: slowAndLoss},
		{name: "pause at the last byte, crash", variant: "-DPAUSE", budgets: slowAndCrash},

		{name: "everything but notifications and deletion", budgets: all, full: true},
		{name: "notifications, crash, loss", variant: "-DNOTIFICATIONS", budgets: crashAndLoss, full: true},
		{name: "deletion, crash, loss", variant: "-DDELETION", budgets: crashAndLoss, full: true},
		{name: "deletion, notifications, crash", variant: "-DDELETION -DNOTIFICATIONS", budgets: crash, full: true},
		{name: "deletion, notifications, loss", variant: "-DDELETION -DNOTIFICATIONS", budgets: loss, full: true},
		{name: "pause at the last byte, notifications", variant: "-DPAUSE -DNOTIFICATIONS", budgets: slow, full: true},
		{name: "pause at the last byte, deletion", variant: "-DPAUSE -DDELETION", budgets: slow, full: true},
		{name: "pause at the last byte, deletion, crash", variant: "-DPAUSE -DDELETION", budgets: slowAndCrash, full: true},
		{name: "pause at the last byte, deletion, loss", variant: "-DPAUSE -DDELETION", budgets: slowAndLoss, full: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			skipUnlessFull(t, tt.full)
			result := check(t, badEnds, "-O2", tt.budgets, tt.variant)
			if result.violation != "" {
				t.Errorf("there is an order of events with a bad end: %s", result.violation)
			}
		})
	}
}

// TestEveryRunEnds has no run go on for ever, whatever is scheduled: TestProtocol asks at the ends what has to happen eventually.
func TestEveryRunEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		variant string
		budgets budgets
		full    bool
	}{
		{name: "two managers, crash", budgets: crash},
		{name: "deletion", variant: "-DDELETION", budgets: none, full: true},
		{name: "two managers, crash, loss", budgets: crashAndLoss, full: true},
		{name: "deletion, crash", variant: "-DDELETION", budgets: crash, full: true},
		{name: "notifications, crash", variant: "-DNOTIFICATIONS", budgets: crash, full: true},
		{name: "pause at the last byte, loss", variant: "-DPAUSE", budgets: slowAndLoss, full: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			skipUnlessFull(t, tt.full)
			if result := check(t, cycles, "-O2", tt.budgets, tt.variant); result.violation != "" {
				t.Errorf("there is a run without an end: %s", result.violation)
			}
		})
	}
}

func skipUnlessFull(t *testing.T, large bool) {
	t.Helper()
	if large && !*full {
		t.Skip("takes too long for every day: make model")
	}
	t.Parallel()
}

// TestMutations takes one step of the protocol away at a time. Each has its counterexample, of the kind that the step prevents.
func TestMutations(t *testing.T) {
	t.Parallel()
	const (
		twice  = "<=1\\)"                  // two jobs for one attempt
		lost   = "durable\\[api.record\\]" // a transcript is lost
		forgot = "acknowledged"            // an acknowledged notification is forgotten
		dead   = "api.finished"            // a job does not end
		held   = "api.deleting"            // a finalizer is not removed
		unpaid = "kept\\["                 // a job is left at the provider for nobody
		answer = "answered"                // an answer is thrown away
		cycle  = "non-progress cycle"      // a run does not end
	)
	tests := []struct {
		mutation string
		variant  string
		budgets  budgets
		want     string
		full     bool
	}{
		{mutation: "NO_PRECONDITION", budgets: "-DCRASHES=0 -DLOSSES=0 -DSLOW=0 -DSTALE=1", want: twice},
		{mutation: "NO_FENCE", budgets: slow, want: twice},
		{mutation: "NO_LOOK", budgets: crash, want: twice},
		{mutation: "LOOK_EARLY", budgets: crash, want: twice},
		{mutation: "RECORD_ONCE", variant: "-DNOTIFICATIONS", budgets: none, want: answer},
		{mutation: "RECORD_BLIND", variant: "-DPAUSE", budgets: slow, want: lost},
		{mutation: "SURPLUS_FIRST", variant: "-DPAUSE", budgets: slowAndLoss, want: dead},
		{mutation: "SWEEP_EARLY", variant: "-DPAUSE", budgets: slowAndLoss, want: twice},
		{mutation: "FORGET_NOTES", variant: "-DPAUSE", budgets: slowAndLoss, want: twice},
		{mutation: "SEARCH_EARLY", variant: "-DPAUSE -DDELETION", budgets: slowAndLoss, want: unpaid, full: true},
		{mutation: "RECORD_UNREAD", budgets: crash, want: cycle},
		{mutation: "ACK_EARLY", variant: "-DNOTIFICATIONS", budgets: crash, want: forgot},
		{mutation: "STATUS_FIRST", variant: "-DNOTIFICATIONS", budgets: crash, want: lost},
		{mutation: "NO_FINALIZER", variant: "-DDELETION", budgets: none, want: unpaid},
		{mutation: "RELEASE_EARLY", variant: "-DDELETION", budgets: crash, want: unpaid},
		{mutation: "RELEASE_NEVER", variant: "-DDELETION", budgets: none, want: held},
	}
	for _, tt := range tests {
		t.Run(tt.mutation, func(t *testing.T) {
			skipUnlessFull(t, tt.full)
			what := badEnds
			if tt.want == cycle {
				what = cycles
			}
			result := check(t, what, "-O0", tt.budgets, tt.variant, "-D"+tt.mutation)
			if !regexp.MustCompile(tt.want).MatchString(result.violation) {
				t.Errorf("without that step, spin finds %q, want a violation of %s", result.violation, tt.want)
			}
		})
	}
}

// result is what spin found.
type result struct {
	// violation is the property that does not hold; empty if all do.
	violation string
	// states is how many states were explored, and seconds how long that took.
	states, seconds string
}

var (
	violated = regexp.MustCompile(`(?m)^pan:\d+: (.*) \(at depth`)
	explored = regexp.MustCompile(`(?m)^ *([0-9.e+]+) states, stored`)
	elapsed  = regexp.MustCompile(`(?m)elapsed time ([0-9.]+)`)
)

// search is what spin looks for: how its program is compiled and called.
type search struct{ compile, run []string }

var (
	// badEnds looks for assertions that do not hold, at the end of a run or before.
	badEnds = search{compile: []string{"-DSAFETY", "-DNOCLAIM"}}
	// cycles looks for runs without an end. The model has no states that are marked as progress, so that each cycle is one.
	cycles = search{compile: []string{"-DNP", "-DNOFAIR"}, run: []string{"-l"}}
)

// check has spin explore the model exhaustively, and prints how much that was. To optimize the search pays for long ones only.
func check(t *testing.T, what search, optimize string, b budgets, flags ...string) result {
	t.Helper()
	dir := t.TempDir()
	model := filepath.Join(dir, "submission.pml")
	if err := os.WriteFile(model, submission, 0o600); err != nil {
		t.Fatal(err)
	}
	defines := strings.Fields(string(b) + " " + strings.Join(flags, " "))
	run(t, dir, "spin", append(defines, "-a", model)...)
	run(t, dir, "cc", append(slices.Clone(what.compile), "-w", optimize, "-DCOLLAPSE", "-o", "pan", "pan.c")...)
	output := run(t, dir, "./pan", append(slices.Clone(what.run), "-m100000")...)
	for _, trouble := range []string{"max search depth too small", "out of memory", "Search not completed"} {
		if strings.Contains(output, trouble) && !violated.MatchString(output) {
			t.Fatalf("the search was not exhaustive: %s", output)
		}
	}
	found := result{
		violation: first(violated, output),
		states:    first(explored, output),
		seconds:   first(elapsed, output),
	}
	if found.states == "" {
		t.Fatalf("the search did not tell how much it explored: %s", output)
	}
	t.Logf("%s: %s states, %s s", t.Name(), found.states, found.seconds)
	return found
}

func first(pattern *regexp.Regexp, output string) string {
	match := pattern.FindStringSubmatch(output)
	if match == nil {
		return ""
	}
	return match[1]
}

// run runs a tool, and skips the test where there is none.
func run(t *testing.T, dir, name string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Dir = dir
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skipf("there is no %s here (apt-get install spin gcc libc6-dev)", name)
	}
	var exit *exec.ExitError
	if err != nil && (name != "./pan" || !errors.As(err, &exit)) { // pan exits with an error where it finds one
		t.Fatalf("%s: %v\n%s", name, err, output.String())
	}
	return output.String()
}
