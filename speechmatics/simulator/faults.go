// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fault is something that goes wrong on order. Faults are looked at in the order in which they are
// given; of those of one kind, the first that applies is taken.
type Fault struct {
	// Kind says what goes wrong.
	Kind FaultKind `json:"kind"`

	// Operation restricts the fault to one operation of the API; empty means all. For the kinds that
	// concern requests only.
	Operation Operation `json:"operation,omitempty"`
	// Title, Reference and DataName restrict the fault to jobs whose tracking.title,
	// tracking.reference and data_name match the pattern, in which * stands for any text. Empty matches
	// all. For the kinds that concern jobs, and for requests about one known job.
	Title     string `json:"title,omitempty"`
	Reference string `json:"reference,omitempty"`
	DataName  string `json:"dataName,omitempty"`

	// Count is how many times it happens; 0 means always.
	Count int `json:"count,omitempty"`
	// Probability of happening, over 0 and up to 1; 0 means 1.
	Probability float64 `json:"probability,omitempty"`

	// Delay in wall time: the latency, the list's lag, how late, how long held back at most.
	Delay Duration `json:"delay,omitempty"`
	// Status, Body, Message and RetryAfter (whole seconds) are the answer of kinds FaultError and FaultResponseReplaced.
	// Status is 500, Body is BodyJSON and Message the status text where they are left out. Message is
	// also the reason that a job of kind FaultReject gives.
	Status     int      `json:"status,omitempty"`
	Body       BodyForm `json:"body,omitempty"`
	Message    string   `json:"message,omitempty"`
	RetryAfter int      `json:"retryAfter,omitempty"`
	// Outcome is the status parameter in the notifications of a job of kind FaultReject: "error" where it
	// is left out; "trim_error", or a value that nobody knows yet.
	Outcome string `json:"outcome,omitempty"`
	// Feature is what a job of kind FaultFeature lacks, with Message as the reason; Language restricts it to
	// the translation into that language.
	Feature  Feature `json:"feature,omitempty"`
	Language string  `json:"language,omitempty"`
}

// FaultKind is what goes wrong.
type FaultKind string

// What can go wrong with a request.
const (
	// FaultLatency holds a request for Delay before it is handled.
	FaultLatency FaultKind = "latency"
	// FaultError answers Status instead of handling the request.
	FaultError FaultKind = "error"
	// FaultRequestReset resets the connection after some of the request's body was read; nothing happens.
	FaultRequestReset FaultKind = "request-reset"
	// FaultResponseLost handles the request, and closes the connection without an answer. A job was
	// created, and nobody is told.
	FaultResponseLost FaultKind = "response-lost"
	// FaultResponseReset handles the request, and resets the connection in the middle of the answer.
	FaultResponseReset FaultKind = "response-reset"
	// FaultResponseLate handles the request at once, and holds the answer for Delay.
	FaultResponseLate FaultKind = "response-late"
	// FaultResponseReplaced handles the request, and answers Status instead of what came of it, as a server in front of the service does
	// that does not get the service's answer.
	FaultResponseReplaced FaultKind = "response-replaced"
)

// What can go wrong with a job.
const (
	// FaultListLag keeps a new job out of lists for Delay.
	FaultListLag FaultKind = "list-lag"
	// FaultNotificationLost sends nothing to a notification URL, and believes it did.
	FaultNotificationLost FaultKind = "notification-lost"
	// FaultNotificationDoubled sends a notification once more after it was received.
	FaultNotificationDoubled FaultKind = "notification-doubled"
	// FaultNotificationLate sends a notification after Delay.
	FaultNotificationLate FaultKind = "notification-late"
	// FaultNotificationEarly processes a job in no time, and answers its submission only after its
	// notifications were tried once, or after Delay (5 s where it is 0).
	FaultNotificationEarly FaultKind = "notification-early"
	// FaultNotificationReordered holds a notification until another one was tried, or for Delay (5 s
	// where it is 0).
	FaultNotificationReordered FaultKind = "notification-reordered"
	// FaultReject makes a job end as rejected, with Message among its errors.
	FaultReject FaultKind = "reject"
	// FaultFeature lets one feature of a job fail. The job is done all the same, unless the feature is
	// FeatureLanguageIdentification and is needed.
	FaultFeature FaultKind = "feature"
	// FaultNoCredit refuses a submission because there is no credit left; see Behaviour.NoCreditStatus.
	FaultNoCredit FaultKind = "no-credit"
	// FaultExpire makes a job expire Delay after it ended.
	FaultExpire FaultKind = "expire"
	// FaultDelete deletes a job Delay after it was submitted, as another user of the project could.
	FaultDelete FaultKind = "delete"
)

