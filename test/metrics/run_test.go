// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/transcription-operator/transcription-operator/controllers"
	programmetrics "github.com/transcription-operator/transcription-operator/internal/metrics"
	"github.com/transcription-operator/transcription-operator/test/harness"
	"github.com/transcription-operator/transcription-operator/webhookreceiver"
)

const (
	// buildTimeout bounds the build of the programs, with a compiler's cache that may be empty.
	buildTimeout = 15 * time.Minute
	// patience is how long something is waited for that has to happen.
	patience = time.Minute
)

// TestRun has Prometheus scrape a system while jobs go their ways, and asks it everything that the dashboard and the alerts would. The traces of
// the same jobs go to a collector.
func TestRun(t *testing.T) {
	find(t, "prometheus")
	logf.SetLogger(logr.Discard()) // what the tests' own client has to say
	c := startCollector(t)
	s := startSystem(t, c.environment()...)
	p := startPrometheus(t.Context(), t, s)
	w := &world{T: t, ctx: t.Context(), system: s, prometheus: p, collector: c}
	// Twice, so that there is something which rises: rates and quantiles are of changes.
	for range 2 {
		w.wave()
		w.awaitScraped()
	}
	t.Run("dashboard", w.checkDashboard)
	t.Run("alerts", w.checkAlerts)
	t.Run("reference", w.checkReference)
	t.Run("spending", w.checkSpending)
	t.Run("traces", w.checkTraces) // the last one: a manager is killed, and begins to count anew
}

