// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"cmp"
	"time"
)

const (
	// maxHeaderBytes bounds the header of a request, in bytes. A notification's has less than 2 KiB, most of it the token and what
	// proxies add; beyond, net/http answers 431.
	maxHeaderBytes = 32 << 10

	// readHeaderTimeout is how long a header may take. The sender writes it at once.
	readHeaderTimeout = 10 * time.Second

	// idleTimeout is how long a connection for metrics or probes is kept without a request.
	idleTimeout = 60 * time.Second

	// writeTimeout is how long an answer may take. It has less than a kibibyte.
	writeTimeout = 10 * time.Second

	// maxConnections bounds the open connections of a door, so that it cannot use up the process' files and memory. It is far above
	// the number of requests that are taken at once.
	maxConnections = 1024

	// maxParts bounds the parts of a multipart body. Three formats and the job's facts are four; a job may have more to tell than we
	// asked for.
	maxParts = 16

	// maxPartHeaderBytes bounds what is read before a part's content begins: a boundary and two or three header lines.
	maxPartHeaderBytes = 64 << 10

	// maxJobInfoBytes bounds the facts about a job. They hold the submitted configuration, of which a vocabulary of 1000 entries is
	// the largest part.
	maxJobInfoBytes = 1 << 20

	// maxDiscardBytes is how much of the body of a refused request is read, so that its sender comes to reading the answer.
	maxDiscardBytes = 1 << 20

	// maxQueryBytes bounds the query: an ID and a word.
	maxQueryBytes = 2 << 10

	// maxApplies is how often a status is applied that keeps changing meanwhile. Each 409 means that somebody else got through.
	maxApplies = 10

	// retryAfter is what a sender is told that comes when there is no room or a dependency is down. Speechmatics has its own
	// schedule: it comes again after some 15, 20 and 30 seconds, and then never again.
	retryAfter = 5 * time.Second
)

// readingBytesPerSecond is how much of a document is read in a second at the least, for its facts and for each transcript that is made of
// it. A processor of its own reads some 10 MiB in a second; but a document with many channels is read once for each of them.
const readingBytesPerSecond = 128 << 10

// Limits bound what the receiver takes. A zero field means its default.
type Limits struct {
	// PublicRequests is how many notifications are processed at once at the public door; default 32, half of them at most for one
	// namespace. Each of them needs a few MiB of memory, however large its transcripts are: what is large waits in the scratch folder.
	PublicRequests int
	// InternalRequests is the same for the internal door; default 16.
	InternalRequests int
	// BodyBytes is the largest body, in bytes; default DefaultBodyBytes. It protects the volumes.
	BodyBytes int64
	// BodyBytesPerSecond is how fast a body must come in on average; default 16 KiB/s. There is no limit on its duration: a body may
	// be big, but not slow.
	BodyBytesPerSecond int64
	// BodyGrace is how long a body may be slower than that, in all; default 20 s.
	BodyGrace time.Duration
	// BodyStall is how long nothing at all may come; default 20 s.
	BodyStall time.Duration
	// LookupTimeout bounds the look at the job before the body is read; default 10 s.
	LookupTimeout time.Duration
	// CommitTimeout bounds storing and recording once the body was read; default 60 s. It holds even if the sender has gone. To read a
	// document, and to make transcripts of it, has this much time besides, and more the larger it is.
	CommitTimeout time.Duration
}

// DefaultBodyBytes is the largest body unless said otherwise. An hour of speech has 1.5 to 3 MB as json-v2, and less in any other format: it
// is enough for a week. Media, which a notification can bring as well, are never asked for.
const DefaultBodyBytes = 512 << 20

const (
	defaultPublicRequests     = 32
	defaultInternalRequests   = 16
	defaultBodyBytesPerSecond = 16 << 10
	defaultBodyGrace          = 20 * time.Second
	defaultBodyStall          = 20 * time.Second
	defaultLookupTimeout      = 10 * time.Second
	defaultCommitTimeout      = 60 * time.Second
)

// internalPatience is how many times slower a body may be at the internal door. The manager passes on what the provider sends while it
// sends it, and may have to wait a minute for each transcript to begin.
const internalPatience = 6

func (l Limits) withDefaults() Limits {
	return Limits{
		PublicRequests:     cmp.Or(l.PublicRequests, defaultPublicRequests),
		InternalRequests:   cmp.Or(l.InternalRequests, defaultInternalRequests),
		BodyBytes:          cmp.Or(l.BodyBytes, DefaultBodyBytes),
		BodyBytesPerSecond: cmp.Or(l.BodyBytesPerSecond, defaultBodyBytesPerSecond),
		BodyGrace:          cmp.Or(l.BodyGrace, defaultBodyGrace),
		BodyStall:          cmp.Or(l.BodyStall, defaultBodyStall),
		LookupTimeout:      cmp.Or(l.LookupTimeout, defaultLookupTimeout),
		CommitTimeout:      cmp.Or(l.CommitTimeout, defaultCommitTimeout),
	}
}
