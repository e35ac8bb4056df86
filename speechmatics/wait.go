// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// maxWait bounds what is asked for. The provider's own bound is not published; its documentation's example is a minute.
const maxWait = time.Hour

// ReadOption adjusts [Client.GetJob] and [Client.Transcript].
type ReadOption func(*readOptions)

type readOptions struct {
	wait time.Duration
}

// Wait holds the answer back until the job has ended, but no longer than this, rounded up to whole seconds, nor longer than the provider
// likes; at most an hour. Without it the provider answers at once. Only the hosted service knows it: *[UnsupportedError].
//
// The context, and a timeout of the HTTP client, must leave room for it.
func Wait(wait time.Duration) ReadOption {
	return func(o *readOptions) { o.wait = wait }
}

// setWait makes a read wait as it is asked to. The hosted service is told so in any case, since it waits by itself for some seconds
// otherwise; other backends may refuse what they do not know.
func (c *Client) setWait(call *call, options []ReadOption) error {
	var o readOptions
	for _, option := range options {
		option(&o)
	}
	knows := c.backend.Capabilities().KnowsWait
	if err := c.require(knows || o.wait == 0, call.operation, "waiting", "leave out Wait, and ask again later"); err != nil {
		return err
	}
	seconds, problem := waitSeconds(o.wait)
	if problem != "" {
		return &InvalidError{Operation: call.operation, Field: "Wait", Problem: problem}
	}
	if knows {
		call.query.Set("wait", seconds)
	}
	return nil
}

// waitQuery returns the parameters of a submission that waits; none for one that does not.
func waitQuery(submission CreateJobRequest) (url.Values, error) {
	query := url.Values{}
	seconds, problem := waitSeconds(submission.Wait)
	switch {
	case problem != "":
		return nil, invalidSubmission("Wait", problem)
	case submission.Wait == 0 && submission.WaitFormat != "":
		return nil, invalidSubmission("WaitFormat", "is given without Wait")
	case submission.Wait == 0:
		return query, nil
	}
	query.Set("wait", seconds)
	if submission.WaitFormat != "" {
		if problem := headerValueProblem(string(submission.WaitFormat), maxFormatBytes); problem != "" {
			return nil, invalidSubmission("WaitFormat", problem)
		}
		query.Set("format", string(submission.WaitFormat))
	}
	return query, nil
}

// waitSeconds returns a duration in whole seconds, or says why it cannot be waited for.
func waitSeconds(wait time.Duration) (seconds, problem string) {
	if wait < 0 || wait > maxWait {
		return "", fmt.Sprintf("is %s, and must be 0 to %s", wait, maxWait)
	}
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10), ""
}
