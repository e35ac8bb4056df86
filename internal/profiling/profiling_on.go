// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build profiling

package profiling

import (
	"net/http"
	"net/http/pprof" //nolint:gosec // that is what the build tag is for
)

// Handlers are what is served beside the metrics, by path.
func Handlers() map[string]http.Handler {
	return map[string]http.Handler{
		"/debug/pprof/profile": http.HandlerFunc(pprof.Profile),
		"/debug/pprof/heap":    pprof.Handler("heap"),
		"/debug/pprof/allocs":  pprof.Handler("allocs"),
	}
}
