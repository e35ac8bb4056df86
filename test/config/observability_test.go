// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/transcription-operator/transcription-operator/controllers"
	"github.com/transcription-operator/transcription-operator/internal/metrics"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/webhookreceiver"
)

// runbooks is the folder of the alerts' pages, and where they are for whoever gets an alert.
const (
	runbooks    = "docs/runbooks"
	runbooksURL = "https://github.com/transcription-operator/transcription-operator/blob/main/" + runbooks + "/"
)

// alertRule is a rule of config/prometheus/alerts.yaml.
type alertRule struct {
	name, expr          string
	labels, annotations map[string]string
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	var rules []alertRule
	for _, object := range render(t, "config/prometheus") {
		if object.GetKind() != "PrometheusRule" {
			continue
		}
		groups, _, _ := unstructured.NestedSlice(object.Object, "spec", "groups")
		for _, group := range groups {
			for _, rule := range group.(map[string]any)["rules"].([]any) {
				content := rule.(map[string]any)
				labels, _, _ := unstructured.NestedStringMap(content, "labels")
				annotations, _, _ := unstructured.NestedStringMap(content, "annotations")
				rules = append(rules, alertRule{name: content["alert"].(string), expr: content["expr"].(string), labels: labels, annotations: annotations})
			}
		}
	}
	if len(rules) == 0 {
		t.Fatal("there are no alerts")
	}
	return rules
}

// TestAlerts_runbooks: each alert says what it is about and has a page, and there are no other pages. Each page has the same parts.
func TestAlerts_runbooks(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(testenv.Root(), runbooks, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var unused []string
	for _, page := range pages {
		unused = append(unused, filepath.Base(page))
	}
	for _, rule := range alertRules(t) {
		if !slices.Contains([]string{"critical", "warning"}, rule.labels["severity"]) {
			t.Errorf("%s: the severity is %q", rule.name, rule.labels["severity"])
		}
		if rule.annotations["summary"] == "" || rule.annotations["description"] == "" {
			t.Errorf("%s has no summary or no description", rule.name)
		}
		if got, want := rule.annotations["runbook_url"], runbooksURL+rule.name+".md"; got != want {
			t.Errorf("%s: runbook_url is %s, want %s", rule.name, got, want)
			continue
		}
		page, err := os.ReadFile(filepath.Join(testenv.Root(), runbooks, rule.name+".md"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, part := range []string{"# " + rule.name + "\n", "\n## What it means\n", "\n## What to look at\n", "\n## What to do\n"} {
			if !strings.Contains(string(page), part) {
				t.Errorf("%s.md has no %q", rule.name, strings.TrimSpace(part))
			}
		}
		unused = slices.DeleteFunc(unused, func(name string) bool { return name == rule.name+".md" })
	}
	if len(unused) > 0 {
		t.Errorf("there are pages without an alert: %v", unused)
	}
	overview, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "observability.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range alertRules(t) {
		if !strings.Contains(string(overview), "("+path.Join("runbooks", rule.name+".md")+")") {
			t.Errorf("docs/observability.md does not lead to the page of %s", rule.name)
		}
	}
}

// TestQueries: alerts, their tests, the dashboard and the documentation ask for metrics, labels and values that there are. PromQL says nothing of
// one that there is not: the alert just never fires.
func TestQueries(t *testing.T) {
	described := describedMetrics(t)
	for where, text := range queries(t) {
		for _, match := range selectorPattern.FindAllStringSubmatch(text, -1) {
			name, conditions := match[1], match[2]
			description, ok := described[name]
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				if base, found := described[strings.TrimSuffix(name, suffix)]; !ok && found && base.Type == metrics.TypeHistogram {
					description, ok = base, true
				}
			}
			if !ok {
				t.Errorf("%s asks for %s, which there is not", where, name)
				continue
			}
			for _, condition := range conditionPattern.FindAllStringSubmatch(conditions, -1) {
				if problem := checkCondition(&description, condition[1], condition[2], condition[3]); problem != "" {
					t.Errorf("%s: %s%s: %s", where, name, conditions, problem)
				}
			}
		}
	}
}

var (
	// selectorPattern matches a metric of ours with its conditions.
	selectorPattern = regexp.MustCompile(`\b(` + metrics.Prefix + `\w+)(\{[^}]*\})?`)
	// conditionPattern matches a condition: a label, an operator and a value.
	conditionPattern = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
)

// checkCondition says what is wrong with a condition on a label of a metric; empty if nothing is.
func checkCondition(d *metrics.Description, label, operator, value string) string {
	if slices.Contains([]string{"namespace", "pod", "instance", "le"}, label) {
		return "" // Prometheus' own
	}
	at := slices.IndexFunc(d.Labels, func(l metrics.Label) bool { return l.Name == label })
	if at < 0 {
		return "there is no label " + label
	}
	known := d.Labels[at].Values
	if known == nil {
		return ""
	}
	values := []string{value}
	if strings.HasSuffix(operator, "~") {
		values = strings.Split(value, "|")
	}
	for _, value := range values {
		if !slices.Contains(known, value) {
			return "the label " + label + " is never " + value
		}
	}
	return ""
}

// describedMetrics are all metrics, by name. Those that both programs have are taken together.
func describedMetrics(t *testing.T) map[string]metrics.Description {
	t.Helper()
	manager, err := controllers.DescribeMetrics()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]metrics.Description{}
	for _, d := range slices.Concat(manager, webhookreceiver.DescribeMetrics()) {
		if before, ok := all[d.Name]; ok {
			for i := range d.Labels {
				d.Labels[i].Values = append(d.Labels[i].Values, before.Labels[i].Values...)
			}
		}
		all[d.Name] = d
	}
	return all
}

// queries are texts with queries, by where they are.
func queries(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, rule := range alertRules(t) {
		texts[rule.name] = rule.expr
	}
	files := []string{"test/metrics/alerts_test.yaml"}
	for _, pattern := range []string{"docs/*.md", "docs/runbooks/*.md", "README.md"} {
		matches, err := filepath.Glob(filepath.Join(testenv.Root(), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range matches {
			relative, err := filepath.Rel(testenv.Root(), match)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, relative)
		}
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(testenv.Root(), file))
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(content)
	}
	const dashboard = "config/grafana/transcription-operator.json"
	content, err := os.ReadFile(filepath.Join(testenv.Root(), dashboard))
	if err != nil {
		t.Fatal(err)
	}
	var panels struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(content, &panels); err != nil {
		t.Fatalf("%s: %v", dashboard, err)
	}
	for _, panel := range panels.Panels {
		for _, target := range panel.Targets {
			texts[dashboard+", "+panel.Title] += target.Expr + "\n"
		}
	}
	return texts
}
