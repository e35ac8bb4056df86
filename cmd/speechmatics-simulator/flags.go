// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// config is what the flags say.
type config struct {
	listen   string
	logLevel slog.Level
	options  simulator.Options
	// media and transcripts are opened folders; nil where there are none.
	media, transcripts *os.Root
}

func (c *config) close() {
	for _, root := range []*os.Root{c.media, c.transcripts} {
		if root != nil {
			_ = root.Close() // was read only
		}
	}
}

// written are the flags as they were written, before they are checked.
type written struct {
	apiKeys, projectKeys, faults, loseTitles []string
	behaviour, backend, logLevel             string
	media, transcripts                       string
}

const usage = `speechmatics-simulator stands in for the Speechmatics batch API v2. It keeps jobs in memory,
fetches media, sends notifications, and misbehaves on order. It does not recognise speech:
words come from a text file beside the media, or are numbered filler.

  speechmatics-simulator --api-key secret --speed 20 --media config/samples/media
  curl -H "Authorization: Bearer secret" http://127.0.0.1:8080/v2/jobs

Flags:
%s
Faults (--fault, repeatable) are kind=KIND and any of operation, title, reference, dataName (* stands
for any text), count, probability, delay, status, body (json, html, text, detail, empty), message,
retryAfter, outcome, feature, language; or a JSON object with these members.
  of requests   latency, error, request-reset, response-lost, response-reset, response-late,
                response-replaced
  of jobs       list-lag, notification-lost, notification-doubled, notification-late,
                notification-early, notification-reordered, reject, feature, no-credit, expire, delete
  features      translation (of a language, or all), summarization, sentiment_analysis,
                topic_detection, auto_chapters, language_identification
  operations    create, get, list, delete, transcript, data, text, alignment, log, usage, discovery, key
  --fault kind=error,operation=create,status=503,count=2
  --fault kind=response-lost,operation=create,probability=0.1
  --fault kind=feature,feature=translation,language=fr

What a recording holds is in its text file: the words, with lines such as "S2:" for who speaks, and
@length 10h, @language fr 0.4 (what language identification hears, and how surely), @silence,
@event music 1.5 4.

Behaviour (--behaviour): what the documentation does not tell, or tells in two ways. The value that comes
first is the default; a name alone is false by default. Durations are such as 1.5s.
  answers         mediaType (json, vendor), deletedJob, expiredJob (not-found, gone, show; the default of expiredJob is gone),
                  edgeErrors (html, json), retryAfter, tooLargeStatus (413, 400), noCreditStatus (403,
                  402, 429), expiredKeyStatus (403, 401), invalidAudioStatus (400, 403), defaultWait (2s)
  lists           unlimitedLists, listExpired, listLag, dropDeletedConfig, createdBeforeInclusive
  configurations  allowUnknownConfigKeys, allowModelAndOperatingPoint, ignoreMeliaLimits, keepEmptyArrays,
                  rejectInvalidAudioAtSubmission, rejectUnsupportedPairAtSubmission
  fetches         followFetchRedirects, fetchGivesUpAtOnce, noSideFileFetch
  notifications   notificationAttempts (4 to 1), followNotificationRedirects, notifyDeletion,
                  failureNotifications (omit, jobinfo-only), jobInfo (flat, nested),
                  partNames (item, data_file), partFileNames (extension, job)
  transcripts     channelLabels (underscore, spaced), textChannels (speaker, channel, none), srtSpeakers,
                  sentiment (flat, nested), audioEventSummary (flat, overall)
  other           serveLogs, usageModel (model, operating_point),
                  discoveryIdentification (languageid, languageId)
  on premises     onPremisesWait (refuse, ignore), workerSpelling (prose, api), applianceIDs (uuid, number)
  --behaviour deletedJob=gone,keepEmptyArrays=true

Admin endpoints, for this machine only unless --admin-token is set:
  GET, PUT /admin/faults                        the faults, as a JSON array
  GET      /admin/faults/happened               how often each has happened
  GET, PUT /admin/behaviour                     see --behaviour
  GET      /admin/ledger?reference=R            every job ever accepted and what became of it, or those of
                                                a tracking.reference
  GET      /admin/jobs                          all jobs
  POST     /admin/jobs/ID/reject|expire|delete  end a job
  POST     /admin/foreign?key=K&count=N&spread=1h  add jobs of somebody else to a key's project
  POST     /admin/outage?for=30s&kind=K         let the API be down: refuse, 503, html or hang
  DELETE   /admin/outage                        end that
  GET      /admin/requests                      requests so far, by operation and status (0: no answer)
  POST     /admin/restart                       restart an HTTP batch worker, which forgets everything
  PUT, DELETE /admin/keys/KEY                   add (?project=P) or revoke an API key
GET /healthz answers 200.
`

