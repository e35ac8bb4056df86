// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) {
	os.Exit(testenv.Run(m, func(e *testenv.Env) { env = e }))
}

// manifest reads the spec of an object as a user writes it. Tests go through untyped objects, because the Go types could not
// even express most mistakes.
func manifest(t *testing.T, kind, namespace, name, spec string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{}}
	object.SetAPIVersion("transcription-operator.io/v1alpha1")
	object.SetKind(kind)
	object.SetNamespace(namespace)
	object.SetName(name)
	object.Object["spec"] = parse(t, spec)
	return object
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	parsed := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &parsed); err != nil {
		t.Fatalf("the test's own YAML is broken: %v\n%s", err, text)
	}
	return parsed
}

const validJob = `
media: {url: "https://media.example.com/a.wav"}
transcription: {language: en}
`

func TestTranscriptionJob_validation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	namespace := env.Namespace(ctx, t, nil)
	vocab := strings.Repeat("{content: word, soundsLike: [werd]},", 1000)
	cases := []struct {
		name string
		spec string
		want string // part of the error; empty if the object is valid
	}{
		{"minimal", validJob, ""},
		{"media from a ConfigMap", "media: {configMap: {name: a, key: a.wav}}\ntranscription: {language: en}", ""},
		{"media from a Secret", "media: {secret: {name: a, key: a.wav}}\ntranscription: {language: en}", ""},
		{"signed URL with headers", "media: {urlFrom: {secretKeyRef: {name: a, key: url}}, authHeadersFrom: {secretKeyRef: {name: a, key: headers}}}\ntranscription: {language: en}", ""},
		{"thousand words", `{media: {url: "https://a.example/a"}, transcription: {language: en, additionalVocab: [` + vocab + `]}}`, ""},
		{"no punctuation at all", `{media: {url: "https://a.example/a"}, transcription: {language: en, punctuationOverrides: {permittedMarks: []}}}`, ""},
		{"volume with TTL", validJob + `transcripts: {persistentVolumeClaim: {claimName: pvc, directory: a/b}}` + "\nttlSecondsAfterFinished: 60", ""},
		{"ConfigMap with TTL and policy", validJob + `transcripts: {configMap: {retentionPolicy: Retain}}` + "\nttlSecondsAfterFinished: 0", ""},

		{"no media", "transcription: {language: en}", "spec.media: Required"},
		{"empty media", "media: {}\ntranscription: {language: en}", "set exactly one of url, urlFrom, configMap and secret"},
		{"two media", `media: {url: "https://a.example/a", configMap: {name: a, key: b}}` + "\ntranscription: {language: en}", "set exactly one of url, urlFrom, configMap and secret"},
		{"ftp URL", "media: {url: \"ftp://a.example/a.wav\"}\ntranscription: {language: en}", "absolute http or https URL"},
		{"no URL", "media: {url: \"not a url at all\"}\ntranscription: {language: en}", "absolute http or https URL"},
		{"file URL", "media: {url: \"file:///etc/passwd\"}\ntranscription: {language: en}", "absolute http or https URL"},
		{"URL without host", "media: {url: \"https:///a.wav\"}\ntranscription: {language: en}", "absolute http or https URL"},
		{"URL with password", "media: {url: \"https://me:pw@a.example/a.wav\"}\ntranscription: {language: en}", "must not hold a user name or password"},
		{"URL too long", "media: {url: \"https://a.example/" + strings.Repeat("a", 2048) + "\"}\ntranscription: {language: en}", "Too long"},
		{"headers without URL", "media: {configMap: {name: a, key: b}, authHeadersFrom: {secretKeyRef: {name: a, key: b}}}\ntranscription: {language: en}", "authHeadersFrom goes with url or urlFrom"},
		{"key with a slash", "media: {configMap: {name: a, key: ../b}}\ntranscription: {language: en}", "spec.media.configMap.key"},
		{"no transcription", `media: {url: "https://a.example/a"}`, "spec.transcription: Required"},
		{"no language", `{media: {url: "https://a.example/a"}, transcription: {}}`, "spec.transcription.language: Required"},
		{"language with spaces", `{media: {url: "https://a.example/a"}, transcription: {language: "e n"}}`, "spec.transcription.language"},
		{"two names for the model", `{media: {url: "https://a.example/a"}, transcription: {language: en, model: enhanced, operatingPoint: enhanced}}`, "set model or operatingPoint, not both"},
		{"auto with locale", `{media: {url: "https://a.example/a"}, transcription: {language: auto, outputLocale: en-GB}}`, "outputLocale cannot be combined with language auto"},
		{"melia-1 with a language", `{media: {url: "https://a.example/a"}, transcription: {language: en, model: melia-1}}`, "melia-1 needs language multi"},
		{"medical without enhanced", `{media: {url: "https://a.example/a"}, transcription: {language: en, domain: medical}}`, "domain medical needs model enhanced"},
		{"labels without channels", `{media: {url: "https://a.example/a"}, transcription: {language: en, channelDiarizationLabels: [a]}}`, "needs diarization channel"},
		{"speaker options without speakers", `{media: {url: "https://a.example/a"}, transcription: {language: en, speakerDiarization: {}}}`, "needs diarization speaker"},
		{"unknown diarization", `{media: {url: "https://a.example/a"}, transcription: {language: en, diarization: speaker_change}}`, "Unsupported value"},
		{"sensitivity above one", `{media: {url: "https://a.example/a"}, transcription: {language: en, diarization: speaker, speakerDiarization: {speakerSensitivity: "1.5"}}}`, "speakerSensitivity"},
		{"thousand and one words", `{media: {url: "https://a.example/a"}, transcription: {language: en, additionalVocab: [` + vocab + `{content: x}]}}`, "additionalVocab"},
		{"mark of two characters", `{media: {url: "https://a.example/a"}, transcription: {language: en, punctuationOverrides: {permittedMarks: ["?!"]}}}`, "permittedMarks"},
		{"details that are no object", validJob + "tracking: {details: [1]}", "spec.tracking.details"},
		{"unknown format", validJob + "transcripts: {formats: [docx]}", `Unsupported value: "docx"`},
		{"format twice", validJob + "transcripts: {formats: [txt, txt]}", "Duplicate value"},
		{"no format", validJob + "transcripts: {formats: []}", "spec.transcripts.formats"},
		{"two stores", validJob + "transcripts: {configMap: {}, persistentVolumeClaim: {claimName: a}}", "set configMap or persistentVolumeClaim, not both"},
		{"directory that climbs", validJob + "transcripts: {persistentVolumeClaim: {claimName: a, directory: a/../b}}", "directory"},
		{"absolute directory", validJob + "transcripts: {persistentVolumeClaim: {claimName: a, directory: /etc}}", "directory"},
		{"TTL without a word on the transcripts", validJob + "ttlSecondsAfterFinished: 60", "retentionPolicy must say what becomes of its transcripts"},
		{"TTL with a store but no policy", validJob + "transcripts: {configMap: {name: a}}\nttlSecondsAfterFinished: 60", "retentionPolicy must say what becomes of its transcripts"},
		{"negative TTL", validJob + "ttlSecondsAfterFinished: -1", "spec.ttlSecondsAfterFinished"},
		{"backoffLimit too high", validJob + "backoffLimit: 11", "spec.backoffLimit"},
		{"deadline of nothing", validJob + "activeDeadlineSeconds: 0", "spec.activeDeadlineSeconds"},
		{"unknown deletion policy", validJob + "remoteDeletionPolicy: Sometimes", "Unsupported value"},
		{"account of an unknown kind", validJob + "accountRef: {kind: Secret, name: a}", "Unsupported value"},
		{"account without a name", validJob + "accountRef: {kind: SpeechmaticsAccount}", "spec.accountRef.name: Required"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(ctx, t, manifest(t, "TranscriptionJob", namespace, fmt.Sprintf("job-%d", i), c.spec), c.want)
		})
	}
}

