// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"slices"
	"time"
)

// LedgerEntry says that a job was accepted. It stays when the job is deleted or expires.
type LedgerEntry struct {
	// Reference and Title are those of the job's tracking.
	Reference string `json:"reference"`
	Title     string `json:"title,omitempty"`
	// JobID is the job, Project whose it is, CreatedAt when it was accepted.
	JobID     string    `json:"jobID"`
	Project   string    `json:"project"`
	CreatedAt time.Time `json:"createdAt"`
}

func ledgerEntry(j *job) LedgerEntry {
	return LedgerEntry{
		Reference: j.config.tracking.reference, Title: j.config.tracking.title,
		JobID: j.id, Project: j.project, CreatedAt: j.createdAt,
	}
}

// Ledger returns every job that was ever accepted, oldest first.
func (s *Server) Ledger() []LedgerEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ledger)
}

// Submissions counts the jobs that were ever accepted with a tracking.reference.
func (s *Server) Submissions(reference string) int {
	n := 0
	for _, entry := range s.Ledger() {
		if entry.Reference == reference {
			n++
		}
	}
	return n
}
