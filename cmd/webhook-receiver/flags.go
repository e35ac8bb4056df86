// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap/zapcore"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	// Registers --kubeconfig.
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/transcription-operator/transcription-operator/transcript/store"
	"github.com/transcription-operator/transcription-operator/webhookreceiver"
)

const (
	// minConfigMapBytes and maxConfigMapBytes bound --configmap-max-bytes: less than a small transcript makes no sense, and more than
	// etcd's default quota of 2 GiB allows for a few jobs does harm to the whole cluster.
	minConfigMapBytes = 64 << 10
	maxConfigMapBytes = 64 << 20

	// minScratchBytes bounds --scratch-max-bytes: below it, the transcript of a day has no room.
	minScratchBytes = 64 << 20

	// minBodyBytes and maxBodyBytes bound --body-max-bytes: below, the transcript of a day has no room; and nobody knows of a transcript that
	// comes near the other.
	minBodyBytes = 64 << 20
	maxBodyBytes = 4 << 30

	// maxReplicas bounds --replicas.
	maxReplicas = 100

	readWriteMany = "ReadWriteMany"
	readWriteOnce = "ReadWriteOnce"
)

// config is what the flags say.
type config struct {
	publicBindAddress      string
	internalBindAddress    string
	metricsBindAddress     string
	healthProbeBindAddress string
	notificationKeys       string
	watchNamespaces        []string
	check                  string
	volumes                volumeFlags
	replicas               int
	bodyMaxBytes           quantityFlag
	configMapMaxBytes      quantityFlag
	scratchDirectory       string
	scratchMaxBytes        quantityFlag
	zap                    zap.Options
}

