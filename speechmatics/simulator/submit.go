// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"strings"
	"time"
)

// submission is what a POST brought.
type submission struct {
	config   []byte
	media    *mediaFile
	dataName string
	text     []byte // nil is none
	textName string
}

// requestError is a reason to refuse a submission.
type requestError struct {
	status  int
	message string
	detail  string
}

func (e requestError) Error() string { return e.message }

func badRequest(message, detail string) error {
	return requestError{status: http.StatusBadRequest, message: message, detail: detail}
}

const (
	// partConfig and its siblings are the parts of a submission.
	partConfig = "config"
	partData   = "data_file"
	partText   = "text_file"
	// maxEpilogue bounds what may follow the last boundary.
	maxEpilogue = 64 << 10
	// maxNameBytes bounds the name of uploaded media.
	maxNameBytes = 1024
)

func (s *Server) createJob(w http.ResponseWriter, r *http.Request, by caller) {
	wait, ok := s.waitOf(w, r, -1)
	if !ok {
		return
	}
	format, ok := s.formatOf(w, r)
	if !ok {
		return
	}
	sent, err := s.readSubmission(w, r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	j, err := s.prepare(sent)
	if err == nil {
		j.project, j.clientRef = by.project, by.clientRef
		if j.engines, err = s.enginesOf(r); err == nil {
			err = s.admit(j)
		}
	}
	if err != nil {
		sent.media.remove()
		s.refuse(w, err)
		return
	}
	if sp, ok := w.(*spoiler); ok {
		sp.ofJob(j.subject())
	}
	s.holdForEarlyNotification(r, j)
	s.answerCreated(w, r, j, wait, format)
}

// refuse answers an error of a submission.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	var known requestError
	switch {
	case !errors.As(err, &known):
		s.log.Error("submission failed", "error", err)
		s.writeError(w, http.StatusInternalServerError, "Internal Server Error", "")
	case known.status == http.StatusRequestEntityTooLarge:
		s.tooLarge(w)
	default:
		if known.status == http.StatusTooManyRequests {
			s.addRetryAfter(w)
		}
		s.writeError(w, known.status, known.message, known.detail)
	}
}

// tooLarge answers a body that is too large: by the tier before the service, or by the service.
func (s *Server) tooLarge(w http.ResponseWriter) {
	if status := s.Behaviour().TooLargeStatus; status != http.StatusRequestEntityTooLarge {
		s.writeError(w, status, "Job rejected", "the data file is too large")
		return
	}
	s.edgeError(w, http.StatusRequestEntityTooLarge, http.StatusText(http.StatusRequestEntityTooLarge))
}

// readSubmission reads the body to its very end: a job must not come of a request that was broken off.
func (s *Server) readSubmission(w http.ResponseWriter, r *http.Request) (_ *submission, err error) {
	sent := &submission{}
	defer func() {
		if err != nil {
			sent.media.remove()
		}
	}()
	if limit := s.options.Limits.UploadBytes; limit >= 0 {
		if r.ContentLength > limit {
			return nil, tooLarge()
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, badRequest("Malformed request", "the body must be multipart/form-data")
	}
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF { // not errors.Is: a wrapped EOF is a body without its last boundary
			break
		}
		if err != nil {
			return nil, unreadable(err)
		}
		if err := s.readPart(sent, part); err != nil {
			return nil, err
		}
	}
	if _, err := io.CopyN(io.Discard, r.Body, maxEpilogue); !errors.Is(err, io.EOF) {
		return nil, unreadable(err)
	}
	return sent, nil
}

func tooLarge() error {
	return requestError{status: http.StatusRequestEntityTooLarge, message: "Request Entity Too Large"}
}

// unreadable turns an error of reading the body into an answer.
func unreadable(err error) error {
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return tooLarge()
	}
	return badRequest("Malformed request", "the body is not a whole multipart/form-data")
}

func (s *Server) readPart(sent *submission, part *multipart.Part) error {
	switch name := part.FormName(); name {
	case partConfig:
		if sent.config != nil {
			return badRequest("Malformed request", "config is given twice")
		}
		return s.readConfigPart(sent, part)
	case partData:
		if sent.media != nil {
			return badRequest("Malformed request", "data_file is given twice")
		}
		media, err := s.store.spool(part, -1) // bounded with the whole body
		if err != nil {
			return bodyOrStore(err)
		}
		sent.media, sent.dataName = media, cut(part.FileName(), maxNameBytes)
		return nil
	case partText:
		return readTextPart(sent, part)
	default:
		return badRequest("Malformed request", "unexpected part")
	}
}

func (s *Server) readConfigPart(sent *submission, part *multipart.Part) error {
	limit := s.options.Limits.ConfigBytes
	var r io.Reader = part
	if limit >= 0 {
		r = io.LimitReader(part, limit+1)
	}
	config, err := io.ReadAll(r)
	if err != nil {
		return unreadable(err)
	}
	if limit >= 0 && int64(len(config)) > limit {
		return badRequest("Job rejected", "Job config JSON is invalid. Error: it is too large")
	}
	sent.config = config
	return nil
}

