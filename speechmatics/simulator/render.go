// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// transcript is what was said in a recording, ready to be rendered in any format.
type transcript struct {
	info      jobInfo
	createdAt time.Time
	config    *jobConfig
	words     []word
}

// transcriptOf returns the transcript of a job that is done.
func (s *Server) transcriptOf(j *job) transcript {
	s.mu.Lock()
	t := transcript{info: j.info(), createdAt: j.endedAt, config: j.config}
	script, found := j.script, j.recording
	s.mu.Unlock()
	if script == nil {
		script = filler(found.length)
	}
	t.words = timedWords(script, found.length, j.config.permittedMarks)
	if j.config.diarization == diarizationChannel {
		assignChannels(t.words, j.config.channelLabels, found.channels)
	}
	return t
}

// render returns the transcript in a format, and its content type.
func (t transcript) render(format string) (contentType string, content []byte) {
	switch format {
	case formatText:
		return "text/plain; charset=utf-8", []byte(t.text())
	case formatSRT:
		return "text/plain; charset=utf-8", []byte(t.srt())
	}
	encoded, err := json.Marshal(t.document())
	if err != nil {
		panic("simulator: a transcript cannot be encoded: " + err.Error()) // it holds plain values only
	}
	return "application/json", encoded
}

// The documents of format json-v2.
type (
	transcriptDocument struct {
		Format   string             `json:"format"`
		Job      jobInfo            `json:"job"`
		Metadata transcriptMetadata `json:"metadata"`
		Results  []result           `json:"results"`
		Speakers []speakerDetails   `json:"speakers,omitempty"`
	}
	transcriptMetadata struct {
		CreatedAt           string          `json:"created_at"`
		LanguagePackInfo    languagePack    `json:"language_pack_info"`
		OrchestratorVersion string          `json:"orchestrator_version"`
		OutputConfig        json.RawMessage `json:"output_config,omitempty"`
		TranscriptionConfig json.RawMessage `json:"transcription_config"`
		Type                string          `json:"type"`
	}
	languagePack struct {
		Adapted             bool   `json:"adapted"`
		ITN                 bool   `json:"itn"`
		LanguageDescription string `json:"language_description"`
		WordDelimiter       string `json:"word_delimiter"`
		WritingDirection    string `json:"writing_direction"`
	}
	result struct {
		Alternatives []alternative `json:"alternatives"`
		AttachesTo   string        `json:"attaches_to,omitempty"`
		Channel      string        `json:"channel,omitempty"`
		EndTime      float64       `json:"end_time"`
		IsEOS        *bool         `json:"is_eos,omitempty"`
		StartTime    float64       `json:"start_time"`
		Type         string        `json:"type"`
	}
	alternative struct {
		Confidence float64 `json:"confidence"`
		Content    string  `json:"content"`
		Language   string  `json:"language"`
		Speaker    string  `json:"speaker"`
	}
	speakerDetails struct {
		Label       string   `json:"label"`
		Identifiers []string `json:"speaker_identifiers"`
	}
)

// formatVersion is the version of json-v2 that is written.
const formatVersion = "2.9"

func (t transcript) document() transcriptDocument {
	var sections struct {
		Output        json.RawMessage `json:"output_config"`
		Transcription json.RawMessage `json:"transcription_config"`
	}
	_ = json.Unmarshal(t.config.raw, &sections) // was encoded by parseConfig
	document := transcriptDocument{
		Format: formatVersion,
		Job:    t.info,
		Metadata: transcriptMetadata{
			CreatedAt: t.createdAt.Format(microseconds),
			LanguagePackInfo: languagePack{
				ITN: true, LanguageDescription: t.language(), WordDelimiter: " ", WritingDirection: t.direction(),
			},
			OrchestratorVersion: serverName,
			OutputConfig:        sections.Output,
			TranscriptionConfig: sections.Transcription,
			Type:                "transcription",
		},
		Results: make([]result, 0, len(t.words)),
	}
	for _, w := range t.words {
		document.Results = append(document.Results, t.result(w))
	}
	if t.config.getSpeakers && t.config.diarization == diarizationSpeaker {
		document.Speakers = t.speakers()
	}
	return document
}

