// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Backend is the kind of server that is simulated.
type Backend string

// The kinds of servers that speak the batch API.
const (
	// BackendSaaS is the hosted service.
	BackendSaaS Backend = "saas"
	// BackendAppliance is the virtual appliance: no key is needed unless there is one, lists are whole and without
	// configurations, logs are served, jobs are kept for 24 hours.
	BackendAppliance Backend = "appliance"
	// BackendWorker is the HTTP batch worker: no key is needed unless there is one, nothing can be deleted,
	// errors are {"detail"}, engines are limited, and a restart forgets everything.
	BackendWorker Backend = "worker"
)

// Validate reports a backend that is none of the known ones.
func (b Backend) Validate() error {
	return oneOf("backend", b, BackendSaaS, BackendAppliance, BackendWorker)
}

// onPremises says whether it is not the hosted service.
func (s *Server) onPremises() bool { return s.options.Backend != BackendSaaS }

func (s *Server) isWorker() bool { return s.options.Backend == BackendWorker }

// applianceRetention is how long an appliance keeps jobs.
const applianceRetention = 24 * time.Hour

// withBackendDefaults sets what differs on premises: nobody limits rates or numbers of jobs there.
func (o Options) withBackendDefaults() Options {
	orDefault(&o.Backend, BackendSaaS)
	switch o.Backend {
	case BackendAppliance:
		orDefault(&o.Retention, applianceRetention)
	case BackendWorker:
		orDefault(&o.Retention, -1)
		orDefault(&o.Engines, 4)
		orDefault(&o.JobHistory, 100)
	default:
		orDefault(&o.Retention, retentionDefault)
		return o
	}
	orDefault(&o.Limits.SubmissionsPerSecond, -1)
	orDefault(&o.Limits.ReadsPerSecond, -1)
	orDefault(&o.Limits.RunningJobs, -1)
	return o
}

// newID makes an identifier as the backend does. The caller holds s.mu.
func (s *Server) newID() string {
	switch {
	case s.isWorker():
		return randomHex(10)
	case s.options.Backend == BackendAppliance && s.Behaviour().ApplianceIDs == ApplianceIDsNumber:
		s.lastNumber++
		return strconv.Itoa(s.lastNumber)
	case s.options.Backend == BackendAppliance:
		digits := randomHex(16)
		return strings.Join([]string{digits[:8], digits[8:12], "4" + digits[13:16], "8" + digits[17:20], digits[20:]}, "-")
	}
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567" // 32: no bias
	var id [10]byte
	_, _ = rand.Read(id[:]) // never fails
	for i, b := range id {
		id[i] = alphabet[b%32]
	}
	return string(id[:])
}

// randomHex returns n random bytes as hexadecimal digits.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// presented is a job as the backend writes it.
func (s *Server) presented(details jobDetails) jobDetails {
	if !s.isWorker() {
		return details
	}
	details.RequestID = "request-" + details.ID
	if s.Behaviour().WorkerSpelling == WorkerSpellingProse {
		details.ID, details.JobID = "", details.ID
		details.Status = status(strings.ToUpper(string(details.Status)))
	}
	return details
}

// created is the answer to a submission, as the backend writes it.
func (s *Server) created(id string) createdJob {
	if s.isWorker() && s.Behaviour().WorkerSpelling == WorkerSpellingProse {
		return createdJob{JobID: id}
	}
	return createdJob{ID: id}
}

// hostedOnly are the sections of a configuration that only the hosted service knows.
var hostedOnly = []string{
	"language_identification_config", "summarization_config", "topic_detection_config", "auto_chapters_config", "alignment_config",
}

// checkBackend refuses what the backend does not have.
func (s *Server) checkBackend(c *jobConfig) error {
	if !s.onPremises() {
		return nil
	}
	for _, section := range c.sections {
		if slices.Contains(hostedOnly, section) {
			return badRequest("Requested product not available", fmt.Sprintf("%s is not available on premises", section))
		}
	}
	if c.language == languageAuto || c.language == languageMulti {
		return badRequest("Requested product not available", fmt.Sprintf("language %s is not available on premises", c.language))
	}
	return nil
}

// processingHeader carries what a job may use on premises. The hosted service does not look at it.
const processingHeader = "X-SM-Processing-Data"

// maxEngines bounds what a job may ask for.
const maxEngines = 1000

// enginesOf reads how many engines a job is to use: 1, unless the header says otherwise.
func (s *Server) enginesOf(r *http.Request) (int, error) {
	written := r.Header.Get(processingHeader)
	if written == "" || !s.onPremises() {
		return 1, nil
	}
	invalid := func(reason string) error {
		return requestError{status: http.StatusUnprocessableEntity, message: processingHeader + " is invalid: " + reason}
	}
	fields, err := decodeObject([]byte(written))
	if err != nil {
		return 0, invalid("not a JSON object")
	}
	data := object{fields: fields}
	if _, err := data.string("user_id"); err != nil {
		return 0, invalid("user_id must be a string")
	}
	n, there, err := data.number("parallel_engines", 1, maxEngines, true)
	if err != nil {
		return 0, invalid(fmt.Sprintf("parallel_engines must be between 1 and %d", maxEngines))
	}
	if !there {
		return 1, nil
	}
	return int(n), nil
}
