// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asticode/go-astisub"
	"github.com/google/go-cmp/cmp"
)

// caption is a caption as a reader of the file sees it.
type caption struct {
	start, end time.Duration
	voice      string
	lines      []string
}

var (
	timing = regexp.MustCompile(`^(\d{2,}):([0-5]\d):([0-5]\d)[.,](\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d)[.,](\d{3})$`)
	voiced = regexp.MustCompile(`^<v ([^<>]+)>(.*)$`)
)

// parse reads captions strictly: what it does not expect fails the test.
func parse(t testing.TB, format, text string) []caption {
	t.Helper()
	if format == "vtt" {
		var ok bool
		if text, ok = strings.CutPrefix(text, "WEBVTT\n"); !ok {
			t.Fatalf("no header: %q", text)
		}
		text = strings.TrimPrefix(text, "\n")
		if strings.HasPrefix(text, "NOTE\nLanguage: ") {
			_, text, _ = strings.Cut(text, "\n\n")
			if !strings.Contains(text, "\n") {
				text = ""
			}
		}
	}
	if text == "" {
		return nil
	}
	if !strings.HasSuffix(text, "\n") {
		t.Fatalf("the last line does not end: %q", text)
	}
	var captions []caption
	for i, block := range strings.Split(strings.TrimSuffix(text, "\n"), "\n\n") {
		captions = append(captions, parseBlock(t, format, i+1, block))
	}
	return captions
}

func parseBlock(t testing.TB, format string, n int, block string) caption {
	t.Helper()
	lines := strings.Split(block, "\n")
	if format == "srt" {
		if lines[0] != strconv.Itoa(n) {
			t.Fatalf("caption %d has the number %q", n, lines[0])
		}
		lines = lines[1:]
	}
	if len(lines) < 2 {
		t.Fatalf("not a caption: %q", block)
	}
	at := timing.FindStringSubmatch(lines[0])
	if at == nil {
		t.Fatalf("not a caption's times: %q", lines[0])
	}
	c := caption{start: clock(at[1:5]), end: clock(at[5:9]), lines: lines[1:]}
	if m := voiced.FindStringSubmatch(lines[1]); m != nil && format == "vtt" {
		c.voice, c.lines[0] = html.UnescapeString(m[1]), m[2]
	}
	for i, line := range c.lines {
		if format == "vtt" {
			if strings.ContainsAny(line, "<>") {
				t.Fatalf("not escaped: %q", line)
			}
			c.lines[i] = html.UnescapeString(line)
		}
		if strings.TrimSpace(line) == "" || strings.Contains(line, "-->") {
			t.Fatalf("a line that ends the caption: %q", block)
		}
	}
	return c
}

func clock(parts []string) time.Duration {
	var milliseconds int64
	for i, unit := range []int64{3600_000, 60_000, 1000, 1} {
		n, _ := strconv.ParseInt(parts[i], 10, 64)
		milliseconds += n * unit
	}
	return time.Duration(milliseconds) * time.Millisecond
}

// letters is what must be in every rendering of a text: its characters without white space and marks of direction.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if blank(r) || r == '\u200F' {
			return -1
		}
		return r
	}, strings.ReplaceAll(text, "→", "-->")) // what srt makes of arrows
}

// lettersOf are the letters of captions.
func lettersOf(captions []caption) string {
	var b strings.Builder
	for _, c := range captions {
		b.WriteString(letters(strings.Join(c.lines, "")))
	}
	return b.String()
}

// wellFormed makes sure of everything that holds of any captions with these options. Those of a voice must not overlap, if there
// is one for each channel.
func wellFormed(t testing.TB, captions []caption, o Options, channels bool) {
	t.Helper()
	l, err := o.layout()
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]time.Duration{}
	var last time.Duration
	for i, c := range captions {
		voice := ""
		if channels {
			voice = c.voice
		}
		switch {
		case c.end <= c.start:
			t.Fatalf("caption %d ends before it begins: %+v", i, c)
		case c.start < last:
			t.Fatalf("caption %d begins before the one before: %+v", i, c)
		case c.start < ends[voice]:
			t.Fatalf("caption %d begins before the one before has ended, at %s: %+v", i, ends[voice], c)
		case c.end-c.start > maxCue+minCue:
			t.Fatalf("caption %d takes long: %+v", i, c)
		case len(c.lines) > l.lines:
			t.Fatalf("caption %d has %d lines: %q", i, len(c.lines), c.lines)
		}
		last, ends[voice] = c.start, c.end
		for _, line := range c.lines {
			line = strings.TrimPrefix(line, "\u200F")
			if characters(line) > l.length && strings.Contains(line, " ") && breakable(line) {
				t.Fatalf("caption %d has a long line: %q", i, line)
			}
		}
	}
}

