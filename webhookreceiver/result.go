// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"errors"
	"net/http"

	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// result is how a request ended, in one word for metrics and logs.
type result string

// Results of requests that are answered with 2xx.
const (
	// resultStored: transcripts are stored and recorded.
	resultStored result = "stored"
	// resultRecorded: the notification is recorded; it brought no transcript that was asked for.
	resultRecorded result = "recorded"
	// resultDuplicate: everything was there already.
	resultDuplicate result = "duplicate"
	// resultGone: the job or its namespace is gone, or a namesake is there. It is nobody's any more.
	resultGone result = "gone"
	// resultOtherAttempt: it is about an attempt that is not the job's current one.
	resultOtherAttempt result = "other_attempt"
	// resultOtherJob: it is about another job at the provider than the one that is recorded for the attempt.
	resultOtherJob result = "other_job"
	// resultAvailable: the question whether the store is available is answered with yes.
	resultAvailable result = "available"
)

// Results of requests that are refused.
const (
	resultMethod       result = "method_not_allowed"
	resultBusy         result = "busy"
	resultNotFound     result = "not_found"
	resultUnauthorized result = "unauthorized"
	resultMalformed    result = "malformed"
	resultTooSlow      result = "too_slow"
	resultTooLarge     result = "too_large"
	resultForeign      result = "foreign"
	resultConflict     result = "conflict"
	resultNotMounted   result = "not_mounted"
	resultRejected     result = "rejected"
	resultUnavailable  result = "unavailable"
	resultInternal     result = "internal"
)

// Results are counted by these; a test finds one that is missing.
var (
	// notificationResults are all that may become of a notification.
	notificationResults = []result{
		resultStored, resultRecorded, resultDuplicate, resultGone, resultOtherAttempt, resultOtherJob,
		resultMethod, resultBusy, resultNotFound, resultUnauthorized, resultMalformed, resultTooSlow, resultTooLarge, resultForeign,
		resultConflict, resultNotMounted, resultRejected, resultUnavailable, resultInternal,
	}
	// checkResults are all answers to the question whether a store is available.
	checkResults = []result{
		resultAvailable, resultGone, resultBusy, resultNotFound, resultUnauthorized, resultTooLarge,
		resultConflict, resultNotMounted, resultRejected, resultUnavailable, resultInternal,
	}
)

// refusal is an error that is an answer.
type refusal struct {
	status int
	result result
	reason notification.Reason
	err    error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// wantsAttention reports whether somebody has to do something about it, other than the sender.
func (r *refusal) wantsAttention() bool {
	switch r.status {
	case http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	default:
		return r.status >= http.StatusInternalServerError
	}
}

func refuse(status int, res result, reason notification.Reason, err error) *refusal {
	return &refusal{status: status, result: res, reason: reason, err: err}
}

var (
	errMethod       = errors.New("the method is not allowed here")
	errBusy         = errors.New("the webhook receiver has as many requests as it can take; try again")
	errNotFound     = errors.New("there is nothing at this path")
	errUnauthorized = errors.New("the token is missing or is not the job's; manager and webhook receiver must mount the same notification keys")
)

// asRefusal tells what an error of processing a notification means to its sender.
func asRefusal(err error) *refusal {
	var (
		known       *refusal
		ofBody      *bodyError
		notMounted  *store.NotMountedError
		conflict    *store.ConflictError
		tooLarge    *store.TooLargeError
		rejected    *store.RejectedError
		unavailable *store.UnavailableError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &ofBody):
		return bodyRefusal(err)
	case errors.Is(err, errForeign):
		return refuse(http.StatusForbidden, resultForeign, notification.ReasonReferenceMismatch, err)
	case errors.As(err, &notMounted):
		return refuse(http.StatusUnprocessableEntity, resultNotMounted, notification.ReasonVolumeNotMounted, err)
	case errors.As(err, &conflict):
		return refuse(http.StatusConflict, resultConflict, notification.ReasonConfigMapConflict, err)
	case errors.As(err, &tooLarge):
		// Not 503, which invites to send it all once more: nothing is lost, since the manager finds it at the provider, and says what to do.
		return refuse(http.StatusRequestEntityTooLarge, resultTooLarge, notification.ReasonTranscriptTooLarge, err)
	case errors.As(err, &rejected):
		return refuse(http.StatusUnprocessableEntity, resultRejected, notification.ReasonStoreForbidden, err)
	case errors.As(err, &unavailable):
		return refuse(http.StatusServiceUnavailable, resultUnavailable, notification.ReasonStoreUnavailable, err)
	case errors.Is(err, errJobChanges):
		return refuse(http.StatusServiceUnavailable, resultUnavailable, notification.ReasonJobChanged, err)
	default:
		// Nobody knows whether it will pass. The sender is asked to come again, so that nothing is lost meanwhile.
		return refuse(http.StatusServiceUnavailable, resultInternal, notification.ReasonInternal, err)
	}
}

func bodyRefusal(err error) *refusal {
	switch {
	case errors.Is(err, errBodyTooLarge), errors.Is(err, errHeadersTooLarge), errors.Is(err, errTooManyParts):
		return refuse(http.StatusRequestEntityTooLarge, resultTooLarge, notification.ReasonTranscriptTooLarge, err)
	case errors.Is(err, errBodyTooSlow):
		return refuse(http.StatusRequestTimeout, resultTooSlow, notification.ReasonBadRequest, err)
	default:
		return refuse(http.StatusBadRequest, resultMalformed, notification.ReasonBadRequest, err)
	}
}

func malformedRequest(err error) *refusal {
	return refuse(http.StatusBadRequest, resultMalformed, notification.ReasonBadRequest, err)
}
