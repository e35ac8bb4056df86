// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package metrics tests what a person sees of the operator: the alerts, by promtool's unit tests, and the metrics and the dashboard, by a real
// Prometheus that has scraped a real run of the whole system (package harness). It is a test and nothing else, run by `make test-metrics`; it
// needs prometheus and promtool (apt-get install prometheus).
package metrics
