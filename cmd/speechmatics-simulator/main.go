// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command speechmatics-simulator stands in for the Speechmatics batch API v2 in demos, tests and
// benchmarks. It does not recognise speech. --help explains the flags and the admin endpoints.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/transcription-operator/transcription-operator/internal/version"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

const (
	exitOK = iota
	exitFailure
	exitUsage
)

// shutdownTimeout is how long requests and jobs may take to stop.
const shutdownTimeout = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program without its process: it serves until the context ends, and returns an exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	config, err := parseFlags(args, stdout)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return exitOK
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "speechmatics-simulator: %v\nTry speechmatics-simulator --help.\n", err)
		return exitUsage
	}
	defer config.close()
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: config.logLevel}))
	config.options.Logger = log
	if err := serve(ctx, config, log); err != nil {
		log.Error("stopped", "error", err)
		return exitFailure
	}
	return exitOK
}

// serve listens and answers until the context ends.
func serve(ctx context.Context, config *config, log *slog.Logger) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", config.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w; choose an address of this machine and a port that is free", err)
	}
	api := simulator.New(config.options)
	server := &http.Server{
		Handler:           routes(config, api),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	log.Info("this is a simulator of the Speechmatics batch API: it does not recognise speech",
		"address", listener.Addr().String(), "version", version.String(), "speed", config.options.Speed,
		"faults", len(config.options.Faults))

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return errors.Join(err, shutdown(ctx, api, server))
	case <-ctx.Done():
		log.Info("stopping")
		err := shutdown(ctx, api, server)
		if serveErr := <-failed; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, serveErr)
		}
		return err
	}
}

// shutdown ends the jobs first: that ends the requests which wait for them.
func shutdown(ctx context.Context, api *simulator.Server, server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := api.Close(ctx)
	if stopErr := server.Shutdown(ctx); stopErr != nil {
		err = errors.Join(err, stopErr, server.Close())
	}
	return err
}

// routes is the API, and the folder of media if there is one.
func routes(config *config, api http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", api)
	if config.media != nil {
		mux.Handle("GET "+mediaPath, mediaHandler(config.media))
	}
	return mux
}
