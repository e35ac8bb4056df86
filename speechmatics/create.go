// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxConfigBytes bounds a configuration. No limit is documented; a dictionary of 1000 entries is some 100 KiB.
	maxConfigBytes = 4 << 20
	// maxMediaNameBytes is what file systems permit in a name.
	maxMediaNameBytes = 255
	// maxCreatedBytes bounds the answer to a submission, which is one ID.
	maxCreatedBytes = 64 << 10
)

// CreateJobRequest is a submission. The media comes from exactly one source: Media, or the configuration's fetch_data.
type CreateJobRequest struct {
	// Config is the job's configuration.
	Config JobConfig
	// ConfigJSON is the configuration, encoded already, for options that JobConfig does not know: a JSON object, sent as it is. Exactly one of
	// Config and ConfigJSON is given.
	ConfigJSON json.RawMessage
	// Media is what is uploaded; nil with fetch_data.
	Media *Media
	// ProcessingData tells an on-premises backend how to process the job; nil leaves it to the backend. On the hosted service it is
	// refused, *[UnsupportedError].
	ProcessingData *ProcessingData
	// BeforeLastBytes, if not nil, is the fence: it is called when everything but the closing boundary of the request has been handed to
	// the transport, and the closing boundary follows only if it returns nil. If it returns an error, the request is broken off, the provider
	// never has a whole one, and CreateJob returns that error, wrapped, with [NotCreated] true.
	//
	// A context's deadline is no substitute: a process that was stopped past its deadline may still write the last bytes when it
	// continues. The fence is called at most once, on another goroutine, and not at all if the submission fails before. It must not block.
	BeforeLastBytes func() error
}

// Media is media to upload.
type Media struct {
	// Name is the media's file name, which becomes Job.DataName. The provider recognises the kind of media by its content.
	Name string
	// Reader gives the content. It is read once, never held in memory, and not closed. No Read begins after CreateJob has returned; one that
	// is in progress, after an error, may still be finishing.
	Reader io.Reader
	// Size is the number of bytes that Reader gives, or -1 if unknown. If it gives fewer or more, the submission is broken off. The hosted
	// service accepts less than 1 GB.
	Size int64
}

// CreatedJob is a job that the provider has accepted.
type CreatedJob struct {
	// ID identifies the job from now on.
	ID string
	// RequestID identifies the submission, for the provider's support.
	RequestID string
}

// CreateJob submits a job. Every error is a *[SubmissionError]: see [NotCreated].
//
// The request is sent at most once. It carries no idempotency key, because the provider has none and because Go's transport would take
// it for permission to send the request again by itself; nor can the body be rewound. An answer that comes before the upload has
// ended ends it.
func (c *Client) CreateJob(ctx context.Context, submission CreateJobRequest) (*CreatedJob, error) {
	config, err := encodeSubmission(submission)
	if err != nil {
		return nil, &SubmissionError{Outcome: OutcomeNotCreated, Err: err}
	}
	processing, err := c.encodeProcessing(submission.ProcessingData)
	if err != nil {
		return nil, &SubmissionError{Outcome: OutcomeNotCreated, Err: err}
	}
	upload, err := newUpload(config, submission.Media, submission.BeforeLastBytes)
	if err != nil {
		return nil, c.notSent(err)
	}
	defer func() { _ = upload.Close() }()
	req, err := c.newRequest(ctx, http.MethodPost, []string{"jobs"}, nil, upload)
	if err != nil {
		return nil, c.notSent(err)
	}
	req.ContentLength = upload.contentLength()
	req.Header.Set("Content-Type", upload.contentType)
	if processing != "" {
		req.Header.Set(processingHeader, processing)
	}
	return c.submit(req, upload)
}

func (c *Client) notSent(err error) *SubmissionError {
	return &SubmissionError{Outcome: OutcomeNotCreated, Err: c.transportError(opCreateJob, "", err)}
}

// submit sends the request and judges what came of it.
func (c *Client) submit(req *http.Request, upload *upload) (*CreatedJob, error) {
	resp, err := c.http.Do(req)
	// From here on the last bytes go out no more if they have not yet, so that what follows is judged on facts that stay.
	whole := upload.seal()
	if err != nil {
		if cause := upload.cause(); cause != nil {
			err = cause
		}
		return nil, &SubmissionError{Outcome: outcomeOf(!whole), Err: c.transportError(opCreateJob, "", err)}
	}
	defer closeBody(resp)
	if !isSuccess(resp.StatusCode) {
		answer := c.readError(opCreateJob, "", resp)
		refused := !whole || c.backend.refusesWholeRequest(answer)
		return nil, &SubmissionError{Outcome: outcomeOf(refused), Err: answer}
	}
	created, err := c.readCreated(resp)
	if err != nil {
		return nil, &SubmissionError{Outcome: OutcomeUnknown, Err: err}
	}
	return created, nil
}

