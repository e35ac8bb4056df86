// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Webhook-receiver is the one door through which every transcript enters: it receives Speechmatics' notifications and the manager's
// deliveries, stores the transcripts and records them in the jobs' status. It holds no API key, and reads no Secret.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/tracing"
	"github.com/transcription-operator/transcription-operator/internal/version"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript/store"
	"github.com/transcription-operator/transcription-operator/webhookreceiver"
)

// Exit codes.
const (
	exitError = 1
	exitUsage = 2
)

// apiTimeout bounds each request to the API server. The receiver has no watches, which would need longer.
const apiTimeout = 30 * time.Second

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

// run is the program; it returns the exit code.
func run(args []string, stderr io.Writer) int {
	config, err := parseFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		_, _ = fmt.Fprintln(stderr, "webhook-receiver:", err)
		return exitUsage
	}
	log := zap.New(zap.UseFlagOptions(&config.zap))
	ctrl.SetLogger(log)
	do := start
	if config.check != "" {
		do = check
	}
	if err := do(ctrl.SetupSignalHandler(), config, log); err != nil {
		log.Error(err, "The webhook receiver stopped")
		return exitError
	}
	return 0
}

// start runs the receiver until the context ends.
func start(ctx context.Context, config *config, log logr.Logger) (err error) {
	keys, err := notification.NewKeyDirectory(config.notificationKeys, clock.RealClock{}, log.WithName("notification-keys"))
	if err != nil {
		return fmt.Errorf("--notification-keys: %w", err)
	}
	volumes, err := openVolumes(config)
	if err != nil {
		return fmt.Errorf("--volume: %w", err)
	}
	defer func() { err = errors.Join(err, volumes.Close()) }()
	scratch, err := store.OpenScratch(config.scratchDirectory, config.scratchMaxBytes.bytes, clock.RealClock{})
	if err != nil {
		return fmt.Errorf("--scratch-directory: %w", err)
	}
	tracer, err := tracing.FromEnvironment(ctx, "transcription-operator-webhook-receiver", log.WithName("tracing"))
	if err != nil {
		return err
	}
	defer tracer.Close(ctx, log)
	c, err := newClient()
	if err != nil {
		return err
	}
	listeners, err := listen(ctx, config)
	if err != nil {
		return err
	}
	log.Info("Starting the webhook receiver", "version", version.String(), "public", listeners.Public.Addr().String(),
		"internal", listeners.Internal.Addr().String(), "volumes", config.volumes.String(), "replicas", config.replicas)
	return webhookreceiver.New(webhookreceiver.Options{
		Client:     c,
		Keys:       keys,
		Store:      store.Stores{ConfigMaps: store.NewConfigMaps(c, scratch, config.configMapMaxBytes.bytes), Volumes: volumes},
		Scratch:    scratch,
		Volumes:    volumes,
		Namespaces: config.watchNamespaces,
		Limits:     webhookreceiver.Limits{BodyBytes: config.bodyMaxBytes.bytes},
		Log:        log,
		Tracer:     tracer,
	}).Run(ctx, listeners)
}

func openVolumes(config *config) (*store.Volumes, error) {
	volumes := make([]store.Volume, 0, len(config.volumes))
	for _, v := range config.volumes {
		volumes = append(volumes, v.Volume)
	}
	return store.OpenVolumes(volumes, clock.RealClock{})
}

// newClient makes a client without a cache: what the receiver decides, it decides on live objects.
func newClient() (client.Client, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("cannot find out how to reach the API server; set KUBECONFIG or --kubeconfig: %w", err)
	}
	// Nothing bounds the rate of requests: the doors' places bound how many there are at a time, and the API server's own priority and fairness
	// protects it better than a client that makes notifications wait.
	config.QPS, config.Timeout = -1, apiTimeout
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("cannot make a client of the API server: %w", err)
	}
	return c, nil
}

// listen opens all listeners, or none.
func listen(ctx context.Context, config *config) (webhookreceiver.Listeners, error) {
	var listeners webhookreceiver.Listeners
	var opened []net.Listener
	for _, l := range []struct {
		flag, address string
		to            *net.Listener
	}{
		{"--public-bind-address", config.publicBindAddress, &listeners.Public},
		{"--internal-bind-address", config.internalBindAddress, &listeners.Internal},
		{"--metrics-bind-address", config.metricsBindAddress, &listeners.Metrics},
		{"--health-probe-bind-address", config.healthProbeBindAddress, &listeners.Health},
	} {
		if off(l.address) {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.address)
		if err != nil {
			for _, o := range opened {
				err = errors.Join(err, o.Close())
			}
			return webhookreceiver.Listeners{}, fmt.Errorf("%s: %w", l.flag, err)
		}
		*l.to = listener
		opened = append(opened, listener)
	}
	return listeners, nil
}
