// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package webhookreceiver is the one door through which every transcript enters.
//
// It has two: a public one for Speechmatics' notifications, and an internal one for what the manager delivers when a
// notification was missed. Both take the same requests in the same way. They differ in the tokens that they accept, in how many
// requests they take at once, so that the world's slow bodies cannot starve repairs, and in what they tell: the public door tells
// nobody anything, the internal one says what is wrong.
//
// A request is checked from the cheap to the expensive: method, limits, route, token, the live job, the query. Only then is the
// body read. It is staged while it streams in, committed when it was read to its end, and recorded in the job's status; only then
// is the answer 2xx. Whatever goes wrong before is not an answer of success, so that the sender comes again, and it may come as
// often as it likes: a duplicate changes nothing.
//
// The package has no cache and no memory. Any number of replicas may run side by side.
package webhookreceiver
