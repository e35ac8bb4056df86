// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"io"
	"net/http"
)

// Download is a document on its way. The caller reads Body and closes it; nothing bounds its size, but the context given to the
// method that opened it bounds the reading.
type Download struct {
	// Body is the document, byte for byte. Reading it to io.EOF means that it is complete.
	Body io.ReadCloser
	// ContentType is the media type that the provider gives; JSON is "application/json" or "application/vnd.speechmatics.v2+json".
	ContentType string
	// Size is the number of bytes of Body; -1 if unknown, because it was compressed for the transport for example.
	Size int64
	// RequestID identifies the request, for the provider's support.
	RequestID string
}

// open sends a call whose answer is a document.
func (c *Client) open(ctx context.Context, call *call) (*Download, error) {
	resp, err := c.do(ctx, call) //nolint:bodyclose // the caller closes Download.Body
	if err != nil {
		return nil, err
	}
	return &Download{
		Body:        resp.Body,
		ContentType: resp.Header.Get("Content-Type"),
		Size:        resp.ContentLength,
		RequestID:   call.requestID(resp),
	}, nil
}

// openOfJob opens a document that a job has, at the end of a path below the job.
func (c *Client) openOfJob(ctx context.Context, operation, id, name string) (*Download, error) {
	call, err := jobCall(operation, http.MethodGet, id, name)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, call)
}

// Log opens the log of a job, plain text for people. The provider answers 404 where there is none, and 501 where it keeps none.
func (c *Client) Log(ctx context.Context, id string) (*Download, error) {
	if err := c.require(c.backend.Capabilities().HasLog, opLog, "logs of jobs", "look at the backend's own log"); err != nil {
		return nil, err
	}
	return c.openOfJob(ctx, opLog, id, "log")
}

// Data opens the media of a job as it was submitted. The provider took it out of its specification in June 2026; its own libraries
// still use it, and its documentation mentions it for alignments.
func (c *Client) Data(ctx context.Context, id string) (*Download, error) {
	if err := c.require(c.backend.Capabilities().HasData, opData, "downloads of media", "keep the media yourself"); err != nil {
		return nil, err
	}
	return c.openOfJob(ctx, opData, id, "data")
}
