// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// Operations, a label of the metric of requests.
const (
	operationSubmit     = "submit"
	operationGet        = "get"
	operationList       = "list"
	operationTranscript = "transcript"
	operationDelete     = "delete"
	operationReady      = "ready"
)

// metrics are what the manager counts, besides controller-runtime's own.
type metrics struct {
	requests  *prometheus.CounterVec
	finished  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	adopted   prometheus.Counter
	surplus   prometheus.Counter
	delivered prometheus.Counter
	uncleaned prometheus.Counter
	turns     *prometheus.HistogramVec
	held      *prometheus.GaugeVec
	orphans   *orphanGauge
	// orphansDeleted counts what orphanPolicy Delete has deleted.
	orphansDeleted prometheus.Counter

	observations *prometheus.CounterVec
	missed       prometheus.Counter
}

const metricsNamespace = "transcription_operator"

// newMetrics makes and registers the metrics, among them how many jobs are at risk.
func newMetrics(registry prometheus.Registerer, atRisk *risks) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricsNamespace, Name: "provider_requests_total",
			Help: "Requests to Speechmatics, by operation and by the status of the answer (\"none\" if there was no answer).",
		}, []string{"operation", "code"}),
		finished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricsNamespace, Name: "jobs_finished_total",
			Help: "TranscriptionJobs that have finished, by the reason of their condition Ready (Complete, CompleteWithErrors, or why they failed).",
		}, []string{"reason"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: metricsNamespace, Name: "job_duration_seconds",
			Help:    "Time from a TranscriptionJob's creation to its end.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 16),
		}, []string{"reason"}),
		adopted: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: metricsNamespace, Name: "submissions_adopted_total",
			Help: "Submissions whose answer was lost and whose job was found again.",
		}),
		surplus: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: metricsNamespace, Name: "surplus_jobs_deleted_total",
			Help: "Remote jobs that were deleted because an attempt had more than one.",
		}),
		delivered: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: metricsNamespace, Name: "transcripts_delivered_total",
			Help: "Jobs whose transcripts the controller fetched and delivered because no notification brought them.",
		}),
		uncleaned: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: metricsNamespace, Name: "remote_jobs_left_total",
			Help: "Remote jobs that were to be deleted and are or may be left at the provider: with their TranscriptionJob, after a rejection or a deadline, once stored, or as a surplus.",
		}),
		turns: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: metricsNamespace, Name: "limit_wait_seconds",
			Help:    "Time that requests to Speechmatics waited for their turn within the account's limits, by kind: submission, or request for all others.",
			Buckets: []float64{0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 300},
		}, []string{"kind"}),
		held: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: metricsNamespace, Name: "account_submissions_held",
			Help: "Whether an account's condition SubmissionsHeld is True (1) or not (0).",
		}, []string{"kind", "namespace", "account"}),
		orphans: newOrphanGauge(),
		orphansDeleted: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: metricsNamespace, Name: "orphaned_jobs_deleted_total",
			Help: "Remote jobs that were deleted while they ran because their TranscriptionJob is gone.",
		}),
	}
	risky := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: metricsNamespace, Name: "transcripts_at_risk",
		Help: "TranscriptionJobs whose condition TranscriptAtRisk is True: their transcripts are at the provider only, and its retention is running out.",
	}, atRisk.count)
	m.observations = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: metricsNamespace, Name: "observations_total",
		Help: "Looks at remote jobs that were answered, by source: a page of the provider's list (which answers for many), or a request about the one job.",
	}, []string{"source"})
	m.missed = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: metricsNamespace, Name: "notifications_missed_total",
		Help: "Remote jobs that were found done without the notification that was asked for.",
	})
	for _, c := range []prometheus.Collector{risky, m.observations, m.missed, m.requests, m.finished, m.duration, m.adopted, m.surplus, m.delivered, m.uncleaned, m.turns, m.held, m.orphans, m.orphansDeleted} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// orphanGauge adds up what the searches of all accounts have found last.
type orphanGauge struct {
	*prometheus.GaugeVec
	mu       sync.Mutex
	accounts map[types.UID]orphanCounts
}

// orphanCounts are the remote jobs of one account whose object is gone: those that are proven to be the account's, and the others.
type orphanCounts struct{ own, unproven int }

func newOrphanGauge() *orphanGauge {
	return &orphanGauge{
		GaugeVec: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: metricsNamespace, Name: "orphaned_jobs",
			Help: "Remote jobs whose TranscriptionJob is gone, by whether this cluster is proven to have submitted them (\"own\") or not (\"unproven\").",
		}, []string{"origin"}),
		accounts: map[types.UID]orphanCounts{},
	}
}

// set takes over what the search of an account has found.
func (g *orphanGauge) set(account types.UID, own, unproven int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.accounts[account] = orphanCounts{own: own, unproven: unproven}
	g.sum()
}

// forget drops what was found for an account that is gone.
func (g *orphanGauge) forget(account types.UID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.accounts[account]; ok {
		delete(g.accounts, account)
		g.sum()
	}
}

// sum is called with the lock held.
func (g *orphanGauge) sum() {
	var all orphanCounts
	for _, counts := range g.accounts {
		all.own += counts.own
		all.unproven += counts.unproven
	}
	g.WithLabelValues("own").Set(float64(all.own))
	g.WithLabelValues("unproven").Set(float64(all.unproven))
}

// observeRequest counts a request to the provider. The code of a request that succeeded is 200.
func (m *metrics) observeRequest(operation string, err error) {
	code := "200"
	var answer *speechmatics.Error
	switch {
	case errors.As(err, &answer):
		code = strconv.Itoa(answer.StatusCode)
	case err != nil:
		code = "none"
	}
	m.requests.WithLabelValues(operation, code).Inc()
}

// observeEnding counts a job that has finished.
func (m *metrics) observeEnding(s *scope, v verdict) {
	if v.ending == unfinished {
		return
	}
	m.finished.WithLabelValues(v.reason).Inc()
	m.duration.WithLabelValues(v.reason).Observe(s.now().Sub(s.job.CreationTimestamp.Time).Seconds())
}

// observeTurn notes how long a request or submission waits for its turn.
func (m *metrics) observeTurn(kind string, wait time.Duration) {
	m.turns.WithLabelValues(kind).Observe(wait.Seconds())
}

// observeAccount notes whether an account's submissions are held.
func (m *metrics) observeAccount(account v1alpha1.Account, held bool) {
	value := 0.0
	if held {
		value = 1
	}
	m.held.WithLabelValues(string(account.AccountKind()), account.GetNamespace(), account.GetName()).Set(value)
}

// forgetAccount drops what is counted of an account that is gone.
func (m *metrics) forgetAccount(kind v1alpha1.AccountKind, namespace, name string) {
	m.held.DeleteLabelValues(string(kind), namespace, name)
}
