// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics makes and registers the programs' metrics. It knows of each what docs/metrics.md tells about it, which is generated from
// that: a metric cannot be added without being documented.
package metrics

import (
	"cmp"
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/transcription-operator/transcription-operator/internal/version"
)

// Prefix begins the name of every metric of the project.
const Prefix = "transcription_operator_"

// Label is a label of a metric.
type Label struct {
	Name string
	// Meaning says what the label tells, and where its values come from if there is no list of them.
	Meaning string
	// Values are all that there can be. Nil means that they are not known beforehand; Meaning says what bounds them.
	Values []string
}

// Type is what kind of metric one is, in Prometheus' words.
type Type string

// The types of metrics that there are here.
const (
	TypeCounter   Type = "counter"
	TypeGauge     Type = "gauge"
	TypeHistogram Type = "histogram"
)

// Description is what the reference tells about a metric.
type Description struct {
	// Name is whole, with Prefix.
	Name string
	Type Type
	// Help is a sentence.
	Help   string
	Labels []Label
}

// Unit is what the metric's values are measured in, which its name tells; empty for those that count.
func (d *Description) Unit() string {
	name := strings.TrimSuffix(d.Name, "_total")
	for _, unit := range []string{"seconds", "bytes"} {
		if strings.HasSuffix(name, "_"+unit) {
			return unit
		}
	}
	return ""
}

// Set are the metrics of one program.
type Set struct {
	registerer   prometheus.Registerer
	descriptions []Description
	errs         []error
}

// NewSet returns an empty set, whose metrics are registered as they are made.
func NewSet(registerer prometheus.Registerer) *Set { return &Set{registerer: registerer} }

// Descriptions are those of all metrics that were made, by name.
func (s *Set) Descriptions() []Description {
	sorted := slices.Clone(s.descriptions)
	slices.SortFunc(sorted, func(a, b Description) int { return cmp.Compare(a.Name, b.Name) })
	return sorted
}

// Err is what went wrong when metrics were registered.
func (s *Set) Err() error { return errors.Join(s.errs...) }

// Add registers a collector and describes what it collects. The description's name is given without Prefix.
func (s *Set) Add(d Description, collector prometheus.Collector) {
	d.Name = Prefix + d.Name
	s.descriptions = append(s.descriptions, d)
	if err := s.registerer.Register(collector); err != nil {
		s.errs = append(s.errs, err)
	}
}

// Counter makes a counter without labels.
func (s *Set) Counter(name, help string) prometheus.Counter {
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: Prefix + name, Help: help})
	s.Add(Description{Name: name, Type: TypeCounter, Help: help}, counter)
	return counter
}

// Counters makes counters with labels. If the values of all labels are known, all counters are there from the start with 0: Prometheus takes the
// first value that it sees for the beginning, so that a counter which appears with 1 has not risen.
func (s *Set) Counters(name, help string, labels ...Label) *prometheus.CounterVec {
	counters := prometheus.NewCounterVec(prometheus.CounterOpts{Name: Prefix + name, Help: help}, namesOf(labels))
	for _, values := range combinations(labels) {
		counters.WithLabelValues(values...)
	}
	s.Add(Description{Name: name, Type: TypeCounter, Help: help, Labels: labels}, counters)
	return counters
}

// Gauges makes gauges with labels.
func (s *Set) Gauges(name, help string, labels ...Label) *prometheus.GaugeVec {
	gauges := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: Prefix + name, Help: help}, namesOf(labels))
	s.Add(Description{Name: name, Type: TypeGauge, Help: help, Labels: labels}, gauges)
	return gauges
}

// GaugeFunc makes a gauge that is read when it is asked for.
func (s *Set) GaugeFunc(name, help string, read func() float64) {
	s.Add(Description{Name: name, Type: TypeGauge, Help: help}, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: Prefix + name, Help: help}, read))
}

// Histogram makes a histogram without labels.
func (s *Set) Histogram(name, help string, buckets []float64) prometheus.Histogram {
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: Prefix + name, Help: help, Buckets: buckets})
	s.Add(Description{Name: name, Type: TypeHistogram, Help: help}, histogram)
	return histogram
}

// Histograms makes histograms with labels.
func (s *Set) Histograms(name, help string, buckets []float64, labels ...Label) *prometheus.HistogramVec {
	histograms := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: Prefix + name, Help: help, Buckets: buckets}, namesOf(labels))
	s.Add(Description{Name: name, Type: TypeHistogram, Help: help, Labels: labels}, histograms)
	return histograms
}

// BuildInfo makes the metric that tells which build of a program runs.
func (s *Set) BuildInfo(program string) {
	labels := []Label{
		{Name: "program", Meaning: "which of the project's programs", Values: []string{program}},
		{Name: "version", Meaning: "of the build"},
		{Name: "goversion", Meaning: "of the Go that built it"},
	}
	s.Gauges("build_info", "Always 1; the labels tell which build is running.", labels...).
		WithLabelValues(program, version.String(), runtime.Version()).Set(1)
}

func namesOf(labels []Label) []string {
	names := make([]string, 0, len(labels))
	for _, label := range labels {
		names = append(names, label.Name)
	}
	return names
}

// combinations are all combinations of the values of labels; none if those of one are not known.
func combinations(labels []Label) [][]string {
	all := [][]string{nil}
	for _, label := range labels {
		var longer [][]string
		for _, values := range all {
			for _, value := range label.Values {
				longer = append(longer, append(slices.Clone(values), value))
			}
		}
		all = longer
	}
	return all
}
