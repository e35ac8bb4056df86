// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The values of Operation in errors: New and the names of the client's methods.
const (
	opNew         = "New"
	opCreateJob   = "CreateJob"
	opGetJob      = "GetJob"
	opJobDocument = "JobDocument"
	opListJobs    = "ListJobs"
	opListPage    = "ListPage"
	opTranscript  = "Transcript"
	opDeleteJob   = "DeleteJob"
	opLog         = "Log"
	opData        = "Data"
	opText        = "Text"
	opAlignment   = "Alignment"
	opUsage       = "Usage"
	opDiscover    = "Discover"

	opWorkerCapacity = "WorkerCapacity"
	opWorkerReady    = "WorkerReady"

	opFindSubmissions  = "FindSubmissions"
	opNewTemporaryKeys = "NewTemporaryKeys"
	opTemporaryKey     = "TemporaryKeys.Create"
)

// Error is an answer of the provider, or of something in front of it, that is not a success.
//
// Everything but the status is read leniently, since the answers have several shapes: {"code", "error", "detail"} from the API
// itself, {"detail"} from the HTTP batch worker, an HTML page or nothing from an edge server. All texts are cut to a bound
// and hold no secrets that were part of a URL.
type Error struct {
	// Operation is the method that failed, "GetJob" for example.
	Operation string
	// JobID is the job it was about; empty for CreateJob and ListJobs.
	JobID string
	// StatusCode is the HTTP status.
	StatusCode int
	// Code is the code of the body, usually equal to StatusCode; 0 if there is none.
	Code int
	// Reason is the body's "error", "Job not found" for example, or the title of an HTML page. It is text for people: the
	// provider documents a list of reasons and uses others too.
	Reason string
	// Detail is the body's "detail", or its text where the body is plain text.
	Detail string
	// RequestID is what the provider's support asks for; empty if the answer has none.
	RequestID string
	// RetryAfter is the pause that the answer asks for, 0 to [MaxRetryAfter]; 0 if it asks for none.
	RetryAfter time.Duration
	// ContentType is the media type that the answer claims for its body.
	ContentType string
}

// Error says what was tried on which job, what was answered, and what to do about it where that is known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(subject(e.Operation, e.JobID))
	fmt.Fprintf(&b, ": %d", e.StatusCode)
	if text := http.StatusText(e.StatusCode); text != "" {
		b.WriteString(" " + text)
	}
	for _, text := range []string{e.Reason, e.Detail, adviceFor(e.StatusCode)} {
		if text != "" {
			b.WriteString(": " + text)
		}
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request ID %s)", e.RequestID)
	}
	return b.String()
}

func adviceFor(status int) string {
	switch {
	case status == http.StatusUnauthorized:
		return "check that the API key is valid and belongs to this host's region"
	case status == http.StatusForbidden:
		return "check that the API key has not expired and that the contract includes what was asked for"
	case status >= 300 && status < 400:
		return "redirects are not followed, check the base URL"
	default:
		return ""
	}
}

// Temporary reports whether the same request may succeed later: 408, 425, 429 and 5xx but for 501. It does not mean that
// a submission may be repeated; [NotCreated] says that.
func (e *Error) Temporary() bool {
	switch e.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented:
		return false
	default:
		return e.StatusCode >= 500
	}
}

// IsNotFound reports whether the provider answered 404: no such job, a job of another project or region, or a transcript
// that is not ready. [Client.GetJob] tells these apart. A 404 with a page or a plain text is not the provider's, whose errors are JSON:
// something in front of it does not know the way, which says nothing about a job.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) && !isOfEdge(err) }

// IsNotReady reports whether the provider answered 404 because a job has not ended: what was asked for may be there later. It says so
// in words only, in which it is recognised. False proves nothing: ask [Client.GetJob].
func IsNotReady(err error) bool {
	var e *Error
	if !errors.As(err, &e) || !IsNotFound(err) {
		return false
	}
	text := strings.ToLower(e.Reason + "\n" + e.Detail)
	return strings.Contains(text, "not ready") || strings.Contains(text, "in progress")
}

