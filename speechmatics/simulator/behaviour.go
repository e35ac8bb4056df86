// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"slices"
	"time"
)

// Behaviour decides where the provider's documentation is silent, or contradicts itself. An empty
// field is the harsher variant, the one that is easier to get wrong in a client.
type Behaviour struct {
	// DeletedJob is the answer to a GET or DELETE of a deleted job.
	DeletedJob GoneAnswer `json:"deletedJob,omitempty"`
	// ExpiredJob is the answer to a GET or DELETE of an expired job. Empty is GoneAnswerGone.
	ExpiredJob GoneAnswer `json:"expiredJob,omitempty"`
	// DropDeletedConfig leaves the config, and so the tracking data, out of deleted jobs in lists. By
	// default it is there, as in the specification's example.
	DropDeletedConfig bool `json:"dropDeletedConfig,omitempty"`
	// ListExpired includes expired jobs in lists. By default they are nowhere.
	ListExpired bool `json:"listExpired,omitempty"`
	// CreatedBeforeInclusive makes created_before include jobs of exactly that millisecond.
	CreatedBeforeInclusive bool `json:"createdBeforeInclusive,omitempty"`
	// DefaultWait is how long a GET of a running job blocks where the wait parameter is absent, in wall
	// time; 0 means 2 s, negative not at all.
	DefaultWait Duration `json:"defaultWait,omitempty"`
	// EdgeErrors is the body of 401, 413 and of 429 for too many requests: "html" (default) or "json".
	EdgeErrors BodyForm `json:"edgeErrors,omitempty"`
	// RetryAfter adds a Retry-After header to every 429, in whole seconds, rounded up. No documentation
	// mentions that header, so there is none by default.
	RetryAfter Duration `json:"retryAfter,omitempty"`
	// AllowUnknownConfigKeys accepts unknown keys at the top level of the config, and ignores them.
	AllowUnknownConfigKeys bool `json:"allowUnknownConfigKeys,omitempty"`
	// KeepEmptyArrays echoes empty arrays of the config as they are. By default they come back as null.
	KeepEmptyArrays bool `json:"keepEmptyArrays,omitempty"`
	// RejectInvalidAudioAtSubmission answers 400 to an upload that is no audio. By default it is accepted,
	// and the job ends as rejected.
	RejectInvalidAudioAtSubmission bool `json:"rejectInvalidAudioAtSubmission,omitempty"`
	// FollowFetchRedirects follows redirects of media URLs (10 at most). By default they are errors.
	FollowFetchRedirects bool `json:"followFetchRedirects,omitempty"`
	// NoSideFileFetch keeps the simulator from asking the media's host for the words, see the package
	// documentation.
	NoSideFileFetch bool `json:"noSideFileFetch,omitempty"`
	// FailureNotifications says what the notification of a failed job carries.
	FailureNotifications FailureNotifications `json:"failureNotifications,omitempty"`
	// JobInfo is the layout of a notification's jobinfo.
	JobInfo JobInfoLayout `json:"jobInfo,omitempty"`
	// PartNames are the form names of a multipart notification's parts.
	PartNames PartNames `json:"partNames,omitempty"`
	// ServeLogs answers GET /jobs/{id}/log with a log. By default it is not implemented (501).
	ServeLogs bool `json:"serveLogs,omitempty"`
}

// GoneAnswer is how a job that is no more is answered for.
type GoneAnswer string

// The answers for a job that is no more.
const (
	// GoneAnswerNotFound answers 404, "Job not found".
	GoneAnswerNotFound GoneAnswer = "not-found"
	// GoneAnswerGone answers 410, "Job Expired".
	GoneAnswerGone GoneAnswer = "gone"
	// GoneAnswerShow answers 200 with the job and its status.
	GoneAnswerShow GoneAnswer = "show"
)

// FailureNotifications is what the notification of a failed job carries.
type FailureNotifications string

// What the notification of a failed job carries.
const (
	// FailureOmit leaves out what there is not, and keeps the form: a lone transcript becomes an
	// empty body, a multipart has fewer parts.
	FailureOmit FailureNotifications = "omit"
	// FailureJobInfoOnly sends jobinfo alone, whatever was asked for.
	FailureJobInfoOnly FailureNotifications = "jobinfo-only"
)

// JobInfoLayout is the layout of a notification's jobinfo.
type JobInfoLayout string

// The layouts of jobinfo.
const (
	// JobInfoFlat is {"id": …, "created_at": …, "data_name": …, "duration": …, "tracking": …}.
	JobInfoFlat JobInfoLayout = "flat"
	// JobInfoNested is {"job": {…}}, the same document as GET /jobs/{id}.
	JobInfoNested JobInfoLayout = "nested"
)

// PartNames are the form names of a multipart notification's parts. File names tell them apart either way.
type PartNames string

// The form names of parts.
const (
	// PartNamesItem names every part after its item of contents.
	PartNamesItem PartNames = "item"
	// PartNamesDataFile names every part data_file, as where contents is left out.
	PartNamesDataFile PartNames = "data_file"
)

// BodyForm is the form of an error's body.
type BodyForm string

// The forms of an error's body.
const (
	// BodyJSON is {"code", "error", "detail"?}.
	BodyJSON BodyForm = "json"
	// BodyHTML is a page as nginx writes it.
	BodyHTML BodyForm = "html"
	// BodyText is a line of plain text.
	BodyText BodyForm = "text"
	// BodyDetail is {"detail"}, as the HTTP batch worker writes it.
	BodyDetail BodyForm = "detail"
	// BodyEmpty is no body.
	BodyEmpty BodyForm = "empty"
)

func (b Behaviour) withDefaults() Behaviour {
	orDefault(&b.DeletedJob, GoneAnswerNotFound)
	orDefault(&b.ExpiredJob, GoneAnswerGone)
	orDefault(&b.DefaultWait, Duration(2*time.Second))
	orDefault(&b.EdgeErrors, BodyHTML)
	orDefault(&b.FailureNotifications, FailureOmit)
	orDefault(&b.JobInfo, JobInfoFlat)
	orDefault(&b.PartNames, PartNamesItem)
	return b
}

// Validate reports the first value that is none of the known ones.
func (b Behaviour) Validate() error {
	b = b.withDefaults()
	for field, value := range map[string]GoneAnswer{"deletedJob": b.DeletedJob, "expiredJob": b.ExpiredJob} {
		if err := oneOf(field, value, GoneAnswerNotFound, GoneAnswerGone, GoneAnswerShow); err != nil {
			return err
		}
	}
	if err := oneOf("edgeErrors", b.EdgeErrors, BodyHTML, BodyJSON); err != nil {
		return err
	}
	if err := oneOf("failureNotifications", b.FailureNotifications, FailureOmit, FailureJobInfoOnly); err != nil {
		return err
	}
	if err := oneOf("partNames", b.PartNames, PartNamesItem, PartNamesDataFile); err != nil {
		return err
	}
	return oneOf("jobInfo", b.JobInfo, JobInfoFlat, JobInfoNested)
}

// oneOf reports a value that is not among those allowed.
func oneOf[T ~string](field string, value T, allowed ...T) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s: %q is none of %q", field, value, allowed)
}

// Duration is a time.Duration that is written as "1.5s" in JSON.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}
