// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/utils/clock"
)

// Options configures a Server. The zero value is a usable server without API keys, which
// therefore answers 401 to everything (on premises: every request, until a key is added).
type Options struct {
	// APIKeys are the keys of the default project. Every key of a project sees all of its jobs, as
	// with the real service, so that a key can be rotated.
	APIKeys []string
	// ProjectKeys maps further keys to the project they belong to. Jobs of other projects are invisible.
	ProjectKeys map[string]string

	// Backend is the kind of server; empty is the hosted service.
	Backend Backend
	// Engines are those of an HTTP batch worker, 4 where it is 0; JobHistory is how many ended jobs it
	// remembers, 100 where it is 0, all where it is negative.
	Engines, JobHistory int

	// Speed divides every simulated duration: processing, the gaps between retries of fetches and
	// notifications, retention. 1 (also when 0 or negative) is real time, 60 makes a minute of
	// processing last a second. Rate limits, waits and the delays of faults are wall time.
	Speed float64
	// Clock tells the time; nil is the real clock.
	Clock clock.Clock
	// ClockOffset is how far the server's idea of the time is ahead of Clock's (negative: behind): when jobs were created, what
	// created_before is compared with, the Date header, when keys and jobs expire.
	ClockOffset time.Duration
	// Logger receives one line per request and per event of a job; nil discards them. Keys, auth
	// headers and the queries of URLs are never logged.
	Logger *slog.Logger

	// Faults are in force from the start; see SetFaults.
	Faults []Fault
	// Behaviour decides what the provider's documentation leaves open.
	Behaviour Behaviour
	// Limits bounds what clients may send and how often.
	Limits Limits
	// Processing says how long the recognition of a recording takes.
	Processing Processing
	// Retention is how long an ended job is kept before it expires; 0 means what the backend does (seven days
	// at the hosted service, 24 hours on an appliance, for ever at a worker, whose history is bounded by
	// number), negative means for ever.
	Retention time.Duration

	// Transcripts holds the words of uploaded media: <stem of the data_file's name>.txt, or
	// <SHA-256 of the media in hex>.txt. Nil means that there are none. See the package
	// documentation for the format.
	Transcripts fs.FS
	// RememberTranscripts keeps what is needed to tell the transcripts of jobs that were deleted or have expired when they were done. The API
	// does not tell them any more; GET /admin/jobs/{id}/transcript does, so that tests can compare what somebody has stored.
	RememberTranscripts bool
	// MediaDir is where uploaded and fetched media are kept while their jobs live; "" is a folder of
	// the system's temporary directory. The server makes a folder of its own in it, and removes that
	// when it is closed.
	MediaDir string

	// FetchClient fetches media; nil is a client of the server's own. Its redirect policy is replaced.
	FetchClient *http.Client
	// NotifyClient sends notifications; nil is a client of the server's own. Its redirect policy is replaced.
	NotifyClient *http.Client

	// AdminToken is the bearer token of the endpoints under /admin/. Where it is empty, they answer
	// loopback peers only.
	AdminToken string
}

// Limits bounds requests and work. A zero field means the documented value, or, where none is
// documented, the one given here. A negative field means no limit. On premises nothing limits rates and
// numbers of jobs unless a field says so.
type Limits struct {
	// SubmissionsPerSecond is the rate of POST /jobs per key, 10.
	SubmissionsPerSecond float64
	// ReadsPerSecond is the rate of all other requests per key, 50.
	ReadsPerSecond float64
	// RunningJobs is the number of running jobs per project, 20 000.
	RunningJobs int
	// UploadBytes bounds the body of a submission, 1 000 000 000.
	UploadBytes int64
	// ConfigBytes bounds the config part, 2 MiB (undocumented).
	ConfigBytes int64
	// TrackingBytes bounds tracking, as JSON, 64 KiB (undocumented).
	TrackingBytes int64
	// FetchBytes bounds fetched media, 4 GiB (undocumented).
	FetchBytes int64
	// FetchTimeout bounds one attempt to fetch, in wall time, 1 minute (undocumented).
	FetchTimeout time.Duration
	// NotifyTimeout bounds one attempt to notify, in wall time, 30 s (undocumented).
	NotifyTimeout time.Duration
	// MediaDuration bounds the length of a recording, 48 h (undocumented).
	MediaDuration time.Duration
	// StoredBytes bounds the media kept at a time, 2 GiB. What does not fit is transcribed all the
	// same, but cannot be read again through /data or a notification.
	StoredBytes int64
	// MaxWait caps the wait parameter, 60 s (undocumented).
	MaxWait time.Duration
	// EmbeddedBytes bounds the transcript in the answer to a submission that waits, 1 MiB (undocumented,
	// the answer is "best effort"). A larger one is left out.
	EmbeddedBytes int64
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.SubmissionsPerSecond, 10)
	orDefault(&l.ReadsPerSecond, 50)
	orDefault(&l.RunningJobs, 20_000)
	orDefault(&l.UploadBytes, 1_000_000_000)
	orDefault(&l.ConfigBytes, 2<<20)
	orDefault(&l.TrackingBytes, 64<<10)
	orDefault(&l.FetchBytes, 4<<30)
	orDefault(&l.FetchTimeout, time.Minute)
	orDefault(&l.NotifyTimeout, 30*time.Second)
	orDefault(&l.MediaDuration, 48*time.Hour)
	orDefault(&l.StoredBytes, 2<<30)
	orDefault(&l.MaxWait, time.Minute)
	orDefault(&l.EmbeddedBytes, 1<<20)
	return l
}

// Processing is the time that recognition takes: Base + Factor × the length of the recording, divided
// by Options.Speed.
type Processing struct {
	// Base is the part that does not depend on the recording; 0 means 1 s, negative none.
	Base time.Duration
	// Factor is relative to the length of the recording; 0 means 0.25, negative none.
	Factor float64
}

func (p Processing) withDefaults() Processing {
	orDefault(&p.Base, time.Second)
	orDefault(&p.Factor, 0.25)
	return p
}

// of returns the unscaled processing time of a recording.
func (p Processing) of(length time.Duration) time.Duration {
	return max(p.Base, 0) + time.Duration(max(p.Factor, 0)*float64(length))
}

// retentionDefault is the SaaS's retention of media, transcripts and configuration.
const retentionDefault = 7 * 24 * time.Hour

func (o Options) withDefaults() Options {
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.ClockOffset != 0 {
		o.Clock = offsetClock{Clock: o.Clock, by: o.ClockOffset}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o = o.withBackendDefaults()
	o.Limits = o.Limits.withDefaults()
	o.Processing = o.Processing.withDefaults()
	o.Behaviour = o.Behaviour.withDefaults()
	return o
}

// offsetClock is a clock that is wrong.
type offsetClock struct {
	clock.Clock
	by time.Duration
}

// Now is the time as the server believes it is.
func (c offsetClock) Now() time.Time { return c.Clock.Now().Add(c.by) }

// Since is the time since a time of this clock.
func (c offsetClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// orDefault sets *value where it is zero.
func orDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}
