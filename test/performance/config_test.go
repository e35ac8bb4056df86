// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	_ "embed"
	"fmt"
	"regexp"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

//go:embed scenarios.yaml
var scenariosFile []byte

// configuration is scenarios.yaml.
type configuration struct {
	// Runs is how often each scenario is run; the median counts.
	Runs      int        `json:"runs"`
	Scenarios []scenario `json:"scenarios"`
	// Counts are the small forms that TestCounts runs.
	Counts []scenario `json:"counts"`
}

// scenario is something that is measured.
type scenario struct {
	Name string `json:"name"`
	// Kind is what is done: a key of kinds.
	Kind string `json:"kind"`
	// About says it in a sentence, for the table.
	About      string      `json:"about"`
	Inputs     inputs      `json:"inputs"`
	Thresholds []threshold `json:"thresholds"`
}

// inputs are what a scenario is run with; each kind reads its own.
type inputs struct {
	// Jobs is how many jobs there are, Processing how long the provider works on each.
	Jobs       int             `json:"jobs,omitempty"`
	Processing metav1.Duration `json:"processing,omitzero"`
	// Unnotified means that no notification is asked for.
	Unnotified bool `json:"unnotified,omitempty"`
	// Limited means that the provider has its documented limits, and not none.
	Limited bool `json:"limited,omitempty"`
	// PerSecond is how many jobs are created a second; 0 is all at once.
	PerSecond float64 `json:"perSecond,omitempty"`
	// Bytes is the length of a transcript, Parallel how many notifications are sent at a time.
	Bytes    int `json:"bytes,omitempty"`
	Parallel int `json:"parallel,omitempty"`
	// Volume stores transcripts on the volume instead of in ConfigMaps.
	Volume bool `json:"volume,omitempty"`
	// Running and Finished are how many jobs there are already.
	Running  int `json:"running,omitempty"`
	Finished int `json:"finished,omitempty"`
}

// threshold is what a metric has to keep to, and why.
type threshold struct {
	Metric string `json:"metric"`
	// Of makes it a ratio: the metric divided by that one.
	Of *reference `json:"of,omitempty"`
	// Max and Min bound it; exactly one is given.
	Max *float64 `json:"max,omitempty"`
	Min *float64 `json:"min,omitempty"`
	// Reason says why it is this, and not more or less.
	Reason string `json:"reason"`
	// Aim is what it is to be one day, where that is not kept today, and Missed why not.
	Aim    *float64 `json:"aim,omitempty"`
	Missed string   `json:"missed,omitempty"`
}

// reference names a metric, of another scenario of the same run unless that is empty.
type reference struct {
	Scenario string `json:"scenario,omitempty"`
	Metric   string `json:"metric"`
}

// configured reads scenarios.yaml.
func configured() (*configuration, error) {
	c := &configuration{}
	if err := yaml.UnmarshalStrict(scenariosFile, c); err != nil {
		return nil, fmt.Errorf("scenarios.yaml: %w", err)
	}
	for _, s := range append(append([]scenario{}, c.Scenarios...), c.Counts...) {
		if err := s.validate(); err != nil {
			return nil, fmt.Errorf("scenarios.yaml: scenario %q: %w", s.Name, err)
		}
	}
	return c, nil
}

func (s *scenario) validate() error {
	if kinds[s.Kind] == nil {
		return fmt.Errorf("there is no kind %q", s.Kind)
	}
	for _, t := range s.Thresholds {
		if (t.Max == nil) == (t.Min == nil) {
			return fmt.Errorf("%s needs either max or min", t.Metric)
		}
		if t.Reason == "" {
			return fmt.Errorf("the threshold of %s has no reason", t.Metric)
		}
	}
	return nil
}

// chosen are the scenarios whose names match an expression as a whole; empty means all.
func (c *configuration) chosen(expression string) ([]scenario, error) {
	matches, err := regexp.Compile("^(?:" + expression + ")$")
	if err != nil {
		return nil, fmt.Errorf("SCENARIO: %w", err)
	}
	var all []scenario
	for _, s := range c.Scenarios {
		if expression == "" || matches.MatchString(s.Name) {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("SCENARIO: no scenario is called %q; see test/performance/scenarios.yaml", expression)
	}
	return all, nil
}

// holds reports whether a value keeps to the threshold.
func (t *threshold) holds(value float64) bool {
	if t.Max != nil {
		return value <= *t.Max
	}
	return value >= *t.Min
}

func (t *threshold) String() string {
	if t.Max != nil {
		return "≤ " + number(*t.Max)
	}
	return "≥ " + number(*t.Min)
}

// TestConfiguration checks that scenarios.yaml can be read, and that a bad one cannot.
func TestConfiguration(t *testing.T) {
	c, err := configured()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.chosen("no such scenario"); err == nil {
		t.Error("a scenario that does not exist was chosen")
	}
	one := 1.0
	for name, bad := range map[string]scenario{
		"unknown kind": {Kind: "none"},
		"no bound":     {Kind: "burst", Thresholds: []threshold{{Metric: "m", Reason: "r"}}},
		"two bounds":   {Kind: "burst", Thresholds: []threshold{{Metric: "m", Reason: "r", Min: &one, Max: &one}}},
		"no reason":    {Kind: "burst", Thresholds: []threshold{{Metric: "m", Max: &one}}},
	} {
		if bad.validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestThreshold checks both kinds of bounds.
func TestThreshold(t *testing.T) {
	five := 5.0
	for _, tt := range []struct {
		threshold threshold
		value     float64
		want      bool
	}{
		{threshold{Max: &five}, 5, true}, {threshold{Max: &five}, 5.01, false},
		{threshold{Min: &five}, 5, true}, {threshold{Min: &five}, 4.99, false},
	} {
		if got := tt.threshold.holds(tt.value); got != tt.want {
			t.Errorf("%v with %v: got %t", &tt.threshold, tt.value, got)
		}
	}
}
