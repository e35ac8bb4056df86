// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// result is what came of a run.
type result struct {
	Fault    string `json:"fault"`
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	Small    bool   `json:"small,omitempty"`
	Jobs     int    `json:"jobs"`
	// Duplicates are attempts that were paid for more than once without being detected, Surplus those that were detected.
	Duplicates int `json:"duplicates"`
	Surplus    int `json:"surplus"`
	// Lost are transcripts that the provider finished and that are not stored with the right bytes, and notifications that were
	// acknowledged and are not recorded.
	Lost int `json:"lost"`
	// Converged is the time from the end of the fault until every job had finished.
	Converged time.Duration `json:"convergedNanoseconds"`
	// Faults are how often each kind of those that the provider was ordered has happened.
	Faults map[simulator.FaultKind]int `json:"faults,omitempty"`
	// Crashes are the points at which programs have crashed, as ordered.
	Crashes []string `json:"crashes,omitempty"`
	Failed  bool     `json:"failed"`
}

// results are those of all runs.
type results struct {
	mu  sync.Mutex
	all []result
}

func (r *results) add(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// table has a row for each fault, in the order of the scenarios.
func (r *results) table() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows := map[string][]result{}
	for _, one := range r.all {
		rows[one.Fault] = append(rows[one.Fault], one)
	}
	var text strings.Builder
	text.WriteString("\n| fault | runs | failed | jobs | duplicates | surplus, deleted | lost | median, s | longest, s |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	var faults []string
	for _, s := range scenarios() {
		if !slices.Contains(faults, s.fault) && len(rows[s.fault]) > 0 {
			faults = append(faults, s.fault)
			text.WriteString(row(s.fault, rows[s.fault]))
		}
	}
	text.WriteString(row("**all**", r.all))
	return text.String()
}

// unpassed are the points at which nothing has crashed in all runs.
func (r *results) unpassed() []crashpoint.Point {
	r.mu.Lock()
	defer r.mu.Unlock()
	passed := map[crashpoint.Point]bool{}
	for _, one := range r.all {
		for _, crash := range one.Crashes {
			point, _, _ := strings.Cut(crash, ":")
			passed[crashpoint.Point(point)] = true
		}
	}
	return slices.DeleteFunc(slices.Concat(crashpoint.Manager(), crashpoint.Receiver()), func(p crashpoint.Point) bool { return passed[p] })
}

// unhappened are the kinds of faults that were ordered in some run, and have happened in none.
func (r *results) unhappened() []simulator.FaultKind {
	r.mu.Lock()
	defer r.mu.Unlock()
	sums := map[simulator.FaultKind]int{}
	for _, one := range r.all {
		for kind, n := range one.Faults {
			sums[kind] += n
		}
	}
	maps.DeleteFunc(sums, func(_ simulator.FaultKind, n int) bool { return n > 0 })
	return slices.Sorted(maps.Keys(sums))
}

// TestUnhappened: a kind counts as happened if it has in any run.
func TestUnhappened(t *testing.T) {
	happened := func(each map[simulator.FaultKind]int) result { return result{Faults: each} }
	r := results{all: []result{
		happened(nil),
		happened(map[simulator.FaultKind]int{simulator.FaultReject: 0, simulator.FaultDelete: 0, simulator.FaultError: 3}),
		happened(map[simulator.FaultKind]int{simulator.FaultReject: 1, simulator.FaultExpire: 0}),
	}}
	if got, want := r.unhappened(), []simulator.FaultKind{simulator.FaultDelete, simulator.FaultExpire}; !slices.Equal(got, want) {
		t.Errorf("%q have not happened, want %q", got, want)
	}
}

// row sums up runs. The times are those of runs that have passed: one that has failed may never have converged.
func row(fault string, runs []result) string {
	if len(runs) == 0 {
		return ""
	}
	var sum result
	var times []time.Duration
	failed := 0
	for _, one := range runs {
		sum.Jobs += one.Jobs
		sum.Duplicates += one.Duplicates
		sum.Surplus += one.Surplus
		sum.Lost += one.Lost
		if one.Failed {
			failed++
			continue
		}
		times = append(times, one.Converged)
	}
	median, longest := "–", "–"
	if slices.Sort(times); len(times) > 0 {
		median, longest = fmt.Sprintf("%.1f", times[len(times)/2].Seconds()), fmt.Sprintf("%.1f", times[len(times)-1].Seconds())
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %s | %s |\n",
		fault, len(runs), failed, sum.Jobs, sum.Duplicates, sum.Surplus, sum.Lost, median, longest)
}

// TestRow: what has failed is counted, and flatters no time.
func TestRow(t *testing.T) {
	passed := func(d time.Duration) result { return result{Jobs: 2, Converged: d} }
	failed := result{Jobs: 3, Lost: 1, Failed: true}
	for _, c := range []struct {
		runs []result
		want string
	}{
		{[]result{failed, passed(4 * time.Second), failed, passed(6 * time.Second), passed(5 * time.Second)}, "| x | 5 | 2 | 12 | 0 | 0 | 2 | 5.0 | 6.0 |\n"},
		{[]result{failed}, "| x | 1 | 1 | 3 | 0 | 0 | 1 | – | – |\n"},
		{nil, ""},
	} {
		if got := row("x", c.runs); got != c.want {
			t.Errorf("row %q, want %q", got, c.want)
		}
	}
}

// write writes the table and all runs to files, if one is named.
func (r *results) write(file string) error {
	if file == "" {
		return nil
	}
	if err := os.WriteFile(file, []byte(strings.TrimPrefix(r.table(), "\n")), 0o600); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all, err := json.MarshalIndent(r.all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(strings.TrimSuffix(file, ".md")+".json", append(all, '\n'), 0o600)
}
