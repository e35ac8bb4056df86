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
	programmetrics "github.com/transcription-operator/transcription-operator/internal/metrics"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// metrics are the receiver's.
type metrics struct {
	registry    *prometheus.Registry
	set         *programmetrics.Set
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	arrival     *prometheus.HistogramVec
	inFlight    *prometheus.GaugeVec
	bodyBytes   *prometheus.CounterVec
	storedBytes *prometheus.CounterVec
	documents   *prometheus.CounterVec
	checks      *prometheus.CounterVec
}

// Values of labels.
const (
	storeConfigMap = "configmap"
	storeVolume    = "volume"

	documentRead       = "read"
	documentUnreadable = "unreadable"
)

// Labels of the metrics.
var (
	labelSource = programmetrics.Label{
		Name: "source", Meaning: "who brought it: `callback`, the provider; `delivery`, the manager",
		Values: []string{sourceLabel(v1alpha1.SourceCallback), sourceLabel(v1alpha1.SourceDelivery)},
	}
	labelResult = programmetrics.Label{
		Name: "result", Meaning: "how it ended: see [observability.md](observability.md#how-notifications-end)",
		Values: texts(notificationResults),
	}
	labelCheck = programmetrics.Label{
		Name: "result", Meaning: "the answer; `" + string(resultAvailable) + "` means yes",
		Values: texts(checkResults),
	}
	labelStore    = programmetrics.Label{Name: "store", Meaning: "where they are", Values: []string{storeConfigMap, storeVolume}}
	labelDocument = programmetrics.Label{Name: "result", Meaning: "what came of it", Values: []string{documentRead, documentUnreadable}}
)

// Buckets of times, in seconds.
var (
	requestBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	// jobBuckets are those of a job's life, from a second to nine hours. The manager's metrics have the same.
	jobBuckets = prometheus.ExponentialBuckets(1, 2, 16)
)

func newMetrics(keys notification.KeySource, scratch *store.Scratch) *metrics {
	registry := prometheus.NewRegistry()
	set := programmetrics.NewSet(registry)
	m := &metrics{
		registry: registry,
		set:      set,
		requests: set.Counters("notifications_total", "Notifications, by who brought them and by how they ended.", labelSource, labelResult),
		duration: set.Histograms("notification_duration_seconds", "How long notifications with a good token took, the time of their body included.",
			requestBuckets, labelSource),
		arrival: set.Histograms("job_notification_seconds", "Time from a TranscriptionJob's creation until the first notification about an attempt was recorded.",
			jobBuckets, labelSource),
		inFlight:    set.Gauges("notifications_in_flight", "Notifications and store checks that are being processed.", labelSource),
		bodyBytes:   set.Counters("notification_body_bytes_total", "Bytes read of the bodies of notifications.", labelSource),
		storedBytes: set.Counters("transcript_stored_bytes_total", "Bytes of the plain transcripts that were newly recorded.", labelStore),
		documents:   set.Counters("documents_total", "Transcript documents (json-v2) that were read for facts and renderings.", labelDocument),
		checks:      set.Counters("store_checks_total", "The manager's questions whether a job's transcripts could be stored.", labelCheck),
	}
	set.GaugeFunc("scratch_bytes", "Bytes in the scratch folder.", func() float64 { return float64(scratch.Used()) })
	set.GaugeFunc("scratch_limit_bytes", "The most that the scratch folder may hold, which is --scratch-max-bytes. What the public listener takes has half of it.",
		func() float64 { return float64(scratch.Limit()) })
	set.GaugeFunc("notification_keys_valid", "1 if the notification keys that are mounted now can be used, 0 if the last good ones are in force instead.",
		func() float64 {
			if keysErr(keys) != nil {
				return 0
			}
			return 1
		})
	set.BuildInfo("webhook-receiver")
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := set.Err(); err != nil {
		panic(err) // two metrics above have the same name
	}
	return m
}

// DescribeMetrics tells which metrics the receiver has, besides Go's.
func DescribeMetrics() []programmetrics.Description { return newMetrics(nil, nil).set.Descriptions() }

// texts are results as they are counted.
func texts(results []result) []string {
	all := make([]string, 0, len(results))
	for _, res := range results {
		all = append(all, string(res))
	}
	return all
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
	if v.isFirst {
		m.arrival.WithLabelValues(sourceLabel(source)).Observe(v.age.Seconds())
	}
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
		kept := storeConfigMap
		if transcript.PersistentVolumeClaim != nil {
			kept = storeVolume
		}
		m.storedBytes.WithLabelValues(kept).Add(float64(ptr.Deref(transcript.Bytes, 0)))
	}
}

func documentResult(facts *v1alpha1.DocumentFacts) string {
	if facts.Problem != nil {
		return documentUnreadable
	}
	return documentRead
}

func sourceLabel(source v1alpha1.NotificationSource) string { return strings.ToLower(string(source)) }
