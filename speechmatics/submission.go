// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import "errors"

// SubmissionOutcome says what is known about a submission that did not return a job.
type SubmissionOutcome int

const (
	// OutcomeUnknown means that a job may have been created. It is the zero value, because unknown is what everything is
	// until it is proven otherwise.
	OutcomeUnknown SubmissionOutcome = iota
	// OutcomeNotCreated means that no job was created: the provider cannot have seen a whole request, or it refused it
	// with a status that it does not use for accepted ones.
	OutcomeNotCreated
)

// String returns "unknown" or "not created".
func (o SubmissionOutcome) String() string {
	if o == OutcomeNotCreated {
		return "not created"
	}
	return "unknown"
}

// SubmissionError is what every failure of [Client.CreateJob] is.
type SubmissionError struct {
	// Outcome says whether a job may exist all the same.
	Outcome SubmissionOutcome
	// Err is the cause: *Error, *TransportError, *ResponseError, *InvalidError or *UnsupportedError.
	Err error
}

func (e *SubmissionError) Error() string {
	if e.Outcome == OutcomeNotCreated {
		return e.Err.Error() + "; no job was created"
	}
	return e.Err.Error() + "; a job may have been created, look for it before submitting again"
}

// Unwrap returns the cause.
func (e *SubmissionError) Unwrap() error { return e.Err }

// NotCreated reports whether err, an error of [Client.CreateJob], proves that no job was created, so that submitting
// again cannot make a second one. False means unknown, never "created".
//
// It is proven when the call was refused locally; when the last bytes of the request were never handed out (the host could
// not be reached, the media could not be read, the fence closed, or an error was answered during the upload); and when the
// whole request was answered with 400, 401, 403, 404, 405, 413, 415, 422 or 429, or by a [Worker] with 503 and "Server busy".
//
// Anything else is unknown once the last bytes are out: timeouts, resets, every other status, and a success without an ID.
func NotCreated(err error) bool {
	var submission *SubmissionError
	return errors.As(err, &submission) && submission.Outcome == OutcomeNotCreated
}
