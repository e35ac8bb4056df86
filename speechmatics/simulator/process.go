// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"context"
	"errors"
	"time"
)

// Values of a notification's status parameter. They are not the job's states.
const (
	outcomeSuccess    = "success"
	outcomeError      = "error"
	outcomeFetchError = "fetch_error"
)

// process is the life of a job after it was accepted: fetch, recognise, tell.
func (s *Server) process(ctx context.Context, j *job) {
	defer j.cancel()
	outcome := s.recognise(ctx, j)
	if outcome == "" || !s.finish(j, outcome) {
		return // deleted or ended otherwise meanwhile
	}
	// The job may be deleted from now on without its notifications stopping.
	s.notifyAll(j.run, j, outcome) //nolint:contextcheck // not the work's context, see above
}

// recognise does the work, and says how it ended; "" is broken off.
func (s *Server) recognise(ctx context.Context, j *job) string {
	if err := s.fetch(ctx, j); err != nil {
		if errors.Is(err, errFetch) {
			return outcomeFetchError
		}
		return s.failed(ctx, j, err)
	}
	if err := s.probe(j); err != nil {
		return s.failed(ctx, j, err)
	}
	if j.early == nil && !s.sleep(ctx, s.scale(s.options.Processing.of(s.lengthOf(j)))/time.Duration(max(j.engines, 1))) {
		return ""
	}
	if err := s.understand(j); err != nil {
		return s.failed(ctx, j, err)
	}
	if f, ok := s.faults.ofJob(FaultReject, j.subject()); ok {
		orDefault(&f.Message, "Job rejected")
		if s.failed(ctx, j, errors.New(f.Message)) == "" {
			return ""
		}
		return orElse(f.Outcome, outcomeError)
	}
	return outcomeSuccess
}

// understand finds out the language and what of the job can be done in it. Its errors reject the job, in
// the service's words.
func (s *Server) understand(j *job) error {
	if err := j.config.brokenReplacement; err != nil {
		return err
	}
	s.mu.Lock()
	script, length, text := j.script, j.recording.length, j.text
	s.mu.Unlock()
	if j.config.kind == jobAlignment {
		return checkText(text)
	}
	var found *identification
	if j.config.language == languageAuto {
		if _, fails := s.faults.take(func(f Fault) bool {
			return f.Kind == FaultFeature && f.Feature == FeatureLanguageIdentification && f.matches(j.subject())
		}); fails {
			return rejectionError(messageFailed)
		}
		var err error
		if found, err = identify(j.config, script, length); err != nil {
			return err
		}
	} else if err := j.config.checkPairs(); err != nil {
		return err
	}
	failures := s.faults.failures(j)
	s.mu.Lock()
	defer s.mu.Unlock()
	j.identified, j.failures = found, failures
	return nil
}

// checkPairs reports the first translation that is not supported from the language that was named.
func (c *jobConfig) checkPairs() error {
	for _, target := range c.translations {
		if !translatable(c.language, target) {
			return rejectionError(unsupportedPair(c.language, target))
		}
	}
	return nil
}

// rejectionError is why a job is rejected, in the service's words.
type rejectionError string

func (e rejectionError) Error() string { return string(e) }

// failed records why a job cannot be done.
func (s *Server) failed(ctx context.Context, j *job, err error) string {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return ""
	}
	s.log.Info("job fails", "job", j.id, "error", err)
	if errors.Is(err, errInvalidAudio) {
		err = errInvalidAudio // the service does not tell more
	}
	s.addError(j, err.Error())
	return outcomeError
}

// probe reads the media's kind and length, and decides whether they are kept.
func (s *Server) probe(j *job) error {
	s.mu.Lock()
	media, script := j.media, j.script
	s.mu.Unlock()
	if media == nil {
		return context.Canceled // deleted meanwhile
	}
	found, err := media.probe()
	if err != nil {
		return err
	}
	if script != nil && script.length > 0 {
		found.length = script.length
	}
	if limit := s.options.Limits.MediaDuration; limit >= 0 && found.length > limit {
		return errInvalidAudio
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j.recording = found
	if j.media != nil && s.store.overBudget() {
		j.media.remove()
		j.media = nil
	}
	return nil
}

func (s *Server) lengthOf(j *job) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return j.recording.length
}

// finish ends a running job, and reports whether it was one.
func (s *Server) finish(j *job, outcome string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.status != statusRunning {
		return false
	}
	if outcome == outcomeSuccess {
		s.settle(j, statusDone)
		s.countUsage(j)
	} else {
		s.settle(j, statusRejected)
	}
	if s.options.Retention > 0 {
		j.expiresAt = j.endedAt.Add(s.scale(s.options.Retention))
	}
	s.boundHistory()
	if f, ok := s.faults.ofJob(FaultExpire, j.subject()); ok {
		j.expiresAt = j.endedAt.Add(time.Duration(f.Delay))
	}
	s.log.Info("job ended", "job", j.id, "status", j.status, "length", j.recording.length)
	return true
}
