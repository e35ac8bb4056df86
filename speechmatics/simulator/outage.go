// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// OutageKind is how a service that is down looks from outside.
type OutageKind string

// How a service that is down looks.
const (
	// OutageRefuse resets every connection before anything of a request's body is read, which is what a handler has for a
	// refused connection.
	OutageRefuse OutageKind = "refuse"
	// OutageUnavailable answers 503 as the service does.
	OutageUnavailable OutageKind = "503"
	// OutageHTML answers 502 with a page, as the tier before the service does.
	OutageHTML OutageKind = "html"
	// OutageHang answers nothing, and resets at the end of the outage the connections that are still there.
	OutageHang OutageKind = "hang"
)

// maxOutage bounds an outage.
const maxOutage = 24 * time.Hour

// outage is the time for which nothing is handled.
type outage struct {
	kind  OutageKind
	until time.Time
	over  chan struct{} // closed when it ends before its time
}

// Outage lets the API be down for a wall time of up to 24 hours, from now on and instead of another outage: no operation is
// handled, whatever else was ordered. Jobs go on, and their notifications are sent.
func (s *Server) Outage(kind OutageKind, d time.Duration) error {
	if err := oneOf("outage", kind, OutageRefuse, OutageUnavailable, OutageHTML, OutageHang); err != nil {
		return err
	}
	if d <= 0 || d > maxOutage {
		return fmt.Errorf("outage: the time %v is not over 0 and up to %v", d, maxOutage)
	}
	s.replaceOutage(&outage{kind: kind, until: s.clock.Now().Add(d), over: make(chan struct{})})
	s.log.Info("outage", "kind", kind, "for", d)
	return nil
}

// EndOutage ends an outage before its time.
func (s *Server) EndOutage() { s.replaceOutage(nil) }

func (s *Server) replaceOutage(by *outage) {
	if old := s.outage.Swap(by); old != nil {
		close(old.over)
	}
}

// struck answers a request during an outage, and reports whether it did.
func (s *Server) struck(w http.ResponseWriter, r *http.Request) bool {
	o := s.outage.Load()
	if o == nil {
		return false
	}
	left := o.until.Sub(s.clock.Now())
	if left <= 0 {
		return false
	}
	switch o.kind {
	case OutageHTML:
		s.writeErrorAs(w, BodyHTML, http.StatusBadGateway, "")
	case OutageHang:
		s.hang(r, o, left)
		breakOff(w)
	case OutageRefuse:
		breakOff(w)
	default:
		s.writeError(w, http.StatusServiceUnavailable, "Service Unavailable", "")
	}
	return true
}

// hang reads what is sent, so that the peer waits for an answer, until it goes away or the outage ends.
func (s *Server) hang(r *http.Request, o *outage, left time.Duration) {
	_, _ = io.Copy(io.Discard, r.Body)
	timer := s.clock.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-o.over:
	case <-r.Context().Done():
	case <-s.life.Done():
	}
}
