// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	maxNotifications   = 3
	maxVocabulary      = 1000
	maxTranslations    = 5
	maxIdentifiers     = 50
	maxChannels        = 100
	maxListItems       = 10_000 // where nothing is documented
	melia              = "melia-1"
	languageAuto       = "auto"
	languageMulti      = "multi"
	srtLineDefault     = 37
	srtLinesDefault    = 2
	diarizationNone    = "none"
	diarizationSpeaker = "speaker"
	diarizationChannel = "channel"
)

// topLevelKeys are the keys that a configuration may have.
var topLevelKeys = []string{
	"type", "fetch_data", "fetch_text", "transcription_config", "alignment_config", "notification_config", "tracking",
	"output_config", "translation_config", "language_identification_config", "summarization_config",
	"sentiment_analysis_config", "topic_detection_config", "auto_chapters_config", "audio_events_config",
}

// languages are those of the documentation.
var languages = strings.Fields("auto ar ar_en ba eu be bn bg yue ca hr cs da nl en eo et fi fr gl de el he hi hu " +
	"id ia ga it ja ko lv lt ms en_ms mt cmn cmn_en cmn_en_ms_ta mr mn no fa pl pt ro ru sk sl es sw sv tl ta en_ta " +
	"th tr uk ur ug vi cy multi")

// notIdentified are the languages that cannot be expected of language identification.
var notIdentified = strings.Fields("bn yue eo ia ga mt tl ur ug sw auto multi")

var notificationContents = strings.Fields("jobinfo transcript transcript.json-v2 transcript.txt transcript.srt data text " +
	"alignment alignment.word_start_and_end alignment.one_per_line")

var (
	markPattern  = regexp.MustCompile("^(.|all)$")
	labelPattern = regexp.MustCompile("^[A-Za-z0-9._]+$")
)

// read checks the configuration section by section, and takes what the simulator uses.
func (c *jobConfig) read(root object, b Behaviour) error {
	if err := checkKeys(root, b); err != nil {
		return err
	}
	for _, section := range []func(object) error{
		c.readFetch, c.readTranscription, c.readNotifications, c.readTracking, c.readOutput,
		checkTranslation, checkLanguageIdentification, checkFeatures,
	} {
		if err := section(root); err != nil {
			return err
		}
	}
	return nil
}

func checkKeys(root object, b Behaviour) error {
	if kind, err := root.enum("type", "transcription", "alignment"); err != nil {
		return err
	} else if kind == "" {
		return invalidf("type is required")
	}
	for key := range root.fields {
		if !b.AllowUnknownConfigKeys && !slices.Contains(topLevelKeys, key) {
			return invalidf("unknown field %q", key)
		}
	}
	return nil
}

func (c *jobConfig) readFetch(root object) error {
	o, there, err := root.object("fetch_data")
	if err != nil || !there {
		return err
	}
	fetch := source{}
	if fetch.url, err = o.httpURL("url"); err != nil {
		return err
	}
	if fetch.headers, err = o.headers("auth_headers"); err != nil {
		return err
	}
	c.fetch = &fetch
	return nil
}

// httpURL reads a required absolute URL. It is not repeated in errors: it may hold a signature.
func (o object) httpURL(key string) (string, error) {
	raw, err := o.string(key)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", invalidf("%s must be an http or https URL", o.at(key))
	}
	return raw, nil
}

func (c *jobConfig) readTranscription(root object) error {
	o, there, err := root.object("transcription_config")
	if err != nil {
		return err
	}
	if !there {
		return invalidf("transcription_config is required")
	}
	for _, part := range []func(object) error{
		c.readLanguage, c.readDiarization, c.readPunctuation, checkVocabulary, checkFilters,
	} {
		if err := part(o); err != nil {
			return err
		}
	}
	return nil
}

