// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package profiling adds the handlers of net/http/pprof to the metrics of programs that are built with the build tag profiling, which the
// bench builds when it is to take profiles. Others have none: a profile tells more than anybody who may read metrics is to know.
package profiling
