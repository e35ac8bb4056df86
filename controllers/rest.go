// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// rests remembers until when each job is left alone. A pass that ends in a wait has usually written something (the status, a
// claim), which comes back as an event; without the memory that event would begin the next pass at once, and every
// wait would be a hot loop of requests. A change of the facts that a pass decides by ends the rest, and so does wake.
//
// Nothing depends on it but politeness: after a restart every job is looked at once.
type rests struct {
	mu   sync.Mutex
	jobs map[types.UID]rest
}

type rest struct {
	until time.Time
	facts uint64
	// wakes counts the times that the job was woken, so that a pass which was woken in its course begins no rest.
	wakes uint64
	// missed is when the provider first did not know the remote job missedID.
	missed   time.Time
	missedID string
	// done is when the remote job doneID was first seen to be done.
	done   time.Time
	doneID string
	// stoodBack means that the job has let those of others go first.
	stoodBack bool
	// inVain counts the deliveries that left what left names.
	inVain int32
	left   string
	// trouble is what was told last by a warning, as a sum, and toldAt when.
	trouble uint64
	toldAt  time.Time
}

// newsAge is how long a trouble is no news: as long as the API server usually keeps the event about it.
const newsAge = time.Hour

func newRests() *rests { return &rests{jobs: map[types.UID]rest{}} }

// left is how long a job is still left alone, and how often it was woken so far, for begin.
func (rs *rests) left(job *v1alpha1.TranscriptionJob, now time.Time) (left time.Duration, wakes uint64) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r, ok := rs.jobs[job.UID]
	if !ok || r.facts != factsOf(job) {
		return 0, r.wakes
	}
	return r.until.Sub(now), r.wakes
}

// begin leaves a job alone for a while, unless it was woken since the pass began: what woke it, the pass may not have seen.
func (rs *rests) begin(job *v1alpha1.TranscriptionJob, until time.Time, wakes uint64) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.jobs[job.UID]
	if r.wakes != wakes {
		return
	}
	r.until, r.facts = until, factsOf(job)
	rs.jobs[job.UID] = r
}

// wake ends a job's rest.
func (rs *rests) wake(uid types.UID) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.jobs[uid]
	r.until = time.Time{}
	r.wakes++
	rs.jobs[uid] = r
}

// standBack reports whether a job is to let those of others go first, which it does once.
func (rs *rests) standBack(uid types.UID) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.jobs[uid]
	if r.stoodBack {
		return false
	}
	r.stoodBack = true
	rs.jobs[uid] = r
	return true
}

// isNews reports whether a trouble is to be told by an event, and takes it for told then. One that comes and goes, as a provider's does that fails now
// and then, would be an event of each job each time.
func (rs *rests) isNews(uid types.UID, trouble string, now time.Time) bool {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(trouble))
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.jobs[uid]
	if r.trouble == sum.Sum64() && now.Sub(r.toldAt) < newsAge {
		return false
	}
	r.trouble, r.toldAt = sum.Sum64(), now
	rs.jobs[uid] = r
	return true
}

// forget drops what is known of a job.
func (rs *rests) forget(uid types.UID) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.jobs, uid)
}

// seen notes that the provider knows the job.
func (rs *rests) seen(uid types.UID) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r, ok := rs.jobs[uid]; ok {
		r.missed = time.Time{}
		rs.jobs[uid] = r
	}
}

// missedTwice notes that the provider does not know a remote job of the job, and reports whether it already did not some time ago.
func (rs *rests) missedTwice(uid types.UID, id string, now time.Time, spacing time.Duration) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.jobs[uid]
	if r.missed.IsZero() || r.missedID != id {
		r.missed, r.missedID = now, id
		rs.jobs[uid] = r
	}
	return now.Sub(r.missed) >= spacing
}

// doneSince notes that a remote job of the job is done, and returns since when that is known.
func (rs *rests) doneSince(uid types.UID, id string, now time.Time) time.Time {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.jobs[uid]
	if r.doneID != id {
		r.done, r.doneID = now, id
		rs.jobs[uid] = r
	}
	return r.done
}

// doneAt is since when it is known that a remote job of the job is done; zero if nobody has looked at it since.
func (rs *rests) doneAt(uid types.UID, id string) time.Time {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r := rs.jobs[uid]; r.doneID == id {
		return r.done
	}
	return time.Time{}
}

// deliveredInVain counts a delivery after which the same is left to be done as before, and returns how many they are.
func (rs *rests) deliveredInVain(uid types.UID, left string) int32 {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.jobs[uid]
	if r.left != left {
		r.inVain, r.left = 0, left
	}
	r.inVain++
	rs.jobs[uid] = r
	return r.inVain
}

// factsOf identifies the facts that a pass decides by, and that others than the controller change: the spec, the deletion, the claim and the
// finalizer, the recorded attempt, the notification, the document and the stored transcripts.
func factsOf(job *v1alpha1.TranscriptionJob) uint64 {
	h := fnv.New64a()
	remote := ""
	if job.Status.RemoteJob != nil {
		remote = valueOf(job.Status.RemoteJob.ID)
	}
	_, _ = fmt.Fprintf(h, "%t\x00%d\x00%s\x00%q\x00%d\x00%s", job.DeletionTimestamp != nil, job.Generation, job.Annotations[notification.ClaimAnnotation], job.Finalizers, valueOf(job.Status.Attempt), remote)
	if n := job.Status.Notification; n != nil {
		_, _ = fmt.Fprintf(h, "\x00%s\x00%d\x00%s\x00%s\x00%d", n.JobID, n.Attempt, n.Outcome, n.Source, n.ReceivedAt.Unix())
	}
	if d := job.Status.Document; d != nil {
		_, _ = fmt.Fprintf(h, "\x00document\x00%s\x00%d\x00%s", d.JobID, d.Attempt, valueOf(d.Problem))
	}
	for _, t := range job.Status.Transcripts {
		_, _ = fmt.Fprintf(h, "\x00%s\x00%s\x00%d\x00%s\x00%s", t.Format, t.Language, t.Attempt, t.JobID, t.SHA256)
	}
	return h.Sum64()
}
