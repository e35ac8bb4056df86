// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// What is remembered of labels, whose number and length only the document limits.
const (
	maxSpeakers  = 1000
	maxChannels  = 128 // the provider has up to 100
	maxLanguages = 100 // it translates into up to five
)

// Feature is one of the provider's features, as the resources of this project call it.
type Feature string

// The features whose errors a document tells. A feature that is not known here is called by the provider's name for it in
// CamelCase.
const (
	FeatureTranslation            Feature = "Translation"
	FeatureSummarization          Feature = "Summarization"
	FeatureSentimentAnalysis      Feature = "SentimentAnalysis"
	FeatureTopicDetection         Feature = "TopicDetection"
	FeatureAutoChapters           Feature = "AutoChapters"
	FeatureAudioEvents            Feature = "AudioEvents"
	FeatureLanguageIdentification Feature = "LanguageIdentification"
)

// TypeMissing is the type of the error of a translation that was asked for and is not in the document, where the provider does not
// say why, or gives several reasons without saying which is that of this translation. The provider has no such type.
const TypeMissing = "missing"

// Facts is what a document tells about itself.
type Facts struct {
	// Language is the one that was identified, by the largest part of the audio, or else the one that was configured, as
	// a code of the provider. Empty if the document says neither.
	Language string
	// Duration is the length of the audio in whole seconds: as the provider tells it, or if it does not, up to the end of
	// the last result.
	Duration time.Duration
	// Speakers is the number of speakers that were told apart, 0 if this was not asked for.
	Speakers int
	// Translations are the languages that the document is translated into, in order.
	Translations []string
	// Errors are those of single features: the transcript itself is complete. The provider tells of a translation that failed
	// without saying into which language; here each translation that is missing has one error, with what the provider says of it.
	Errors []FeatureError
}

// FeatureError says that a feature failed, while the job did not.
type FeatureError struct {
	// Feature that failed.
	Feature Feature
	// Language of the translation that failed, if it is known.
	Language string
	// Type is the provider's word for what happened, "translation_failed" for example, or [TypeMissing].
	Type string
	// Message explains it, in at most 4 KiB. May be empty.
	Message string
}

// ReadFacts reads a document to its end. Errors are [*FormatError], or else those of r.
func ReadFacts(r io.Reader) (*Facts, error) {
	sv, err := read(r)
	if err != nil {
		return nil, err
	}
	facts := &Facts{
		Language:     sv.language(),
		Duration:     sv.duration(),
		Speakers:     len(sv.speakers),
		Translations: sv.translations,
		Errors:       sv.errors(),
	}
	facts.Expect(sv.metadata.targets)
	return facts, nil
}

// Expect adds an error for each of the languages into which the document is not translated and of which no error tells yet. The
// provider's errors of translations, which name no language, are told with these instead of by themselves. ReadFacts has done it
// for the languages that the document itself says were asked for.
func (f *Facts) Expect(languages []string) {
	var missing []string
	for _, language := range languages {
		told := func(e FeatureError) bool { return e.Feature == FeatureTranslation && e.Language == language }
		if !slices.Contains(f.Translations, language) && !slices.ContainsFunc(f.Errors, told) && !slices.Contains(missing, language) {
			missing = append(missing, language)
		}
	}
	if len(missing) == 0 {
		return
	}
	var causes, errs []FeatureError
	for _, e := range f.Errors {
		if e.Feature == FeatureTranslation && e.Language == "" {
			causes = append(causes, e)
		} else {
			errs = append(errs, e)
		}
	}
	cause := jointCause(causes)
	for _, language := range missing {
		errs = append(errs, FeatureError{
			Feature: FeatureTranslation, Language: language, Type: cmp.Or(cause.Type, TypeMissing),
			Message: cmp.Or(cause.Message, fmt.Sprintf("A translation into %q was asked for, and the transcript has none.", language)),
		})
	}
	f.Errors = errs
}

