// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// refused makes sure that a document is refused in all ways, before anything is written, and returns why.
func refused(t *testing.T, text string) *FormatError {
	t.Helper()
	_, err := ReadFacts(strings.NewReader(text))
	var format *FormatError
	if !errors.As(err, &format) {
		t.Fatalf("ReadFacts: %v, want a FormatError", err)
	}
	if format.Offset < 0 || format.Offset > int64(len(text)) {
		t.Errorf("byte %d of %d", format.Offset, len(text))
	}
	for name, write := range renderings {
		var out bytes.Buffer
		if err := write(&out, strings.NewReader(text), Options{}); !errors.As(err, &format) || out.Len() > 0 {
			t.Errorf("%s: %v, after %q", name, err, out.String())
		}
	}
	return format
}

func TestRefuses(t *testing.T) {
	long := strings.Repeat("x", maxValue)
	result := func(members string) string { return `{"results":[{` + members + `}]}` }
	for name, test := range map[string]struct{ text, want string }{
		"nothing":                  {"", "too early"},
		"null":                     {"null", "null"},
		"an array":                 {"[]", "the document is not an object"},
		"text":                     {"hello", "not JSON"},
		"HTML":                     {"<html>", "not JSON"},
		"no results":               {`{"job":{}}`, "no results"},
		"an error of the provider": {`{"code":404,"error":"Job not found"}`, "no results"},
		"results twice":            {`{"results":[],"results":[]}`, "twice"},
		"something behind it":      {`{"results":[]} {}`, "follows"},
		"results of another type":  {`{"results":{}}`, "results is not an array"},
		"a result of another type": {`{"results":["word"]}`, "a result that is not an object"},
		"a text of another type":   {result(`"type":"word","alternatives":[{"content":5}]`), "content that is not a string"},
		"a form of another type":   {result(`"type":"entity","written_form":["x"]`), "a form of an entity that is not an object"},
		"forms of another type":    {result(`"type":"entity","spoken_form":{}`), "a form of an entity is not an array"},
		"a time of another type":   {result(`"start_time":"secret"`), "start_time that is not a number"},
		"a time without end":       {result(`"start_time":1e999`), "start_time that is not a number within bounds"},
		"a time too late":          {result(`"end_time":1e9`), "a time of more than"},
		"a long label":             {result(`"channel":"` + strings.Repeat("x", maxLabel+1) + `"`), "label"},
		"a result too large":       {result(`"x":"` + long + `"`), "a value of more than"},
		"a string too large":       {`{"x":"` + long + `","results":[]}`, "a value of more than"},
		"a number too large":       {`{"x":` + strings.Repeat("9", 2*maxValue) + `,"results":[]}`, "a value of more than"},
		"too much space":           {`{"x":` + strings.Repeat(" ", 2*maxValue) + `1,"results":[]}`, "a value of more than"},
		"a name too large":         {`{"` + long + `":1,"results":[]}`, "a value of more than"},
		"nested too deeply":        {`{"x":` + strings.Repeat("[", maxDepth+1) + "1", "deeper"},
		"a comma too many":         {`{"results":[{},]}`, "not JSON"},
		"a translation twice":      {`{"results":[],"translations":{"de":[],"de":[]}}`, "twice"},
		"a translation's label":    {`{"results":[],"translations":{"` + strings.Repeat("x", maxLabel+1) + `":[]}}`, "label"},
		"a translation's time":     {`{"results":[],"translations":{"de":[{"start_time":1e9}]}}`, "a time of more than"},
		"a translation's type":     {`{"results":[],"translations":{"de":{}}}`, "a translation is not an array"},
		"a language pack's type":   {`{"results":[],"metadata":{"language_pack_info":{"word_delimiter":1}}}`, "word_delimiter that is not a string"},
		"a language's type":        {`{"results":[],"metadata":{"transcription_config":{"language":1}}}`, "language that is not a string"},
		"too many errors":          {`{"results":[],"metadata":{"x_errors":[` + strings.Repeat("{},", maxErrors) + `{}]}}`, "more than 100 errors"},
		"too many languages":       {many(maxLanguages+1, `{"alternatives":[{"language":"l%d"}]}`), "more than 100 languages"},
		"too many speakers":        {many(maxSpeakers+1, `{"alternatives":[{"speaker":"S%d"}]}`), "more than 1000 speakers"},
		"too many channels":        {many(maxChannels+1, `{"channel":"channel_%d"}`), "more than 128 channels"},
	} {
		t.Run(name, func(t *testing.T) {
			got := refused(t, test.text).Error()
			if !strings.Contains(got, test.want) || strings.Contains(got, "secret") || len(got) > 300 {
				t.Errorf("%s, want %q", got, test.want)
			}
		})
	}
}

