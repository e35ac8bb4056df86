// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
)

// statuses are those of notifications, which are not those of jobs (docs: notifications).
var statuses = []string{"success", "error", "fetch_error", "trim_error"}

// userAgent is whom a notification is from (specification: NotificationConfig.url).
const userAgent = "Speechmatics-API/2.0"

// Notifications returns a handler that checks the notifications to next. The specification describes them in words, in NotificationConfig,
// and what they carry by its definitions.
func (r *Recorder) Notifications(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		sent := &bodyTap{source: request.Body}
		request.Body = sent
		next.ServeHTTP(w, request)
		if body := sent.whole(); body != nil {
			if err := r.checkNotification(request, body); err != nil {
				r.report(fmt.Errorf("notification: %w", err))
			}
		}
	})
}

func (r *Recorder) checkNotification(request *http.Request, body []byte) error {
	var errs []error
	query := request.URL.Query()
	if request.Method != http.MethodPost && request.Method != http.MethodPut {
		errs = append(errs, fmt.Errorf("method %s", request.Method))
	}
	if got := request.Header.Get("User-Agent"); got != userAgent {
		errs = append(errs, fmt.Errorf("user agent %q", got))
	}
	if len(query["id"]) != 1 || query.Get("id") == "" {
		errs = append(errs, errors.New("the query has no id"))
	}
	if len(query["status"]) != 1 || !slices.Contains(statuses, query.Get("status")) {
		errs = append(errs, fmt.Errorf("status %q in the query", query["status"]))
	}
	return errors.Join(append(errs, r.checkItems(request.Header, body))...)
}

// checkItems checks what a notification carries: nothing, one item as its body, or several as attachments.
func (r *Recorder) checkItems(header http.Header, body []byte) error {
	contentType := header.Get("Content-Type")
	if len(body) == 0 && contentType == "" {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("content type %q: %w", contentType, err)
	}
	if mediaType != "multipart/form-data" {
		return r.checkItem(mediaType, body)
	}
	parts, err := readParts(header, body)
	errs := []error{err}
	for _, p := range parts {
		mediaType, _, _ := mime.ParseMediaType(p.contentType)
		if p.fileName == "" {
			errs = append(errs, fmt.Errorf("part %s is no file attachment", p.name))
		}
		errs = append(errs, r.checkItem(mediaType, p.content))
	}
	return errors.Join(errs...)
}

// checkItem checks an item. JSON is a transcript, or else jobinfo, which the docs describe once as information about the job and once as
// the submitted job, so that both are accepted.
func (r *Recorder) checkItem(mediaType string, content []byte) error {
	if !isJSON(mediaType) {
		if mediaType != "text/plain" && mediaType != "application/octet-stream" {
			return fmt.Errorf("an item of the media type %q", mediaType)
		}
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil {
		return fmt.Errorf("an item is no JSON object: %w", err)
	}
	definition := "JobInfo"
	switch {
	case members["results"] != nil:
		definition = "RetrieveTranscriptResponse"
	case members["job"] != nil:
		definition = "RetrieveJobResponse"
	}
	if r.coverage != nil {
		r.coverage.addDocument("notified ", r.spec.answers.Components.Schemas[definition], definition, content)
	}
	return r.spec.CheckAnswerDocument(definition, content)
}

// expectNotified lists what notifications carry.
func (s *Spec) expectNotified(all map[string]bool) {
	for member := range s.answers.Components.Schemas["JobInfo"].Value.Properties {
		all["notified JobInfo."+member] = true
	}
	all["notified RetrieveTranscriptResponse.results"] = true
	all["notified RetrieveJobResponse.job"] = true
}
