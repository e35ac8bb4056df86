// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package model checks the protocol by which a job is submitted once, and its transcript stored, as a model: submission.pml, in
// Promela. Its test has spin (https://spinroot.com) try every order of steps, crashes, losses and pauses within the budgets, and
// shows that each step of the protocol is needed: without it, spin finds an order in which something is lost or paid for twice.
//
// The model's steps carry the names of the functions that do them, which TestNames looks for in the code. Whoever changes one of these changes the model first.
package model
