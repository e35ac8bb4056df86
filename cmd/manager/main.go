// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Manager runs the controllers: it submits TranscriptionJobs to Speechmatics, follows them to their end, and tries the keys
// of accounts. It holds API keys and makes outbound connections only; transcripts are stored by the webhook receiver.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/controllers"
	"github.com/transcription-operator/transcription-operator/internal/profiling"
	"github.com/transcription-operator/transcription-operator/internal/tracing"
	"github.com/transcription-operator/transcription-operator/internal/version"
)

// leaderElectionID names the Lease by which one manager is the leader.
const leaderElectionID = "transcription-operator-manager"

// Exit codes.
const (
	exitError = 1
	exitUsage = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

// run is the program; it returns the exit code.
func run(args []string, stderr io.Writer) int {
	config, err := parseFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		_, _ = fmt.Fprintln(stderr, "manager:", err)
		return exitUsage
	}
	log := zap.New(zap.UseFlagOptions(&config.zap))
	ctrl.SetLogger(log)
	do := start
	if config.makeNotificationKeys != "" {
		do = makeNotificationKeys
	}
	if err := do(ctrl.SetupSignalHandler(), config, log); err != nil {
		log.Error(err, "The manager stopped")
		return exitError
	}
	return 0
}

// start runs the manager until the context ends.
func start(ctx context.Context, config *config, log logr.Logger) error {
	log.Info("Starting the manager", "version", version.String(), "namespace", config.namespace, "receiver", config.receiverURL, "callback", config.callbackURL)
	keys, err := awaitKeys(ctx, config.notificationKeys, log.WithName("notification-keys"))
	if err != nil {
		return fmt.Errorf("--notification-keys: %w", err)
	}
	receiver, err := controllers.NewReceiverClient(config.receiverURL, keys)
	if err != nil {
		return fmt.Errorf("--receiver-url: %w", err)
	}
	tracer, err := tracing.FromEnvironment(ctx, "transcription-operator-manager", log.WithName("tracing"))
	if err != nil {
		return err
	}
	defer tracer.Close(ctx, log)
	mgr, err := newManager(config)
	if err != nil {
		return err
	}
	options := controllers.Options{
		Namespace:             config.namespace,
		CallbackURL:           config.callbackURL,
		AllowedBaseURLs:       config.allowedBaseURLs,
		AllowPrivateAddresses: config.allowPrivateAddresses,
		PollInterval:          config.pollInterval,
		WatchNamespaces:       config.watchNamespaces,
		NoClusterAccounts:     !config.clusterAccounts,
		MetricsByNamespace:    config.metricsJobNamespaces,
		SubmissionWindow:      config.timings.submissionWindow,
		ListLag:               config.timings.listLag,
		ClockSkew:             config.timings.clockSkew,
		ProviderClockSkew:     config.timings.providerClockSkew,
		SecretInterval:        config.timings.secretInterval,
		RetryInterval:         config.timings.retryInterval,
		OrphanInterval:        config.timings.orphanInterval,
		Tracer:                tracer,
	}
	if err := controllers.SetupWithManager(mgr, receiver, keys, options, nil); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("cannot add the health check: %w", err)
	}
	if err := mgr.AddReadyzCheck("caches", cachesSynced(mgr)); err != nil {
		return fmt.Errorf("cannot add the readiness check: %w", err)
	}
	return mgr.Start(ctx)
}

// syncPatience is how long a readiness check waits for the caches.
const syncPatience = 100 * time.Millisecond

// cachesSynced reports ready as soon as the manager has seen all jobs and accounts.
func cachesSynced(mgr ctrl.Manager) healthz.Checker {
	return func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), syncPatience)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}
}

// newManager makes a manager whose cache holds jobs, accounts and, for the selectors of cluster accounts, namespaces: everything else is read
// by name from the API server.
func newManager(config *config) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	restConfig, err := apiServer()
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       server.Options{BindAddress: config.metricsBindAddress, ExtraHandlers: profiling.Handlers()},
		HealthProbeBindAddress:        config.healthProbeBindAddress,
		LeaderElection:                config.leaderElect,
		LeaderElectionID:              leaderElectionID,
		LeaderElectionNamespace:       config.namespace,
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &config.timings.leaseDuration,
		RenewDeadline:                 &config.timings.renewDeadline,
		RetryPeriod:                   &config.timings.retryPeriod,
		Cache:                         cache.Options{DefaultNamespaces: config.watched(), DefaultTransform: controllers.CacheTransform()},
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: config.neverCached()}},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make the manager: %w", err)
	}
	return mgr, nil
}
