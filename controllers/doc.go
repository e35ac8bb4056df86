// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package controllers holds the reconcilers: of TranscriptionJobs, which are claimed, submitted, recorded, followed,
// collected and in the end deleted, and of accounts, whose keys are tried.
//
// The way of a job, a file for each step:
//
//	transcriptionjob_controller.go  the reconciler: which step is due
//	account.go media.go jobconfig.go what a submission needs: account, media, configuration
//	provider.go backend.go          what reaches Speechmatics for an account, and what can be asked of it
//	admission.go                    whose turn it is, within the account's limits
//	claim.go                        the claim: written before money is spent
//	submission.go                   submit, and record the answer
//	search.go                       look before acting, when the answer is not known
//	observation.go                  notifications and polling
//	completion.go features.go       what is missing, how a job ends, and which of its features failed
//	collection.go                   fetch what is missing and deliver it to the webhook receiver
//	attempts.go deadline.go         failed attempts, and those that take too long
//	deletion.go retention.go        deletion of the object, of the remote job, and by time
//	orphans.go orphan_controller.go remote jobs whose object is gone: how they are found, and what becomes of them
//	orphan_pace.go submitter.go     how much of the limits that takes, and how it is known whose they are
//	status.go                       from facts to conditions, and the one write of them
//
// A job's submission is decided on these facts alone, all of them in the object: the claim (an annotation), the recorded
// ID (status.remoteJob, status.attempt), the notification and the count of failed attempts. Nothing that is needed to
// avoid a second submission is kept in memory.
package controllers
