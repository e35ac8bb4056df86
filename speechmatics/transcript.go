// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"net/http"
)

// TranscriptFormat is a form in which the provider gives a transcript.
type TranscriptFormat string

const (
	// FormatJSONv2 is the provider's own JSON, the only form that holds everything.
	FormatJSONv2 TranscriptFormat = "json-v2"
	// FormatText is plain text, UTF-8.
	FormatText TranscriptFormat = "txt"
	// FormatSRT is SubRip, UTF-8.
	FormatSRT TranscriptFormat = "srt"
)

const maxFormatBytes = 64

// Transcript opens the transcript of a job that is done. Before that the answer is 404, as for a job that does not exist or was rejected:
// ask [Client.GetJob] first. An expired transcript is 410 or, by other documents of the provider's, 404.
//
// Like GetJob it does not wait for the job, unless [Wait] is given; what is not ready then is 404 as well. Formats other than the
// constants are passed on.
func (c *Client) Transcript(ctx context.Context, id string, format TranscriptFormat, options ...ReadOption) (*Download, error) {
	call, err := jobCall(opTranscript, http.MethodGet, id, "transcript")
	if err != nil {
		return nil, err
	}
	if problem := headerValueProblem(string(format), maxFormatBytes); problem != "" {
		return nil, &InvalidError{Operation: opTranscript, Field: "format", Problem: problem}
	}
	call.query.Set("format", string(format))
	if err := c.setWait(call, options); err != nil {
		return nil, err
	}
	return c.open(ctx, call)
}
