// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// joined is the text of a document with these results, in the format of results below, and this language_pack_info.
func joined(t *testing.T, pack, language, results string) string {
	t.Helper()
	text := fmt.Sprintf(`{"metadata":{"transcription_config":{"language":%q}%s},"results":[%s]}`, language, pack, resultsOf(t, results))
	return strings.TrimSuffix(render(t, "txt", []byte(text), Options{}), "\n")
}

// resultsOf makes results of words that are separated by spaces. A mark is |mark (attaches to the previous), mark| (next),
// |mark| (both) or ~mark (none); ?mark does not say it. In word@en the word says its language.
func resultsOf(t *testing.T, words string) string {
	t.Helper()
	var results []string
	for at, w := range strings.Fields(words) {
		kind, attaches := typePunctuation, ""
		body := strings.Trim(w, "|~")
		switch {
		case strings.HasPrefix(w, "|") && strings.HasSuffix(w, "|"):
			attaches = "both"
		case strings.HasPrefix(w, "|"):
			attaches = "previous"
		case strings.HasSuffix(w, "|"):
			attaches = "next"
		case strings.HasPrefix(w, "~"):
			attaches = "none"
		case len(w) > 1 && w[0] == '?':
			body = w[1:]
		default:
			kind = typeWord
		}
		body, language, _ := strings.Cut(body, "@")
		result := map[string]any{
			"type": kind, "alternatives": []any{map[string]any{"content": body, "language": language}, map[string]any{"content": "WRONG"}},
			"start_time": float64(at) / 2, "end_time": float64(at)/2 + 0.4,
		}
		if attaches != "" {
			result["attaches_to"] = attaches
		}
		text, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, string(text))
	}
	return strings.Join(results, ",")
}

func TestJoin(t *testing.T) {
	pack := func(members string) string { return `,"language_pack_info":{` + members + `}` }
	space, none := pack(`"word_delimiter":" "`), pack(`"word_delimiter":""`)
	melia := pack(`"word_delimiter":" ","per_language_word_delimiters":{"en":" ","ja":"","xx":"_"}`)
	for name, test := range map[string]struct{ pack, language, results, want string }{
		"words":                         {space, "en", "one two", "one two"},
		"a mark behind":                 {space, "en", "one |, two |.", "one, two."},
		"a mark before":                 {space, "es", "¿| qué |?", "¿qué?"},
		"a mark on both sides":          {space, "en", "so |-| called", "so-called"},
		"a mark apart":                  {space, "en", "one ~– two", "one – two"},
		"marks in a row":                {space, "en", `"| Stop |! |" he said |.`, `"Stop!" he said.`},
		"a mark first":                  {space, "en", "|. one", ". one"},
		"a mark last":                   {space, "en", "one (|", "one ("},
		"marks that say nothing":        {space, "es", "?¿ qué ?? ?« sí ?» ?, no ?.", "¿qué? «sí», no."},
		"a delimiter of its own":        {pack(`"word_delimiter":"·"`), "xx", "one two |.", "one·two."},
		"no metadata":                   {"", "en", "one two |.", "one two."},
		"no metadata, Japanese":         {"", "ja", "今日 は |。", "今日は。"},
		"a pack without delimiter":      {pack(`"itn":true`), "cmn", "我 很 好", "我很好"},
		"an English empty delimiter":    {none, "en", "Tidy things up |. Place 2 |, é", "Tidy things up. Place 2, é"},
		"Chinese with English":          {none, "cmn", "我 用 Google Cloud 的 服务 |。 OK |。", "我用Google Cloud的服务。OK。"},
		"Thai":                          {none, "th", "สวัสดี ครับ", "สวัสดีครับ"},
		"Korean":                        {space, "ko", "안녕하세요 세계", "안녕하세요 세계"},
		"Korean with an empty one":      {none, "ko", "안녕하세요 세계", "안녕하세요 세계"},
		"full width":                    {none, "ja", "はい ！ コーヒー ー ＡＢ", "はい！コーヒーーＡＢ"},
		"several languages":             {melia, "multi", "so@en |,@en 今日@ja は@ja |。@ja then@en go@en", "so, 今日は。then go"},
		"a language with its own":       {melia, "multi", "a@xx b@xx c@en d@en", "a_b c d"},
		"a language that is not listed": {melia, "multi", "a@yy b@yy 今@ja", "a b 今"},
		"a word that is unknown":        {melia, "ja", "今日 は", "今日は"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := joined(t, test.pack, test.language, test.results); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// What is in a result is one line of text, whatever it is.
func TestJoin_strangeTexts(t *testing.T) {
	result := func(content string) string {
		text, err := json.Marshal(map[string]any{"type": "word", "alternatives": []any{map[string]any{"content": content}}})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for content, want := range map[string]string{
		"two\nlines":             "a two lines b",
		"\r\n\t two \u0085words": "a two words b",
		"":                       "a b",
		" \n":                    "a b",
		"nul\x00\x1b[1m":         "a nul [1m b",
		"line\u2028separator":    "a line separator b",
		"no\u00a0break":          "a no break b",
		"bad\xff":                "a bad\ufffd b",
	} {
		text := `{"results":[` + result("a") + "," + result(content) + "," + result("b") + `]}`
		if got := render(t, "txt", []byte(text), Options{}); got != want+"\n" {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
}

// An entity is in the text once: as it is written, not as it was spoken too.
func TestJoin_entities(t *testing.T) {
	forms := func(name, words string) string { return fmt.Sprintf(`,%q:[%s]`, name, resultsOf(t, words)) }
	entity := func(content, rest string) string {
		return `{"results":[` + resultsOf(t, "on") + `,{"type":"entity","alternatives":[` + content + `]` + rest + `},` + resultsOf(t, "|, please") + `]}`
	}
	for name, test := range map[string]struct{ text, want string }{
		"with everything": {entity(`{"content":"17 January"}`, forms("spoken_form", "seventeen January")+forms("written_form", "17 January")), "on 17 January, please"},
		"with its forms":  {entity("", forms("spoken_form", "five dollars")+forms("written_form", "$| 5")), "on $5, please"},
		"as it is spoken": {entity("", forms("spoken_form", "twenty |-| five |, dollars")), "on twenty-five, dollars, please"},
		"with nothing":    {entity("", ""), "on, please"},
	} {
		if got := render(t, "txt", []byte(test.text), Options{}); got != test.want+"\n" {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestText_disfluenciesStay(t *testing.T) {
	if got := render(t, "txt", documents(t)["interview"], Options{}); !strings.Contains(got, "Um, we saw") {
		t.Errorf("%q", got)
	}
}
