// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"
)

// jobConfig is a job's configuration. It is decoded here, leniently, instead of with the types of a
// client: a client that writes something else than it should is to be noticed.
type jobConfig struct {
	// raw is what the API echoes.
	raw json.RawMessage

	// sections are the names of those that are there.
	sections []string

	kind          string // jobTranscription or jobAlignment
	language      string
	fetch         *source
	fetchText     *source
	notifications []notification
	tracking      tracking

	recognition
	features
}

// source is what fetch_data or fetch_text names.
type source struct {
	url     string
	headers []header
}

type header struct{ name, value string }

// notification is an entry of notification_config.
type notification struct {
	url    string
	method string
	// contents is nil where the field is left out, which is not the same as empty.
	contents []string
	headers  []header
}

type tracking struct {
	raw              json.RawMessage // nil where there is none
	title, reference string
}

// configError is a reason for which the service refuses a configuration.
type configError struct{ reason string }

func (e configError) Error() string { return "Job config JSON is invalid. " + e.reason }

func invalidf(format string, args ...any) error {
	return configError{reason: "Error: " + fmt.Sprintf(format, args...)}
}

// parseConfig decodes and checks a configuration. Its errors are configErrors.
func parseConfig(encoded []byte, b Behaviour) (*jobConfig, error) {
	root, err := decodeObject(encoded)
	if err != nil {
		return nil, configError{reason: "Error: " + err.Error()}
	}
	c := &jobConfig{}
	if err := c.read(object{fields: root, path: ""}, b); err != nil {
		return nil, err
	}
	if !b.KeepEmptyArrays {
		nullEmptyArrays(root)
	}
	c.raw, err = json.Marshal(root)
	if err != nil {
		return nil, configError{reason: "Error: " + err.Error()}
	}
	return c, nil
}

// decodeObject decodes exactly one JSON object, and keeps numbers as they are written.
func decodeObject(encoded []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(encoded))
	d.UseNumber()
	var root map[string]any
	if err := d.Decode(&root); err != nil {
		return nil, err
	}
	if root == nil {
		return nil, errors.New("null is not an object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("data after the object")
	}
	return root, nil
}

// nullEmptyArrays does to empty arrays what the service's answers show.
func nullEmptyArrays(root map[string]any) {
	for key, value := range root {
		switch value := value.(type) {
		case []any:
			if len(value) == 0 {
				root[key] = nil
			}
		case map[string]any:
			if key != "tracking" { // is the user's own
				nullEmptyArrays(value)
			}
		}
	}
}

// object is a JSON object with its place, for errors.
type object struct {
	fields map[string]any
	path   string
}

func (o object) at(key string) string { return strings.TrimPrefix(o.path+"."+key, ".") }

// has says whether a key is there with another value than null.
func (o object) has(key string) bool { return o.fields[key] != nil }

func (o object) object(key string) (object, bool, error) {
	value, there := o.fields[key]
	if !there || value == nil {
		return object{}, false, nil
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return object{}, false, invalidf("%s must be an object", o.at(key))
	}
	return object{fields: fields, path: o.at(key)}, true, nil
}

func (o object) string(key string) (string, error) {
	value, there := o.fields[key]
	if !there || value == nil {
		return "", nil
	}
	s, ok := value.(string)
	if !ok {
		return "", invalidf("%s must be a string", o.at(key))
	}
	return s, nil
}

// enum reads a string that is one of some, or not there.
func (o object) enum(key string, allowed ...string) (string, error) {
	s, err := o.string(key)
	if err != nil || !o.has(key) {
		return "", err
	}
	if slices.Contains(allowed, s) {
		return s, nil
	}
	return "", invalidf("%s must be one of [%s]", o.at(key), strings.Join(allowed, " "))
}

func (o object) bool(key string) (bool, error) {
	value, there := o.fields[key]
	if !there || value == nil {
		return false, nil
	}
	b, ok := value.(bool)
	if !ok {
		return false, invalidf("%s must be a boolean", o.at(key))
	}
	return b, nil
}

// number reads a number within bounds; whole ones only where asked for.
func (o object) number(key string, low, high float64, whole bool) (n float64, there bool, err error) {
	if !o.has(key) {
		return 0, false, nil
	}
	written, ok := o.fields[key].(json.Number)
	if !ok {
		return 0, false, invalidf("%s must be a number", o.at(key))
	}
	n, err = written.Float64()
	if err != nil || n < low || n > high || (whole && n != math.Trunc(n)) {
		return 0, false, invalidf("%s must be between %v and %v", o.at(key), low, high)
	}
	return n, true, nil
}

// array reads an array; nil is one that is not there, or null.
func (o object) array(key string, most int) ([]any, error) {
	if !o.has(key) {
		return nil, nil
	}
	items, ok := o.fields[key].([]any)
	if !ok {
		return nil, invalidf("%s must be an array", o.at(key))
	}
	if len(items) > most {
		return nil, invalidf("%s must have at most %d items", o.at(key), most)
	}
	return items, nil
}

func (o object) strings(key string, most int) ([]string, error) {
	items, err := o.array(key, most)
	if err != nil || items == nil {
		return nil, err
	}
	result := make([]string, 0, len(items))
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			return nil, invalidf("%s[%d] must be a string", o.at(key), i)
		}
		result = append(result, s)
	}
	return result, nil
}

// objects reads an array of objects.
func (o object) objects(key string, most int) ([]object, error) {
	items, err := o.array(key, most)
	if err != nil {
		return nil, err
	}
	result := make([]object, 0, len(items))
	for i, item := range items {
		place := fmt.Sprintf("%s[%d]", o.at(key), i)
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, invalidf("%s must be an object", place)
		}
		result = append(result, object{fields: fields, path: place})
	}
	return result, nil
}

// headers reads auth_headers: whole header lines.
func (o object) headers(key string) ([]header, error) {
	lines, err := o.strings(key, 100)
	if err != nil {
		return nil, err
	}
	result := make([]header, 0, len(lines))
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || !isToken(name) || strings.ContainsFunc(value, unicode.IsControl) {
			// The line is not repeated: it may be a secret.
			return nil, invalidf("%s[%d] must be a header, \"Name: value\"", o.at(key), i)
		}
		result = append(result, header{name: name, value: value})
	}
	return result, nil
}

// isToken says whether a text can be a header's name (RFC 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}
