// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// maxJobBytes bounds one job's document. Most of it is the configuration, which the provider repeats: it is more than
// maxConfigBytes, so that whatever CreateJob submits can be read again.
const maxJobBytes = 8 << 20

// maxWordBytes bounds a status or language that nobody knows: they are shown to people.
const maxWordBytes = 64

// JobStatus is the state of a job. Other values than the constants may occur.
type JobStatus string

const (
	// JobRunning means that the job is queued, its media is fetched, or it is being processed. The provider tells no more.
	JobRunning JobStatus = "running"
	// JobDone means that the transcript is there.
	JobDone JobStatus = "done"
	// JobRejected means that the job was accepted but could not be processed. Job.Errors says why.
	JobRejected JobStatus = "rejected"
	// JobDeleted means that a user deleted the job.
	JobDeleted JobStatus = "deleted"
	// JobExpired means that the provider removed the job, after seven days on the hosted service.
	JobExpired JobStatus = "expired"
)

// Terminal reports whether the job will not run any more. A status that nobody knows is not terminal.
func (s JobStatus) Terminal() bool {
	switch s {
	case JobDone, JobRejected, JobDeleted, JobExpired:
		return true
	default:
		return false
	}
}

// statusOf recognises the known statuses in any case (the HTTP batch worker's documentation writes DONE), and keeps others
// as they are.
func statusOf(text string) JobStatus {
	switch known := JobStatus(strings.ToLower(text)); known {
	case JobRunning, JobDone, JobRejected, JobDeleted, JobExpired:
		return known
	default:
		return JobStatus(cut(oneLine(text), maxWordBytes))
	}
}

// Job is what the provider tells about a job, without its configuration, which may hold credentials; [Client.JobDocument] has all
// of it.
type Job struct {
	// ID identifies the job at this provider and in this region. It is opaque, and never empty.
	ID string
	// Status is the job's state.
	Status JobStatus
	// CreatedAt is when the job was created, by the provider's clock; zero if unknown.
	CreatedAt time.Time
	// Type is the kind of job, [JobTranscription] usually; empty if unknown.
	Type string
	// DataName is the name of the uploaded media; empty for media that the provider fetched.
	DataName string
	// TextName is the name of the uploaded text of an alignment; empty for all others.
	TextName string
	// Duration is the length of the media, in whole seconds usually; 0 if unknown.
	Duration time.Duration
	// Language is the language asked for; empty if unknown (lists of an appliance have no configuration).
	Language string
	// Tracking is the caller's own data; nil if there is none, or if it is unknown as in lists of an appliance.
	Tracking *Tracking
	// Errors lists what went wrong, oldest first, failed notifications included: a job that is done may have errors, too.
	Errors []JobError
	// RequestID identifies the request that brought this, for the provider's support. Empty for jobs of a list.
	RequestID string
}

// JobError is something that went wrong with a job.
type JobError struct {
	// Timestamp is when; zero if unknown.
	Timestamp time.Time
	// Message is what, of any length. It may contain the URL of media or of a notification with all its secrets: it must go through [RedactURLs]
	// before it is shown, logged or stored.
	Message string
}

