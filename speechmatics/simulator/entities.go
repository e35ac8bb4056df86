// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"regexp"
	"strconv"
	"strings"
)

// entityPatterns tell the class of an entity by how it is written.
var entityPatterns = []struct {
	class   string
	pattern *regexp.Regexp
	spoken  func(parts []string) string
}{
	{"money", regexp.MustCompile(`^([£$€])([0-9]{1,6})$`), func(p []string) string { return spokenNumber(p[2]) + " " + currencies[p[1]] }},
	{"percentage", regexp.MustCompile(`^([0-9]{1,6})%$`), func(p []string) string { return spokenNumber(p[1]) + " percent" }},
	{"ordinal", regexp.MustCompile(`^([0-9]{1,3})(?:st|nd|rd|th)$`), func(p []string) string { return spokenOrdinal(p[1]) }},
	{"time", regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2})$`), func(p []string) string { return spokenNumber(p[1]) + " " + spokenNumber(p[2]) }},
	{"decimal", regexp.MustCompile(`^([0-9]{1,6})\.([0-9]{1,10})$`), func(p []string) string { return spokenNumber(p[1]) + " point " + spokenDigits(p[2]) }},
	{"cardinal", regexp.MustCompile(`^([0-9]{1,6})$`), func(p []string) string { return spokenNumber(p[1]) }},
	{"telephone", regexp.MustCompile(`^(\+?[0-9]{7,15})$`), func(p []string) string { return spokenDigits(strings.TrimPrefix(p[1], "+")) }},
	{"alphanum", regexp.MustCompile(`^([A-Z]{1,4})-?([0-9]{1,6})$`), func(p []string) string { return p[1] + " " + spokenNumber(p[2]) }},
}

var currencies = map[string]string{"£": "pounds", "$": "dollars", "€": "euros"}

// entityOf says whether a written word is an entity, of which class, and how it is spoken. Only English is
// spoken here; in other languages the spoken form is the written one.
func entityOf(written, language string) (class string, spoken []string, ok bool) {
	for _, e := range entityPatterns {
		parts := e.pattern.FindStringSubmatch(written)
		if parts == nil {
			continue
		}
		if language != languageDefault {
			return e.class, []string{written}, true
		}
		return e.class, strings.Fields(e.spoken(parts)), true
	}
	return "", nil, false
}

var (
	smallNumbers = strings.Fields("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen " +
		"sixteen seventeen eighteen nineteen")
	tens     = strings.Fields("zero ten twenty thirty forty fifty sixty seventy eighty ninety")
	ordinals = map[string]string{
		"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth",
	}
)

func spokenDigits(digits string) string {
	var words []string
	for _, digit := range digits {
		words = append(words, smallNumbers[digit-'0'])
	}
	return strings.Join(words, " ")
}

// spokenNumber speaks a number of at most six digits.
func spokenNumber(digits string) string {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return digits
	}
	return numberWords(n)
}

func numberWords(n int) string {
	switch {
	case n < 20:
		return smallNumbers[n]
	case n < 100:
		return joinNonZero(tens[n/10], n%10)
	case n < 1000:
		return joinNonZero(smallNumbers[n/100]+" hundred", n%100)
	default:
		return joinNonZero(numberWords(n/1000)+" thousand", n%1000)
	}
}

func joinNonZero(head string, rest int) string {
	if rest == 0 {
		return head
	}
	return head + " " + numberWords(rest)
}

func spokenOrdinal(digits string) string {
	words := strings.Fields(spokenNumber(digits))
	last := words[len(words)-1]
	switch irregular, ok := ordinals[last]; {
	case ok:
		last = irregular
	case strings.HasSuffix(last, "y"):
		last = strings.TrimSuffix(last, "y") + "ieth"
	default:
		last += "th"
	}
	words[len(words)-1] = last
	return strings.Join(words, " ")
}
