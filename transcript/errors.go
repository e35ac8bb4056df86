// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import "fmt"

// FormatError says that a text is not a json-v2 document, or one that breaks a bound of this package. Trying again
// does not help. Its text names places in the document but repeats nothing that was said in it.
type FormatError struct {
	// What is wrong, and where.
	What string
	// Offset is the number of bytes of the document that were read up to there.
	Offset int64
}

// Error implements error.
func (e *FormatError) Error() string {
	return fmt.Sprintf("not a json-v2 document: %s (at byte %d)", e.What, e.Offset)
}

// NoTranslationError says that the document has no translation into the language.
type NoTranslationError struct {
	Language string
}

// Error implements error.
func (e *NoTranslationError) Error() string {
	return fmt.Sprintf("the document has no translation into %q", e.Language)
}
