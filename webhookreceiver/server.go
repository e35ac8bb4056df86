// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/profiling"
	"github.com/transcription-operator/transcription-operator/internal/tracing"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

const (
	// DefaultShutdownDelay is for how long nobody must have come, after readiness was switched off, before the doors close: who still comes is
	// sent by a node that has not heard of it yet, and the next one would find them closed.
	DefaultShutdownDelay = 5 * time.Second
	// maxShutdownDelays is for how many times that the doors stay open, however many come. With DefaultDrainTimeout it has to fit into the pod's
	// terminationGracePeriodSeconds.
	maxShutdownDelays = 4
	// DefaultDrainTimeout is how long requests may take to end after the doors were closed.
	DefaultDrainTimeout = 30 * time.Second
)

// Options are what a Server needs.
type Options struct {
	// Client reads jobs and applies their status. It must not have a cache.
	Client client.Client
	// Keys verify tokens.
	Keys notification.KeySource
	// Store keeps transcripts.
	Store store.Store
	// Scratch has room for documents that are read.
	Scratch *store.Scratch
	// Volumes are tried before the receiver is ready.
	Volumes Prober
	// Namespaces are those that have jobs, in which the receiver tries its rights before it is ready. Empty means all.
	Namespaces []string
	// Clock tells the time; the default is the real one.
	Clock clock.Clock
	// Log receives one line for each notification.
	Log logr.Logger
	// Tracer makes the spans of notifications in the traces of jobs. The default, nil, makes none.
	Tracer *tracing.Tracer
	// Limits bound what is taken.
	Limits Limits
	// ShutdownDelay and DrainTimeout say how a shutdown goes. Zero means the defaults, negative means none.
	ShutdownDelay, DrainTimeout time.Duration
}

// Listeners are where a Server is reached. Run closes them. Metrics and Health may be nil.
type Listeners struct {
	Public, Internal, Metrics, Health net.Listener
}

// Server is the webhook receiver.
type Server struct {
	options   Options
	metrics   *metrics
	readiness *readiness
	public    *door
	internal  *door
	// arrivals counts the connections that the doors have accepted.
	arrivals atomic.Int64
}

// New returns a server; Run starts it.
func New(o Options) *Server {
	o.Limits = o.Limits.withDefaults()
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	o.ShutdownDelay = cmp.Or(o.ShutdownDelay, DefaultShutdownDelay)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, DefaultDrainTimeout)
	s := &Server{options: o, metrics: newMetrics(o.Keys, o.Scratch)}
	s.readiness = &readiness{
		client: o.Client, keys: o.Keys, volumes: o.Volumes, clock: o.Clock, log: o.Log.WithName("readiness"), probed: map[string]bool{},
		namespaces: o.Namespaces,
	}
	s.public = s.door(notification.PurposeCallback, v1alpha1.SourceCallback, o.Limits.PublicRequests)
	// What anybody may be able to send takes at most half of what both doors share.
	s.public.scratch = o.Scratch.Half()
	s.public.shares = newShares(max(1, o.Limits.PublicRequests/2))
	s.internal = s.door(notification.PurposeDeliver, v1alpha1.SourceDelivery, o.Limits.InternalRequests)
	s.internal.internal = true
	s.internal.limits.BodyGrace *= internalPatience
	s.internal.limits.BodyStall *= internalPatience
	return s
}