// many is a document with n results.
func many(n int, format string) string {
	results := make([]string, n)
	for i := range results {
		results[i] = fmt.Sprintf(format, i)
	}
	return `{"results":[` + strings.Join(results, ",") + `]}`
}

// Within the bounds nothing is refused: what is not understood is passed over.
func TestAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"nothing but results": `{"results":[]}`,
		"nulls":               `{"job":null,"metadata":null,"results":null,"translations":null}`,
		"more nulls": `{"job":{"duration":null},"metadata":{"language_pack_info":null,"language_identification":null,"translation_config":null,
			"transcription_config":{"language":null},"summarization_errors":null},"results":[{"type":"word","alternatives":null,"start_time":null},null],"translations":{"de":null}}`,
		"unknown members":  `{"x":{"results":[1,{"y":[[]]}]},"results":[{"x":1,"type":"word","alternatives":[{"content":"a","x":{}}]}],"y":"z"}`,
		"a number's range": `{"x":1e999,"results":[]}`,
		"a large value":    `{"x":"` + strings.Repeat("x", maxValue-readAhead) + `","results":[]}`,
		"large in all":     `{"x":[` + strings.Repeat(`"0123456789abcdef",`, 70_000) + `1],"results":[]}`,
		"deep":             `{"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `,"results":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ReadFacts(strings.NewReader(text)); err != nil {
				t.Error(err)
			}
			for format := range renderings {
				render(t, format, []byte(text), Options{})
			}
		})
	}
}

// A document that is cut off anywhere is refused.
func TestTruncated(t *testing.T) {
	whole := strings.TrimSpace(string(documents(t)["failures"]))
	for n := range len(whole) {
		_, err := ReadFacts(strings.NewReader(whole[:n]))
		var format *FormatError
		if !errors.As(err, &format) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	_ = refused(t, whole[:len(whole)-1])
}

// Errors of the source are not the document's fault, and are there to be found.
func TestSourceFails(t *testing.T) {
	errBroken := errors.New("the disk is broken")
	text := string(documents(t)["interview"])
	for _, n := range []int{0, 1, 5000, len(text) - 1, len(text)} {
		_, err := ReadFacts(io.MultiReader(strings.NewReader(text[:n]), iotest.ErrReader(errBroken)))
		var format *FormatError
		if !errors.Is(err, errBroken) || errors.As(err, &format) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	_, err := ReadFacts(io.MultiReader(strings.NewReader(text[:99]), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a source that is cut off: %v", err)
	}
}

// brokenAgain is a document that can be read once, and then only for a while.
type brokenAgain struct {
	*strings.Reader
	left int
	err  error
}

func (b *brokenAgain) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, b.err
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

type brokenSeeker struct {
	*strings.Reader
	err error
}

func (b brokenSeeker) Seek(int64, int) (int64, error) { return 0, b.err }

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

func TestRenderFails(t *testing.T) {
	errBroken := errors.New("broken")
	for _, name := range []string{"interview", "channels"} {
		text := string(documents(t)[name])
		for format, write := range renderings {
			for what, err := range map[string]error{
				"reading again":         write(io.Discard, &brokenAgain{strings.NewReader(text), len(text) + 9000, errBroken}, Options{}),
				"reading again, at all": write(io.Discard, &brokenAgain{strings.NewReader(text), len(text), errBroken}, Options{}),
				"seeking":               write(io.Discard, brokenSeeker{strings.NewReader(text), errBroken}, Options{}),
				"writing":               write(brokenWriter{errBroken}, strings.NewReader(text), Options{}),
			} {
				if !errors.Is(err, errBroken) {
					t.Errorf("%s, %s, %s: %v", name, format, what, err)
				}
			}
		}
	}
}
