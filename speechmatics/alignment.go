// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"net/http"
)

// AlignmentTags says how an alignment tells times.
type AlignmentTags string

const (
	// TagsWordStartAndEnd surrounds each word with its times: <time=0.41>hello<time=0.76>. It is the provider's default.
	TagsWordStartAndEnd AlignmentTags = "word_start_and_end"
	// TagsOnePerLine puts a time before each line: [00:00:00.4] hello world.
	TagsOnePerLine AlignmentTags = "one_per_line"
)

const needsHostedService = "ask the hosted service"

// Alignment opens the text of a job of type alignment, with its times. Empty tags leave the choice to the provider; others than the
// constants are passed on. Before the job is done the answer is 404.
func (c *Client) Alignment(ctx context.Context, id string, tags AlignmentTags) (*Download, error) {
	if err := c.require(c.backend.Capabilities().HasAlignment, opAlignment, "alignment", needsHostedService); err != nil {
		return nil, err
	}
	call, err := jobCall(opAlignment, http.MethodGet, id, "alignment")
	if err != nil {
		return nil, err
	}
	if tags != "" {
		if problem := headerValueProblem(string(tags), maxFormatBytes); problem != "" {
			return nil, &InvalidError{Operation: opAlignment, Field: "tags", Problem: problem}
		}
		call.query.Set("tags", string(tags))
	}
	return c.open(ctx, call)
}

// Text opens the text that was submitted to a job of type alignment.
func (c *Client) Text(ctx context.Context, id string) (*Download, error) {
	if err := c.require(c.backend.Capabilities().HasAlignment, opText, "alignment", needsHostedService); err != nil {
		return nil, err
	}
	return c.openOfJob(ctx, opText, id, "text")
}
