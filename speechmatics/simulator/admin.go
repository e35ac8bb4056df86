// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	adminKeysPath = "/admin/keys/"
	// maxAdminBytes bounds the body of an admin request.
	maxAdminBytes = 1 << 20
)

// admin is the table of the endpoints that order what happens.
func (s *Server) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /admin/faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Faults()) })
	mux.HandleFunc("PUT /admin/faults", s.putFaults)
	mux.HandleFunc("GET /admin/faults/happened", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.FaultsHappened()) })
	mux.HandleFunc("GET /admin/behaviour", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Behaviour()) })
	mux.HandleFunc("PUT /admin/behaviour", s.putBehaviour)
	mux.HandleFunc("GET /admin/ledger", s.getLedger)
	mux.HandleFunc("GET /admin/jobs", s.adminJobs)
	mux.HandleFunc("GET /admin/jobs/{id}/transcript", s.adminTranscript)
	mux.HandleFunc("POST /admin/jobs/{id}/{action}", s.adminJob)
	mux.HandleFunc("POST /admin/foreign", s.postForeign)
	mux.HandleFunc("POST /admin/outage", s.postOutage)
	mux.HandleFunc("DELETE /admin/outage", s.deleteOutage)
	mux.HandleFunc("GET /admin/requests", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Requests()) })
	mux.HandleFunc("POST /admin/restart", s.postRestart)
	mux.HandleFunc("PUT /admin/keys/{key}", s.putKey)
	mux.HandleFunc("DELETE /admin/keys/{key}", s.revokeKey)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isAdmin(r) {
			s.writeError(w, http.StatusForbidden, "Forbidden", "")
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// isAdmin checks the token, or where there is none, that the peer is this machine.
func (s *Server) isAdmin(r *http.Request) bool {
	if token := s.options.AdminToken; token != "" {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		return subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// decodeStrict reads a JSON body and accepts known fields only: a misspelt fault would do nothing.
func (s *Server) decodeStrict(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBytes))
	if err == nil {
		err = unmarshalStrict(body, into)
	}
	if err != nil {
		s.writeError(w, http.StatusBadRequest, "Bad Request", err.Error())
		return false
	}
	return true
}

func (s *Server) putFaults(w http.ResponseWriter, r *http.Request) {
	var faults []Fault
	if !s.decodeStrict(w, r, &faults) {
		return
	}
	if err := s.SetFaults(faults...); err != nil {
		s.writeError(w, http.StatusUnprocessableEntity, "Unprocessable Entity", err.Error())
		return
	}
	writeJSON(w, http.StatusOK, s.Faults())
}

func (s *Server) putBehaviour(w http.ResponseWriter, r *http.Request) {
	var b Behaviour
	if !s.decodeStrict(w, r, &b) {
		return
	}
	if err := s.SetBehaviour(b); err != nil {
		s.writeError(w, http.StatusUnprocessableEntity, "Unprocessable Entity", err.Error())
		return
	}
	writeJSON(w, http.StatusOK, s.Behaviour())
}

// getLedger lists the accepted jobs, all or those of one reference.
func (s *Server) getLedger(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	entries := []LedgerEntry{}
	for _, entry := range s.Ledger() {
		if !query.Has("reference") || entry.Reference == query.Get("reference") {
			entries = append(entries, entry)
		}
	}
	writeJSON(w, http.StatusOK, entries)
}

// JobState is a job as the admin endpoint shows it: whatever its project, and without secrets.
type JobState struct {
	ID        string    `json:"id"`
	Project   string    `json:"project"`
	Status    string    `json:"status"`
	Title     string    `json:"title,omitempty"`
	Reference string    `json:"reference,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	// Errors are the number of recorded errors.
	Errors int `json:"errors"`
	// Foreign is a job of somebody else, see AddForeign.
	Foreign bool `json:"foreign,omitempty"`
}

// Jobs returns all jobs, oldest first.
func (s *Server) Jobs() []JobState {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]JobState, 0, len(s.newest))
	for _, j := range s.newest {
		s.refresh(j)
		states = append(states, JobState{
			ID: j.id, Project: j.project, Status: string(j.status), Title: j.config.tracking.title,
			Reference: j.config.tracking.reference, CreatedAt: j.createdAt, Errors: len(j.errors), Foreign: j.foreign,
		})
	}
	return states
}

func (s *Server) adminJobs(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Jobs())
}

// adminTranscript answers with the transcript of a job that is done, or was before it went. It does not count for any limit.
func (s *Server) adminTranscript(w http.ResponseWriter, r *http.Request) {
	format, ok := s.formatOf(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	j, known := s.jobs[r.PathValue("id")]
	told := known && j.config.kind == jobTranscription && (j.status == statusDone || j.remembered)
	s.mu.Unlock()
	if !told {
		s.writeError(w, http.StatusNotFound, "Not Found", "there is no such job with a transcript that is known")
		return
	}
	s.writeTranscript(w, j, format)
}

func (s *Server) adminJob(w http.ResponseWriter, r *http.Request) {
	actions := map[string]func(string) bool{"reject": s.RejectJob, "expire": s.ExpireJob, "delete": s.DeleteJob}
	act, known := actions[r.PathValue("action")]
	switch {
	case !known:
		s.writeError(w, http.StatusNotFound, "Not Found", "the actions are reject, expire and delete")
	case !act(r.PathValue("id")):
		s.writeError(w, http.StatusConflict, "Conflict", "there is no such job in a state that allows this")
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// RejectJob ends a running job as rejected and sends its notifications. It reports whether there was
// such a job.
func (s *Server) RejectJob(id string) bool {
	s.mu.Lock()
	j, ok := s.jobs[id]
	s.mu.Unlock()
	if !ok || !s.finish(j, outcomeError) {
		return false
	}
	s.addError(j, "Job rejected")
	j.cancel()
	s.spawn(func() { s.notifyAll(j.run, j, outcomeError) })
	return true
}

// ExpireJob lets an ended job expire at once. It reports whether there was such a job.
func (s *Server) ExpireJob(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.jobs[id]
	if !ok || (j.status != statusDone && j.status != statusRejected) {
		return false
	}
	s.forget(j, statusExpired, RemoverAdmin)
	return true
}

// DeleteJob deletes a job, running or not, as another user of the project could. It reports whether
// there was such a job.
func (s *Server) DeleteJob(id string) bool {
	s.mu.Lock()
	j, ok := s.jobs[id]
	gone := ok && (j.status == statusDeleted || j.status == statusExpired)
	s.mu.Unlock()
	if !ok || gone {
		return false
	}
	s.remove(j, RemoverAdmin)
	return true
}

// postForeign adds jobs of somebody else.
func (s *Server) postForeign(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	n, err := strconv.Atoi(query.Get("count"))
	if err != nil {
		err = fmt.Errorf("count: %q is not a number", query.Get("count"))
	}
	spread, spreadErr := time.ParseDuration(query.Get("spread"))
	if err = errors.Join(err, spreadErr); err == nil {
		err = s.AddForeign(query.Get("key"), n, spread)
	}
	s.answerOrder(w, err)
}

// postOutage lets the API be down.
func (s *Server) postOutage(w http.ResponseWriter, r *http.Request) {
	d, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err == nil {
		err = s.Outage(OutageKind(r.URL.Query().Get("kind")), d)
	}
	s.answerOrder(w, err)
}

func (s *Server) deleteOutage(w http.ResponseWriter, _ *http.Request) {
	s.EndOutage()
	s.answerOrder(w, nil)
}

// answerOrder says that something was ordered, or why not.
func (s *Server) answerOrder(w http.ResponseWriter, err error) {
	if err != nil {
		s.writeError(w, http.StatusUnprocessableEntity, "Unprocessable Entity", err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) postRestart(w http.ResponseWriter, _ *http.Request) {
	if !s.Restart() {
		s.writeError(w, http.StatusConflict, "Conflict", "only an HTTP batch worker forgets at a restart")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) putKey(w http.ResponseWriter, r *http.Request) {
	s.AddProjectKey(orElse(r.URL.Query().Get("project"), defaultProject), r.PathValue("key"))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request) {
	if !s.RevokeKey(r.PathValue("key")) {
		s.writeError(w, http.StatusNotFound, "Not Found", "")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
