// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package contract holds what goes over the wire against the provider's own specification of its batch API, in tests.
//
// The specification is Swagger 2.0, has defects, and is not the project's to ship. It is read from ../shared/speechmatics beside the project,
// or from the folder that TRANSCRIPTION_OPERATOR_SPEECHMATICS_DOCS names; without it, tests skip. Two editions are used: the current one,
// and that of May 2026, for alignment only, which the current one leaves out and the provider's documentation still describes.
// What is wrong in them is put right in one list, patches, each with its reason and with a document that shows that it is needed.
//
// Stricter than the specification: nothing may be sent or answered that it does not know. Where it is silent and the provider's other
// documents are not, a patch or an entry of tolerated says so. A Recorder checks requests and answers as they pass,
// and remembers what it has seen, so that a test can say what was never tried.
package contract
