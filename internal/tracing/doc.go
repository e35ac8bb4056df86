// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tracing makes the OpenTelemetry traces of jobs: one trace a TranscriptionJob, from its creation to its durable transcripts, with
// spans of manager and webhook receiver.
//
// The IDs that others have to know are computed and not handed on: that of the trace, and of the span of the whole job, from the job's UID; that
// of an attempt's span from UID and attempt. Whoever knows these two, and the path of every notification says them, under its token, can add a
// span in the right place. So nothing has to be stored, a trace goes on after a restart and with another leader, no header of a
// request from outside is believed, and nothing more than before is told to the provider.
//
// The span of a job, or of an attempt, is made when it is over, by the one manager that has written that into the status.
package tracing
