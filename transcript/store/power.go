// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !chaos

package store

// awaitPowerLoss is for the chaos suite's programs only; see package crashpoint.
func awaitPowerLoss(*Volumes) {}
