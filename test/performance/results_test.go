// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// results are those of scenarios: what results.json holds.
type results struct {
	// About says on what they were measured.
	About about `json:"about"`
	Rows  []row `json:"results"`
}

// row is one metric of one scenario.
type row struct {
	Scenario string `json:"scenario"`
	// Metric is what was measured, Value the median of Values, one of each run.
	Metric string    `json:"metric"`
	Value  float64   `json:"value"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values,omitempty"`
	// Target is the threshold, OK whether it is kept; of what is only reported, they are empty and null.
	Target string `json:"target"`
	OK     *bool  `json:"ok"`
	// Reason is the threshold's, Missed why it is known not to be kept.
	Reason string `json:"reason,omitempty"`
	Missed string `json:"missed,omitempty"`
	// MeasuredAt is when the scenario had been run.
	MeasuredAt time.Time `json:"measuredAt"`
}

// add adds what the runs of a scenario have measured.
func (r *results) add(s scenario, runs []*measures) {
	if len(runs) == 0 {
		return
	}
	for _, name := range runs[0].names {
		var values []float64
		for _, m := range runs {
			if value, ok := m.values[name]; ok {
				values = append(values, value)
			}
		}
		r.Rows = append(r.Rows, row{
			Scenario: s.Name, Metric: name, Value: median(values), Unit: runs[0].units[name], Values: values, MeasuredAt: time.Now().UTC().Truncate(time.Second),
		})
	}
}

// median is the middle of values, of which there is at least one.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// judged are the results, held against the thresholds.
func (r *results) judged(scenarios []scenario) *results {
	j := &results{About: r.About, Rows: slices.Clone(r.Rows)}
	j.judge(scenarios)
	return j
}

// judge holds what was measured against the thresholds, and adds the ratios.
func (r *results) judge(scenarios []scenario) {
	for _, s := range scenarios {
		for _, t := range s.Thresholds {
			i := r.find(s.Name, t.Metric)
			if i < 0 {
				continue
			}
			if t.Of != nil {
				if i = r.addRatio(s.Name, t, i); i < 0 {
					continue
				}
			}
			ok := t.holds(r.Rows[i].Value)
			r.Rows[i].Target, r.Rows[i].OK, r.Rows[i].Reason = t.String(), &ok, t.Reason
			if !ok || t.Aim != nil {
				r.Rows[i].Missed = t.Missed
			}
		}
	}
}

// addRatio adds the ratio that a threshold is about, and returns its index; -1 if the other metric was not measured.
func (r *results) addRatio(scenario string, t threshold, i int) int {
	other := t.Of.Scenario
	if other == "" {
		other = scenario
	}
	j := r.find(other, t.Of.Metric)
	if j < 0 || r.Rows[j].Value == 0 {
		return -1
	}
	r.Rows = append(r.Rows, row{
		Scenario: scenario, Metric: t.name(), Value: r.Rows[i].Value / r.Rows[j].Value, Unit: "×", MeasuredAt: r.Rows[i].MeasuredAt,
	})
	return len(r.Rows) - 1
}

// name is that of what the threshold is about.
func (t *threshold) name() string {
	switch {
	case t.Of == nil:
		return t.Metric
	case t.Of.Scenario == "":
		return t.Metric + " ÷ " + t.Of.Metric
	default:
		return t.Metric + " ÷ that of " + t.Of.Scenario
	}
}

func (r *results) find(scenario, metric string) int {
	return slices.IndexFunc(r.Rows, func(row row) bool { return row.Scenario == scenario && row.Metric == metric })
}

// measured are the names of all metrics.
func (r *results) measured() map[string]bool {
	names := map[string]bool{}
	for _, row := range r.Rows {
		names[row.Metric] = true
	}
	return names
}

const resultsFile = "results.json"

// write writes the results into a folder, if it is given. What it has of other scenarios stays.
func (r *results) write(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	earlier, err := readResults(dir)
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(earlier.Rows, func(old row) bool {
		return slices.ContainsFunc(r.Rows, func(row row) bool { return row.Scenario == old.Scenario })
	})
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(results{About: r.About, Rows: append(kept, r.Rows...)}); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, resultsFile), text.Bytes(), 0o600)
}

// readResults reads what is in a folder, which may be nothing.
func readResults(dir string) (*results, error) {
	r := &results{}
	text, err := os.ReadFile(filepath.Join(dir, resultsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, r)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the earlier results in %s; remove them: %w", dir, err)
	}
	return r, nil
}

