// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

const (
	// maxValue bounds, in bytes, what is held of the document at a time: a result with all its alternatives, a sentence of
	// a translation, a single string elsewhere. A result of the provider has less than 1 KiB, an entity a few.
	maxValue = 1 << 20
	// maxDepth bounds the nesting. The provider's documents have some ten levels.
	maxDepth = 64
	// readAhead is what is asked of the source at once, in bytes.
	readAhead = 32 << 10
)

// scanner reads a JSON text piece by piece. Its methods return *FormatError, or the source's error as it is.
type scanner struct {
	source *boundedReader
	dec    *json.Decoder
}

func newScanner(r io.Reader) *scanner {
	source := &boundedReader{r: bufio.NewReaderSize(r, readAhead)}
	dec := json.NewDecoder(source)
	dec.UseNumber() // a number that no float can hold is none of our business when it is skipped
	source.consumed = dec.InputOffset
	return &scanner{source: source, dec: dec}
}

// boundedReader stops a decoder that collects more than maxValue for a single value.
type boundedReader struct {
	r        io.Reader
	consumed func() int64
	read     int64
	err      error // of r, other than io.EOF
}

var errTooLarge = errors.New("a value is too large")

func (b *boundedReader) Read(p []byte) (int, error) {
	room := maxValue - (b.read - b.consumed())
	if room <= 0 {
		return 0, errTooLarge
	}
	n, err := b.r.Read(p[:min(int64(len(p)), room)])
	b.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// object calls member for each member of the object that comes next; member must read the value. It reports whether there
// was an object: null is none, and stands for an empty one.
func (s *scanner) object(what string, member func(name string) error) (bool, error) {
	ok, err := s.open('{', what)
	if !ok {
		return false, err
	}
	for s.dec.More() {
		name, err := s.token()
		if err != nil {
			return false, err
		}
		if err := member(name.(string)); err != nil { //nolint:forcetypeassert // the decoder lets nothing else be a name
			return false, err
		}
	}
	_, err = s.token()
	return err == nil, err
}

// array calls element for each element of the array that comes next; element must read it. Null is an empty array.
func (s *scanner) array(what string, element func() error) error {
	ok, err := s.open('[', what)
	if !ok {
		return err
	}
	for s.dec.More() {
		if err := element(); err != nil {
			return err
		}
	}
	_, err = s.token()
	return err
}

// open reads the beginning of an object or array. It reports false, without an error, for null.
func (s *scanner) open(delim json.Delim, what string) (bool, error) {
	token, err := s.token()
	switch {
	case err != nil:
		return false, err
	case token == nil:
		return false, nil
	case token != delim:
		return false, s.formatError("%s is not an %s", what, map[json.Delim]string{'{': "object", '[': "array"}[delim])
	default:
		return true, nil
	}
}

// decode reads the next value into v.
func (s *scanner) decode(what string, v any) error {
	err := s.dec.Decode(v)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return s.formatError("%s", misplaced(what, mismatch))
	}
	return s.wrap(err)
}

// misplaced describes a value of the wrong type without repeating it.
func misplaced(what string, err *json.UnmarshalTypeError) string {
	if err.Field != "" {
		what += " has a field " + err.Field
	}
	wanted := map[reflect.Kind]string{
		reflect.String: "a string", reflect.Bool: "true or false", reflect.Slice: "an array",
		reflect.Struct: "an object", reflect.Map: "an object", reflect.Float64: "a number within bounds",
	}[err.Type.Kind()]
	return fmt.Sprintf("%s that is not %s", what, wanted)
}

// skipArray reads an array, whose elements are small, and forgets it. It is several times as fast as skip.
func (s *scanner) skipArray(what string) error {
	return s.array(what, func() error { return s.decode(what, &forgotten{}) })
}

// forgotten is any value.
type forgotten struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*forgotten) UnmarshalJSON([]byte) error { return nil }

// skip reads the next value, however large, and forgets it.
func (s *scanner) skip() error {
	for depth := 0; ; {
		token, err := s.token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		switch {
		case depth == 0:
			return nil
		case depth > maxDepth:
			return s.formatError("it is nested deeper than %d levels", maxDepth)
		}
	}
}

// end makes sure that nothing follows.
func (s *scanner) end() error {
	_, err := s.dec.Token()
	switch {
	case errors.Is(err, io.EOF) && s.source.err == nil:
		return nil
	case err == nil:
		return s.formatError("something follows the document")
	default:
		return s.wrap(err)
	}
}

func (s *scanner) token() (json.Token, error) {
	token, err := s.dec.Token()
	return token, s.wrap(err)
}

// wrap tells errors of the source from those of the text.
func (s *scanner) wrap(err error) error {
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case s.source.err != nil:
		return fmt.Errorf("cannot read the document: %w", s.source.err)
	case errors.Is(err, errTooLarge):
		return s.formatError("it has a value of more than %d bytes", maxValue)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return s.formatError("it ends too early")
	case errors.As(err, &syntax):
		return s.formatError("it is not JSON: %v", syntax)
	default:
		return s.formatError("%v", err)
	}
}

func (s *scanner) formatError(format string, args ...any) error {
	return &FormatError{What: fmt.Sprintf(format, args...), Offset: s.dec.InputOffset()}
}
