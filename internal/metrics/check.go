// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// Undocumented tells in which ways metrics that were gathered or scraped are not as they are described: metrics, labels and values that the
// reference does not tell of. Metrics of others, which do not begin with Prefix, are passed over. It is for tests.
func Undocumented(families []*dto.MetricFamily, descriptions []Description) []string {
	described := map[string]Description{}
	for _, d := range descriptions {
		described[d.Name] = d
	}
	var problems []string
	for _, family := range families {
		if !strings.HasPrefix(family.GetName(), Prefix) {
			continue
		}
		d, ok := described[family.GetName()]
		if !ok {
			problems = append(problems, family.GetName()+" is not described")
			continue
		}
		if got := Type(strings.ToLower(family.GetType().String())); got != d.Type {
			problems = append(problems, fmt.Sprintf("%s is a %s, and described as a %s", d.Name, got, d.Type))
		}
		for _, metric := range family.GetMetric() {
			problems = append(problems, d.undocumentedLabels(metric.GetLabel())...)
		}
	}
	return slices.Compact(problems)
}

func (d *Description) undocumentedLabels(pairs []*dto.LabelPair) []string {
	var problems []string
	for _, pair := range pairs {
		at := slices.IndexFunc(d.Labels, func(label Label) bool { return label.Name == pair.GetName() })
		switch {
		case at < 0:
			problems = append(problems, fmt.Sprintf("%s has the label %s, which is not described", d.Name, pair.GetName()))
		case d.Labels[at].Values != nil && !slices.Contains(d.Labels[at].Values, pair.GetValue()):
			problems = append(problems, fmt.Sprintf("%s has the label %s=%q, whose value is not described", d.Name, pair.GetName(), pair.GetValue()))
		}
	}
	return problems
}
