// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

// scrapeInterval is how often Prometheus asks, in seconds; the alerts are evaluated as often.
const scrapeInterval = 1

// prometheus is a Prometheus that scrapes a system.
type prometheus struct {
	url string
	// rules are those that it evaluates.
	rules rules
}

// startPrometheus starts a Prometheus with the project's alerts, whose targets are the programs of a system, labelled as the Prometheus operator
// labels them.
func startPrometheus(ctx context.Context, t *testing.T, s *harness.System) *prometheus {
	t.Helper()
	path, dir, address := find(t, "prometheus"), t.TempDir(), freeAddress(ctx, t)
	p := &prometheus{url: "http://" + address, rules: writeRules(t, dir)}
	var targets []map[string]any
	for _, program := range append(s.Managers, s.Receivers...) {
		metrics, err := url.Parse(program.MetricsURL())
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, map[string]any{
			"targets": []string{metrics.Host}, "labels": map[string]string{"namespace": s.SystemNamespace, "pod": program.Name()},
		})
	}
	interval := strconv.Itoa(scrapeInterval) + "s"
	config, err := yaml.Marshal(map[string]any{
		"global":         map[string]string{"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
		"rule_files":     []string{"alerts.yaml"},
		"scrape_configs": []any{map[string]any{"job_name": "transcription-operator", "static_configs": targets}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := harness.StartProgram(s.Logs, harness.ProgramOptions{
		Name: "prometheus", Path: path, Grace: 30 * time.Second, Health: p.url + "/-/ready",
		Args: []string{"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + address},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := program.End(); err != nil {
			t.Errorf("Prometheus: %v", err)
		}
	})
	if err := program.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

func freeAddress(ctx context.Context, t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// sample is one time series of an answer.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"` // time, and the value as a text
}

// number is the sample's value.
func (s sample) number() (float64, error) {
	text, ok := s.Value[1].(string)
	if !ok {
		return 0, fmt.Errorf("the value %v is no text", s.Value[1])
	}
	return strconv.ParseFloat(text, 64)
}

// query evaluates an expression now.
func (p *prometheus) query(ctx context.Context, expression string) ([]sample, error) {
	var vector struct {
		Type   string   `json:"resultType"`
		Result []sample `json:"result"`
	}
	if err := p.get(ctx, "/api/v1/query?query="+url.QueryEscape(expression), &vector); err != nil {
		return nil, fmt.Errorf("%s: %w", expression, err)
	}
	if vector.Type != "vector" {
		return nil, fmt.Errorf("%s: the result is a %s, and no vector", expression, vector.Type)
	}
	return vector.Result, nil
}

// sum adds up the samples of an expression; it is 0 if there are none.
func (p *prometheus) sum(ctx context.Context, expression string) (float64, error) {
	samples, err := p.query(ctx, expression)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, s := range samples {
		n, err := s.number()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// local gives up soon: Prometheus is on this machine.
var local = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// get reads the data of an answer.
func (p *prometheus) get(ctx context.Context, path string, into any) error {
	body, err := fetch(ctx, p.url+path)
	if err != nil {
		return err
	}
	answer := struct {
		Status string          `json:"status"`
		Error  string          `json:"error"`
		Data   json.RawMessage `json:"data"`
	}{}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return errors.New(answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// fetch reads what a URL answers, whatever the status: Prometheus tells in the body what is wrong.
func fetch(ctx context.Context, from string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := local.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	return body, errors.Join(err, response.Body.Close())
}
