// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"errors"
	"fmt"
	"time"
)

// maxForeign bounds the jobs that are added at once: some 600 bytes each.
const maxForeign = 1_000_000

// foreignConfigs are what jobs of somebody else look like: with references of another kind, or none, and with much that a
// client has to skip.
var foreignConfigs = []string{
	`{"type":"transcription","transcription_config":{"language":"en","operating_point":"enhanced","diarization":"speaker"}}`,
	`{"type":"transcription","transcription_config":{"language":"de"},"tracking":{"title":"Interview","tags":["archive"],"details":{"invoice":17}}}`,
	`{"type":"transcription","transcription_config":{"language":"en","additional_vocab":[{"content":"Speechmatics","sounds_like":["speech matics"]},` +
		`{"content":"gnocchi","sounds_like":["nyohki","nokey"]}]},"tracking":{"reference":"invoice 17"},` +
		`"notification_config":[{"url":"https://hooks.example.com/done","contents":["transcript"],"auth_headers":["Authorization: Bearer foreign"]}]}`,
	`{"type":"transcription","transcription_config":{"language":"fr"},"tracking":{"reference":"shows/2026/17"},"summarization_config":{}}`,
}

// AddForeign adds n jobs of somebody else to the project of an API key: done, of a minute each, without a reference that a
// client of this test could have given, and created evenly over the past spread. Whoever has a key of the project sees them in
// lists, and can get and delete them; they are in no ledger and count for no limit. They expire a retention after they were added.
// It refuses a key that there is not, and numbers below 0 or above a million.
func (s *Server) AddForeign(key string, n int, spread time.Duration) error {
	owner, known := s.keys.find(key)
	if !known && s.onPremises() && s.keys.empty() {
		owner, known = &s.anonymous, true
	}
	switch {
	case !known:
		return errors.New("foreign jobs: there is no such API key")
	case n < 0 || n > maxForeign:
		return fmt.Errorf("foreign jobs: their number %d is not within 0 and %d", n, maxForeign)
	case spread < 0:
		return fmt.Errorf("foreign jobs: the spread %v is negative", spread)
	}
	configs := make([]*jobConfig, 0, len(foreignConfigs))
	for _, written := range foreignConfigs {
		config, err := parseConfig([]byte(written), s.Behaviour())
		if err != nil {
			return fmt.Errorf("foreign jobs: %w", err)
		}
		configs = append(configs, config)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	jobs := make([]*job, 0, n)
	for i := range n {
		age := time.Duration(float64(spread) * float64(n-i) / float64(n))
		j := s.foreignJob(configs[i%len(configs)], now.Add(-age).Truncate(time.Millisecond))
		j.project, j.clientRef = owner.project, owner.clientRef
		if s.options.Retention > 0 {
			j.expiresAt = now.Add(s.scale(s.options.Retention))
		}
		s.jobs[j.id] = j
		jobs = append(jobs, j)
	}
	s.newest = s.newest.with(jobs...)
	s.boundHistory()
	s.log.Info("foreign jobs added", "project", owner.project, "count", n, "spread", spread)
	return nil
}

// past is the channel of what has happened already.
var past = func() chan struct{} {
	closed := make(chan struct{})
	close(closed)
	return closed
}()

// foreignJob is a job that is done, and was never here before. The caller holds s.mu.
func (s *Server) foreignJob(config *jobConfig, created time.Time) *job {
	const length = time.Minute
	return &job{
		id: s.unusedID(), createdAt: created, visibleAt: created, dataName: "foreign.wav", config: config,
		run: s.run, cancel: func() {}, ended: past, notified: past,
		status: statusDone, endedAt: created.Add(length / 4),
		recording: recording{mediaType: "audio/wav", length: length, channels: 1},
		entry:     &LedgerEntry{}, foreign: true,
	}
}
