// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package notification is what the two halves of the operator must agree on about notifications: which path a
// notification is sent to, which token proves that it may speak for a job, what its body holds and how a job at
// Speechmatics names the object it belongs to. The controllers write these things, the webhook receiver reads them.
//
// Everything that is parsed here comes from outside. It is bounded and checked, and what does not fit is an error, never a
// guess.
package notification
