// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestTranscriptionJob_configuration checks the bounds and exclusions of the provider's configuration.
func TestTranscriptionJob_configuration(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	namespace := env.Namespace(ctx, t, nil)
	const (
		media    = "media: {url: \"https://a.example/a\"}\n"
		document = validJob + "transcripts: {formats: [txt, json-v2]}\n"
		melia    = media + "transcription: {language: multi, model: melia-1, %s}\n"
	)
	with := func(option string) string { return media + "transcription: {language: en, " + option + "}" }
	speakers := func(list string) string {
		return with("diarization: speaker, speakerDiarization: {speakers: [" + list + "]}")
	}
	identifiers := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("id%d", i))
		}
		return strings.Join(all, ", ")
	}
	words := func(n int) string { return strings.TrimSpace(strings.Repeat("word ", n)) }
	cases := []struct {
		name string
		spec string
		want string // part of the error; empty if the object is valid
	}{
		// transcription
		{"six words", with("additionalVocab: [{content: " + words(6) + ", soundsLike: [" + words(6) + "]}]"), ""},
		{"six words with much space", with(`additionalVocab: [{content: "  a  b c\td e f "}]`), ""},
		{"seven words", with("additionalVocab: [{content: " + words(7) + "}]"), "between one and six words"},
		{"seven words in soundsLike", with("additionalVocab: [{content: a, soundsLike: [b, " + words(7) + "]}]"), "soundsLike has between one and six words"},
		{"no word at all", with(`additionalVocab: [{content: "  "}]`), "between one and six words"},
		{"channel labels", with("diarization: channel, channelDiarizationLabels: [Caller, agent_1.b]"), ""},
		{"channel label with a space", with("diarization: channel, channelDiarizationLabels: [the caller]"), "channelDiarizationLabels"},
		{"speaker", speakers("{label: Alice B, speakerIdentifiers: [a, b]}"), ""},
		{"labels that only look like the provider's", speakers("{label: S1a, speakerIdentifiers: [a]}, {label: UUU, speakerIdentifiers: [a]}, {label: s1, speakerIdentifiers: [a]}, {label: S, speakerIdentifiers: [a]}"), ""},
		{"fifty identifiers", speakers("{label: a, speakerIdentifiers: [" + identifiers(25) + "]}, {label: b, speakerIdentifiers: [" + identifiers(25) + "]}"), ""},
		{"fifty-one identifiers", speakers("{label: a, speakerIdentifiers: [" + identifiers(25) + "]}, {label: b, speakerIdentifiers: [" + identifiers(26) + "]}"), "at most 50 speakerIdentifiers in all"},
		{"the same identifier twice", speakers("{label: a, speakerIdentifiers: [a, a]}"), "Duplicate value"},
		{"speaker without identifiers", speakers("{label: a, speakerIdentifiers: []}"), "speakerIdentifiers"},
		{"speaker without a label", speakers("{speakerIdentifiers: [a]}"), "label: Required"},
		{"provider's label", speakers("{label: S12, speakerIdentifiers: [a]}"), "label must not be one of the provider's own"},
		{"provider's label of an unknown one", speakers("{label: UU, speakerIdentifiers: [a]}"), "label must not be one of the provider's own"},
		{"label with a space before", speakers(`{label: " a", speakerIdentifiers: [a]}`), "must not begin or end with white space"},
		{"label with a space behind", speakers(`{label: "a ", speakerIdentifiers: [a]}`), "must not begin or end with white space"},
		{"speakers without diarization", with("speakerDiarization: {speakers: []}"), "needs diarization speaker"},
		{"loudest", with(`audioFiltering: {volumeThreshold: "100.0"}`), ""},
		{"too loud", with(`audioFiltering: {volumeThreshold: "100.5"}`), "volumeThreshold"},
		{"volume as a number", with(`audioFiltering: {volumeThreshold: 5}`), "volumeThreshold"},
		{"negative volume", with(`audioFiltering: {volumeThreshold: "-1"}`), "volumeThreshold"},
		{"several languages without their model", media + "transcription: {language: multi}", "language multi needs model melia-1"},
		{"several languages with a model of tomorrow", media + "transcription: {language: multi}\nproviderConfig: {transcription_config: {model: melia-2}}", ""},
		{"bilingual pack without its language", with("domain: bilingual-en"), "domain bilingual-en needs language es"},
		{"bilingual pack", media + "transcription: {language: es, domain: bilingual-en}", ""},
		{"replacement by nothing", with(`transcriptFiltering: {replacements: [{from: um, to: ""}]}`), ""},
		{"replacement without a word on by what", with(`transcriptFiltering: {replacements: [{from: um}]}`), "to: Required"},
		{"replacement of nothing", with(`transcriptFiltering: {replacements: [{from: "", to: a}]}`), "from"},
		{"unknown delay mode", with("maxDelayMode: quick"), "Unsupported value"},
		{"hints without their model", with("languageHints: [en]"), "languageHints and languageHintsStrict need model melia-1"},
		{"strict hints without their model", with("languageHintsStrict: true"), "languageHints and languageHintsStrict need model melia-1"},

		// the model melia-1
		{"melia-1", fmt.Sprintf(melia, "languageHints: [en, de], languageHintsStrict: false"), ""},
		{"melia-1 by its older name", media + "transcription: {language: multi, operatingPoint: melia-1, languageHints: [en]}", ""},
		{"melia-1 and nothing of what it lacks", fmt.Sprintf(melia, "additionalVocab: [], enableEntities: false, transcriptFiltering: {removeDisfluencies: true, replacements: []}, diarization: speaker, speakerDiarization: {getSpeakers: false}"), ""},
		{"melia-1 with events", fmt.Sprintf(melia, "") + "audioEvents: {}\ntranscripts: {formats: [json-v2]}", ""},
		{"melia-1 with vocabulary", fmt.Sprintf(melia, "additionalVocab: [{content: a}]"), "model melia-1 has no additionalVocab"},
		{"melia-1 with entities", fmt.Sprintf(melia, "enableEntities: true") + "transcripts: {formats: [json-v2]}", "model melia-1 has no additionalVocab, enableEntities"},
		{"melia-1 with audio filtering", fmt.Sprintf(melia, "audioFiltering: {}"), "audioFiltering"},
		{"melia-1 with replacements", fmt.Sprintf(melia, "transcriptFiltering: {replacements: [{from: a, to: b}]}"), "transcriptFiltering.replacements"},
		{"melia-1 that gets speakers", fmt.Sprintf(melia, "diarization: speaker, speakerDiarization: {getSpeakers: true}"), "speakerDiarization.getSpeakers"},
		{"melia-1 that knows speakers", fmt.Sprintf(melia, "diarization: speaker, speakerDiarization: {speakers: [{label: a, speakerIdentifiers: [a]}]}"), "speakerDiarization.speakers"},
		{"melia-1 with translation", fmt.Sprintf(melia, "") + "translation: {targetLanguages: [de]}", "model melia-1 has no translation"},
		{"melia-1 with summary", fmt.Sprintf(melia, "") + "summarization: {}\ntranscripts: {formats: [json-v2]}", "model melia-1 has no translation, summarization"},
		{"melia-1 with sentiment", fmt.Sprintf(melia, "") + "sentimentAnalysis: {}\ntranscripts: {formats: [json-v2]}", "model melia-1 has no translation"},
		{"melia-1 with topics", fmt.Sprintf(melia, "") + "topicDetection: {}\ntranscripts: {formats: [json-v2]}", "model melia-1 has no translation"},
		{"melia-1 with chapters by its older name", media + "transcription: {language: multi, operatingPoint: melia-1}\nautoChapters: {}\ntranscripts: {formats: [json-v2]}", "model melia-1 has no translation"},
		{"melia-1 by its older name with a language", media + "transcription: {language: en, operatingPoint: melia-1}", "melia-1 needs language multi"},

		// features
		{"five translations", validJob + "translation: {targetLanguages: [de, fr, es, cmn, pt]}", ""},
		{"six translations", validJob + "translation: {targetLanguages: [de, fr, es, cmn, pt, it]}", "targetLanguages"},
		{"no translations", validJob + "translation: {targetLanguages: []}", "targetLanguages"},
		{"translation to nothing", validJob + "translation: {}", "targetLanguages: Required"},
		{"translation twice", validJob + "translation: {targetLanguages: [de, de]}", "must not name a language twice"},
		{"translation twice, as names of ConfigMaps see it", validJob + "translation: {targetLanguages: [cmn_hant, cmn-Hant]}", "must not name a language twice"},
		{"translation to no language", validJob + `translation: {targetLanguages: ["d e"]}`, "targetLanguages"},
		{"default language", validJob + "languageIdentification: {lowConfidenceAction: use_default_language, defaultLanguage: en}", ""},
		{"default language without a word on when", validJob + "languageIdentification: {defaultLanguage: en}", ""},
		{"action without a default language", validJob + "languageIdentification: {lowConfidenceAction: use_default_language}", "needs defaultLanguage"},
		{"unknown action", validJob + "languageIdentification: {lowConfidenceAction: guess}", "Unsupported value"},
		{"ten topics", document + "topicDetection: {topics: [a, b, c, d, e, f, g, h, i, j]}", ""},
		{"eleven topics", document + "topicDetection: {topics: [a, b, c, d, e, f, g, h, i, j, k]}", "topics"},
		{"unknown kind of summary", document + "summarization: {summaryType: poem}", "Unsupported value"},
		{"unknown option of a summary", document + "summarization: {contentType: speech}", "Unsupported value"},
		{"unknown length of a summary", document + "summarization: {summaryLength: 5}", "summaryLength"},
		{"line without characters", validJob + "output: {srtOverrides: {maxLineLength: 0}}", "maxLineLength"},
		{"subtitle without lines", validJob + "output: {srtOverrides: {maxLines: 0}}", "maxLines"},
		{"all four formats", validJob + "transcripts: {formats: [txt, srt, vtt, json-v2]}", ""},

		// what is in the json-v2 transcript only
		{"summary in the document", document + "summarization: {}", ""},
		{"summary for somebody else", validJob + "summarization: {}\nnotifications: [{url: \"https://a.example/a\"}]", ""},
		{"summary for nobody", validJob + "summarization: {}", "add json-v2 to transcripts.formats"},
		{"sentiment for nobody", validJob + "sentimentAnalysis: {}", "add json-v2 to transcripts.formats"},
		{"topics for nobody", validJob + "topicDetection: {}", "add json-v2 to transcripts.formats"},
		{"chapters for nobody", validJob + "autoChapters: {}", "add json-v2 to transcripts.formats"},
		{"events for nobody", validJob + "audioEvents: {}\ntranscripts: {formats: [txt, srt, vtt]}", "add json-v2 to transcripts.formats"},
		{"entities for nobody", with("enableEntities: true"), "add json-v2 to transcripts.formats"},
		{"entities not wanted", with("enableEntities: false"), ""},
		{"summary for somebody else who takes everything", validJob + `summarization: {}
notifications: [{url: "https://a.example/a", contents: [jobinfo, transcript.json-v2]}]`, ""},
		{"summary for somebody else who takes no document", validJob + `summarization: {}
notifications: [{url: "https://a.example/a", contents: [jobinfo, transcript.txt]}, {url: "https://a.example/b", contents: []}]`, "add json-v2 to transcripts.formats"},
		{"speakers' identifiers for nobody", with("diarization: speaker, speakerDiarization: {getSpeakers: true}"), "add json-v2 to transcripts.formats"},
		{"sensitivity without quotes' sense", with(`punctuationOverrides: {sensitivity: "1.6"}`), "must be a decimal number from 0 to 1, in quotes"},
		{"volume that is too loud", with(`audioFiltering: {volumeThreshold: "101"}`), "must be a decimal number from 0 to 100, in quotes"},
		{"summary for an empty list", validJob + "summarization: {}\nnotifications: []", "add json-v2 to transcripts.formats"},

		// notifications
		{"two notifications", validJob + `notifications: [{url: "https://a.example/a", method: put, contents: []}, {urlFrom: {secretKeyRef: {name: a, key: b}}, authHeadersFrom: {secretKeyRef: {name: a, key: c}}, contents: [jobinfo, transcript, transcript.json-v2, transcript.txt, transcript.srt, data, text]}]`, ""},
		{"three notifications", validJob + `notifications: [{url: "https://a.example/a"}, {url: "https://a.example/b"}, {url: "https://a.example/c"}]`, "notifications"},
		{"notification of nobody", validJob + "notifications: [{method: put}]", "exactly one of url and urlFrom"},
		{"notification of two", validJob + `notifications: [{url: "https://a.example/a", urlFrom: {secretKeyRef: {name: a, key: b}}}]`, "exactly one of url and urlFrom"},
		{"notification by mail", validJob + `notifications: [{url: "mailto:a@a.example"}]`, "absolute http or https URL"},
		{"notification with a password", validJob + `notifications: [{url: "https://me:pw@a.example/a"}]`, "must not hold a user name or password"},
		{"notification with a colon", validJob + `notifications: [{url: "https://a.example/a", contents: ["transcript:txt"]}]`, "Unsupported value"},
		{"notification by another method", validJob + `notifications: [{url: "https://a.example/a", method: POST}]`, "Unsupported value"},

		// processing and providerConfig
		{"processing", validJob + "processing: {parallelEngines: 4, userID: u}", ""},
		{"no engines", validJob + "processing: {parallelEngines: 0}", "parallelEngines"},
		{"options of the provider", validJob + "providerConfig: {a: {b: [1, null, {c: 2.5}]}, d: null}", ""},
		{"options that are a list", validJob + "providerConfig: [1]", "providerConfig"},
		{"options that are a text", validJob + "providerConfig: \"{}\"", "providerConfig"},
		{"too many options", validJob + "providerConfig: {" + strings.Join(numbered(65), ", ") + "}", "providerConfig"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(ctx, t, manifest(t, "TranscriptionJob", namespace, fmt.Sprintf("job-%d", i), c.spec), c.want)
		})
	}
}

// numbered are members of an object.
func numbered(n int) []string {
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf("m%d: 1", i))
	}
	return members
}
