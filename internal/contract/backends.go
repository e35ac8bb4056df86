// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Backend is a kind of server. The specification is that of all; where they differ, it says so in words, or the docs do.
type Backend string

// The kinds of servers.
const (
	// SaaS is the hosted service.
	SaaS Backend = "saas"
	// Appliance is the virtual appliance. It needs no key, and cannot be waited for.
	Appliance Backend = "appliance"
	// Worker is the HTTP batch worker. Besides, it has no DELETE, no usage and no include_deleted, and errors of its own.
	Worker Backend = "worker"
)

// workersOwn are paths of the worker's that the specification is not about (docs: batch persistent worker). Other servers on premises may be asked
// for them by whoever takes them for one.
var workersOwn = []string{"/jobs", "/live", "/ready"}

// checkBackend finds what a request asks of a backend that does not have it.
func (b Backend) checkBackend(op *operation, r *http.Request) error {
	var errs []error
	query := r.URL.Query()
	if b == SaaS {
		if r.Header.Get(processingHeader) != "" {
			errs = append(errs, fmt.Errorf("header %s is for backends on premises only", processingHeader))
		}
		return errors.Join(errs...)
	}
	if query.Has("wait") {
		errs = append(errs, errors.New("wait is for the hosted service only"))
	}
	if b == Worker && (r.Method == http.MethodDelete || op.route.Path == "/usage" || query.Has("include_deleted")) {
		errs = append(errs, errors.New("the worker does not have this"))
	}
	return errors.Join(errs...)
}

// asSpecified turns an answer of the worker's into what the specification would have: the docs' text writes job_id for id and DONE for done.
func asSpecified(answer []byte) []byte {
	var document any
	if json.Unmarshal(answer, &document) != nil {
		return answer
	}
	eachSchema(document, func(o map[string]any) {
		if id, ok := o["job_id"]; ok && o["id"] == nil {
			o["id"] = id
			delete(o, "job_id")
			if state, ok := o["status"].(string); ok {
				o["status"] = strings.ToLower(state)
			}
		}
	})
	translated, err := json.Marshal(document)
	if err != nil {
		return answer
	}
	return translated
}

// checkDetail holds an error of the worker's against the form that it has: {"detail": …}, a text or a list.
func checkDetail(body []byte) error {
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		return fmt.Errorf("the error is no JSON object: %w", err)
	}
	switch members["detail"].(type) {
	case string, []any:
	default:
		return errors.New("the error has no detail")
	}
	if len(members) > 1 {
		return errors.New("the error has more than its detail")
	}
	return nil
}

// isOutside reports whether the specification is not about a path of a backend.
func (b Backend) isOutside(path string) bool {
	if b != SaaS && slices.Contains(workersOwn, path) {
		return true
	}
	for prefix := range outside {
		if path == prefix || (strings.HasSuffix(prefix, "/") && strings.HasPrefix(path, prefix)) {
			return true
		}
	}
	return false
}