// parseFlags reads and checks the flags. --help is written to help, and is pflag.ErrHelp.
func parseFlags(args []string, help io.Writer) (*config, error) {
	c, w := &config{}, &written{}
	flags := flagSet(c, w)
	flags.Usage = func() { _, _ = fmt.Fprintf(help, usage, flags.FlagUsages()) }
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: there are only flags", flags.Arg(0))
	}
	if err := c.check(w); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func flagSet(c *config, w *written) *pflag.FlagSet {
	flags := pflag.NewFlagSet("speechmatics-simulator", pflag.ContinueOnError)
	flags.SortFlags = false
	o := &c.options
	flags.StringVar(&c.listen, "listen", "127.0.0.1:8080", "address to listen at; port 0 takes a free one, see the log's field \"address\"")
	flags.StringVar(&w.backend, "backend", string(simulator.BackendSaaS), "kind of server: saas, appliance or worker (the HTTP batch worker)")
	flags.StringArrayVar(&w.apiKeys, "api-key", nil, "API key of the default project; repeatable, at least one key is needed (not with --backend appliance or worker)")
	flags.StringArrayVar(&w.projectKeys, "project-key", nil, "PROJECT=KEY, an API key of another project, which sees only its own jobs; repeatable")
	flags.Float64Var(&o.Speed, "speed", 1, "divides processing time, gaps between retries, and retention")
	flags.DurationVar(&o.ClockOffset, "clock-offset", 0, "how far this server's clock is ahead of the machine's (negative: behind)")
	flags.BoolVar(&c.options.RememberTranscripts, "remember-transcripts", false, "tell the transcripts of deleted and expired jobs at GET /admin/jobs/ID/transcript")
	flags.StringVar(&w.transcripts, "transcripts", "", "folder with the words of uploads: <stem of the file name>.txt or <SHA-256 of the media>.txt")
	flags.StringVar(&w.media, "media", "", "folder whose files are served at /media/, so that there is something to fetch")
	flags.DurationVar(&o.Processing.Base, "processing-base", 0, "time that every job takes, before --speed (0: 1s; negative: none)")
	flags.Float64Var(&o.Processing.Factor, "processing-factor", 0, "time that a job takes more, relative to its recording (0: 0.25; negative: none)")
	flags.DurationVar(&o.Retention, "retention", 0, "time until an ended job expires, before --speed (0: 7 days, 24 hours with --backend appliance; negative: never)")
	flags.Float64Var(&o.Limits.SubmissionsPerSecond, "submissions-per-second", 0, "limit per key (0: 10, none on premises; negative: none)")
	flags.Float64Var(&o.Limits.ReadsPerSecond, "reads-per-second", 0, "limit per key of all other requests (0: 50, none on premises; negative: none)")
	flags.IntVar(&o.Limits.RunningJobs, "running-jobs", 0, "limit per project (0: 20000, none on premises; negative: none)")
	flags.DurationVar(&o.Limits.NotifyTimeout, "notify-timeout", 0, "how long an answer to a notification is waited for, not divided by --speed (0: 30s; negative: for ever)")
	flags.IntVar(&o.Engines, "engines", 0, "engines of an HTTP batch worker (0: 4)")
	flags.IntVar(&o.JobHistory, "job-history", 0, "ended jobs that an HTTP batch worker remembers (0: 100; negative: all)")
	flags.StringArrayVar(&w.faults, "fault", nil, "something that goes wrong, see below; repeatable")
	flags.StringArrayVar(&w.loseTitles, "lose-notifications-for-title", nil, "lose all notifications of jobs whose tracking.title matches; repeatable, * stands for any text")
	flags.StringVar(&w.behaviour, "behaviour", "", "where the documentation is silent: name=value,…, see below")
	flags.StringVar(&o.AdminToken, "admin-token", "", "bearer token of the admin endpoints")
	flags.StringVar(&w.logLevel, "log-level", "info", "debug, info, warn or error")
	return flags
}

