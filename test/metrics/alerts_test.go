// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

// alertsFile is the PrometheusRule.
var alertsFile = filepath.Join(harness.Root(), "config", "prometheus", "alerts.yaml")

// rules are a file of rules, as Prometheus reads it: the spec of a PrometheusRule.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert string `json:"alert"`
			Expr  string `json:"expr"`
			// Labels has the severity: an alert may be there more than once, with another one.
			Labels map[string]string `json:"labels"`
		} `json:"rules"`
	} `json:"groups"`
}

// writeRules writes the rules of the PrometheusRule into a folder as alerts.yaml, and returns them.
func writeRules(t *testing.T, dir string) rules {
	t.Helper()
	var object struct {
		Spec map[string]any `json:"spec"`
	}
	readYAML(t, alertsFile, &object)
	spec, err := yaml.Marshal(object.Spec)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "alerts.yaml")
	if err := os.WriteFile(file, spec, 0o600); err != nil {
		t.Fatal(err)
	}
	var written rules
	readYAML(t, file, &written)
	return written
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// find finds a program of Debian's package prometheus, or skips the test.
func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("there is no %s here: apt-get install prometheus", program)
	}
	return path
}

// TestAlerts has promtool run the alerts' unit tests.
func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool := find(t, "promtool")
	dir := t.TempDir()
	writeRules(t, dir)
	tests, err := os.ReadFile("alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "alerts_test.yaml"), tests, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		command := exec.CommandContext(t.Context(), promtool, args...)
		command.Dir = dir
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", command, err, output)
		}
	}
}

// TestAlerts_tested: each alert has a test in which it fires, with each of its severities, and one in which it does not.
func TestAlerts_tested(t *testing.T) {
	t.Parallel()
	var unit struct {
		Tests []struct {
			Alerts []struct {
				Name     string `json:"alertname"`
				Expected []struct {
					Labels map[string]string `json:"exp_labels"`
				} `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	readYAML(t, "alerts_test.yaml", &unit)
	got := map[string]bool{}
	for _, test := range unit.Tests {
		for _, alert := range test.Alerts {
			if len(alert.Expected) == 0 {
				got[alert.Name+" is silent"] = true
			}
			for _, expected := range alert.Expected {
				got[alert.Name+" fires as "+expected.Labels["severity"]] = true
			}
		}
	}
	want := map[string]bool{}
	for _, group := range writeRules(t, t.TempDir()).Groups {
		for _, rule := range group.Rules {
			want[rule.Alert+" is silent"], want[rule.Alert+" fires as "+rule.Labels["severity"]] = true, true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is tested (-rules +tests):\n%s", diff)
	}
}