// IsGone reports whether the provider answered 410: the job or its transcript was deleted or has expired. What IsNotFound says of pages
// and plain texts holds here, too.
func IsGone(err error) bool { return hasStatus(err, http.StatusGone) && !isOfEdge(err) }

// IsUnauthorized reports whether the provider answered 401: no valid key, or the key of another region.
func IsUnauthorized(err error) bool { return hasStatus(err, http.StatusUnauthorized) }

// IsForbidden reports whether the provider answered 403: the key has expired or does not permit what was asked.
func IsForbidden(err error) bool { return hasStatus(err, http.StatusForbidden) }

// IsRateLimited reports whether the provider answered 429: too many requests, or too many running jobs.
func IsRateLimited(err error) bool { return hasStatus(err, http.StatusTooManyRequests) }

// IsLocked reports whether the provider answered 423: the job still runs, and deleting it was not forced.
func IsLocked(err error) bool { return hasStatus(err, http.StatusLocked) }

func hasStatus(err error, status int) bool {
	var e *Error
	return errors.As(err, &e) && e.StatusCode == status
}

// isOfEdge reports whether an answer is written as those of edge servers and ingresses are: a page, or plain text. The provider documents
// such answers for 401 and 429 only.
func isOfEdge(err error) bool {
	var e *Error
	return errors.As(err, &e) && (isHTML(e.ContentType) || isPlainText(e.ContentType))
}

// TransportError means that there was no complete answer: the host could not be reached, the connection broke, the
// context ended. Whether the request had arrived is unknown.
type TransportError struct {
	// Operation is the method that failed.
	Operation string
	// JobID is the job it was about; empty for CreateJob and ListJobs.
	JobID string
	// Err is the cause. Its own text may hold secrets, unlike that of the TransportError.
	Err error

	text string
}

func (e *TransportError) Error() string { return subject(e.Operation, e.JobID) + ": " + e.text }

// Unwrap returns the cause, so that context.Canceled, for example, can be recognised.
func (e *TransportError) Unwrap() error { return e.Err }

// Timeout reports whether a deadline had passed.
func (e *TransportError) Timeout() bool {
	var timeout net.Error
	return errors.As(e.Err, &timeout) && timeout.Timeout()
}

// ResponseError means that an answer claims success but cannot be understood: cut off, beyond a bound, not the expected
// JSON, or about another job. Something else than the API may have answered; check the base URL.
type ResponseError struct {
	// Operation is the method that failed.
	Operation string
	// JobID is the job it was about; empty for CreateJob and ListJobs.
	JobID string
	// StatusCode is the HTTP status, 2xx.
	StatusCode int
	// RequestID is what the provider's support asks for; empty if the answer has none.
	RequestID string
	// Err is the cause.
	Err error

	text string
}

func (e *ResponseError) Error() string {
	text := fmt.Sprintf("%s: answer %d cannot be understood: %s", subject(e.Operation, e.JobID), e.StatusCode, e.text)
	if e.RequestID != "" {
		text += " (request ID " + e.RequestID + ")"
	}
	return text
}

// Unwrap returns the cause.
func (e *ResponseError) Unwrap() error { return e.Err }

// InvalidError means that the call is wrong, and that nothing was sent.
type InvalidError struct {
	// Operation is the method, or "New".
	Operation string
	// Field is what is wrong, "Media.Size" for example.
	Field string
	// Problem is what is wrong with it.
	Problem string
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("speechmatics: %s: %s %s", e.Operation, e.Field, e.Problem)
}

// subject names what was tried on what. IDs come from outside: one with unusual characters is quoted.
func subject(operation, jobID string) string {
	if jobID == "" {
		return "speechmatics: " + operation
	}
	if strings.ContainsFunc(jobID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		jobID = strconv.Quote(jobID)
	}
	return "speechmatics: " + operation + " " + jobID
}
