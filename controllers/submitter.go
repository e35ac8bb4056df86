// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// The nonce of a submission that can be proven: when it was claimed, in seconds since 1970, random digits, and the mark, all in
// hexadecimal.
const (
	nonceTimeDigits   = 8
	nonceRandomDigits = 8
	nonceMarkDigits   = 16
	nonceHeadDigits   = nonceTimeDigits + nonceRandomDigits
)

// submitter is this run of the manager, as the jobs that it submits know it. Its ID is in the status of each account that it has submitted
// with, and in the nonce of each of their claims, as a mark that only who knows the ID can make or recognise.
//
// It is a run, and not the account or the cluster, that signs, because both are there twice when a second cluster is made from a
// backup of etcd: same UIDs, same keys. But the copy does not learn what the original does later. Of a run, it knows when that
// last wrote its account; what the run has claimed before, the backup holds the objects of, and what it has claimed since proves
// nothing (origin.isRecorded).
type submitter struct {
	id string

	mu sync.Mutex
	// claimed is when a job of each account was last claimed.
	claimed map[types.UID]time.Time
}

// submitterBytes is the randomness of a submitter's ID.
const submitterBytes = 16

func newSubmitter() *submitter {
	return &submitter{id: randomHex(2 * submitterBytes), claimed: map[types.UID]time.Time{}}
}

// randomHex is a number of random hexadecimal digits, an even one.
func randomHex(digits int) string {
	random := make([]byte, digits/2)
	// crypto/rand.Read never returns an error; it ends the program if there is no randomness.
	_, _ = rand.Read(random)
	return hex.EncodeToString(random)
}

// nonce is the nonce of a claim for an attempt. Kept means that the remote job is to stay where it is, whatever becomes of the object.
func (s *submitter) nonce(account types.UID, claim notification.Claim, kept bool) string {
	s.mu.Lock()
	if claim.ClaimedAt.After(s.claimed[account]) {
		s.claimed[account] = claim.ClaimedAt
	}
	s.mu.Unlock()
	head := fmt.Sprintf("%0*x", nonceTimeDigits, uint32(claim.ClaimedAt.Unix())) + randomHex(nonceRandomDigits) //nolint:gosec // 32 bits last until 2106.
	return head + markOf(s.id, account, notification.Reference{UID: claim.UID, Attempt: claim.Attempt, Nonce: head}, kept)
}

// owes reports whether the submitter has claimed something with an account since it last wrote itself into it.
func (s *submitter) owes(account types.UID, recorded []v1alpha1.Submitter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	claimed, ok := s.claimed[account]
	if !ok {
		return false
	}
	for _, r := range recorded {
		if r.ID == s.id {
			return !isBefore(claimed, r.LastTime)
		}
	}
	return true
}

// forget drops what is kept of a deleted account.
func (s *submitter) forget(account types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.claimed, account)
}

// maxSubmitters bounds an account's submitters. A manager that is restarted more often within the provider's retention loses
// the proof of the oldest, whose orphans are not told any more.
const maxSubmitters = 32

// record adds the submitter to those that an account has, or brings it up to date, and drops those whose jobs are all gone.
func (s *submitter) record(recorded []v1alpha1.Submitter, now time.Time, retention time.Duration) []v1alpha1.Submitter {
	all := []v1alpha1.Submitter{{ID: s.id, LastTime: metav1.NewTime(now)}}
	for _, r := range recorded {
		if r.ID != s.id && now.Sub(r.LastTime.Time) <= retention && len(all) < maxSubmitters {
			all = append(all, r)
		}
	}
	return all
}

// origin is what the mark of a remote job says about its submission.
type origin struct {
	// submitter is which run of the manager has claimed it, and claimedAt when, to the second.
	submitter string
	claimedAt time.Time
	// kept means that it was submitted to stay where it is.
	kept bool
}

// originOf recognises the submitter of a remote job among those that are given. False means that the job was submitted with another
// account, by another cluster, or by a version that did not mark its jobs.
func originOf(submitters []string, account types.UID, reference notification.Reference) (origin, bool) {
	head, mark := reference.Nonce[:nonceHeadDigits], reference.Nonce[nonceHeadDigits:]
	seconds, err := strconv.ParseUint(head[:nonceTimeDigits], 16, 32)
	if err != nil {
		return origin{}, false
	}
	reference.Nonce = head
	for _, id := range submitters {
		for _, kept := range []bool{false, true} {
			if hmac.Equal([]byte(mark), []byte(markOf(id, account, reference, kept))) {
				return origin{submitter: id, claimedAt: time.Unix(int64(seconds), 0), kept: kept}, true
			}
		}
	}
	return origin{}, false
}

// isRecorded reports whether the submitter wrote itself into the account after it had claimed the job. Only then does the claim prove that
// the object was in this very cluster: one that was copied before knows neither, and one that was copied after knows the object.
func (o origin) isRecorded(recorded []v1alpha1.Submitter) bool {
	for _, r := range recorded {
		if r.ID == o.submitter {
			return isBefore(o.claimedAt, r.LastTime)
		}
	}
	return false
}

// isSpared reports whether the job was claimed before the time, or in its second.
func (o origin) isSpared(before *metav1.Time) bool {
	return before != nil && o.claimedAt.Unix() <= before.Unix()
}

// isBefore compares times to the second, as the API server keeps them: those of the same second are not before each other.
func isBefore(t time.Time, recorded metav1.Time) bool { return t.Unix() < recorded.Unix() }

// markOf is the mark of a submission: the first digits of an HMAC, under the submitter's ID, of everything that a job must not
// be mistaken for another in.
func markOf(submitter string, account types.UID, head notification.Reference, kept bool) string {
	mac := hmac.New(sha256.New, []byte(submitter))
	_, _ = fmt.Fprintf(mac, "submission\x00%s\x00%s\x00%t", account, head, kept)
	return hex.EncodeToString(mac.Sum(nil))[:nonceMarkDigits]
}