// UnmarshalJSON reads a job as the backends write it: with nulls, with the ID as "id" or "job_id", with the configuration's members under
// "config" or beside it, and with or without a surrounding {"job": …}. Members that are not what they should be are taken for
// absent, except the ID: a job without one is an error.
func (j *Job) UnmarshalJSON(data []byte) error {
	var wire struct {
		wireJob
		Job json.RawMessage `json:"job"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	if isObject(wire.Job) {
		wire.wireJob = wireJob{}
		if err := json.Unmarshal(wire.Job, &wire.wireJob); err != nil {
			return err
		}
	}
	job := wire.job()
	if problem := jobIDProblem(job.ID); problem != "" {
		return errors.New("the job's ID " + problem)
	}
	*j = job
	return nil
}

// wireJob is a job's document. Raw members are read leniently.
type wireJob struct {
	ID        json.RawMessage `json:"id"`
	JobID     json.RawMessage `json:"job_id"`
	Status    json.RawMessage `json:"status"`
	CreatedAt json.RawMessage `json:"created_at"`
	DataName  json.RawMessage `json:"data_name"`
	TextName  json.RawMessage `json:"text_name"`
	Duration  json.RawMessage `json:"duration"`
	Errors    json.RawMessage `json:"errors"`
	Config    json.RawMessage `json:"config"`
	wireConfig
}

// wireConfig is the part of a configuration that is kept.
type wireConfig struct {
	Type                json.RawMessage `json:"type"`
	Tracking            json.RawMessage `json:"tracking"`
	TranscriptionConfig json.RawMessage `json:"transcription_config"`
	AlignmentConfig     json.RawMessage `json:"alignment_config"`
}

func (w *wireJob) job() Job {
	config := w.effectiveConfig()
	return Job{
		ID:        w.id(),
		Status:    statusOf(textOf(w.Status)),
		CreatedAt: timeOf(w.CreatedAt),
		Type:      cut(oneLine(textOf(config.Type)), maxWordBytes),
		DataName:  textOf(w.DataName),
		TextName:  textOf(w.TextName),
		Duration:  durationOf(w.Duration),
		Language:  languageOf(config),
		Tracking:  trackingOf(config.Tracking),
		Errors:    jobErrorsOf(w.Errors),
	}
}

func (w *wireJob) id() string {
	if id := textOf(w.ID); id != "" {
		return id
	}
	return textOf(w.JobID)
}

// effectiveConfig prefers the members under "config", where they belong, to those at the job's root.
func (w *wireJob) effectiveConfig() wireConfig {
	var config wireConfig
	_ = json.Unmarshal(w.Config, &config) // absent or not an object: nothing is there
	if !isObject(config.Tracking) {
		config.Tracking = w.Tracking
	}
	if !isObject(config.TranscriptionConfig) {
		config.TranscriptionConfig = w.TranscriptionConfig
	}
	if !isObject(config.AlignmentConfig) {
		config.AlignmentConfig = w.AlignmentConfig
	}
	if textOf(config.Type) == "" {
		config.Type = w.Type
	}
	return config
}

func languageOf(config wireConfig) string {
	for _, raw := range []json.RawMessage{config.TranscriptionConfig, config.AlignmentConfig} {
		if language := textOf(membersOf(raw)["language"]); language != "" {
			return cut(oneLine(language), maxWordBytes)
		}
	}
	return ""
}

func trackingOf(raw json.RawMessage) *Tracking {
	if !isObject(raw) {
		return nil
	}
	var wire struct {
		Title     json.RawMessage `json:"title"`
		Reference json.RawMessage `json:"reference"`
		Tags      json.RawMessage `json:"tags"`
		Details   json.RawMessage `json:"details"`
	}
	if json.Unmarshal(raw, &wire) != nil {
		return nil
	}
	tracking := &Tracking{Title: textOf(wire.Title), Reference: textOf(wire.Reference)}
	for _, tag := range listOf(wire.Tags) {
		tracking.Tags = append(tracking.Tags, textOf(tag))
	}
	if isObject(wire.Details) {
		tracking.Details = wire.Details
	}
	return tracking
}

func jobErrorsOf(raw json.RawMessage) []JobError {
	var jobErrors []JobError
	for _, item := range listOf(raw) {
		var wire struct {
			Timestamp json.RawMessage `json:"timestamp"`
			Message   json.RawMessage `json:"message"`
		}
		if json.Unmarshal(item, &wire) != nil {
			wire.Message = item // a bare text, perhaps
		}
		if message := textOf(wire.Message); message != "" {
			jobErrors = append(jobErrors, JobError{Timestamp: timeOf(wire.Timestamp), Message: message})
		}
	}
	return jobErrors
}

// isObject reports whether a value, known to be valid JSON, is an object.
func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte{'{'}) }

// GetJob returns what the provider knows about a job. It does not wait for the job, unless [Wait] is given.
func (c *Client) GetJob(ctx context.Context, id string, options ...ReadOption) (*Job, error) {
	call, err := jobCall(opGetJob, http.MethodGet, id)
	if err != nil {
		return nil, err
	}
	if err := c.setWait(call, options); err != nil {
		return nil, err
	}
	resp, err := c.do(ctx, call)
	if err != nil {
		return nil, err
	}
	defer closeBody(resp)
	job := &Job{}
	if err := call.decode(resp, maxJobBytes, job); err != nil {
		return nil, err
	}
	if job.ID != id {
		return nil, call.responseError(resp, fmt.Errorf("it is about another job, %q", job.ID))
	}
	job.RequestID = call.requestID(resp)
	return job, nil
}

// JobDocument returns what [Client.GetJob] reads, as it came: for members that [Job] does not have, the configuration above all, which
// [JobConfig] can be read from. It is full of secrets: headers and signed URLs, as they were submitted.
func (c *Client) JobDocument(ctx context.Context, id string, options ...ReadOption) (json.RawMessage, error) {
	call, err := jobCall(opJobDocument, http.MethodGet, id)
	if err != nil {
		return nil, err
	}
	if err := c.setWait(call, options); err != nil {
		return nil, err
	}
	var document json.RawMessage
	_, err = c.readJSON(ctx, call, maxJobBytes, &document)
	return document, err
}

// DeleteOptions adjusts [Client.DeleteJob].
type DeleteOptions struct {
	// Force deletes a job that is running, too; otherwise that is refused with 423, see [IsLocked].
	Force bool
}

// DeleteJob deletes a job's media, transcript and configuration at the provider. That a job is not there any more, 404 or 410, is a
// success: what was wanted is so. (404 is also the answer for a job of another project or region, and from an address that
// is not the API's.) A [Worker] cannot delete jobs: *[UnsupportedError].
func (c *Client) DeleteJob(ctx context.Context, id string, opts DeleteOptions) error {
	if err := c.require(c.backend.Capabilities().CanDelete, opDeleteJob, "deleting jobs", "the job ends by itself, and is forgotten in time"); err != nil {
		return err
	}
	call, err := jobCall(opDeleteJob, http.MethodDelete, id)
	if err != nil {
		return err
	}
	if opts.Force {
		call.query.Set("force", "true")
	}
	resp, err := c.do(ctx, call)
	if IsNotFound(err) || IsGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	closeBody(resp)
	return nil
}
