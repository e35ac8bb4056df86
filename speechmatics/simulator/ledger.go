// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import "time"

// LedgerEntry says that a job was accepted, and what became of it. It stays when the job is deleted or expires.
type LedgerEntry struct {
	// Reference and Title are those of the job's tracking.
	Reference string `json:"reference"`
	Title     string `json:"title,omitempty"`
	// JobID is the job, Project whose it is, CreatedAt when it was accepted.
	JobID     string    `json:"jobID"`
	Project   string    `json:"project"`
	CreatedAt time.Time `json:"createdAt"`
	// Status is the job's state as the API names it: running, done, rejected, deleted or expired.
	Status string `json:"status"`
	// EndedAt is when it stopped running, whyever; zero while it runs.
	EndedAt time.Time `json:"endedAt,omitzero"`
	// ToldDoneAt is when somebody first came to know that it is done: by asking about it, by a list, or by a notification that he
	// acknowledged. Whoever has not acknowledged one may not have read it.
	ToldDoneAt time.Time `json:"toldDoneAt,omitzero"`
	// DeletedAt is when a deleted or expired job was removed, and DeletedBy by whom.
	DeletedAt time.Time `json:"deletedAt,omitzero"`
	DeletedBy Remover   `json:"deletedBy,omitempty"`
}

// Remover is who removes a job.
type Remover string

// Who removes jobs.
const (
	// RemoverAPI is a client, by DELETE.
	RemoverAPI Remover = "api"
	// RemoverAdmin is an admin endpoint or a method of Server.
	RemoverAdmin Remover = "admin"
	// RemoverFault is a FaultDelete.
	RemoverFault Remover = "fault"
	// RemoverRetention is the end of the time for which jobs are kept.
	RemoverRetention Remover = "retention"
	// RemoverWorker is an HTTP batch worker that remembers no more jobs, or was restarted.
	RemoverWorker Remover = "worker"
)

func ledgerEntry(j *job) *LedgerEntry {
	return &LedgerEntry{
		Reference: j.config.tracking.reference, Title: j.config.tracking.title,
		JobID: j.id, Project: j.project, CreatedAt: j.createdAt, Status: string(j.status),
	}
}

// toldDone notes that somebody knows now of a job that it is done, if it is. The caller holds Server.mu.
func (s *Server) toldDone(j *job) {
	if j.status == statusDone && j.entry.ToldDoneAt.IsZero() {
		j.entry.ToldDoneAt = s.now()
	}
}

// Ledger returns every job that was ever accepted, in the order in which they were.
func (s *Server) Ledger() []LedgerEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.newest {
		s.refresh(j)
	}
	entries := make([]LedgerEntry, 0, len(s.ledger))
	for _, entry := range s.ledger {
		entries = append(entries, *entry)
	}
	return entries
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
