// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

const (
	maxVocabulary      = 1000
	maxIdentifiers     = 50
	maxChannels        = 100
	modelStandard      = "standard"
	modelEnhanced      = "enhanced"
	melia              = "melia-1"
	diarizationNone    = "none"
	diarizationSpeaker = "speaker"
	diarizationChannel = "channel"
)

// recognition is what transcription_config asks for.
type recognition struct {
	model, locale, domain string
	modelTwice            bool // also as operating_point
	diarization           string
	channelLabels         []string
	permittedMarks        map[string]bool // nil permits all
	getSpeakers           bool
	enrolled              []enrolledSpeaker
	entities              bool
	// volume labels words with their volume, and those below the threshold are dropped.
	volume             bool
	volumeThreshold    float64
	removeDisfluencies bool
	replacements       []replacement
	// brokenReplacement is why the job will fail: a regular expression that is none.
	brokenReplacement error
}

// enrolledSpeaker is a voice that is to be recognised.
type enrolledSpeaker struct {
	label       string
	identifiers []string
}

var (
	markPattern  = regexp.MustCompile("^(.|all)$")
	labelPattern = regexp.MustCompile("^[A-Za-z0-9._]+$")
)

func (c *jobConfig) readTranscription(root object) error {
	o, there, err := root.object("transcription_config")
	if err != nil {
		return err
	}
	if !there {
		return invalidf("transcription_config is required")
	}
	for _, part := range []func(object) error{
		c.readLanguage, c.readModel, c.readDiarization, c.readPunctuation, c.readVocabulary, c.readFilters, c.readHints,
	} {
		if err := part(o); err != nil {
			return err
		}
	}
	return nil
}

// readLanguage reads the language of a transcription or an alignment.
func (c *jobConfig) readLanguage(o object) (err error) {
	if c.language, err = o.string("language"); err != nil {
		return err
	}
	if c.language == "" {
		return invalidf("%s is required", o.at("language"))
	}
	if isLanguage(c.language) || c.kind == jobTranscription && (c.language == languageAuto || c.language == languageMulti) {
		return nil
	}
	return invalidf("Language %s is not supported", c.language)
}

func (c *jobConfig) readModel(o object) error {
	model, err := o.enum("model", modelStandard, modelEnhanced, melia)
	if err != nil {
		return err
	}
	point, err := o.enum("operating_point", modelStandard, modelEnhanced, melia)
	if err != nil {
		return err
	}
	if c.locale, err = o.string("output_locale"); err != nil {
		return err
	}
	if c.domain, err = o.string("domain"); err != nil {
		return err
	}
	c.model, c.modelTwice = cmp.Or(model, point), model != "" && point != ""
	switch {
	case c.modelTwice && model != point:
		return invalidf("model and operating_point must not be set together")
	case c.language == languageAuto && c.locale != "":
		return invalidf("output_locale must not be set with language auto")
	case (c.model == melia) != (c.language == languageMulti):
		return invalidf("model %s and language %s need each other", melia, languageMulti)
	case c.domain == domainMedical && c.model != modelEnhanced:
		return invalidf("domain medical needs model enhanced")
	case c.locale != "" && !slices.Contains(locales[c.language], c.locale):
		return invalidf("output_locale %s is not supported for language %s", c.locale, c.language)
	case c.domain != "" && !slices.Contains(domains[c.language], c.domain):
		return invalidf("domain %s is not supported for language %s", c.domain, c.language)
	}
	orDefault(&c.model, modelStandard)
	_, err = o.enum("max_delay_mode", "fixed", "flexible")
	return err
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
	if _, _, err = speakers.number("speaker_sensitivity", 0, 1, false); err != nil {
		return err
	}
	if _, err = speakers.bool("prefer_current_speaker"); err != nil {
		return err
	}
	if c.getSpeakers, err = speakers.bool("get_speakers"); err != nil {
		return err
	}
	return c.readEnrolled(speakers)
}

