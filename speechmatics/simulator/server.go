// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// serverName is the Server header of every response: who talks to a simulator should be able to see it.
const serverName = "speechmatics-simulator"

// Server is a simulated batch service. It is an http.Handler; its methods are safe for concurrent use.
type Server struct {
	options   Options
	clock     clock.Clock
	log       *slog.Logger
	behaviour atomic.Pointer[Behaviour]
	faults    faultBook
	outage    atomic.Pointer[outage]
	requests  requestBook
	keys      keyring
	anonymous apiKey // who needs no key on premises
	// tokenSecret signs temporary keys, which are recognised by being known, though.
	tokenSecret []byte
	store       mediaStore
	handler     http.Handler

	fetchClient  *http.Client
	notifyClient *http.Client

	// life ends when the server is closed, and everything that it started with it.
	life context.Context //nolint:containedctx // the server's own life, not a request's
	end  context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex // guards all below, and the mutable fields of every job
	closed  bool
	jobs    map[string]*job
	newest  timeline
	running map[string]int // by project
	ledger  []*LedgerEntry // in the order of submission
	usage   map[usageKey]usageSum
	// run ends with the present process of an HTTP batch worker, see Restart.
	run    context.Context //nolint:containedctx // as life
	endRun context.CancelFunc
	// enginesUsed are those of a worker's running jobs, lastNumber is an appliance's last identifier.
	enginesUsed, lastNumber int

	tried broadcast // a notification was tried
}

// Validate reports the first option that makes no sense.
func (o Options) Validate() error {
	for i, f := range o.Faults {
		if err := f.Validate(); err != nil {
			return fmt.Errorf("fault %d: %w", i, err)
		}
	}
	if err := o.Behaviour.Validate(); err != nil {
		return fmt.Errorf("behaviour: %w", err)
	}
	if o.Backend != "" {
		if err := o.Backend.Validate(); err != nil {
			return err
		}
	}
	if o.Engines < 0 {
		return fmt.Errorf("engines: %d is negative", o.Engines)
	}
	if slices.Contains(o.APIKeys, "") {
		return errors.New("API key: empty")
	}
	if _, ok := o.ProjectKeys[""]; ok {
		return errors.New("API key of a project: empty")
	}
	return nil
}

// New returns a server that runs until it is closed. It panics on options that Validate refuses.
func New(options Options) *Server {
	if err := options.Validate(); err != nil {
		panic("simulator: " + err.Error())
	}
	options = options.withDefaults()
	life, end := context.WithCancel(context.Background())
	s := &Server{
		options:      options,
		clock:        options.Clock,
		log:          options.Logger,
		store:        mediaStore{parent: options.MediaDir, budget: options.Limits.StoredBytes},
		fetchClient:  ownClient(options.FetchClient),
		notifyClient: ownClient(options.NotifyClient),
		life:         life,
		end:          end,
		jobs:         map[string]*job{},
		running:      map[string]int{},
		usage:        map[usageKey]usageSum{},
		tokenSecret:  []byte(randomHex(32)),
	}
	s.run, s.endRun = context.WithCancel(life)
	s.anonymous = apiKey{
		caller: caller{project: defaultProject}, submissions: limiter(options.Limits.SubmissionsPerSecond), reads: limiter(options.Limits.ReadsPerSecond),
	}
	s.fetchClient.CheckRedirect = s.checkFetchRedirect
	s.notifyClient.CheckRedirect = func(_ *http.Request, via []*http.Request) error {
		return checkRedirect(s.Behaviour().FollowNotificationRedirects, via)
	}
	s.behaviour.Store(&options.Behaviour)
	s.faults.set(options.Faults)
	for _, key := range options.APIKeys {
		s.AddKey(key)
	}
	for key, project := range options.ProjectKeys {
		s.AddProjectKey(project, key)
	}
	s.handler = s.routes()
	return s
}

// ownClient returns a client whose redirect policy can be set without changing the caller's. It has
// no jar and no timeout; every request has a context with a deadline.
func ownClient(given *http.Client) *http.Client {
	if given != nil {
		own := *given
		return &own
	}
	return &http.Client{Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     time.Minute,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
	}}
}

// Close stops all jobs, fetches and notifications, waits until they have stopped or the context ends,
// and removes the media. Requests that are waiting for a job are answered 503.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.work.Wait()
	}()
	select {
	case <-stopped:
	case <-ctx.Done():
		return fmt.Errorf("simulator: jobs are still stopping: %w", ctx.Err())
	}
	if s.options.FetchClient == nil {
		s.fetchClient.CloseIdleConnections()
	}
	if s.options.NotifyClient == nil {
		s.notifyClient.CloseIdleConnections()
	}
	return s.store.close()
}

// Behaviour returns what is in force.
func (s *Server) Behaviour() Behaviour { return *s.behaviour.Load() }

// SetBehaviour replaces the behaviour; empty fields are the harsher variants. It reports a value that
// is not known, and changes nothing then.
func (s *Server) SetBehaviour(b Behaviour) error {
	if err := b.Validate(); err != nil {
		return err
	}
	b = b.withDefaults()
	s.behaviour.Store(&b)
	return nil
}

// spawn runs f beside the requests, unless the server is closed.
func (s *Server) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Go(f)
	return true
}

// scale turns a simulated duration into wall time.
func (s *Server) scale(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.options.Speed)
}

// sleep waits for a wall time, and reports whether the context lasted that long.
func (s *Server) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return true
	case <-ctx.Done():
		return false
	}
}

// now is the wall time at the precision that the API shows.
func (s *Server) now() time.Time { return s.clock.Now().UTC().Truncate(time.Millisecond) }

// broadcast tells all who wait that something has happened.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

// next returns a channel that is closed at the next signal.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) signal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// withoutQuery renders a URL for a log: signatures and tokens live in user info, query and fragment.
func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(not a URL)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
