// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxUsageBytes bounds usage statistics: a line per language and model.
const maxUsageBytes = 4 << 20

// UsageQuery says which days [Client.Usage] sums up.
type UsageQuery struct {
	// Since is the first day, by its date in UTC; zero for that of the first job ever.
	Since time.Time
	// Until is the last day, by its date in UTC; zero for yesterday. Today is never part of it.
	Until time.Time
}

// Usage is what was processed successfully, whether or not it was deleted since.
type Usage struct {
	// Since is when the first day began; zero if unknown.
	Since time.Time
	// Until is when the last day ended; zero if unknown.
	Until time.Time
	// Summary has a record for each kind of job.
	Summary []UsageRecord
	// Details has a record for each language and model as well.
	Details []UsageRecord
	// Document is the whole answer as it came.
	Document json.RawMessage
	// RequestID identifies the request that brought this, for the provider's support.
	RequestID string
}

// UsageRecord is the sum of some jobs.
type UsageRecord struct {
	// Mode is "batch".
	Mode string
	// Type is the type of job: [JobTranscription] or [JobAlignment].
	Type string
	// Language is the language; empty in a summary.
	Language string
	// Model is the model, "standard" for example, which the provider calls operating_point, too; empty in a summary and for alignments.
	Model string
	// Count is the number of jobs.
	Count int64
	// Duration is the length of their media.
	Duration time.Duration
}

// Usage returns what the key's project has used. The numbers are a day late, and a key with a client reference (see [TemporaryKeys]) may
// not ask for them: 403.
func (c *Client) Usage(ctx context.Context, query UsageQuery) (*Usage, error) {
	if err := c.require(c.backend.Capabilities().HasUsage, opUsage, "usage statistics", needsHostedService); err != nil {
		return nil, err
	}
	if !query.Since.IsZero() && !query.Until.IsZero() && day(query.Until) < day(query.Since) {
		return nil, &InvalidError{Operation: opUsage, Field: "Until", Problem: "is before Since"}
	}
	call := &call{operation: opUsage, method: http.MethodGet, segments: []string{"usage"}, query: url.Values{}}
	for name, date := range map[string]time.Time{"since": query.Since, "until": query.Until} {
		if !date.IsZero() {
			call.query.Set(name, day(date))
		}
	}
	usage := &Usage{}
	requestID, err := c.readJSON(ctx, call, maxUsageBytes, usage)
	if err != nil {
		return nil, err
	}
	usage.RequestID = requestID
	return usage, nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// UnmarshalJSON reads usage statistics. Members that are not what they should be are taken for absent; Document has them.
func (u *Usage) UnmarshalJSON(data []byte) error {
	var wire struct {
		Since   json.RawMessage `json:"since"`
		Until   json.RawMessage `json:"until"`
		Summary json.RawMessage `json:"summary"`
		Details json.RawMessage `json:"details"`
	}
	if err := unmarshalObject(data, &wire); err != nil {
		return err
	}
	*u = Usage{
		Since:    timeOf(wire.Since),
		Until:    timeOf(wire.Until),
		Summary:  usageRecordsOf(wire.Summary),
		Details:  usageRecordsOf(wire.Details),
		Document: json.RawMessage(string(data)),
	}
	return nil
}

func usageRecordsOf(raw json.RawMessage) []UsageRecord {
	var records []UsageRecord
	for _, item := range listOf(raw) {
		var wire struct {
			Mode           json.RawMessage `json:"mode"`
			Type           json.RawMessage `json:"type"`
			Language       json.RawMessage `json:"language"`
			Model          json.RawMessage `json:"model"`
			OperatingPoint json.RawMessage `json:"operating_point"`
			Count          json.RawMessage `json:"count"`
			DurationHours  json.RawMessage `json:"duration_hrs"`
		}
		if unmarshalObject(item, &wire) != nil {
			continue
		}
		record := UsageRecord{
			Mode:     textOf(wire.Mode),
			Type:     textOf(wire.Type),
			Language: textOf(wire.Language),
			Model:    textOf(wire.Model),
			Duration: hoursOf(wire.DurationHours),
		}
		if record.Model == "" {
			record.Model = textOf(wire.OperatingPoint)
		}
		record.Count, _ = strconv.ParseInt(textOf(wire.Count), 10, 64)
		records = append(records, record)
	}
	return records
}

// hoursOf returns a number of hours, to the millisecond; 0 for anything else.
func hoursOf(raw json.RawMessage) time.Duration {
	const maxHours = float64(math.MaxInt64 / int64(time.Hour))
	hours, err := strconv.ParseFloat(textOf(raw), 64)
	if err != nil || !(hours > 0 && hours < maxHours) {
		return 0
	}
	return time.Duration(math.Round(hours*float64(time.Hour/time.Millisecond))) * time.Millisecond
}