// parseFlags reads and checks the flags.
func parseFlags(args []string, stderr io.Writer) (*config, error) {
	c := &config{
		bodyMaxBytes:      quantityFlag{bytes: webhookreceiver.DefaultBodyBytes},
		configMapMaxBytes: quantityFlag{bytes: store.DefaultConfigMapMaxBytes},
		scratchMaxBytes:   quantityFlag{bytes: store.DefaultScratchBytes},
	}
	flags := flag.NewFlagSet("webhook-receiver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.publicBindAddress, "public-bind-address", ":8080", "where Speechmatics' notifications are received; the only listener that the world may reach")
	flags.StringVar(&c.internalBindAddress, "internal-bind-address", ":8443", "where the manager's deliveries and questions are received")
	flags.StringVar(&c.metricsBindAddress, "metrics-bind-address", ":9090", "where metrics are served; 0 switches them off")
	flags.StringVar(&c.healthProbeBindAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served; 0 switches them off")
	var watchNamespaces string
	flags.StringVar(&watchNamespaces, "watch-namespaces", "", "comma-separated namespaces that have jobs, where the receiver tries its rights before it is ready (default: all)")
	flags.StringVar(&c.check, "check", "", "base URL of a receiver's public listener: see whether a receiver answers there, and end. No other flag counts beside it")
	flags.StringVar(&c.notificationKeys, "notification-keys", "", "folder with the files signing-key and, during a rotation, additional-key; both are accepted (required)")
	flags.Var(&c.volumes, "volume", "CLAIM=PATH[,ReadWriteMany]: a PersistentVolumeClaim and where it is mounted; repeatable; the access mode is ReadWriteOnce unless said")
	flags.IntVar(&c.replicas, "replicas", 1, "how many replicas this Deployment has; more than one needs ReadWriteMany volumes")
	flags.Var(&c.bodyMaxBytes, "body-max-bytes", "the largest notification or delivery that is taken, in bytes; what is larger is refused with 413, before it is read if its length is declared")
	flags.Var(&c.configMapMaxBytes, "configmap-max-bytes", "the most that one job may store in ConfigMaps, in bytes as stored")
	flags.StringVar(&c.scratchDirectory, "scratch-directory", os.TempDir(), "folder for transcripts that are being received and do not fit into memory; nothing in it outlives the process")
	flags.Var(&c.scratchMaxBytes, "scratch-max-bytes", "the most that may be in --scratch-directory at once, in bytes; notifications that need more are refused until there is room")
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
	if c.check != "" {
		return c, checkURL("--check", c.check)
	}
	for namespace := range strings.SplitSeq(watchNamespaces, ",") {
		if namespace = strings.TrimSpace(namespace); namespace != "" {
			c.watchNamespaces = append(c.watchNamespaces, namespace)
		}
	}
	return c, c.validate()
}

// validate reports everything that is wrong at once.
func (c *config) validate() error {
	problems := []error{
		checkAddress("--public-bind-address", c.publicBindAddress, false),
		checkAddress("--internal-bind-address", c.internalBindAddress, false),
		checkAddress("--metrics-bind-address", c.metricsBindAddress, true),
		checkAddress("--health-probe-bind-address", c.healthProbeBindAddress, true),
		c.checkVolumes(),
	}
	if c.notificationKeys == "" {
		problems = append(problems, errors.New("--notification-keys is not set; name the folder in which the Secret with signing-key is mounted"))
	}
	for _, namespace := range c.watchNamespaces {
		if len(validation.IsDNS1123Label(namespace)) > 0 {
			problems = append(problems, fmt.Errorf("--watch-namespaces: %q is not the name of a namespace", namespace))
		}
	}
	if c.replicas < 1 || c.replicas > maxReplicas {
		problems = append(problems, fmt.Errorf("--replicas is %d; it must be between 1 and %d", c.replicas, maxReplicas))
	}
	if c.bodyMaxBytes.bytes < minBodyBytes || c.bodyMaxBytes.bytes > maxBodyBytes {
		problems = append(problems, fmt.Errorf("--body-max-bytes is %d; it must be between %d (64Mi) and %d (4Gi)", c.bodyMaxBytes.bytes, minBodyBytes, int64(maxBodyBytes)))
	}
	if c.configMapMaxBytes.bytes < minConfigMapBytes || c.configMapMaxBytes.bytes > maxConfigMapBytes {
		problems = append(problems, fmt.Errorf("--configmap-max-bytes is %d; it must be between %d (64Ki) and %d (64Mi)", c.configMapMaxBytes.bytes, minConfigMapBytes, maxConfigMapBytes))
	}
	if !filepath.IsAbs(c.scratchDirectory) {
		problems = append(problems, fmt.Errorf("--scratch-directory is %q; it must be an absolute path", c.scratchDirectory))
	}
	if c.scratchMaxBytes.bytes < minScratchBytes {
		problems = append(problems, fmt.Errorf("--scratch-max-bytes is %d; it must be at least %d (64Mi)", c.scratchMaxBytes.bytes, minScratchBytes))
	}
	return errors.Join(problems...)
}

// checkVolumes refuses what loses transcripts: of several replicas on several nodes, only one can mount a ReadWriteOnce volume.
func (c *config) checkVolumes() error {
	var problems []error
	claims, paths := map[string]bool{}, map[string]bool{}
	for _, v := range c.volumes {
		if claims[v.Claim] || paths[v.Path] {
			problems = append(problems, fmt.Errorf("--volume %s=%s: the claim or the path is given twice", v.Claim, v.Path))
		}
		claims[v.Claim], paths[v.Path] = true, true
		if c.replicas > 1 && !v.shared {
			problems = append(problems, fmt.Errorf("--volume %s=%s is %s, but --replicas is %d: use a ReadWriteMany claim and say so (--volume %s=%s,%s), or run one replica",
				v.Claim, v.Path, readWriteOnce, c.replicas, v.Claim, v.Path, readWriteMany))
		}
	}
	return errors.Join(problems...)
}

// off says whether an address switches its listener off, in the way of controller-runtime.
func off(address string) bool { return address == "0" }

func checkAddress(name, address string, optional bool) error {
	if optional && off(address) {
		return nil
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return fmt.Errorf("%s is %q; give a host and a port, such as 127.0.0.1:8080 or :8080", name, address)
	}
	return nil
}

// checkURL checks the base URL that a flag gives.
func checkURL(name, value string) error {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s: an absolute http or https URL without user name, query and fragment is needed, for example https://transcripts.example.com", name)
	}
	return nil
}

// volume is one --volume.
type volume struct {
	store.Volume
	// shared means that several nodes can mount it for writing.
	shared bool
}

// volumeFlags are all --volume.
type volumeFlags []volume

// String implements flag.Value.
func (f *volumeFlags) String() string {
	all := make([]string, 0, len(*f))
	for _, v := range *f {
		all = append(all, v.Claim+"="+v.Path)
	}
	return strings.Join(all, " ")
}

// Set implements flag.Value.
func (f *volumeFlags) Set(value string) error {
	claim, rest, ok := strings.Cut(value, "=")
	path, mode, hasMode := strings.Cut(rest, ",")
	switch {
	case !ok || path == "":
		return errors.New("it does not have the form CLAIM=PATH or CLAIM=PATH,ReadWriteMany")
	case len(validation.IsDNS1123Subdomain(claim)) > 0:
		return fmt.Errorf("%q is not the name of a PersistentVolumeClaim", claim)
	case !filepath.IsAbs(path):
		return fmt.Errorf("the path %q is not absolute", path)
	case hasMode && mode != readWriteMany && mode != readWriteOnce:
		return fmt.Errorf("the access mode %q is neither %s nor %s", mode, readWriteOnce, readWriteMany)
	}
	*f = append(*f, volume{Volume: store.Volume{Claim: claim, Path: filepath.Clean(path)}, shared: mode == readWriteMany})
	return nil
}

// quantityFlag is a number of bytes in Kubernetes' notation: 8Mi, 500k or 1048576.
type quantityFlag struct{ bytes int64 }

// String implements flag.Value.
func (f *quantityFlag) String() string {
	return resource.NewQuantity(f.bytes, resource.BinarySI).String()
}

// Set implements flag.Value.
func (f *quantityFlag) Set(value string) error {
	quantity, err := resource.ParseQuantity(value)
	if err != nil {
		return fmt.Errorf("it is not a quantity such as 8Mi: %w", err)
	}
	bytes, ok := quantity.AsInt64()
	if !ok {
		return errors.New("it is not a whole number of bytes")
	}
	f.bytes = bytes
	return nil
}
