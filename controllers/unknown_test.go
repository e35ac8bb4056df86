// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// TestUnknownSubmission says why the outcome of a submission is not known, and when the job is looked for.
func TestUnknownSubmission(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const (
		before = "it is not known whether attempt 1 reached Speechmatics"
		later  = "; it is looked for there from 2026-01-02T03:05:05Z on, and not submitted again before"
		past   = "; it is being looked for there, and not submitted again before that has come to an end"
	)
	transport := func(err error) error { return &speechmatics.TransportError{Operation: "CreateJob", Err: err} }
	reset := &net.OpError{
		Op: "read", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 40123}, Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 443},
		Err: syscall.ECONNRESET,
	}
	for name, c := range map[string]struct {
		cause error
		left  time.Duration
		want  string
	}{
		"not known why":  {nil, time.Minute, before + later},
		"this very time": {nil, 0, before + past},
		"in the past":    {nil, -time.Second, before + past},
		"an answer": {
			&speechmatics.Error{Operation: "CreateJob", StatusCode: 503, Reason: "Server busy", Detail: "2 engines not available", RequestID: "4711", RetryAfter: time.Second}, time.Minute,
			before + " (503 Service Unavailable: Server busy: 2 engines not available)" + later,
		},
		"no answer":     {transport(context.DeadlineExceeded), time.Minute, before + " (there was no answer in time)" + later},
		"reset":         {transport(reset), time.Minute, before + " (the connection failed (read): connection reset by peer)" + later},
		"broken off":    {transport(errors.New("EOF")), -time.Second, before + " (the connection broke before there was a whole answer)" + past},
		"not an answer": {&speechmatics.ResponseError{Operation: "CreateJob", StatusCode: 201, RequestID: "4711"}, time.Minute, before + " (201 Created, but the answer cannot be understood)" + later},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{UID: "uid"}}
			s := newScope(job, Options{Clock: testingclock.NewFakeClock(now)})
			s.claim = &notification.Claim{UID: "uid", Attempt: 1, NotAfter: now.Add(c.left)}
			v := s.unknownSubmission(c.cause)
			if v.message != c.want {
				t.Errorf("the message is\n%s, want\n%s", v.message, c.want)
			}
			if want := max(c.left, time.Second); v.after != want {
				t.Errorf("it is looked for after %s, want %s", v.after, want)
			}
		})
	}
}

// TestExplain_sameEveryTime has a server repeat itself but for the request's ID: the words for it stay the same.
func TestExplain_sameEveryTime(t *testing.T) {
	t.Parallel()
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Request-Id", fmt.Sprint("request-", requests))
		w.Header().Set("X-Request-Id", fmt.Sprint("request-", requests))
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, "<html>")
	}))
	defer server.Close()
	c, err := speechmatics.New(server.URL+"/v2", speechmatics.WithBackend(speechmatics.Worker))
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	var said []string
	for range 2 {
		_, err := c.WorkerReady(t.Context())
		var response *speechmatics.ResponseError
		if !errors.As(err, &response) {
			t.Fatalf("the error is %v", err)
		}
		said = append(said, explain(err))
	}
	if said[0] != said[1] || strings.Contains(said[0], "request-") || strings.Contains(said[0], "Worker") {
		t.Errorf("the same answer is called %q", said)
	}
}
