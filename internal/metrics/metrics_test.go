// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestUnit(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a_seconds": "seconds", "a_seconds_total": "seconds", "a_bytes": "bytes", "a_bytes_total": "bytes", "a_total": "", "seconds_of_a": "", "a": "",
	} {
		if got := (&Description{Name: name}).Unit(); got != want {
			t.Errorf("the unit of %s is %q, want %q", name, got, want)
		}
	}
}

// TestCounters: those whose labels are known are there from the start, the others when there is something to count.
func TestCounters(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	set := NewSet(registry)
	known, color := Label{Name: "size", Values: []string{"s", "m"}}, Label{Name: "color", Values: []string{"red", "blue"}}
	set.Counters("known_total", "All are known.", known, color)
	set.Counters("unknown_total", "One is not.", known, Label{Name: "name"}).WithLabelValues("s", "a").Inc()
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		got[family.GetName()] = len(family.GetMetric())
	}
	if diff := cmp.Diff(map[string]int{Prefix + "known_total": 4, Prefix + "unknown_total": 1}, got); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	var names []string
	for _, d := range set.Descriptions() {
		names = append(names, d.Name)
	}
	if diff := cmp.Diff([]string{Prefix + "known_total", Prefix + "unknown_total"}, names); diff != "" {
		t.Errorf("descriptions (-want +got):\n%s", diff)
	}
}

// TestErr: a name that is taken is an error, and not a panic in the middle of a program's start.
func TestErr(t *testing.T) {
	t.Parallel()
	set := NewSet(prometheus.NewRegistry())
	set.Counter("a_total", "One.")
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	set.Counter("a_total", "Another.")
	if set.Err() == nil {
		t.Error("two metrics have the same name")
	}
}

// TestUndocumented finds each way in which metrics may differ from their descriptions.
func TestUndocumented(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	set := NewSet(registry)
	set.Counters("sizes_total", "Sizes.", Label{Name: "size", Values: []string{"s"}}, Label{Name: "name"}).WithLabelValues("s", "anything").Inc()
	gather := func() []string {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return Undocumented(families, set.Descriptions())
	}
	if problems := gather(); len(problems) > 0 {
		t.Errorf("problems where there are none: %q", problems)
	}
	others := prometheus.NewCounterVec(prometheus.CounterOpts{Name: Prefix + "other_total", Help: "Of nobody."}, []string{"a"})
	others.WithLabelValues("b").Inc()
	foreign := prometheus.NewCounter(prometheus.CounterOpts{Name: "foreign_total", Help: "Of somebody else."})
	registry.MustRegister(others, foreign)
	if diff := cmp.Diff([]string{Prefix + "other_total is not described"}, gather()); diff != "" {
		t.Errorf("a metric that is not described (-want +got):\n%s", diff)
	}
	set.descriptions = append(set.descriptions, Description{Name: Prefix + "other_total", Type: TypeGauge})
	want := []string{Prefix + "other_total is a counter, and described as a gauge", Prefix + "other_total has the label a, which is not described"}
	if diff := cmp.Diff(want, gather()); diff != "" {
		t.Errorf("a metric that is described otherwise (-want +got):\n%s", diff)
	}
	set.descriptions[0].Labels[0].Values = []string{"m"}
	want = append(want, Prefix+`sizes_total has the label size="s", whose value is not described`)
	if diff := cmp.Diff(want, gather()); diff != "" {
		t.Errorf("a value that is not described (-want +got):\n%s", diff)
	}
}
