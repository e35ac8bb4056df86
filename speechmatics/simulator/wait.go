// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"net/http"
	"strconv"
	"time"
)

// waitOf reads the wait parameter; absent is what a request without it waits for. Where it is
// malformed, the request is answered and ok is false.
func (s *Server) waitOf(w http.ResponseWriter, r *http.Request, absent time.Duration) (_ time.Duration, ok bool) {
	query := r.URL.Query()
	if s.onPremises() {
		absent = -1 // nothing is waited for there
	}
	switch refused := s.onPremises() && s.Behaviour().OnPremisesWait == OnPremisesWaitRefuse; {
	case !query.Has("wait"), s.onPremises() && !refused:
		return absent, true
	case refused:
		s.writeError(w, http.StatusUnprocessableEntity, "wait in query is not supported", "")
		return 0, false
	}
	seconds, err := strconv.ParseInt(query.Get("wait"), 10, 32)
	if err != nil || seconds < 0 {
		s.writeError(w, http.StatusUnprocessableEntity, "wait in query must be of type int64", "")
		return 0, false
	}
	wait := time.Duration(seconds) * time.Second
	if most := s.options.Limits.MaxWait; most >= 0 {
		wait = min(wait, most)
	}
	return wait, true
}

// await waits in wall time until a job is no longer running.
func (s *Server) await(r *http.Request, j *job, wait time.Duration) {
	select {
	case <-j.ended:
		return
	default:
	}
	if wait <= 0 {
		return
	}
	timer := s.clock.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-j.ended:
	case <-timer.C():
	case <-r.Context().Done():
	case <-s.life.Done():
	}
}
