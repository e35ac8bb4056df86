// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

// maxBody bounds what is kept of a body. What is larger is reported, instead of passing unseen.
const maxBody = 64 << 20

// Recorder checks what passes between a client and a server, and remembers what was there. It is safe for concurrent use.
type Recorder struct {
	// Backend is the kind of server; SaaS if nobody changes it. Only before the first request.
	Backend Backend

	spec      *Spec
	report    func(error)
	coverage  *Coverage
	onPurpose atomic.Bool
}

// Record returns a recorder that reports every violation; report may be called at any time until the server is closed.
func (s *Spec) Record(coverage *Coverage, report func(error)) *Recorder {
	return &Recorder{Backend: SaaS, spec: s, report: report, coverage: coverage}
}

// OnPurpose does something that sends invalid requests. As long as they are refused as such, they are not reported.
func (r *Recorder) OnPurpose(do func()) {
	r.onPurpose.Store(true)
	defer r.onPurpose.Store(false)
	do()
}

// Handler returns a handler that lets the test fail for every request to next, and every answer of it, that the provider's specification
// does not permit. Without the specification it is next itself, since a test has more to say than this.
func Handler(t testing.TB, backend Backend, next http.Handler) http.Handler {
	t.Helper()
	if !Available() {
		t.Logf("requests and answers are not held against the provider's specification, which is not here; see package contract")
		return next
	}
	recorder := Open(t).Record(nil, func(err error) { t.Error(err) })
	recorder.Backend = backend
	return recorder.API(next)
}

// API returns a handler that records and checks the exchanges of next, which serves the API below /v2. An answer that is broken off on
// purpose is not checked, nor is the body of a request that next did not read to its end.
func (r *Recorder) API(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if r.Backend.isOutside(request.URL.Path) {
			next.ServeHTTP(w, request)
			return
		}
		sent := &bodyTap{source: request.Body}
		request.Body = sent
		answer := &answerTap{ResponseWriter: w}
		next.ServeHTTP(answer, request)                                              // which may panic to break the connection off
		if answer.broken || (answer.status == 0 && request.Context().Err() != nil) { // whoever waited has gone
			return
		}
		x := &exchange{
			request: request, sent: sent.whole(),
			status: cmp.Or(answer.status, http.StatusOK), header: w.Header(), answer: answer.kept.content(),
		}
		if sent.kept.over || answer.kept.over {
			r.report(fmt.Errorf("%s %s: a body of more than %d bytes was not checked", request.Method, request.URL.Path, maxBody))
			return
		}
		r.check(context.WithoutCancel(request.Context()), x)
	})
}

// check checks an exchange, and remembers what was in it.
func (r *Recorder) check(ctx context.Context, x *exchange) {
	about := x.request.Method + " " + x.request.URL.Path
	op, err := r.spec.find(x.request)
	if err != nil {
		r.report(err)
		return
	}
	refused := r.onPurpose.Load() && (x.status == http.StatusBadRequest || x.status == http.StatusUnprocessableEntity)
	if err := r.checkRequest(ctx, op, x); err != nil && !refused {
		r.report(fmt.Errorf("%s: request: %w", about, err))
	}
	if err := r.checkAnswer(ctx, op, x); err != nil {
		r.report(fmt.Errorf("%s: answer %d: %w", about, x.status, err))
	}
	if r.coverage != nil {
		r.coverage.add(r.spec, op, x, refused)
	}
}

func (r *Recorder) checkRequest(ctx context.Context, op *operation, x *exchange) error {
	// That a request without a key is refused is for the tests of the server to try.
	keyOptional := r.Backend != SaaS || x.status == http.StatusUnauthorized
	return errors.Join(r.spec.checkRequest(ctx, op, x, keyOptional), r.Backend.checkBackend(op, x.request))
}

func (r *Recorder) checkAnswer(ctx context.Context, op *operation, x *exchange) error {
	if r.Backend != Worker {
		return r.spec.checkAnswer(ctx, op, x)
	}
	if mediaType, _, _ := mime.ParseMediaType(x.header.Get("Content-Type")); x.status >= http.StatusBadRequest && isJSON(mediaType) {
		return checkDetail(x.answer)
	}
	translated := *x
	translated.answer = asSpecified(x.answer)
	return r.spec.checkAnswer(ctx, op, &translated)
}

// bounded keeps the beginning of what is written.
type bounded struct {
	buffer bytes.Buffer
	over   bool
}

func (b *bounded) keep(p []byte) {
	if b.buffer.Len()+len(p) > maxBody {
		b.over = true
		return
	}
	b.buffer.Write(p)
}

// content is never nil: nil means unread.
func (b *bounded) content() []byte { return append([]byte{}, b.buffer.Bytes()...) }

// bodyTap keeps what is read of a request's body.
type bodyTap struct {
	source io.ReadCloser
	kept   bounded
	ended  bool
}

func (b *bodyTap) Read(p []byte) (int, error) {
	n, err := b.source.Read(p)
	b.kept.keep(p[:n])
	if err == io.EOF {
		b.ended = true
	}
	return n, err
}

func (b *bodyTap) Close() error { return b.source.Close() }

// whole returns the body, or nil if it was not read to its end. A body that is not there needs no reading.
func (b *bodyTap) whole() []byte {
	if !b.ended && b.source != http.NoBody {
		return nil
	}
	return b.kept.content()
}

// answerTap keeps what is written of an answer.
type answerTap struct {
	http.ResponseWriter
	status int
	kept   bounded
	broken bool
}

func (a *answerTap) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answerTap) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.kept.keep(p[:n])
	if err != nil {
		a.broken = true // the peer has gone
	}
	return n, err
}

// Hijack notes that the connection is broken off.
func (a *answerTap) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.broken = true
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// Unwrap lets http.ResponseController find the connection.
func (a *answerTap) Unwrap() http.ResponseWriter { return a.ResponseWriter }