func TestTranscriptionJob_nameIsALabel(t *testing.T) {
	t.Parallel()
	namespace := env.Namespace(t.Context(), t, nil)
	check(t.Context(), t, manifest(t, "TranscriptionJob", namespace, strings.Repeat("a", 63), validJob), "")
	check(t.Context(), t, manifest(t, "TranscriptionJob", namespace, strings.Repeat("a", 64), validJob), "at most 63 characters")
}

// check creates an object and compares the answer.
func check(ctx context.Context, t *testing.T, object *unstructured.Unstructured, want string) {
	t.Helper()
	err := env.Client.Create(ctx, object)
	compare(t, err, want)
}

func compare(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Fatalf("refused, but it is valid: %v", err)
	case want != "" && err == nil:
		t.Fatalf("accepted, but it should be refused with %q", want)
	case want != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want)):
		t.Fatalf("refused with %v\nwant %q", err, want)
	}
}

// TestTranscriptionJob_immutability changes each field of a spec in the three ways there are: another value, unset to set, and
// set to unset.
func TestTranscriptionJob_immutability(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	namespace := env.Namespace(ctx, t, nil)
	const full = validJob + `
accountRef: {name: a}
tracking: {title: a}
transcripts: {formats: [json-v2], configMap: {name: a, retentionPolicy: Delete}}
translation: {targetLanguages: [de]}
languageIdentification: {defaultLanguage: en}
summarization: {summaryLength: brief}
sentimentAnalysis: {}
topicDetection: {topics: [a]}
autoChapters: {}
audioEvents: {types: [music]}
output: {srtOverrides: {maxLines: 1}}
notifications: [{url: "https://a.example/a"}]
processing: {parallelEngines: 2}
providerConfig: {a: {b: 1}}
backoffLimit: 2
ambiguousSubmissionPolicy: Resubmit
suspend: true
priority: 1
activeDeadlineSeconds: 60
ttlSecondsAfterFinished: 60
remoteDeletionPolicy: Never
`
	const documentJob = validJob + "transcripts: {formats: [json-v2]}"
	cases := []struct {
		name   string
		from   string
		change string // merged into the spec; null unsets
		want   string
	}{
		{"account", full, "accountRef: {name: b}", "accountRef is immutable"},
		{"account set", validJob, "accountRef: {name: b}", "accountRef is immutable"},
		{"account unset", full, "accountRef: null", "accountRef is immutable"},
		{"media", full, `media: {url: "https://a.example/b"}`, "media is immutable"},
		{"media of another kind", full, `media: {url: null, configMap: {name: a, key: b}}`, "media is immutable"},
		{"headers set", validJob, `media: {authHeadersFrom: {secretKeyRef: {name: a, key: b}}}`, "media is immutable"},
		{"language", full, "transcription: {language: de}", "transcription is immutable"},
		{"option set", validJob, "transcription: {diarization: speaker}", "transcription is immutable"},
		{"tracking", full, "tracking: {title: b}", "tracking is immutable"},
		{"tracking set", validJob, "tracking: {title: b}", "tracking is immutable"},
		{"tracking unset", full, "tracking: null", "tracking is immutable"},
		{"format", full, "transcripts: {formats: [srt]}", "transcripts is immutable"},
		{"store set", validJob, "transcripts: {configMap: {name: a}}", "transcripts is immutable"},
		{"store unset", full, "transcripts: {configMap: null}\nttlSecondsAfterFinished: null", "transcripts is immutable"},
		{"translation", full, "translation: {targetLanguages: [fr]}", "translation is immutable"},
		{"translation set", validJob, "translation: {targetLanguages: [de]}", "translation is immutable"},
		{"translation unset", full, "translation: null", "translation is immutable"},
		{"language identification", full, "languageIdentification: {defaultLanguage: de}", "languageIdentification is immutable"},
		{"language identification set", validJob, "languageIdentification: {}", "languageIdentification is immutable"},
		{"language identification unset", full, "languageIdentification: null", "languageIdentification is immutable"},
		{"summary", full, "summarization: {summaryLength: detailed}", "summarization is immutable"},
		{"summary set", documentJob, "summarization: {}", "summarization is immutable"},
		{"summary unset", full, "summarization: null", "summarization is immutable"},
		{"sentiment set", documentJob, "sentimentAnalysis: {}", "sentimentAnalysis is immutable"},
		{"sentiment unset", full, "sentimentAnalysis: null", "sentimentAnalysis is immutable"},
		{"topics", full, "topicDetection: {topics: [b]}", "topicDetection is immutable"},
		{"topics emptied", full, "topicDetection: {topics: []}", "topicDetection is immutable"},
		{"topics set", documentJob, "topicDetection: {}", "topicDetection is immutable"},
		{"topics unset", full, "topicDetection: null", "topicDetection is immutable"},
		{"chapters set", documentJob, "autoChapters: {}", "autoChapters is immutable"},
		{"chapters unset", full, "autoChapters: null", "autoChapters is immutable"},
		{"events", full, "audioEvents: {types: [laughter]}", "audioEvents is immutable"},
		{"events set", documentJob, "audioEvents: {}", "audioEvents is immutable"},
		{"events unset", full, "audioEvents: null", "audioEvents is immutable"},
		{"output", full, "output: {srtOverrides: {maxLines: 3}}", "output is immutable"},
		{"output set", validJob, "output: {}", "output is immutable"},
		{"output unset", full, "output: null", "output is immutable"},
		{"notification", full, `notifications: [{url: "https://a.example/b"}]`, "notifications is immutable"},
		{"notification set", validJob, `notifications: [{url: "https://a.example/a"}]`, "notifications is immutable"},
		{"notification unset", full, "notifications: null", "notifications is immutable"},
		{"processing", full, "processing: {parallelEngines: 3}", "processing is immutable"},
		{"processing set", validJob, "processing: {}", "processing is immutable"},
		{"processing unset", full, "processing: null", "processing is immutable"},
		{"provider's option", full, "providerConfig: {a: {b: 2}}", "providerConfig is immutable"},
		{"another option of the provider", full, "providerConfig: {c: 1}", "providerConfig is immutable"},
		{"provider's option set", validJob, "providerConfig: {a: 1}", "providerConfig is immutable"},
		{"provider's option unset", full, "providerConfig: null", "providerConfig is immutable"},
		{"backoffLimit", full, "backoffLimit: 3", "backoffLimit is immutable"},
		{"backoffLimit unset", full, "backoffLimit: null", "backoffLimit is immutable"},
		{"policy on doubt", full, "ambiguousSubmissionPolicy: Fail", "ambiguousSubmissionPolicy is immutable"},
		{"policy on doubt unset", full, "ambiguousSubmissionPolicy: null", "ambiguousSubmissionPolicy is immutable"},
		{"option unset", `{media: {url: "https://a.example/a"}, transcription: {language: en, diarization: speaker}}`, "transcription: {diarization: null}", "transcription is immutable"},
		{"headers unset", `{media: {url: "https://a.example/a", authHeadersFrom: {secretKeyRef: {name: a, key: b}}}, transcription: {language: en}}`, "media: {authHeadersFrom: null}", "media is immutable"},
		{"transcripts unset", full, "transcripts: null\nttlSecondsAfterFinished: null", "transcripts is immutable"},

		{"suspend", full, "suspend: false", ""},
		{"suspend set", validJob, "suspend: true", ""},
		{"suspend unset", full, "suspend: null", ""},
		{"priority", full, "priority: 5", ""},
		{"deadline", full, "activeDeadlineSeconds: 5", ""},
		{"deadline unset", full, "activeDeadlineSeconds: null", ""},
		{"TTL", full, "ttlSecondsAfterFinished: 0", ""},
		{"TTL unset", full, "ttlSecondsAfterFinished: null", ""},
		{"TTL set where nothing is said of the transcripts", validJob, "ttlSecondsAfterFinished: 0", "retentionPolicy must say"},
		{"deletion policy", full, "remoteDeletionPolicy: AfterStored", ""},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			object := manifest(t, "TranscriptionJob", namespace, fmt.Sprintf("job-%d", i), c.from)
			check(ctx, t, object, "")
			patch, err := yaml.YAMLToJSON([]byte("spec:\n  " + strings.ReplaceAll(strings.TrimSpace(c.change), "\n", "\n  ")))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, env.Client.Patch(ctx, object, client.RawPatch("application/merge-patch+json", patch)), c.want)
		})
	}
}

