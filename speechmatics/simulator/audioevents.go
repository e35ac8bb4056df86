// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"slices"
)

// audioEvent is something to hear that nobody says.
type audioEvent struct {
	Channel    string  `json:"channel,omitempty"`
	Confidence float64 `json:"confidence"`
	EndTime    float64 `json:"end_time"`
	StartTime  float64 `json:"start_time"`
	Type       string  `json:"type"`
}

// audioEventSum is what events of one type come to.
type audioEventSum struct {
	Count         int     `json:"count"`
	TotalDuration float64 `json:"total_duration"`
}

// audioEvents are those of the side file, or else music at the beginning and applause at the end, as far as
// they were asked for.
func (t *transcript) audioEvents() []audioEvent {
	all := t.script.events
	if len(all) == 0 {
		seconds := t.length.Seconds()
		all = []audioEvent{
			{Type: "music", StartTime: 0, EndTime: hundredths(min(seconds/10, 5)), Confidence: 0.87},
			{Type: "applause", StartTime: hundredths(seconds - min(seconds/10, 5)), EndTime: hundredths(seconds), Confidence: 0.72},
		}
	}
	asked := []audioEvent{}
	for _, e := range all {
		if types := t.config.audioEvents.types; len(types) > 0 && !slices.Contains(types, e.Type) {
			continue
		}
		if t.config.diarization == diarizationChannel {
			e.Channel = t.channelLabel(0)
		}
		asked = append(asked, e)
	}
	return asked
}

// audioEventSummary sums up the events, speech and silence among them, in one of two layouts.
func (t *transcript) audioEventSummary() any {
	spoken := 0.0
	for s := range t.sentences() {
		spoken += s.end - s.start
	}
	overall := map[string]audioEventSum{
		"speech":  {Count: 1, TotalDuration: hundredths(spoken)},
		"silence": {Count: 1, TotalDuration: hundredths(max(t.length.Seconds()-spoken, 0))},
	}
	for _, e := range t.audioEvents() {
		sum := overall[e.Type]
		sum.Count++
		sum.TotalDuration = hundredths(sum.TotalDuration + e.EndTime - e.StartTime)
		overall[e.Type] = sum
	}
	if t.behaviour.AudioEventSummary == AudioEventSummaryFlat {
		return overall
	}
	summary := map[string]any{"overall": overall}
	if t.config.diarization == diarizationChannel {
		summary["channels"] = map[string]any{t.channelLabel(0): overall}
	}
	return summary
}
