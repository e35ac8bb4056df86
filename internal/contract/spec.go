// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"sigs.k8s.io/yaml"
)

// docsVariable names a folder with the provider's specification and samples.
const docsVariable = "TRANSCRIPTION_OPERATOR_SPEECHMATICS_DOCS"

// The editions of the specification.
const (
	currentEdition = "batch-openapi.yaml"
	mayEdition     = "batch-openapi-2026-05.yaml"
)

// Spec is the provider's specification, put right: once as it holds for requests, once for answers.
type Spec struct {
	requests, answers *openapi3.T
	router            routers.Router // of requests
}

// Folder is where the provider's specification and samples are, or would be.
func Folder() string {
	if folder := os.Getenv(docsVariable); folder != "" {
		return folder
	}
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..", "shared", "speechmatics")
}

// Open returns the specification, and skips the test where it is not at hand.
func Open(t testing.TB) *Spec {
	t.Helper()
	spec, err := load()
	if Missing(err) {
		t.Skipf("the provider's specification is not here; set %s to the folder that has %s and %s", docsVariable, currentEdition, mayEdition)
	}
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// Available reports whether the specification is at hand.
func Available() bool {
	_, err := load()
	return !Missing(err)
}

// Missing reports whether an error means that the provider's documents are not at hand, so that a test skips. Where the variable names a
// folder, as in CI, they must be there.
func Missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) && os.Getenv(docsVariable) == ""
}

// load reads the specification once.
var load = sync.OnceValues(func() (*Spec, error) { return build(patches) })

// build makes a specification with the given patches.
func build(with []patch) (*Spec, error) {
	requests, err := buildDocument(with, false)
	if err != nil {
		return nil, err
	}
	answers, err := buildDocument(with, true)
	if err != nil {
		return nil, err
	}
	router, err := legacy.NewRouter(requests, openapi3.DisableExamplesValidation()) // they are valid, see buildDocument
	if err != nil {
		return nil, fmt.Errorf("the specification is not valid: %w", err)
	}
	return &Spec{requests: requests, answers: answers, router: router}, nil
}

func buildDocument(with []patch, answers bool) (*openapi3.T, error) {
	current, err := readEdition(currentEdition)
	if err != nil {
		return nil, err
	}
	may, err := readEdition(mayEdition)
	if err != nil {
		return nil, err
	}
	for _, p := range with {
		if answers || !p.answersOnly {
			p.apply(current, may)
		}
	}
	inheritProduces(current)
	closeObjects(current)
	document, err := convert(current)
	if err != nil {
		return nil, err
	}
	if err := document.Validate(context.Background()); err != nil {
		problem, _, _ := strings.Cut(err.Error(), "\n") // what follows is schema and value, pages of them
		return nil, errors.New("the specification is not valid: " + problem)
	}
	return document, nil
}

// object is a part of a specification, as JSON.
type object map[string]any

// at returns the object at a place; the patches know that it is there.
func (o object) at(keys ...string) object {
	for _, key := range keys {
		switch next := o[key].(type) {
		case object:
			o = next
		case map[string]any:
			o = next
		default:
			panic(fmt.Sprintf("contract: the specification has no %s in %v", key, keys))
		}
	}
	return o
}

// list returns the list that is a member of the object.
func (o object) list(key string) []any {
	list, ok := o[key].([]any)
	if !ok {
		panic(fmt.Sprintf("contract: the specification has no list %s", key))
	}
	return list
}

func readEdition(name string) (object, error) {
	content, err := os.ReadFile(filepath.Join(Folder(), name))
	if err != nil {
		return nil, err
	}
	var document object
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return document, nil
}

// convert turns Swagger 2.0 into the OpenAPI 3 that the validator understands.
func convert(swagger object) (*openapi3.T, error) {
	encoded, err := json.Marshal(swagger)
	if err != nil {
		return nil, err
	}
	var document openapi2.T
	if err := json.Unmarshal(encoded, &document); err != nil {
		return nil, fmt.Errorf("the specification is not Swagger 2.0: %w", err)
	}
	converted, err := openapi2conv.ToV3(&document)
	if err != nil {
		return nil, fmt.Errorf("the specification cannot be converted: %w", err)
	}
	separatePlainText(converted)
	return converted, nil
}

// separatePlainText gives plain text a schema of its own: Swagger 2.0 has one per answer, whatever the media type. Errors are JSON.
func separatePlainText(document *openapi3.T) {
	const plain = "text/plain"
	for _, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				content := response.Value.Content
				switch {
				case content[plain] == nil:
				case status[0] == '2':
					content[plain].Schema = openapi3.NewSchemaRef("", openapi3.NewStringSchema())
				default:
					delete(content, plain)
				}
			}
		}
	}
}

// inheritProduces gives each operation the media types that the whole document declares; the conversion forgets them.
func inheritProduces(swagger object) {
	eachOperation(swagger, func(operation object) {
		if _, own := operation["produces"]; !own {
			operation["produces"] = swagger["produces"]
		}
	})
}

func eachOperation(swagger object, do func(object)) {
	paths := swagger.at("paths")
	for path := range paths {
		item := paths.at(path)
		for _, method := range []string{"get", "post", "delete"} {
			if _, there := item[method]; there {
				do(item.at(method))
			}
		}
	}
}

// optionless are the objects that switch something on by being there, and have no members.
var optionless = []string{"SentimentAnalysisConfig", "AutoChaptersConfig"}

// closeObjects forbids members that the specification does not know, so that a misspelt one is noticed. Objects without any, such as
// tracking.details, stay free.
func closeObjects(swagger object) {
	for _, name := range optionless {
		swagger.at("definitions", name)["additionalProperties"] = false
	}
	eachSchema(map[string]any(swagger.at("definitions")), func(schema map[string]any) {
		_, closed := schema["additionalProperties"]
		if _, ok := schema["properties"].(map[string]any); ok && !closed {
			schema["additionalProperties"] = false
		}
	})
}

// eachSchema visits all objects that look like schemas. An example may look like one as well, and means nothing.
func eachSchema(node any, visit func(map[string]any)) {
	switch node := node.(type) {
	case map[string]any:
		visit(node)
		for key, child := range node {
			if key != "example" && key != "examples" {
				eachSchema(child, visit)
			}
		}
	case []any:
		for _, child := range node {
			eachSchema(child, visit)
		}
	}
}