// TestTranscriptionJob_replace sends the original manifest again: defaults must not make it look changed.
func TestTranscriptionJob_replace(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	namespace := env.Namespace(ctx, t, nil)
	object := manifest(t, "TranscriptionJob", namespace, "job", validJob)
	check(ctx, t, object, "")
	again := manifest(t, "TranscriptionJob", namespace, "job", validJob)
	again.SetResourceVersion(object.GetResourceVersion())
	if err := env.Client.Update(ctx, again); err != nil {
		t.Fatalf("the unchanged manifest is refused: %v", err)
	}
	if generation, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration"); generation != -1 {
		t.Errorf("an untouched job has observedGeneration %d, want -1: kstatus would call it current", generation)
	}
}

func TestSpeechmaticsAccount_validation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	namespace := env.Namespace(ctx, t, nil)
	cases := []struct {
		name string
		spec string
		want string
	}{
		{"region", "{region: eu1, apiKeySecretRef: {name: a}}", ""},
		{"base URL", `{baseURL: "https://speech.example.com/gateway/v2", apiKeySecretRef: {name: a, key: b}}`, ""},
		{"everything", `{region: us1, apiKeySecretRef: {name: a}, limits: {runningJobs: 5, submissionsPerSecond: 1, requestsPerSecond: 5}, pollInterval: 90s, callbackURL: "https://a.example/x", suspend: true}`, ""},
		{"no callback wanted", `{region: us1, apiKeySecretRef: {name: a}, callbackURL: ""}`, ""},
		{"neither region nor URL", "{apiKeySecretRef: {name: a}}", "set exactly one of region and baseURL"},
		{"both", `{region: eu1, baseURL: "https://a.example/v2", apiKeySecretRef: {name: a}}`, "set exactly one of region and baseURL"},
		{"unknown region", "{region: mars1, apiKeySecretRef: {name: a}}", "Unsupported value"},
		{"no Secret", "{region: eu1}", "apiKeySecretRef is required for the backend saas"},
		{"URL with password", `{baseURL: "https://a:b@a.example/v2", apiKeySecretRef: {name: a}}`, "without user name, query and fragment"},
		{"URL with query", `{baseURL: "https://a.example/v2?key=1", apiKeySecretRef: {name: a}}`, "without user name, query and fragment"},
		{"no URL", `{baseURL: "speech.example.com", apiKeySecretRef: {name: a}}`, "absolute http or https URL"},
		{"interval too short", `{region: eu1, apiKeySecretRef: {name: a}, pollInterval: 10ms}`, "between 1s and 1h"},
		{"interval that is none", `{region: eu1, apiKeySecretRef: {name: a}, pollInterval: soon}`, "pollInterval"},
		{"no running jobs", `{region: eu1, apiKeySecretRef: {name: a}, limits: {runningJobs: 0}}`, "runningJobs"},
		{"appliance without a key", `{backend: appliance, baseURL: "http://10.0.0.1/v2"}`, ""},
		{"worker with a key", `{backend: worker, baseURL: "http://worker:18000/v2", apiKeySecretRef: {name: a}}`, ""},
		{"service behind a gateway", `{backend: saas, baseURL: "https://a.example/v2", apiKeySecretRef: {name: a}}`, ""},
		{"unverified appliance", `{backend: appliance, baseURL: "https://10.0.0.1/v2", insecureSkipTLSVerify: true}`, ""},
		{"unknown backend", `{backend: mainframe, baseURL: "https://a.example/v2"}`, "Unsupported value"},
		{"appliance in a region", `{backend: appliance, region: eu1}`, "region is for the backend saas"},
		{"worker in a region", `{backend: worker, region: eu1, apiKeySecretRef: {name: a}}`, "region is for the backend saas"},
		{"gateway without a key", `{baseURL: "https://a.example/v2"}`, "apiKeySecretRef is required for the backend saas"},
		{"unverified service", `{region: eu1, apiKeySecretRef: {name: a}, insecureSkipTLSVerify: true}`, "insecureSkipTLSVerify is for an installation on premises"},
		{"unverified gateway", `{baseURL: "https://a.example/v2", apiKeySecretRef: {name: a}, insecureSkipTLSVerify: true}`, "insecureSkipTLSVerify is for an installation on premises"},
		{"verified service, and says so", `{region: eu1, apiKeySecretRef: {name: a}, insecureSkipTLSVerify: false}`, ""},
		{"certificates for nothing", `{backend: appliance, baseURL: "https://10.0.0.1/v2", insecureSkipTLSVerify: true, caBundle: QUFB}`, "set caBundle or insecureSkipTLSVerify"},
		{"orphans of the service deleted", `{region: eu1, apiKeySecretRef: {name: a}, orphanPolicy: Delete}`, ""},
		{"orphans of a gateway deleted", `{backend: saas, baseURL: "https://a.example/v2", apiKeySecretRef: {name: a}, orphanPolicy: Delete}`, ""},
		{"orphans of an appliance deleted", `{backend: appliance, baseURL: "http://10.0.0.1/v2", orphanPolicy: Delete}`, "orphanPolicy Delete is for the backend saas"},
		{"orphans of a worker reported", `{backend: worker, baseURL: "http://worker:18000/v2", orphanPolicy: Report}`, ""},
		{"orphans ignored", `{region: eu1, apiKeySecretRef: {name: a}, orphanPolicy: Ignore}`, "Unsupported value"},
		{"callback that is no URL", `{region: eu1, apiKeySecretRef: {name: a}, callbackURL: "here"}`, "callbackURL must be"},
		{"huge certificate", `{region: eu1, apiKeySecretRef: {name: a}, caBundle: "` + strings.Repeat("QUFB", 50000) + `"}`, "larger than 128 KiB"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("account-%d", i)
			check(ctx, t, manifest(t, "SpeechmaticsAccount", namespace, name, c.spec), c.want)
			check(ctx, t, manifest(t, "ClusterSpeechmaticsAccount", "", namespace+"-"+name, c.spec), c.want)
		})
	}
}
