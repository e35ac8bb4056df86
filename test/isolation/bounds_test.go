// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// boundedElsewhere are fields without a bound in the schema, and what bounds them.
var boundedElsewhere = map[string]string{
	"spec.caBundle":          "a rule counts its bytes",
	"spec.pollInterval":      "a rule reads it as a duration",
	"spec.namespaceSelector": "it is Kubernetes' own type, and its writers are the cluster's administrators",
}

// TestEveryFieldIsBounded walks through the schemas: every text, list and map that a user writes has a bound.
func TestEveryFieldIsBounded(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(harness.Root(), "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) != 3 {
		t.Fatalf("CRDs %v, %v", files, err)
	}
	excused := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(content, &crd); err != nil {
			t.Fatal(err)
		}
		for _, version := range crd.Spec.Versions {
			spec := version.Schema.OpenAPIV3Schema.Properties["spec"]
			for _, unbounded := range unboundedIn("spec", &spec, excused) {
				t.Errorf("%s: %s", crd.Name, unbounded)
			}
		}
	}
	for field := range boundedElsewhere {
		if !excused[field] {
			t.Errorf("%s is excused, and there is no such field without a bound", field)
		}
	}
}

// unboundedIn are the fields of a schema without a bound.
func unboundedIn(field string, schema *apiextensionsv1.JSONSchemaProps, excused map[string]bool) []string {
	if _, ok := boundedElsewhere[field]; ok {
		excused[field] = true
		return nil
	}
	var found []string
	missing := func(what string) { found = append(found, fmt.Sprintf("%s (%s) has no %s", field, schema.Type, what)) }
	switch schema.Type {
	case "string":
		if schema.MaxLength == nil && len(schema.Enum) == 0 {
			missing("maxLength")
		}
	case "integer", "number":
		if schema.Minimum == nil || schema.Maximum == nil {
			missing("minimum and maximum")
		}
	case "array":
		if schema.MaxItems == nil {
			missing("maxItems")
		}
		found = append(found, unboundedIn(field+"[]", schema.Items.Schema, excused)...)
	case "object":
		free := schema.XPreserveUnknownFields != nil && *schema.XPreserveUnknownFields
		if (free || schema.AdditionalProperties != nil) && schema.MaxProperties == nil {
			missing("maxProperties")
		}
		if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
			found = append(found, unboundedIn(field+"{}", schema.AdditionalProperties.Schema, excused)...)
		}
	}
	for name := range schema.Properties {
		property := schema.Properties[name]
		found = append(found, unboundedIn(field+"."+name, &property, excused)...)
	}
	slices.Sort(found)
	return found
}

// post sends a job to the API server as mallory, byte for byte as it is written.
func post(t *testing.T, body []byte) (code int, answer []byte) {
	t.Helper()
	config := rest.CopyConfig(town.Cluster.Config)
	config.Impersonate.UserName = thief
	c, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	url := config.Host + "/apis/" + v1alpha1.GroupVersion.String() + "/namespaces/" + thief + "/transcriptionjobs"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// manifest is a job of mallory's as JSON, with something in the place of its spec.
func manifest(t *testing.T, name string, change func(spec map[string]any)) []byte {
	t.Helper()
	encoded, err := json.Marshal(newJob(name, suspended).Spec)
	if err != nil {
		t.Fatal(err)
	}
	var spec map[string]any
	if err := json.Unmarshal(encoded, &spec); err != nil {
		t.Fatal(err)
	}
	change(spec)
	body, err := json.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "TranscriptionJob", "metadata": map[string]any{"name": name}, "spec": spec,
	})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestHugeSpec creates jobs that are as large as can be, larger, too deep, and no UTF-8. What is not refused by the API server is refused
