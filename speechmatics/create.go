// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxConfigBytes bounds a configuration. No limit is documented; a dictionary of 1000 entries is some 100 KiB.
	maxConfigBytes = 4 << 20
	// maxMediaNameBytes is what file systems permit in a name.
	maxMediaNameBytes = 255
	// maxMediaBytes leaves room for another file and the rest of a request in a number of bytes.
	maxMediaBytes = math.MaxInt64/2 - 2*maxConfigBytes
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
	// Text is the text to align with the media, in UTF-8, for jobs of type alignment without fetch_text; nil for all others.
	Text *Media
	// ProcessingData tells an on-premises backend how to process the job; nil leaves it to the backend. On the hosted service it is
	// refused, *[UnsupportedError].
	ProcessingData *ProcessingData
	// Wait holds the answer back until the job has ended, but no longer than this, rounded up to whole seconds, nor longer than the provider
	// likes; at most an hour. CreatedJob then has the job's status and perhaps its transcript. 0 does not wait. Only the hosted service
	// knows it. The longer an answer is on its way, the likelier it gets lost, and the outcome unknown.
	Wait time.Duration
	// WaitFormat is the format of the transcript that Wait asks for; empty for [FormatJSONv2].
	WaitFormat TranscriptFormat
	// BeforeLastBytes, if not nil, is the fence: it is called when everything but the closing boundary of the request has been handed to
	// the transport, and the closing boundary follows only if it returns nil. If it returns an error, the request is broken off, the provider
	// never has a whole one, and CreateJob returns that error, wrapped, with [NotCreated] true.
	//
	// A context's deadline is no substitute: a process that was stopped past its deadline may still write the last bytes when it
	// continues. The fence is called at most once, on another goroutine, and not at all if the submission fails before. It must not block.
	BeforeLastBytes func() error
}

// Media is a file to upload: media, or the text of an alignment.
type Media struct {
	// Name is the file's name; that of media becomes Job.DataName. The provider recognises the kind of media by its content.
	Name string
	// Reader gives the content. It is read once, never held in memory, and not closed. No Read begins after CreateJob has returned; one that
	// is in progress, after an error, may still be finishing.
	Reader io.Reader
	// Size is the number of bytes that Reader gives, or -1 if unknown. If it gives fewer or more, the submission is broken off. The hosted
	// service accepts less than 1 GB.
	Size int64
}

// CreateJob submits a job. Every error is a *[SubmissionError]: see [NotCreated].
//
// The request is sent at most once, also with a key that is refused. It carries no idempotency key, because the provider has none and
// because Go's transport would take it for permission to send the request again by itself; nor can the body be rewound. An answer
// that comes before the upload has ended ends it.
func (c *Client) CreateJob(ctx context.Context, submission CreateJobRequest) (*CreatedJob, error) {
	call := &call{operation: opCreateJob, method: http.MethodPost, segments: []string{"jobs"}}
	req, upload, err := c.newSubmission(ctx, call, submission)
	if err != nil {
		return nil, &SubmissionError{Outcome: OutcomeNotCreated, Err: err}
	}
	defer func() { _ = upload.Close() }()
	resp, err := c.submit(call, req, upload)
	if err != nil {
		return nil, err
	}
	defer closeBody(resp)
	created, err := call.readCreated(resp, submission)
	if err != nil {
		return nil, &SubmissionError{Outcome: OutcomeUnknown, Err: err}
	}
	return created, nil
}

// newSubmission checks a submission, and builds its request. Whoever calls it closes the upload.
func (c *Client) newSubmission(ctx context.Context, call *call, submission CreateJobRequest) (*http.Request, *upload, error) {
	config, err := encodeSubmission(submission)
	if err != nil {
		return nil, nil, err
	}
	if err := c.checkSupported(submission, config); err != nil {
		return nil, nil, err
	}
	processing, err := submission.ProcessingData.header()
	if err != nil {
		return nil, nil, err
	}
	if call.query, err = waitQuery(submission); err != nil {
		return nil, nil, err
	}
	if err := c.takeKey(ctx, call); err != nil {
		return nil, nil, err
	}
	upload, err := newUpload(config.json, submission.files(), submission.BeforeLastBytes)
	if err != nil {
		return nil, nil, call.transportError(err)
	}
	req, err := c.newRequest(ctx, call, upload)
	if err != nil {
		return nil, nil, call.transportError(err)
	}
	req.ContentLength = upload.contentLength()
	req.Header.Set("Content-Type", upload.contentType)
	if processing != "" {
		req.Header.Set(processingHeader, processing)
	}
	return req, upload, nil
}