func (c *jobConfig) readLanguage(o object) (err error) {
	if c.language, err = o.string("language"); err != nil {
		return err
	}
	if c.language == "" {
		return invalidf("%s is required", o.at("language"))
	}
	if !slices.Contains(languages, c.language) {
		return invalidf("Language %s is not supported", c.language)
	}
	model, err := o.enum("model", "standard", "enhanced", melia)
	if err != nil {
		return err
	}
	point, err := o.enum("operating_point", "standard", "enhanced", melia)
	if err != nil {
		return err
	}
	locale, err := o.string("output_locale")
	if err != nil {
		return err
	}
	domain, err := o.string("domain")
	if err != nil {
		return err
	}
	c.model = model + point
	switch {
	case model != "" && point != "":
		return invalidf("model and operating_point must not be set together")
	case c.language == languageAuto && locale != "":
		return invalidf("output_locale must not be set with language auto")
	case (c.model == melia) != (c.language == languageMulti):
		return invalidf("model %s and language %s need each other", melia, languageMulti)
	case domain == "medical" && c.model != "enhanced":
		return invalidf("domain medical needs model enhanced")
	}
	orDefault(&c.model, "standard")
	return nil
}

func (c *jobConfig) readDiarization(o object) (err error) {
	if c.diarization, err = o.enum("diarization", diarizationNone, diarizationSpeaker, diarizationChannel); err != nil {
		return err
	}
	orDefault(&c.diarization, diarizationNone)
	if c.channelLabels, err = o.strings("channel_diarization_labels", maxChannels); err != nil {
		return err
	}
	for _, label := range c.channelLabels {
		if !labelPattern.MatchString(label) {
			return invalidf("%s: %q is not a label", o.at("channel_diarization_labels"), label)
		}
	}
	speakers, there, err := o.object("speaker_diarization_config")
	if err != nil || !there {
		return err
	}
	return c.readSpeakers(speakers)
}

func (c *jobConfig) readSpeakers(o object) (err error) {
	if _, _, err = o.number("speaker_sensitivity", 0, 1, false); err != nil {
		return err
	}
	if _, err = o.bool("prefer_current_speaker"); err != nil {
		return err
	}
	if c.getSpeakers, err = o.bool("get_speakers"); err != nil {
		return err
	}
	known, err := o.objects("speakers", maxIdentifiers)
	if err != nil {
		return err
	}
	total := 0
	for _, speaker := range known {
		label, err := speaker.string("label")
		if err != nil {
			return err
		}
		if label == "" || strings.TrimSpace(label) != label || label == unknownSpeaker || isNumberedSpeaker(label) {
			return invalidf("%s: %q is not a label", speaker.at("label"), label)
		}
		identifiers, err := speaker.strings("speaker_identifiers", maxIdentifiers)
		if err != nil {
			return err
		}
		if total += len(identifiers); len(identifiers) == 0 || total > maxIdentifiers {
			return invalidf("%s must have 1 to %d identifiers in all", o.at("speakers"), maxIdentifiers)
		}
	}
	return nil
}

func (c *jobConfig) readPunctuation(o object) error {
	p, there, err := o.object("punctuation_overrides")
	if err != nil || !there {
		return err
	}
	if _, _, err = p.number("sensitivity", 0, 1, false); err != nil {
		return err
	}
	marks, err := p.strings("permitted_marks", 100)
	if err != nil || marks == nil {
		return err
	}
	if slices.Contains(marks, "all") {
		return nil
	}
	c.permittedMarks = map[string]bool{}
	for _, mark := range marks {
		if !markPattern.MatchString(mark) {
			return invalidf("%s: %q is not a mark", p.at("permitted_marks"), mark)
		}
		c.permittedMarks[mark] = true
	}
	return nil
}

func checkVocabulary(o object) error {
	if _, err := o.bool("enable_entities"); err != nil {
		return err
	}
	words, err := o.objects("additional_vocab", maxVocabulary)
	if err != nil {
		return err
	}
	for _, word := range words {
		content, err := word.string("content")
		if err != nil {
			return err
		}
		if content == "" {
			return invalidf("%s is required", word.at("content"))
		}
		if _, err := word.strings("sounds_like", maxListItems); err != nil {
			return err
		}
	}
	return nil
}

func checkFilters(o object) error {
	filter, there, err := o.object("audio_filtering_config")
	if err != nil {
		return err
	}
	if there {
		if _, _, err := filter.number("volume_threshold", 0, 100, false); err != nil {
			return err
		}
	}
	filter, _, err = o.object("transcript_filtering_config")
	if err != nil {
		return err
	}
	if _, err := filter.bool("remove_disfluencies"); err != nil {
		return err
	}
	replacements, err := filter.objects("replacements", maxListItems)
	if err != nil {
		return err
	}
	for _, r := range replacements {
		_, fromOK := r.fields["from"].(string)
		_, toOK := r.fields["to"].(string)
		if !fromOK || !toOK || len(r.fields) != 2 {
			return invalidf("%s must have the strings from and to, and nothing else", r.path)
		}
	}
	return nil
}

