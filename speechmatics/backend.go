// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
)

// Backend is a kind of server that speaks the batch API. The kinds differ in what they can do, in what they remember, and in which
// answers mean that no job was created.
type Backend string

const (
	// SaaS is the hosted service, and what a client assumes unless [WithBackend] says otherwise.
	SaaS Backend = "saas"
	// Appliance is the virtual appliance: the same API on premises, with a queue and a store of its own. Its token is optional.
	Appliance Backend = "appliance"
	// Worker is the HTTP batch worker: one transcriber container (15.7.0 or newer, run with --run-mode http) that keeps its jobs
	// in memory. It has no authentication.
	Worker Backend = "worker"
)

// Capabilities says what a backend can do. See [Backend.Capabilities] for the table and its sources.
type Capabilities struct {
	// CanList: jobs can be listed.
	CanList bool
	// ListHasConfig: a list's jobs have their configuration and hence Job.Tracking. Without, it takes a [Client.GetJob] per job
	// to know whose it is.
	ListHasConfig bool
	// ListsDeleted: ListOptions.IncludeDeleted is known.
	ListsDeleted bool
	// CanDelete: jobs can be deleted, and running ones stopped thereby.
	CanDelete bool
	// KnowsWait: requests can be held open until a job has ended.
	KnowsWait bool
	// HasUsage: [Client.Usage] has an answer.
	HasUsage bool
	// HasLog: [Client.Log] has an answer, for some jobs at least.
	HasLog bool
	// HasData: [Client.Data] has an answer.
	HasData bool
	// HasDiscovery: [Client.Discover] has an answer.
	HasDiscovery bool
	// HasAlignment: jobs of type alignment are known, and the endpoints that go with them.
	HasAlignment bool
	// TakesProcessingData: CreateJobRequest.ProcessingData is known.
	TakesProcessingData bool
	// Remembers: jobs survive a restart of the backend. Without, the absence of a job proves nothing.
	Remembers bool
	// Retention is how long after its end a job is kept at least; 0 if nothing is promised.
	Retention time.Duration
}

// Capabilities returns what a backend can do; nothing for one that is not among the constants.
//
//	                     | saas     | appliance | worker   | source
//	CanList              | yes      | yes       | yes      | specification; worker: its page calls the lack of DELETE, /usage and
//	                     |          |           |          | include_deleted "the only differences"
//	ListHasConfig        | yes      | no        | no (?)   | specification, JobDetails; worker: not said
//	ListsDeleted         | yes      | yes       | no       | specification, not restricted to the hosted service; worker's page
//	CanDelete            | yes      | yes       | no       | specification; worker's page
//	KnowsWait            | yes      | no        | no       | specification: "only available on SaaS"
//	HasUsage             | yes      | no (?)    | no       | specification; appliance: not documented; worker's page
//	HasLog               | yes      | yes       | yes      | specification, which knows 501, too; worker's page
//	HasData              | yes      | no        | no (?)   | specification until May 2026; appliance: older documentation
//	HasDiscovery         | yes      | no        | no       | discovery's page: the hosted service only
//	HasAlignment         | yes      | no        | no       | deployment overview: the hosted service only
//	TakesProcessingData  | no       | yes       | yes      | specification: "only available for on-prem"
//	Remembers            | yes      | yes       | no       | worker: jobs are in memory, a restart forgets them
//	Retention            | 7 days   | 24 h      | none     | limits' page; appliance: the default, which can be configured;
//	                     |          |           |          | worker: a bounded number of jobs, however old
//
// The worker's page is "Batch persistent worker" of the provider's documentation. What is not documented, marked (?), has the
// value under which a caller does more work, but never believes more than was promised.
func (b Backend) Capabilities() Capabilities {
	switch b {
	case SaaS:
		return Capabilities{
			CanList: true, ListHasConfig: true, ListsDeleted: true, CanDelete: true, KnowsWait: true,
			HasUsage: true, HasLog: true, HasData: true, HasDiscovery: true, HasAlignment: true,
			Remembers: true, Retention: 7 * 24 * time.Hour,
		}
	case Appliance:
		return Capabilities{
			CanList: true, ListsDeleted: true, CanDelete: true, HasLog: true, TakesProcessingData: true,
			Remembers: true, Retention: 24 * time.Hour,
		}
	case Worker:
		return Capabilities{CanList: true, HasLog: true, TakesProcessingData: true}
	default:
		return Capabilities{}
	}
}

// WithBackend says what kind of server the base URL leads to. The default is SaaS.
func WithBackend(backend Backend) Option {
	return func(c *Client) error {
		switch backend {
		case SaaS, Appliance, Worker:
			c.backend = backend
			return nil
		default:
			return &InvalidError{Operation: opNew, Field: "backend", Problem: fmt.Sprintf("must be %q, %q or %q", SaaS, Appliance, Worker)}
		}
	}
}

// Backend returns the kind of server that the client was made for.
func (c *Client) Backend() Backend { return c.backend }

// UnsupportedError means that the client's backend does not have what was asked of it, by its documentation. Nothing was
// sent. errors.Is(err, errors.ErrUnsupported) recognises it.
type UnsupportedError struct {
	// Operation is the method.
	Operation string
	// Backend is the client's backend.
	Backend Backend
	// Feature is what it does not have, "deleting jobs" for example.
	Feature string
	// Advice is what to do instead.
	Advice string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("speechmatics: %s: the backend %q does not have %s: %s", e.Operation, e.Backend, e.Feature, e.Advice)
}

// Is recognises errors.ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// require returns an UnsupportedError unless the backend has what an operation needs.
func (c *Client) require(has bool, operation, feature, advice string) error {
	if has {
		return nil
	}
	return &UnsupportedError{Operation: operation, Backend: c.backend, Feature: feature, Advice: advice}
}

// refusesWholeRequest reports whether an error, as the answer to a whole submission, means that no job was created.
//
// 408, 409, 425 and the like are left out on purpose: they can come from something in front of the provider that gave up
// on an answer while the provider itself had accepted the request.
func (b Backend) refusesWholeRequest(answer *Error) bool {
	switch answer.StatusCode {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
		http.StatusUnprocessableEntity, http.StatusTooManyRequests:
		return true
	case http.StatusServiceUnavailable:
		return b == Worker && isServerBusy(answer)
	default:
		return false
	}
}

// isServerBusy recognises the HTTP batch worker's own refusal, 503 with {"detail": "Server busy: 8 engines not available (…)"}. A 503 that
// says anything else may be that of a proxy, behind which the worker has accepted the job.
func isServerBusy(answer *Error) bool {
	mediaType, _, err := mime.ParseMediaType(answer.ContentType)
	return err == nil && mediaType == "application/json" && strings.HasPrefix(answer.Detail, "Server busy")
}
