// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"io"
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

// Transcript is a transcript on its way. The caller reads Body and closes it; nothing bounds its size, but the context given to
// [Client.Transcript] bounds the reading.
type Transcript struct {
	// Body is the document, byte for byte. Reading it to io.EOF means that it is complete.
	Body io.ReadCloser
	// ContentType is the media type that the provider gives; JSON is "application/json" or "application/vnd.speechmatics.v2+json".
	ContentType string
	// Size is the number of bytes of Body; -1 if unknown, because it was compressed for the transport for example.
	Size int64
	// RequestID identifies the request, for the provider's support.
	RequestID string
}

// Transcript opens the transcript of a job that is done. Before that the answer is 404, as for a job that does not exist or was rejected:
// ask [Client.GetJob] first. An expired transcript is 410 or, by other documents of the provider's, 404.
//
// Like GetJob it does not wait for the job. Formats other than the constants are passed on.
func (c *Client) Transcript(ctx context.Context, id string, format TranscriptFormat) (*Transcript, error) {
	call, err := jobCall(opTranscript, http.MethodGet, id, "transcript")
	if err != nil {
		return nil, err
	}
	if problem := headerValueProblem(string(format), maxFormatBytes); problem != "" {
		return nil, &InvalidError{Operation: opTranscript, Field: "format", Problem: problem}
	}
	call.query.Set("format", string(format))
	c.setWait(call.query)
	resp, err := c.do(ctx, call) //nolint:bodyclose // the caller closes Transcript.Body
	if err != nil {
		return nil, err
	}
	return &Transcript{
		Body:        resp.Body,
		ContentType: resp.Header.Get("Content-Type"),
		Size:        resp.ContentLength,
		RequestID:   c.requestID(resp),
	}, nil
}
