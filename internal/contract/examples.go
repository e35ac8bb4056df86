// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Example is a document that the provider gives as an example of one of its definitions: in the specification, as it is there, with its
// defects, or as a sample.
type Example struct {
	// Name says where it is.
	Name string
	// Definition is what it is an example of.
	Definition string
	// Document is the example, as JSON.
	Document []byte
}

// samples are the sample files, and what they are samples of.
var samples = map[string]string{
	"job-done-fetch.json":           "RetrieveJobResponse",
	"job-fetch-failure.json":        "RetrieveJobResponse",
	"job-notification-failure.json": "RetrieveJobResponse",
	"transcript-json-v2-2.8.json":   "RetrieveTranscriptResponse",
	"transcript-json-v2-2.9.json":   "RetrieveTranscriptResponse",
}

// Examples returns all examples of both editions of the specification, and all samples.
func Examples(t testing.TB) []Example {
	t.Helper()
	Open(t)
	var all []Example
	for _, edition := range []string{currentEdition, mayEdition} {
		specification, err := readEdition(edition)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, examplesOf(t, edition, specification)...)
	}
	files, err := os.ReadDir(filepath.Join(Folder(), "samples"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		document, err := os.ReadFile(filepath.Join(Folder(), "samples", file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Example{Name: file.Name(), Definition: samples[file.Name()], Document: document})
	}
	return all
}

func examplesOf(t testing.TB, edition string, specification object) []Example {
	t.Helper()
	var all []Example
	add := func(name, definition string, value any) {
		document, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Example{Name: edition + ": " + name, Definition: definition, Document: document})
	}
	definitions := specification.at("definitions")
	for name := range definitions {
		if example, there := definitions.at(name)["example"]; there {
			add(name, name, example)
		}
	}
	eachOperation(specification, func(operation object) {
		responses := operation.at("responses")
		for status := range responses {
			response := responses.at(status)
			examples, _ := response["examples"].(map[string]any)
			for mediaType, example := range examples {
				if isJSON(mediaType) {
					name, _ := operation["summary"].(string)
					add(name+" "+status, strings.TrimPrefix(response.text("schema", "$ref"), "#/definitions/"), example)
				}
			}
		}
	})
	return all
}

// text returns a text of a member that is an object.
func (o object) text(member, key string) string {
	text, _ := o.at(member)[key].(string)
	return text
}
