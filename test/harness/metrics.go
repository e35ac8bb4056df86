// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// localClient is for our own programs, which answer at once or not at all.
var localClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// fetch reads what a URL answers with 200.
func fetch(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := localClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("cannot read what %s answers: %w", url, err)
	}
	return body, statusError(response)
}

// MetricsURL is where the program's metrics are; empty if it has none.
func (p *Program) MetricsURL() string { return p.options.Metrics }

// Metric is the sum of a metric of a program over all its labels, as it is now; 0 if there is none. Labels, if given, are such as
// controller="transcriptionjob", and all must be there.
func (p *Program) Metric(ctx context.Context, name string, labels ...string) (float64, error) {
	text, err := fetch(ctx, p.options.Metrics)
	if err != nil {
		return 0, fmt.Errorf("cannot read the metrics of %s: %w", p.options.Name, err)
	}
	return sumOf(text, name, labels)
}

// sumOf adds up the samples of a metric in Prometheus' text format.
func sumOf(text []byte, name string, labels []string) (float64, error) {
	var sum float64
	for line := range strings.Lines(string(text)) {
		series, value := strings.TrimSpace(line), ""
		if end := strings.LastIndexByte(series, ' '); end >= 0 { // a label's value may have spaces, too
			series, value = series[:end], series[end+1:]
		}
		bare, set, _ := strings.Cut(series, "{")
		if bare != name || !containsAll(set, labels) {
			continue
		}
		sample, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("the metric %s is not a number: %q", name, value)
		}
		sum += sample
	}
	return sum, nil
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
