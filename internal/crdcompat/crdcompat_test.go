// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crdcompat_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/internal/crdcompat"
)

// definition has something of everything that a schema can say.
const definition = `
metadata:
  name: things.example.com
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Thing, listKind: ThingList, plural: things, singular: thing, shortNames: [th], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.n, statusReplicasPath: .status.n}
    selectableFields:
    - jsonPath: .spec.text
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        x-kubernetes-validations:
        - {rule: has(self.spec), message: spec is needed}
        properties:
          spec:
            type: object
            properties:
              text: {type: string, format: date, pattern: "^a", minLength: 1, maxLength: 9, enum: ["a", "ab"], default: "a", nullable: true}
              number: {type: integer, minimum: 1, maximum: 9, multipleOf: 1}
              fraction: {type: number, minimum: 0, maximum: 9}
              either: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}
              list: {type: array, minItems: 1, maxItems: 9, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [name], items: {type: object, properties: {name: {type: string}}}}
              words: {type: array, items: {type: string, maxLength: 9}}
              map: {type: object, minProperties: 1, maxProperties: 9, x-kubernetes-map-type: atomic, additionalProperties: {type: string, maxLength: 9}}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true}
              whole: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}
              one: {type: object, properties: {a: {type: string}}, oneOf: [{required: [a]}], allOf: [{required: [a]}], not: {required: [b]}}
`

func read(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict([]byte(definition), crd); err != nil {
		t.Fatal(err)
	}
	return crd
}

// change is one thing that becomes different about a schema.
type change struct {
	field string // of spec; the whole schema if it is empty
	do    func(*apiextensionsv1.JSONSchemaProps)
	says  string
}

func float(n float64) *float64 { return &n }

// tightened has, by the field of JSONSchemaProps that it is about, what takes something away.
func tightened() map[string][]change {
	type props = apiextensionsv1.JSONSchemaProps
	json := func(text string) apiextensionsv1.JSON { return apiextensionsv1.JSON{Raw: []byte(text)} }
	return map[string][]change{
		"Type":             {{"text", func(s *props) { s.Type = "integer" }, `.spec.text: the type was "string", and is "integer"`}},
		"Format":           {{"text", func(s *props) { s.Format = "" }, "the format"}, {"number", func(s *props) { s.Format = "int32" }, "the format"}},
		"Nullable":         {{"text", func(s *props) { s.Nullable = false }, "null is not accepted"}},
		"Enum":             {{"text", func(s *props) { s.Enum = s.Enum[:1] }, `the value "ab" is not accepted`}, {"number", func(s *props) { s.Enum = []apiextensionsv1.JSON{json("1")} }, "only some values"}},
		"Pattern":          {{"text", func(s *props) { s.Pattern = "^ab" }, "the pattern"}, {"words", func(s *props) { s.Items.Schema.Pattern = "^a" }, `.spec.words[]: the pattern was "", and is "^a"`}},
		"Default":          {{"text", func(s *props) { s.Default = nil }, `the default was "a", and is none`}, {"text", func(s *props) { s.Default = ptr.To(json(`"ab"`)) }, "the default"}, {"number", func(s *props) { s.Default = ptr.To(json("1")) }, "the default was none"}},
		"Maximum":          {{"number", func(s *props) { s.Maximum = float(8) }, "maximum was 9, and is 8"}, {"either", func(s *props) { s.Maximum = float(8) }, "maximum was not there"}},
		"ExclusiveMaximum": {{"number", func(s *props) { s.ExclusiveMaximum = true }, "the bound itself"}},
		"Minimum":          {{"number", func(s *props) { s.Minimum = float(2) }, "minimum was 1, and is 2"}, {"either", func(s *props) { s.Minimum = float(-1) }, "minimum was not there"}},
		"ExclusiveMinimum": {{"number", func(s *props) { s.ExclusiveMinimum = true }, "the bound itself"}},
		"MaxLength":        {{"text", func(s *props) { s.MaxLength = ptr.To[int64](8) }, "maxLength"}, {"map", func(s *props) { s.AdditionalProperties.Schema.MaxLength = ptr.To[int64](8) }, ".spec.map{}: maxLength"}},
		"MinLength":        {{"text", func(s *props) { s.MinLength = ptr.To[int64](2) }, "minLength"}, {"words", func(s *props) { s.Items.Schema.MinLength = ptr.To[int64](1) }, "minLength was not there"}},
		"MaxItems":         {{"list", func(s *props) { s.MaxItems = ptr.To[int64](8) }, "maxItems"}, {"words", func(s *props) { s.MaxItems = ptr.To[int64](8) }, "maxItems"}},
		"MinItems":         {{"list", func(s *props) { s.MinItems = ptr.To[int64](2) }, "minItems"}, {"words", func(s *props) { s.MinItems = ptr.To[int64](2) }, "minItems"}},
		"UniqueItems":      {{"words", func(s *props) { s.UniqueItems = true }, "only once"}},
		"MultipleOf":       {{"number", func(s *props) { s.MultipleOf = float(2) }, "multiples of 2"}, {"fraction", func(s *props) { s.MultipleOf = float(0.5) }, "multiples of 0.5"}},
		"MaxProperties":    {{"map", func(s *props) { s.MaxProperties = ptr.To[int64](8) }, "maxProperties"}},
		"MinProperties":    {{"map", func(s *props) { s.MinProperties = ptr.To[int64](2) }, "minProperties"}},
		"Required":         {{"list", func(s *props) { s.Items.Schema.Required = []string{"name"} }, ".spec.list[]: the field name is required"}},
		"Properties": {
			{"", func(s *props) { delete(s.Properties, "spec") }, "v1: the field spec is gone"},
			{"one", func(s *props) { delete(s.Properties, "a") }, ".spec.one: the field a is gone"},
			{"free", func(s *props) { s.Properties = map[string]props{"a": {Type: "string"}} }, "could be anything"},
			{"map", func(s *props) { s.Properties = map[string]props{"a": {Type: "string"}} }, "could be anything"},
		},
		"Items":                {{"words", func(s *props) { s.Items = nil }, "no schema any more"}, {"list", func(s *props) { delete(s.Items.Schema.Properties, "name") }, "the field name is gone"}},
		"AdditionalProperties": {{"map", func(s *props) { s.AdditionalProperties = nil }, "keys of one's own"}, {"map", func(s *props) { s.AdditionalProperties.Schema.Type = "integer" }, "the type"}},
		"AllOf":                {{"one", func(s *props) { s.AllOf = nil }, "allOf"}},
		"AnyOf":                {{"either", func(s *props) { s.AnyOf = s.AnyOf[:1] }, "anyOf"}},
		"OneOf":                {{"one", func(s *props) { s.OneOf = append(s.OneOf, props{Required: []string{"b"}}) }, "oneOf"}},
		"Not":                  {{"one", func(s *props) { s.Not = &props{Required: []string{"a"}} }, "not has changed"}},
		"XPreserveUnknownFields": {
			{"free", func(s *props) { s.XPreserveUnknownFields = nil }, "dropped"},
		},
		"XEmbeddedResource": {{"whole", func(s *props) { s.XEmbeddedResource = false }, "whole object"}, {"free", func(s *props) { s.XEmbeddedResource = true }, "whole object"}},
		"XIntOrString":      {{"either", func(s *props) { s.XIntOrString = false }, "a number or a text"}},
		"XListType":         {{"list", func(s *props) { s.XListType = ptr.To("atomic") }, "list-type"}, {"words", func(s *props) { s.XListType = ptr.To("set") }, "list-type"}},
		"XListMapKeys":      {{"list", func(s *props) { s.XListMapKeys = []string{"id"} }, "the keys of the list"}},
		"XMapType":          {{"map", func(s *props) { s.XMapType = nil }, "map-type"}},
		"XValidations": {
			{"", func(s *props) {
				s.XValidations = append(s.XValidations, apiextensionsv1.ValidationRule{Rule: "false"})
			}, "a rule is new or has changed: false"},
			{"", func(s *props) { s.XValidations[0].Rule = "has(self.spec.text)" }, "a rule is new or has changed"},
			{"", func(s *props) { s.XValidations[0].OptionalOldSelf = ptr.To(true) }, "a rule is new or has changed"},
		},
	}
}

