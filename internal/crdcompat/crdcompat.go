// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crdcompat says what a new version of a CustomResourceDefinition takes away from those who use the old one: an object that was accepted
// must be accepted, must mean the same, and must be found where it was.
//
// It errs on the side of caution: what it cannot compare, such as a pattern that has changed, counts as incompatible. Descriptions, printer columns
// and everything that is only added and optional are compatible.
package crdcompat

import (
	"fmt"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Incompatibilities are what a definition that was accepted before loses by the new one, each as a sentence with the place in front. There are none if
// the new one is compatible.
func Incompatibilities(before, after *apiextensionsv1.CustomResourceDefinition) []string {
	var found []string
	c := comparison{at: before.Name, found: &found}
	c.identity(before, after)
	for _, version := range before.Spec.Versions {
		i := slices.IndexFunc(after.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == version.Name })
		if i < 0 {
			c.reportf("the version %s is gone", version.Name)
			continue
		}
		c.in(" "+version.Name).version(&version, &after.Spec.Versions[i])
	}
	return found
}

// comparison collects what is found at a place and below it.
type comparison struct {
	at    string
	found *[]string
}

func (c comparison) in(place string) comparison { return comparison{at: c.at + place, found: c.found} }

func (c comparison) reportf(format string, args ...any) {
	*c.found = append(*c.found, c.at+": "+fmt.Sprintf(format, args...))
}

// identity compares by what objects are found.
func (c comparison) identity(before, after *apiextensionsv1.CustomResourceDefinition) {
	c.same("the group", before.Spec.Group, after.Spec.Group)
	c.same("the scope", string(before.Spec.Scope), string(after.Spec.Scope))
	c.same("the kind", before.Spec.Names.Kind, after.Spec.Names.Kind)
	c.same("the list's kind", before.Spec.Names.ListKind, after.Spec.Names.ListKind)
	c.same("the plural", before.Spec.Names.Plural, after.Spec.Names.Plural)
	c.same("the singular", before.Spec.Names.Singular, after.Spec.Names.Singular)
	c.keeps("the short name", before.Spec.Names.ShortNames, after.Spec.Names.ShortNames)
	c.keeps("the category", before.Spec.Names.Categories, after.Spec.Names.Categories)
}

func (c comparison) same(what, before, after string) {
	if before != after {
		c.reportf("%s was %q, and is %q", what, before, after)
	}
}

func (c comparison) keeps(what string, before, after []string) {
	for _, name := range before {
		if !slices.Contains(after, name) {
			c.reportf("%s %q is gone", what, name)
		}
	}
}

// version compares what one version offers. That it is no longer the one that is stored, or that it warns, takes nothing away.
func (c comparison) version(before, after *apiextensionsv1.CustomResourceDefinitionVersion) {
	if before.Served && !after.Served {
		c.reportf("it is not served any more")
	}
	c.subresources(before.Subresources, after.Subresources)
	for _, field := range before.SelectableFields {
		if !slices.Contains(after.SelectableFields, field) {
			c.reportf("objects cannot be selected by %s any more", field.JSONPath)
		}
	}
	if before.Schema == nil || before.Schema.OpenAPIV3Schema == nil {
		return
	}
	if after.Schema == nil || after.Schema.OpenAPIV3Schema == nil {
		c.reportf("there is no schema any more")
		return
	}
	c.schema(before.Schema.OpenAPIV3Schema, after.Schema.OpenAPIV3Schema)
}

func (c comparison) subresources(before, after *apiextensionsv1.CustomResourceSubresources) {
	if before == nil {
		before = &apiextensionsv1.CustomResourceSubresources{}
	}
	if after == nil {
		after = &apiextensionsv1.CustomResourceSubresources{}
	}
	// One that appears changes what a write of the whole object writes.
	if (before.Status == nil) != (after.Status == nil) {
		c.reportf("the subresource status has come or gone")
	}
	if before.Scale != nil && (after.Scale == nil || *before.Scale != *after.Scale) {
		c.reportf("the subresource scale has changed")
	}
}
