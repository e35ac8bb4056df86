// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// kinds are what can be measured.
var kinds = map[string]func(ctx context.Context, b *bench, in inputs) (*measures, error){
	"burst":           burst,
	"kubernetes-jobs": kubernetesJobs,
	"limits":          limits,
	"latency":         latency,
	"receiver":        receiver,
	"many":            many,
}

// runTimeout bounds one run of a scenario.
const runTimeout = 20 * time.Minute

// measures are what a run has measured, in the order in which they are shown.
type measures struct {
	names  []string
	values map[string]float64
	units  map[string]string
}

func newMeasures() *measures {
	return &measures{values: map[string]float64{}, units: map[string]string{}}
}

func (m *measures) add(name string, value float64, unit string) {
	if _, ok := m.values[name]; !ok {
		m.names = append(m.names, name)
	}
	m.values[name], m.units[name] = value, unit
}

// TestBench runs the scenarios, each several times, and writes the results. That a threshold is missed is a result, and not an error.
func TestBench(t *testing.T) {
	if !*full {
		t.Skip("this takes long; see make bench")
	}
	c, err := configured()
	if err != nil {
		t.Fatal(err)
	}
	scenarios, err := c.chosen(*which)
	if err != nil {
		t.Fatal(err)
	}
	runs := c.Runs
	if *times > 0 {
		runs = *times
	}
	b := newBench(t)
	about, err := machine(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	all := &results{About: about}
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			all.add(s, repeat(t, b, s, runs))
		})
		if err := all.judged(scenarios).write(*output); err != nil {
			t.Error(err)
		}
	}
	t.Logf("\n%s", all.judged(scenarios).table())
	if err := writeDocument(*document, *output); err != nil {
		t.Error(err)
	}
}

// repeat runs a scenario several times.
func repeat(t *testing.T, b *bench, s scenario, runs int) []*measures {
	t.Helper()
	var all []*measures
	for i := range runs {
		ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
		m, err := kinds[s.Kind](ctx, b, s.Inputs)
		cancel()
		if err != nil {
			t.Errorf("run %d: %v", i+1, err)
			continue
		}
		for _, name := range m.names {
			t.Logf("run %d: %s: %s %s", i+1, name, number(m.values[name]), m.units[name])
		}
		all = append(all, m)
	}
	return all
}

// TestCounts runs the small forms once, and fails if a count that does not depend on the machine is above what it may be.
func TestCounts(t *testing.T) {
	if *full {
		t.Skip("the scenarios are run")
	}
	c, err := configured()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	for _, s := range c.Counts {
		t.Run(s.Name, func(t *testing.T) {
			all := &results{}
			all.add(s, repeat(t, b, s, 1))
			all.judge(c.Counts)
			for _, row := range all.Rows {
				if row.OK != nil && !*row.OK {
					t.Errorf("%s is %s %s, and has to be %s: %s", row.Metric, number(row.Value), row.Unit, row.Target, row.Reason)
				}
			}
			for _, threshold := range s.Thresholds {
				if !slices.ContainsFunc(all.Rows, func(row row) bool { return row.Metric == threshold.name() && row.Target != "" }) {
					t.Errorf("%s was not measured; there are %q", threshold.Metric, slices.Sorted(maps.Keys(all.measured())))
				}
			}
		})
	}
}

// number writes a figure with as many digits as mean something.
func number(value float64) string {
	switch {
	case value == float64(int64(value)):
		return fmt.Sprintf("%.0f", value)
	case value >= 100 || value <= -100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10 || value <= -10:
		return fmt.Sprintf("%.1f", value)
	default:
		return fmt.Sprintf("%.3g", value)
	}
}
