// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// notifyGaps are the gaps between the attempts to notify, as seen in the one public sample.
var notifyGaps = []time.Duration{15500 * time.Millisecond, 20500 * time.Millisecond, 30300 * time.Millisecond}

// errNotificationFailed ends the errors of a notification that is given up.
const errNotificationFailed = "Sending notification failed"

// notifyAll tells every notification URL of a job how it ended, all at once.
func (s *Server) notifyAll(ctx context.Context, j *job, outcome string) {
	var deliveries, firstTries sync.WaitGroup
	firstTries.Add(len(j.config.notifications))
	for i := range j.config.notifications {
		entry := &j.config.notifications[i]
		deliveries.Go(func() {
			tried := sync.OnceFunc(firstTries.Done)
			defer tried()
			s.deliver(ctx, j, entry, s.payload(j, entry, outcome), outcome, tried)
		})
	}
	firstTries.Wait()
	close(j.notified)
	deliveries.Wait()
}

// deliver sends one notification, until it is received or given up. It calls tried after the first attempt.
func (s *Server) deliver(ctx context.Context, j *job, to *notification, what payload, outcome string, tried func()) {
	about := j.subject()
	if _, lost := s.faults.ofJob(FaultNotificationLost, about); lost {
		s.log.Info("notification lost on purpose", "job", j.id, "url", withoutQuery(to.url))
		return
	}
	if !s.holdBack(ctx, about) {
		return
	}
	target := notificationURL(to.url, j.id, outcome)
	for attempt := 0; ; attempt++ {
		err := s.send(ctx, to, target, what)
		tried()
		s.tried.signal()
		if ctx.Err() != nil {
			return
		}
		s.log.Info("notification", "job", j.id, "url", withoutQuery(to.url), "status", outcome, "attempt", attempt+1,
			"error", errorText(err))
		if err == nil {
			s.mu.Lock()
			s.toldDone(j) // a failure's notification tells nothing of the kind: its job is rejected
			s.mu.Unlock()
			break
		}
		if attempt+1 >= s.Behaviour().NotificationAttempts {
			s.addError(j, fmt.Sprintf("unable to send notification: unable to send notification: %v", err))
			s.addError(j, errNotificationFailed)
			return
		}
		s.addError(j, fmt.Sprintf("Error in sending notification: unable to send notification: %v, retrying", err))
		if !s.sleep(ctx, s.scale(notifyGaps[attempt])) {
			return
		}
	}
	if _, again := s.faults.ofJob(FaultNotificationDoubled, about); again {
		_ = s.send(ctx, to, target, what) // nobody waits for the second one
	}
}

// holdBack obeys the faults that change when a notification is sent.
func (s *Server) holdBack(ctx context.Context, about subject) bool {
	if f, late := s.faults.ofJob(FaultNotificationLate, about); late && !s.sleep(ctx, time.Duration(f.Delay)) {
		return false
	}
	f, reordered := s.faults.ofJob(FaultNotificationReordered, about)
	if !reordered {
		return true
	}
	timer := s.clock.NewTimer(orElse(time.Duration(f.Delay), defaultHold))
	defer timer.Stop()
	select {
	case <-s.tried.next():
		return true
	case <-timer.C():
		return true
	case <-ctx.Done():
		return false
	}
}

// notificationURL appends id and status, and keeps what is there as it is.
func notificationURL(raw, id, outcome string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw // was checked with the configuration
	}
	added := url.Values{"id": {id}, "status": {outcome}}.Encode()
	if u.RawQuery != "" {
		added = u.RawQuery + "&" + added
	}
	u.RawQuery = added
	return u.String()
}

// send is one attempt. Success is 2xx.
func (s *Server) send(ctx context.Context, to *notification, target string, what payload) error {
	ctx, cancel := withTimeout(ctx, s.options.Limits.NotifyTimeout)
	defer cancel()
	body, err := what.open()
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, strings.ToUpper(to.method), target, body)
	if err != nil {
		_ = body.Close()
		return err
	}
	request.ContentLength = what.size()
	request.GetBody = what.open // for a redirect
	if request.ContentLength == 0 {
		_ = body.Close()
		request.Body, request.GetBody = http.NoBody, nil
	}
	if what.contentType != "" {
		request.Header.Set("Content-Type", what.contentType)
	}
	addHeaders(request, to.headers)
	response, err := s.notifyClient.Do(request)
	if err != nil {
		return fmt.Errorf("HTTPError: %w", timeoutAsSeen(err))
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, maxEpilogue) // so that the connection can be used again
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("Response status: %d", response.StatusCode) //nolint:staticcheck // the service's words
	}
	return nil
}

// timeoutAsSeen words a timeout as the service's errors do.
func timeoutAsSeen(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s %q: context deadline exceeded (Client.Timeout exceeded while awaiting headers)", e.Op, e.URL)
	}
	return err
}

// errorText is an error for a log; empty is none.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err.Error()
	}
	if strings.Contains(err.Error(), "Client.Timeout") {
		return "timeout"
	}
	return err.Error()
}