func readTextPart(sent *submission, part *multipart.Part) error {
	if sent.text != nil {
		return badRequest("Malformed request", "text_file is given twice")
	}
	text, err := io.ReadAll(io.LimitReader(part, maxTextBytes+1))
	if err != nil {
		return unreadable(err)
	}
	if len(text) > maxTextBytes {
		return tooLarge()
	}
	sent.text, sent.textName = text, cut(part.FileName(), maxNameBytes)
	return nil
}

// bodyOrStore tells a body that cannot be read from a disk that cannot be written.
func bodyOrStore(err error) error {
	if _, ours := errors.AsType[*fs.PathError](err); ours || errors.Is(err, errStoreClosed) {
		return err
	}
	return unreadable(err)
}

// prepare checks what was sent, and makes a job of it.
func (s *Server) prepare(sent *submission) (*job, error) {
	b := s.Behaviour()
	if sent.config == nil {
		return nil, badRequest("Malformed request", "config is missing")
	}
	config, err := parseConfig(sent.config, b)
	if err != nil {
		return nil, badRequest("Job rejected", err.Error())
	}
	if limit := s.options.Limits.TrackingBytes; limit >= 0 && int64(len(config.tracking.raw)) > limit {
		return nil, badRequest("Job rejected", "Job config JSON is invalid. Error: tracking is too large")
	}
	if err := s.checkBackend(config); err != nil {
		return nil, err
	}
	if err := checkTextSource(sent, config); err != nil {
		return nil, err
	}
	if b.RejectUnsupportedPairAtSubmission && config.language != languageAuto {
		if err := config.checkPairs(); err != nil {
			return nil, badRequest("Job rejected", err.Error())
		}
	}
	j := &job{config: config, media: sent.media, dataName: sent.dataName, text: sent.text, textName: sent.textName}
	switch {
	case sent.media == nil && config.fetch == nil:
		return nil, badRequest("Missing data_file", "")
	case sent.media != nil && config.fetch != nil:
		return nil, badRequest("Job rejected", "Job config JSON is invalid. Error: data_file and fetch_data must not be given together")
	case sent.media == nil:
		return j, nil
	}
	if b.RejectInvalidAudioAtSubmission {
		if _, err := sent.media.probe(); err != nil {
			return nil, requestError{status: b.InvalidAudioStatus, message: errInvalidAudio.Error()}
		}
	}
	j.script = s.scriptOfUpload(sent)
	return j, nil
}

// checkTextSource says whether an alignment job has one text, and another job none.
func checkTextSource(sent *submission, config *jobConfig) error {
	uploaded, fetched := sent.text != nil, config.fetchText != nil
	switch {
	case config.kind != jobAlignment && (uploaded || fetched):
		return badRequest("Job rejected", "Job config JSON is invalid. Error: a text is for jobs of type alignment")
	case config.kind != jobAlignment:
	case uploaded && fetched:
		return badRequest("Job rejected", "Job config JSON is invalid. Error: text_file and fetch_text must not be given together")
	case !uploaded && !fetched:
		return badRequest("Missing text_file", "")
	}
	return nil
}

// createdJob is the answer to a submission.
type createdJob struct {
	ID     string          `json:"id,omitempty"`
	JobID  string          `json:"job_id,omitempty"`
	Status string          `json:"status,omitempty"`
	JSON   json.RawMessage `json:"json-v2,omitempty"`
	Text   string          `json:"txt,omitempty"`
	SRT    string          `json:"srt,omitempty"`
}

// answerCreated answers 201: at once, or with wait when the job has ended or the time is up.
func (s *Server) answerCreated(w http.ResponseWriter, r *http.Request, j *job, wait time.Duration, format string) {
	answer := s.created(j.id)
	if wait >= 0 {
		s.await(r, j, wait)
		s.describeWaited(&answer, j, format)
	}
	writeJSON(w, http.StatusCreated, answer)
}

// describeWaited adds the state, and the transcript if there is one.
func (s *Server) describeWaited(answer *createdJob, j *job, format string) {
	state := s.statusOf(j)
	answer.Status = string(state)
	if state == statusRunning {
		answer.Status = "created"
	}
	if j.config.kind != jobTranscription {
		return
	}
	if limit := s.options.Limits.EmbeddedBytes; state != statusDone || limit >= 0 && s.sizeOf(j, format) > limit {
		return
	}
	content, err := s.transcriptOf(j).bytes(format)
	switch {
	case err != nil:
		s.log.Error("transcript not embedded", "job", j.id, "error", err)
	case format == formatText:
		answer.Text = string(content)
	case format == formatSRT:
		answer.SRT = string(content)
	default:
		answer.JSON = content
	}
}

// holdForEarlyNotification lets a job's notifications overtake the answer to its submission.
func (s *Server) holdForEarlyNotification(r *http.Request, j *job) {
	if j.early == nil {
		return
	}
	timer := s.clock.NewTimer(orElse(time.Duration(j.early.Delay), defaultHold))
	defer timer.Stop()
	select {
	case <-j.notified:
	case <-timer.C():
	case <-r.Context().Done():
	case <-j.run.Done():
	}
}

// defaultHold is how long something is held back for something else, at most.
const defaultHold = 5 * time.Second

func orElse[T comparable](value, fallback T) T {
	orDefault(&value, fallback)
	return value
}

// cut shortens a text to n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
