// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// limits has jobs at a provider with its documented limits.
func limits(ctx context.Context, b *bench, in inputs) (*measures, error) {
	return b.withLedger(ctx, in, func(m *measures, ledger map[string]simulator.LedgerEntry, _ map[string]time.Time) error {
		var created []time.Time
		for _, entry := range ledger {
			created = append(created, entry.CreatedAt)
		}
		slices.SortFunc(created, time.Time.Compare)
		if len(created) < 2 {
			return errors.New("fewer than two submissions have no rate")
		}
		m.add("submissions/s", float64(len(created)-1)/created[len(created)-1].Sub(created[0]).Seconds(), "1/s")
		return nil
	})
}

// latency measures how long it takes until somebody who watches sees that a job is Complete, of jobs that come one after the other. With
// notifications it is counted from when the provider was done, which is before the notification has arrived; without, from when the provider was
// first asked after it was.
func latency(ctx context.Context, b *bench, in inputs) (*measures, error) {
	return b.withLedger(ctx, in, func(m *measures, ledger map[string]simulator.LedgerEntry, complete map[string]time.Time) error {
		var all []time.Duration
		for name, at := range complete {
			entry, ok := ledger[name]
			since := entry.EndedAt
			if in.Unnotified {
				since = entry.ToldDoneAt
			}
			if !ok || since.IsZero() {
				return fmt.Errorf("the provider knows nothing of the end of %s", name)
			}
			all = append(all, at.Sub(since))
		}
		m.add("p50", milliseconds(quantile(all, 0.5)), "ms")
		m.add("p99", milliseconds(quantile(all, 0.99)), "ms")
		return nil
	})
}

// withLedger has a system do its jobs, and hands over what the provider knows of them, by the object's name, and when each was Complete.
func (b *bench) withLedger(
	ctx context.Context, in inputs, use func(m *measures, ledger map[string]simulator.LedgerEntry, complete map[string]time.Time) error,
) (*measures, error) {
	system, err := b.startSystem(ctx, in)
	if err != nil {
		return nil, err
	}
	m := newMeasures()
	complete, err := b.measureLoad(ctx, system, in, m)
	if err == nil {
		var ledger map[string]simulator.LedgerEntry
		if ledger, err = b.ledgerByName(ctx, system); err == nil {
			err = use(m, ledger, complete)
		}
	}
	return m, errors.Join(err, system.Close())
}

// ledgerByName is the provider's ledger by the names of the objects, whose UIDs the references begin with.
func (b *bench) ledgerByName(ctx context.Context, system *harness.System) (map[string]simulator.LedgerEntry, error) {
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := b.cluster.Client.List(ctx, jobs, client.InNamespace(system.Namespace)); err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, job := range jobs.Items {
		names[string(job.UID)] = job.Name
	}
	entries, err := system.API.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	ledger := map[string]simulator.LedgerEntry{}
	for _, entry := range entries {
		uid, _, _ := strings.Cut(entry.Reference, "/")
		ledger[names[uid]] = entry
	}
	return ledger, nil
}

// quantile is the smallest of some durations that at least a part q of them do not exceed.
func quantile(all []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	index := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(index, 0), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
