// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/contract"
	"github.com/transcription-operator/transcription-operator/notification"
)

// value is a value of a field, and what the provider is to see of it; the same if that is empty.
type value struct{ spec, wire string }

// place is where a field of the spec is in the provider's configuration.
type place struct {
	// wire is the path there, with the provider's names.
	wire string
	// values are JSON: an ordinary value, and the empty and zero ones that the field can have.
	values []value
	// needs is what the field needs in the spec, as YAML that is merged into the least spec there is.
	needs string
	// excludes is another field that goes when this one comes.
	excludes string
}

// same are values that the provider sees as they are.
func same(values ...string) []value {
	var all []value
	for _, v := range values {
		all = append(all, value{spec: v})
	}
	return all
}

var (
	truth  = same("true", "false")
	secret = []value{{spec: `{"secretKeyRef":{"name":"hidden","key":"headers"}}`, wire: `["X-Token: t","X-Other: o"]`}}
)

const (
	bySpeaker = "transcription: {diarization: speaker}"
	byMelia   = "transcription: {language: multi, model: melia-1}"
	asJSON    = "transcripts: {formats: [json-v2]}"
)

// places are the fields of the spec that configure the provider's job, by their paths.
var places = map[string]place{
	"media.url": {
		wire: "fetch_data.url", values: same(`"https://a.example/other.wav?x=1&y=<2>"`),
		needs: "media: {url: null, configMap: {name: a, key: a.wav}}", excludes: "configMap",
	},
	"media.urlFrom": {
		wire: "fetch_data.url", values: []value{{spec: `{"secretKeyRef":{"name":"hidden","key":"url"}}`, wire: `"https://hidden.example/a?sig=b"`}},
		needs: "media: {url: null, configMap: {name: a, key: a.wav}}", excludes: "configMap",
	},
	"media.authHeadersFrom": {wire: "fetch_data.auth_headers", values: secret},

	"transcription.language":                            {wire: "transcription_config.language", values: same(`"cmn_en"`)},
	"transcription.model":                               {wire: "transcription_config.model", values: same(`"enhanced"`)},
	"transcription.operatingPoint":                      {wire: "transcription_config.operating_point", values: same(`"enhanced"`)},
	"transcription.domain":                              {wire: "transcription_config.domain", values: same(`"finance"`)},
	"transcription.outputLocale":                        {wire: "transcription_config.output_locale", values: same(`"en-GB"`)},
	"transcription.diarization":                         {wire: "transcription_config.diarization", values: same(`"none"`, `"speaker"`)},
	"transcription.channelDiarizationLabels":            {wire: "transcription_config.channel_diarization_labels", values: same(`["Caller","Agent"]`, `[]`), needs: "transcription: {diarization: channel}"},
	"transcription.enableEntities":                      {wire: "transcription_config.enable_entities", values: truth, needs: asJSON},
	"transcription.maxDelayMode":                        {wire: "transcription_config.max_delay_mode", values: same(`"fixed"`)},
	"transcription.languageHints":                       {wire: "transcription_config.language_hints", values: same(`["en","de"]`, `[]`), needs: byMelia},
	"transcription.languageHintsStrict":                 {wire: "transcription_config.language_hints_strict", values: truth, needs: byMelia},
	"transcription.additionalVocab":                     {wire: "transcription_config.additional_vocab", values: same(`[]`)},
	"transcription.additionalVocab[].content":           {wire: "transcription_config.additional_vocab[].content", values: same(`"financial crisis"`)},
	"transcription.additionalVocab[].soundsLike":        {wire: "transcription_config.additional_vocab[].sounds_like", values: same(`["nokey","nochi"]`, `[]`), needs: "transcription: {additionalVocab: [{content: gnocchi}]}"},
	"transcription.punctuationOverrides":                {wire: "transcription_config.punctuation_overrides", values: same(`{}`)},
	"transcription.punctuationOverrides.sensitivity":    {wire: "transcription_config.punctuation_overrides.sensitivity", values: []value{{`"0.25"`, "0.25"}, {`"0"`, "0"}, {`"1.0"`, "1"}}},
	"transcription.punctuationOverrides.permittedMarks": {wire: "transcription_config.punctuation_overrides.permitted_marks", values: same(`[",","."]`, `["all"]`, `[]`)},
	"transcription.speakerDiarization":                  {wire: "transcription_config.speaker_diarization_config", values: same(`{}`), needs: bySpeaker},
	"transcription.speakerDiarization.speakerSensitivity": {
		wire: "transcription_config.speaker_diarization_config.speaker_sensitivity", values: []value{{`"0.7"`, "0.7"}, {`"0"`, "0"}}, needs: bySpeaker,
	},
	"transcription.speakerDiarization.preferCurrentSpeaker": {wire: "transcription_config.speaker_diarization_config.prefer_current_speaker", values: truth, needs: bySpeaker},
	"transcription.speakerDiarization.getSpeakers":          {wire: "transcription_config.speaker_diarization_config.get_speakers", values: truth, needs: bySpeaker + "\n" + asJSON},
	"transcription.speakerDiarization.speakers":             {wire: "transcription_config.speaker_diarization_config.speakers", values: same(`[]`), needs: bySpeaker},
	"transcription.speakerDiarization.speakers[].label": {
		wire: "transcription_config.speaker_diarization_config.speakers[].label", values: same(`"Alice"`),
		needs: "transcription: {diarization: speaker, speakerDiarization: {speakers: [{label: Bob, speakerIdentifiers: [a]}]}}",
	},
	"transcription.speakerDiarization.speakers[].speakerIdentifiers": {
		wire: "transcription_config.speaker_diarization_config.speakers[].speaker_identifiers", values: same(`["x","y"]`),
		needs: "transcription: {diarization: speaker, speakerDiarization: {speakers: [{label: Bob, speakerIdentifiers: [a]}]}}",
	},
	"transcription.audioFiltering": {wire: "transcription_config.audio_filtering_config", values: same(`{}`)},
	"transcription.audioFiltering.volumeThreshold": {
		wire: "transcription_config.audio_filtering_config.volume_threshold", values: []value{{`"12.5"`, "12.5"}, {`"0"`, "0"}, {`"100"`, "100"}},
	},
	"transcription.transcriptFiltering":                    {wire: "transcription_config.transcript_filtering_config", values: same(`{}`)},
	"transcription.transcriptFiltering.removeDisfluencies": {wire: "transcription_config.transcript_filtering_config.remove_disfluencies", values: truth},
	"transcription.transcriptFiltering.replacements":       {wire: "transcription_config.transcript_filtering_config.replacements", values: same(`[]`)},
	"transcription.transcriptFiltering.replacements[].from": {
		wire: "transcription_config.transcript_filtering_config.replacements[].from", values: same(`"/colou?r/"`),
		needs: `transcription: {transcriptFiltering: {replacements: [{from: "a", to: "b"}]}}`,
	},
	"transcription.transcriptFiltering.replacements[].to": {
		wire: "transcription_config.transcript_filtering_config.replacements[].to", values: same(`"c"`, `""`),
		needs: `transcription: {transcriptFiltering: {replacements: [{from: "a", to: "b"}]}}`,
	},

	"translation.targetLanguages":                {wire: "translation_config.target_languages", values: same(`["de","fr"]`)},
	"languageIdentification":                     {wire: "language_identification_config", values: same(`{}`)},
	"languageIdentification.expectedLanguages":   {wire: "language_identification_config.expected_languages", values: same(`["en","cy"]`, `[]`)},
	"languageIdentification.lowConfidenceAction": {wire: "language_identification_config.low_confidence_action", values: same(`"allow"`)},
	"languageIdentification.defaultLanguage":     {wire: "language_identification_config.default_language", values: same(`"en"`)},
	"summarization":                              {wire: "summarization_config", values: same(`{}`), needs: asJSON},
	"summarization.contentType":                  {wire: "summarization_config.content_type", values: same(`"informative"`), needs: asJSON},
	"summarization.summaryLength":                {wire: "summarization_config.summary_length", values: same(`"detailed"`), needs: asJSON},
	"summarization.summaryType":                  {wire: "summarization_config.summary_type", values: same(`"bullets"`), needs: asJSON},
	"sentimentAnalysis":                          {wire: "sentiment_analysis_config", values: same(`{}`), needs: asJSON},
	"topicDetection":                             {wire: "topic_detection_config", values: same(`{}`), needs: asJSON},
	"topicDetection.topics":                      {wire: "topic_detection_config.topics", values: same(`["Food & Drink"]`, `[]`), needs: asJSON},
	"autoChapters":                               {wire: "auto_chapters_config", values: same(`{}`), needs: asJSON},
	"audioEvents":                                {wire: "audio_events_config", values: same(`{}`), needs: asJSON},
	"audioEvents.types":                          {wire: "audio_events_config.types", values: same(`["laughter"]`, `[]`), needs: asJSON},
	"output":                                     {wire: "output_config", values: same(`{}`)},
	"output.srtOverrides":                        {wire: "output_config.srt_overrides", values: same(`{}`)},
	"output.srtOverrides.maxLineLength":          {wire: "output_config.srt_overrides.max_line_length", values: same("42")},
	"output.srtOverrides.maxLines":               {wire: "output_config.srt_overrides.max_lines", values: same("3")},

	"tracking.title":   {wire: "tracking.title", values: same(`"Stand-up"`)},
	"tracking.tags":    {wire: "tracking.tags", values: same(`["a","b"]`, `[]`)},
	"tracking.details": {wire: "tracking.details", values: same(`{"client":"A & <B>","segment":8,"seg_start":963.201,"none":null}`, `{}`)},

	"notifications[].url":     {wire: "notification_config[].url", values: same(`"https://a.example/done?x=1&y=2"`)},
	"notifications[].urlFrom": {wire: "notification_config[].url", values: []value{{spec: `{"secretKeyRef":{"name":"hidden","key":"url"}}`, wire: `"https://hidden.example/a?sig=b"`}}},
	"notifications[].contents": {
		wire: "notification_config[].contents", values: same(`["jobinfo","transcript.txt"]`, `[]`), needs: `notifications: [{url: "https://a.example/done"}]`,
	},
	"notifications[].method":          {wire: "notification_config[].method", values: same(`"put"`), needs: `notifications: [{url: "https://a.example/done"}]`},
	"notifications[].authHeadersFrom": {wire: "notification_config[].auth_headers", values: secret, needs: `notifications: [{url: "https://a.example/done"}]`},
}

