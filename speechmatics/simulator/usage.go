// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"
)

// usageKey is what usage is summed up by.
type usageKey struct {
	project, day, kind, language, model string
}

type usageSum struct {
	count  int
	length time.Duration
}

// countUsage counts a job that is done. Deleting it later changes nothing. The caller holds s.mu.
func (s *Server) countUsage(j *job) {
	key := usageKey{j.project, j.endedAt.Format(time.DateOnly), j.config.kind, j.config.language, j.config.model}
	sum := s.usage[key]
	sum.count++
	sum.length += j.recording.length
	s.usage[key] = sum
}

type usageResponse struct {
	Since   string         `json:"since"`
	Until   string         `json:"until"`
	Summary []usageDetails `json:"summary"`
	Details []usageDetails `json:"details"`
}

type usageDetails struct {
	Mode     string  `json:"mode"`
	Type     string  `json:"type"`
	Language string  `json:"language,omitempty"`
	Model    string  `json:"model,omitempty"`
	Point    string  `json:"operating_point,omitempty"`
	Count    int     `json:"count"`
	Hours    float64 `json:"duration_hrs"`
}

// getUsage answers GET /usage: days in UTC, without the present one.
func (s *Server) getUsage(w http.ResponseWriter, r *http.Request, by caller) {
	if by.clientRef != "" {
		s.writeError(w, http.StatusForbidden, "Forbidden", "")
		return
	}
	yesterday := s.now().AddDate(0, 0, -1).Format(time.DateOnly)
	query := r.URL.Query()
	since, until := query.Get("since"), query.Get("until")
	for name, day := range map[string]string{"since": since, "until": until} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			s.writeError(w, http.StatusUnprocessableEntity, name+" in query must be of type date", "")
			return
		}
	}
	if until == "" || until > yesterday {
		until = yesterday
	}
	writeJSON(w, http.StatusOK, s.usageBetween(by.project, since, until))
}

func (s *Server) usageBetween(project, since, until string) usageResponse {
	details := map[usageKey]usageSum{}
	totals := map[string]usageSum{}
	first := until
	s.mu.Lock()
	for key, sum := range s.usage {
		if key.project != project || key.day < since || key.day > until {
			continue
		}
		first = min(first, key.day)
		total := totals[key.kind]
		total.add(sum)
		totals[key.kind] = total
		key.day = ""
		merged := details[key]
		merged.add(sum)
		details[key] = merged
	}
	s.mu.Unlock()
	if since == "" {
		since = first
	}
	answer := usageResponse{
		Since: since + "T00:00:00Z", Until: until + "T23:59:59Z", Summary: []usageDetails{}, Details: []usageDetails{},
	}
	for _, kind := range slices.Sorted(maps.Keys(totals)) {
		sum := totals[kind]
		answer.Summary = append(answer.Summary, sum.details(kind, "", ""))
	}
	for _, key := range slices.SortedFunc(maps.Keys(details), func(a, b usageKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.language, b.language), cmp.Compare(a.model, b.model))
	}) {
		sum := details[key]
		row := sum.details(key.kind, key.language, key.model)
		if s.Behaviour().UsageModel == UsageModelOperatingPoint {
			row.Model, row.Point = "", row.Model
		}
		answer.Details = append(answer.Details, row)
	}
	return answer
}

func (u *usageSum) add(other usageSum) {
	u.count += other.count
	u.length += other.length
}

func (u *usageSum) details(kind, language, model string) usageDetails {
	return usageDetails{
		Mode: "batch", Type: kind, Language: language, Model: model, Count: u.count, Hours: u.length.Hours(),
	}
}
