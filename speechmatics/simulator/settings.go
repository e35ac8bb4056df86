// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseFault reads a fault as it is written on a command line: "kind=error,operation=create,status=503",
// with the names of its JSON fields, or as a JSON object (where a value has a comma).
func ParseFault(text string) (Fault, error) {
	var f Fault
	if err := parseSettings(text, &f); err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	if err := f.Validate(); err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", text, err)
	}
	return f, nil
}

// ParseBehaviour reads a behaviour as it is written on a command line: "deletedJob=gone,serveLogs=true",
// with the names of its JSON fields, or as a JSON object. What is not named is the harsher variant.
func ParseBehaviour(text string) (Behaviour, error) {
	var b Behaviour
	if err := parseSettings(text, &b); err != nil {
		return Behaviour{}, fmt.Errorf("behaviour %q: %w", text, err)
	}
	if err := b.Validate(); err != nil {
		return Behaviour{}, fmt.Errorf("behaviour %q: %w", text, err)
	}
	return b, nil
}

func parseSettings(text string, into any) error {
	if strings.HasPrefix(text, "{") {
		return unmarshalStrict([]byte(text), into)
	}
	if text == "" {
		return nil
	}
	for setting := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(setting, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return fmt.Errorf("%q is not name=value", setting)
		}
		if err := setField(name, value, into); err != nil {
			return err
		}
	}
	return nil
}

// setField sets one field: to a number or a boolean where the field is one, else to a string.
func setField(name, value string, into any) error {
	if json.Valid([]byte(value)) && unmarshalStrict(member(name, value), into) == nil {
		return nil
	}
	return unmarshalStrict(member(name, quoted(value)), into)
}

func member(name, value string) []byte { return []byte("{" + quoted(name) + ":" + value + "}") }

// quoted writes a text as a JSON string.
func quoted(s string) string {
	encoded, err := json.Marshal(s)
	if err != nil { // strings can always be encoded
		return strconv.Quote(s)
	}
	return string(encoded)
}

// unmarshalStrict refuses fields that there are not: a misspelt one would do nothing.
func unmarshalStrict(encoded []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(encoded))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("data after the value")
	}
	return nil
}
