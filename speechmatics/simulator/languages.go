// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

const (
	languageAuto    = "auto"
	languageMulti   = "multi"
	languageDefault = "en"
	domainMedical   = "medical"
	leftToRight     = "left-to-right"
	rightToLeft     = "right-to-left"
)

// pack describes a language.
type pack struct {
	name string
	// joined is a script that is written without spaces.
	joined    bool
	rightLeft bool
	// filler is a word of the language; empty is that of packDefault.
	filler string
}

const fillerDefault = "word"

// packs are the languages of the documentation.
var packs = map[string]pack{
	"ar": {name: "Arabic", rightLeft: true, filler: "كلمة"}, "ar_en": {name: "Arabic & English", rightLeft: true, filler: "كلمة"},
	"ba": {name: "Bashkir", filler: "һүҙ"}, "be": {name: "Belarusian", filler: "слова"}, "bg": {name: "Bulgarian", filler: "дума"},
	"bn": {name: "Bengali", filler: "শব্দ"}, "ca": {name: "Catalan"},
	"cmn": {name: "Mandarin", joined: true, filler: "词语"}, "cmn_en": {name: "Mandarin & English", joined: true, filler: "词语"},
	"cmn_en_ms_ta": {name: "English, Malay, Mandarin & Tamil"},
	"cs":           {name: "Czech"}, "cy": {name: "Welsh"}, "da": {name: "Danish"}, "de": {name: "German"}, "el": {name: "Greek", filler: "λέξη"},
	"en": {name: "English"}, "en_ms": {name: "English & Malay"}, "en_ta": {name: "English & Tamil"}, "eo": {name: "Esperanto"},
	"es": {name: "Spanish"}, "et": {name: "Estonian"}, "eu": {name: "Basque"}, "fa": {name: "Persian", rightLeft: true, filler: "واژه"},
	"fi": {name: "Finnish"}, "fr": {name: "French"}, "ga": {name: "Irish"}, "gl": {name: "Galician"},
	"he": {name: "Hebrew", rightLeft: true, filler: "מילה"}, "hi": {name: "Hindi", filler: "शब्द"}, "hr": {name: "Croatian"}, "hu": {name: "Hungarian"},
	"ia": {name: "Interlingua"}, "id": {name: "Indonesian"}, "it": {name: "Italian"}, "ja": {name: "Japanese", joined: true, filler: "言葉"},
	"ko": {name: "Korean", filler: "단어"}, "lt": {name: "Lithuanian"}, "lv": {name: "Latvian"}, "mn": {name: "Mongolian", filler: "үг"},
	"mr": {name: "Marathi", filler: "शब्द"}, "ms": {name: "Malay"}, "mt": {name: "Maltese"}, "nl": {name: "Dutch"}, "no": {name: "Norwegian"},
	"pl": {name: "Polish"}, "pt": {name: "Portuguese"}, "ro": {name: "Romanian"}, "ru": {name: "Russian", filler: "слово"}, "sk": {name: "Slovak"},
	"sl": {name: "Slovenian"}, "sv": {name: "Swedish"}, "sw": {name: "Swahili"}, "ta": {name: "Tamil", filler: "சொல்"},
	"th": {name: "Thai", joined: true, filler: "คำ"}, "tl": {name: "Tagalog & English"}, "tr": {name: "Turkish"},
	"ug": {name: "Uyghur", rightLeft: true, filler: "سۆز"}, "uk": {name: "Ukrainian", filler: "слово"}, "ur": {name: "Urdu", rightLeft: true, filler: "لفظ"},
	"vi": {name: "Vietnamese"}, "yue": {name: "Cantonese", joined: true, filler: "詞語"},
}

// packOf is the pack of a language; several at once are written like English.
func packOf(language string) pack {
	if p, ok := packs[language]; ok {
		orDefault(&p.filler, fillerDefault)
		return p
	}
	return pack{name: "Multilingual", filler: fillerDefault}
}

func (p pack) delimiter() string {
	if p.joined {
		return ""
	}
	return " "
}

func (p pack) direction() string {
	if p.rightLeft {
		return rightToLeft
	}
	return leftToRight
}

// isLanguage says whether a code is that of a language, and not auto or multi.
func isLanguage(code string) bool { _, ok := packs[code]; return ok }

// languageCodes are all codes that transcription_config.language may have, sorted.
func languageCodes() []string {
	return slices.Concat([]string{languageAuto}, slices.Sorted(maps.Keys(packs)), []string{languageMulti})
}

// locales and domains are those of the documentation, by language.
var (
	locales = map[string][]string{"en": {"en-GB", "en-US", "en-AU"}, "cmn": {"cmn-Hans", "cmn-Hant"}}
	domains = func() map[string][]string {
		byLanguage := map[string][]string{"en": {"finance"}, "es": {"bilingual-en"}}
		for language := range strings.FieldsSeq("ar_en da nl en fi fr de no es sv") {
			byLanguage[language] = append(byLanguage[language], domainMedical)
		}
		return byLanguage
	}()
)

// What is possible in which language, by the documentation.
var (
	notIdentifiable   = strings.Fields("bn yue eo ia ga mt tl ur ug sw")
	notSummarised     = strings.Fields("ga mt ur bn sw")
	translated        = strings.Fields("bg ca cmn cs da de el es et fi fr gl hi hr hu id it ja ko lt lv ms nl no pl pt ro ru sk sl sv tr uk vi")
	withProfanityTags = strings.Fields("en it es")
	withDisfluencies  = strings.Fields("ar da nl en fr de el he hi hu it ja cmn pl pt ru es")
)

// identifiable says whether language identification knows a language.
func identifiable(language string) bool {
	return isLanguage(language) && !slices.Contains(notIdentifiable, language)
}

// translatable says whether a pair of languages is supported: any of a list from and to English, and
// Norwegian to Nynorsk.
func translatable(from, to string) bool {
	switch {
	case from == "en":
		return slices.Contains(translated, to)
	case to == "en":
		return slices.Contains(translated, from)
	}
	return from == "no" && to == "nn"
}

// scriptLanguages tell the language of a word of several languages by its script.
var scriptLanguages = []struct {
	language string
	scripts  []*unicode.RangeTable
}{
	{"ja", []*unicode.RangeTable{unicode.Hiragana, unicode.Katakana}},
	{"cmn", []*unicode.RangeTable{unicode.Han}},
	{"ko", []*unicode.RangeTable{unicode.Hangul}},
	{"ar", []*unicode.RangeTable{unicode.Arabic}},
	{"he", []*unicode.RangeTable{unicode.Hebrew}},
	{"hi", []*unicode.RangeTable{unicode.Devanagari}},
	{"ru", []*unicode.RangeTable{unicode.Cyrillic}},
	{"el", []*unicode.RangeTable{unicode.Greek}},
	{"th", []*unicode.RangeTable{unicode.Thai}},
	{"ta", []*unicode.RangeTable{unicode.Tamil}},
}

// languageByScript guesses a word's language; English where the script does not tell.
func languageByScript(word string) string {
	for _, r := range word {
		for _, candidate := range scriptLanguages {
			if unicode.In(r, candidate.scripts...) {
				return candidate.language
			}
		}
	}
	return languageDefault
}
