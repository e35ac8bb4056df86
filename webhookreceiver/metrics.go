// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// metrics are the receiver's. All labels are bounded: source has two values, result those of the constants or two, store two.
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	inFlight    *prometheus.GaugeVec
	bodyBytes   *prometheus.CounterVec
	storedBytes *prometheus.CounterVec
	documents   *prometheus.CounterVec
	checks      *prometheus.CounterVec
}

const (
	labelSource = "source"
	labelResult = "result"
	labelStore  = "store"
)

func newMetrics(keys notification.KeySource, scratch *store.Scratch) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "transcription_operator_notifications_total",
			Help: "Notifications received, by who brought them (callback: Speechmatics, delivery: the manager) and by how they ended.",
		}, []string{labelSource, labelResult}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "transcription_operator_notification_duration_seconds",
			Help:    "How long notifications with a good token took, the time of their body included.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{labelSource}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "transcription_operator_notifications_in_flight",
			Help: "Notifications and store checks that are being processed.",
		}, []string{labelSource}),
		bodyBytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "transcription_operator_notification_body_bytes_total",
			Help: "Bytes read of the bodies of notifications.",
		}, []string{labelSource}),
		storedBytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "transcription_operator_transcript_stored_bytes_total",
			Help: "Bytes of the plain transcripts that were newly recorded, by store (configmap, volume).",
		}, []string{labelStore}),
		documents: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "transcription_operator_documents_total",
			Help: "Transcript documents (json-v2) that were read for facts and renderings, by result (read, unreadable).",
		}, []string{labelResult}),
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "transcription_operator_store_checks_total",
			Help: "The manager's questions whether a job's transcripts could be stored, by answer.",
		}, []string{labelResult}),
	}
	m.registry.MustRegister(m.requests, m.duration, m.inFlight, m.bodyBytes, m.storedBytes, m.documents, m.checks,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "transcription_operator_scratch_bytes",
			Help: "Bytes in the scratch folder, whose limit is --scratch-max-bytes.",
		}, func() float64 { return float64(scratch.Used()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "transcription_operator_notification_keys_valid",
			Help: "1 if the notification keys that are mounted now can be used, 0 if the last good ones are in force instead.",
		}, func() float64 {
			if keysErr(keys) != nil {
				return 0
			}
			return 1
		}))
	return m
}

// keysErr says what is wrong with the keys that are mounted now.
func keysErr(keys notification.KeySource) error {
	if reporter, ok := keys.(interface{ Err() error }); ok {
		return reporter.Err()
	}
	_, err := keys.Keyring()
	return err
}

// enter counts a request that is being processed until the returned function is called.
func (m *metrics) enter(source v1alpha1.NotificationSource) (leave func()) {
	gauge := m.inFlight.WithLabelValues(sourceLabel(source))
	gauge.Inc()
	return gauge.Dec
}

func (m *metrics) observe(source v1alpha1.NotificationSource, v *visit, res result, took time.Duration) {
	if v.check {
		m.checks.WithLabelValues(string(res)).Inc()
		return
	}
	m.requests.WithLabelValues(sourceLabel(source), string(res)).Inc()
	if v.proven {
		m.duration.WithLabelValues(sourceLabel(source)).Observe(took.Seconds())
	}
	if v.body != nil {
		m.bodyBytes.WithLabelValues(sourceLabel(source)).Add(float64(v.body.n))
	}
	if v.document != nil {
		m.documents.WithLabelValues(documentResult(v.document)).Inc()
	}
	if res != resultStored {
		return
	}
	for _, transcript := range v.stored {
		kept := "configmap"
		if transcript.PersistentVolumeClaim != nil {
			kept = "volume"
		}
		m.storedBytes.WithLabelValues(kept).Add(float64(ptr.Deref(transcript.Bytes, 0)))
	}
}

func documentResult(facts *v1alpha1.DocumentFacts) string {
	if facts.Problem != nil {
		return "unreadable"
	}
	return "read"
}

func sourceLabel(source v1alpha1.NotificationSource) string { return strings.ToLower(string(source)) }
