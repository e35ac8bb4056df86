// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"slices"
)

const (
	maxTranslations = 5
	maxTopics       = 10
	srtLineDefault  = 37
	srtLinesDefault = 2
)

// features is what a configuration asks for beside the transcript.
type features struct {
	srtLine, srtLines int
	translations      []string
	identification    identificationConfig
	summary           *summaryConfig
	sentiment         bool
	topics            *topicsConfig
	chapters          bool
	audioEvents       *audioEventsConfig
}

// identificationConfig is language_identification_config.
type identificationConfig struct {
	expected         []string
	action, fallback string
}

// What to do when no language is identified with confidence.
const (
	actionAllow       = "allow"
	actionReject      = "reject"
	actionUseFallback = "use_default_language"
)

// summaryConfig is summarization_config.
type summaryConfig struct{ contentType, length, kind string }

// The values of summarization_config.
const (
	summaryAuto           = "auto"
	summaryInformative    = "informative"
	summaryConversational = "conversational"
	summaryBrief          = "brief"
	summaryDetailed       = "detailed"
	summaryParagraphs     = "paragraphs"
	summaryBullets        = "bullets"
)

// topicsConfig is topic_detection_config.
type topicsConfig struct{ wanted []string }

// audioEventsConfig is audio_events_config; no types are all.
type audioEventsConfig struct{ types []string }

var audioEventTypes = []string{"applause", "laughter", "music"}

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

// readFeatures reads the sections of everything that is made of the transcript.
func (c *jobConfig) readFeatures(root object) (err error) {
	for _, section := range []func(object) error{
		c.readTranslation, c.readIdentification, c.readSummary, c.readTopics, c.readAudioEvents,
	} {
		if err := section(root); err != nil {
			return err
		}
	}
	if _, c.sentiment, err = root.object("sentiment_analysis_config"); err != nil {
		return err
	}
	_, c.chapters, err = root.object("auto_chapters_config")
	return err
}

func (c *jobConfig) readTranslation(root object) error {
	o, there, err := root.object("translation_config")
	if err != nil || !there {
		return err
	}
	if c.translations, err = o.strings("target_languages", maxTranslations); err != nil {
		return err
	}
	if len(c.translations) == 0 {
		return invalidf("%s is required", o.at("target_languages"))
	}
	if slices.Contains(c.translations, "") {
		return invalidf("%s: a language is empty", o.at("target_languages"))
	}
	return nil
}

func (c *jobConfig) readIdentification(root object) error {
	o, there, err := root.object("language_identification_config")
	if err != nil || !there {
		return err
	}
	i := &c.identification
	if i.expected, err = o.strings("expected_languages", maxListItems); err != nil {
		return err
	}
	for _, language := range i.expected {
		if !identifiable(language) {
			return invalidf("Language(s) [%s] are not supported for language id", language)
		}
	}
	if i.action, err = o.enum("low_confidence_action", actionAllow, actionReject, actionUseFallback); err != nil {
		return err
	}
	orDefault(&i.action, actionReject)
	if i.fallback, err = o.string("default_language"); err != nil {
		return err
	}
	if i.fallback != "" && !isLanguage(i.fallback) {
		return invalidf("%s: Language %s is not supported", o.at("default_language"), i.fallback)
	}
	if i.action == actionUseFallback && i.fallback == "" {
		return invalidf("%s is required with low_confidence_action use_default_language", o.at("default_language"))
	}
	return nil
}

func (c *jobConfig) readSummary(root object) error {
	o, there, err := root.object("summarization_config")
	if err != nil || !there {
		return err
	}
	s := &summaryConfig{}
	if s.contentType, err = o.enum("content_type", summaryAuto, summaryInformative, summaryConversational); err != nil {
		return err
	}
	if s.length, err = o.enum("summary_length", summaryBrief, summaryDetailed); err != nil {
		return err
	}
	if s.kind, err = o.enum("summary_type", summaryParagraphs, summaryBullets); err != nil {
		return err
	}
	orDefault(&s.contentType, summaryAuto)
	orDefault(&s.length, summaryBrief)
	orDefault(&s.kind, summaryBullets)
	c.summary = s
	return nil
}

// readTopics reads topic_detection_config. More topics than ten are no error of the configuration.
func (c *jobConfig) readTopics(root object) error {
	o, there, err := root.object("topic_detection_config")
	if err != nil || !there {
		return err
	}
	wanted, err := o.strings("topics", maxListItems)
	c.topics = &topicsConfig{wanted}
	return err
}

func (c *jobConfig) readAudioEvents(root object) error {
	o, there, err := root.object("audio_events_config")
	if err != nil || !there {
		return err
	}
	types, err := o.strings("types", maxListItems)
	if err != nil {
		return err
	}
	for _, kind := range types {
		if err := oneOf("type", kind, audioEventTypes...); err != nil {
			return invalidf("%s: %v", o.at("types"), err)
		}
	}
	c.audioEvents = &audioEventsConfig{types}
	return nil
}