// breakable reports whether Unicode lets a line be broken.
func breakable(line string) bool {
	n := 0
	for range lineSegments(line) {
		n++
	}
	return n > 1
}

// Another reader of both formats sees the same captions.
func TestCaptions_otherReader(t *testing.T) {
	for name, text := range documents(t) {
		for _, language := range languages(t, text) {
			vtt := render(t, "vtt", text, Options{Language: language})
			srt := render(t, "srt", text, Options{Language: language})
			want := parse(t, "vtt", vtt)
			wellFormed(t, want, Options{}, name == "channels")
			ofVTT, err := astisub.ReadFromWebVTT(strings.NewReader(vtt))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(want, seenBy(ofVTT), cmp.AllowUnexported(caption{})); diff != "" {
				t.Errorf("%s.%s.vtt (-own reader +other reader):\n%s", name, language, diff)
			}
			if len(want) == 0 {
				continue // it takes an empty srt for an error
			}
			ofSRT, err := astisub.ReadFromSRT(strings.NewReader(srt))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i := range want {
				want[i].voice = ""
			}
			if diff := cmp.Diff(want, seenBy(ofSRT), cmp.AllowUnexported(caption{})); diff != "" {
				t.Errorf("%s.%s.srt (-vtt +other reader):\n%s", name, language, diff)
			}
		}
	}
}

func seenBy(subtitles *astisub.Subtitles) []caption {
	var captions []caption
	for _, item := range subtitles.Items {
		c := caption{start: item.StartAt, end: item.EndAt, voice: item.Lines[0].VoiceName}
		for _, line := range item.Lines {
			var text strings.Builder
			for _, part := range line.Items {
				text.WriteString(part.Text)
			}
			c.lines = append(c.lines, text.String())
		}
		captions = append(captions, c)
	}
	return captions
}

// Whatever the words, their times, marks, speakers and channels: each rendering has all of them, once and in order.
func TestRenderings_ofRandomDocuments(t *testing.T) {
	seeds := uint64(200)
	if raceDetector {
		seeds = 20
	}
	for seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			text := randomDocument(t, r)
			o := Options{}
			if r.IntN(2) == 0 {
				o.MaxLineLength, o.MaxLines = 1+r.IntN(60), 1+r.IntN(4)
			}
			for _, language := range []string{"", "xx"} {
				o.Language = language
				checkRenderings(t, text, o)
			}
			if t.Failed() {
				t.Logf("%+v of %s", o, text)
			}
		})
	}
}

// checkRenderings compares the renderings of a document with what is in it.
func checkRenderings(t *testing.T, text []byte, o Options) {
	t.Helper()
	want := contents(t, text, o.Language)
	vtt, srt := parse(t, "vtt", render(t, "vtt", text, o)), parse(t, "srt", render(t, "srt", text, o))
	channels := len(want) > 1
	wellFormed(t, vtt, o, channels)
	if len(srt) != len(vtt) || lettersOf(srt) != lettersOf(vtt) {
		t.Errorf("srt and vtt differ")
	}
	if !channels {
		wellFormed(t, srt, o, false)
	}
	got := map[string]string{}
	for _, c := range vtt {
		channel, _, _ := strings.Cut(c.voice, " ")
		if !channels {
			channel = ""
		}
		got[channel] += lettersOf([]caption{c})
	}
	read := map[string]string{}
	channel := ""
	for line := range strings.Lines(render(t, "txt", text, o)) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "SPEAKER: "); ok {
			channel, _, _ = strings.Cut(name, " ")
			continue
		}
		if !channels {
			channel = ""
		}
		read[channel] += letters(line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("captions (-document +vtt):\n%s", diff)
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Errorf("text (-document +txt):\n%s", diff)
	}
}