// unused are the fields that mean nothing in a CustomResourceDefinition, or nothing to objects.
var unused = []string{
	"ID", "Schema", "Ref", "Description", "Title", "Example", "ExternalDocs", // documentation
	"AdditionalItems", "PatternProperties", "Dependencies", "Definitions", // forbidden
}

// schemaOf changes the schema of a field of spec, or the whole one.
func schemaOf(crd *apiextensionsv1.CustomResourceDefinition, field string, do func(*apiextensionsv1.JSONSchemaProps)) {
	whole := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	if field == "" {
		do(whole)
		return
	}
	spec := whole.Properties["spec"]
	schema := spec.Properties[field]
	do(&schema)
	spec.Properties[field] = schema
}

// TestSchema makes every kind of change that takes something away, one by one: each is reported, once, and at its place.
func TestSchema(t *testing.T) {
	kinds := tightened()
	of := reflect.TypeFor[apiextensionsv1.JSONSchemaProps]()
	for field := range of.Fields() {
		name := field.Name
		if (len(kinds[name]) > 0) == slices.Contains(unused, name) {
			t.Errorf("JSONSchemaProps.%s is neither tried here nor known to mean nothing", name)
		}
	}
	for name, changes := range kinds {
		for i, c := range changes {
			before, after := read(t), read(t)
			schemaOf(after, c.field, c.do)
			found := crdcompat.Incompatibilities(before, after)
			if len(found) != 1 || !strings.Contains(found[0], c.says) || !strings.HasPrefix(found[0], "things.example.com v1") {
				t.Errorf("%s, change %d: reported is %q, want one that says %q", name, i+1, found, c.says)
			}
		}
	}
}

