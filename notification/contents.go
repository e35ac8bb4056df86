// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"regexp"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// ContentJobInfo is the item of notification_config.contents that asks for the facts about a job, among them its
// tracking data. It is always asked for: the reference in there shows that the notification is about our job.
const ContentJobInfo = "jobinfo"

// contentPrefix is what the format follows in the items that ask for a transcript (Speechmatics API, batch v2:
// notification_config.contents; with a dot, as in the enumeration, not with the colon of its example).
const contentPrefix = "transcript."

// MaxOutcomeLength bounds an outcome, in characters; v1alpha1.NotificationOutcome has the same bound.
const MaxOutcomeLength = 32

var outcomePattern = regexp.MustCompile(`^[a-z_]{1,32}$`)

// ParseOutcome reads the query parameter status of a notification. known says whether it is one of the four documented
// outcomes. A word that nobody knows, of at most MaxOutcomeLength characters from a-z and the underscore, is returned with
// known false: it means "go and look". Anything else is refused: the outcome is empty and known is false.
func ParseOutcome(s string) (outcome v1alpha1.NotificationOutcome, known bool) {
	if !outcomePattern.MatchString(s) {
		return "", false
	}
	switch outcome := v1alpha1.NotificationOutcome(s); outcome {
	case v1alpha1.OutcomeSuccess, v1alpha1.OutcomeError, v1alpha1.OutcomeFetchError, v1alpha1.OutcomeTrimError:
		return outcome, true
	default:
		return outcome, false
	}
}

// Contents returns what a job's notification is to bring (notification_config.contents): the facts about the job first, then the
// transcript in each of the formats that are asked of the provider.
func Contents(spec *v1alpha1.TranscriptionJobSpec) []string {
	contents := []string{ContentJobInfo}
	for _, format := range Sources(spec) {
		contents = append(contents, ContentOf(format))
	}
	return contents
}

// ContentOf is the item of notification_config.contents that asks for the transcript in a format.
func ContentOf(format v1alpha1.TranscriptFormat) string { return contentPrefix + string(format) }

// mediaTypes are the content types that Speechmatics sends (batch v2, notifications).
var mediaTypes = map[string]string{
	ContentJobInfo:                   "application/json",
	ContentOf(v1alpha1.FormatJSONv2): "application/json",
	ContentOf(v1alpha1.FormatText):   "text/plain; charset=utf-8",
	ContentOf(v1alpha1.FormatSRT):    "text/plain; charset=utf-8",
}

// fileNames are the names under which a delivery sends the contents as files.
var fileNames = map[string]string{
	ContentJobInfo:                   "jobinfo.json",
	ContentOf(v1alpha1.FormatJSONv2): "transcript.json",
	ContentOf(v1alpha1.FormatText):   "transcript.txt",
	ContentOf(v1alpha1.FormatSRT):    "transcript.srt",
}

// CreatePart starts the part of a delivery's multipart/form-data body that carries one item of Contents, and returns where
// to write it. An item that Contents does not return is an error.
func CreatePart(w *multipart.Writer, content string) (io.Writer, error) {
	mediaType, ok := mediaTypes[content]
	if !ok {
		return nil, fmt.Errorf("a delivery cannot carry %q", content)
	}
	header := textproto.MIMEHeader{}
	header.Set("Content-Disposition", mime.FormatMediaType("form-data", map[string]string{"name": content, "filename": fileNames[content]}))
	header.Set("Content-Type", mediaType)
	part, err := w.CreatePart(header)
	if err != nil {
		return nil, fmt.Errorf("cannot write the part %s of a delivery: %w", content, err)
	}
	return part, nil
}
