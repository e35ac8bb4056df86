// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// status is a job's state, as the API names it.
type status string

const (
	statusRunning  status = "running"
	statusDone     status = "done"
	statusRejected status = "rejected"
	statusDeleted  status = "deleted"
	statusExpired  status = "expired"
)

// job is a job of a project. Fields below the line are guarded by Server.mu.
type job struct {
	id                 string
	project, clientRef string
	createdAt          time.Time
	dataName           string
	config             *jobConfig
	// early is the fault that makes its notifications come before the answer to its submission.
	early *Fault
	// run is the life of the process that accepted it, and cancel stops its work.
	run    context.Context //nolint:containedctx // outlives the request
	cancel context.CancelFunc
	// engines are how many it uses on premises.
	engines int
	// ended is closed when it is no longer running, notified when its notifications were tried once.
	ended, notified chan struct{}
	// visibleAt is when it appears in lists.
	visibleAt time.Time
	// foreign says that nobody submitted it, see AddForeign.
	foreign bool

	// ----

	// entry is the ledger's.
	entry     *LedgerEntry
	status    status
	endedAt   time.Time
	expiresAt time.Time // zero: never
	media     *mediaFile
	recording recording
	script    *script // what is said; nil is filler
	// remembered means that it is gone, and that its transcripts can still be told.
	remembered bool
	// text is what is to be aligned, and textName its name.
	text     []byte
	textName string
	// identified is the language that was identified, failures are the features that fail on order.
	identified *identification
	failures   []featureFailure
	// sizes are those of the transcript in the formats that were asked for.
	sizes  map[string]int64
	errors []jobError
}

// jobError is an event of a job; a job that is done may have some too.
type jobError struct {
	Timestamp string `json:"timestamp"`
	Message   string `json:"message"`
}

const (
	// milliseconds and microseconds are the precisions of the API's times.
	milliseconds = "2006-01-02T15:04:05.000Z07:00"
	microseconds = "2006-01-02T15:04:05.000000Z07:00"
)

func (j *job) subject() subject {
	return subject{title: j.config.tracking.title, reference: j.config.tracking.reference, dataName: j.dataName}
}

// jobDetails is a job as the API shows it.
type jobDetails struct {
	Config    json.RawMessage `json:"config,omitempty"`
	CreatedAt string          `json:"created_at"`
	DataName  string          `json:"data_name"`
	Duration  int64           `json:"duration"`
	Errors    []jobError      `json:"errors,omitempty"`
	ID        string          `json:"id,omitempty"`
	JobID     string          `json:"job_id,omitempty"`
	RequestID string          `json:"request_id,omitempty"`
	Status    status          `json:"status"`
	TextName  string          `json:"text_name,omitempty"`
}

// jobInfo is a job as transcripts and notifications show it.
type jobInfo struct {
	CreatedAt string          `json:"created_at"`
	DataName  string          `json:"data_name"`
	Duration  int64           `json:"duration"`
	ID        string          `json:"id"`
	TextName  string          `json:"text_name,omitempty"`
	Tracking  json.RawMessage `json:"tracking,omitempty"`
}

// details is what GET shows. The caller holds Server.mu.
func (j *job) details() jobDetails {
	return jobDetails{
		Config:    j.config.raw,
		CreatedAt: j.createdAt.Format(milliseconds),
		DataName:  j.dataName,
		Duration:  j.seconds(),
		Errors:    append([]jobError(nil), j.errors...),
		ID:        j.id,
		Status:    j.status,
		TextName:  j.textName,
	}
}

// info is what transcripts and notifications show. The caller holds Server.mu.
func (j *job) info() jobInfo {
	return jobInfo{
		CreatedAt: j.createdAt.Format(milliseconds),
		DataName:  j.dataName,
		Duration:  j.seconds(),
		ID:        j.id,
		TextName:  j.textName,
		Tracking:  j.config.tracking.raw,
	}
}

// seconds is the length in whole seconds, as in the service's samples; 0 while it is not known.
func (j *job) seconds() int64 { return int64(j.recording.length / time.Second) }