func (c *jobConfig) readNotifications(root object) error {
	entries, err := root.objects("notification_config", maxNotifications)
	if err != nil {
		return err
	}
	for _, o := range entries {
		var n notification
		if n.url, err = o.httpURL("url"); err != nil {
			return err
		}
		if n.method, err = o.enum("method", "post", "put"); err != nil {
			return err
		}
		orDefault(&n.method, "post")
		if n.contents, err = o.strings("contents", maxListItems); err != nil {
			return err
		}
		for _, item := range n.contents {
			if !slices.Contains(notificationContents, item) {
				return invalidf("%s: %q is not supported", o.at("contents"), item)
			}
		}
		if n.headers, err = o.headers("auth_headers"); err != nil {
			return err
		}
		c.notifications = append(c.notifications, n)
	}
	return nil
}

func (c *jobConfig) readTracking(root object) error {
	o, there, err := root.object("tracking")
	if err != nil || !there {
		return err
	}
	if c.tracking.title, err = o.string("title"); err != nil {
		return err
	}
	if c.tracking.reference, err = o.string("reference"); err != nil {
		return err
	}
	if _, err = o.strings("tags", maxListItems); err != nil {
		return err
	}
	if _, _, err = o.object("details"); err != nil {
		return err
	}
	c.tracking.raw, err = json.Marshal(o.fields)
	return err
}

func (c *jobConfig) readOutput(root object) error {
	c.srtLine, c.srtLines = srtLineDefault, srtLinesDefault
	output, _, err := root.object("output_config")
	if err != nil {
		return err
	}
	o, _, err := output.object("srt_overrides")
	if err != nil {
		return err
	}
	if n, there, err := o.number("max_line_length", 1, 10_000, true); err != nil {
		return err
	} else if there {
		c.srtLine = int(n)
	}
	if n, there, err := o.number("max_lines", 1, 100, true); err != nil {
		return err
	} else if there {
		c.srtLines = int(n)
	}
	return nil
}

func checkTranslation(root object) error {
	o, there, err := root.object("translation_config")
	if err != nil || !there {
		return err
	}
	targets, err := o.strings("target_languages", maxTranslations)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return invalidf("%s is required", o.at("target_languages"))
	}
	return nil
}

func checkLanguageIdentification(root object) error {
	o, there, err := root.object("language_identification_config")
	if err != nil || !there {
		return err
	}
	expected, err := o.strings("expected_languages", maxListItems)
	if err != nil {
		return err
	}
	for _, language := range expected {
		if !slices.Contains(languages, language) || slices.Contains(notIdentified, language) {
			return invalidf("Language(s) [%s] are not supported for language id", language)
		}
	}
	action, err := o.enum("low_confidence_action", "allow", "reject", "use_default_language")
	if err != nil {
		return err
	}
	fallback, err := o.string("default_language")
	if err != nil {
		return err
	}
	if action == "use_default_language" && fallback == "" {
		return invalidf("%s is required with low_confidence_action use_default_language", o.at("default_language"))
	}
	return nil
}

// checkFeatures checks the sections that only switch something on.
func checkFeatures(root object) error {
	for _, key := range []string{"sentiment_analysis_config", "auto_chapters_config"} {
		if _, _, err := root.object(key); err != nil {
			return err
		}
	}
	topics, _, err := root.object("topic_detection_config")
	if err != nil {
		return err
	}
	if _, err := topics.strings("topics", maxListItems); err != nil {
		return err
	}
	summary, _, err := root.object("summarization_config")
	if err != nil {
		return err
	}
	for key, allowed := range map[string][]string{
		"content_type":   {languageAuto, "informative", "conversational"},
		"summary_length": {"brief", "detailed"},
		"summary_type":   {"paragraphs", "bullets"},
	} {
		if _, err := summary.enum(key, allowed...); err != nil {
			return err
		}
	}
	events, _, err := root.object("audio_events_config")
	if err != nil {
		return err
	}
	types, err := events.strings("types", maxListItems)
	if err != nil {
		return err
	}
	for _, kind := range types {
		if err := oneOf("type", kind, "applause", "laughter", "music"); err != nil {
			return invalidf("%s: %v", events.at("types"), err)
		}
	}
	return nil
}