// TestDefinition changes what objects are found by.
func TestDefinition(t *testing.T) {
	type definition = apiextensionsv1.CustomResourceDefinition
	version := func(do func(*apiextensionsv1.CustomResourceDefinitionVersion)) func(*definition) {
		return func(d *definition) { do(&d.Spec.Versions[0]) }
	}
	for says, change := range map[string]func(*definition){
		"the group":              func(d *definition) { d.Spec.Group = "example.org" },
		"the scope":              func(d *definition) { d.Spec.Scope = apiextensionsv1.ClusterScoped },
		"the kind":               func(d *definition) { d.Spec.Names.Kind = "Other" },
		"the list's kind":        func(d *definition) { d.Spec.Names.ListKind = "Others" },
		"the plural":             func(d *definition) { d.Spec.Names.Plural = "others" },
		"the singular":           func(d *definition) { d.Spec.Names.Singular = "other" },
		`the short name "th"`:    func(d *definition) { d.Spec.Names.ShortNames = nil },
		`the category "all"`:     func(d *definition) { d.Spec.Names.Categories = nil },
		"the version v1 is gone": func(d *definition) { d.Spec.Versions[0].Name = "v2" },
		"it is not served":       version(func(v *apiextensionsv1.CustomResourceDefinitionVersion) { v.Served = false }),
		"the subresource status": version(func(v *apiextensionsv1.CustomResourceDefinitionVersion) { v.Subresources.Status = nil }),
		"the subresource scale": version(func(v *apiextensionsv1.CustomResourceDefinitionVersion) {
			v.Subresources.Scale.StatusReplicasPath = ".n"
		}),
		"cannot be selected by":       version(func(v *apiextensionsv1.CustomResourceDefinitionVersion) { v.SelectableFields = nil }),
		"there is no schema any more": version(func(v *apiextensionsv1.CustomResourceDefinitionVersion) { v.Schema = nil }),
	} {
		before, after := read(t), read(t)
		change(after)
		if found := crdcompat.Incompatibilities(before, after); len(found) != 1 || !strings.Contains(found[0], says) {
			t.Errorf("reported is %q, want one that says %q", found, says)
		}
	}
}

// TestCompatible is what takes nothing away.
func TestCompatible(t *testing.T) {
	type props = apiextensionsv1.JSONSchemaProps
	for what, change := range map[string]func(*apiextensionsv1.CustomResourceDefinition){
		"nothing": func(*apiextensionsv1.CustomResourceDefinition) {},
		"a version more": func(d *apiextensionsv1.CustomResourceDefinition) {
			d.Spec.Versions = append(d.Spec.Versions, apiextensionsv1.CustomResourceDefinitionVersion{Name: "v2"})
		},
		"another one stored": func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Versions[0].Storage = false },
		"a warning":          func(d *apiextensionsv1.CustomResourceDefinition) { d.Spec.Versions[0].Deprecated = true },
		"a short name": func(d *apiextensionsv1.CustomResourceDefinition) {
			d.Spec.Names.ShortNames = append(d.Spec.Names.ShortNames, "t")
		},
		"another description": func(d *apiextensionsv1.CustomResourceDefinition) {
			schemaOf(d, "text", func(s *props) { s.Description = "another" })
		},
		"a field that is optional": func(d *apiextensionsv1.CustomResourceDefinition) {
			schemaOf(d, "one", func(s *props) { s.Properties["b"] = props{Type: "string", MaxLength: ptr.To[int64](1)} })
		},
		"a field that is not required any more": func(d *apiextensionsv1.CustomResourceDefinition) {
			schemaOf(d, "", func(s *props) { s.Required = nil })
		},
		"a rule less": func(d *apiextensionsv1.CustomResourceDefinition) {
			schemaOf(d, "", func(s *props) { s.XValidations = nil })
		},
		"another message": func(d *apiextensionsv1.CustomResourceDefinition) {
			schemaOf(d, "", func(s *props) { s.XValidations[0].Message = "please" })
		},
		"a value more": func(d *apiextensionsv1.CustomResourceDefinition) {
			schemaOf(d, "text", func(s *props) { s.Enum = append(s.Enum, apiextensionsv1.JSON{Raw: []byte(`"abc"`)}) })
		},
		"any value": func(d *apiextensionsv1.CustomResourceDefinition) {
			schemaOf(d, "text", func(s *props) { s.Enum = nil })
		},
		"any text": func(d *apiextensionsv1.CustomResourceDefinition) {
			schemaOf(d, "text", func(s *props) { s.Pattern = "" })
		},
		"wider bounds": func(d *apiextensionsv1.CustomResourceDefinition) {
			schemaOf(d, "number", func(s *props) { s.Minimum, s.Maximum, s.MultipleOf = float(0), float(10), nil })
			schemaOf(d, "text", func(s *props) { s.MinLength, s.MaxLength = nil, ptr.To[int64](10) })
			schemaOf(d, "list", func(s *props) { s.MinItems, s.MaxItems = ptr.To[int64](0), nil })
			schemaOf(d, "map", func(s *props) { s.MinProperties, s.MaxProperties = nil, nil })
		},
	} {
		before, after := read(t), read(t)
		change(after)
		if found := crdcompat.Incompatibilities(before, after); len(found) > 0 {
			t.Errorf("%s: reported is %q", what, found)
		}
	}
}
