// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// withFaults puts the faults that concern requests around a handler, and counts what is answered.
func (s *Server) withFaults(operation Operation, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &statusRecorder{ResponseWriter: w}
		w = answer
		defer func() { s.requests.count(operation, answer.status) }()
		if s.struck(w, r) {
			return
		}
		about := s.subjectOf(r)
		if f, ok := s.faults.ofRequest(FaultLatency, operation, about); ok && !s.sleep(r.Context(), time.Duration(f.Delay)) {
			return
		}
		if f, ok := s.faults.ofRequest(FaultError, operation, about); ok {
			s.answerFault(w, f)
			return
		}
		if _, ok := s.faults.ofRequest(FaultRequestReset, operation, about); ok {
			// One chunk is read, so that the client is in the middle of its body, where that is longer.
			_, _ = io.CopyN(io.Discard, r.Body, 1)
			breakOff(w)
			return
		}
		// Which job a submission is about is known when it is answered, so that is when faults of the
		// answer are looked for.
		next.ServeHTTP(&spoiler{ResponseWriter: w, server: s, request: r, operation: operation, about: about}, r)
	})
}

// subjectOf tells which job a request is about, where it is about one. A submission is about none: what
// it says is known only after it was handled, see spoiler.
func (s *Server) subjectOf(r *http.Request) *subject {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.jobs[r.PathValue("id")]
	if !ok {
		return nil
	}
	about := j.subject()
	return &about
}

func (s *Server) answerFault(w http.ResponseWriter, f Fault) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	status := f.statusOf()
	message := f.Message
	if message == "" {
		message = http.StatusText(status)
	}
	s.writeErrorAs(w, f.Body, status, message)
}

// spoiler loses, replaces, cuts or holds an answer, if a fault says so. It decides at the answer's first byte.
type spoiler struct {
	http.ResponseWriter
	server    *Server
	request   *http.Request
	operation Operation
	about     *subject
	decided   bool
	reset     bool
	gone      bool
}

// ofJob tells the spoiler which job the answer is about.
func (w *spoiler) ofJob(about subject) { w.about = &about }

func (w *spoiler) WriteHeader(status int) {
	if w.gone {
		return
	}
	if !w.decided {
		w.decided = true
		w.decide()
		if w.gone {
			return
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *spoiler) decide() {
	faults := &w.server.faults
	if f, ok := faults.ofRequest(FaultResponseLate, w.operation, w.about); ok {
		w.gone = !w.server.sleep(w.request.Context(), time.Duration(f.Delay))
	}
	if w.gone {
		return
	}
	if _, ok := faults.ofRequest(FaultResponseLost, w.operation, w.about); ok {
		breakOff(w.ResponseWriter)
		w.gone = true
		return
	}
	if f, ok := faults.ofRequest(FaultResponseReplaced, w.operation, w.about); ok {
		w.Header().Del("Content-Type")
		w.server.answerFault(w.ResponseWriter, f)
		w.gone = true
		return
	}
	_, w.reset = faults.ofRequest(FaultResponseReset, w.operation, w.about)
}

func (w *spoiler) Write(b []byte) (int, error) {
	if !w.decided {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.gone:
		return len(b), nil // nobody is told
	case w.reset:
		_, _ = w.ResponseWriter.Write(b[:len(b)/2])
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		breakOff(w.ResponseWriter)
		w.gone = true
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController find the connection.
func (w *spoiler) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// breakOff resets the connection of a request without an answer.
func breakOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		// HTTP/2, or an answer that is under way: the server breaks the stream off by itself.
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, instead of an orderly end
	}
	_ = conn.Close()
}
