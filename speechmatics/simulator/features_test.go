// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// spokenJob uploads a recording that a side file describes, and waits for the end of its job.
func (a *api) spokenJob(config string) (id string, job map[string]any) {
	a.t.Helper()
	id = a.submit(config, "talk.wav", wav(10*time.Second))
	return id, a.finished(id)
}

// said is a server whose uploads called talk.wav hold a script.
func said(t *testing.T, script string, options Options) *api {
	t.Helper()
	options.Transcripts = textOf("talk", script)
	orDefault(&options.Speed, 1e5)
	return start(t, options)
}

// documentOf is the json-v2 of a job that must be done.
func documentOf(t *testing.T, script, config string, options Options) map[string]any {
	t.Helper()
	a := said(t, script, options)
	id, job := a.spokenJob(config)
	if job["status"] != "done" {
		t.Fatalf("%v", job)
	}
	return a.get("/v2/jobs/" + id + "/transcript").json(t)
}

// at follows members and indexes into a document; nil where there is nothing.
func at(document any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			members, _ := document.(map[string]any)
			document = members[step]
		case int:
			items, _ := document.([]any)
			if step >= len(items) {
				return nil
			}
			document = items[step]
		}
	}
	return document
}

// column is one member of every item of a list.
func column(items any, member string) []any {
	list, _ := items.([]any)
	values := []any{}
	for _, item := range list {
		values = append(values, at(item, member))
	}
	return values
}

// language changes the language of a configuration.
func language(config, code string) string {
	return strings.Replace(config, `"language":"en"`, fmt.Sprintf(`"language":%q`, code), 1)
}

