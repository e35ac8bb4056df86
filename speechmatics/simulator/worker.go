// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"context"
	"fmt"
	"net/http"
)

// workerRoutes are what an HTTP batch worker answers beside the API, and what it does not.
func (s *Server) workerRoutes(mux *http.ServeMux) {
	mux.Handle("DELETE /v2/jobs/{id}", s.api(OperationDelete, func(w http.ResponseWriter, _ *http.Request, _ caller) {
		w.Header().Set("Allow", http.MethodGet)
		s.writeError(w, http.StatusMethodNotAllowed, "Method Not Allowed", "")
	}))
	mux.HandleFunc("GET /jobs", s.getEngines)
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]bool{"live": true})
	})
	mux.HandleFunc("GET /ready", s.getReady)
}

type (
	engineUse struct {
		ActiveJobs []activeJob `json:"active_jobs"`
		Max        int         `json:"max_engines"`
		Unused     int         `json:"unused_engines"`
	}
	activeJob struct {
		JobID   string `json:"job_id"`
		Engines int    `json:"parallel_engines"`
	}
)

// getEngines answers GET /jobs: which jobs use which engines.
func (s *Server) getEngines(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	use := engineUse{ActiveJobs: []activeJob{}, Max: s.options.Engines, Unused: s.options.Engines - s.enginesUsed}
	for _, j := range s.newest {
		if j.status == statusRunning {
			use.ActiveJobs = append(use.ActiveJobs, activeJob{j.id, j.engines})
		}
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, use)
}

// getReady answers GET /ready: 503 while every engine is in use.
func (s *Server) getReady(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	used := s.enginesUsed
	s.mu.Unlock()
	ready, status := used < s.options.Engines, http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, map[string]any{"ready": ready, "engines_used": used})
}

// takeEngines reserves engines for a job, or says that the worker is busy. The caller holds s.mu.
func (s *Server) takeEngines(j *job) error {
	if !s.isWorker() {
		return nil
	}
	if s.enginesUsed+j.engines > s.options.Engines {
		return requestError{status: http.StatusServiceUnavailable, message: fmt.Sprintf(
			"Server busy: %d engines not available (%d engines in use, %d parallel allowed)", j.engines, s.enginesUsed, s.options.Engines)}
	}
	s.enginesUsed += j.engines
	return nil
}

// boundHistory forgets the oldest ended jobs that are too many. The caller holds s.mu.
func (s *Server) boundHistory() {
	if !s.isWorker() || s.options.JobHistory < 0 {
		return
	}
	ended := 0
	for j := range backward(s.newest) {
		if j.status == statusRunning {
			continue
		}
		if ended++; ended > s.options.JobHistory {
			s.drop(j)
		}
	}
	s.withoutDropped()
}

// Restart ends the process of an HTTP batch worker and starts another one: running jobs and notifications
// stop, and nothing is remembered. Other backends remember everything; there is nothing to restart, and it
// reports false.
func (s *Server) Restart() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isWorker() || s.closed {
		return false
	}
	s.endRun()
	s.run, s.endRun = context.WithCancel(s.life)
	for _, j := range s.newest {
		s.drop(j)
	}
	s.withoutDropped()
	s.log.Info("restarted: all jobs are forgotten")
	return true
}

// drop takes a job out of the memory; requests that wait for it are answered. The caller holds s.mu, and
// calls withoutDropped.
func (s *Server) drop(j *job) {
	j.cancel()
	s.forget(j, statusDeleted, RemoverWorker)
	delete(s.jobs, j.id)
}

func (s *Server) withoutDropped() {
	kept := s.newest[:0]
	for _, j := range s.newest {
		if s.jobs[j.id] == j {
			kept = append(kept, j)
		}
	}
	clear(s.newest[len(kept):])
	s.newest = kept
}
