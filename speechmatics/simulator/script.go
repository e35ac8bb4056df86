// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"io/fs"
	"iter"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// unknownSpeaker is the speaker where nobody tells speakers apart.
	unknownSpeaker = "UU"
	// maxScriptBytes bounds a side file.
	maxScriptBytes = 1 << 20
	// maxScriptEvents bounds the audio events of a side file.
	maxScriptEvents = 1000
	// fillerPerSecond is about how fast people talk, in words.
	fillerPerSecond = 2.5
	// maxFiller bounds the number of filler words.
	maxFiller = 500_000
	// fillerSentence is the length of a filler sentence.
	fillerSentence = 12
	// confident is what language identification is sure of, and confidence what it says then.
	confident  = 0.5
	confidence = 0.95
)

// script is what a recording holds. The zero value is filler in whatever language is expected.
type script struct {
	turns []turn
	// language is what is spoken, and confidence how plain that is to hear; empty is unsaid.
	language   string
	confidence float64
	// silent is a recording in which nobody speaks.
	silent bool
	// length replaces what the media say; 0 does not.
	length time.Duration
	events []audioEvent
}

// turn is what one speaker says until another one does.
type turn struct {
	speaker string // S1, S2, …
	words   []string
}

var (
	speakerPrefix   = regexp.MustCompile(`^(S[1-9][0-9]{0,2}):(?:\s+|$)`)
	numberedSpeaker = regexp.MustCompile(`^S[0-9]+$`)
)

func isNumberedSpeaker(label string) bool { return numberedSpeaker.MatchString(label) }

// parseScript reads a side file. It returns nil where it says nothing, or is no text.
func parseScript(text []byte) *script {
	if len(text) > maxScriptBytes || !utf8.Valid(text) {
		return nil
	}
	parsed, said := &script{}, false
	speaker := "S1"
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if parsed.directive(line) {
			said = true
			continue
		}
		if label := speakerPrefix.FindStringSubmatch(line); label != nil {
			speaker = label[1]
			line = line[len(label[0]):]
		}
		parsed.say(speaker, strings.Fields(line))
	}
	if !said && len(parsed.turns) == 0 {
		return nil
	}
	return parsed
}

// say adds words to the turn of a speaker.
func (s *script) say(speaker string, words []string) {
	switch {
	case len(words) == 0:
	case len(s.turns) > 0 && s.turns[len(s.turns)-1].speaker == speaker:
		last := &s.turns[len(s.turns)-1]
		last.words = append(last.words, words...)
	default:
		s.turns = append(s.turns, turn{speaker: speaker, words: words})
	}
}

// directive obeys a line that tells something about the recording, and reports whether it was one. A line
// that only looks like one is speech.
func (s *script) directive(line string) bool {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return false
	}
	arguments := fields[1:]
	switch fields[0] {
	case "@silence":
		s.silent = len(arguments) == 0
		return s.silent
	case "@length":
		return s.readLength(arguments)
	case "@language":
		return s.readLanguage(arguments)
	case "@event":
		return s.readEvent(arguments)
	}
	return false
}

// readLength reads "10h".
func (s *script) readLength(arguments []string) bool {
	if len(arguments) != 1 {
		return false
	}
	length, err := time.ParseDuration(arguments[0])
	if err != nil || length <= 0 || length > maxLength {
		return false
	}
	s.length = length
	return true
}

// readLanguage reads "fr" or "fr 0.4".
func (s *script) readLanguage(arguments []string) bool {
	if len(arguments) == 0 || len(arguments) > 2 {
		return false
	}
	sure := confidence
	if len(arguments) == 2 {
		var err error
		if sure, err = strconv.ParseFloat(arguments[1], 64); err != nil || !(sure >= 0 && sure <= 1) {
			return false
		}
	}
	s.language, s.confidence = arguments[0], sure
	return true
}

// readEvent reads "music 1.5 4": a type, and seconds from and to.
func (s *script) readEvent(arguments []string) bool {
	if len(arguments) != 3 || len(s.events) == maxScriptEvents || oneOf("type", arguments[0], audioEventTypes...) != nil {
		return false
	}
	from, err := strconv.ParseFloat(arguments[1], 64)
	if err != nil {
		return false
	}
	to, err := strconv.ParseFloat(arguments[2], 64)
	if err != nil || !(from >= 0 && to >= from && to <= maxLength.Seconds()) {
		return false
	}
	s.events = append(s.events, audioEvent{Type: arguments[0], StartTime: from, EndTime: to, Confidence: confidence})
	return true
}

// spoken are the written words of a recording, each with its speaker: those of the script, or numbered
// filler, for which no list is kept.
func (s *script) spoken(length time.Duration, p pack) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if s.silent {
			return
		}
		if len(s.turns) == 0 {
			filler(length, p.filler)(func(word string) bool { return yield("S1", word) })
			return
		}
		for _, t := range s.turns {
			for _, word := range t.words {
				if !yield(t.speaker, word) {
					return
				}
			}
		}
	}
}

// filler is what is said where nobody wrote it down: numbered words.
func filler(length time.Duration, word string) iter.Seq[string] {
	n := fillerLength(length)
	return func(yield func(string) bool) {
		for i := 1; i <= n; i++ {
			written := word + strconv.Itoa(i)
			if i%fillerSentence == 0 || i == n {
				written += "."
			}
			if !yield(written) {
				return
			}
		}
	}
}

func fillerLength(length time.Duration) int {
	return min(max(1, int(length.Seconds()*fillerPerSecond)), maxFiller)
}

// scriptOfUpload looks for the words of uploaded media: by name, then by content.
func (s *Server) scriptOfUpload(sent *submission) *script {
	if s.options.Transcripts == nil {
		return nil
	}
	base := path.Base(strings.ReplaceAll(sent.dataName, "\\", "/"))
	for _, stem := range []string{strings.TrimSuffix(base, path.Ext(base)), sent.media.sha256} {
		name := stem + ".txt"
		if stem == "" || !fs.ValidPath(name) {
			continue
		}
		info, err := fs.Stat(s.options.Transcripts, name)
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxScriptBytes {
			continue
		}
		text, err := fs.ReadFile(s.options.Transcripts, name)
		if err != nil {
			s.log.Warn("words cannot be read", "file", name, "error", err)
			continue
		}
		if found := parseScript(text); found != nil {
			return found
		}
	}
	return nil
}
