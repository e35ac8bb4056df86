// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	// Registers --kubeconfig.
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/client/config"
)

const (
	// podNamespaceVariable is set by the Deployment from the downward API.
	podNamespaceVariable = "POD_NAMESPACE"
	// namespaceFile is where a pod finds its own namespace.
	namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
)

// config is what the flags say.
type config struct {
	metricsBindAddress     string
	metricsJobNamespaces   bool
	healthProbeBindAddress string
	leaderElect            bool
	namespace              string
	watchNamespaces        []string
	clusterAccounts        bool
	receiverURL            string
	callbackURL            string
	notificationKeys       string
	makeNotificationKeys   string
	allowedBaseURLs        []string
	allowPrivateAddresses  bool
	pollInterval           time.Duration
	timings                timings
	zap                    zap.Options
}

// parseFlags reads and checks the flags.
func parseFlags(args []string, stderr io.Writer) (*config, error) {
	c := &config{}
	var watchNamespaces, allowedBaseURLs string
	flags := flag.NewFlagSet("manager", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.metricsBindAddress, "metrics-bind-address", ":8080", "where metrics are served; 0 switches them off")
	flags.BoolVar(&c.metricsJobNamespaces, "metrics-job-namespaces", false, "count submissions and seconds of audio by the jobs' namespaces, too: one more time series for each that has jobs")
	flags.StringVar(&c.healthProbeBindAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served; 0 switches them off")
	flags.BoolVar(&c.leaderElect, "leader-elect", false, "let one of several managers be the leader; the others stand by")
	flags.StringVar(&c.namespace, "namespace", "", "the manager's own namespace, where the Secrets of ClusterSpeechmaticsAccounts are (default: $"+podNamespaceVariable+", or the pod's own)")
	flags.StringVar(&watchNamespaces, "watch-namespaces", "", "comma-separated namespaces whose jobs are worked on (default: all)")
	flags.BoolVar(&c.clusterAccounts, "cluster-accounts", true, "let jobs use ClusterSpeechmaticsAccounts; without them, the manager needs no rights outside of its own and the watched namespaces")
	flags.StringVar(&c.receiverURL, "receiver-url", "", "base URL of the webhook receiver's internal listener (required)")
	flags.StringVar(&c.callbackURL, "callback-url", "", "public base URL of the webhook receiver; without it no notification is asked for, and jobs are polled")
	flags.StringVar(&c.notificationKeys, "notification-keys", "", "folder with the files signing-key and, during a rotation, additional-key (required)")
	flags.StringVar(&c.makeNotificationKeys, "make-notification-keys", "", "name of a Secret in the manager's own namespace: if it has no signing-key yet, put a random one into it; then end. Only --namespace counts beside it")
	flags.StringVar(&allowedBaseURLs, "allowed-base-urls", "", "comma-separated base URLs that SpeechmaticsAccounts may use besides the regions")
	flags.BoolVar(&c.allowPrivateAddresses, "allow-private-addresses", false, "let the provider's address be loopback, private or link-local")
	flags.DurationVar(&c.pollInterval, "poll-interval", 30*time.Second, "how often a running job is looked at where no notification is expected, 1s to 1h")
	c.timings.bind(flags)
	// An error says what is wrong; where in the program it was written, a line of the log tells nobody.
	c.zap.StacktraceLevel = zapcore.PanicLevel
	c.zap.BindFlags(flags)
	ctrlconfig.RegisterFlags(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; all settings are flags, see --help", flags.Arg(0))
	}
	c.watchNamespaces, c.allowedBaseURLs = split(watchNamespaces), split(allowedBaseURLs)
	if c.namespace == "" {
		c.namespace = ownNamespace()
	}
	if c.makeNotificationKeys != "" {
		return c, c.validateMaking()
	}
	return c, c.validate()
}

// ownNamespace finds out the namespace that the manager runs in; empty if it does not run in a pod.
func ownNamespace() string {
	if namespace := os.Getenv(podNamespaceVariable); namespace != "" {
		return namespace
	}
	namespace, err := os.ReadFile(namespaceFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(namespace))
}

// validate reports everything that is wrong at once.
func (c *config) validate() error {
	problems := []error{c.checkNamespaces()}
	if c.notificationKeys == "" {
		problems = append(problems, errors.New("--notification-keys is not set; name the folder in which the Secret with signing-key is mounted"))
	}
	problems = append(problems, checkURL("--receiver-url", c.receiverURL, true), checkURL("--callback-url", c.callbackURL, false))
	for _, u := range c.allowedBaseURLs {
		problems = append(problems, checkURL("--allowed-base-urls", u, true))
	}
	if c.pollInterval < time.Second || c.pollInterval > time.Hour {
		problems = append(problems, fmt.Errorf("--poll-interval is %s; it must be between 1s and 1h", c.pollInterval))
	}
	problems = append(problems, c.timings.validate())
	return errors.Join(problems...)
}

// validateMaking reports everything that is wrong with what --make-notification-keys needs.
func (c *config) validateMaking() error {
	problems := []error{c.checkNamespaces()}
	if len(validation.IsDNS1123Subdomain(c.makeNotificationKeys)) > 0 {
		problems = append(problems, fmt.Errorf("--make-notification-keys: %q is not the name of a Secret", c.makeNotificationKeys))
	}
	return errors.Join(problems...)
}

func (c *config) checkNamespaces() error {
	var problems []error
	if c.namespace == "" {
		problems = append(problems, errors.New("--namespace is not set, and the manager does not run in a pod that would tell it; name the namespace of the Secrets of ClusterSpeechmaticsAccounts"))
	}
	for _, namespace := range append([]string{c.namespace}, c.watchNamespaces...) {
		if namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0 {
			problems = append(problems, fmt.Errorf("%q is not the name of a namespace; see --namespace and --watch-namespaces", namespace))
		}
	}
	return errors.Join(problems...)
}

// checkURL checks the base URL that a flag gives.
func checkURL(name, value string, required bool) error {
	if value == "" {
		if required {
			return fmt.Errorf("%s is not set; give an http or https URL", name)
		}
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s: an absolute http or https URL without user name, query and fragment is needed, for example https://transcripts.example.com", name)
	}
	return nil
}

// watched are the namespaces that the cache is restricted to; none means all.
func (c *config) watched() map[string]cache.Config {
	if len(c.watchNamespaces) == 0 {
		return nil
	}
	watched := make(map[string]cache.Config, len(c.watchNamespaces))
	for _, namespace := range c.watchNamespaces {
		watched[namespace] = cache.Config{}
	}
	return watched
}

// neverCached are the kinds that are read by name, live: to fill a cache takes the right to list them all. A namespace can be read by who has
// no rights outside of it.
func (c *config) neverCached() []client.Object {
	kinds := []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}
	if !c.clusterAccounts {
		kinds = append(kinds, &corev1.Namespace{})
	}
	return kinds
}

// split splits a comma-separated list.
func split(list string) []string {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
