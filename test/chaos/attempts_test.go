// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import "bytes"

// checkAttempts: an attempt is bought only when the one before it has come to nothing. What was running then, or is done, needed no other.
func (r *run) checkAttempts(f *facts) {
	r.Helper()
	paid := f.byAttempt()
	for of, entries := range paid {
		for _, before := range paid[attemptOf{of.uid, of.attempt - 1}] {
			for _, entry := range entries {
				if running := before.EndedAt.IsZero() || before.EndedAt.After(entry.CreatedAt); running || before.Status == "done" {
					r.result.Duplicates++
					r.Errorf("attempt %d of %s was bought although the one before it was not over, or is done: %+v, then %+v", of.attempt, of.uid, before, entry)
				}
			}
		}
	}
}

// checkPanics: nobody has panicked, whether or not he has recovered from it.
func (r *run) checkPanics() {
	r.Helper()
	for _, program := range r.programs() {
		log, err := program.Log()
		r.must(err)
		for line := range bytes.Lines(log) {
			if bytes.Contains(line, []byte("panic")) {
				r.Errorf("%s: %s", program.Name(), line)
			}
		}
	}
}
