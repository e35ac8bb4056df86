// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package speechmatics is a client of the Speechmatics batch API, version 2: the hosted service, the virtual
// appliance and the HTTP batch worker.
//
// # What it does, and what it leaves to its caller
//
// Every method is one request, and a list one per page. The client retries nothing, waits for nothing and limits nothing: how often to
// ask, how long to back off and how many requests an account may have in flight are decisions about an account,
// and a client does not see the whole of it. (Go's transport re-sends a GET by itself when a kept-alive connection
// turns out to be closed, which is harmless. It cannot re-send a submission, see [Client.CreateJob].)
// A context bounds every call, reading the answer included. Redirects are never followed, so that neither the API
// key nor media can be led to another host.
//
// # Paying once
//
// The provider has no idempotency key, and every job it creates is paid for. A submission therefore has three
// outcomes, not two: created, not created, unknown. [Client.CreateJob] returns a [SubmissionError] that says which,
// and [NotCreated] reports true only where no job can have been created. After an unknown outcome, look for the
// job with [Client.FindSubmissions] before submitting again; [Tracking.Reference] is where a value to recognise it by belongs.
//
// # Errors
//
//   - [*Error]: the provider answered, and the answer is an error. See [Error.Temporary], [IsNotFound] and the like.
//   - [*TransportError]: there was no complete answer; whether the request arrived is unknown.
//   - [*ResponseError]: the answer claims success but cannot be understood.
//   - [*InvalidError]: the call is wrong; nothing was sent.
//   - [*SubmissionError]: around one of the above, from [Client.CreateJob].
//
// # Secrets
//
// Media URLs are often signed, and the provider repeats them, and the headers it was given, in job documents and
// messages. [Job] therefore carries facts about a job, not its configuration. Error texts of this package hold neither the API
// key nor the query, fragment or user information of any URL; for [JobError.Message] use [RedactURLs].
package speechmatics
