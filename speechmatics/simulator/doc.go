// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package simulator stands in for the Speechmatics batch API v2 in demos, tests and benchmarks. It
// serves the API over HTTP, keeps jobs in memory, really fetches media from their URLs, reads how long
// recordings are, sends real notifications on the documented schedule, enforces the documented limits,
// and misbehaves on order.
//
// It says that it is a simulator (Server header, orchestrator_version of transcripts), and it does
// not recognise speech. The words of a transcript come from a side file, or are numbered filler.
//
//	server := simulator.New(simulator.Options{APIKeys: []string{"key"}, Speed: 100})
//	defer server.Close(ctx)
//	api := httptest.NewServer(server)   // the base URL is api.URL + "/v2"
//
// # Time
//
// Options.Speed divides simulated durations: processing (a quarter of the recording's length and one
// second), the attempts to fetch (1.7, 3.9, 13.9 and 33.9 s after the submission), the gaps between
// attempts to notify (15.5, 20.5 and 30.3 s), retention (7 days). Rate limits, the wait parameter,
// timeouts and the delays of faults are wall time.
//
// # Side files
//
// A side file is UTF-8 text of at most 1 MiB. A line that starts with a label such as "S1:" says who
// speaks from there on; without one it is S1. For media from a URL, the server asks for the same URL
// with .txt instead of the extension, then with .txt appended, sending the same headers. For uploads it
// looks into Options.Transcripts for the data_file's name with .txt instead of the extension, then for
// the media's SHA-256 in hex with .txt appended. Spaces separate words also in languages that are written
// without them. S1 is the same voice in all side files, so that a speaker can be enrolled with the
// identifiers of an earlier job.
//
// Lines that begin with @ tell something else about the recording:
//
//	@length 10h        it is that long, whatever the media say (without words: 2.5 numbered ones a second)
//	@language fr 0.4   what language identification hears, and how sure it is (below 0.5: not sure); without
//	                   the line it is the first expected language, or English
//	@silence           nobody speaks
//	@event music 1.5 4 an audio event (applause, laughter or music), from and to in seconds
//
// # What is made of the words
//
// Everything that can be asked for is in the document of format json-v2, determined by the words: a
// translation is the sentence with its language in brackets, a summary the first sentences, sentiment goes
// by a list of words, a chapter is five minutes, numbers are entities, some words are disfluencies (um, uh)
// or profanities (damn). Languages, pairs and limits are the documented ones, errors of features too;
// further ones are ordered with FaultFeature. Transcripts are made while they are sent: memory does not
// grow with the recording.
//
// # Where the documentation is silent
//
// Behaviour has a switch each, and the default is the variant that is harder for a client.
//
// Not simulated: alignment, temporary keys, signed URLs of outputs.
//
// # Admin endpoints
//
// Beside the API, for loopback peers or with Options.AdminToken as bearer token:
//
//	GET    /admin/faults               the faults in force, as JSON: [{"kind": "error", "operation": "create", "status": 503, "count": 2}]
//	PUT    /admin/faults               replace them; see Fault
//	GET    /admin/behaviour            what is in force where the documentation is silent
//	PUT    /admin/behaviour            replace it; see Behaviour
//	GET    /admin/ledger?reference=R   every job that was ever accepted, all or those of a tracking.reference
//	GET    /admin/jobs                 all jobs, without secrets
//	POST   /admin/jobs/{id}/reject     end a running job as rejected
//	POST   /admin/jobs/{id}/expire     let an ended job expire
//	POST   /admin/jobs/{id}/delete     delete a job, as another user of the project could
//	POST   /admin/restart              restart an HTTP batch worker, which forgets everything
//	PUT    /admin/keys/{key}?project=P add an API key
//	DELETE /admin/keys/{key}           revoke one
//
// GET /healthz answers 200 and needs no key.
package simulator