// check turns what was written into options, or says what is wrong and what would be right.
func (c *config) check(w *written) (err error) {
	if c.listen == "" {
		return errors.New("--listen: an address is needed, such as 127.0.0.1:8080")
	}
	if err := c.logLevel.UnmarshalText([]byte(w.logLevel)); err != nil {
		return fmt.Errorf("--log-level: %q is none of debug, info, warn, error", w.logLevel)
	}
	if c.options.Backend = simulator.Backend(w.backend); c.options.Backend.Validate() != nil {
		return fmt.Errorf("--backend: %q is none of saas, appliance, worker", w.backend)
	}
	if err := c.checkNumbers(); err != nil {
		return err
	}
	if err := c.checkKeys(w); err != nil {
		return err
	}
	if err := c.checkFaults(w); err != nil {
		return err
	}
	if c.options.Behaviour, err = simulator.ParseBehaviour(w.behaviour); err != nil {
		return fmt.Errorf("--behaviour: %w", err)
	}
	if c.media, err = openFolder("--media", w.media); err != nil {
		return err
	}
	if c.transcripts, err = openFolder("--transcripts", w.transcripts); err != nil {
		return err
	}
	if c.transcripts != nil {
		c.options.Transcripts = c.transcripts.FS()
	}
	return c.options.Validate()
}

func (c *config) checkNumbers() error {
	if s := c.options.Speed; !(s > 0) || math.IsInf(s, 0) {
		return fmt.Errorf("--speed: %v is not a positive number", s)
	}
	for name, n := range map[string]float64{
		"--processing-factor":      c.options.Processing.Factor,
		"--submissions-per-second": c.options.Limits.SubmissionsPerSecond,
		"--reads-per-second":       c.options.Limits.ReadsPerSecond,
	} {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("%s: %v is not a number", name, n)
		}
	}
	return nil
}

func (c *config) checkKeys(w *written) error {
	if len(w.apiKeys)+len(w.projectKeys) == 0 && c.options.Backend == simulator.BackendSaaS {
		return errors.New("--api-key: at least one key is needed; every other key is refused")
	}
	for _, key := range w.apiKeys {
		if strings.TrimSpace(key) == "" {
			return errors.New("--api-key: a key is empty")
		}
	}
	c.options.APIKeys = w.apiKeys
	c.options.ProjectKeys = map[string]string{}
	for _, pair := range w.projectKeys {
		project, key, ok := strings.Cut(pair, "=")
		if !ok || project == "" || strings.TrimSpace(key) == "" {
			return errors.New("--project-key: a value is not PROJECT=KEY") // not repeated: it may be a key
		}
		c.options.ProjectKeys[key] = project
	}
	return nil
}

func (c *config) checkFaults(w *written) error {
	for _, text := range w.faults {
		fault, err := simulator.ParseFault(text)
		if err != nil {
			return fmt.Errorf("--fault: %w", err)
		}
		c.options.Faults = append(c.options.Faults, fault)
	}
	for _, title := range w.loseTitles {
		if title == "" {
			return errors.New("--lose-notifications-for-title: a title is empty; * is all")
		}
		c.options.Faults = append(c.options.Faults, simulator.Fault{Kind: simulator.FaultNotificationLost, Title: title})
	}
	return nil
}

// openFolder opens a folder; "" is none.
func openFolder(flag, dir string) (*os.Root, error) {
	if dir == "" {
		return nil, nil //nolint:nilnil // none is fine
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; name a folder that can be read", flag, err)
	}
	return root, nil
}
