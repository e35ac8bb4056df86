// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"slices"
	"strings"

	"github.com/dlclark/regexp2/syntax"
)

// malformed are the mistakes in a regular expression that count: those that every implementation of ECMAScript's syntax refuses.
// Other complaints of the parser are its own (a property of Unicode that it does not know, for example), and the job is submitted
// in spite of them.
var malformed = []syntax.ErrorCode{
	syntax.ErrUnexpectedParen,
	syntax.ErrMissingParen,
	syntax.ErrUnrecognizedGrouping,
	syntax.ErrUnterminatedBracket,
	syntax.ErrReversedCharRange,
	syntax.ErrMissingRepeatArgument,
	syntax.ErrInvalidRepeatOp,
	syntax.ErrInvalidRepeatSize,
	syntax.ErrIllegalEndEscape,
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
	switch {
	case !errors.As(err, &complaint) || !slices.Contains(malformed, complaint.Code):
		return nil
	case complaint.Code == syntax.ErrUnterminatedBracket && strings.Contains(expression, "[:"):
		// The parser takes "[:" within brackets for the beginning of a POSIX class, which ECMAScript does not know.
		return nil
	default:
		return errors.New(complaint.Code.String())
	}
}
