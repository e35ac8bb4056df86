// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bufio"
	"encoding/json"
	"errors"
	"iter"
	"strings"
)

// formatVersion is the version of json-v2 that is written.
const formatVersion = "2.9"

// writeJSON writes format json-v2, member by member and item by item. Members are sorted by name, as in the
// service's samples: what is made of the words comes partly before them.
func (t *transcript) writeJSON(w *bufio.Writer) error {
	d := &documentWriter{w: w}
	d.open("{")
	if t.config.audioEvents != nil {
		d.member("audio_event_summary", t.audioEventSummary())
		d.member("audio_events", t.audioEvents())
	}
	if t.config.chapters && t.chapterProblem() == nil {
		list(d, "chapters", t.chapters())
	}
	d.member("format", formatVersion)
	d.member("job", t.info)
	d.member("metadata", t.metadata())
	list(d, "results", t.results())
	if t.config.sentiment && t.sentimentProblem() == nil {
		t.writeSentiment(d)
	}
	if t.config.getSpeakers && t.config.diarization == diarizationSpeaker {
		d.member("speakers", t.speakers())
	}
	if t.config.summary != nil && t.summaryProblem() == nil {
		d.member("summary", map[string]string{"content": t.summary()})
	}
	if t.config.topics != nil && t.topicsProblem() == nil {
		t.writeTopics(d)
	}
	if len(t.config.translations) > 0 {
		t.writeTranslations(d)
	}
	d.close("}")
	return d.err
}

// documentWriter writes a JSON document in pieces.
type documentWriter struct {
	w   *bufio.Writer
	err error
	// filled says that something stands before, in the object or array that is open.
	filled bool
}

func (d *documentWriter) raw(s string) {
	_, err := d.w.WriteString(s)
	d.err = errors.Join(d.err, err)
}

// open begins an object or an array, close ends it.
func (d *documentWriter) open(bracket string) {
	d.raw(bracket)
	d.filled = false
}

func (d *documentWriter) close(bracket string) {
	d.raw(bracket)
	d.filled = true
}

// next stands before every member and item.
func (d *documentWriter) next() {
	if d.filled {
		d.raw(",")
	}
	d.filled = true
}

func (d *documentWriter) name(name string) {
	d.next()
	d.raw(quoted(name) + ":")
}

func (d *documentWriter) value(value any) {
	encoded, err := json.Marshal(value)
	d.err = errors.Join(d.err, err)
	_, err = d.w.Write(encoded)
	d.err = errors.Join(d.err, err)
}

func (d *documentWriter) member(name string, value any) {
	d.name(name)
	d.value(value)
}

// list writes a member that is an array, item by item, until something goes wrong.
func list[T any](d *documentWriter, name string, items iter.Seq[T]) {
	d.name(name)
	d.open("[")
	for item := range items {
		d.next()
		d.value(item)
		if d.err != nil {
			return
		}
	}
	d.close("]")
}

// The parts of a document of format json-v2. Members are sorted by name.
type (
	languagePack struct {
		Adapted             bool              `json:"adapted"`
		ITN                 bool              `json:"itn"`
		LanguageDescription string            `json:"language_description"`
		Delimiters          map[string]string `json:"per_language_word_delimiters,omitempty"`
		Directions          map[string]string `json:"per_language_writing_direction,omitempty"`
		WordDelimiter       string            `json:"word_delimiter"`
		WritingDirection    string            `json:"writing_direction"`
	}
	result struct {
		Alternatives []alternative `json:"alternatives"`
		AttachesTo   string        `json:"attaches_to,omitempty"`
		Channel      string        `json:"channel,omitempty"`
		EndTime      float64       `json:"end_time"`
		EntityClass  string        `json:"entity_class,omitempty"`
		IsEOS        *bool         `json:"is_eos,omitempty"`
		SpokenForm   []result      `json:"spoken_form,omitempty"`
		StartTime    float64       `json:"start_time"`
		Type         string        `json:"type"`
		Volume       *float64      `json:"volume,omitempty"`
		WrittenForm  []result      `json:"written_form,omitempty"`
	}
	alternative struct {
		Confidence float64  `json:"confidence"`
		Content    string   `json:"content"`
		Display    *display `json:"display,omitempty"`
		Language   string   `json:"language"`
		Speaker    string   `json:"speaker"`
		Tags       []string `json:"tags,omitempty"`
	}
	display struct {
		Direction string `json:"direction"`
	}
	speakerDetails struct {
		Label       string   `json:"label"`
		Identifiers []string `json:"speaker_identifiers"`
	}
)