// readEnrolled reads the voices that are to be recognised. Neither labels nor identifiers, which are
// personal data, are repeated in errors.
func (c *jobConfig) readEnrolled(o object) error {
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
			return invalidf("%s is not a label: it must not be empty, %s or S and a number, nor begin or end with a space", speaker.at("label"), unknownSpeaker)
		}
		identifiers, err := speaker.strings("speaker_identifiers", maxIdentifiers)
		if err != nil {
			return err
		}
		if total += len(identifiers); len(identifiers) == 0 || total > maxIdentifiers {
			return invalidf("%s must have 1 to %d identifiers in all", o.at("speakers"), maxIdentifiers)
		}
		if len(slices.Compact(slices.Sorted(slices.Values(identifiers)))) != len(identifiers) {
			return invalidf("%s must be unique", speaker.at("speaker_identifiers"))
		}
		c.enrolled = append(c.enrolled, enrolledSpeaker{label, identifiers})
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

// readVocabulary checks additional_vocab. An entry of more than six words, or with a word over 4000
// characters, is dropped silently by the service, and none is of use here anyway.
func (c *jobConfig) readVocabulary(o object) (err error) {
	if c.entities, err = o.bool("enable_entities"); err != nil {
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

func (c *jobConfig) readFilters(o object) error {
	audio, there, err := o.object("audio_filtering_config")
	if err != nil {
		return err
	}
	if there {
		c.volume = true
		if c.volumeThreshold, _, err = audio.number("volume_threshold", 0, 100, false); err != nil {
			return err
		}
	}
	text, _, err := o.object("transcript_filtering_config")
	if err != nil {
		return err
	}
	if c.removeDisfluencies, err = text.bool("remove_disfluencies"); err != nil {
		return err
	}
	rules, err := text.objects("replacements", maxListItems)
	if err != nil {
		return err
	}
	for _, r := range rules {
		from, fromOK := r.fields["from"].(string)
		to, toOK := r.fields["to"].(string)
		if !fromOK || !toOK || len(r.fields) != 2 {
			return invalidf("%s must have the strings from and to, and nothing else", r.path)
		}
		if err := c.addReplacement(from, to); err != nil && c.brokenReplacement == nil {
			c.brokenReplacement = err
		}
	}
	return nil
}

func (c *jobConfig) readHints(o object) error {
	hints, err := o.strings("language_hints", maxListItems)
	if err != nil {
		return err
	}
	for _, hint := range hints {
		if !isLanguage(hint) {
			return invalidf("%s: Language %s is not supported", o.at("language_hints"), hint)
		}
	}
	if _, err := o.bool("language_hints_strict"); err != nil {
		return err
	}
	if c.model != melia && (o.has("language_hints") || o.has("language_hints_strict")) {
		return invalidf("%s needs model %s", o.at("language_hints"), melia)
	}
	return nil
}

// checkMelia refuses what the documentation says that melia-1 does not support.
func (c *jobConfig) checkMelia(root object) error {
	recognition, _, err := root.object("transcription_config")
	if err != nil {
		return err
	}
	filter, _, err := recognition.object("transcript_filtering_config")
	if err != nil {
		return err
	}
	speakers, _, err := recognition.object("speaker_diarization_config")
	if err != nil {
		return err
	}
	for _, unsupported := range []struct {
		in   object
		keys []string
	}{
		{recognition, []string{"additional_vocab", "audio_filtering_config"}},
		{filter, []string{"replacements"}},
		{speakers, []string{"speakers", "get_speakers"}},
		{root, []string{
			"translation_config", "summarization_config", "sentiment_analysis_config", "topic_detection_config",
			"auto_chapters_config", "audio_events_config",
		}},
	} {
		for _, key := range unsupported.keys {
			if unsupported.in.has(key) && unsupported.in.fields[key] != false {
				return invalidf("%s is not supported by model %s", unsupported.in.at(key), melia)
			}
		}
	}
	if c.entities {
		return invalidf("%s is not supported by model %s", recognition.at("enable_entities"), melia)
	}
	return nil
}
