// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"maps"
	"slices"
)

// patch puts right what is wrong in the specification.
type patch struct {
	name, reason string
	// answersOnly leaves requests to the specification as it is.
	answersOnly bool
	// apply changes the current edition, perhaps with something of May's.
	apply func(current, may object)
	// witness is refused without the patch; without one, the specification itself is invalid then.
	witness witness
}

// witness is a document, or a sample with one, of a definition.
type witness struct {
	definition string
	document   string
	sample     string
	// member is where in the sample the document is.
	member string
}

// patches are the known defects and gaps of the specification. "Docs" is the provider's documentation beside it.
var patches = []patch{
	{
		name:   "type of SentimentSegment.confidence",
		reason: `it is "number,", with a comma, which is no type`,
		apply: func(current, _ object) {
			confidence := current.at("definitions", "SentimentSegment", "properties", "confidence")
			confidence["type"], confidence["format"] = "number", "float"
		},
	},
	{
		name:   "example of RecognitionResult",
		reason: "it is a list of results instead of one",
		apply: func(current, _ object) {
			result := current.at("definitions", "RecognitionResult")
			result["example"] = result.list("example")[0]
		},
	},
	{
		name:   "example of NotificationConfig",
		reason: `it is a list of entries instead of one, and writes transcript:json-v2 where the enumeration has a dot`,
		apply: func(current, _ object) {
			config := current.at("definitions", "NotificationConfig")
			config["example"] = config.list("example")[0]
			config.at("example")["contents"] = []any{"transcript.json-v2"}
		},
	},
	{
		name: "examples of jobs",
		reason: "they have the states transcribing and aligning, which are not enumerated, and the configuration beside instead of under " +
			"config, unlike every sample",
		apply: func(current, _ object) {
			for _, name := range []string{"RetrieveJobResponse", "RetrieveJobsResponse", "DeleteJobResponse"} {
				delete(current.at("definitions", name), "example")
			}
		},
	},
	{
		name: "ErrorResponse.error",
		reason: "it enumerates texts, and the specification's own examples have others: Invalid or missing license; limit in query must be of " +
			"type int64. Docs announce Unauthorized",
		apply: func(current, _ object) {
			delete(current.at("definitions", "ErrorResponse", "properties", "error"), "enum")
		},
	},
	{
		name: "sentiment without nesting",
		reason: "the schema has sentiment_analysis in sentiment_analysis; the specification's own example, and the docs' samples, have " +
			"segments and summary at once. Both are accepted",
		apply: func(current, _ object) {
			outer := current.at("definitions", "SentimentAnalysisResult", "properties")
			maps.Copy(outer, outer.at("sentiment_analysis", "properties"))
		},
	},
	{
		name:        "null for empty lists",
		reason:      "answers have null where a list is empty (docs' samples of jobs: notification_config, additional_vocab)",
		answersOnly: true,
		apply: func(current, _ object) {
			eachSchema(map[string]any(current.at("definitions")), func(schema map[string]any) {
				if schema["type"] == "array" {
					schema["x-nullable"] = true
				}
			})
		},
		witness: witness{definition: "JobConfig", document: `{"type": "transcription", "transcription_config": {"language": "en",
			"additional_vocab": null}, "notification_config": null}`},
	},
	{
		name:   "model in usage",
		reason: "UsageDetails has operating_point only; the specification's own example of /usage has model",
		apply: func(current, _ object) {
			current.at("definitions", "UsageDetails", "properties")["model"] = map[string]any{"$ref": "#/definitions/Model"}
		},
	},
	{
		name:   "hints of languages",
		reason: "docs (input): language_hints and language_hints_strict, for the model melia-1",
		apply: func(current, _ object) {
			config := current.at("definitions", "TranscriptionConfig", "properties")
			config["language_hints"] = listOf(ofType("string"))
			config["language_hints_strict"] = ofType("boolean")
		},
		witness: witness{definition: "TranscriptionConfig", document: `{"language": "multi", "model": "melia-1",
			"language_hints": ["en", "es"], "language_hints_strict": true}`},
	},
	{
		name:   "class of entities",
		reason: "docs (entities): entity_class is in every entity",
		apply: func(current, _ object) {
			current.at("definitions", "RecognitionResult", "properties")["entity_class"] = ofType("string")
		},
		witness: witness{definition: "RecognitionResult", document: `{"type": "entity", "entity_class": "money", "start_time": 1, "end_time": 2}`},
	},
	{
		name:   "languages of a language pack",
		reason: "docs (models): delimiters and directions per language, for the model melia-1",
		apply: func(current, _ object) {
			pack := current.at("definitions", "LanguagePackInfo", "properties")
			pack["per_language_word_delimiters"] = mapOf(ofType("string"))
			pack["per_language_writing_direction"] = mapOf(ofType("string"))
		},
		witness: witness{definition: "LanguagePackInfo", document: `{"word_delimiter": " ",
			"per_language_word_delimiters": {"en": " ", "ja": ""}, "per_language_writing_direction": {"en": "left-to-right"}}`},
	},
	{
		name:   "configuration in metadata",
		reason: "docs' sample transcripts repeat the configuration of every feature in metadata",
		apply: func(current, _ object) {
			metadata, config := current.at("definitions", "RecognitionMetadata", "properties"), current.at("definitions", "JobConfig", "properties")
			for _, feature := range []string{
				"translation_config", "language_identification_config", "summarization_config", "sentiment_analysis_config",
				"topic_detection_config", "auto_chapters_config", "audio_events_config",
			} {
				metadata[feature] = config[feature]
			}
		},
		witness: witness{definition: "RecognitionMetadata", document: `{"created_at": "2026-01-02T03:04:05Z", "type": "transcription",
			"summarization_config": {}}`},
	},
	{
		name:   "requests of the worker",
		reason: "docs (batch persistent worker): its jobs have a request_id as well",
		apply: func(current, _ object) {
			current.at("definitions", "JobDetails", "properties")["request_id"] = ofType("string")
		},
		witness: witness{definition: "JobDetails", document: `{"id": "a", "request_id": "b", "data_name": "", "status": "running",
			"created_at": "2026-01-02T03:04:05Z"}`},
	},
	{
		name:   "layout of audio_event_summary",
		reason: "the schema has overall and channels; docs' sample has the types of events at once. Both are accepted",
		apply: func(current, _ object) {
			current.at("definitions", "RetrieveTranscriptResponse", "properties", "audio_event_summary")["additionalProperties"] =
				map[string]any{"$ref": "#/definitions/AudioEventSummaryItem"}
		},
		witness: witness{definition: "RetrieveTranscriptResponse", document: `{"format": "2.9", "results": [],
			"job": {"created_at": "2026-01-02T03:04:05Z", "data_name": "", "duration": 1, "id": "a"},
			"metadata": {"created_at": "2026-01-02T03:04:05Z", "type": "transcription"},
			"audio_event_summary": {"music": {"count": 1, "total_duration": 2.5}}}`},
	},
	{
		name:   "alignment",
		reason: "the current edition leaves out what the docs (alignment) still describe; May's has it",
		apply:  restoreAlignment,
		witness: witness{definition: "JobConfig", document: `{"type": "alignment", "alignment_config": {"language": "en"},
			"notification_config": [{"url": "https://example.org", "contents": ["alignment"]}]}`},
	},
}

