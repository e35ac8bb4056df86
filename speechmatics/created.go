// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// maxCreatedBytes bounds the answer to a submission, which is one ID.
	maxCreatedBytes = 64 << 10
	// maxEmbeddedBytes bounds the answer to a submission that waits, which may hold a transcript: ten hours of speech are some 25 MB.
	maxEmbeddedBytes = 64 << 20
)

// CreatedJob is a job that the provider has accepted.
type CreatedJob struct {
	// ID identifies the job from now on.
	ID string
	// RequestID identifies the submission, for the provider's support.
	RequestID string
	// Date is when the answer was sent, by the provider's clock and to the second (the header Date): the job was created then, or a little
	// before. It tells where in the list the job is. Zero if the answer does not say.
	Date time.Time
	// Status is how the job was doing at the end of CreateJobRequest.Wait: JobDone, JobRejected, JobDeleted or "created", which means that
	// it still ran. Empty without Wait.
	Status JobStatus
	// Transcript is the transcript in CreateJobRequest.WaitFormat, byte for byte where that is a text. It is nil without Wait, and may be
	// nil although the job is done: the provider, and this client, give it if they can. [Client.Transcript] has it in any case.
	Transcript []byte
}

// readCreated reads the answer to an accepted submission: {"id": "…"}, and with Wait its status and transcript. An answer that breaks
// off, or is beyond its bound, after the ID has been told is good enough: the ID must not be lost.
func (k *call) readCreated(resp *http.Response, submission CreateJobRequest) (*CreatedJob, error) {
	maxBytes := int64(maxCreatedBytes)
	format := FormatJSONv2
	if submission.Wait > 0 {
		maxBytes = maxEmbeddedBytes
	}
	if submission.WaitFormat != "" {
		format = submission.WaitFormat
	}
	source := &trackedReader{source: resp.Body, maxTotal: maxBytes, maxItem: maxBytes}
	answer, err := decodeCreated(source, format)
	id := answer.id()
	switch problem := jobIDProblem(id); {
	case problem == "":
		created := answer.created(id, k.requestID(resp), submission.Wait > 0)
		created.Date = dateOf(resp)
		return created, nil
	case source.broken != nil:
		return nil, k.transportError(source.broken)
	case err != nil:
		return nil, k.responseError(resp, err)
	default:
		return nil, k.responseError(resp, errors.New("the job's ID "+problem))
	}
}

// dateOf is when an answer was sent; zero if it does not say.
func dateOf(resp *http.Response) time.Time {
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date
}

// createdAnswer is the answer to a submission, as far as it could be read.
type createdAnswer struct {
	wireJob
	transcript json.RawMessage
}

func (a *createdAnswer) created(id, requestID string, waited bool) *CreatedJob {
	created := &CreatedJob{ID: id, RequestID: requestID}
	if !waited {
		return created
	}
	created.Status = statusOf(textOf(a.Status))
	created.Transcript = transcriptOf(a.transcript)
	return created
}

// transcriptOf returns an embedded transcript: JSON as it is, and text without its quotation marks. Nil for anything else.
func transcriptOf(raw json.RawMessage) []byte {
	if isObject(raw) {
		return raw
	}
	var text *string
	if json.Unmarshal(raw, &text) != nil || text == nil {
		return nil
	}
	return []byte(*text)
}

// decodeCreated reads an answer member by member, and returns what it has read when it fails, too.
func decodeCreated(source *trackedReader, format TranscriptFormat) (answer createdAnswer, err error) {
	decoder := json.NewDecoder(source)
	source.consumed = decoder.InputOffset
	if err := expectDelim(decoder, '{'); err != nil {
		return answer, err
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return answer, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return answer, err
		}
		answer.take(key, value, format)
	}
	if err := expectDelim(decoder, '}'); err != nil {
		return answer, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return answer, errors.New("it goes on after its end")
	}
	return answer, nil
}

func (a *createdAnswer) take(key json.Token, value json.RawMessage, format TranscriptFormat) {
	switch key {
	case "id":
		a.ID = value
	case "job_id":
		a.JobID = value
	case "status":
		a.Status = value
	case "job":
		var job wireJob
		if isObject(value) && json.Unmarshal(value, &job) == nil && job.id() != "" {
			a.wireJob = job
		}
	case string(format):
		a.transcript = value
	}
}
