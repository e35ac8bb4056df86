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
// timeouts, outages and the delays of faults are wall time. Options.ClockOffset lets the server believe that it is
// another time, as servers do.
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
// Behaviour has a switch each, Limits where it is a bound, and the default is the variant that is harder for a
// client, or what samples show where neither is. Two are not: lists have no delay, and deletions are not notified,
// because nobody has ever reported either; they can be ordered.
//
//	question                                     | switch                            | values                 | default
//	longest wait                                 | Limits.MaxWait                    | any                    | 1m0s
//	wait where the parameter is absent           | defaultWait                       | any                    | 2s
//	wait on premises                             | onPremisesWait                    | refuse, ignore         | refuse
//	time for one notification                    | Limits.NotifyTimeout              | any                    | 30s
//	attempts to notify                           | notificationAttempts              | 1, 2, 3, 4             | 4
//	redirects of notifications                   | followNotificationRedirects       | true, false            | false
//	names of a notification's parts              | partNames                         | item, data_file        | item
//	file names of a notification's parts         | partFileNames                     | extension, job         | extension
//	layout of jobinfo                            | jobInfo                           | flat, nested           | flat
//	notification of a failure                    | failureNotifications              | omit, jobinfo-only     | omit
//	notification of a deletion                   | notifyDeletion                    | true, false            | false
//	when an upload that is no audio is refused   | rejectInvalidAudioAtSubmission    | true, false            | false
//	status for an upload that is no audio        | invalidAudioStatus                | 400, 403               | 400
//	status for an upload that is too large       | tooLargeStatus                    | 413, 400               | 413
//	status when credit is exhausted              | noCreditStatus                    | 403, 402, 429          | 403
//	Retry-After of a 429                         | retryAfter                        | any                    | 0s
//	GET and DELETE after DELETE                  | deletedJob                        | not-found, gone, show  | not-found
//	GET and DELETE after expiry                  | expiredJob                        | not-found, gone, show  | gone
//	expired jobs in lists                        | listExpired                       | true, false            | false
//	config of deleted jobs in lists is missing   | dropDeletedConfig                 | true, false            | false
//	created_before is inclusive                  | createdBeforeInclusive            | true, false            | false
//	lists without limit are whole                | unlimitedLists                    | true, false            | false
//	delay of lists                               | listLag                           | any                    | 0s
//	size of tracking                             | Limits.TrackingBytes              | any                    | 65536
//	size of config                               | Limits.ConfigBytes                | any                    | 2097152
//	size of what is fetched                      | Limits.FetchBytes                 | any                    | 4294967296
//	time for one fetch                           | Limits.FetchTimeout               | any                    | 1m0s
//	redirects of fetches                         | followFetchRedirects              | true, false            | false
//	fetches that failed with 4xx are not retried | fetchGivesUpAtOnce                | true, false            | false
//	length of a recording                        | Limits.MediaDuration              | any                    | 48h0m0s
//	size of a transcript that wait embeds        | Limits.EmbeddedBytes              | any                    | 1048576
//	unknown keys of a config                     | allowUnknownConfigKeys            | true, false            | false
//	empty arrays of a config stay                | keepEmptyArrays                   | true, false            | false
//	model together with operating_point          | allowModelAndOperatingPoint       | true, false            | false
//	what melia-1 lacks is ignored                | ignoreMeliaLimits                 | true, false            | false
//	when a pair of languages is refused          | rejectUnsupportedPairAtSubmission | true, false            | false
//	labels of channels                           | channelLabels                     | underscore, spaced     | underscore
//	channels in txt                              | textChannels                      | speaker, channel, none | speaker
//	speakers and channels in srt                 | srtSpeakers                       | true, false            | false
//	layout of sentiment_analysis                 | sentiment                         | flat, nested           | flat
//	layout of audio_event_summary                | audioEventSummary                 | flat, overall          | flat
//	name of the model in the usage               | usageModel                        | model, operating_point | model
//	name of language id in the discovery         | discoveryIdentification           | languageid, languageId | languageid
//	type of JSON answers                         | mediaType                         | json, vendor           | json
//	body of 401, 413 and 429                     | edgeErrors                        | html, json             | html
//	status for a temporary key that expired      | expiredKeyStatus                  | 403, 401               | 403
//	log of a job                                 | serveLogs                         | true, false            | false
//	spelling of the HTTP batch worker            | workerSpelling                    | prose, api             | prose
//	identifiers of an appliance                  | applianceIDs                      | uuid, number           | uuid
//	words beside the media (not the service's)   | noSideFileFetch                   | true, false            | false
//
// Signed URLs of outputs (object-urls) are answered as what they are: removed.
//
// # Backends
//
// Options.Backend makes it an appliance or an HTTP batch worker, which differ from the hosted service as
// documented: no key is needed (unless one is added, which is the appliance's token), lists are whole and
// without configurations, there is no wait, usage, discovery, alignment, nor what only the hosted service
// makes of a transcript. A worker deletes nothing, has a number of engines (X-SM-Processing-Data) and answers 503
// when they do not suffice, tells GET /jobs, /live and /ready, writes its errors as {"detail"}, remembers a
// bounded number of jobs, and forgets all at a Restart.
//
// # Temporary keys
//
// POST /v1/api_keys?type=batch with a key gives a temporary one, as the service's management host does.
//
// # Admin endpoints
//
// Beside the API, for loopback peers or with Options.AdminToken as bearer token:
//
//	GET    /admin/faults               the faults in force, as JSON: [{"kind": "error", "operation": "create", "status": 503, "count": 2}]
//	PUT    /admin/faults               replace them; see Fault
//	GET    /admin/faults/happened      how often each of them has happened: [2]
//	GET    /admin/behaviour            what is in force where the documentation is silent
//	PUT    /admin/behaviour            replace it; see Behaviour
//	GET    /admin/ledger?reference=R   every job that was ever accepted, and what became of it, all or those of a
//	                                   tracking.reference
//	GET    /admin/jobs                 all jobs, without secrets
//	GET    /admin/jobs/{id}/transcript?format=F
//	                                   the transcript of a job that is done; with Options.RememberTranscripts, also
//	                                   of one that was done before it was deleted or has expired
//	POST   /admin/jobs/{id}/reject     end a running job as rejected
//	POST   /admin/jobs/{id}/expire     let an ended job expire
//	POST   /admin/jobs/{id}/delete     delete a job, as another user of the project could
//	POST   /admin/foreign?key=K&count=N&spread=1h
//	                                   add jobs of somebody else to a key's project, created over the past spread
//	POST   /admin/outage?for=30s&kind=K
//	                                   let the API be down: refuse, 503, html or hang; see OutageKind
//	DELETE /admin/outage               end an outage before its time
//	GET    /admin/requests             how many requests there were, by operation and status (0: no answer)
//	POST   /admin/restart              restart an HTTP batch worker, which forgets everything
//	PUT    /admin/keys/{key}?project=P add an API key
//	DELETE /admin/keys/{key}           revoke one
//
// GET /healthz answers 200 and needs no key.
package simulator
