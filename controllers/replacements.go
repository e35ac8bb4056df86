// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"fmt"
	"regexp"
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

var (
	// flagged is an expression with flags after its second slash, which the provider would take for a word that nobody says. The
	// letters are those of ECMAScript, and Perl's x; other letters may be a path's.
	flagged = regexp.MustCompile(`(?s)^/.+/[dgimsuvxy]+$`)
	// grouping is what may follow the ? of a group: ECMAScript's groups, with the modifiers of its edition of 2025, which some
	// engines know.
	grouping = regexp.MustCompile(`^(?:[:=!<]|[ims]*(?:-[ims]*)?:)`)
	// inlineFlags is what follows the ? of a group that sets flags for the rest of the expression, as Perl and others have it.
	inlineFlags = regexp.MustCompile(`^[a-zA-Z-]+\)`)
)

// checkReplacement returns what is wrong with the text that a replacement looks for: a word, or a regular expression in ECMAScript's
// syntax between slashes, of which a malformed one makes the job fail (Speechmatics API, batch v2:
// transcript_filtering_config.replacements). The schema bounds its length, and parsing does not run it.
func checkReplacement(from string) error {
	if flagged.MatchString(from) {
		return errors.New("has flags after the second slash, where Speechmatics knows none, and would never match; write it as /expression/, with [Uu]m for um in either case")
	}
	if len(from) < 2 || !strings.HasPrefix(from, "/") || !strings.HasSuffix(from, "/") {
		return nil
	}
	if err := checkExpression(from[1 : len(from)-1]); err != nil {
		return fmt.Errorf("is a malformed regular expression, with which the job would fail at Speechmatics: it has %w", err)
	}
	return nil
}

// checkExpression returns what every implementation of ECMAScript's syntax refuses of an expression.
func checkExpression(expression string) error {
	if err := checkGroups(expression); err != nil {
		return err
	}
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

// checkGroups refuses the groups of other dialects, which the parser knows and ECMAScript does not: (?i), (?#comment), (?>atomic).
func checkGroups(expression string) error {
	inClass := false
	for i := 0; i < len(expression); i++ {
		switch c := expression[i]; {
		case c == '\\':
			i++ // what is escaped means itself
		case inClass:
			inClass = c != ']'
		case c == '[':
			inClass = true
		case c == '(':
			if rest, special := strings.CutPrefix(expression[i+1:], "?"); special && !grouping.MatchString(rest) {
				return unknownGroup(rest)
			}
		}
	}
	return nil
}

// unknownGroup says what is wrong with a group of another dialect, of which this follows the question mark.
func unknownGroup(rest string) error {
	if flags := inlineFlags.FindString(rest); flags != "" {
		return fmt.Errorf("flags in (?%s, and there are no flags there; write [Uu]m for um in either case", flags)
	}
	return errors.New(malformed[syntax.ErrUnrecognizedGrouping])
}