// elsewhere are the fields of the spec that are not in the provider's configuration, and why.
var elsewhere = map[string]string{
	"accountRef":                "whose key the request carries",
	"media.configMap":           "the file itself, which is uploaded",
	"media.secret":              "the file itself, which is uploaded",
	"transcripts":               "what is stored where; see package notification for what is asked of the provider",
	"suspend":                   "the operator's own",
	"priority":                  "the operator's own",
	"backoffLimit":              "the operator's own",
	"activeDeadlineSeconds":     "the operator's own",
	"ttlSecondsAfterFinished":   "the operator's own",
	"remoteDeletionPolicy":      "the operator's own",
	"ambiguousSubmissionPolicy": "the operator's own",
	"processing":                "a header of the request",
	"providerConfig":            "the provider's own names, merged over all: see TestProviderConfig",
}

// operators are the parts of the provider's configuration that have no place in the spec, and why.
var operators = map[string]string{
	"type":                      "always transcription",
	"fetch_data":                "an object around spec.media.url",
	"fetch_text":                "for jobs of type alignment, which the operator does not submit",
	"fetch_text.url":            "for jobs of type alignment, which the operator does not submit",
	"fetch_text.auth_headers":   "for jobs of type alignment, which the operator does not submit",
	"alignment_config":          "for jobs of type alignment, which the operator does not submit",
	"alignment_config.language": "for jobs of type alignment, which the operator does not submit",
	"transcription_config":      "always there, since it holds the language",
	"translation_config":        "an object around its one member, which is required",
	"tracking":                  "always there, since it holds the reference",
	"tracking.reference":        "the operator finds the job again by it",
	"notification_config":       "an empty list and an absent one are the same",
}