func outcomeOf(proven bool) SubmissionOutcome {
	if proven {
		return OutcomeNotCreated
	}
	return OutcomeUnknown
}

// readCreated reads the answer to an accepted submission: {"id": "…"}.
func (c *Client) readCreated(resp *http.Response) (*CreatedJob, error) {
	body, err := readBounded(resp.Body, maxCreatedBytes)
	if err != nil {
		return nil, c.unreadable(call{operation: opCreateJob}, resp, err)
	}
	var job Job
	if err := json.Unmarshal(body, &job); err != nil {
		return nil, c.responseError(opCreateJob, "", resp, err)
	}
	return &CreatedJob{ID: job.ID, RequestID: c.requestID(resp)}, nil
}

// encodeProcessing returns the value of processingHeader; empty for none.
func (c *Client) encodeProcessing(data *ProcessingData) (string, error) {
	if data == nil {
		return "", nil
	}
	if err := c.require(c.backend.Capabilities().TakesProcessingData, opCreateJob, processingHeader, "leave out CreateJobRequest.ProcessingData"); err != nil {
		return "", err
	}
	return data.header()
}

// encodeSubmission checks a submission and returns its configuration as JSON.
func encodeSubmission(submission CreateJobRequest) ([]byte, error) {
	config, err := encodeConfig(submission)
	if err != nil {
		return nil, err
	}
	fetches, err := hasFetchData(config)
	if err != nil {
		return nil, err
	}
	switch {
	case submission.Media == nil && !fetches:
		return nil, invalidSubmission("Media", "is missing, and the configuration has no fetch_data: give one of them")
	case submission.Media != nil && fetches:
		return nil, invalidSubmission("Media", "is given, and the configuration has fetch_data: give only one of them")
	case submission.Media != nil:
		return config, checkMedia(submission.Media)
	default:
		return config, nil
	}
}

func encodeConfig(submission CreateJobRequest) ([]byte, error) {
	given := !reflect.ValueOf(submission.Config).IsZero()
	config := []byte(submission.ConfigJSON)
	switch {
	case given == (len(config) > 0):
		return nil, invalidSubmission("Config", "or ConfigJSON must be given, and only one of them")
	case given && submission.Config.Type == "":
		return nil, invalidSubmission("Config.Type", `is empty; "transcription" is usual`)
	case given:
		encoded, err := marshalPlain(submission.Config)
		if err != nil {
			return nil, invalidSubmission("Config", "cannot be encoded; is Config.Tracking.Details valid JSON?")
		}
		config = encoded
	}
	if len(config) > maxConfigBytes {
		return nil, invalidSubmission("Config", fmt.Sprintf("is larger than %d bytes", maxConfigBytes))
	}
	return config, nil
}

// marshalPlain encodes without the escapes that make JSON safe in HTML pages, of which this is none.
func marshalPlain(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// hasFetchData reports whether a configuration names media to fetch. It reads the JSON, so that both ways of giving a
// configuration are held to the same rule. Errors do not repeat it: it may hold credentials.
func hasFetchData(config []byte) (bool, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(config, &members); err != nil || members == nil {
		return false, invalidSubmission("ConfigJSON", "is not a JSON object")
	}
	fetchData, ok := members["fetch_data"]
	return ok && !bytes.Equal(bytes.TrimSpace(fetchData), []byte("null")), nil
}

func checkMedia(media *Media) error {
	switch {
	case media.Reader == nil:
		return invalidSubmission("Media.Reader", "is nil")
	case media.Size == 0:
		return invalidSubmission("Media.Size", "is 0: there is nothing to transcribe; use -1 if the size is unknown")
	case media.Size < -1 || media.Size > math.MaxInt64-2*maxConfigBytes:
		return invalidSubmission("Media.Size", "is out of range; use -1 if the size is unknown")
	case media.Name == "":
		return invalidSubmission("Media.Name", "is empty; a part without a file name is not taken for a file")
	case len(media.Name) > maxMediaNameBytes:
		return invalidSubmission("Media.Name", fmt.Sprintf("is longer than %d bytes", maxMediaNameBytes))
	case !utf8.ValidString(media.Name) || strings.ContainsFunc(media.Name, unicode.IsControl):
		return invalidSubmission("Media.Name", "is not UTF-8, or contains control characters")
	default:
		return nil
	}
}

func invalidSubmission(field, problem string) error {
	return &InvalidError{Operation: opCreateJob, Field: field, Problem: problem}
}