// contents are the letters of what is said in each channel; of a single one, without its name.
func contents(t *testing.T, text []byte, language string) map[string]string {
	t.Helper()
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	if language == "" {
		for _, r := range d.Results {
			if len(r.Alternatives) > 0 && slices.Contains([]string{typeWord, typePunctuation, typeEntity}, r.Type) {
				said[r.Channel] += letters(r.Alternatives[0].Content)
			}
		}
	} else {
		for _, s := range d.Translations[language] {
			said[s.Channel] += letters(s.Content)
		}
	}
	for channel, text := range said {
		if text == "" {
			delete(said, channel)
		}
	}
	if len(said) == 1 {
		for channel, text := range said {
			return map[string]string{strings.TrimPrefix(channel, channel): text}
		}
	}
	return said
}

// randomDocument is a document such as no provider makes.
func randomDocument(t *testing.T, r *rand.Rand) []byte {
	t.Helper()
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	some := func() string {
		return pick("word", "a", "&", "<i>", "-->", "3.5", "Straße", "你好", "世界", "สวัสดี", "مرحبا", "שלום", "👨‍👩‍👧", "e\u0301", "two words", "", " ", "x\ny", "SPEAKER",
			"Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen", "17 January 2022", "WEBVTT", "NOTE", "1", "{\\an8}")
	}
	channels := []string{""}
	if n := r.IntN(4); n > 0 {
		channels = []string{"c1", "c2", "c3"}[:n]
	}
	wild := r.IntN(4) == 0
	at := 0.0
	times := func() (any, any) {
		at += []float64{0, 0.01, 0.1, 0.5, 3}[r.IntN(5)]
		start := at
		at += []float64{0, 0.004, 0.3, 1, 9}[r.IntN(5)]
		if wild {
			return r.Float64()*400000 - 10, r.Float64()*400000 - 10
		}
		return start, at
	}
	speaker := "S1"
	results := []any{}
	for range r.IntN(80) {
		if r.IntN(6) == 0 {
			speaker = pick("S1", "S2", "UU", "", "A & B")
		}
		start, end := times()
		result := map[string]any{
			"type":       pick(typeWord, typeWord, typeWord, typeWord, typePunctuation, typeEntity, typeSpeakerChange, "gesture"),
			"start_time": start, "end_time": end, "channel": channels[r.IntN(len(channels))],
		}
		content := some()
		if result["type"] == typePunctuation {
			content = pick(".", ",", "?", "¿", "-", "。", "\"", "،", "…")
			result["attaches_to"] = pick("previous", "previous", "next", "both", "none", "")
			result["is_eos"] = r.IntN(2) == 0
		}
		result["alternatives"] = []any{map[string]any{"content": content, "speaker": speaker, "language": pick("en", "ar", "ja", "")}}
		results = append(results, result)
	}
	at = 0
	sentences := []any{}
	for range r.IntN(12) {
		words := []string{}
		for range r.IntN(25) {
			words = append(words, some())
		}
		start, end := times()
		sentences = append(sentences, map[string]any{
			"content":    strings.Join(words, pick(" ", " ", "", "  ")) + pick(".", "", "!", "。"),
			"start_time": start, "end_time": end, "speaker": pick("S1", "UU"), "channel": channels[r.IntN(len(channels))],
		})
	}
	text, err := json.Marshal(map[string]any{
		"results": results, "translations": map[string]any{"xx": sentences},
		"metadata": map[string]any{"language_pack_info": map[string]any{
			"word_delimiter": pick(" ", ""), "per_language_word_delimiters": map[string]any{"ja": ""}, "per_language_writing_direction": map[string]any{"ar": "right-to-left"},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// FuzzRender reads the facts of whatever there is, and renders it if it is a document.
func FuzzRender(f *testing.F) {
	for _, text := range documents(f) {
		f.Add(text, 0, 0, false)
		f.Add(text, 12, 1, true)
	}
	f.Fuzz(func(t *testing.T, text []byte, length, lines int, translated bool) {
		facts, err := ReadFacts(bytes.NewReader(text))
		if err != nil {
			var format *FormatError
			if !errors.As(err, &format) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if facts.Duration < 0 || len(facts.Errors) > maxErrors+maxLanguages+1 {
			t.Fatalf("%+v", facts)
		}
		o := Options{MaxLineLength: length, MaxLines: lines}
		if translated && len(facts.Translations) > 0 {
			o.Language = facts.Translations[0]
		}
		if _, err := o.layout(); err != nil {
			return
		}
		vtt, srt := parse(t, "vtt", render(t, "vtt", text, o)), parse(t, "srt", render(t, "srt", text, o))
		if len(vtt) != len(srt) || lettersOf(vtt) != lettersOf(srt) {
			t.Fatal("srt and vtt differ")
		}
		render(t, "txt", text, o)
	})
}

// said is a document of words that are each half a second long, without a pause.
func said(words, metadata string) []byte {
	var results []string
	for i, w := range strings.Fields(words) {
		kind := typeWord
		if strings.Trim(w, ".,?!") == "" {
			kind = typePunctuation
		}
		results = append(results, fmt.Sprintf(`{"type":%q,"alternatives":[{"content":%q}],"start_time":%v,"end_time":%v}`, kind, w, float64(i)/2, float64(i+1)/2))
	}
	return fmt.Appendf(nil, `{"metadata":{%s},"results":[%s]}`, metadata, strings.Join(results, ","))
}

// texts are the lines of the captions of a document, which are separated by "/", and the captions by "//".
func texts(t *testing.T, document []byte, o Options) string {
	t.Helper()
	var all []string
	for _, c := range parse(t, "vtt", render(t, "vtt", document, o)) {
		all = append(all, strings.Join(c.lines, " / "))
	}
	return strings.Join(all, " // ")
}

func TestCaptions_whereTheyBreak(t *testing.T) {
	for name, test := range map[string]struct {
		document []byte
		options  Options
		want     string
	}{
		"when the lines are full": {said("one two three four five six seven", ""), Options{MaxLineLength: 9, MaxLines: 2}, "one two / three // four five / six seven"},
		"at the longest time": {
			said("a b c d e f g h i j k l m n o p", ""), Options{}, "a b c d e f g h i j k l m n // o p",
		},
		"after a clause, if it is full": {
			said("one two three four , five six seven eight nine", ""), Options{MaxLineLength: 18, MaxLines: 2}, "one two three / four, // five six seven / eight nine",
		},
		"not after an early clause": {said("a , bbbbbbb ccccccc ddddddd", ""), Options{MaxLineLength: 9, MaxLines: 2}, "a, / bbbbbbb // ccccccc / ddddddd"},
		"after a sentence":          {said("I came and I saw . Then I left .", ""), Options{}, "I came and I saw. // Then I left."},
		"not after a short one":     {said("Yes . No . Then I left .", ""), Options{}, "Yes. No. // Then I left."},
		"never within a long word": {
			said("see Donaudampfschifffahrt there", ""), Options{MaxLineLength: 10, MaxLines: 1}, "see // Donaudampfschifffahrt // there",
		},
		"a mark that does not fit": {said("one two !", ""), Options{MaxLineLength: 7, MaxLines: 2}, "one / two!"},
		"one character a line":     {said("a b", ""), Options{MaxLineLength: 1, MaxLines: 1}, "a // b"},
		"no word delimiter": {
			said("今日 は とても いい 天気 です", `"transcription_config":{"language":"ja"}`), Options{MaxLineLength: 6}, "今日はとても / いい天気です",
		},
		"combining characters count once": {
			said("e\u0301e\u0301e\u0301 e\u0301e\u0301e\u0301", ""), Options{MaxLineLength: 7, MaxLines: 1}, "e\u0301e\u0301e\u0301 e\u0301e\u0301e\u0301",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := texts(t, test.document, test.options); got != test.want {
				t.Errorf("%s\nwant %s", got, test.want)
			}
		})
	}
}

// Speakers, channels and pauses break captions, with a result that is one of these: speaker, start, end.
func TestCaptions_breakBetweenVoices(t *testing.T) {
	const hm = "hm"
	one := func(speaker string, start, end float64) string {
		return fmt.Sprintf(`{"type":"word","alternatives":[{"content":"hm","speaker":%q}],"start_time":%v,"end_time":%v}`, speaker, start, end)
	}
	for name, test := range map[string]struct {
		second string
		want   string
	}{
		"the same":          {one("S1", 1, 2), hm + " " + hm},
		"another speaker":   {one("S2", 1, 2), "hm // hm"},
		"an unknown one":    {one("UU", 1, 2), "hm // hm"},
		"almost a pause":    {one("S1", 1.99, 2), hm + " " + hm},
		"a pause":           {one("S1", 2, 2.5), "hm // hm"},
		"too long together": {one("S1", 1.5, 7.51), "hm // hm"},
	} {
		document := fmt.Appendf(nil, `{"results":[%s,%s]}`, one("S1", 0.5, 1), test.second)
		if got := texts(t, document, Options{}); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// A mark belongs to the voice of the word that it attaches to, and an end that is before the start makes no pause.
func TestCaptions_doNotBreak(t *testing.T) {
	mark := func(mark, attaches, speaker string) string {
		return fmt.Sprintf(`{"type":"punctuation","alternatives":[{"content":%q,"speaker":%q}],"attaches_to":%q,"start_time":5.2,"end_time":5.2}`, mark, speaker, attaches)
	}
	word := func(start, end float64) string {
		return fmt.Sprintf(`{"type":"word","alternatives":[{"content":"hm","speaker":"S1"}],"start_time":%v,"end_time":%v}`, start, end)
	}
	for name, test := range map[string]struct{ results, want string }{
		"a mark before of nobody":  {mark("¿", "next", "UU") + "," + word(5.2, 5.5), "S1: ¿hm"},
		"a mark behind of another": {word(5, 5.2) + "," + mark("?", "previous", "S2"), "S1: hm?"},
		"an end before the start":  {word(5, 2) + "," + word(5.5, 6), "S1: hm hm"}, //nolint:dupword // said twice
	} {
		captions := parse(t, "vtt", render(t, "vtt", []byte(`{"results":[`+test.results+`]}`), Options{}))
		if len(captions) != 1 || captions[0].voice+": "+captions[0].lines[0] != test.want {
			t.Errorf("%s: %+v, want %s", name, captions, test.want)
		}
	}
}

func TestCaptions_times(t *testing.T) {
	type span [2]float64
	for name, test := range map[string]struct{ words, want []span }{
		"as spoken":                  {[]span{{0, 2}, {4, 6}}, []span{{0, 2}, {4, 6}}},
		"short ones last longer":     {[]span{{0, 0.1}, {4, 4.2}}, []span{{0, 1}, {4, 5}}},
		"but not into the next":      {[]span{{0, 0.1}, {0.5, 2}}, []span{{0, 0.5}, {0.5, 2}}},
		"overlapping":                {[]span{{0, 3}, {2, 5}}, []span{{0, 2}, {2, 5}}},
		"overlapping from the start": {[]span{{0, 3}, {0, 5}}, []span{{0, 1}, {1, 5}}},
		"at once, at no time":        {[]span{{1, 1}, {1, 1}, {1, 1}}, []span{{1, 1.001}, {1.001, 1.002}, {1.002, 2.002}}},
		"backwards":                  {[]span{{5, 6}, {1, 2}}, []span{{5, 6}, {6, 7}}},
		"ends before it begins":      {[]span{{5, 2}}, []span{{5, 6}}},
		"before the beginning":       {[]span{{-3, -1}}, []span{{0, 1}}},
		"hours and hours":            {[]span{{4000 * 100, 4000*100 + 2}}, []span{{400000, 400002}}},
		"a very long word":           {[]span{{0, 60}}, []span{{0, 7}}},
		"rounded":                    {[]span{{0.0004, 1.2346}}, []span{{0, 1.235}}},
	} {
		t.Run(name, func(t *testing.T) {
			var results []string
			for i, w := range test.words { // each from another speaker, which makes it a caption
				results = append(results, fmt.Sprintf(`{"type":"word","alternatives":[{"content":"hm","speaker":"S%d"}],"start_time":%v,"end_time":%v}`, i, w[0], w[1]))
			}
			document := []byte(`{"results":[` + strings.Join(results, ",") + `]}`)
			var got []span
			for _, c := range parse(t, "vtt", render(t, "vtt", document, Options{})) {
				got = append(got, span{float64(c.start.Milliseconds()) / 1000, float64(c.end.Milliseconds()) / 1000})
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
	if got := render(t, "srt", []byte(`{"results":[{"type":"word","alternatives":[{"content":"hm"}],"start_time":360000.5,"end_time":360002}]}`), Options{}); !strings.Contains(got, "100:00:00,500 --> 100:00:02,000\n") {
		t.Errorf("%q", got)
	}
}

// A right-to-left line that begins with Latin letters gets a mark, or players would take it for a left-to-right one.
func TestCaptions_rightToLeft(t *testing.T) {
	for name, test := range map[string]struct{ words, metadata, want string }{
		"begins with its own letters": {"مرحبا AWS", `"language_pack_info":{"writing_direction":"right-to-left"}`, "مرحبا AWS"},
		"begins with Latin letters":   {"AWS مرحبا", `"language_pack_info":{"writing_direction":"right-to-left"}`, "\u200FAWS مرحبا"},
		"a number is neither":         {"3 مرحبا", `"language_pack_info":{"writing_direction":"right-to-left"}`, "3 مرحبا"},
		"the language tells":          {"AWS שלום", `"transcription_config":{"language":"he"}`, "\u200FAWS שלום"},
		"the other direction":         {"AWS مرحبا", `"transcription_config":{"language":"en"}`, "AWS مرحبا"},
	} {
		if got := texts(t, said(test.words, test.metadata), Options{}); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// In a document of several languages, each has its own direction, and a line has one.
func TestCaptions_severalDirections(t *testing.T) {
	result := func(content, language string, at float64) string {
		return fmt.Sprintf(`{"type":"word","alternatives":[{"content":%q,"language":%q}],"start_time":%v,"end_time":%v}`, content, language, at, at+0.5)
	}
	const mark = `{"type":"punctuation","alternatives":[{"content":".","language":"r"}],"attaches_to":"previous","is_eos":true,"start_time":1,"end_time":1}`
	document := `{"metadata":{"language_pack_info":{"writing_direction":"left-to-right","per_language_writing_direction":{"l":"left-to-right","r":"right-to-left"}}},"results":[` +
		strings.Join([]string{result("one", "r", 0), result("two", "l", 0.5), mark, result("three", "r", 1), result("four", "l", 1.5)}, ",") + `]}`
	if got, want := texts(t, []byte(document), Options{}), "\u200Fone two. // \u200Fthree four"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	document = strings.Replace(document, `"content":"two","language":"l"`, `"content":"two","language":"r"`, 1)
	document = strings.Replace(document, `"content":"three","language":"r"`, `"content":"three","language":"l"`, 1)
	if got, want := texts(t, []byte(document), Options{}), "\u200Fone two. // three four"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCaptions_escape(t *testing.T) {
	document := []byte(`{"results":[{"type":"word","alternatives":[{"content":"<b>&amp;-->","speaker":"A>B & \n\n<C>"}],"end_time":2}],"metadata":{"transcription_config":{"language":"en\n\n--> x"}}}`)
	wantVTT := "WEBVTT\n\nNOTE\nLanguage: en --&gt; x\n\n00:00:00.000 --> 00:00:02.000\n<v A&gt;B &amp; &lt;C&gt;>&lt;b&gt;&amp;amp;--&gt;\n"
	if got := render(t, "vtt", document, Options{}); got != wantVTT {
		t.Errorf("%q\nwant %q", got, wantVTT)
	}
	if got, want := render(t, "srt", document, Options{}), "1\n00:00:00,000 --> 00:00:02,000\n<b>&amp;→\n"; got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// The order of the channels in the document does not matter: by time or one after the other, the captions are the same.
func TestCaptions_channelsInBlocks(t *testing.T) {
	byTime := documents(t)["channels"]
	var d Document
	if err := json.Unmarshal(byTime, &d); err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(d.Results, func(a, b Result) int { return strings.Compare(a.Channel, b.Channel) })
	blocks, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for format := range renderings {
		if diff := cmp.Diff(render(t, format, byTime, Options{}), render(t, format, blocks, Options{})); diff != "" {
			t.Errorf("%s (-by time +in blocks):\n%s", format, diff)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{MaxLineLength: -1}, {MaxLineLength: 1001}, {MaxLines: -1}, {MaxLines: 101}} {
		for _, format := range []string{"vtt", "srt"} {
			var out bytes.Buffer
			if err := renderings[format](&out, bytes.NewReader(documents(t)["silence"]), o); err == nil || out.Len() > 0 {
				t.Errorf("%s, %+v: %v, %q", format, o, err, out.String())
			}
		}
	}
	render(t, "vtt", documents(t)["interview"], Options{MaxLineLength: 1000, MaxLines: 100})
	for format, write := range renderings {
		var out bytes.Buffer
		var missing *NoTranslationError
		err := write(&out, bytes.NewReader(documents(t)["failures"]), Options{Language: "de"})
		if !errors.As(err, &missing) || missing.Language != "de" || !strings.Contains(err.Error(), `"de"`) || out.Len() > 0 {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// The document is read from its beginning, wherever its reader stands.
func TestRenders_fromTheBeginning(t *testing.T) {
	text := documents(t)["legacy"]
	reader := bytes.NewReader(text)
	if _, err := reader.Seek(99, 0); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteText(&out, reader, Options{}); err != nil || out.String() != render(t, "txt", text, Options{}) {
		t.Errorf("%q, %v", out.String(), err)
	}
}