// jointCause is what the provider says of translations that failed, in one error. Nothing tells which translation each of several
// errors is about: they are told together, and if they are of several types, without one of its own.
func jointCause(causes []FeatureError) FeatureError {
	if len(causes) == 0 {
		return FeatureError{}
	}
	joint := FeatureError{Type: causes[0].Type}
	if slices.ContainsFunc(causes, func(e FeatureError) bool { return e.Type != joint.Type }) {
		joint.Type = ""
	}
	var messages []string
	for _, e := range causes {
		message := e.Message
		if joint.Type == "" {
			message = strings.TrimSuffix(e.Type+": "+e.Message, ": ")
		}
		if message != "" && !slices.Contains(messages, message) {
			messages = append(messages, message)
		}
	}
	joint.Message = shorten(strings.Join(messages, "; "))
	return joint
}

// survey is what must be known of a document before it can be rendered, and all that its facts are made from.
type survey struct {
	metadata     metadata
	seconds      time.Duration   // job.duration
	last         time.Duration   // the end of the last result
	spoken       map[string]int  // how many results are in each language
	speakers     map[string]bool // the labels of known speakers
	channels     []string        // in the order of their first results; "" where a result has none
	translations []string
	// translatedChannels are those of each translation.
	translatedChannels map[string][]string
}

// read surveys a document.
func read(r io.Reader) (*survey, error) {
	sv := &survey{spoken: map[string]int{}, speakers: map[string]bool{}, translatedChannels: map[string][]string{}}
	err := newScanner(r).walk(visitor{
		duration:    func(value float64) { sv.seconds = seconds(value) },
		metadata:    func(m metadata) { sv.metadata = m },
		result:      sv.result,
		translation: sv.translation,
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(sv.translations)
	return sv, nil
}

func (sv *survey) result(it *item) error {
	for _, at := range []*float64{it.Start, it.End} {
		if at != nil {
			sv.last = max(sv.last, seconds(*at))
		}
	}
	if it.Type == typeEntity {
		if _, err := it.text(writing{}); err != nil { // before anything is written, not after
			return err
		}
	}
	said := it.Alternatives.best()
	if said.Language != "" {
		sv.spoken[said.Language]++
	}
	if said.Speaker != "" && said.Speaker != unknownSpeaker {
		sv.speakers[said.Speaker] = true
	}
	var err error
	sv.channels, err = addChannel(sv.channels, it.Channel)
	switch {
	case len(sv.spoken) > maxLanguages:
		return bound("it has more than %d languages", maxLanguages)
	case len(sv.speakers) > maxSpeakers:
		return bound("it has more than %d speakers", maxSpeakers)
	default:
		return err
	}
}

func (sv *survey) translation(language string) (func(*sentence) error, error) {
	if slices.Contains(sv.translations, language) {
		return nil, bound("a translation is there twice")
	}
	if len(sv.translations) == maxLanguages {
		return nil, bound("it has more than %d translations", maxLanguages)
	}
	sv.translations = append(sv.translations, language)
	return func(sent *sentence) error {
		channels, err := addChannel(sv.translatedChannels[language], sent.Channel)
		sv.translatedChannels[language] = channels
		return err
	}, nil
}

// addChannel adds a channel that is not yet among the channels.
func addChannel(channels []string, channel string) ([]string, error) {
	if slices.Contains(channels, channel) {
		return channels, nil
	}
	if len(channels) == maxChannels {
		return nil, bound("it has more than %d channels", maxChannels)
	}
	return append(channels, channel), nil
}

// notALanguage are the codes with which a job leaves the language to the provider.
func notALanguage(code string) bool { return code == "" || code == "auto" }

func (sv *survey) language() string {
	m := &sv.metadata
	switch identified := mostOf(m.identified); {
	case m.unsure.Type == "" && identified != "":
		return identified
	case !notALanguage(m.language):
		return m.language
	default: // what was used in the end is in the results
		return mostOf(sv.spoken)
	}
}

// mostOf is the key with the largest value, of equals the first in order; empty if there is none.
func mostOf[V int | time.Duration](m map[string]V) string {
	var most string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if most == "" || m[key] > m[most] {
			most = key
		}
	}
	return most
}

func (sv *survey) duration() time.Duration {
	if sv.seconds > 0 {
		return sv.seconds
	}
	return (sv.last + time.Second - 1).Truncate(time.Second)
}

func (sv *survey) errors() []FeatureError {
	errs := slices.Clone(sv.metadata.errors)
	if sv.metadata.unsure.Type != "" {
		errs = append(errs, sv.metadata.unsure)
	}
	return errs
}
