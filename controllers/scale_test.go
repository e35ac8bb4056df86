// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import "flag"

// full has the tests named TestScale_* run with the sizes of a busy cluster and print figures, which takes minutes (make scale). Without
// it they run with small ones.
var full = flag.Bool("scale.full", false, "run TestScale_* with their full sizes, which takes minutes")

// sized is a size of a test: the full one, or a small one in which it says the same.
func sized[T any](fullSize, small T) T {
	if *full {
		return fullSize
	}
	return small
}
