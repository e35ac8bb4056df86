// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !profiling

package profiling

import "net/http"

// Handlers are what is served beside the metrics, by path: nothing.
func Handlers() map[string]http.Handler { return nil }
