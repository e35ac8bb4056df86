// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
)

// Coverage is the set of what was seen of the specification. The things have names:
//
//	GET /jobs                      an operation
//	GET /jobs 422                  a status of an operation
//	GET /jobs 200 text/plain       with the media type of a success
//	GET /jobs ?limit               a parameter of the query, a header or a part
//	GET /jobs ?format=txt          with one of its enumerated values
//	> TranscriptionConfig.model    a member of a definition, in a request
//	< JobDetails.status=done       an enumerated value of a member, in an answer
//	notified JobInfo.id            a member of what a notification carries
//	tolerated: 503                 an answer that the specification does not have
type Coverage struct {
	mu   sync.Mutex
	seen map[string]bool
}

// NewCoverage returns an empty set.
func NewCoverage() *Coverage { return &Coverage{seen: map[string]bool{}} }

// Seen returns what was seen, sorted.
func (c *Coverage) Seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.seen))
}

func (c *Coverage) mark(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[name] = true
}

// add marks what was in an exchange; of a request that was refused as invalid, only that it was.
func (c *Coverage) add(s *Spec, op *operation, x *exchange, refused bool) {
	c.mark(op.name)
	mediaType, _, _ := mime.ParseMediaType(x.header.Get("Content-Type"))
	if t := toleratedFor(op.name, x.status, mediaType); t != nil {
		c.mark(t.String())
	}
	c.mark(fmt.Sprintf("%s %d", op.name, x.status))
	if !refused {
		c.addRequest(s, op, x)
	}
	c.addAnswer(s, op, x, mediaType)
}

func (c *Coverage) addRequest(s *Spec, op *operation, x *exchange) {
	for name, values := range x.request.URL.Query() {
		c.mark(op.name + " ?" + name)
		if p := op.parameter(openapi3.ParameterInQuery, name); p != nil && len(p.Schema.Value.Enum) > 0 {
			c.mark(op.name + " ?" + name + "=" + values[0])
		}
	}
	for name := range x.request.Header {
		if strings.HasPrefix(name, "X-") {
			c.mark(op.name + " header " + strings.ToLower(name))
		}
	}
	if op.route.Operation.RequestBody == nil || x.sent == nil {
		return
	}
	parts, _ := readParts(x.request.Header, x.sent) // judged already
	for _, p := range parts {
		c.mark(op.name + " part " + p.name)
		if p.name == "config" {
			c.addDocument("> ", s.requests.Components.Schemas["JobConfig"], "JobConfig", p.content)
		}
	}
}

func (c *Coverage) addAnswer(s *Spec, op *operation, x *exchange, mediaType string) {
	declared := s.answerOf(op, x.status)
	if declared == nil || x.status >= 300 {
		return
	}
	c.mark(fmt.Sprintf("%s %d %s", op.name, x.status, mediaType))
	if content := declared.Content.Get(mediaType); content != nil && isJSON(mediaType) {
		c.addDocument("< ", content.Schema, "", x.answer)
	}
}

// addDocument marks the members of a JSON document and their enumerated values.
func (c *Coverage) addDocument(direction string, schema *openapi3.SchemaRef, name string, document []byte) {
	var value any
	if json.Unmarshal(document, &value) != nil {
		return // judged already
	}
	c.walk(direction, schema, name, value)
}

func (c *Coverage) walk(direction string, ref *openapi3.SchemaRef, name string, value any) {
	if ref == nil {
		return
	}
	if definition := definitionOf(ref); definition != "" {
		name = definition
	}
	schema := ref.Value
	if len(schema.Enum) > 0 {
		c.mark(fmt.Sprintf("%s%s=%v", direction, name, value))
	}
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			c.walk(direction, schema.Items, name, item)
		}
	case map[string]any:
		for key, member := range value {
			if property, known := schema.Properties[key]; known {
				c.mark(direction + name + "." + key)
				c.walk(direction, property, name+"."+key, member)
			} else {
				c.walk(direction, schema.AdditionalProperties.Schema, name, member)
			}
		}
	}
}

// definitionOf returns the name of the definition that a schema refers to.
func definitionOf(ref *openapi3.SchemaRef) string {
	_, name, _ := strings.Cut(ref.Ref, "#/components/schemas/")
	return name
}

// Expected lists all that could be seen.
func (s *Spec) Expected() []string {
	all := map[string]bool{}
	for path, item := range s.answers.Paths.Map() {
		for method, operation := range item.Operations() {
			name := method + " " + path
			all[name] = true
			expectRequest(all, name, operation)
			expectAnswers(all, name, operation)
		}
	}
	expectMembers(all, map[string]bool{}, "> ", s.requests.Components.Schemas["JobConfig"], "JobConfig")
	s.expectNotified(all)
	for i := range toleratedAnswers {
		all[toleratedAnswers[i].String()] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func expectRequest(all map[string]bool, name string, operation *openapi3.Operation) {
	for _, ref := range operation.Parameters {
		switch p := ref.Value; p.In {
		case openapi3.ParameterInQuery:
			all[name+" ?"+p.Name] = true
			for _, value := range p.Schema.Value.Enum {
				all[fmt.Sprintf("%s ?%s=%v", name, p.Name, value)] = true
			}
		case openapi3.ParameterInHeader:
			all[name+" header "+strings.ToLower(p.Name)] = true
		}
	}
	if operation.RequestBody == nil {
		return
	}
	for part := range operation.RequestBody.Value.Content["multipart/form-data"].Schema.Value.Properties {
		all[name+" part "+part] = true
	}
}

func expectAnswers(all map[string]bool, name string, operation *openapi3.Operation) {
	for status, response := range operation.Responses.Map() {
		all[name+" "+status] = true
		if status[0] != '2' {
			continue
		}
		for mediaType, content := range response.Value.Content {
			all[name+" "+status+" "+mediaType] = true
			if isJSON(mediaType) {
				expectMembers(all, map[string]bool{}, "< ", content.Schema, "")
			}
		}
	}
}

// expectMembers lists the members of a schema, and of all that it refers to.
func expectMembers(all, visited map[string]bool, direction string, ref *openapi3.SchemaRef, name string) {
	if definition := definitionOf(ref); definition != "" {
		if visited[definition] {
			return
		}
		visited[definition] = true
		name = definition
	}
	schema := ref.Value
	for _, value := range schema.Enum {
		all[fmt.Sprintf("%s%s=%v", direction, name, value)] = true
	}
	for key, property := range schema.Properties {
		all[direction+name+"."+key] = true
		expectMembers(all, visited, direction, property, name+"."+key)
	}
	for _, inner := range []*openapi3.SchemaRef{schema.Items, schema.AdditionalProperties.Schema} {
		if inner != nil {
			expectMembers(all, visited, direction, inner, name)
		}
	}
}

// String is the entry's name in a Coverage.
func (t *tolerance) String() string {
	return strings.TrimRight("tolerated: "+strings.TrimLeft(t.operation+" "+strconv.Itoa(t.status), " ")+" "+t.mediaType, " ")
}
