// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// What the streams read of the document: few members, each bounded by maxValue. The whole is Document's.
//
// Source of the names: Speechmatics API, batch v2: RetrieveTranscriptResponse, and the documentation's transcripts.

// item is an element of results.
type item struct {
	Type         string          `json:"type"`
	Start        *float64        `json:"start_time"`
	End          *float64        `json:"end_time"`
	Channel      string          `json:"channel"`
	AttachesTo   string          `json:"attaches_to"`
	IsEOS        *bool           `json:"is_eos"`
	Alternatives alternatives    `json:"alternatives"`
	WrittenForm  json.RawMessage `json:"written_form"`
	SpokenForm   json.RawMessage `json:"spoken_form"`
}

// form is a word or a punctuation mark inside an entity.
type form struct {
	Type         string       `json:"type"`
	AttachesTo   string       `json:"attaches_to"`
	Alternatives alternatives `json:"alternatives"`
}

// alternatives are ordered by their likelihood. Only the first one is read.
type alternatives [1]alternative

type alternative struct {
	Content  string `json:"content"`
	Language string `json:"language"`
	Speaker  string `json:"speaker"`
}

// Types of results. Others may appear without having been asked for, and are to be ignored.
const (
	typeWord        = "word"
	typePunctuation = "punctuation"
	typeEntity      = "entity"
	// typeSpeakerChange marked a change of speakers, who had no names, until July 2024.
	typeSpeakerChange = "speaker_change"
)

// unknownSpeaker is the label of words whose speaker is not known, of all words where speakers were not asked for.
const unknownSpeaker = "UU"

// best is the likeliest alternative, empty if there is none.
func (a alternatives) best() alternative { return a[0] }

// sentence is an element of a translation.
type sentence struct {
	Start   *float64 `json:"start_time"`
	End     *float64 `json:"end_time"`
	Content string   `json:"content"`
	Speaker string   `json:"speaker"`
	Channel string   `json:"channel"`
}

// visitor is what walk calls for the parts of a document, in their order in the text. Parts without a function are skipped.
type visitor struct {
	duration func(seconds float64) // job.duration
	metadata func(metadata)
	result   func(*item) error
	// translation returns what is called for the sentences of a translation, or nil to skip them.
	translation func(language string) (func(*sentence) error, error)
}

// walk reads a document to its end.
func (s *scanner) walk(v visitor) error {
	err := s.parts(v)
	var bound boundError
	if errors.As(err, &bound) {
		return s.formatError("%s", string(bound))
	}
	return err
}

// boundError is what functions return that find something wrong and do not know where they are in the document.
type boundError string

func (e boundError) Error() string { return string(e) }

func bound(format string, args ...any) error { return boundError(fmt.Sprintf(format, args...)) }

func (s *scanner) parts(v visitor) error {
	seen := map[string]bool{}
	ok, err := s.object("the document", func(name string) error {
		switch name {
		case "job", "metadata", "results", "translations":
			if seen[name] {
				return s.formatError("the member %s is there twice", name)
			}
			seen[name] = true
		}
		return s.member(name, v)
	})
	switch {
	case err != nil:
		return err
	case !ok:
		return s.formatError("it is null")
	case !seen["results"]:
		return s.formatError("it has no results")
	default:
		return s.end()
	}
}

func (s *scanner) member(name string, v visitor) error {
	switch {
	case name == "job" && v.duration != nil:
		return s.job(v.duration)
	case name == "metadata" && v.metadata != nil:
		var m metadata
		if err := s.metadata(&m); err != nil {
			return err
		}
		v.metadata(m)
		return nil
	case name == "results":
		return s.results(v.result)
	case name == "translations" && v.translation != nil:
		return s.translations(v.translation)
	default:
		return s.skip()
	}
}

func (s *scanner) job(duration func(float64)) error {
	var value float64
	_, err := s.object("job", func(name string) error {
		if name != "duration" {
			return s.skip()
		}
		return s.decode("job.duration", &value)
	})
	if err != nil {
		return err
	}
	if err := check(&value, nil); err != nil {
		return err
	}
	duration(value)
	return nil
}

func (s *scanner) results(result func(*item) error) error {
	if result == nil {
		return s.skipArray("results")
	}
	return s.array("results", func() error {
		var it item
		if err := s.decode("a result", &it); err != nil {
			return err
		}
		said := it.Alternatives.best()
		if err := check(it.Start, it.End, it.Channel, said.Language, said.Speaker); err != nil {
			return err
		}
		return result(&it)
	})
}

func (s *scanner) translations(translation func(string) (func(*sentence) error, error)) error {
	_, err := s.object("translations", func(language string) error {
		if err := checkLabel(language); err != nil {
			return err
		}
		each, err := translation(language)
		if err != nil {
			return err
		}
		if each == nil {
			return s.skipArray("a translation")
		}
		return s.array("a translation", func() error {
			var sent sentence
			if err := s.decode("a translation's sentence", &sent); err != nil {
				return err
			}
			if err := check(sent.Start, sent.End, sent.Channel, sent.Speaker); err != nil {
				return err
			}
			return each(&sent)
		})
	})
	return err
}

const (
	// maxSeconds bounds times. A hundred days of audio are far more than the provider takes.
	maxSeconds = 100 * 24 * 60 * 60
	// maxLabel bounds, in bytes, the names of speakers, channels and languages, which are remembered.
	maxLabel = 256
)

// check makes sure that times and labels are within bounds. Times may be absent.
func check(start, end *float64, labels ...string) error {
	for _, label := range labels {
		if err := checkLabel(label); err != nil {
			return err
		}
	}
	if start != nil && *start > maxSeconds || end != nil && *end > maxSeconds {
		return bound("it has a time of more than %d seconds", maxSeconds)
	}
	return nil
}

func checkLabel(label string) error {
	if len(label) > maxLabel {
		return bound("it has a label of more than %d bytes", maxLabel)
	}
	return nil
}

// seconds is a time of the document, which was checked. Times before the beginning are taken for the beginning.
func seconds(value float64) time.Duration { return time.Duration(max(value, 0) * float64(time.Second)) }
