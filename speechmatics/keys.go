// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"errors"
	"net/http"
)

// KeySource gives a [Client] the key for each of its requests. It is used concurrently. [TemporaryKeys] is one.
type KeySource interface {
	// Key returns the key for a request that is sent now.
	Key(ctx context.Context) (string, error)
	// Refused tells the source that the API has answered 401 to a key. If Key returns another one then, a request that was
	// refused is sent once more with it, unless it is a submission.
	Refused(key string)
}

// WithAPIKey authenticates with an API key or a temporary key. Backends without authentication need no key: leave the
// option out. Of WithAPIKey and [WithKeySource] the last one counts.
func WithAPIKey(key string) Option {
	return func(c *Client) error {
		if problem := headerValueProblem(key, maxAPIKeyBytes); problem != "" {
			return &InvalidError{Operation: opNew, Field: "API key", Problem: problem}
		}
		c.keys = staticKey(key)
		return nil
	}
}

// WithKeySource authenticates each request with a key that the source gives.
func WithKeySource(source KeySource) Option {
	return func(c *Client) error {
		if source == nil {
			return &InvalidError{Operation: opNew, Field: "key source", Problem: "is nil"}
		}
		c.keys = source
		return nil
	}
}

// staticKey is a source that has one key.
type staticKey string

func (k staticKey) Key(context.Context) (string, error) { return string(k), nil }

func (k staticKey) Refused(string) {}

// KeyError means that the key source of [WithKeySource] gave no key, so that nothing was sent to the API. An [*Error] may be its
// cause: [IsForbidden] and the like look through it, and Error.Operation says whose answer it was.
type KeyError struct {
	// Operation is the method that needed the key.
	Operation string
	// JobID is the job it was about; empty for CreateJob, ListJobs and the like.
	JobID string
	// Err is the cause.
	Err error

	text string
}

func (e *KeyError) Error() string { return subject(e.Operation, e.JobID) + ": no API key: " + e.text }

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// takeKey gives a call the key that it is to be sent with.
func (c *Client) takeKey(ctx context.Context, call *call) error {
	if c.keys == nil {
		return nil
	}
	key, err := c.keys.Key(ctx)
	if err == nil {
		if problem := headerValueProblem(key, maxAPIKeyBytes); problem != "" {
			err = errors.New("the one that the source gave " + problem)
		}
	}
	if err != nil {
		return &KeyError{Operation: call.operation, JobID: call.jobID, Err: err, text: call.clean(err.Error(), maxErrorTextBytes)}
	}
	call.key = key
	return nil
}

// noteRefusal reports whether an error, of a call that was sent, means that its key was refused, and tells the source if so.
func (c *Client) noteRefusal(call *call, err error) bool {
	answer, ok := err.(*Error) //nolint:errorlint // an answer to this call, not one that the source got
	if !ok || answer.StatusCode != http.StatusUnauthorized || c.keys == nil {
		return false
	}
	c.keys.Refused(call.key)
	return true
}