// before anything is bought; what is admitted can be changed and deleted again, whatever its rules cost.
func TestHugeSpec(t *testing.T) {
	t.Parallel()
	vocabulary := func(spec map[string]any, entries, length int) {
		var words []map[string]any
		for range entries {
			words = append(words, map[string]any{"content": strings.Repeat("x", length), "soundsLike": []string{strings.Repeat("y", 200), strings.Repeat("z", 200)}})
		}
		spec["transcription"] = map[string]any{"language": "en", "additionalVocab": words}
	}
	deep := []byte(strings.Repeat(`{"a":`, 20_000) + "1" + strings.Repeat("}", 20_000))
	for name, c := range map[string]struct {
		body []byte
		want []int
	}{
		"too many entries": {manifest(t, "entries", func(s map[string]any) { vocabulary(s, 1001, 10) }), []int{422}},
		"a long entry":     {manifest(t, "entry", func(s map[string]any) { vocabulary(s, 1, 513) }), []int{422}},
		"too large":        {manifest(t, "large", func(s map[string]any) { s["providerConfig"] = map[string]any{"a": strings.Repeat("x", 4<<20)} }), []int{413}},
		"too deep":         {bytes.Replace(manifest(t, "deep", func(s map[string]any) { s["providerConfig"] = "DEEP" }), []byte(`"DEEP"`), deep, 1), []int{400}},
		"too many members": {manifest(t, "members", func(s map[string]any) {
			members := map[string]any{}
			for i := range 65 {
				members[fmt.Sprint(i)] = i
			}
			s["providerConfig"] = members
		}), []int{422}},
	} {
		if code, answer := post(t, c.body); !slices.Contains(c.want, code) {
			t.Errorf("%s: answered %d, want %v: %.300s", name, code, c.want, answer)
		}
	}

	t.Run("as large as can be", func(t *testing.T) {
		t.Parallel()
		if code, answer := post(t, manifest(t, "largest", func(s map[string]any) { vocabulary(s, 1000, 500) })); code != http.StatusCreated {
			t.Fatalf("answered %d: %.300s", code, answer)
		}
		job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: thief, Name: "largest"}}
		awaitReason(t, job, v1alpha1.ReasonSuspended)
		if err := town.mallory.Patch(t.Context(), job, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"priority":1}}`))); err != nil {
			t.Error(err)
		}
		remove(t, job)
	})
	for field, change := range map[string]func(map[string]any){
		"providerConfig": func(s map[string]any) { s["providerConfig"] = map[string]any{"a": strings.Repeat("x", 1<<20)} },
		"tracking.details": func(s map[string]any) {
			s["tracking"] = map[string]any{"details": map[string]any{"a": strings.Repeat("x", 1<<20)}}
		},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			name := "large-" + strings.ToLower(strings.ReplaceAll(field, ".", "-"))
			code, answer := post(t, manifest(t, name, func(s map[string]any) {
				change(s)
				delete(s, "suspend")
			}))
			if code != http.StatusCreated {
				t.Fatalf("answered %d: %.300s", code, answer)
			}
			job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: thief, Name: name}}
			if message := awaitReason(t, job, v1alpha1.ReasonInvalidConfiguration); !strings.Contains(message, "spec."+field+" is larger than") {
				t.Errorf("the message does not name the field: %s", message)
			}
			wantNothingBought(t, job)
			remove(t, job)
		})
	}
	t.Run("no UTF-8", func(t *testing.T) {
		t.Parallel()
		body := bytes.Replace(manifest(t, "no-utf8", func(s map[string]any) { s["tracking"] = map[string]any{"title": "TITLE"} }), []byte("TITLE"), []byte("a\xff\xfeb"), 1)
		code, answer := post(t, body)
		if code != http.StatusCreated {
			return // refused is as good
		}
		job := &v1alpha1.TranscriptionJob{}
		if err := json.Unmarshal(answer, job); err != nil || !utf8.Valid(answer) || !utf8.ValidString(*job.Spec.Tracking.Title) {
			t.Errorf("stored is %q, %v", answer, err)
		}
		awaitReason(t, job, v1alpha1.ReasonSuspended)
		remove(t, job)
	})
}
