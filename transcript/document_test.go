// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/internal/contract"
)

// roundTrip reads a document, writes it again, and compares.
func roundTrip(t testing.TB, text []byte) *Document {
	t.Helper()
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("Unmarshal: %v", err)
	}
	written, err := json.Marshal(d)
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	if want, got := tree(text), tree(written); !reflect.DeepEqual(want, got) {
		t.Fatalf("it was not written as it was read (-read +written):\n%s", cmp.Diff(want, got))
	}
	return &d
}

// providersFile reads a file of the provider's, which is not the project's to ship.
func providersFile(t testing.TB, name ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{contract.Folder()}, name...)...))
	if contract.Missing(err) {
		t.Skipf("the provider's documents are not here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// samples are the provider's own transcripts.
var samples = []string{"transcript-json-v2-2.8.json", "transcript-json-v2-2.9.json"}

func TestDocument_samples(t *testing.T) {
	for _, name := range samples {
		t.Run(name, func(t *testing.T) {
			d := roundTrip(t, providersFile(t, "samples", name))
			if unknown := unknownMembers(d); len(unknown) > 0 {
				t.Errorf("members without a field: %v", unknown)
			}
			if len(d.Results) < 20 || d.Results[0].Alternatives[0].Content == "" {
				t.Errorf("%d results", len(d.Results))
			}
		})
	}
}

func TestDocument_testdata(t *testing.T) {
	// What is to come after us, and what was before.
	unknown := map[string][]string{
		"container": {"Document.future", "Result.hand"},
		"legacy":    {"Result.score"},
		"channels":  {"AudioEventSummary.music"},
		"failures":  {"Metadata.audio_events_errors"},
	}
	for name, text := range documents(t) {
		t.Run(name, func(t *testing.T) {
			if got := unknownMembers(roundTrip(t, text)); !slices.Equal(got, unknown[name]) {
				t.Errorf("members without a field: %v, want %v", got, unknown[name])
			}
		})
	}
}

// unknownMembers lists the members in all Extra of a document that have no field.
func unknownMembers(d *Document) []string {
	found := map[string]bool{}
	collectUnknown(reflect.ValueOf(*d), found)
	return slices.Sorted(maps.Keys(found))
}

func collectUnknown(v reflect.Value, found map[string]bool) {
	switch v.Kind() { //nolint:exhaustive // no other kinds hold any
	case reflect.Pointer:
		if !v.IsNil() {
			collectUnknown(v.Elem(), found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collectUnknown(v.Index(i), found)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			collectUnknown(v.MapIndex(key), found)
		}
	case reflect.Struct:
		for i := range memberNames(v.Type()) {
			collectUnknown(v.Field(i), found)
		}
		for name := range v.FieldByName("Extra").Interface().(Extra) {
			if !slices.Contains(memberNames(v.Type()), name) {
				found[v.Type().Name()+"."+name] = true
			}
		}
	}
}

// The examples of the specification are parts of documents; here they are put where they belong.
func TestDocument_specificationExamples(t *testing.T) {
	for _, edition := range []string{"batch-openapi.yaml", "batch-openapi-2026-05.yaml"} {
		t.Run(edition, func(t *testing.T) {
			var spec struct {
				Paths map[string]struct {
					Get struct {
						Responses map[string]struct{ Examples map[string]json.RawMessage }
					}
				}
				Definitions map[string]json.RawMessage
			}
			if err := yaml.Unmarshal(providersFile(t, edition), &spec); err != nil {
				t.Fatal(err)
			}
			examples := spec.Paths["/jobs/{jobid}/transcript"].Get.Responses["200"].Examples
			whole := roundTrip(t, examples["application/vnd.speechmatics.v2+json"])
			if unknown := unknownMembers(whole); len(unknown) > 0 {
				t.Errorf("members without a field: %v", unknown)
			}
			if got := whole.Results[0].Channel; got != "Agent" {
				t.Errorf("the channel is %q", got)
			}
			for definition, place := range map[string]string{
				"SummarizationResult":          `{"summary":%s}`,
				"SentimentAnalysisResult":      `{"sentiment_analysis":%s}`,
				"TopicDetectionResult":         `{"topics":%s}`,
				"AutoChaptersResult":           `{"chapters":%s}`,
				"LanguageIdentificationResult": `{"metadata":{"language_identification":%s}}`,
				"RecognitionResult":            `{"results":%s}`,
			} {
				var schema struct {
					Example json.RawMessage `json:"example"`
				}
				if err := json.Unmarshal(spec.Definitions[definition], &schema); err != nil || schema.Example == nil {
					t.Errorf("%s has no example: %v", definition, err)
					continue
				}
				if unknown := unknownMembers(roundTrip(t, fmt.Appendf(nil, place, schema.Example))); len(unknown) > 0 {
					t.Errorf("%s: members without a field: %v", definition, unknown)
				}
			}
		})
	}
}

// Each member of each type has each of many values, and so has a member that nobody knows.
func TestDocument_losesNothing(t *testing.T) {
	strange := []string{
		`null`, `""`, `"x"`, `"3"`, `"a\ud800b"`, `"\ufffd"`, `0`, `-0`, `1.50`, `1E400`, `123456789012345678901234567890`, `true`, `false`, `[]`, `[null]`, `[[]]`, `[{}]`,
		`[""]`, `["x",null]`, `{}`, `{"x":null}`, `{"x":[]}`, `{"x":[null]}`, `{"x":[{"y":1.0}]}`, `{"x":""}`, `{"x":{}}`, `{"x":{"y":{"z":null}}}`, `{"x":1.0}`, `{"x":1E400}`, `{"x":"1.0"}`,
		`{"Content":"x","content":"y","CONTENT":"z","extra":1,"Extra":{"content":2}}`,
	}
	types := map[reflect.Type]bool{}
	collectTypes(reflect.TypeFor[Document](), types)
	if len(types) < 20 {
		t.Fatalf("only %d types", len(types))
	}
	for typ := range types {
		for _, name := range append(slices.Clone(memberNames(typ)), "tomorrow", "Extra", "") {
			for _, value := range strange {
				text := fmt.Appendf(nil, `{%q:%s}`, name, value)
				read := reflect.New(typ)
				if err := json.Unmarshal(text, read.Interface()); err != nil {
					t.Fatalf("%s: Unmarshal %s: %v", typ, text, err)
				}
				written, err := json.Marshal(read.Elem().Interface())
				if err != nil || !reflect.DeepEqual(tree(text), tree(written)) {
					t.Errorf("%s: %s is written as %s, %v", typ, text, written, err)
				}
			}
		}
	}
}

// collectTypes finds the structs that a document consists of.
func collectTypes(t reflect.Type, found map[reflect.Type]bool) {
	switch t.Kind() { //nolint:exhaustive // no other kinds hold any
	case reflect.Pointer, reflect.Slice, reflect.Map:
		collectTypes(t.Elem(), found)
	case reflect.Struct:
		if found[t] {
			return
		}
		found[t] = true
		for field := range t.Fields() {
			collectTypes(field.Type, found)
		}
	}
}

// Whole documents with something unknown in every object.
func TestDocument_unknownMembersEverywhere(t *testing.T) {
	for name, text := range documents(t) {
		t.Run(name, func(t *testing.T) {
			root := tree(text)
			added := addEverywhere(root, "tomorrow", map[string]any{"is": []any{"another", json.Number("1.0"), nil}})
			text, err := json.Marshal(root)
			if err != nil {
				t.Fatal(err)
			}
			if d := roundTrip(t, text); d.Extra["tomorrow"] == nil || added < 5 {
				t.Errorf("%d objects got a member, the document has %s", added, d.Extra)
			}
		})
	}
}

func addEverywhere(v any, name string, value any) (added int) {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			added += addEverywhere(member, name, value)
		}
		v[name] = value
		added++
	case []any:
		for _, element := range v {
			added += addEverywhere(element, name, value)
		}
	}
	return added
}

func TestDocument_fieldsWinOnceChanged(t *testing.T) {
	var r Result
	if err := json.Unmarshal([]byte(`{"channel":"","end_time":"soon","attaches_to":null,"is_eos":false,"x":1}`), &r); err != nil {
		t.Fatal(err)
	}
	write := func(want string) {
		t.Helper()
		got, err := json.Marshal(r)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	write(`{"end_time":"soon","channel":"","attaches_to":null,"is_eos":false,"x":1}`)
	r.Channel, r.EndTime, r.AttachesTo = "one", "1.50", "next"
	write(`{"end_time":1.50,"channel":"one","attaches_to":"next","is_eos":false,"x":1}`)
	r.Channel, r.Extra = "", nil
	write(`{"end_time":1.50,"attaches_to":"next","is_eos":false}`)
}

// What is no text, half a surrogate pair for example, encoding/json replaces when it reads it. Here it survives.
func TestDocument_keepsWhatIsNoText(t *testing.T) {
	const text = `{"channel":"a\ud800b","alternatives":[{"content":"\udc00","tags":["x","\ud800"]}]}`
	var r Result
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, half := range []string{`"a\ud800b"`, `"\udc00"`, `["x","\ud800"]`} {
		if !strings.Contains(string(written), half) {
			t.Errorf("%s is written without %s", written, half)
		}
	}
	if r.Channel != "a\uFFFDb" {
		t.Errorf("the channel is %q", r.Channel)
	}
}

// A value of another type leaves nothing in the field, not even the part that fits.
func TestDocument_fieldsHoldNoHalves(t *testing.T) {
	var a Alternative
	if err := json.Unmarshal([]byte(`{"tags":["x",1],"display":[],"content":{"x":1}}`), &a); err != nil {
		t.Fatal(err)
	}
	if a.Tags != nil || a.Display != nil || a.Content != "" || len(a.Extra) != 3 {
		t.Errorf("%+v", a)
	}
}

func TestDocument_bothReadings(t *testing.T) {
	read := func(text string) *Document { return roundTrip(t, []byte(text)) }
	for name, text := range map[string]string{
		"flat":   `{"sentiment_analysis":{"segments":[{"text":"fine"}]}}`,
		"nested": `{"sentiment_analysis":{"sentiment_analysis":{"segments":[{"text":"fine"}]}}}`,
	} {
		if got := read(text).SentimentAnalysis.Result(); len(got.Segments) != 1 || got.Segments[0].Text != "fine" {
			t.Errorf("sentiment, %s: %+v", name, got)
		}
	}
	for name, text := range map[string]string{
		"flat":   `{"audio_event_summary":{"music":{"count":2}}}`,
		"nested": `{"audio_event_summary":{"overall":{"music":{"count":2}},"channels":{}}}`,
	} {
		if got := read(text).AudioEventSummary.Types(); len(got) != 1 || got["music"].Count != "2" {
			t.Errorf("audio events, %s: %+v", name, got)
		}
	}
	none := read(`{}`)
	if none.SentimentAnalysis.Result() != nil || none.AudioEventSummary.Types() != nil {
		t.Error("something from nothing")
	}
}

func TestDocument_refuses(t *testing.T) {
	deep := strings.Repeat(`{"sentiment_analysis":`, maxDepth) + "{}" + strings.Repeat("}", maxDepth)
	for name, text := range map[string]string{
		"null": "null", "an array": "[]", "a string": `"{}"`, "nested too deeply": deep,
		"nested too deeply, unknown": `{"x":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + "}",
	} {
		var d Document
		var format *FormatError
		if err := json.Unmarshal([]byte(text), &d); !errors.As(err, &format) {
			t.Errorf("%s: %v", name, err)
		}
	}
	roundTrip(t, []byte(`{"x":`+strings.Repeat("[", maxDepth-1)+`"[[{\"[[[["`+strings.Repeat("]", maxDepth-1)+"}"))
}

func FuzzDocument(f *testing.F) {
	for _, text := range documents(f) {
		f.Add(text)
	}
	f.Add([]byte(`{"results":[{"alternatives":[{"content":"a\ud800"}],"end_time":1e5,"Type":"x"},{"is_eos":null}],"job":[],"":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var d Document
		if err := json.Unmarshal(text, &d); err != nil {
			var format *FormatError
			var syntax *json.SyntaxError
			if !errors.As(err, &format) && !errors.As(err, &syntax) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		roundTrip(t, text)
	})
}
