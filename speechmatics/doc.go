// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package speechmatics is a client of the Speechmatics batch API, version 2: the hosted service, the virtual
// appliance and the HTTP batch worker. It uses the standard library only.
//
// # What it does, and what it leaves to its caller
//
// Every method is one request, and a list one per page. The client retries nothing, waits for nothing by itself and limits nothing: how
// often to ask, how long to back off and how many requests an account may have in flight are decisions about an account,
// and a client does not see the whole of it. (Go's transport re-sends a GET by itself when a kept-alive connection
// turns out to be closed, which is harmless. It cannot re-send a submission, see [Client.CreateJob].)
// A context bounds every call, reading the answer included. Redirects are never followed, so that neither the API
// key nor media can be led to another host.
//
// Two exceptions, both asked for: with a [KeySource] a request other than a submission is sent once more if its key is refused and the
// source has another one; and [Wait] makes the provider hold an answer back until a job has ended.
//
// # Paying once
//
// The provider has no idempotency key, and every job it creates is paid for. A submission therefore has three
// outcomes, not two: created, not created, unknown. [Client.CreateJob] returns a [SubmissionError] that says which,
// and [NotCreated] reports true only where no job can have been created. After an unknown outcome, look for the
// job with [Client.FindSubmissions] before submitting again; [Tracking.Reference] is where a value to recognise it by belongs.
//
// # Backends
//
// [WithBackend] says what the base URL leads to. What a backend does not have is refused with an [UnsupportedError] before anything is
// sent; [Backend.Capabilities] is the table, with its sources. The backends also differ in which answers mean that no job was created,
// and in what the absence of a job proves; [NotCreated] and [Submissions] take care of that.
//
// # Errors
//
//   - [*Error]: the provider answered, and the answer is an error. See [Error.Temporary], [IsNotFound] and the like.
//   - [*TransportError]: there was no complete answer; whether the request arrived is unknown.
//   - [*ResponseError]: the answer claims success but cannot be understood.
//   - [*InvalidError]: the call is wrong; nothing was sent.
//   - [*UnsupportedError]: the backend does not have it; nothing was sent.
//   - [*KeyError]: a [KeySource] gave no key; nothing was sent to the API.
//   - [*SubmissionError]: around one of the above, from [Client.CreateJob].
//
// # What is not known
//
// The provider's answers differ between its backends and from its specification, and they change. What is read is read leniently: members
// that are unknown, of another type or null are no error, and unknown values (of [JobStatus], for example) are kept. What a type does not
// have is in the document itself: Usage.Document and Features.Document hold the whole answer, [Client.JobDocument] returns a job's,
// and transcripts are passed on byte for byte. Options that [JobConfig] does not have can be submitted as
// CreateJobRequest.ConfigJSON.
//
// # Secrets
//
// Media URLs are often signed, and the provider repeats them, and the headers it was given, in job documents and
// messages. [Job] therefore carries facts about a job, not its configuration; only [Client.JobDocument] has it. Error texts of this
// package hold neither the API key nor the query, fragment or user information of any URL; for [JobError.Message] use [RedactURLs].
// A client and its keys can be printed without telling a key.
//
// # What is left out
//
// /jobs/{id}/object-urls, which made signed URLs of a job's files: the provider removed it from its specification in June 2026, and
// never advertised it for its costs. The management of permanent keys and projects, and live transcription, are other APIs.
package speechmatics
