// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"strings"

	"github.com/dlclark/regexp2/syntax"
)

// malformed are the mistakes in a regular expression that count, in words for people: those that every implementation of
// ECMAScript's syntax refuses. Other complaints of the parser are its own (a property of Unicode that it does not know, for
// example), and the job is submitted in spite of them.
var malformed = map[syntax.ErrorCode]string{
	syntax.ErrUnexpectedParen:       "a ) without a (",
	syntax.ErrMissingParen:          "a ( without a )",
	syntax.ErrUnrecognizedGrouping:  "a group that begins with (? and something unknown",
	syntax.ErrUnterminatedBracket:   "a [ without a ]",
	syntax.ErrReversedCharRange:     "a range in [] whose end comes before its beginning",
	syntax.ErrMissingRepeatArgument: "a *, + or ? that follows nothing",
	syntax.ErrInvalidRepeatOp:       "a repetition of a repetition",
	syntax.ErrInvalidRepeatSize:     "a repetition {n,m} in which n is larger than m",
	syntax.ErrIllegalEndEscape:      `a \ at the end`,
}

// checkReplacement returns what is wrong with the text that a replacement looks for: a word, or a regular expression in ECMAScript's
// syntax between slashes, of which a malformed one makes the job fail (Speechmatics API, batch v2:
// transcript_filtering_config.replacements). The schema bounds its length, and parsing does not run it.
func checkReplacement(from string) error {
	if len(from) < 2 || !strings.HasPrefix(from, "/") || !strings.HasSuffix(from, "/") {
		return nil
	}
	expression := from[1 : len(from)-1]
	_, err := syntax.Parse(expression, syntax.ECMAScript)
	var complaint *syntax.Error
	if !errors.As(err, &complaint) {
		return nil
	}
	mistake, known := malformed[complaint.Code]
	switch {
	case !known:
		return nil
	case complaint.Code == syntax.ErrUnterminatedBracket && strings.Contains(expression, "[:"):
		// The parser takes "[:" within brackets for the beginning of a POSIX class, which ECMAScript does not know.
		return nil
	default:
		return errors.New(mistake)
	}
}
