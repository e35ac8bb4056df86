// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// UnmarshalJSON implements [json.Unmarshaler]. What is not an object, or is nested too deeply, is a [*FormatError].
func (v *Document) UnmarshalJSON(data []byte) error {
	// Each level reads the levels below again: without a bound, a document that is nothing but nested would take forever.
	if at, ok := tooDeep(data); ok {
		return &FormatError{What: fmt.Sprintf("it is nested deeper than %d levels", maxDepth), Offset: at}
	}
	if err := unmarshalObject(data, v); err != nil {
		return &FormatError{What: "it is not an object"}
	}
	return nil
}

// tooDeep finds where a JSON text is nested deeper than maxDepth.
func tooDeep(data []byte) (int64, bool) {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++
		case inString:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}
		if depth > maxDepth {
			return int64(i), true
		}
	}
	return 0, false
}

// unmarshalObject reads an object into the struct that to points to, and what does not fit in there, into its Extra.
//
// Names are compared exactly, other than encoding/json does it: "Content" is not "content".
func unmarshalObject(data []byte, to any) error {
	var members Extra
	if err := json.Unmarshal(data, &members); err != nil {
		return err
	}
	if members == nil {
		return fmt.Errorf("null is not an object")
	}
	object := reflect.ValueOf(to).Elem()
	object.SetZero()
	for i, name := range memberNames(object.Type()) {
		raw, ok := members[name]
		if ok && unmarshalField(raw, object.Field(i)) {
			delete(members, name)
		}
	}
	if len(members) > 0 {
		object.FieldByName("Extra").Set(reflect.ValueOf(members))
	}
	return nil
}

// unmarshalField sets a field and reports whether it says all that the value says.
func unmarshalField(raw json.RawMessage, field reflect.Value) bool {
	switch to := field.Addr().Interface().(type) {
	case *json.RawMessage:
		*to = raw
		return true
	case *json.Number:
		// A number, not a string with a number in it, which encoding/json takes too.
		if strings.IndexByte("-0123456789", raw[0]) < 0 {
			return false
		}
		*to = json.Number(raw)
		return true
	}
	if json.Unmarshal(raw, field.Addr().Interface()) != nil {
		field.SetZero()
		return false
	}
	return !absent(field) && (holdsObjects(field.Type()) || saysTheSame(raw, field))
}

// holdsObjects reports whether a type consists of types of this package, which lose nothing themselves.
func holdsObjects(t reflect.Type) bool {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct
}

// saysTheSame reports whether a field can be written in place of the value it was read from. An array of strings, for
// example, has no null, and no string has half a surrogate pair.
func saysTheSame(raw json.RawMessage, field reflect.Value) bool {
	if field.Kind() == reflect.String { // most are, and this is all that can happen to one
		return !strings.ContainsRune(field.String(), utf8.RuneError)
	}
	written, err := json.Marshal(field.Interface())
	return err == nil && reflect.DeepEqual(tree(raw), tree(written)) && !bytes.ContainsRune(written, utf8.RuneError)
}

// tree is a JSON text as encoding/json sees it, with numbers as literals.
func tree(text []byte) any {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// marshalObject writes a struct and its Extra as one object: first the fields, in their order, then the others, in
// order of their names.
func marshalObject(from any) ([]byte, error) {
	object := reflect.ValueOf(from)
	extra := object.FieldByName("Extra").Interface().(Extra) //nolint:forcetypeassert // all types of this package have it
	w := objectWriter{}
	names := memberNames(object.Type())
	for i, name := range names {
		field := object.Field(i)
		raw, isExtra := extra[name]
		switch {
		case isExtra && stillSays(raw, field):
			w.member(name, raw)
		case !absent(field):
			w.member(name, field.Interface())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if !slices.Contains(names, name) {
			w.member(name, extra[name])
		}
	}
	return w.end()
}

// stillSays reports whether a field is as it was when the value was read and went into Extra.
func stillSays(raw json.RawMessage, field reflect.Value) bool {
	read := reflect.New(field.Type()).Elem()
	if len(raw) > 0 {
		unmarshalField(raw, read)
	}
	return reflect.DeepEqual(read.Interface(), field.Interface())
}

// absent reports whether a field says that there is no such member.
func absent(field reflect.Value) bool {
	if field.Type() == reflect.TypeFor[json.RawMessage]() {
		return field.Len() == 0
	}
	return field.IsZero()
}

// memberNames are the names of a struct's members in the document, by field; all but that of Extra, which is the last one.
func memberNames(t reflect.Type) []string {
	if known, ok := knownNames.Load(t); ok {
		return known.([]string) //nolint:forcetypeassert // nothing else is stored below
	}
	names := make([]string, t.NumField()-1)
	for i := range names {
		names[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	knownNames.Store(t, names)
	return names
}

// knownNames remembers what memberNames found, by type: a long document has a hundred thousand objects.
var knownNames sync.Map

// objectWriter writes an object member by member.
type objectWriter struct {
	text bytes.Buffer
	err  error
}

func (w *objectWriter) member(name string, value any) {
	if w.err != nil {
		return
	}
	separator := byte(',')
	if w.text.Len() == 0 {
		separator = '{'
	}
	key, err := json.Marshal(name)
	if err != nil {
		w.err = err
		return
	}
	text, err := json.Marshal(value)
	if err != nil {
		w.err = fmt.Errorf("%s: %w", name, err)
		return
	}
	w.text.WriteByte(separator)
	w.text.Write(key)
	w.text.WriteByte(':')
	w.text.Write(text)
}

func (w *objectWriter) end() ([]byte, error) {
	if w.text.Len() == 0 {
		w.text.WriteByte('{')
	}
	w.text.WriteByte('}')
	return w.text.Bytes(), w.err
}