// startSystem starts a system of all programs, with something more in their environment.
func startSystem(t *testing.T, environment ...string) *harness.System {
	t.Helper()
	dir := t.TempDir()
	building, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	programs, err := harness.Build(building, dir, "")
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := harness.StartCluster(t.Context(), dir, programs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	s, err := cluster.StartSystem(t.Context(), harness.SystemOptions{
		Name: "metrics", ManagerArgs: []string{"--orphan-interval=1s"}, Environment: environment,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			printLogs(t, s)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// printLogs prints the ends of the programs' logs, which go with the test's folder.
func printLogs(t *testing.T, s *harness.System) {
	t.Helper()
	const last = 40
	for _, program := range slices.Concat(s.Managers, s.Receivers) {
		log, err := program.Log()
		lines := strings.Split(string(log), "\n")
		t.Logf("%s (%v):\n%s", program.Name(), err, strings.Join(lines[max(0, len(lines)-last):], "\n"))
	}
}

// eventually waits until something is true, and says what was wrong last if it does not become so.
func (w *world) eventually(what string, try func(context.Context) error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.Fatalf("waited in vain until %s: %v", what, err)
		}
	}
}

// awaitScraped waits until Prometheus knows the end of all jobs and of what they had twice, and has asked twice since: a rate needs two values.
func (w *world) awaitScraped() {
	w.Helper()
	for name, want := range map[string]int{"jobs_finished": w.created, "surplus_jobs_deleted": w.surplus} {
		w.eventually("Prometheus has seen all "+name, func(ctx context.Context) error {
			got, err := w.prometheus.sum(ctx, fmt.Sprintf("min_over_time(sum(%s%s_total)[%ds:%ds])", programmetrics.Prefix, name, 2*scrapeInterval, scrapeInterval))
			if err == nil && got != float64(want) {
				err = fmt.Errorf("it has seen %g, and there are %d", got, want)
			}
			return err
		})
	}
}

// panel is a part of the dashboard.
type panel struct {
	Title   string `json:"title"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

// checkDashboard runs every query of the dashboard. None is in error, and none is empty.
func (w *world) checkDashboard(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(harness.Root(), "config", "grafana", "transcription-operator.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []panel `json:"panels"`
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	// What Grafana puts in.
	fill := strings.NewReplacer("$namespace", w.system.SystemNamespace, "$__rate_interval", "2m", "$__range", "10m")
	queries := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries++
			expression := fill.Replace(target.Expr)
			if strings.Contains(expression, "$") {
				t.Errorf("%s: it is not known what Grafana puts into %s", panel.Title, target.Expr)
			}
			if err := w.tellsSomething(expression); err != nil {
				t.Errorf("%s: %v", panel.Title, err)
			}
		}
	}
	if queries < 40 {
		t.Errorf("the dashboard has %d queries: they are not read as they are written", queries)
	}
	t.Logf("%d queries of %d panels", queries, len(dashboard.Panels))
}

// tellsSomething evaluates an expression, which is to have a value that is a number.
func (w *world) tellsSomething(expression string) error {
	samples, err := w.prometheus.query(w.ctx, expression)
	if err != nil {
		return err
	}
	for _, s := range samples {
		// A ratio to what has never been counted is infinite.
		if n, err := s.number(); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
			return nil
		}
	}
	return fmt.Errorf("%s tells nothing: %v", expression, samples)
}

// selector matches a metric in an expression, with its conditions.
var selector = regexp.MustCompile(`\b[a-z]+_[a-z_]+\b(\{[^}]*\})?`)

// checkAlerts: every alert is evaluated without an error, all metrics that it is about are there, and what has happened is told.
func (w *world) checkAlerts(t *testing.T) {
	var state struct {
		Groups []struct {
			Rules []struct {
				Name      string `json:"name"`
				Health    string `json:"health"`
				LastError string `json:"lastError"`
				State     string `json:"state"`
			} `json:"rules"`
		} `json:"groups"`
	}
	if err := w.prometheus.get(w.ctx, "/api/v1/rules", &state); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	for _, group := range state.Groups {
		for _, rule := range group.Rules {
			states[rule.Name] = rule.State
			if rule.Health != "ok" {
				t.Errorf("%s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
		}
	}
	metrics := 0
	for _, group := range w.prometheus.rules.Groups {
		for _, rule := range group.Rules {
			if _, ok := states[rule.Alert]; !ok {
				t.Errorf("Prometheus does not evaluate %s", rule.Alert)
			}
			for _, metric := range selector.FindAllString(rule.Expr, -1) {
				name, _, _ := strings.Cut(metric, "{")
				if !strings.Contains(name, "_") || slices.Contains([]string{"min_over_time", "max_over_time"}, name) || !isMetric(name) {
					continue
				}
				metrics++
				if err := w.tellsSomething(name); err != nil {
					t.Errorf("%s: %v", rule.Alert, err)
				}
			}
		}
	}
	if metrics < len(states) {
		t.Errorf("%d metrics were found in %d alerts: they are not read as they are written", metrics, len(states))
	}
	for alert, want := range map[string]string{
		"TranscriptionSurplusJobs": "firing", "TranscriptionManagerDown": "inactive", "TranscriptionNoLeader": "inactive",
		"TranscriptionReceiverDown": "inactive", "TranscriptionReconcileErrors": "inactive",
	} {
		if states[alert] != want {
			t.Errorf("%s is %s, want %s", alert, states[alert], want)
		}
	}
	// Conditions that hold in a system that is well, so that a wrong label in them would show.
	for _, expression := range []string{
		`leader_election_master_status{name="transcription-operator-manager"} == 1`,
		`transcription_operator_build_info{program="manager"}`, `transcription_operator_build_info{program="webhook-receiver"}`,
		`controller_runtime_reconcile_errors_total{controller="transcriptionjob"}`,
		`controller_runtime_reconcile_errors_total{controller=~"account-(Cluster)?SpeechmaticsAccount"}`,
		`controller_runtime_reconcile_errors_total{controller=~"orphans-(Cluster)?SpeechmaticsAccount"}`,
	} {
		if err := w.tellsSomething(expression); err != nil {
			t.Error(err)
		}
	}
}

// isMetric tells a metric's name from a label's.
func isMetric(name string) bool {
	return strings.HasPrefix(name, programmetrics.Prefix) || strings.HasPrefix(name, "controller_runtime_") || strings.HasPrefix(name, "leader_election_")
}

// checkReference: what the programs tell is what docs/metrics.md tells of, and the other way round.
func (w *world) checkReference(t *testing.T) {
	manager, err := controllers.DescribeMetrics()
	if err != nil {
		t.Fatal(err)
	}
	for program, described := range map[*harness.Program][]programmetrics.Description{
		w.system.Managers[0]: manager, w.system.Receivers[0]: webhookreceiver.DescribeMetrics(),
	} {
		text, err := fetch(w.ctx, program.MetricsURL())
		if err != nil {
			t.Fatal(err)
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range described {
			if _, ok := families[d.Name]; !ok {
				t.Errorf("%s: %s is described, and not told", program.Name(), d.Name)
			}
		}
		for _, family := range families {
			for _, problem := range programmetrics.Undocumented(slices.Concat(list(family)), described) {
				t.Errorf("%s: %s", program.Name(), problem)
			}
		}
	}
}

// list is a list of one.
func list[T any](one T) []T { return []T{one} }

// checkSpending: what is counted is what the provider has in its books.
func (w *world) checkSpending(t *testing.T) {
	ledger, err := w.system.API.Ledger(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	audio, objects := 0.0, w.objects()
	for i := range objects {
		if remote := objects[i].Status.RemoteJob; remote != nil && remote.State != nil && *remote.State == "done" {
			audio += remote.AudioDuration.Seconds()
		}
	}
	for expression, want := range map[string]float64{
		"transcription_operator_submissions_total":                          float64(len(ledger) - w.surplus),
		"transcription_operator_surplus_jobs_deleted_total":                 float64(w.surplus),
		"transcription_operator_submissions_adopted_total":                  float64(w.surplus),
		"transcription_operator_audio_seconds_total":                        audio,
		`transcription_operator_jobs{state=~"complete|failed"}`:             float64(len(objects)),
		`transcription_operator_notifications_total{result="unauthorized"}`: float64(w.forged),
		`transcription_operator_jobs_finished_total{reason="Rejected"}`:     float64(w.rejected),
		`transcription_operator_job_submission_seconds_count`:               float64(w.created),
	} {
		got, err := w.prometheus.sum(w.ctx, expression)
		if err != nil {
			t.Error(err)
		}
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %g, want %g", expression, got, want)
		}
	}
	// On a busy machine, a notification may come after it was given up, too.
	for _, name := range []string{"notifications_missed_total", "transcripts_delivered_total"} {
		if got, err := w.prometheus.sum(w.ctx, programmetrics.Prefix+name); err != nil || got < float64(w.missed+w.surplus) {
			t.Errorf("%s is %g, want at least %d (%v)", name, got, w.missed+w.surplus, err)
		}
	}
	if audio == 0 {
		t.Error(errors.New("no job tells how long its recording is, so that this proves nothing"))
	}
}