var requestFaults = []FaultKind{
	FaultLatency, FaultError, FaultRequestReset, FaultResponseLost, FaultResponseReset, FaultResponseLate, FaultResponseReplaced,
}

var jobFaults = []FaultKind{
	FaultListLag, FaultNotificationLost, FaultNotificationDoubled, FaultNotificationLate, FaultNotificationEarly,
	FaultNotificationReordered, FaultReject, FaultFeature, FaultNoCredit, FaultExpire, FaultDelete,
}

// delayedFaults are those that mean nothing without a delay.
var delayedFaults = []FaultKind{FaultLatency, FaultResponseLate, FaultListLag, FaultNotificationLate}

// Operation is an operation of the API.
type Operation string

// The operations of the API.
const (
	OperationCreate     Operation = "create"
	OperationGet        Operation = "get"
	OperationList       Operation = "list"
	OperationDelete     Operation = "delete"
	OperationTranscript Operation = "transcript"
	OperationData       Operation = "data"
	OperationLog        Operation = "log"
	OperationUsage      Operation = "usage"
	OperationDiscovery  Operation = "discovery"
	OperationText       Operation = "text"
	OperationAlignment  Operation = "alignment"
	OperationKey        Operation = "key"
	// operationOther is what the API does not know, or no longer serves.
	operationOther Operation = "other"
)

var operations = []Operation{
	OperationCreate, OperationGet, OperationList, OperationDelete, OperationTranscript, OperationData, OperationLog,
	OperationUsage, OperationDiscovery, OperationText, OperationAlignment, OperationKey,
}

// Validate reports the first thing that is wrong with the fault.
func (f Fault) Validate() error {
	ofRequest := slices.Contains(requestFaults, f.Kind)
	switch {
	case f.Kind == "":
		return errors.New("fault without a kind")
	case !ofRequest && !slices.Contains(jobFaults, f.Kind):
		return fmt.Errorf("kind: %q is none of %q", f.Kind, append(slices.Clone(requestFaults), jobFaults...))
	case !ofRequest && f.Operation != "":
		return fmt.Errorf("operation: a fault of kind %q concerns jobs, not requests", f.Kind)
	case f.Operation != "" && !slices.Contains(operations, f.Operation):
		return fmt.Errorf("operation: %q is none of %q", f.Operation, operations)
	case f.Count < 0:
		return fmt.Errorf("count: %d is negative", f.Count)
	case !(f.Probability >= 0 && f.Probability <= 1): // also refuses NaN
		return fmt.Errorf("probability: %v is not within 0 and 1", f.Probability)
	case f.Delay < 0:
		return fmt.Errorf("delay: %v is negative", time.Duration(f.Delay))
	case f.Delay == 0 && slices.Contains(delayedFaults, f.Kind):
		return fmt.Errorf("delay: kind %q needs one", f.Kind)
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status: %d is not within 200 and 599", f.Status)
	case f.RetryAfter < 0:
		return fmt.Errorf("retryAfter: %d is negative", f.RetryAfter)
	case f.Outcome == outcomeSuccess:
		return fmt.Errorf("outcome: a rejected job's cannot be %q", f.Outcome)
	case (f.Kind == FaultFeature) != (f.Feature != ""):
		return fmt.Errorf("feature: kind %q needs one, and no other has one", FaultFeature)
	case f.Language != "" && f.Feature != FeatureTranslation:
		return fmt.Errorf("language: only the feature %q has one", FeatureTranslation)
	}
	if f.Feature != "" {
		if err := oneOf("feature", f.Feature, allFeatures...); err != nil {
			return err
		}
	}
	if f.Body != "" {
		if err := oneOf("body", f.Body, BodyJSON, BodyHTML, BodyText, BodyDetail, BodyEmpty); err != nil {
			return err
		}
	}
	return nil
}

