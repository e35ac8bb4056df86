// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// maxTextBytes bounds the text of an alignment job (undocumented).
const maxTextBytes = 1 << 20

// errInvalidText is the reason for a text that cannot be aligned, as the service words it.
const errInvalidText = rejectionError("Job rejected due to invalid text")

// The tags of an alignment's words and lines.
const (
	tagsWords = "word_start_and_end"
	tagsLines = "one_per_line"
)

// textPieces are what a line of a text is made of: markup, which is passed through, space, and words.
var textPieces = regexp.MustCompile(`<[^<>]*>|[^\s<]+|<|\s+`)

// checkText says whether a text can be aligned.
func checkText(text []byte) error {
	if len(text) > maxTextBytes || !utf8.Valid(text) || textWeight(string(text)) == 0 {
		return errInvalidText
	}
	return nil
}

// pieceWeight is how long it takes to say a piece, in letters; 0 is nothing to say.
func pieceWeight(piece string) float64 {
	if strings.TrimSpace(piece) == "" || strings.HasPrefix(piece, "<") && strings.HasSuffix(piece, ">") {
		return 0
	}
	return float64(utf8.RuneCountInString(piece) + 1)
}

func textWeight(text string) float64 {
	var sum float64
	for line := range strings.Lines(text) {
		for _, piece := range textPieces.FindAllString(line, -1) {
			sum += pieceWeight(piece)
		}
	}
	return sum
}

// aligned is a text with times: those of each word, or that of each line.
func aligned(text []byte, length time.Duration, tags string) string {
	var b strings.Builder
	var passed float64
	total := textWeight(string(text))
	at := func() float64 { return hundredths(passed / total * length.Seconds()) }
	for line := range strings.Lines(string(text)) {
		if tags == tagsLines && textWeight(line) > 0 {
			b.WriteString(lineTime(at()))
		}
		for _, piece := range textPieces.FindAllString(line, -1) {
			weight := pieceWeight(piece)
			if weight == 0 || tags == tagsLines {
				b.WriteString(piece)
				passed += weight
				continue
			}
			start := at()
			passed += weight
			fmt.Fprintf(&b, "<time=%.2f>%s<time=%.2f>", start, piece, at())
		}
	}
	return b.String()
}

// lineTime is [hours:minutes:seconds.tenths] and a gap, as in the specification's example.
func lineTime(seconds float64) string {
	tenths := int64(seconds * 10)
	return fmt.Sprintf("[%02d:%02d:%02d.%d]    ", tenths/36_000, tenths/600%60, tenths/10%60, tenths%10)
}

// alignmentOf is the aligned text of a job that is done.
func (s *Server) alignmentOf(j *job, tags string) string {
	s.mu.Lock()
	text, length := j.text, j.recording.length
	s.mu.Unlock()
	return aligned(text, length, tags)
}

// findAlignment finds the alignment job of a request, or answers it.
func (s *Server) findAlignment(w http.ResponseWriter, r *http.Request, by caller) (*job, bool) {
	j, ok := s.lookup(w, r, by)
	if ok && j.config.kind != jobAlignment {
		s.writeError(w, http.StatusNotFound, "Job is not of type alignment", "")
		return nil, false
	}
	return j, ok
}

// getText answers GET /jobs/{id}/text with the text of an alignment job.
func (s *Server) getText(w http.ResponseWriter, r *http.Request, by caller) {
	j, ok := s.findAlignment(w, r, by)
	if !ok {
		return
	}
	s.mu.Lock()
	details, text := j.details(), j.text
	s.mu.Unlock()
	if !s.shown(w, details.Status, details) {
		return
	}
	if text == nil { // is still to be fetched
		s.writeError(w, http.StatusNotFound, "Job In Progress", "")
		return
	}
	write(w, http.StatusOK, contentTypeOf(formatText), text)
}

// getAlignment answers GET /jobs/{id}/alignment.
func (s *Server) getAlignment(w http.ResponseWriter, r *http.Request, by caller) {
	tags := orElse(r.URL.Query().Get("tags"), tagsWords)
	if tags != tagsWords && tags != tagsLines {
		s.writeError(w, http.StatusUnprocessableEntity, "tags in query should be one of ["+tagsWords+" "+tagsLines+"]", "")
		return
	}
	j, ok := s.findAlignment(w, r, by)
	if ok && s.transcribed(w, j) {
		write(w, http.StatusOK, contentTypeOf(formatText), []byte(s.alignmentOf(j, tags)))
	}
}
