// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"io/fs"
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
	// fillerPerSecond is about how fast people talk, in words.
	fillerPerSecond = 2.5
	// maxFiller bounds the number of filler words.
	maxFiller = 200_000
	// fillerSentence is the length of a filler sentence.
	fillerSentence = 12
)

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

// parseScript reads a side file. It returns nil where there are no words, or the file is no text.
func parseScript(text []byte) []turn {
	if len(text) > maxScriptBytes || !utf8.Valid(text) {
		return nil
	}
	var script []turn
	speaker := "S1"
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if label := speakerPrefix.FindStringSubmatch(line); label != nil {
			speaker = label[1]
			line = line[len(label[0]):]
		}
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case len(script) > 0 && script[len(script)-1].speaker == speaker:
			last := &script[len(script)-1]
			last.words = append(last.words, words...)
		default:
			script = append(script, turn{speaker: speaker, words: words})
		}
	}
	return script
}

// filler is what is said where nobody wrote it down: numbered words.
func filler(length time.Duration) []turn {
	n := min(max(1, int(length.Seconds()*fillerPerSecond)), maxFiller)
	words := make([]string, n)
	for i := range words {
		words[i] = "word" + strconv.Itoa(i+1)
		if (i+1)%fillerSentence == 0 || i == n-1 {
			words[i] += "."
		}
	}
	return []turn{{speaker: "S1", words: words}}
}

// scriptOfUpload looks for the words of uploaded media: by name, then by content.
func (s *Server) scriptOfUpload(sent *submission) []turn {
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
		if script := parseScript(text); script != nil {
			return script
		}
	}
	return nil
}
