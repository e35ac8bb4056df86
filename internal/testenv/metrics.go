// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// described matches what a prometheus.Desc says of itself, whose name and labels are not to be had otherwise.
var described = regexp.MustCompile(`fqName: "(transcription_operator_\w+)",.* variableLabels: \{([^}]*)\}`)

// CheckMetrics compares the metrics of this project that a registry has with the table under a heading of docs/operations.md: names and labels.
func CheckMetrics(t testing.TB, heading string, registry prometheus.Collector) {
	t.Helper()
	documented := map[string]string{}
	for _, row := range Table(t, "docs/operations.md", heading+"\n\n| metric | labels | says |") {
		if len(row) != 3 || row[2] == "" {
			t.Fatalf("docs/operations.md, %s: the row %q does not say what is counted", heading, row)
		}
		documented[row[0]] = strings.ReplaceAll(strings.ReplaceAll(row[1], "`", ""), " ", "")
	}
	registered := map[string]string{}
	for _, metric := range describe(registry) {
		if match := described.FindStringSubmatch(metric); match != nil {
			registered[match[1]] = match[2]
		}
	}
	if diff := cmp.Diff(registered, documented); diff != "" {
		t.Errorf("docs/operations.md, %s (-registered +documented):\n%s", heading, diff)
	}
	if len(registered) == 0 {
		t.Error("no metric was recognised: prometheus describes them otherwise")
	}
}

// describe is what all of a registry's metrics say of themselves.
func describe(registry prometheus.Collector) []string {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		registry.Describe(descriptions)
	}()
	var all []string
	for d := range descriptions {
		all = append(all, d.String())
	}
	return all
}
