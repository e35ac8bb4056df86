// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// processingHeader carries ProcessingData (Speechmatics API, batch v2: POST /jobs).
const processingHeader = "X-SM-Processing-Data"

const maxUserIDBytes = 1024

// ProcessingData tells an on-premises backend how to process a job. The hosted service does not take it.
type ProcessingData struct {
	// ParallelEngines is the number of engines that the job gets at most, at the cost of other jobs; 0 leaves it to the backend. A
	// [Worker] refuses a job for which it has not enough free ones.
	ParallelEngines int
	// UserID is the user ID of the job, of which the provider says no more. At most 1024 bytes; empty is none.
	UserID string
}

// header returns the header's value; empty for none. It is ASCII, as headers are: JSON can be written so.
func (p *ProcessingData) header() (string, error) {
	switch {
	case p == nil:
		return "", nil
	case p.ParallelEngines < 0:
		return "", invalidSubmission("ProcessingData.ParallelEngines", "is negative")
	case len(p.UserID) > maxUserIDBytes:
		return "", invalidSubmission("ProcessingData.UserID", fmt.Sprintf("is longer than %d bytes", maxUserIDBytes))
	case !utf8.ValidString(p.UserID):
		return "", invalidSubmission("ProcessingData.UserID", "is not UTF-8")
	}
	encoded, err := json.Marshal(struct {
		ParallelEngines int    `json:"parallel_engines,omitempty"`
		UserID          string `json:"user_id,omitempty"`
	}{p.ParallelEngines, p.UserID})
	if err != nil {
		return "", err
	}
	return asciiJSON(string(encoded)), nil
}

// asciiJSON escapes what is not printable ASCII in a JSON document; such characters are in strings only.
func asciiJSON(document string) string {
	var out strings.Builder
	for _, r := range document {
		if r < 0x7f {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return out.String()
}
