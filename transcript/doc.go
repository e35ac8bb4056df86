// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package transcript knows the transcript document json-v2 of the Speechmatics batch API, formats 2.1 to 2.9, and what can
// be made of it.
//
// [Document] is the whole document in memory. It loses nothing: read and written again, it is an equal document, also
// where it holds what this package does not know.
//
// [ReadFacts], [WriteVTT], [WriteSRT] and [WriteText] read the document as a stream. Their memory does not grow with its
// length, so that the transcript of a day needs no more of it than that of a sentence. What they read may come from
// anywhere: every single value, the nesting and the numbers have bounds, and a document that breaks one is a
// [*FormatError].
package transcript
