// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crdcompat

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"
)

// schema compares what is accepted at one place, and below it.
func (c comparison) schema(before, after *apiextensionsv1.JSONSchemaProps) {
	c.kind(before, after)
	c.values(before, after)
	c.bounds(before, after)
	c.rules(before, after)
	c.lists(before, after)
	c.properties(before, after)
	if before.Items != nil && before.Items.Schema != nil {
		if after.Items == nil || after.Items.Schema == nil {
			c.reportf("the items have no schema any more")
		} else {
			c.in("[]").schema(before.Items.Schema, after.Items.Schema)
		}
	}
	c.additional(before.AdditionalProperties, after.AdditionalProperties)
}

// kind compares the types.
func (c comparison) kind(before, after *apiextensionsv1.JSONSchemaProps) {
	c.same("the type", before.Type, after.Type)
	c.same("the format", before.Format, after.Format)
	if before.Nullable && !after.Nullable {
		c.reportf("null is not accepted any more")
	}
	if before.XIntOrString && !after.XIntOrString {
		c.reportf("it was a number or a text, and is not any more")
	}
	if before.XEmbeddedResource != after.XEmbeddedResource {
		c.reportf("it has become a whole object, or is none any more")
	}
	if ptr.Deref(before.XPreserveUnknownFields, false) && !ptr.Deref(after.XPreserveUnknownFields, false) {
		c.reportf("fields that are not in the schema are dropped")
	}
}

// values compares which single values are accepted, and what is meant by none.
func (c comparison) values(before, after *apiextensionsv1.JSONSchemaProps) {
	switch was, is := texts(before.Enum), texts(after.Enum); {
	case len(was) == 0 && len(is) > 0:
		c.reportf("only some values are accepted now: %s", is)
	case len(is) > 0:
		for _, value := range was {
			if !slices.Contains(is, value) {
				c.reportf("the value %s is not accepted any more", value)
			}
		}
	}
	if after.Pattern != "" {
		c.same("the pattern", before.Pattern, after.Pattern)
	}
	// A default that comes, changes or goes changes what an absent field means.
	if !equality.Semantic.DeepEqual(before.Default, after.Default) {
		c.reportf("the default was %s, and is %s", described(before.Default), described(after.Default))
	}
}

func texts(values []apiextensionsv1.JSON) []string {
	all := make([]string, 0, len(values))
	for _, value := range values {
		all = append(all, string(value.Raw))
	}
	return all
}

func described(value *apiextensionsv1.JSON) string {
	if value == nil {
		return "none"
	}
	return string(value.Raw)
}

// bounds compares how much, how many and how long.
func (c comparison) bounds(before, after *apiextensionsv1.JSONSchemaProps) {
	noLess(c, "maximum", before.Maximum, after.Maximum)
	noLess(c, "maxLength", before.MaxLength, after.MaxLength)
	noLess(c, "maxItems", before.MaxItems, after.MaxItems)
	noLess(c, "maxProperties", before.MaxProperties, after.MaxProperties)
	noMore(c, "minimum", before.Minimum, after.Minimum)
	noMore(c, "minLength", before.MinLength, after.MinLength)
	noMore(c, "minItems", before.MinItems, after.MinItems)
	noMore(c, "minProperties", before.MinProperties, after.MinProperties)
	if after.ExclusiveMaximum && !before.ExclusiveMaximum || after.ExclusiveMinimum && !before.ExclusiveMinimum {
		c.reportf("the bound itself is not accepted any more")
	}
	if after.UniqueItems && !before.UniqueItems {
		c.reportf("an item may be there only once now")
	}
	if after.MultipleOf != nil && !equality.Semantic.DeepEqual(before.MultipleOf, after.MultipleOf) {
		c.reportf("only multiples of %v are accepted now", *after.MultipleOf)
	}
}

// noLess reports an upper bound that has come, or is lower.
func noLess[T cmp.Ordered](c comparison, what string, before, after *T) {
	if after != nil && (before == nil || *after < *before) {
		c.reportf("%s was %s, and is %s", what, bound(before), bound(after))
	}
}

// noMore reports a lower bound that has come, or is higher.
func noMore[T cmp.Ordered](c comparison, what string, before, after *T) {
	if after != nil && (before == nil || *after > *before) {
		c.reportf("%s was %s, and is %s", what, bound(before), bound(after))
	}
}

func bound[T cmp.Ordered](value *T) string {
	if value == nil {
		return "not there"
	}
	return fmt.Sprint(*value)
}

// rules compares what is demanded by expressions and combinations, of which nobody can say whether one demands more than another.
func (c comparison) rules(before, after *apiextensionsv1.JSONSchemaProps) {
	for _, rule := range after.XValidations {
		known := slices.ContainsFunc(before.XValidations, func(r apiextensionsv1.ValidationRule) bool {
			return r.Rule == rule.Rule && ptr.Deref(r.OptionalOldSelf, false) == ptr.Deref(rule.OptionalOldSelf, false)
		})
		if !known {
			c.reportf("a rule is new or has changed: %s", rule.Rule)
		}
	}
	for what, pair := range map[string][2]any{
		"allOf": {before.AllOf, after.AllOf}, "anyOf": {before.AnyOf, after.AnyOf}, "oneOf": {before.OneOf, after.OneOf}, "not": {before.Not, after.Not},
	} {
		if !equality.Semantic.DeepEqual(pair[0], pair[1]) {
			c.reportf("%s has changed", what)
		}
	}
}

// lists compares how lists and maps are merged: what was two owners' entries must not become one's.
func (c comparison) lists(before, after *apiextensionsv1.JSONSchemaProps) {
	c.same("x-kubernetes-list-type", ptr.Deref(before.XListType, ""), ptr.Deref(after.XListType, ""))
	c.same("x-kubernetes-map-type", ptr.Deref(before.XMapType, ""), ptr.Deref(after.XMapType, ""))
	if !slices.Equal(before.XListMapKeys, after.XListMapKeys) {
		c.reportf("the keys of the list's items were %v, and are %v", before.XListMapKeys, after.XListMapKeys)
	}
}

// properties compares which fields there are, and which there must be.
func (c comparison) properties(before, after *apiextensionsv1.JSONSchemaProps) {
	for _, name := range after.Required {
		if !slices.Contains(before.Required, name) {
			c.reportf("the field %s is required now", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before.Properties)) {
		property := before.Properties[name]
		if still, ok := after.Properties[name]; ok {
			c.in("."+name).schema(&property, &still)
		} else {
			c.reportf("the field %s is gone", name)
		}
	}
	if !ptr.Deref(before.XPreserveUnknownFields, false) && before.AdditionalProperties == nil {
		return
	}
	// What is there under that name was anybody's.
	for _, name := range slices.Sorted(maps.Keys(after.Properties)) {
		if _, known := before.Properties[name]; !known {
			c.reportf("the field %s could be anything, and has a schema now", name)
		}
	}
}

// additional compares what a map's values may be.
func (c comparison) additional(before, after *apiextensionsv1.JSONSchemaPropsOrBool) {
	switch {
	case before == nil || (!before.Allows && before.Schema == nil):
		return
	case after == nil || (!after.Allows && after.Schema == nil):
		c.reportf("keys of one's own are not accepted any more")
	case before.Schema == nil && after.Schema != nil:
		c.reportf("the values have a schema now")
	case before.Schema != nil && after.Schema != nil:
		c.in("{}").schema(before.Schema, after.Schema)
	}
}
