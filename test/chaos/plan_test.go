// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// choose finds the scenarios whose name matches.
func choose(all []scenario, pattern string) ([]scenario, error) {
	expression, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("-chaos.only: %w", err)
	}
	var chosen []scenario
	for _, s := range all {
		if expression.MatchString(s.name) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("-chaos.only: no scenario has such a name")
	}
	return chosen, nil
}

// form says how much is run.
type form struct {
	// short means the runs of the short form, else each scenario once at least.
	short bool
	// small means runs of the size that they have in the short form.
	small bool
}

// formOf is the form that the flags ask for.
func formOf(d time.Duration, only string, small bool) form {
	short := d == 0 && only == ""
	return form{short: short, small: short || (d == 0 && small)}
}

// planned is a run that is to be. All choices of the run follow from it.
type planned struct {
	scenario scenario
	seed     uint64
	small    bool
}

// again is the command that repeats the run, and nothing else.
func (p planned) again() string {
	command := fmt.Sprintf("make chaos DURATION=0 SEED=%d ONLY='^%s$'", p.seed, p.scenario.name)
	if p.small {
		command += " SMALL=true"
	}
	return command
}

// plan says which runs follow one another.
type plan struct {
	mu       sync.Mutex
	runs     []planned // what is run in any case
	chosen   []scenario
	small    bool
	random   *rand.Rand
	deadline time.Time
}

// newPlan plans the short form, or every scenario once in random order and then any of them until the time is over. The first run of a
// scenario has the master seed itself, by which a run is repeated alone.
func newPlan(chosen []scenario, master uint64, d time.Duration, f form) *plan {
	p := &plan{chosen: chosen, small: f.small, random: rand.New(rand.NewPCG(master, master)), deadline: time.Now().Add(d)}
	for _, s := range chosen {
		runs := 1
		if f.short {
			runs = s.short
		}
		for i := range runs {
			p.runs = append(p.runs, planned{scenario: s, seed: master + uint64(i), small: f.small})
		}
	}
	if d > 0 {
		p.random.Shuffle(len(p.runs), func(i, j int) { p.runs[i], p.runs[j] = p.runs[j], p.runs[i] })
	} else { // whoever needs the control plane alone waits for all others once, and nobody for it
		slices.SortStableFunc(p.runs, func(a, b planned) int { return compareFalseFirst(a.scenario.exclusive, b.scenario.exclusive) })
	}
	return p
}

func compareFalseFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// next is the next run; false means that there is none.
func (p *plan) next() (planned, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.runs) > 0 {
		first := p.runs[0]
		p.runs = p.runs[1:]
		return first, true
	}
	if !time.Now().Before(p.deadline) {
		return planned{}, false
	}
	// A seed of 0 asks for any.
	return planned{scenario: p.chosen[p.random.IntN(len(p.chosen))], seed: max(1, p.random.Uint64()), small: p.small}, true
}

// TestAgain: the command that a failed run prints plans that run again: the same scenario, seed and size.
func TestAgain(t *testing.T) {
	printed := regexp.MustCompile(`^make chaos DURATION=0 SEED=(\d+) ONLY='([^']+)'( SMALL=true)?$`)
	for _, f := range []form{formOf(0, "", false), formOf(time.Hour, "", false), formOf(time.Hour, "-", true), formOf(0, "-", false), formOf(0, "-", true)} {
		all := newPlan(scenarios(), 42, time.Hour, f)
		for range len(all.runs) + 100 { // also those that follow in random order
			run, ok := all.next()
			if !ok {
				t.Fatal("the plan has ended")
			}
			words := printed.FindStringSubmatch(run.again())
			if words == nil {
				t.Fatalf("%s is no command to repeat a run", run.again())
			}
			seed, err := strconv.ParseUint(words[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			chosen, err := choose(scenarios(), words[2])
			if err != nil {
				t.Fatal(err)
			}
			again := newPlan(chosen, seed, 0, formOf(0, words[2], words[3] != ""))
			got, _ := again.next()
			if _, more := again.next(); more {
				t.Errorf("%s plans more than one run", run.again())
			}
			if got.scenario.name != run.scenario.name || got.seed != run.seed || got.small != run.small {
				t.Errorf("%s runs %s with seed %d, small: %t; want seed %d, small: %t", run.again(), got.scenario.name, got.seed, got.small, run.seed, run.small)
			}
		}
	}
}