func TestTranslations(t *testing.T) {
	config := with(`"translation_config":{"target_languages":["de","ja"]}`, `"diarization":"speaker"`)
	document := documentOf(t, dialogue, config, Options{})
	translations := document["translations"]
	want := []any{"[de] Hello, you!", "[de] Hi there.", "[de] How are you?", "[de] Fine."}
	if diff := cmp.Diff(want, column(at(translations, "de"), "content")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{"S1", "S2", "S2", "S1"}, column(at(translations, "ja"), "speaker")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if first := at(translations, "de", 0); at(first, "start_time") != 0.0 || at(first, "end_time").(float64) <= 0 || at(first, "channel") != nil {
		t.Errorf("%v", first)
	}
	if at(document, "metadata", "translation_errors") != nil || at(document, "metadata", "translation_config", "target_languages", 1) != "ja" {
		t.Errorf("%v", document["metadata"])
	}
}

// TestEndlessSentence has a speaker who never stops: sentences are bounded all the same.
func TestEndlessSentence(t *testing.T) {
	document := documentOf(t, strings.Repeat("word ", 2*maxSentence+1), with(`"translation_config":{"target_languages":["de"]}`, ""), Options{})
	var lengths []int
	for _, content := range column(at(document, "translations", "de"), "content") {
		lengths = append(lengths, strings.Count(content.(string), "word"))
	}
	if diff := cmp.Diff([]int{maxSentence, maxSentence, 1}, lengths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTranslationsThatAreNotSupported(t *testing.T) {
	into := func(code, targets string) string {
		return language(with(`"translation_config":{"target_languages":[`+targets+`]}`, ""), code)
	}
	a := said(t, "@language en\nHello.", Options{})
	if _, job := a.spokenJob(into("en", `"de","eo"`)); job["status"] != "rejected" ||
		!cmp.Equal(messages(job), []string{"Translation from 'en' to 'eo' is not supported"}) {
		t.Errorf("named language: %v", job)
	}
	id, _ := a.spokenJob(into("auto", `"de","eo"`))
	document := a.get("/v2/jobs/" + id + "/transcript").json(t)
	if at(document, "metadata", "translation_errors", 0, "type") != "unsupported_translation_pair" ||
		at(document, "translations", "de") == nil || at(document, "translations", "eo") != nil {
		t.Errorf("identified language: %v", document)
	}
	check(t, a.server.SetBehaviour(Behaviour{DefaultWait: -1, RejectUnsupportedPairAtSubmission: true}))
	if got := a.post("", into("de", `"fr"`), "talk.wav", wav(time.Second)); got.status != http.StatusBadRequest {
		t.Errorf("at submission: %v", got)
	}
	for pair, want := range map[string]bool{"en de": true, "de en": true, "de fr": false, "no nn": true, "nn no": false, "sw en": false} {
		if from, to, _ := strings.Cut(pair, " "); translatable(from, to) != want {
			t.Errorf("%s: %v", pair, !want)
		}
	}
}

func TestSummaries(t *testing.T) {
	script := "S1: One. Two. Three. Four. Five. Six. Seven."
	for settings, want := range map[string]string{
		`{}`:                            "- One.\n- Two.",
		`{"summary_type":"paragraphs"}`: "One. Two.",
		`{"summary_length":"detailed","content_type":"informative"}`:                                "Section 1:\n- One.\n- Two.\n- Three.\n- Four.\n- Five.\n- Six.",
		`{"summary_length":"detailed","content_type":"conversational","summary_type":"paragraphs"}`: "Key Topics:\n- One.\n- Two.\n\nDiscussion:\nOne. Two. Three. Four. Five. Six.",
		`{"summary_length":"detailed"}`:                                                             "Section 1:\n- One.\n- Two.\n- Three.\n- Four.\n- Five.\n- Six.",
	} {
		document := documentOf(t, script, with(`"summarization_config":`+settings, ""), Options{})
		if got := at(document, "summary", "content"); got != want {
			t.Errorf("%s: %q, want %q", settings, got, want)
		}
	}
}

func TestChapters(t *testing.T) {
	document := documentOf(t, "@length 12m\n", with(`"auto_chapters_config":{}`, ""), Options{})
	if diff := cmp.Diff([]any{"Chapter 1", "Chapter 2", "Chapter 3"}, column(document["chapters"], "title")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	last := at(document, "chapters", 2)
	if at(last, "start_time").(float64) < 600 || at(last, "end_time").(float64) > 720 || at(last, "summary") == "" {
		t.Errorf("%v", last)
	}
	short := documentOf(t, "@length 599s\n", with(`"auto_chapters_config":{}`, ""), Options{})
	if short["chapters"] != nil || at(short, "metadata", "auto_chapters_errors", 0, "type") != "auto_chapters_failed" {
		t.Errorf("%v", short["metadata"])
	}
}

func TestTopics(t *testing.T) {
	topics := func(list string) map[string]any {
		return documentOf(t, "We love boats. We play football.", with(`"topic_detection_config":`+list, ""), Options{})
	}
	named := topics(`{"topics":["football","boats"]}`)["topics"]
	if at(named, "segments", 0, "topics", 0, "topic") != "boats" || at(named, "segments", 1, "text") != "We play football." ||
		!cmp.Equal(at(named, "summary", "overall"), map[string]any{"boats": 1.0, "football": 1.0}) {
		t.Errorf("%v", named)
	}
	for _, list := range []string{`{}`, `{"topics":[]}`} {
		if got := at(topics(list), "topics", "segments", 0, "topics", 0, "topic"); !slices.Contains(defaultTopics, fmt.Sprint(got)) {
			t.Errorf("%s: %v", list, got)
		}
	}
	many := topics(`{"topics":["a","b","c","d","e","f","g","h","i","j","k"]}`)
	if many["topics"] != nil || at(many, "metadata", "topic_detection_errors", 0, "type") != "unsupported_list_of_topics" {
		t.Errorf("%v", many["metadata"])
	}
}

func TestSentiment(t *testing.T) {
	script := "S1: This is great!\nS2: I am sorry, that is bad. Well.\nS1: Good, good."
	config := with(`"sentiment_analysis_config":{}`, `"diarization":"speaker"`)
	flat := documentOf(t, script, config, Options{})["sentiment_analysis"]
	if diff := cmp.Diff([]any{"positive", "negative", "neutral", "positive"}, column(at(flat, "segments"), "sentiment")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := map[string]any{
		"overall": map[string]any{"positive_count": 2.0, "negative_count": 1.0, "neutral_count": 1.0},
		"speakers": []any{
			map[string]any{"speaker": "S1", "positive_count": 2.0, "negative_count": 0.0, "neutral_count": 0.0},
			map[string]any{"speaker": "S2", "positive_count": 0.0, "negative_count": 1.0, "neutral_count": 1.0},
		},
		"channels": []any{},
	}
	if diff := cmp.Diff(want, at(flat, "summary")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	nested := documentOf(t, script, config, Options{Behaviour: Behaviour{Sentiment: SentimentNested}})["sentiment_analysis"]
	if diff := cmp.Diff(flat, at(nested, "sentiment_analysis")); diff != "" {
		t.Errorf("nested (-flat +nested):\n%s", diff)
	}
	channels := documentOf(t, script, with(`"sentiment_analysis_config":{}`, `"diarization":"channel","channel_diarization_labels":["agent"]`), Options{})
	if at(channels, "sentiment_analysis", "summary", "channels", 0, "channel") != "agent" {
		t.Errorf("%v", channels["sentiment_analysis"])
	}
}

func TestAudioEvents(t *testing.T) {
	script := "@event laughter 1.5 2\n@event music 3 7\nHello."
	document := documentOf(t, script, with(`"audio_events_config":{}`, ""), Options{})
	want := []any{
		map[string]any{"type": "laughter", "start_time": 1.5, "end_time": 2.0, "confidence": 0.95},
		map[string]any{"type": "music", "start_time": 3.0, "end_time": 7.0, "confidence": 0.95},
	}
	if diff := cmp.Diff(want, document["audio_events"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := at(document, "audio_event_summary", "music"); !cmp.Equal(got, map[string]any{"count": 1.0, "total_duration": 4.0}) {
		t.Errorf("%v", document["audio_event_summary"])
	}
	overall := documentOf(t, script, with(`"audio_events_config":{"types":["music"]}`, `"diarization":"channel"`),
		Options{Behaviour: Behaviour{AudioEventSummary: AudioEventSummaryOverall}})
	if len(overall["audio_events"].([]any)) != 1 || at(overall, "audio_event_summary", "overall", "music", "count") != 1.0 ||
		at(overall, "audio_event_summary", "channels", "channel_1", "music", "count") != 1.0 {
		t.Errorf("%v", overall)
	}
	if got := documentOf(t, "Hello.", with(`"audio_events_config":{}`, ""), Options{})["audio_events"].([]any); len(got) != 2 {
		t.Errorf("without a side file's: %v", got)
	}
}

func TestLanguageIdentification(t *testing.T) {
	auto := func(settings string) string {
		config := language(plainConfig, "auto")
		if settings != "" {
			config = language(with(`"language_identification_config":{`+settings+`}`, ""), "auto")
		}
		return config
	}
	for name, test := range map[string]struct {
		script, settings string
		language         string // of a job that is done
		problem          string // of the metadata
		reason           string // of a job that is rejected
	}{
		"nothing said":           {"Hello.", "", "en", "", ""},
		"expected":               {"Hello.", `"expected_languages":["de","fr"]`, "de", "", ""},
		"French":                 {"@language fr\nBonjour.", "", "fr", "", ""},
		"French, expected":       {"@language fr\nBonjour.", `"expected_languages":["en","fr"]`, "fr", "", ""},
		"unexpected":             {"@language fr\nBonjour.", `"expected_languages":["en"]`, "", "", "The identified language 'fr' is not one of the expected languages"},
		"not supported":          {"@language uz\nSalom.", "", "", "", "The identified language 'uz' is not supported for transcription"},
		"silence":                {"@silence", "", "", "", "No speech found for language identification"},
		"silence with a default": {"@silence", `"default_language":"sv"`, "sv", "NO_SPEECH", ""},
		"unsure":                 {"@language fr 0.3\nBonjour.", "", "", "", "Language identification could not identify any language with sufficient confidence"},
		"unsure, rejected":       {"@language fr 0.3\nBonjour.", `"low_confidence_action":"reject","default_language":"de"`, "", "", "Language identification could not identify any language with sufficient confidence"},
		"unsure, allowed":        {"@language fr 0.3\nBonjour.", `"low_confidence_action":"allow"`, "fr", "LOW_CONFIDENCE", ""},
		"unsure, with a default": {"@language fr 0.3\nBonjour.", `"low_confidence_action":"use_default_language","default_language":"de"`, "de", "LOW_CONFIDENCE", ""},
		"unsure of what is not":  {"@language uz 0.3\nSalom.", `"low_confidence_action":"allow"`, "", "", "The identified language 'uz' is not supported for transcription"},
		"Welsh":                  {"@language cy\nHelo.", "", "", "", "Language identification could not identify any language with sufficient confidence"},
		"Welsh, expected":        {"@language cy\nHelo.", `"expected_languages":["cy"]`, "cy", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := said(t, test.script, Options{})
			id, job := a.spokenJob(auto(test.settings))
			if test.reason != "" {
				if job["status"] != "rejected" || !cmp.Equal(messages(job), []string{test.reason}) {
					t.Errorf("%v", job)
				}
				return
			}
			document := a.get("/v2/jobs/" + id + "/transcript").json(t)
			found := at(document, "metadata", "language_identification")
			if problem, _ := at(found, "error").(string); problem != test.problem {
				t.Errorf("%v", found)
			}
			if test.script != "@silence" && at(document, "results", 0, "alternatives", 0, "language") != test.language {
				t.Errorf("%v", document["results"])
			}
			if at(document, "metadata", "language_pack_info", "language_description") != packs[test.language].name {
				t.Errorf("%v", document["metadata"])
			}
			if test.problem == "" && at(found, "results", 0, "alternatives", 0, "language") != test.language {
				t.Errorf("%v", found)
			}
		})
	}
}

func TestIdentificationFailsOnOrder(t *testing.T) {
	a := said(t, "Hello.", Options{Faults: []Fault{{Kind: FaultFeature, Feature: FeatureLanguageIdentification}}})
	if _, job := a.spokenJob(language(plainConfig, "auto")); job["status"] != "rejected" ||
		!cmp.Equal(messages(job), []string{"Language identification failed"}) {
		t.Errorf("%v", job)
	}
	if _, job := a.spokenJob(plainConfig); job["status"] != "done" {
		t.Errorf("with a named language: %v", job)
	}
}

const everyFeature = `"translation_config":{"target_languages":["de","fr"]},"summarization_config":{},"sentiment_analysis_config":{},` +
	`"topic_detection_config":{},"auto_chapters_config":{},"audio_events_config":{},"tracking":{"title":"t"}`

func TestFeaturesFailOnOrder(t *testing.T) {
	a := said(t, "@length 11m\nHello.", Options{Faults: []Fault{
		{Kind: FaultFeature, Feature: FeatureTranslation, Language: "fr", Message: "no French today"},
		{Kind: FaultFeature, Feature: FeatureSummarization, Title: "t"},
		{Kind: FaultFeature, Feature: FeatureSentimentAnalysis},
		{Kind: FaultFeature, Feature: FeatureTopicDetection},
		{Kind: FaultFeature, Feature: FeatureAutoChapters, Count: 1},
	}})
	id, job := a.spokenJob(with(everyFeature, ""))
	if job["status"] != "done" {
		t.Fatalf("%v", job)
	}
	document := a.get("/v2/jobs/" + id + "/transcript").json(t)
	for _, member := range []string{"summary", "sentiment_analysis", "topics", "chapters"} {
		if document[member] != nil {
			t.Errorf("%s is there", member)
		}
	}
	for _, feature := range []string{"summarization", "sentiment_analysis", "topic_detection", "auto_chapters", "translation"} {
		if got := at(document, "metadata", feature+"_errors", 0, "type"); got != feature+"_failed" {
			t.Errorf("%s: %v", feature, got)
		}
	}
	if at(document, "metadata", "translation_errors", 0, "message") != "no French today" ||
		at(document, "translations", "de") == nil || at(document, "translations", "fr") != nil {
		t.Errorf("%v", document["translations"])
	}
	again, _ := a.spokenJob(with(everyFeature, ""))
	if a.get("/v2/jobs/" + again + "/transcript").json(t)["chapters"] == nil {
		t.Error("the second job's chapters fail too")
	}
}

func TestFeaturesByLanguage(t *testing.T) {
	features := strings.Replace(everyFeature, `"translation_config":{"target_languages":["de","fr"]},`, "", 1)
	for code, want := range map[string][]string{
		"de": {"sentiment_analysis_errors", "topic_detection_errors"},
		"sw": {"auto_chapters_errors", "sentiment_analysis_errors", "summarization_errors", "topic_detection_errors"},
		"en": {},
	} {
		document := documentOf(t, "@length 11m\nHello.", language(with(features, ""), code), Options{})
		got := []string{}
		for member, problems := range document["metadata"].(map[string]any) {
			if strings.HasSuffix(member, "_errors") {
				got = append(got, member)
				if at(problems, 0, "type") != "unsupported_language" {
					t.Errorf("%s: %v", code, problems)
				}
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", code, diff)
		}
	}
}

func TestEntities(t *testing.T) {
	document := documentOf(t, "It costs £20, or 7.5% more.", with("", `"enable_entities":true`), Options{})
	var entity map[string]any
	for _, item := range document["results"].([]any) {
		if at(item, "type") == "entity" && entity == nil {
			entity = item.(map[string]any)
		}
	}
	spoken := []any{}
	for _, item := range entity["spoken_form"].([]any) {
		spoken = append(spoken, at(item, "alternatives", 0, "content"))
	}
	if entity["entity_class"] != "money" || at(entity, "alternatives", 0, "content") != "£20" || !cmp.Equal(spoken, []any{"twenty", "pounds"}) ||
		at(entity, "written_form", 0, "alternatives", 0, "content") != "£20" {
		t.Errorf("%v", entity)
	}
	plain := documentOf(t, "It costs £20.", plainConfig, Options{})
	if slices.Contains(column(plain["results"], "type"), any("entity")) {
		t.Errorf("%v", plain["results"])
	}
	for written, want := range map[string]string{
		"20": "cardinal: twenty", "1999": "cardinal: one thousand nine hundred ninety nine", "300000": "cardinal: three hundred thousand",
		"$3": "money: three dollars", "50%": "percentage: fifty percent", "3rd": "ordinal: third", "21st": "ordinal: twenty first", "20th": "ordinal: twentieth",
		"10:30": "time: ten thirty", "3.14": "decimal: three point one four", "A4": "alphanum: A four", "+4912345678": "telephone: four nine one two three four five six seven eight",
		"word12": ": ", "Hello": ": ", "3.": ": ",
	} {
		class, spoken, _ := entityOf(written, "en")
		if got := class + ": " + strings.Join(spoken, " "); got != want {
			t.Errorf("%s: %q, want %q", written, got, want)
		}
	}
	if _, spoken, _ := entityOf("20", "de"); !cmp.Equal(spoken, []string{"20"}) {
		t.Errorf("in German: %q", spoken)
	}
}

// contents are the alternatives of a document's results.
func contents(document map[string]any) []any {
	words := []any{}
	for _, item := range document["results"].([]any) {
		words = append(words, at(item, "alternatives", 0, "content"))
	}
	return words
}

func TestTextFilters(t *testing.T) {
	script := "Um, that damn colour is grey, um, gray."
	for settings, want := range map[string]string{
		`{"remove_disfluencies":true}`:                                           "that damn colour is grey, gray.",
		`{"remove_disfluencies":false}`:                                          "Um, that damn colour is grey, um, gray.",
		`{"replacements":[{"from":"/gr[ae]y/","to":"silver"}]}`:                  "Um, that damn colour is silver, um, silver.",
		`{"replacements":[{"from":"/(gr)[ae](?=y)/","to":"$1o"}]}`:               "Um, that damn colour is groy, um, groy.",
		`{"replacements":[{"from":"um","to":"er"}]}`:                             "Um, that damn colour is grey, er, gray.", // case matters
		`{"replacements":[{"from":"/grey/","to":"b"},{"from":"grey","to":"a"}]}`: "Um, that damn colour is a, um, gray.",    // plain ones first
		`{"replacements":[{"from":"damn","to":""}]}`:                             "Um, that colour is grey, um, gray.",
	} {
		got := transcribe(t, script, with("", `"transcript_filtering_config":`+settings), "txt")
		// The marks of a word that is gone stay, as nobody says what becomes of them.
		got = strings.TrimPrefix(strings.ReplaceAll(got, ",,", ","), ", ")
		if got != want+"\n" {
			t.Errorf("%s: %q, want %q", settings, got, want)
		}
	}
	tags := map[string]any{}
	for _, item := range documentOf(t, script, plainConfig, Options{})["results"].([]any) {
		if tag := at(item, "alternatives", 0, "tags", 0); tag != nil {
			tags[at(item, "alternatives", 0, "content").(string)] = tag
		}
	}
	if diff := cmp.Diff(map[string]any{"Um": "disfluency", "um": "disfluency", "damn": "profanity"}, tags); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := documentOf(t, script, language(plainConfig, "sw"), Options{}); strings.Contains(fmt.Sprint(got["results"]), "tags") {
		t.Errorf("tags in Swahili: %v", got["results"])
	}
}

func TestMalformedExpressionFailsTheJob(t *testing.T) {
	a := said(t, "Hello.", Options{})
	_, job := a.spokenJob(with("", `"transcript_filtering_config":{"replacements":[{"from":"/(/","to":"x"}]}`))
	if job["status"] != "rejected" || len(messages(job)) != 1 || !strings.Contains(messages(job)[0], "is not a regular expression") {
		t.Errorf("%v", job)
	}
}

// TestSlowExpression has an expression that takes for ever; a bound ends it, and it matches nothing.
func TestSlowExpression(t *testing.T) {
	script := strings.Repeat("a", 60) + "b."
	if got := transcribe(t, script, with("", `"transcript_filtering_config":{"replacements":[{"from":"/^(a+)+$/","to":"x"}]}`), "txt"); got != script+"\n" {
		t.Errorf("%q", got)
	}
}

func TestVolume(t *testing.T) {
	script := "One two three four five six seven eight nine ten."
	all := documentOf(t, script, with("", `"audio_filtering_config":{}`), Options{})
	loud := 0
	for _, item := range all["results"].([]any) {
		volume, there := at(item, "volume").(float64)
		if there == (at(item, "type") == "punctuation") || volume > 100 {
			t.Errorf("%v", item)
		}
		if volume >= 70 {
			loud++
		}
	}
	if loud == 0 || loud == 10 {
		t.Fatalf("%d words are loud, which tells nothing", loud)
	}
	if got := documentOf(t, script, with("", `"audio_filtering_config":{"volume_threshold":70}`), Options{}); len(got["results"].([]any)) != loud+1 {
		t.Errorf("%v, want %d words", contents(got), loud)
	}
}

func TestSpeakersAreRecognised(t *testing.T) {
	a := start(t, Options{Transcripts: textOf("talk", dialogue), ProjectKeys: map[string]string{"other-key": "other"}})
	id, _ := a.spokenJob(with("", `"diarization":"speaker","speaker_diarization_config":{"get_speakers":true}`))
	document := a.get("/v2/jobs/" + id + "/transcript").json(t)
	if diff := cmp.Diff([]any{"S1", "S2"}, column(document["speakers"], "label")); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	identifier := at(document, "speakers", 1, "speaker_identifiers", 0)
	known := with("", fmt.Sprintf(`"diarization":"speaker","speaker_diarization_config":{"get_speakers":true,"speakers":[{"label":"Ann","speaker_identifiers":["of another project",%q]}]}`, identifier))
	id, _ = a.spokenJob(known)
	want := "SPEAKER: S1\nHello, you!\nSPEAKER: Ann\nHi there. How are you?\nSPEAKER: S1\nFine.\n"
	if got := a.get("/v2/jobs/" + id + "/transcript?format=txt").body; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := a.get("/v2/jobs/" + id + "/transcript").json(t)["speakers"]; !cmp.Equal(column(got, "label"), []any{"S1", "Ann"}) {
		t.Errorf("%v", got)
	}
	body, contentType := form(t, known, "talk.wav", wav(time.Second))
	theirs := a.do("POST", "/v2/jobs?wait=20&format=txt", body, "Content-Type", contentType, "Authorization", "Bearer other-key").json(t)
	if strings.Contains(theirs["txt"].(string), "Ann") {
		t.Errorf("identifiers of another project: %v", theirs)
	}
}

func TestScripts(t *testing.T) {
	for name, test := range map[string]struct {
		code, script, text string
		pack               map[string]any
	}{
		"Japanese": {"ja", "今日 は 晴れ です 。 はい 。", "今日は晴れです。はい。\n", map[string]any{"word_delimiter": "", "writing_direction": "left-to-right"}},
		"Hebrew":   {"he", "שלום, עולם.", "שלום, עולם.\n", map[string]any{"word_delimiter": " ", "writing_direction": "right-to-left"}},
		"Spanish":  {"es", "¿Cómo estás? Bien.", "¿Cómo estás? Bien.\n", map[string]any{"word_delimiter": " ", "writing_direction": "left-to-right"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := language(plainConfig, test.code)
			if got := transcribe(t, test.script, config, "txt"); got != test.text {
				t.Errorf("%q, want %q", got, test.text)
			}
			if got := strings.Join(strings.Split(shape(transcribe(t, test.script, config, "srt")), "\n")[2:3], ""); !strings.HasPrefix(test.text, got) {
				t.Errorf("SRT: %q", got)
			}
			document := documentOf(t, test.script, config, Options{})
			for member, want := range test.pack {
				if got := at(document, "metadata", "language_pack_info", member); got != want {
					t.Errorf("%s: %v, want %v", member, got, want)
				}
			}
			if rtl := at(document, "results", 0, "alternatives", 0, "display", "direction"); (rtl == "rtl") != (test.code == "he") {
				t.Errorf("display: %v", rtl)
			}
			if test.code == "es" && at(document, "results", 0, "attaches_to") != "next" {
				t.Errorf("%v", at(document, "results", 0))
			}
		})
	}
	if got := transcribe(t, "", language(plainConfig, "ja"), "txt"); got != "言葉1言葉2言葉3言葉4言葉5.\n" {
		t.Errorf("filler: %q", got)
	}
}

func TestSeveralLanguages(t *testing.T) {
	document := documentOf(t, "Hello 世界 .", meliaConfig("", ""), Options{})
	languages := []any{}
	for _, item := range document["results"].([]any) {
		languages = append(languages, at(item, "alternatives", 0, "language"))
		if at(item, "alternatives", 0, "confidence") != 1.0 {
			t.Errorf("%v", item)
		}
	}
	if diff := cmp.Diff([]any{"en", "cmn", "en"}, languages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	pack := at(document, "metadata", "language_pack_info")
	if diff := cmp.Diff(map[string]any{"en": " ", "cmn": ""}, at(pack, "per_language_word_delimiters")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if at(pack, "per_language_writing_direction", "cmn") != "left-to-right" {
		t.Errorf("%v", pack)
	}
}

func TestChannelNames(t *testing.T) {
	config := with("", `"diarization":"channel"`)
	for name, test := range map[string]struct {
		behaviour Behaviour
		text, srt string
	}{
		"default": {Behaviour{}, "SPEAKER: channel_1\nHi.\n", "1\n-->\nHi.\n"},
		"spaced":  {Behaviour{ChannelLabels: ChannelLabelsSpaced}, "SPEAKER: Channel 1\nHi.\n", "1\n-->\nHi.\n"},
		"own":     {Behaviour{TextChannels: TextChannelsOwn, SRTSpeakers: true}, "CHANNEL: channel_1\nHi.\n", "1\n-->\nCHANNEL: channel_1: Hi.\n"},
		"none":    {Behaviour{TextChannels: TextChannelsNone}, "Hi.\n", "1\n-->\nHi.\n"},
		"told":    {Behaviour{SRTSpeakers: true}, "SPEAKER: channel_1\nHi.\n", "1\n-->\nchannel_1: Hi.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			a := said(t, "Hi.", Options{Behaviour: test.behaviour})
			id, _ := a.spokenJob(config)
			if got := a.get("/v2/jobs/" + id + "/transcript?format=txt").body; got != test.text {
				t.Errorf("%q, want %q", got, test.text)
			}
			if got := shape(a.get("/v2/jobs/" + id + "/transcript?format=srt").body); got != test.srt {
				t.Errorf("%q, want %q", got, test.srt)
			}
		})
	}
}

// TestCaptionsNameSpeakers: a caption is of one speaker, also where nobody ends his sentence.
func TestCaptionsNameSpeakers(t *testing.T) {
	a := said(t, "S1: Well\nS2: no.", Options{Behaviour: Behaviour{SRTSpeakers: true}})
	id, _ := a.spokenJob(with("", `"diarization":"speaker"`))
	want := "1\n-->\nS1: Well\n\n2\n-->\nS2: no.\n"
	if got := shape(a.get("/v2/jobs/" + id + "/transcript?format=srt").body); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestDocumentOrder: members come sorted, so what is made of the words comes before what says how to read them.
func TestDocumentOrder(t *testing.T) {
	script := "@length 11m\nHello."
	a := said(t, script, Options{})
	id, _ := a.spokenJob(with(everyFeature, `"diarization":"speaker","speaker_diarization_config":{"get_speakers":true}`))
	decoder := json.NewDecoder(strings.NewReader(a.get("/v2/jobs/" + id + "/transcript").body))
	var members []string
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		switch token := token.(type) {
		case json.Delim:
			if token == '{' || token == '[' {
				depth++
			} else {
				depth--
			}
		case string:
			if depth == 1 {
				members = append(members, token)
			}
		}
	}
	want := []string{
		"audio_event_summary", "audio_events", "chapters", "format", "2.9", "job", "metadata", "results", "sentiment_analysis", "speakers",
		"summary", "topics", "translations",
	}
	if diff := cmp.Diff(want, members); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