// submit sends the request, and judges what came of it. Every error is a *SubmissionError.
func (c *Client) submit(call *call, req *http.Request, upload *upload) (*http.Response, error) {
	resp, err := c.http.Do(req)
	// From here on the last bytes go out no more if they have not yet, so that what follows is judged on facts that stay.
	whole := upload.seal()
	if err != nil {
		if cause := upload.cause(); cause != nil {
			err = cause
		}
		return nil, &SubmissionError{Outcome: outcomeOf(!whole), Err: call.transportError(err)}
	}
	if isSuccess(resp.StatusCode) {
		return resp, nil
	}
	defer closeBody(resp)
	answer := call.readError(resp, c.now)
	c.noteRefusal(call, answer)
	refused := !whole || c.backend.refusesWholeRequest(answer)
	return nil, &SubmissionError{Outcome: outcomeOf(refused), Err: answer}
}

func outcomeOf(proven bool) SubmissionOutcome {
	if proven {
		return OutcomeNotCreated
	}
	return OutcomeUnknown
}

// files lists what is uploaded. The text comes first: it is small, and a server that reads as it receives knows it before the media.
func (r CreateJobRequest) files() []formFile {
	var files []formFile
	if r.Text != nil {
		files = append(files, formFile{field: "text_file", what: "the text", media: r.Text})
	}
	if r.Media != nil {
		files = append(files, formFile{field: "data_file", what: "the media", media: r.Media})
	}
	return files
}

// checkSupported refuses what the client's backend does not have.
func (c *Client) checkSupported(submission CreateJobRequest, config *submittedConfig) error {
	can := c.backend.Capabilities()
	return cmp.Or(
		c.require(can.TakesProcessingData || submission.ProcessingData == nil, opCreateJob, processingHeader, "leave out CreateJobRequest.ProcessingData"),
		c.require(can.KnowsWait || submission.Wait == 0, opCreateJob, "waiting", "leave out CreateJobRequest.Wait, and ask with GetJob"),
		c.require(can.HasAlignment || config.kind != JobAlignment, opCreateJob, "alignment", "submit the job to the hosted service"),
	)
}

// submittedConfig is a configuration as it is sent, and what of it matters here.
type submittedConfig struct {
	json                     []byte
	kind                     string // its type
	fetchesData, fetchesText bool
}

// encodeSubmission checks a submission and returns its configuration as JSON.
func encodeSubmission(submission CreateJobRequest) (*submittedConfig, error) {
	encoded, err := encodeConfig(submission)
	if err != nil {
		return nil, err
	}
	config, err := readConfig(encoded)
	if err != nil {
		return nil, err
	}
	isAlignment := config.kind == JobAlignment
	switch {
	case submission.Media == nil && !config.fetchesData:
		return nil, invalidSubmission("Media", "is missing, and the configuration has no fetch_data: give one of them")
	case submission.Media != nil && config.fetchesData:
		return nil, invalidSubmission("Media", "is given, and the configuration has fetch_data: give only one of them")
	case isAlignment && submission.Text == nil && !config.fetchesText:
		return nil, invalidSubmission("Text", "is missing, and the configuration has no fetch_text: an alignment needs one of them")
	case submission.Text != nil && config.fetchesText:
		return nil, invalidSubmission("Text", "is given, and the configuration has fetch_text: give only one of them")
	case submission.Text != nil && !isAlignment:
		return nil, invalidSubmission("Text", "is given, and the job's type is not alignment")
	}
	if err := checkMedia("Media", submission.Media); err != nil {
		return nil, err
	}
	return config, checkMedia("Text", submission.Text)
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

// readConfig reads from the JSON what matters here, so that both ways of giving a configuration are held to the same rules. Errors do
// not repeat it: it may hold credentials.
func readConfig(config []byte) (*submittedConfig, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(config, &members); err != nil || members == nil {
		return nil, invalidSubmission("ConfigJSON", "is not a JSON object")
	}
	has := func(name string) bool {
		value, ok := members[name]
		return ok && !bytes.Equal(bytes.TrimSpace(value), []byte("null"))
	}
	return &submittedConfig{json: config, kind: textOf(members["type"]), fetchesData: has("fetch_data"), fetchesText: has("fetch_text")}, nil
}

// checkMedia checks a file to upload; nil is none.
func checkMedia(field string, media *Media) error {
	switch {
	case media == nil:
		return nil
	case media.Reader == nil:
		return invalidSubmission(field+".Reader", "is nil")
	case media.Size == 0:
		return invalidSubmission(field+".Size", "is 0: there is nothing to transcribe; use -1 if the size is unknown")
	case media.Size < -1 || media.Size > maxMediaBytes:
		return invalidSubmission(field+".Size", "is out of range; use -1 if the size is unknown")
	case media.Name == "":
		return invalidSubmission(field+".Name", "is empty; a part without a file name is not taken for a file")
	case len(media.Name) > maxMediaNameBytes:
		return invalidSubmission(field+".Name", fmt.Sprintf("is longer than %d bytes", maxMediaNameBytes))
	case !utf8.ValidString(media.Name) || strings.ContainsFunc(media.Name, unicode.IsControl):
		return invalidSubmission(field+".Name", "is not UTF-8, or contains control characters")
	default:
		return nil
	}
}

func invalidSubmission(field, problem string) error {
	return &InvalidError{Operation: opCreateJob, Field: field, Problem: problem}
}
