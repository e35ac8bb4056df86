// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"
)

// The provider's documents differ between its backends, and from its specification: explicit nulls, numbers as IDs, members at other
// places. The functions below read one value each, and take what they do not expect for absent.

// textOf returns a JSON string's value, or a number's digits; "" for anything else.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var number json.Number
	if json.Unmarshal(raw, &number) == nil {
		return number.String()
	}
	return ""
}

// listOf returns the items of a JSON array; nil for anything else.
func listOf(raw json.RawMessage) []json.RawMessage {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	return items
}

// textsOf returns the texts of a JSON array that are not empty; nil for anything else.
func textsOf(raw json.RawMessage) []string {
	var texts []string
	for _, item := range listOf(raw) {
		if text := textOf(item); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// membersOf returns the members of a JSON object; nil for anything else.
func membersOf(raw json.RawMessage) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	return members
}

// unmarshalObject reads a JSON object, and refuses anything else, null included.
func unmarshalObject(data []byte, value any) error {
	if !isObject(data) {
		return errors.New("it is not a JSON object")
	}
	return json.Unmarshal(data, value)
}

// timeOf returns a time stamp: RFC 3339 with any number of fractional digits, in UTC where no zone is given. Zero for anything else.
func timeOf(raw json.RawMessage) time.Time {
	text := textOf(raw)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// durationOf returns a number of seconds; 0 for anything else.
func durationOf(raw json.RawMessage) time.Duration {
	const maxSeconds = float64(math.MaxInt64 / int64(time.Second))
	seconds, err := strconv.ParseFloat(textOf(raw), 64)
	if err != nil || !(seconds > 0 && seconds < maxSeconds) {
		return 0
	}
	return time.Duration(math.Round(seconds * float64(time.Second)))
}