// subject is what the patterns of a fault are compared with.
type subject struct {
	title, reference, dataName string
}

func (f Fault) matches(s subject) bool {
	return wildcard(f.Title, s.title) && wildcard(f.Reference, s.reference) && wildcard(f.DataName, s.dataName)
}

// wildcard reports whether the value matches the pattern, in which * stands for any text, slashes
// included. An empty pattern matches everything.
func wildcard(pattern, value string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	if last == 0 {
		return pattern == value
	}
	rest, ok := strings.CutPrefix(value, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1:last] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return strings.HasSuffix(rest, parts[last])
}

func (f Fault) aboutOneJob() bool { return f.Title != "" || f.Reference != "" || f.DataName != "" }

// faultBook knows the faults in force, and how often each has happened.
type faultBook struct {
	mu     sync.Mutex
	faults []Fault
	left   []int
	// happened is how often each has.
	happened []int
	// random is seeded with a constant: a run with probabilities can be repeated.
	random *rand.Rand
}

func (b *faultBook) set(faults []Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = slices.Clone(faults)
	b.left, b.happened = make([]int, len(faults)), make([]int, len(faults))
	for i, f := range faults {
		b.left[i] = f.Count
	}
	b.random = rand.New(rand.NewPCG(1, 1)) //nolint:gosec // not for secrets; must be repeatable
}

// get returns the faults as they were set.
func (b *faultBook) get() []Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Fault{}, b.faults...)
}

// ofRequest takes a fault of a kind for a request; about is nil where no job is known.
func (b *faultBook) ofRequest(kind FaultKind, operation Operation, about *subject) (Fault, bool) {
	return b.take(func(f Fault) bool {
		if f.Kind != kind || (f.Operation != "" && f.Operation != operation) {
			return false
		}
		if about == nil {
			return !f.aboutOneJob()
		}
		return f.matches(*about)
	})
}

// ofJob takes a fault of a kind for a job.
func (b *faultBook) ofJob(kind FaultKind, about subject) (Fault, bool) {
	return b.take(func(f Fault) bool { return f.Kind == kind && f.matches(about) })
}

// failures takes every fault that lets a feature of a job fail.
func (b *faultBook) failures(j *job) []featureFailure {
	var found []featureFailure
	for _, feature := range allFeatures {
		targets := []string{""}
		if feature == FeatureTranslation {
			targets = j.config.translations
		}
		for _, target := range targets {
			if f, ok := b.take(func(f Fault) bool {
				return f.Kind == FaultFeature && f.Feature == feature && (f.Language == "" || f.Language == target) && f.matches(j.subject())
			}); ok {
				found = append(found, featureFailure{feature: feature, language: target, message: f.Message})
			}
		}
	}
	return found
}

// take finds the first fault that applies and is not used up, and counts it.
func (b *faultBook) take(applies func(Fault) bool) (Fault, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, f := range b.faults {
		if !applies(f) || (f.Count > 0 && b.left[i] == 0) {
			continue
		}
		if f.Probability > 0 && b.random.Float64() >= f.Probability {
			continue
		}
		if f.Count > 0 {
			b.left[i]--
		}
		b.happened[i]++
		return f, true
	}
	return Fault{}, false
}

// SetFaults replaces the faults in force, and starts their counts anew. It reports the first fault
// that is not valid, and changes nothing then.
func (s *Server) SetFaults(faults ...Fault) error {
	for i, f := range faults {
		if err := f.Validate(); err != nil {
			return fmt.Errorf("fault %d: %w", i, err)
		}
	}
	s.faults.set(faults)
	return nil
}

// Faults returns the faults that were set last.
func (s *Server) Faults() []Fault { return s.faults.get() }

// FaultsHappened returns how often each of them has happened since.
func (s *Server) FaultsHappened() []int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return append([]int{}, s.faults.happened...)
}

// statusOf is the status of a FaultError's answer.
func (f Fault) statusOf() int {
	if f.Status == 0 {
		return http.StatusInternalServerError
	}
	return f.Status
}
