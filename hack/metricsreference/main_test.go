// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReference: docs/metrics.md is what would be generated.
func TestReference(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	if err := write(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join("..", "..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("docs/metrics.md is stale; run: make generate (-want +got):\n%s", diff)
	}
	if rows := strings.Count(want.String(), "| `transcription_operator_"); rows < 25 {
		t.Errorf("it has %d metrics: some are not described", rows)
	}
}
