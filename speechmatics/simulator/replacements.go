// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// replacementTimeout bounds the work of one expression on one word: expressions come from outside. The library has a
// clock for it, whose goroutine lives a second longer.
const replacementTimeout = 100 * time.Millisecond

// replacement is an entry of transcript_filtering_config.replacements: a word, or an expression.
type replacement struct {
	from, to   string
	expression *regexp2.Regexp // nil: a plain word
}

// addReplacement reads a replacement. Its error is one of the expression, which the service notices when
// the job is under way.
func (r *recognition) addReplacement(from, to string) error {
	pattern, isExpression := expressionOf(from)
	if !isExpression {
		r.replacements = append(r.replacements, replacement{from: from, to: to})
		return nil
	}
	compiled, err := regexp2.Compile(pattern, regexp2.ECMAScript)
	if err != nil {
		return fmt.Errorf("replacement: %q is not a regular expression", from)
	}
	compiled.MatchTimeout = replacementTimeout
	r.replacements = append(r.replacements, replacement{to: to, expression: compiled})
	return nil
}

// expressionOf returns what is between the slashes of an expression.
func expressionOf(from string) (string, bool) {
	inner, ok := strings.CutPrefix(from, "/")
	if !ok || !strings.HasSuffix(inner, "/") {
		return "", false
	}
	return strings.TrimSuffix(inner, "/"), true
}

// replaced is a word after the first replacement that matches; plain ones are tried first.
func (r *recognition) replaced(word string) string {
	for _, candidate := range r.replacements {
		if candidate.expression == nil && candidate.from == word {
			return candidate.to
		}
	}
	for _, candidate := range r.replacements {
		if candidate.expression == nil {
			continue
		}
		if matches, err := candidate.expression.MatchString(word); err != nil || !matches {
			continue // an expression that takes too long matches nothing
		}
		if result, err := candidate.expression.Replace(word, candidate.to, -1, -1); err == nil {
			return result
		}
	}
	return word
}
