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
	programmetrics "github.com/transcription-operator/transcription-operator/internal/metrics"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// metrics are what the manager counts, besides controller-runtime's own.
type metrics struct {
	set *programmetrics.Set

	requests     *prometheus.CounterVec
	turns        *prometheus.HistogramVec
	looks        *prometheus.CounterVec
	observations *prometheus.CounterVec

	finished  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	submitted prometheus.Histogram
	spending  *spending

	adopted   prometheus.Counter
	surplus   prometheus.Counter
	uncleaned prometheus.Counter
	delivered prometheus.Counter
	missed    prometheus.Counter

	held    *prometheus.GaugeVec
	orphans *orphanGauge
	// orphansDeleted counts what orphanPolicy Delete has deleted.
	orphansDeleted prometheus.Counter
}

// Buckets of times, in seconds.
var (
	// jobBuckets are those of a job's life, from a second to nine hours.
	jobBuckets = prometheus.ExponentialBuckets(1, 2, 16)
	// turnBuckets are those of waits within the limits.
	turnBuckets = []float64{0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60, 300}
)

// newMetrics makes and registers the metrics, among them how many jobs there are and how many are at risk. By namespace, what was spent is counted
// only if that is wanted.
func newMetrics(registry prometheus.Registerer, atRisk *risks, jobs *census, byNamespace bool) (*metrics, error) {
	set := programmetrics.NewSet(registry)
	m := &metrics{
		set: set,
		requests: set.Counters("provider_requests_total", "Requests to Speechmatics, by operation and by the status of the answer.",
			labelOperation, labelCode),
		turns: set.Histograms("limit_wait_seconds", "Time that requests to Speechmatics waited for their turn within the account's limits.",
			turnBuckets, labelTurn),
		looks: set.Counters("observation_requests_total", "Requests that ask how running jobs are doing: pages of the provider's list, and requests about one job.",
			labelSource),
		observations: set.Counters("observations_total", "Answers about running jobs; a page of the list has many. Divided by observation_requests_total, this is what looking together saves.",
			labelSource),
		finished: set.Counters("jobs_finished_total", "TranscriptionJobs that have finished.", labelFinalReason),
		duration: set.Histograms("job_duration_seconds", "Time from a TranscriptionJob's creation to its end; of one that is complete, until its transcripts are stored durably.",
			jobBuckets, labelFinalReason),
		submitted: set.Histogram("job_submission_seconds", "Time from a TranscriptionJob's creation until its first attempt was accepted by Speechmatics, time in which it was suspended included.",
			jobBuckets),
		spending:  newSpending(set, byNamespace),
		adopted:   set.Counter("submissions_adopted_total", "Submissions whose answer was lost and whose job was found again."),
		surplus:   set.Counter("surplus_jobs_deleted_total", "Remote jobs that were deleted because an attempt had more than one."),
		uncleaned: set.Counter("remote_jobs_left_total", "Remote jobs that were to be deleted and are, or may be, left at the provider: with their TranscriptionJob, after a rejection or a deadline, once stored, or as a surplus."),
		delivered: set.Counter("transcripts_delivered_total", "Jobs whose transcripts the manager fetched and delivered because no notification brought them."),
		missed:    set.Counter("notifications_missed_total", "Remote jobs that were found done without the notification that was asked for."),
		held: set.Gauges("account_submissions_held", "Whether an account's condition SubmissionsHeld is True (1) or not (0), with its reason.",
			labelAccountKind, labelAccountNamespace, labelAccount, labelHeldReason),
		orphans: newOrphanGauge(set.Gauges("orphaned_jobs", "Remote jobs whose TranscriptionJob is gone, as the last searches found them.", labelOrigin)),
		orphansDeleted: set.Counter("orphaned_jobs_deleted_total",
			"Remote jobs that orphanPolicy Delete has deleted while they ran because their TranscriptionJob is gone."),
	}
	set.GaugeFunc("transcripts_at_risk",
		"TranscriptionJobs whose condition TranscriptAtRisk is True: their transcripts are at the provider only, and its retention is running out.", atRisk.count)
	set.Add(jobs.description(), jobs)
	set.BuildInfo("manager")
	return m, set.Err()
}

// DescribeMetrics tells which metrics the manager has, besides controller-runtime's own.
func DescribeMetrics() ([]programmetrics.Description, error) {
	m, err := newMetrics(prometheus.NewRegistry(), newRisks(), newCensus(nil), false)
	if err != nil {
		return nil, err
	}
	return m.set.Descriptions(), nil
}

// orphanGauge adds up what the searches of all accounts have found last.
type orphanGauge struct {
	*prometheus.GaugeVec
	mu       sync.Mutex
	accounts map[types.UID]orphanCounts
}

// orphanCounts are the remote jobs of one account whose object is gone: those that are proven to be the account's, and the others.
type orphanCounts struct{ own, unproven int }

func newOrphanGauge(gauges *prometheus.GaugeVec) *orphanGauge {
	return &orphanGauge{GaugeVec: gauges, accounts: map[types.UID]orphanCounts{}}
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
	g.WithLabelValues(originOwn).Set(float64(all.own))
	g.WithLabelValues(originUnproven).Set(float64(all.unproven))
}

// observeRequest counts a request to the provider. The code of a request that succeeded is 200.
func (m *metrics) observeRequest(operation string, err error) {
	code := "200"
	var answer *speechmatics.Error
	switch {
	case errors.As(err, &answer):
		code = strconv.Itoa(answer.StatusCode)
	case err != nil:
		code = codeNone
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

// observeRecord counts a remote job that was recorded for an attempt.
func (m *metrics) observeRecord(s *scope, attempt int32) {
	m.spending.submitted(s.job, s.status.AccountRef)
	if attempt == 1 {
		m.submitted.Observe(s.now().Sub(s.job.CreationTimestamp.Time).Seconds())
	}
}

// observeTurn notes how long a request or submission waits for its turn.
func (m *metrics) observeTurn(kind string, wait time.Duration) {
	m.turns.WithLabelValues(kind).Observe(wait.Seconds())
}

// observeAccount takes note of an account: whether its submissions are held, and why.
func (m *metrics) observeAccount(account v1alpha1.Account, held bool, reason string) {
	value := 0.0
	if held {
		value = 1
	}
	m.spending.expect(account)
	labels := []string{string(account.AccountKind()), account.GetNamespace(), account.GetName()}
	m.held.WithLabelValues(append(labels, reason)...).Set(value)
	for _, former := range labelHeldReason.Values {
		if former != reason {
			m.held.DeleteLabelValues(append(labels, former)...)
		}
	}
}

// forgetAccount drops what is counted of an account that is gone.
func (m *metrics) forgetAccount(kind v1alpha1.AccountKind, namespace, name string) {
	account := prometheus.Labels{labelAccountKind.Name: string(kind), labelAccountNamespace.Name: namespace, labelAccount.Name: name}
	m.held.DeletePartialMatch(account)
	m.spending.forgetAccount(account)
}