// language is what was spoken: what was asked for, or English where that was left to the service.
func (t transcript) language() string {
	if t.config.language == languageAuto || t.config.language == languageMulti {
		return "en"
	}
	return t.config.language
}

func (t transcript) direction() string {
	if slices.Contains([]string{"ar", "ar_en", "fa", "he", "ug", "ur"}, t.language()) {
		return "right-to-left"
	}
	return "left-to-right"
}

func (t transcript) result(w word) result {
	r := result{
		Alternatives: []alternative{{
			Confidence: w.confidence(), Content: w.content, Language: t.language(), Speaker: t.speakerOf(w),
		}},
		Channel:   w.channel,
		StartTime: w.start,
		EndTime:   w.end,
		Type:      "word",
	}
	if w.mark {
		r.Type, r.AttachesTo, r.IsEOS = "punctuation", "previous", &w.sentence
	}
	return r
}

// speakerOf is the label that the job's configuration allows.
func (t transcript) speakerOf(w word) string {
	if t.config.diarization == diarizationSpeaker {
		return w.speaker
	}
	return unknownSpeaker
}

func (t transcript) speakers() []speakerDetails {
	known := []speakerDetails{}
	for _, w := range t.words {
		if !slices.ContainsFunc(known, func(d speakerDetails) bool { return d.Label == w.speaker }) {
			known = append(known, speakerDetails{Label: w.speaker, Identifiers: []string{"simulated-" + w.speaker}})
		}
	}
	return known
}

// text is format txt: with diarization every turn has a line that names the speaker (or, by analogy,
// the channel) before it.
func (t transcript) text() string {
	var b strings.Builder
	who := ""
	for i, w := range t.words {
		label := t.turnOf(w)
		switch {
		case label != "" && (i == 0 || label != who):
			if i > 0 {
				b.WriteString("\n")
			}
			b.WriteString("SPEAKER: " + label + "\n")
			who = label
		case i > 0 && !w.mark:
			b.WriteString(" ")
		}
		b.WriteString(w.content)
	}
	if len(t.words) > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

// turnOf is who or what the line before a turn names; empty is no such line.
func (t transcript) turnOf(w word) string {
	switch t.config.diarization {
	case diarizationSpeaker:
		return w.speaker
	case diarizationChannel:
		return w.channel
	}
	return ""
}

// cue is a caption: what is shown for a time.
type cue struct {
	start, end float64
	lines      []string
}

// srt is format srt: a caption ends with a sentence, or when its lines are full.
func (t transcript) srt() string {
	var b strings.Builder
	for i, c := range t.cues() {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%d\n%s --> %s\n%s\n", i+1, srtTime(c.start), srtTime(c.end), strings.Join(c.lines, "\n"))
	}
	return b.String()
}

func (t transcript) cues() []cue {
	var cues []cue
	open := false
	for i := 0; i < len(t.words); i++ {
		// A word and the marks behind it stay together.
		first, token := t.words[i], t.words[i].content
		for i+1 < len(t.words) && t.words[i+1].mark {
			i++
			token += t.words[i].content
		}
		last := t.words[i]
		if !open || !cues[len(cues)-1].fit(token, t.config.srtLine, t.config.srtLines) {
			cues = append(cues, cue{start: first.start, lines: []string{token}})
		}
		cues[len(cues)-1].end = last.end
		open = !last.sentence
	}
	return cues
}

// fit adds a token to the last line or to a new one, and reports whether there was room.
func (c *cue) fit(token string, length, lines int) bool {
	last := &c.lines[len(c.lines)-1]
	if utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(token) <= length {
		*last += " " + token
		return true
	}
	if len(c.lines) >= lines {
		return false
	}
	c.lines = append(c.lines, token)
	return true
}

// srtTime is hours:minutes:seconds,milliseconds.
func srtTime(seconds float64) string {
	ms := int64(seconds*1000 + 0.5)
	return fmt.Sprintf("%02d:%02d:%02d,%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