func ofType(name string) map[string]any { return map[string]any{"type": name} }

func listOf(items map[string]any) map[string]any {
	return map[string]any{"type": "array", "items": items}
}

func mapOf(values map[string]any) map[string]any {
	return map[string]any{"type": "object", "additionalProperties": values}
}

// restoreAlignment takes from May's edition what belongs to jobs of the type alignment.
func restoreAlignment(current, may object) {
	definitions, before := current.at("definitions"), may.at("definitions")
	definitions["AlignmentConfig"] = before["AlignmentConfig"]
	definitions["JobType"] = before["JobType"]
	for _, place := range [][2]string{
		{"JobConfig", "alignment_config"}, {"RecognitionMetadata", "alignment_config"},
		{"NotificationConfig", "contents"}, {"JobInfo", "text_name"},
	} {
		definitions.at(place[0], "properties")[place[1]] = before.at(place[0], "properties")[place[1]]
	}
	for _, path := range []string{"/jobs/{jobid}/data", "/jobs/{jobid}/text", "/jobs/{jobid}/alignment"} {
		item := maps.Clone(may.at("paths", path))
		delete(item, "parameters") // a header for a proxy that is not there any more
		current.at("paths")[path] = map[string]any(item)
	}
	// Examples belong to media types, of which these are none.
	delete(current.at("paths", "/jobs/{jobid}/alignment", "get", "responses", "200"), "examples")
	post, postBefore := current.at("paths", "/jobs", "post"), may.at("paths", "/jobs", "post")
	post["parameters"] = append(post.list("parameters"), parameterOf(postBefore, "text_file"))
}

// parameterOf returns a parameter of an operation.
func parameterOf(operation object, name string) any {
	list := operation.list("parameters")
	return list[slices.IndexFunc(list, func(parameter any) bool {
		members, ok := parameter.(map[string]any)
		return ok && members["name"] == name
	})]
}
