// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build race

package transcript

// raceDetector reports whether it is on.
const raceDetector = true
