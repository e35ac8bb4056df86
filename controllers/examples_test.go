// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// TestJobConfig_examples writes every configuration in the examples of the provider's specification as a manifest, has a real API
// server take it, and compares the request with the example.
func TestJobConfig_examples(t *testing.T) {
	t.Parallel()
	f := newConfigFixture(t)
	examples := map[string]map[string]any{}
	for _, edition := range editions(t) {
		collectExamples(t, edition, examples)
	}
	if len(examples) < 5 {
		t.Fatalf("found %d configurations in the examples: the specification is read wrongly", len(examples))
	}
	for where, example := range examples {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			want := expected(example)
			spec := f.spec(t, asJSON)
			f.write(t, spec, "", want)
			got := f.request(t, spec)
			for _, member := range slices.Sorted(maps.Keys(want)) {
				if diff := cmp.Diff(want[member], got[member]); diff != "" {
					t.Errorf("%s (-example +request):\n%s", member, diff)
				}
			}
		})
	}
}

// expected is what the request is to say where the example says something: all of it but for the two things below.
func expected(example map[string]any) map[string]any {
	want := mergePatch(map[string]any{}, example)
	if tracking, ok := want["tracking"].(map[string]any); ok {
		tracking["reference"] = "uid/1/nonce" // the operator's own
	}
	for _, entry := range listOf(want["notification_config"]) {
		contents := listOf(entry.(map[string]any)["contents"])
		for i := range contents {
			// One example has a colon where the enumeration, and the service, have a dot.
			contents[i] = strings.ReplaceAll(contents[i].(string), "transcript:", "transcript.")
		}
	}
	return want
}

// collectExamples adds each different configuration in the examples of a specification, by where it is.
func collectExamples(t *testing.T, document map[string]any, into map[string]map[string]any) {
	t.Helper()
	definitions := document["definitions"].(map[string]any)
	properties := definitions["JobConfig"].(map[string]any)["properties"].(map[string]any)
	add := func(where string, config map[string]any) {
		known := map[string]any{}
		for name, member := range config {
			if properties[name] != nil {
				known[name] = member
			}
		}
		if len(known) == 1 && known["type"] != nil {
			return // something else that has a type
		}
		text, err := json.Marshal(known)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range into {
			if same, _ := json.Marshal(other); string(same) == string(text) {
				return
			}
		}
		// The operator submits transcriptions; alignment has no place in the spec.
		if len(known) > 0 && known["type"] != "alignment" && known["alignment_config"] == nil {
			into[where] = known
		}
	}
	for name, property := range properties {
		// The example of a definition is that of the member which it defines.
		property := property.(map[string]any)
		ref, inList := property["$ref"].(string)
		if items, ok := property["items"].(map[string]any); ok {
			ref, inList = items["$ref"].(string)
		}
		definition, _ := definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
		if example := definition["example"]; inList && example != nil {
			add(name, map[string]any{name: decoded(t, string(mustJSON(t, example)))})
		}
	}
	eachExample(document, "", func(where string, object map[string]any) { add(where, object) })
}

// eachExample visits every object within an example.
func eachExample(node any, where string, visit func(string, map[string]any)) {
	inExample := strings.Contains(where, "/example")
	switch node := node.(type) {
	case map[string]any:
		if inExample {
			visit(where, node)
		}
		for _, name := range slices.Sorted(maps.Keys(node)) {
			eachExample(node[name], where+"/"+name, visit)
		}
	case []any:
		for i, item := range node {
			eachExample(item, fmt.Sprintf("%s/%d", where, i), visit)
		}
	}
}

// index matches an item's place in a path.
var index = regexp.MustCompile(`\[(\d*)\]`)

// write writes a configuration into a spec, by the places of its members.
func (f *configFixture) write(t *testing.T, spec map[string]any, path string, v any) {
	t.Helper()
	general := index.ReplaceAllString(path, "[]")
	switch general {
	case "type", "tracking.reference":
	case "notification_config[].auth_headers", "fetch_data.auth_headers":
		assign(spec, specPath(t, path), f.headers(t, listOf(v)))
	case "tracking.details":
		assign(spec, specPath(t, path), v)
	default:
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				f.write(t, spec, strings.TrimPrefix(path+"."+name, "."), member)
			}
		case []any:
			if len(v) == 0 {
				assign(spec, specPath(t, path), v)
				return
			}
			if _, objects := v[0].(map[string]any); !objects {
				assign(spec, specPath(t, path), v)
				return
			}
			for i, item := range v {
				f.write(t, spec, fmt.Sprintf("%s[%d]", path, i), item)
			}
		case json.Number:
			if strings.HasPrefix(places[general].values[0].spec, `"`) {
				assign(spec, specPath(t, path), v.String())
				return
			}
			assign(spec, specPath(t, path), v)
		default:
			assign(spec, specPath(t, path), v)
		}
	}
}

// headers keeps headers in a Secret, as the spec wants them.
func (f *configFixture) headers(t *testing.T, lines []any) map[string]any {
	t.Helper()
	var text strings.Builder
	for _, line := range lines {
		fmt.Fprintln(&text, line)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, GenerateName: "headers-"}, Type: v1alpha1.MediaSecretType,
		StringData: map[string]string{"headers": text.String()},
	}
	if err := env.Client.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	return map[string]any{"secretKeyRef": map[string]any{"name": secret.Name, "key": "headers"}}
}

// specPath is the place of a member in the spec, items' numbers included.
func specPath(t *testing.T, wire string) string {
	t.Helper()
	general := index.ReplaceAllString(wire, "[]")
	for path, p := range places {
		if p.wire != general || strings.HasSuffix(path, "urlFrom") {
			continue
		}
		for _, number := range index.FindAllStringSubmatch(wire, -1) {
			path = strings.Replace(path, "[]", "["+number[1]+"]", 1)
		}
		return path
	}
	t.Fatalf("%s has no place in the spec", wire)
	return ""
}

// assign sets a field of a spec by its path, and makes whatever is missing on the way.
func assign(spec map[string]any, path string, v any) {
	at := spec
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		list, number, isItem := strings.Cut(strings.TrimSuffix(name, "]"), "[")
		if !isItem {
			if at[name] == nil {
				at[name] = map[string]any{}
			}
			at = at[name].(map[string]any)
			continue
		}
		i, _ := strconv.Atoi(number)
		items := listOf(at[list])
		for len(items) <= i {
			items = append(items, map[string]any{})
		}
		at[list] = items
		at = items[i].(map[string]any)
	}
	at[names[len(names)-1]] = v
}

func listOf(v any) []any {
	list, _ := v.([]any)
	return list
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