func (s *Server) door(purpose notification.Purpose, source v1alpha1.NotificationSource, requests int) *door {
	return &door{
		client: s.options.Client, keys: s.options.Keys, store: s.options.Store, scratch: s.options.Scratch, clock: s.options.Clock, log: s.options.Log,
		metrics: s.metrics, tracer: s.options.Tracer, limits: s.options.Limits, purpose: purpose, source: source, room: make(chan struct{}, requests), shares: newShares(0), readers: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
}

// Run serves until the context ends, and then shuts down in order: it says that it is not ready, goes on until nobody has come for
// ShutdownDelay, though not for more than four times as long, closes the doors, and lets the requests that it has end within DrainTimeout. It
// returns what went wrong: a listener that failed, or requests that were broken off.
func (s *Server) Run(ctx context.Context, listeners Listeners) error {
	doors := []*endpoint{
		s.doorway("public", listeners.Public, s.public),
		s.doorway("internal", listeners.Internal, s.internal),
	}
	var others []*endpoint
	if listeners.Metrics != nil {
		others = append(others, s.endpoint("metrics", listeners.Metrics, s.metricsHandler()))
	}
	if listeners.Health != nil {
		others = append(others, s.endpoint("health", listeners.Health, healthHandler(s.readiness)))
	}

	group, failed := errgroup.WithContext(ctx)
	for _, e := range append(doors, others...) {
		group.Go(e.serve)
	}
	<-failed.Done() // the context has ended, or a listener has failed
	shutdown := s.shutdown(context.WithoutCancel(ctx), ctx.Err() != nil, doors, others)
	return errors.Join(group.Wait(), shutdown)
}

// metricsHandler serves the metrics, at any path, and profiles in programs that are built for that.
func (s *Server) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{Registry: s.metrics.registry}))
	for path, handler := range profiling.Handlers() {
		mux.Handle(path, handler)
	}
	return mux
}

// shutdown closes the doors first and the rest afterwards, so that probes and metrics work to the end.
func (s *Server) shutdown(ctx context.Context, orderly bool, doors, others []*endpoint) error {
	s.readiness.draining.Store(true)
	if orderly && s.options.ShutdownDelay > 0 {
		s.options.Log.Info("Shutting down: not ready any more", "delay", s.options.ShutdownDelay.String())
		s.awaitQuiet()
	}
	s.options.Log.Info("Shutting down: closing the doors", "drainTimeout", s.options.DrainTimeout.String())
	ctx, cancel := context.WithTimeout(ctx, max(0, s.options.DrainTimeout))
	defer cancel()
	var group errgroup.Group
	for _, e := range doors {
		group.Go(func() error { return e.drain(ctx) })
	}
	err := group.Wait()
	for _, e := range others {
		err = errors.Join(err, e.server.Close())
	}
	return err
}

// awaitQuiet ends when nobody has come for ShutdownDelay, or it has taken long enough.
func (s *Server) awaitQuiet() {
	for range maxShutdownDelays {
		before := s.arrivals.Load()
		<-s.options.Clock.After(s.options.ShutdownDelay)
		if s.arrivals.Load() == before {
			return
		}
	}
	s.options.Log.Info("Shutting down: connections still come in, and the next ones will be refused")
}

// endpoint is a listener with its server.
type endpoint struct {
	name     string
	listener net.Listener
	server   *http.Server
}

func (s *Server) endpoint(name string, listener net.Listener, handler http.Handler) *endpoint {
	log := s.options.Log.WithName(name)
	return &endpoint{
		name:     name,
		listener: netutil.LimitListener(listener, maxConnections),
		server: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: readHeaderTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
			// There is no ReadTimeout and no WriteTimeout: both would bound a body's duration. See body.
			ErrorLog: slog.NewLogLogger(logr.ToSlogHandler(log.V(1)), slog.LevelInfo),
		},
	}
}

// doorway is a door's endpoint. A connection is closed with the answer to its first request: one that is kept, and that is closed, for being idle or
// because the doors close, in the moment in which its sender uses it again, breaks a notification.
func (s *Server) doorway(name string, listener net.Listener, d *door) *endpoint {
	e := s.endpoint(name, listener, d)
	e.server.SetKeepAlivesEnabled(false)
	e.server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.arrivals.Add(1)
		}
	}
	return e
}

func (e *endpoint) serve() error {
	if err := e.server.Serve(e.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the %s listener at %s failed: %w", e.name, e.listener.Addr(), err)
	}
	return nil
}

// drain closes the listener and waits for the requests. What has not ended when the context does is broken off.
func (e *endpoint) drain(ctx context.Context) error {
	if err := e.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests at the %s listener were broken off: %w", e.name, err), e.server.Close())
	}
	return nil
}