// admit makes a job of a submission, and sets it to work, unless the project has too many running
// jobs or the server is closed: a requestError.
func (s *Server) admit(j *job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return requestError{status: http.StatusServiceUnavailable, message: "Service Unavailable"}
	}
	if limit := s.options.Limits.RunningJobs; limit >= 0 && s.running[j.project] >= limit {
		return requestError{status: http.StatusTooManyRequests, message: "Max concurrent running jobs exceeded"}
	}
	if f, ok := s.faults.ofJob(FaultNoCredit, j.subject()); ok {
		return requestError{status: s.Behaviour().NoCreditStatus, message: orElse(f.Message, "Forbidden"), detail: "no credit left"}
	}
	if err := s.takeEngines(j); err != nil {
		return err
	}
	j.run = s.run
	ctx, cancel := context.WithCancel(j.run)
	j.id = s.unusedID()
	j.createdAt = s.now()
	j.status = statusRunning
	j.cancel = cancel
	j.ended, j.notified = make(chan struct{}), make(chan struct{})
	j.visibleAt = j.createdAt.Add(time.Duration(s.Behaviour().ListLag))
	if f, ok := s.faults.ofJob(FaultListLag, j.subject()); ok {
		j.visibleAt = j.createdAt.Add(time.Duration(f.Delay))
	}
	if f, ok := s.faults.ofJob(FaultNotificationEarly, j.subject()); ok {
		j.early = &f
	}
	s.jobs[j.id] = j
	s.newest = s.newest.with(j)
	s.running[j.project]++
	j.entry = ledgerEntry(j)
	s.ledger = append(s.ledger, j.entry)
	s.work.Go(func() { s.process(ctx, j) })
	if f, ok := s.faults.ofJob(FaultDelete, j.subject()); ok {
		s.work.Go(func() {
			if s.sleep(j.run, time.Duration(f.Delay)) {
				s.remove(j, RemoverFault)
			}
		})
	}
	s.log.Info("job created", "job", j.id, "project", j.project, "reference", j.config.tracking.reference)
	return nil
}

// unusedID is an identifier that no other job has. The caller holds s.mu.
func (s *Server) unusedID() string {
	for {
		id := s.newID()
		if _, used := s.jobs[id]; !used {
			return id
		}
	}
}

// find returns a job that a caller sees, in its present state. The caller of the function holds s.mu.
func (s *Server) find(by caller, id string) (*job, bool) {
	j, ok := s.jobs[id]
	if !ok || !by.sees(j) {
		return nil, false
	}
	s.refresh(j)
	return j, true
}

// refresh lets a job expire if it is time. The caller holds s.mu.
func (s *Server) refresh(j *job) {
	if (j.status == statusDone || j.status == statusRejected) && !j.expiresAt.IsZero() && !s.clock.Now().Before(j.expiresAt) {
		s.forget(j, statusExpired, RemoverRetention)
	}
}

// statusOf returns a job's present state.
func (s *Server) statusOf(j *job) status {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh(j)
	return j.status
}

// forget takes away what a job holds. The caller holds s.mu.
func (s *Server) forget(j *job, as status, by Remover) {
	j.remembered = j.remembered || (s.options.RememberTranscripts && j.status == statusDone)
	s.settle(j, as)
	if j.entry.DeletedBy == "" {
		j.entry.DeletedAt, j.entry.DeletedBy = s.now(), by
	}
	j.media.remove()
	j.media, j.text = nil, nil
	if !j.remembered {
		j.script = nil
	}
}

// settle puts a job into a state that is not running. The caller holds s.mu.
func (s *Server) settle(j *job, as status) {
	if j.status == statusRunning {
		s.running[j.project]--
		if s.isWorker() {
			s.enginesUsed -= j.engines
		}
		j.endedAt = s.now()
		j.entry.EndedAt = j.endedAt
		close(j.ended)
	}
	j.status, j.entry.Status = as, string(as)
}

// remove deletes a job, and stops it if it is running.
func (s *Server) remove(j *job, by Remover) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.cancel()
	if j.status == statusRunning && s.Behaviour().NotifyDeletion && !s.closed {
		s.work.Go(func() { s.notifyAll(j.run, j, outcomeError) })
	}
	s.forget(j, statusDeleted, by)
	s.log.Info("job deleted", "job", j.id, "by", by)
}

// addError records an event of a job, which is not the end of it.
func (s *Server) addError(j *job, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.errors = append(j.errors, jobError{Timestamp: s.now().Format(milliseconds), Message: message})
}
