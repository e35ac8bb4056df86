// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package crashpoint names the places between every two steps of the programs where a crash could do harm, so that the chaos suite can
// have one there. [At] does nothing, and costs nothing, in programs that are built without the build tag chaos.
//
// With it, the environment variable TRANSCRIPTION_OPERATOR_CRASHPOINT orders what happens at a point, as POINT:PASS:ACTION, several
// separated by commas: at the PASS-th time that the process comes by (from 1), it does to itself what ACTION says.
//
//	kill   SIGKILL: nothing of it runs any more
//	power  as when the power fails: what was not synced to the volume is lost, and then SIGKILL
//	stop   SIGSTOP: it stands still until somebody continues it
package crashpoint

// Point is a place in a program.
type Point string

// Places in the manager, on the way of a job.
const (
	// Admitted: the job has got its turn, and nothing was written yet.
	Admitted Point = "manager-admitted"
	// Claimed: the claim is written.
	Claimed Point = "manager-claimed"
	// TakenUp: account and start time are written; nothing was sent yet.
	TakenUp Point = "manager-taken-up"
	// BeforeFence: all but the last bytes of the submission has gone out, and the fence is about to be asked.
	BeforeFence Point = "manager-before-fence"
	// LastBytes: the fence permits the last bytes, which are about to go out.
	LastBytes Point = "manager-last-bytes"
	// Accepted: the provider's answer with the job's ID is there, and is recorded nowhere.
	Accepted Point = "manager-accepted"
	// NotCreated: it is known that the submission created nothing, and the claim does not say so yet.
	NotCreated Point = "manager-not-created"
	// Recorded: the ID is in the status.
	Recorded Point = "manager-recorded"
	// Searched: the provider's list was looked through for a submission whose answer is not known.
	Searched Point = "manager-searched"
	// SurplusNoted: the surplus jobs that were found are in the claim, and none is recorded yet.
	SurplusNoted Point = "manager-surplus-noted"
	// Adopted: the job that was found is recorded, and surplus ones are not deleted yet.
	Adopted Point = "manager-adopted"
	// GivenUp: the claim says that its submission was not found.
	GivenUp Point = "manager-given-up"
	// ClaimRestored: a claim was written in the place of a lost one.
	ClaimRestored Point = "manager-claim-restored"
	// AnnouncedRecorded: the ID that a notification has announced is recorded.
	AnnouncedRecorded Point = "manager-announced-recorded"
	// Collecting: the provider is done, and the receiver can store.
	Collecting Point = "manager-collecting"
	// Delivering: a part of a delivery was sent to the receiver.
	Delivering Point = "manager-delivering"
	// Delivered: the receiver has taken the delivery.
	Delivered Point = "manager-delivered"
	// Judged: a pass has come to its verdict, and the status does not say so yet.
	Judged Point = "manager-judged"
	// StatusWritten: the status says what a pass has come to.
	StatusWritten Point = "manager-status-written"
	// RemoteDeleted: a job was deleted at the provider, and nothing says so yet.
	RemoteDeleted Point = "manager-remote-deleted"
	// CleanedUp: an object that is being deleted has nothing at the provider any more, and its finalizer is still there.
	CleanedUp Point = "manager-cleaned-up"
	// Released: the finalizer is removed.
	Released Point = "manager-released"
)

// Places in the webhook receiver, on the way of a notification or a delivery.
const (
	// Welcomed: token and job are checked, and nothing of the body was read.
	Welcomed Point = "receiver-welcomed"
	// ReadingBody: a piece of the body was read.
	ReadingBody Point = "receiver-reading-body"
	// BodyRead: the body was read to its end, and is staged.
	BodyRead Point = "receiver-body-read"
	// DocumentRead: what is made of the document is staged.
	DocumentRead Point = "receiver-document-read"
	// FileCreated: a temporary file is there, and empty.
	FileCreated Point = "receiver-file-created"
	// FileWritten: a temporary file is written, and not synced.
	FileWritten Point = "receiver-file-written"
	// FileSynced: a temporary file is synced.
	FileSynced Point = "receiver-file-synced"
	// FileNamed: a file has got its name, and its folder is not synced.
	FileNamed Point = "receiver-file-named"
	// FolderSynced: all files of a request have their names, and their folders are synced.
	FolderSynced Point = "receiver-folder-synced"
	// PartStored: a ConfigMap, one of several perhaps, is created.
	PartStored Point = "receiver-part-stored"
	// Stored: all transcripts of a request are stored, and the status does not say so yet.
	Stored Point = "receiver-stored"
	// NotificationRecorded: the status says so.
	NotificationRecorded Point = "receiver-notification-recorded"
	// Answering: the answer, 2xx, is about to go out.
	Answering Point = "receiver-answering"
)

// Manager are the points of the manager.
func Manager() []Point {
	return []Point{
		Admitted, Claimed, TakenUp, BeforeFence, LastBytes, Accepted, NotCreated, Recorded, Searched, SurplusNoted, Adopted, GivenUp, ClaimRestored,
		AnnouncedRecorded, Collecting, Delivering, Delivered, Judged, StatusWritten, RemoteDeleted, CleanedUp, Released,
	}
}

// Receiver are the points of the webhook receiver.
func Receiver() []Point {
	return []Point{
		Welcomed, ReadingBody, BodyRead, DocumentRead, FileCreated, FileWritten, FileSynced, FileNamed, FolderSynced, PartStored, Stored,
		NotificationRecorded, Answering,
	}
}