// table shows the results as Markdown.
func (r *results) table() string {
	var text strings.Builder
	text.WriteString("| scenario | metric | median | unit | target | |\n| --- | --- | --- | --- | --- | --- |\n")
	last := ""
	for _, row := range r.sorted() {
		scenario := ""
		if row.Scenario != last {
			scenario, last = row.Scenario, row.Scenario
		}
		verdict := ""
		if row.OK != nil {
			verdict = "kept"
			if !*row.OK {
				verdict = "**missed**"
			}
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |\n", scenario, row.Metric, number(row.Value), row.Unit, row.Target, verdict)
	}
	return text.String()
}

// sorted are the rows by scenario, in the order in which these came first.
func (r *results) sorted() []row {
	order := map[string]int{}
	for _, row := range r.Rows {
		if _, ok := order[row.Scenario]; !ok {
			order[row.Scenario] = len(order)
		}
	}
	rows := slices.Clone(r.Rows)
	slices.SortStableFunc(rows, func(a, b row) int { return order[a.Scenario] - order[b.Scenario] })
	return rows
}

// misses lists the thresholds that are not kept, with what is known about why.
func (r *results) misses() string {
	var text strings.Builder
	for _, row := range r.sorted() {
		if row.OK == nil || *row.OK {
			continue
		}
		why := row.Missed
		if why == "" {
			why = "not explained yet"
		}
		fmt.Fprintf(&text, "- **%s, %s:** %s %s, target %s. %s\n", row.Scenario, row.Metric, number(row.Value), row.Unit, row.Target, why)
	}
	if text.Len() == 0 {
		return "None.\n"
	}
	return text.String()
}

const (
	beginOfTable = "<!-- make bench writes from here -->\n"
	endOfTable   = "<!-- to here -->\n"
)

// writeDocument replaces what a document has between the two marks by the results in a folder.
func writeDocument(file, dir string) error {
	if file == "" {
		return nil
	}
	r, err := readResults(dir)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	replaced, err := replaceBetween(string(text), fmt.Sprintf("%s\n%s\n### What is missed\n\n%s", r.About, r.table(), r.misses()))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(replaced), 0o644)
}

func replaceBetween(text, content string) (string, error) {
	before, rest, ok := strings.Cut(text, beginOfTable)
	_, after, ok2 := strings.Cut(rest, endOfTable)
	if !ok || !ok2 {
		return "", fmt.Errorf("there are no marks %q and %q", beginOfTable, endOfTable)
	}
	return before + beginOfTable + "\n" + content + "\n" + endOfTable + after, nil
}

// TestResults checks medians, ratios, verdicts, and that results of other scenarios stay.
func TestResults(t *testing.T) {
	two, ten := 2.0, 10.0
	scenarios := []scenario{
		{Name: "peer"},
		{Name: "ours", Thresholds: []threshold{
			{Metric: "rate", Of: &reference{Scenario: "peer", Metric: "rate"}, Min: &two, Reason: "twice"},
			{Metric: "cost", Max: &ten, Reason: "ten", Missed: "because"},
			{Metric: "unmeasured", Max: &ten, Reason: "ten"},
		}},
	}
	run := func(rate, cost float64) *measures {
		m := newMeasures()
		m.add("rate", rate, "1/s")
		m.add("cost", cost, "s")
		return m
	}
	r := &results{}
	r.add(scenarios[0], []*measures{run(10, 1), run(30, 1), run(20, 1)})
	r.add(scenarios[1], []*measures{run(50, 11), run(30, 12)})
	r.judge(scenarios)
	if got := r.Rows[r.find("peer", "rate")].Value; got != 20 {
		t.Errorf("median: got %v", got)
	}
	ratio := r.Rows[r.find("ours", "rate ÷ that of peer")]
	if ratio.Value != 2 || ratio.OK == nil || !*ratio.OK {
		t.Errorf("ratio: got %+v", ratio)
	}
	if cost := r.Rows[r.find("ours", "cost")]; cost.Value != 11.5 || cost.OK == nil || *cost.OK || cost.Missed != "because" {
		t.Errorf("cost: got %+v", cost)
	}
	if rate := r.Rows[r.find("ours", "rate")]; rate.OK != nil {
		t.Errorf("what is only reported is judged: %+v", rate)
	}
	if misses := r.misses(); !strings.Contains(misses, "because") || strings.Contains(misses, "rate") {
		t.Errorf("misses: got %q", misses)
	}

	dir := t.TempDir()
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	again := &results{}
	again.add(scenarios[1], []*measures{run(1, 2)})
	if err := again.write(dir); err != nil {
		t.Fatal(err)
	}
	merged, err := readResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	if merged.find("peer", "rate") < 0 || merged.Rows[merged.find("ours", "cost")].Value != 2 || merged.find("ours", "rate ÷ that of peer") >= 0 {
		t.Errorf("merged: got %+v", merged.Rows)
	}
}

// TestReplaceBetween checks that nothing but the table is replaced.
func TestReplaceBetween(t *testing.T) {
	got, err := replaceBetween("a\n"+beginOfTable+"old\n"+endOfTable+"b\n", "new")
	if err != nil || got != "a\n"+beginOfTable+"\nnew\n"+endOfTable+"b\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := replaceBetween("no marks", "new"); err == nil {
		t.Error("no error without marks")
	}
}
