// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// getJob answers GET /jobs/{id}: after a wait, with the present state.
func (s *Server) getJob(w http.ResponseWriter, r *http.Request, by caller) {
	j, ok := s.findAndWait(w, r, by)
	if !ok {
		return
	}
	s.mu.Lock()
	s.refresh(j)
	details := j.details()
	s.toldDone(j)
	s.mu.Unlock()
	if !s.shown(w, details.Status, details) {
		return
	}
	writeJSON(w, http.StatusOK, map[string]jobDetails{"job": s.presented(details)})
}

// findAndWait finds the job of a GET and waits for it as asked, or answers the request itself.
func (s *Server) findAndWait(w http.ResponseWriter, r *http.Request, by caller) (*job, bool) {
	wait, ok := s.waitOf(w, r, time.Duration(s.Behaviour().DefaultWait))
	if !ok {
		return nil, false
	}
	j, ok := s.lookup(w, r, by)
	if !ok {
		return nil, false
	}
	s.await(r, j, wait)
	return j, true
}

// lookup finds the job that a path names, or answers 404.
func (s *Server) lookup(w http.ResponseWriter, r *http.Request, by caller) (*job, bool) {
	s.mu.Lock()
	j, ok := s.find(by, r.PathValue("id"))
	s.mu.Unlock()
	if !ok {
		s.jobNotFound(w)
	}
	return j, ok
}

func (s *Server) jobNotFound(w http.ResponseWriter) {
	s.writeError(w, http.StatusNotFound, "Job not found", "")
}

// shown answers for a job that is no more, and reports whether the caller is to answer instead.
func (s *Server) shown(w http.ResponseWriter, state status, details jobDetails) bool {
	var answer GoneAnswer
	switch b := s.Behaviour(); state {
	case statusDeleted:
		answer = b.DeletedJob
	case statusExpired:
		answer = b.ExpiredJob
	default:
		return true
	}
	switch answer {
	case GoneAnswerShow:
		writeJSON(w, http.StatusOK, map[string]jobDetails{"job": s.presented(details)})
	case GoneAnswerGone:
		s.writeError(w, http.StatusGone, "Job Expired", "")
	default:
		s.jobNotFound(w)
	}
	return false
}

// deleteJob answers DELETE /jobs/{id}.
func (s *Server) deleteJob(w http.ResponseWriter, r *http.Request, by caller) {
	force := false
	if query := r.URL.Query(); query.Has("force") {
		var err error
		if force, err = strconv.ParseBool(query.Get("force")); err != nil {
			s.writeError(w, http.StatusUnprocessableEntity, "force in query must be of type boolean", "")
			return
		}
	}
	j, ok := s.lookup(w, r, by)
	if !ok {
		return
	}
	s.mu.Lock()
	details := j.details()
	locked := j.status == statusRunning && !force
	s.mu.Unlock()
	if locked {
		s.writeError(w, http.StatusLocked, "Resource Locked", "")
		return
	}
	if !s.shown(w, details.Status, details) {
		return
	}
	s.remove(j, RemoverAPI)
	details.Status = statusDeleted
	writeJSON(w, http.StatusOK, map[string]jobDetails{"job": details})
}

// formatOf reads the format parameter, or answers the request.
func (s *Server) formatOf(w http.ResponseWriter, r *http.Request) (string, bool) {
	format := r.URL.Query().Get("format")
	orDefault(&format, formatJSON)
	if !slices.Contains([]string{formatJSON, formatText, formatSRT}, format) {
		s.writeError(w, http.StatusBadRequest, "Format Not Supported", "")
		return "", false
	}
	return format, true
}

// getTranscript answers GET /jobs/{id}/transcript.
func (s *Server) getTranscript(w http.ResponseWriter, r *http.Request, by caller) {
	format, ok := s.formatOf(w, r)
	if !ok {
		return
	}
	j, ok := s.findAndWait(w, r, by)
	if !ok {
		return
	}
	if j.config.kind != jobTranscription {
		s.writeError(w, http.StatusNotFound, "Job is not of type transcription", "")
		return
	}
	if !s.transcribed(w, j) {
		return
	}
	s.writeTranscript(w, j, format)
}

// transcribed answers for a job without a transcript, and reports whether it has one.
func (s *Server) transcribed(w http.ResponseWriter, j *job) bool {
	switch s.statusOf(j) {
	case statusDone:
		return true
	case statusRunning:
		s.writeError(w, http.StatusNotFound, "Transcription not ready", "")
	case statusExpired:
		if s.Behaviour().ExpiredJob == GoneAnswerNotFound {
			s.jobNotFound(w)
		} else {
			s.writeError(w, http.StatusGone, "File Expired", "File deleted from the storage")
		}
	case statusRejected:
		s.writeError(w, http.StatusNotFound, "Job rejected", "")
	default:
		if s.Behaviour().DeletedJob == GoneAnswerGone {
			s.writeError(w, http.StatusGone, "File Expired", "File deleted from the storage")
		} else {
			s.jobNotFound(w)
		}
	}
	return false
}

// getData answers GET /jobs/{id}/data with the media.
func (s *Server) getData(w http.ResponseWriter, r *http.Request, by caller) {
	j, ok := s.lookup(w, r, by)
	if !ok {
		return
	}
	s.mu.Lock()
	details, media := j.details(), j.media
	s.mu.Unlock()
	if details.Status != statusDeleted && details.Status != statusExpired && media == nil {
		s.writeError(w, http.StatusGone, "File Expired", "File deleted from the storage")
		return
	}
	if !s.shown(w, details.Status, details) {
		return
	}
	file, err := media.open()
	if err != nil {
		s.writeError(w, http.StatusGone, "File Expired", "File deleted from the storage")
		return
	}
	defer func() { _ = file.Close() }() // was read only
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(media.size, 10))
	w.WriteHeader(http.StatusOK)
	_, _ = io.Copy(w, file)
}

// getLog answers GET /jobs/{id}/log.
func (s *Server) getLog(w http.ResponseWriter, r *http.Request, by caller) {
	if !s.Behaviour().ServeLogs && !s.onPremises() {
		s.notImplemented(w, r, by)
		return
	}
	j, ok := s.lookup(w, r, by)
	if !ok {
		return
	}
	s.mu.Lock()
	details, media := j.details(), j.recording
	s.mu.Unlock()
	if !s.shown(w, details.Status, details) {
		return
	}
	writeText(w, http.StatusOK, "simulated job "+details.ID+"\ncreated "+details.CreatedAt+"\nmedia "+media.mediaType+" "+
		media.length.String()+"\nstatus "+string(details.Status)+"\n")
}