// echoed are the sections of the configuration that a transcript repeats.
var echoed = []string{
	"transcription_config", "output_config", "translation_config", "language_identification_config", "summarization_config",
	"sentiment_analysis_config", "topic_detection_config", "auto_chapters_config", "audio_events_config",
}

func (t *transcript) metadata() map[string]any {
	metadata := map[string]any{
		"created_at":           t.createdAt.Format(microseconds),
		"language_pack_info":   t.languagePack(),
		"orchestrator_version": serverName,
		"type":                 jobTranscription,
	}
	var sections map[string]json.RawMessage
	_ = json.Unmarshal(t.config.raw, &sections) // was encoded by parseConfig
	for _, section := range echoed {
		if there, ok := sections[section]; ok {
			metadata[section] = there
		}
	}
	if t.identified != nil {
		metadata["language_identification"] = t.identified.result
	}
	for member, problems := range t.problems() {
		metadata[member] = problems
	}
	return metadata
}

// languagePack describes the language; melia-1 describes each of those it heard.
func (t *transcript) languagePack() languagePack {
	info := languagePack{
		ITN: true, LanguageDescription: t.pack.name, WordDelimiter: t.pack.delimiter(), WritingDirection: t.pack.direction(),
	}
	if t.language != languageMulti {
		return info
	}
	info.Delimiters, info.Directions = map[string]string{}, map[string]string{}
	for w := range t.words() {
		if _, known := info.Delimiters[w.language]; !known {
			p := packOf(w.language)
			info.Delimiters[w.language], info.Directions[w.language] = p.delimiter(), p.direction()
		}
	}
	return info
}

// results are the words as the document shows them.
func (t *transcript) results() iter.Seq[result] {
	return func(yield func(result) bool) {
		for w := range t.words() {
			if !yield(t.result(w)) {
				return
			}
		}
	}
}

func (t *transcript) result(w word) result {
	r := result{
		Alternatives: []alternative{t.alternative(w, w.content)},
		Channel:      w.channel,
		StartTime:    w.start,
		EndTime:      w.end,
		Type:         "word",
	}
	if w.isMark() {
		r.Type, r.AttachesTo, r.IsEOS = "punctuation", w.attaches, &w.sentence
		return r
	}
	if w.tag != "" {
		r.Alternatives[0].Tags = []string{w.tag}
	}
	if t.config.volume {
		r.Volume = &w.volume
	}
	if class, spoken, ok := entityOf(w.content, w.language); ok && t.config.entities {
		r.Type, r.EntityClass = "entity", class
		r.SpokenForm = t.forms(w, spoken)
		r.WrittenForm = t.forms(w, strings.Fields(w.content))
	}
	return r
}

// forms are the words of one form of an entity, which share its time.
func (t *transcript) forms(w word, contents []string) []result {
	forms := make([]result, 0, len(contents))
	step := (w.end - w.start) / float64(len(contents))
	for i, content := range contents {
		forms = append(forms, result{
			Alternatives: []alternative{t.alternative(w, content)},
			StartTime:    hundredths(w.start + float64(i)*step),
			EndTime:      hundredths(w.start + float64(i+1)*step),
			Type:         "word",
		})
	}
	return forms
}

func (t *transcript) alternative(w word, content string) alternative {
	a := alternative{Confidence: t.confidence(content), Content: content, Language: w.language, Speaker: w.speaker}
	if packOf(w.language).rightLeft {
		a.Display = &display{Direction: "rtl"}
	}
	return a
}

// speakers are the voices of the recording, by their labels.
func (t *transcript) speakers() []speakerDetails {
	known := []speakerDetails{}
	told := map[string]bool{}
	for speaker := range t.script.spoken(t.length, t.pack) {
		if told[speaker] {
			continue
		}
		told[speaker] = true
		known = append(known, speakerDetails{Label: t.labelOf(speaker), Identifiers: []string{t.identifierOf(speaker)}})
	}
	return known
}