// undocumented are names that the specification does not have, and where they are from.
var undocumented = map[string]string{
	"transcription_config.language_hints":        "documented for the model melia-1 on the page about input, not in the specification",
	"transcription_config.language_hints_strict": "in the provider's own Python client, not in the specification",
}

// TestJobConfig_everyField sets each field alone, in a manifest that goes through a real API server. Exactly that field appears in
// the request, under the provider's name and with the value that was given, be it empty or zero; without it, it does not appear.
func TestJobConfig_everyField(t *testing.T) {
	t.Parallel()
	f := newConfigFixture(t)
	for path, p := range places {
		for _, v := range p.values {
			t.Run(path+"="+v.spec, func(t *testing.T) {
				t.Parallel()
				base := f.spec(t, p.needs)
				without := flatten(f.request(t, base))
				if _, there := without[p.wire]; there && p.needs == "" && path != "transcription.language" {
					t.Fatalf("%s is there though nobody asked for it", p.wire)
				}
				setAt(t, base, path, v.spec, p.excludes)
				with := flatten(f.request(t, base))
				want := maps.Clone(without)
				for _, parent := range parents(p.wire) {
					want[parent] = present
				}
				maps.Copy(want, flattenAt(p.wire, decoded(t, valueOr(v.wire, v.spec))))
				if diff := cmp.Diff(want, with); diff != "" {
					t.Errorf("the request (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestJobConfig_least is the request of a job that asks for nothing: all else is absent.
func TestJobConfig_least(t *testing.T) {
	t.Parallel()
	f := newConfigFixture(t)
	want := `{"type":"transcription","fetch_data":{"url":"https://a.example/a.wav"},"transcription_config":{"language":"en"},"tracking":{"reference":"uid/1/nonce"}}`
	got := f.request(t, f.spec(t, ""))
	if diff := cmp.Diff(decoded(t, want), any(got)); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
}

// TestJobConfig_complete walks the types: no field of the spec lacks a place in the request, or a reason for having none.
func TestJobConfig_complete(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, path := range fieldPaths(reflect.TypeFor[v1alpha1.TranscriptionJobSpec](), "") {
		_, placed := places[path]
		_, excused := elsewhere[path]
		if placed == excused {
			t.Errorf("spec.%s: in places %t, in elsewhere %t; want one of them", path, placed, excused)
		}
		seen[path] = true
	}
	for path := range places {
		if !seen[path] {
			t.Errorf("places has %s, which is no field of the spec", path)
		}
	}
	for path := range elsewhere {
		if !seen[path] {
			t.Errorf("elsewhere has %s, which is no field of the spec", path)
		}
	}
}

// TestJobConfig_specification compares the names with the provider's specification: none is invented, none is left out.
func TestJobConfig_specification(t *testing.T) {
	t.Parallel()
	specified := map[string]bool{}
	for _, edition := range editions(t) {
		definitions := edition["definitions"].(map[string]any)
		collectProperties(definitions, definitions["JobConfig"].(map[string]any), "", specified)
	}
	wired := map[string]bool{}
	for path, p := range places {
		wired[p.wire] = true
		if !specified[p.wire] && undocumented[p.wire] == "" {
			t.Errorf("spec.%s becomes %s, which the specification does not know", path, p.wire)
		}
	}
	for path := range specified {
		if !wired[path] && operators[path] == "" {
			t.Errorf("the specification's %s has no place in the spec", path)
		}
	}
	for path := range undocumented {
		if specified[path] {
			t.Errorf("%s is in the specification now; it needs no excuse", path)
		}
	}
	for path := range operators {
		if !specified[path] {
			t.Errorf("operators has %s, which the specification does not know", path)
		}
	}
}

// configFixture makes requests of manifests.
type configFixture struct {
	namespace string
	r         *JobReconciler
}

func newConfigFixture(t *testing.T) *configFixture {
	t.Helper()
	f := &configFixture{namespace: env.Namespace(t.Context(), t, nil), r: &JobReconciler{live: env.Client}}
	for _, object := range []client.Object{
		&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "hidden"}, Type: v1alpha1.MediaSecretType,
			StringData: map[string]string{"url": "https://hidden.example/a?sig=b\n", "headers": "X-Token: t\nX-Other:o\n"},
		},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "a"}, BinaryData: map[string][]byte{"a.wav": []byte("RIFF\x00")}},
	} {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// spec is the least spec there is, with YAML merged into it; of providerConfig, every null is kept.
func (f *configFixture) spec(t *testing.T, needs string) map[string]any {
	t.Helper()
	spec, needed := parseYAML(t, "media: {url: https://a.example/a.wav}\ntranscription: {language: en}"), parseYAML(t, needs)
	over, given := needed["providerConfig"]
	delete(needed, "providerConfig")
	spec = mergePatch(spec, needed)
	if given {
		spec["providerConfig"] = over
	}
	return spec
}

// request has the API server take a spec, and returns the configuration that is sent for what it made of it.
func (f *configFixture) request(t *testing.T, spec map[string]any) map[string]any {
	t.Helper()
	job := f.accepted(t, spec)
	s := newScope(job, Options{})
	s.claim = &notification.Claim{UID: "uid", Attempt: 1, Nonce: "nonce"}
	if err := checkConfiguration(&job.Spec); err != nil {
		t.Fatal(err)
	}
	m, err := f.r.loadMedia(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	notifications, err := f.r.loadNotifications(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	config, err := f.r.jobConfig(s, &provider{}, &input{media: m, notifications: notifications})
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, string(config)).(map[string]any)
}

// accepted is the object that the API server makes of a manifest, as the controller reads it. Nothing is kept there.
func (f *configFixture) accepted(t *testing.T, spec map[string]any) *v1alpha1.TranscriptionJob {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{"spec": runtimeJSON(t, spec)}}
	object.SetAPIVersion(v1alpha1.GroupVersion.String())
	object.SetKind("TranscriptionJob")
	object.SetNamespace(f.namespace)
	object.SetName("job")
	strict := client.WithFieldValidation(env.Client, client.FieldValidation(metav1.FieldValidationStrict))
	if err := strict.Create(t.Context(), object, client.DryRunAll); err != nil {
		t.Fatalf("the API server refuses the manifest: %v", err)
	}
	text, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	job := &v1alpha1.TranscriptionJob{}
	if err := json.Unmarshal(text, job); err != nil {
		t.Fatal(err)
	}
	job.UID = types.UID("uid")
	return job
}

// fieldPaths are the paths of all fields below a type, by their JSON names; those of a list's items have [] after the list's. An
// object or a list of objects is a path of its own if it can be empty.
func fieldPaths(of reflect.Type, prefix string) []string {
	var paths []string
	for field := range of.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		path := prefix + name
		inner, list := field.Type, false
		for inner.Kind() == reflect.Pointer || (inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct) {
			list = list || inner.Kind() == reflect.Slice
			inner = inner.Elem()
		}
		below := strings.TrimSuffix(path, ".") + "."
		if list {
			below = path + "[]."
		}
		switch {
		case elsewhere[path] != "" || inner.Kind() != reflect.Struct || opaque[inner]:
			paths = append(paths, path)
			continue
		case list && strings.Contains(options, "omitzero"), field.Type.Kind() == reflect.Pointer && !hasRequired[inner]:
			paths = append(paths, path)
		}
		paths = append(paths, fieldPaths(inner, below)...)
	}
	return paths
}

// opaque are the types that count as one value.
var opaque = map[reflect.Type]bool{
	reflect.TypeFor[v1alpha1.SecretSource]():       true,
	reflect.TypeFor[v1alpha1.ObjectKeyReference](): true,
	reflect.TypeFor[apiextensionsv1.JSON]():        true,
}

// hasRequired are the objects that cannot be empty, or for which empty and absent are the same.
var hasRequired = map[reflect.Type]bool{
	reflect.TypeFor[v1alpha1.TranslationConfig](): true,
	reflect.TypeFor[v1alpha1.Tracking]():          true,
}

// present stands for an object or a list of objects, whatever is in it.
const present = "(present)"

// flatten returns all that is in a JSON object by its path. Of a list of objects only the first counts.
func flatten(object map[string]any) map[string]any { return flattenAt("", object) }

func flattenAt(path string, v any) map[string]any {
	flat := map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		if path == "tracking.details" {
			flat[path] = v
			return flat
		}
		prefix := path
		if path != "" {
			flat[path] = present
			prefix += "."
		}
		for name, member := range v {
			maps.Copy(flat, flattenAt(prefix+name, member))
		}
	case []any:
		if len(v) == 0 {
			flat[path] = present
			return flat
		}
		if _, ok := v[0].(map[string]any); !ok {
			flat[path] = v
			return flat
		}
		flat[path] = present
		maps.Copy(flat, flattenAt(path+"[]", v[0]))
	default:
		flat[path] = v
	}
	return flat
}

// parents are the paths above a path.
func parents(path string) []string {
	var above []string
	for i, c := range path {
		switch {
		case c == '.':
			above = append(above, path[:i])
		case strings.HasPrefix(path[i:], "[]"):
			above = append(above, path[:i])
		}
	}
	return above
}

// setAt sets a field of a spec; a path through a list sets it in the first item.
func setAt(t *testing.T, spec map[string]any, path, text, excludes string) {
	t.Helper()
	if excludes != "" {
		parent, _, _ := strings.Cut(path, ".")
		delete(spec[parent].(map[string]any), excludes)
	}
	assign(spec, path, decoded(t, text))
}

func valueOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// decoded reads JSON and keeps the digits of numbers.
func decoded(t *testing.T, text string) any {
	t.Helper()
	object, err := decodeObject([]byte(`{"it":` + text + `}`))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return object["it"]
}

func parseYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	encoded, err := yaml.YAMLToJSON([]byte(valueOr(text, "{}")))
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, string(encoded)).(map[string]any)
}

// runtimeJSON is a value of JSON with the numbers that Kubernetes' untyped objects have.
func runtimeJSON(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON([]byte(fmt.Sprintf(`{"apiVersion":"v1","kind":"Any","it":%s}`, text))); err != nil {
		t.Fatal(err)
	}
	return runtime.DeepCopyJSONValue(object.Object["it"])
}

// editions are the editions of the provider's specification. They are not the project's to ship.
func editions(t *testing.T) map[string]map[string]any {
	t.Helper()
	found := map[string]map[string]any{}
	for _, name := range []string{"batch-openapi.yaml", "batch-openapi-2026-05.yaml"} {
		text, err := os.ReadFile(filepath.Join(contract.Folder(), name))
		if contract.Missing(err) {
			t.Skipf("there is no %s in %s; TRANSCRIPTION_OPERATOR_SPEECHMATICS_DOCS names another folder", name, contract.Folder())
		}
		if err != nil {
			t.Fatal(err)
		}
		found[name] = parseYAML(t, string(text))
	}
	return found
}

// collectProperties adds the paths of all properties of a schema.
func collectProperties(definitions, schema map[string]any, prefix string, into map[string]bool) {
	schema = resolved(definitions, schema)
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property := resolved(definitions, properties[name].(map[string]any))
		path := prefix + name
		into[path] = true
		if items, ok := property["items"].(map[string]any); ok {
			collectProperties(definitions, items, path+"[].", into)
			continue
		}
		collectProperties(definitions, property, path+".", into)
	}
}

func resolved(definitions, schema map[string]any) map[string]any {
	if ref, ok := schema["$ref"].(string); ok {
		return definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
	}
	return schema
}
