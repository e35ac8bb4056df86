// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Notification is a request that passed a Front, and what came of it.
type Notification struct {
	// Received is when the answer came.
	Received time.Time
	// Method and Path are the request's; Path is /v1/notifications/{namespace}/{name}/{uid}/{attempt} if it is one.
	Method, Path string
	// JobID and Status are the query parameters id and status.
	JobID, Status string
	// Code is the receiver's answer; 0 if there was none.
	Code int
}

// Front stands for a Service, and an ingress before it: one address in front of several receivers. It records every request and its
// answer. A request is never tried twice: what a receiver has begun to read is its own.
type Front struct {
	server   *http.Server
	address  string
	backends func() []string
	next     atomic.Uint64
	client   *http.Transport

	mu       sync.Mutex
	seen     []Notification
	meddle   func(http.Handler) http.Handler
	pass     http.Handler
	finished chan struct{}
}

// StartFront starts a front on a free port of loopback. The backends are host:port, and may differ each time; those that refuse
// a connection are passed over.
func StartFront(ctx context.Context, backends func() []string) (*Front, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot start a front: %w", err)
	}
	f := &Front{address: listener.Addr().String(), backends: backends, finished: make(chan struct{})}
	f.client = &http.Transport{DialContext: f.dial, DisableKeepAlives: true, ResponseHeaderTimeout: 2 * time.Minute}
	f.pass = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: f.address}) // dial chooses the backend
			r.Out.Host = r.In.Host
		},
		Transport:    f.client,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(f.finished)
		_ = f.server.Serve(listener) // it ends with the front
	}()
	return f, nil
}

// URL is the front's base URL.
func (f *Front) URL() string { return "http://" + f.address }

// Meddle puts something between the sender and the record: it may drop, delay, double or forge requests. Nil takes it away. What next is
// given is passed on and recorded.
func (f *Front) Meddle(with func(next http.Handler) http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.meddle = with
}

// Notifications are the requests that were answered so far, or failed.
func (f *Front) Notifications() []Notification {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// DropIdle closes the connections that clients keep without a request.
func (f *Front) DropIdle() {
	f.server.SetKeepAlivesEnabled(false)
	f.server.SetKeepAlivesEnabled(true)
}

// Close ends the front; requests are broken off.
func (f *Front) Close() error {
	err := f.server.Close()
	<-f.finished
	f.client.CloseIdleConnections()
	return err
}

// ServeHTTP implements http.Handler.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	meddle := f.meddle
	f.mu.Unlock()
	handler := http.Handler(http.HandlerFunc(f.passOn))
	if meddle != nil {
		handler = meddle(handler)
	}
	handler.ServeHTTP(w, r)
}

// passOn passes a request on and records what came of it.
func (f *Front) passOn(w http.ResponseWriter, r *http.Request) {
	answer := &answerRecorder{ResponseWriter: w}
	defer func() { // also when the reverse proxy gives a broken answer up, by a panic
		query := r.URL.Query()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.seen = append(f.seen, Notification{
			Received: time.Now(), Method: r.Method, Path: r.URL.Path, JobID: query.Get("id"), Status: query.Get("status"), Code: answer.code,
		})
	}()
	f.pass.ServeHTTP(answer, r)
}

// dial connects to the next backend that can be reached.
func (f *Front) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	backends := f.backends()
	err := errors.New("there is no receiver")
	first := f.next.Add(1)
	for i := range uint64(len(backends)) {
		var connection net.Conn
		connection, err = (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", backends[(first+i)%uint64(len(backends))])
		if err == nil {
			return connection, nil
		}
	}
	return nil, err
}

// IsNotification reports whether a path is a notification's, of the namespace.
func (n Notification) IsNotification(namespace string) bool {
	return strings.HasPrefix(n.Path, "/v1/notifications/"+namespace+"/")
}

// answerRecorder keeps the status code.
type answerRecorder struct {
	http.ResponseWriter
	code int
}

func (r *answerRecorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (r *answerRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
