// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
)

// burst has many jobs at once.
func burst(ctx context.Context, b *bench, in inputs) (*measures, error) {
	system, err := b.startSystem(ctx, in)
	if err != nil {
		return nil, err
	}
	m := newMeasures()
	if _, err = b.measureLoad(ctx, system, in, m); err == nil {
		var bytes float64
		bytes, err = b.cachedBytes(ctx, system)
		m.add("memory per cached job", bytes, "B")
	}
	return m, errors.Join(err, system.Close())
}

// mostFirst are the keys of counts, those with the most first.
func mostFirst(counts map[string]int) []string {
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
}
