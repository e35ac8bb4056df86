// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/transcription-operator/transcription-operator/internal/contract"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// TestConfigHasEveryMember compares the client's types with the specification, both ways.
func TestConfigHasEveryMember(t *testing.T) {
	var specified []string
	for _, name := range contract.Open(t).Expected() {
		member, ofRequest := strings.CutPrefix(name, "> ")
		if ofRequest && !strings.Contains(member, "=") {
			_, member, _ = strings.Cut(member, ".")
			specified = append(specified, member)
		}
	}
	members, known := map[string]bool{}, map[string]bool{}
	jsonMembers(members, reflect.TypeFor[speechmatics.JobConfig]())
	for _, member := range specified {
		last := member[strings.LastIndex(member, ".")+1:]
		known[last] = true
		if !members[last] {
			t.Errorf("speechmatics.JobConfig does not know %s", member)
		}
	}
	for member := range members {
		if !known[member] {
			t.Errorf("the specification does not know %s, nor does a patch", member)
		}
	}
}

// jsonMembers collects the JSON names of a type's fields, and of the types in it. No two types of JobConfig use one name for different things.
func jsonMembers(into map[string]bool, of reflect.Type) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		jsonMembers(into, of.Elem())
	case reflect.Struct:
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			into[name] = true
			jsonMembers(into, field.Type)
		}
	default: // a value
	}
}

// configServer accepts whatever it gets, and keeps the last configuration as it came over the wire.
func configServer(t *testing.T) (*speechmatics.Client, func() string) {
	t.Helper()
	var config string
	spec := contract.Open(t)
	recorder := spec.Record(nil, func(err error) { t.Error(err) })
	server := httptest.NewServer(recorder.API(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		config = r.FormValue("config")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"a"}`)
	})))
	t.Cleanup(server.Close)
	client, err := speechmatics.New(server.URL+"/v2", speechmatics.WithAPIKey(apiKey))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client, func() string { return config }
}

// TestRandomConfigs sends configurations that reflection makes up of the client's types, and holds each against the specification. What
// arrives is read into the same types and compared.
func TestRandomConfigs(t *testing.T) {
	client, received := configServer(t)
	for seed := range uint64(300) {
		g := generator{rand.New(rand.NewPCG(seed, 0))}
		var config speechmatics.JobConfig
		g.fill(reflect.ValueOf(&config).Elem(), "JobConfig")
		submission := speechmatics.CreateJobRequest{Config: config}
		if config.FetchData == nil {
			submission.Media = &speechmatics.Media{Name: "a.wav", Reader: strings.NewReader("RIFF"), Size: 4}
		}
		if config.FetchText == nil && config.Type == speechmatics.JobAlignment {
			submission.Text = &speechmatics.Media{Name: "a.txt", Reader: strings.NewReader("text"), Size: 4}
		}
		_, err := client.CreateJob(t.Context(), submission)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		var back speechmatics.JobConfig
		if err := json.Unmarshal([]byte(received()), &back); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(config, back); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, received())
		}
	}
}

// generator makes up configurations.
type generator struct{ *rand.Rand }

// vocabularies are the values of fields that do not take any text, and of one required field.
var vocabularies = map[string][]string{
	"JobConfig.Type":                                   {speechmatics.JobTranscription, speechmatics.JobAlignment},
	"TranscriptionConfig.Language":                     {"en", "auto", "cmn_en"},
	"TranscriptionConfig.Model":                        {"", "standard", "enhanced", "melia-1"},
	"TranscriptionConfig.OperatingPoint":               {"", "standard", "enhanced", "melia-1"},
	"TranscriptionConfig.Diarization":                  {"", "none", "speaker", "channel"},
	"TranscriptionConfig.MaxDelayMode":                 {"", "fixed", "flexible"},
	"TranscriptionConfig.ChannelDiarizationLabels":     {"Agent", "caller_1", "a.b"},
	"PunctuationOverrides.PermittedMarks":              {"all", ".", "¿", "。"},
	"LanguageIdentificationConfig.LowConfidenceAction": {"", "allow", "reject", "use_default_language"},
	"SummarizationConfig.ContentType":                  {"", "auto", "informative", "conversational"},
	"SummarizationConfig.SummaryLength":                {"", "brief", "detailed"},
	"SummarizationConfig.SummaryType":                  {"", "paragraphs", "bullets"},
	"NotificationConfig.Method":                        {"", "post", "put"},
	"NotificationConfig.Contents": {
		"jobinfo", "transcript", "transcript.json-v2", "transcript.txt", "transcript.srt", "data", "text", "alignment",
		"alignment.word_start_and_end", "alignment.one_per_line",
	},
}

// bounds are the greatest values of numbers, and lengths of lists, that have one.
var bounds = map[string]int{
	"AudioFilteringConfig.VolumeThreshold": 100,
	"TranslationConfig.TargetLanguages":    5,
}

// required are the lists that may not be empty, or absent.
var required = map[string]int{
	"TranslationConfig.TargetLanguages": 0,
	"KnownSpeaker.SpeakerIdentifiers":   1,
}

func (g generator) fill(v reflect.Value, name string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			g.fill(v.Field(i), v.Type().Name()+"."+v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		if g.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			g.fill(v.Elem(), name)
		}
	case reflect.Slice:
		g.fillSlice(v, name)
	case reflect.String:
		v.SetString(g.text(name))
	case reflect.Bool:
		v.SetBool(g.IntN(2) == 0)
	case reflect.Int:
		v.SetInt(1 + g.Int64N(100))
	case reflect.Float64:
		v.SetFloat(g.Float64() * float64(max(1, bounds[name])))
	default:
		panic(fmt.Sprintf("%s: a kind of field that the generator does not know: %s", name, v.Kind()))
	}
}

func (g generator) fillSlice(v reflect.Value, name string) {
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		if g.IntN(2) == 0 {
			v.SetBytes([]byte(`{"nested":{"list":[1,null,"<&>"]},"number":1.50}`))
		}
		return
	}
	least, isRequired := required[name]
	if v.CanAddr() && !isRequired && g.IntN(3) == 0 && !strings.HasSuffix(name, "PermittedMarks") {
		return // absent
	}
	most := bounds[name]
	if most == 0 {
		most = 3
	}
	length := least + g.IntN(most-least+1)
	v.Set(reflect.MakeSlice(v.Type(), length, length))
	for i := range length {
		g.fill(v.Index(i), name)
		if least > 0 {
			v.Index(i).SetString(fmt.Sprintf("%s%d", v.Index(i).String(), i)) // they have to differ
		}
	}
}

func (g generator) text(name string) string {
	if values, ok := vocabularies[name]; ok {
		return values[g.IntN(len(values))]
	}
	texts := []string{"a", "two words", "日本語", `quo"te\`, "line\nbreak", "<&>\u2028", "ẞ́", "https://example.org/?a=b&c=d"}
	return texts[g.IntN(len(texts))]
}
