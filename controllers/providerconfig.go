// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const (
	// maxProviderConfigBytes and maxProviderConfigDepth bound spec.providerConfig, for which a schema has no bounds, and
	// spec.tracking.details, which the provider repeats in every list for all who share the account.
	maxProviderConfigBytes = 64 << 10
	maxProviderConfigDepth = 32
)

// reserved says what to use instead of the members of a job's configuration that belong to the operator.
var reserved = map[string]string{
	"type":                "the operator submits transcriptions only",
	"fetch_data":          "use spec.media",
	"fetch_text":          "the operator submits transcriptions only",
	"notification_config": "use spec.notifications",
}

// checkProviderConfig finds what spec.providerConfig must not touch: the members by which the operator finds a job again and is told
// of its end. CEL does not see the members of a free-form object, so that the schema cannot do it. Names are compared without
// regard to case, because nobody knows how the provider's decoder compares them.
func checkProviderConfig(spec *v1alpha1.TranscriptionJobSpec) error {
	const field = "spec.providerConfig"
	if spec.ProviderConfig == nil {
		return nil
	}
	members, err := freeObject(field, spec.ProviderConfig)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if instead, ok := reserved[strings.ToLower(name)]; ok {
			return invalidConfiguration(field+"."+name, "belongs to the operator: "+instead)
		}
		if strings.EqualFold(name, "tracking") {
			if err := checkProviderTracking(field+"."+name, members[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkDetails bounds spec.tracking.details.
func checkDetails(tracking *v1alpha1.Tracking) error {
	if tracking == nil || tracking.Details == nil {
		return nil
	}
	_, err := freeObject("spec.tracking.details", tracking.Details)
	return err
}

// freeObject reads a free-form object of the spec, within its bounds.
func freeObject(field string, value *apiextensionsv1.JSON) (map[string]any, error) {
	if len(value.Raw) > maxProviderConfigBytes {
		return nil, invalidConfiguration(field, fmt.Sprintf("is larger than %d bytes", maxProviderConfigBytes))
	}
	members, err := decodeObject(value.Raw)
	if err != nil {
		return nil, invalidConfiguration(field, "is not a JSON object")
	}
	if depth(members) > maxProviderConfigDepth {
		return nil, invalidConfiguration(field, fmt.Sprintf("is nested deeper than %d levels", maxProviderConfigDepth))
	}
	return members, nil
}

// checkProviderTracking keeps the reference from being changed or removed.
func checkProviderTracking(field string, value any) error {
	tracking, ok := value.(map[string]any)
	if !ok {
		return invalidConfiguration(field, "is not an object, and would take away tracking.reference, by which the operator finds the job again")
	}
	for name := range tracking {
		if strings.EqualFold(name, "reference") {
			return invalidConfiguration(field+"."+name, "belongs to the operator, which finds the job again by it: use spec.tracking.details for a reference of your own")
		}
	}
	return nil
}

// mergeProviderConfig encodes a configuration, with spec.providerConfig merged into it.
func mergeProviderConfig(config speechmatics.JobConfig, over *apiextensionsv1.JSON) (json.RawMessage, error) {
	encoded, err := encodeJSON(config)
	if err != nil || over == nil {
		return encoded, err
	}
	target, err := decodeObject(encoded)
	if err != nil {
		return nil, err
	}
	patch, err := decodeObject(over.Raw)
	if err != nil {
		return nil, invalidConfiguration("spec.providerConfig", "is not a JSON object")
	}
	return encodeJSON(mergePatch(target, patch))
}

// mergePatch is RFC 7386 for objects. The libraries for it drop null members within lists too, which the RFC keeps.
func mergePatch(target, patch map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for name, value := range patch {
		inner, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(target, name)
		case isObject:
			object, _ := target[name].(map[string]any)
			target[name] = mergePatch(object, inner)
		default:
			target[name] = value
		}
	}
	return target
}

// decodeObject reads a JSON object and keeps the digits of its numbers.
func decodeObject(text []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	if object == nil {
		return nil, errors.New("null is no object")
	}
	return object, nil
}

// encodeJSON writes JSON without the escapes that make it safe in HTML pages, of which this is none.
func encodeJSON(value any) (json.RawMessage, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("cannot encode the job's configuration: %w", err)
	}
	return bytes.TrimRight(out.Bytes(), "\n"), nil
}

// depth is how deep a value of JSON is nested; a scalar has 0.
func depth(value any) int {
	deepest := 0
	switch value := value.(type) {
	case map[string]any:
		for _, member := range value {
			deepest = max(deepest, depth(member))
		}
	case []any:
		for _, item := range value {
			deepest = max(deepest, depth(item))
		}
	default:
		return 0
	}
	return deepest + 1
}
