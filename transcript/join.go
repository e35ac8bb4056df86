// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// writing knows how the words of a document join.
type writing struct {
	pack languagePack
	// language is the document's, for words that do not say theirs.
	language string
}

// delimiter is what stands between two words of the language. Source, here and in joiner: Speechmatics API, batch v2:
// LanguagePackInfo and RecognitionResult.attaches_to; the per-language delimiters are those of the model melia-1.
func (w writing) delimiter(language string) string {
	if language == "" {
		language = w.language
	}
	if d, ok := w.pack.Delimiters[language]; ok {
		return d
	}
	if w.pack.Delimiter != nil {
		return *w.pack.Delimiter
	}
	if spacelessLanguages[language] {
		return ""
	}
	return " "
}

// spacelessLanguages are written without spaces, as the codes of the provider. They matter only to documents that do not
// tell their word delimiter.
var spacelessLanguages = map[string]bool{
	"cmn": true, "cmn_en": true, "cmn_en_ms_ta": true, "ja": true, "lo": true, "km": true, "my": true, "th": true, "yue": true, "zh": true,
}

// rightToLeft reports whether the language is written from right to left.
func (w writing) rightToLeft(language string) bool {
	if language == "" {
		language = w.language
	}
	if d, ok := w.pack.Directions[language]; ok {
		return d == "right-to-left"
	}
	if w.pack.Direction != "" && len(w.pack.Directions) == 0 {
		return w.pack.Direction == "right-to-left"
	}
	return rightToLeftLanguages[language]
}

// rightToLeftLanguages are those of the provider's languages, and of those it translates into, that are written from right to left.
var rightToLeftLanguages = map[string]bool{"ar": true, "ar_en": true, "fa": true, "he": true, "ps": true, "sd": true, "ug": true, "ur": true, "yi": true}

// joiner finds what stands between a word and the one before.
type joiner struct {
	writing writing
	begun   bool
	last    rune   // of the word before
	between string // the delimiter of its language
	forward bool   // the word before attaches to the next
}

// join returns what stands before the text, and whether the text must not be separated from the word before.
func (j *joiner) join(text, language, attachesTo string) (delimiter string, attached bool) {
	first, _ := utf8.DecodeRuneInString(text)
	own := j.writing.delimiter(language)
	attached = j.begun && (j.forward || attachesTo == "previous" || attachesTo == "both")
	switch {
	case !j.begun, attached:
		delimiter = ""
	case own != "" && j.between != "":
		delimiter = own
	case own == j.between:
		delimiter = gap(j.last, first)
	case !wideMark(j.last): // one of two languages has spaces
		delimiter = own + j.between
	}
	j.begun = true
	j.last, _ = utf8.DecodeLastRuneInString(text)
	j.between = own
	j.forward = attachesTo == "next" || attachesTo == "both"
	return delimiter, attached
}

// gap is what stands between two words if the word delimiter is empty. It is that of a script without spaces, in which there
// can be English words all the same; and there are English documents that have it (format 2.8). The characters tell.
func gap(before, after rune) string {
	if spaceless(before) || spaceless(after) {
		return ""
	}
	return " "
}

// spaceless reports whether a character belongs to a script that is written without spaces between words.
func spaceless(r rune) bool {
	switch {
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan):
		return true
	default:
		return wideMark(r)
	}
}

// wideMark reports whether a character is a mark of the East Asian scripts, which brings its own space: 。、「」！？ー・
func wideMark(r rune) bool {
	return r >= 0x3000 && r <= 0x303F || r >= 0xFF00 && r <= 0xFFEF || r == 'ー' || r == '・'
}

// attachment says where a punctuation mark attaches that does not say it itself, as in older formats.
func attachment(mark string) string {
	if strings.ContainsAny(mark, "([{¿¡«“‘「『（《〈【") {
		return "next"
	}
	return "previous"
}

// endsSentence reports whether a mark that does not say it is the end of a sentence.
func endsSentence(mark string) bool {
	return strings.ContainsAny(mark, ".?!…。．？！؟۔।॥።։")
}

// clean makes one line of a text: runs of white space and control characters become one space, which is nowhere at the
// ends. So a text can neither end a caption nor begin another.
func clean(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), blank), " ")
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
