// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxErrors bounds the errors of features that are remembered. The provider has seven features.
	maxErrors = 100
	// maxMessage bounds, in bytes, what is remembered of an error's message.
	maxMessage = 4 << 10
)

// metadata is what the streams need of the document's member of this name.
type metadata struct {
	language   string // that was configured
	targets    []string
	pack       languagePack
	identified map[string]time.Duration // for how long each language was the likeliest
	unsure     FeatureError             // why no language was identified
	errors     []FeatureError           // of single features
}

// languagePack says how words join.
type languagePack struct {
	Delimiter  *string           `json:"word_delimiter"`
	Direction  string            `json:"writing_direction"`
	Delimiters map[string]string `json:"per_language_word_delimiters"`
	Directions map[string]string `json:"per_language_writing_direction"`
}

// metadata reads the member metadata. It goes through it member by member, because the configurations that it repeats
// can be large: a custom dictionary has up to a thousand entries.
func (s *scanner) metadata(m *metadata) error {
	_, err := s.object("metadata", func(name string) error {
		switch name {
		case "transcription_config":
			return s.stringIn("metadata."+name, "language", &m.language)
		case "translation_config":
			return s.targets(m)
		case "language_pack_info":
			return s.decode("metadata."+name, &m.pack)
		case "language_identification":
			return s.identification(m)
		default:
			if feature, ok := strings.CutSuffix(name, "_errors"); ok {
				return s.featureErrors(m, Feature(camelCase(feature)))
			}
			return s.skip()
		}
	})
	return err
}

// stringIn reads an object, of which only the one member matters.
func (s *scanner) stringIn(what, wanted string, to *string) error {
	_, err := s.object(what, func(name string) error {
		if name != wanted {
			return s.skip()
		}
		if err := s.decode(what+"."+name, to); err != nil {
			return err
		}
		return checkLabel(*to)
	})
	return err
}

func (s *scanner) targets(m *metadata) error {
	var config struct {
		Targets []string `json:"target_languages"`
	}
	if err := s.decode("metadata.translation_config", &config); err != nil {
		return err
	}
	if len(config.Targets) > maxLanguages {
		return bound("it asks for more than %d translations", maxLanguages)
	}
	for _, language := range config.Targets {
		if err := checkLabel(language); err != nil {
			return err
		}
	}
	m.targets = config.Targets
	return nil
}

// identification reads which language was identified where, or why none was.
func (s *scanner) identification(m *metadata) error {
	m.identified = map[string]time.Duration{}
	m.unsure.Feature = FeatureLanguageIdentification
	_, err := s.object("metadata.language_identification", func(name string) error {
		switch name {
		case "results":
			return s.array("metadata.language_identification.results", func() error { return s.identified(m) })
		case "error":
			return s.decode("metadata.language_identification.error", &m.unsure.Type)
		case "message":
			return s.decode("metadata.language_identification.message", &m.unsure.Message)
		default:
			return s.skip()
		}
	})
	m.unsure.Message = shorten(m.unsure.Message)
	return err
}

func (s *scanner) identified(m *metadata) error {
	var part struct {
		Start        *float64     `json:"start_time"`
		End          *float64     `json:"end_time"`
		Alternatives alternatives `json:"alternatives"`
	}
	if err := s.decode("a part of metadata.language_identification", &part); err != nil {
		return err
	}
	language := part.Alternatives.best().Language
	if language == "" {
		return nil
	}
	if err := check(part.Start, part.End, language); err != nil {
		return err
	}
	if len(m.identified) == maxLanguages {
		return bound("it has more than %d languages", maxLanguages)
	}
	m.identified[language] += length(part.Start, part.End)
	return nil
}

// length is the time between two that are known, else none.
func length(start, end *float64) time.Duration {
	if start == nil || end == nil {
		return 0
	}
	return max(seconds(*end)-seconds(*start), 0)
}

func (s *scanner) featureErrors(m *metadata, feature Feature) error {
	return s.array("metadata's errors", func() error {
		var e struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		}
		if err := s.decode("an error in metadata", &e); err != nil {
			return err
		}
		if len(m.errors) == maxErrors {
			return bound("it has more than %d errors of features", maxErrors)
		}
		m.errors = append(m.errors, FeatureError{Feature: feature, Type: e.Type, Message: shorten(e.Message)})
		return nil
	})
}

// camelCase turns auto_chapters into AutoChapters.
func camelCase(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "_") {
		first, size := utf8.DecodeRuneInString(word)
		if size > 0 {
			b.WriteRune(unicode.ToUpper(first))
			b.WriteString(word[size:])
		}
	}
	return b.String()
}

// shorten cuts a message at maxMessage.
func shorten(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	cut := maxMessage
	for cut > 0 && !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + "…"
}
