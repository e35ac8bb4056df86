// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"k8s.io/utils/clock"

	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
)

// Errors of a body, all wrapped in a *bodyError.
var (
	errBodyTooLarge    = errors.New("the body is larger than the webhook receiver takes")
	errBodyTooSlow     = errors.New("the body comes in too slowly")
	errBodyCutOff      = errors.New("the body is cut off")
	errBodyMalformed   = errors.New("the body is malformed")
	errHeadersTooLarge = errors.New("the headers of the body's parts are too large")
	errTooManyParts    = errors.New("the body has too many parts")
)

// bodyError is an error of what the sender sends, in contrast to one of where it is stored.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// body reads the body of a request: not more than the limit, and not longer than the sender makes progress.
type body struct {
	r          io.Reader
	connection deadliner
	clock      clock.PassiveClock
	limits     Limits
	started    time.Time
	n          int64
	// allowance is how much may still be read before the content of the next part begins; unlimited means that content is being read.
	allowance int64
}

// deadliner is what is needed of an http.ResponseController.
type deadliner interface {
	SetReadDeadline(deadline time.Time) error
}

var _ deadliner = (*http.ResponseController)(nil)

const unlimited = -1

func newBody(r io.Reader, connection deadliner, clk clock.PassiveClock, limits Limits) *body {
	return &body{r: r, connection: connection, clock: clk, limits: limits, started: clk.Now(), allowance: unlimited}
}

// Read implements io.Reader. Its errors other than io.EOF are *bodyError.
func (b *body) Read(p []byte) (int, error) {
	// Where the connection has no deadlines there is nothing to keep: the server's connections have them.
	_ = b.connection.SetReadDeadline(b.deadline())
	if b.allowance >= 0 && int64(len(p)) > b.allowance+1 {
		p = p[:b.allowance+1]
	}
	n, err := b.r.Read(p)
	crashpoint.At(crashpoint.ReadingBody)
	b.n += int64(n)
	switch {
	case b.n > b.limits.BodyBytes:
		return 0, b.tooLarge()
	case b.allowance >= 0 && int64(n) > b.allowance:
		return 0, &bodyError{errHeadersTooLarge}
	case b.allowance >= 0:
		b.allowance -= int64(n)
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, &bodyError{errBodyTooSlow}
	default:
		return n, &bodyError{errBodyCutOff}
	}
}

// admit refuses a body whose declared length, which is negative if it is not known, is more than the limit: before anything of it is read.
func (b *body) admit(declared int64) error {
	if declared > b.limits.BodyBytes {
		return b.tooLarge()
	}
	return nil
}

func (b *body) tooLarge() error {
	return &bodyError{fmt.Errorf("%w: more than %d bytes; have the cluster's administrator raise the webhook receiver's --body-max-bytes",
		errBodyTooLarge, b.limits.BodyBytes)}
}

// deadline is when the next bytes must have come: soon, and not so late that the whole would be too slow.
func (b *body) deadline() time.Time {
	earned := time.Duration(float64(b.n) / float64(b.limits.BodyBytesPerSecond) * float64(time.Second))
	average := b.started.Add(b.limits.BodyGrace + earned)
	stall := b.clock.Now().Add(b.limits.BodyStall)
	if stall.Before(average) {
		return stall
	}
	return average
}

// malformed marks errors of parsing what a body holds. Errors of reading it stay what they are.
func malformed(err error) error {
	var known *bodyError
	if errors.As(err, &known) {
		return known
	}
	return &bodyError{errBodyMalformed}
}

// partReader reads the content of a part, whose errors are errors of the body.
type partReader struct{ r io.Reader }

func (p partReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = malformed(err)
	}
	// multipart reports a body that ends before its last boundary as an unexpected EOF, which is not an io.EOF.
	return n, err
}
