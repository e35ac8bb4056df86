// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// VolumeClaim is the name of the claim whose volume the receivers have; see System.Volume.
const VolumeClaim = "transcripts"

// Timings are the manager's. The zero value means short ones, by which a system that was broken is well again within seconds.
type Timings struct {
	SubmissionWindow, ListLag, ClockSkew, ProviderClockSkew time.Duration
	SecretInterval, RetryInterval, PollInterval             time.Duration
	LeaseDuration, RenewDeadline, RetryPeriod               time.Duration
}

// SystemOptions say what a system consists of.
type SystemOptions struct {
	// Name is unique in the cluster, and good for a namespace's name.
	Name string
	// Managers and Receivers are how many there are; 0 means one.
	Managers, Receivers int
	// Timings are the manager's.
	Timings Timings
	// Unnotified means that no notification is asked for: the manager polls.
	Unnotified bool
	// Direct means that nothing stands between the programs, so that nothing but they is measured: there is one receiver, and Provider,
	// ManagerAPI, ReceiverAPI, Public and Internal are nil.
	Direct bool
	// Unmanaged means that there is no manager at the start; see StartManagers.
	Unmanaged bool
	// ManagerArgs, ReceiverArgs and SimulatorArgs are added to the programs' arguments; later ones count.
	ManagerArgs, ReceiverArgs, SimulatorArgs []string
	// Environment (NAME=VALUE) is given to managers and receivers.
	Environment []string
	// ManagerRuns and ReceiverRuns are ProgramOptions.Runs of the program with the index.
	ManagerRuns, ReceiverRuns map[int][]string
	// Limits are those of the account; nil means the provider's, which are those of the simulator too.
	Limits *v1alpha1.AccountLimits
}

// System is one installation of the operator, with a provider of its own and one namespace of jobs.
type System struct {
	Cluster *Cluster

	// Namespace is where the jobs and their account (v1alpha1.DefaultAccountName) are, SystemNamespace where the lease is.
	Namespace, SystemNamespace string
	// Volume is the folder of the claim VolumeClaim, Scratch has a folder for each receiver's scratch files, Media that of the recordings: a file x.wav
	// there is at MediaURL("x.wav"), and x.txt has its words, also for uploads.
	Volume, Scratch, Media string
	// Logs is the folder of all logs and files.
	Logs string

	Simulator           *Program
	Managers, Receivers []*Program

	// API orders what happens at the provider.
	API *Provider
	// Provider, ManagerAPI and ReceiverAPI are proxies; see the package's documentation.
	Provider, ManagerAPI, ReceiverAPI *Proxy
	// Public and Internal are in front of the receivers.
	Public, Internal *Front

	// APIKey and SigningKey are secrets that nobody is to find in a log.
	APIKey, SigningKey string
	// RevokedKeys are former APIKeys.
	RevokedKeys []string

	options       SystemOptions
	receiverPorts [][]string
	closers       []func() error
}

// StartSystem starts a system and waits until all of it is ready.
func (c *Cluster) StartSystem(ctx context.Context, options SystemOptions) (*System, error) {
	options.Timings = options.Timings.withDefaults()
	options.Managers, options.Receivers = max(1, options.Managers), max(1, options.Receivers)
	s := &System{
		Cluster: c, Namespace: options.Name, SystemNamespace: options.Name + "-system", Logs: filepath.Join(c.dir, options.Name),
		APIKey: newKey(), SigningKey: randomHex() + randomHex(), options: options,
	}
	for _, step := range []func(context.Context) error{
		s.makeFolders, s.makeNamespaces, s.startSimulator, s.startBetween, s.makeAccount, s.startReceivers, s.startManagersIfWanted, s.Ready,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("cannot start the system %s; see %s/*.log: %w", options.Name, s.Logs, err), s.Close())
		}
	}
	return s, nil
}

func (t Timings) withDefaults() Timings {
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&t.SubmissionWindow, 3 * time.Second},
		{&t.ListLag, 1500 * time.Millisecond},
		{&t.ClockSkew, 500 * time.Millisecond},
		{&t.ProviderClockSkew, 10 * time.Minute},
		{&t.SecretInterval, 2 * time.Second},
		{&t.RetryInterval, 500 * time.Millisecond},
		{&t.PollInterval, time.Second},
		{&t.LeaseDuration, 3 * time.Second},
		{&t.RenewDeadline, 2 * time.Second},
		{&t.RetryPeriod, 500 * time.Millisecond},
	} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	return t
}

func (t Timings) args() []string {
	return []string{
		"--submission-window=" + t.SubmissionWindow.String(), "--list-lag=" + t.ListLag.String(),
		"--clock-skew=" + t.ClockSkew.String(), "--provider-clock-skew=" + t.ProviderClockSkew.String(),
		"--secret-interval=" + t.SecretInterval.String(), "--retry-interval=" + t.RetryInterval.String(), "--poll-interval=" + t.PollInterval.String(),
		"--leader-elect-lease-duration=" + t.LeaseDuration.String(), "--leader-elect-renew-deadline=" + t.RenewDeadline.String(),
		"--leader-elect-retry-period=" + t.RetryPeriod.String(),
	}
}

func (s *System) makeFolders(context.Context) error {
	s.Volume, s.Scratch, s.Media = filepath.Join(s.Logs, "volume"), filepath.Join(s.Logs, "scratch"), filepath.Join(s.Logs, "media")
	folders := []string{s.Volume, s.Media, s.keys()}
	for i := range s.options.Receivers {
		folders = append(folders, s.scratch(i))
	}
	for _, dir := range folders {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(s.keys(), notification.SigningKeyFile), []byte(s.SigningKey), 0o600)
}

func (s *System) scratch(receiver int) string {
	return filepath.Join(s.Scratch, strconv.Itoa(receiver))
}

func (s *System) keys() string { return filepath.Join(s.Logs, "keys") }

func (s *System) makeNamespaces(ctx context.Context) error {
	for _, namespace := range []string{s.Namespace, s.SystemNamespace} {
		if err := s.Cluster.CreateNamespace(ctx, namespace); err != nil {
			return err
		}
	}
	return s.Cluster.giveLease(ctx, s.SystemNamespace)
}

// startSimulator starts the provider. Jobs take a second, and the gaps between attempts to notify are a tenth of the real ones.
func (s *System) startSimulator(ctx context.Context) error {
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return err
	}
	address := net.JoinHostPort(loopback, ports[0])
	s.API = &Provider{url: "http://" + address, apiKey: s.APIKey}
	s.Simulator, err = StartProgram(s.Logs, ProgramOptions{
		Name: "simulator", Path: s.Cluster.programs.Simulator, Health: s.API.url + "/healthz", Grace: 15 * time.Second,
		Args: append([]string{
			"--listen", address, "--api-key", s.APIKey, "--speed", "10", "--processing-base", "10s", "--processing-factor=-1", "--media", s.Media, "--transcripts", s.Media,
			"--remember-transcripts",
		}, s.options.SimulatorArgs...),
	})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, s.Simulator.End)
	return s.Simulator.Ready(ctx)
}

// MediaURL is where the provider finds a file of the folder Media.
func (s *System) MediaURL(name string) string { return s.API.url + "/media/" + name }

// BaseURL is the API as the manager reaches it.
func (s *System) BaseURL() string {
	return "http://" + addressOf(s.Provider, s.API.url[len("http://"):]) + "/v2"
}

// addressOf is a proxy's address, or where there is none its target's.
func addressOf(proxy *Proxy, target string) string {
	if proxy == nil {
		return target
	}
	return proxy.Address()
}

// startBetween starts what is between the programs.
func (s *System) startBetween(ctx context.Context) (err error) {
	ports, err := freePorts(ctx, 4*s.options.Receivers)
	if err != nil {
		return err
	}
	s.receiverPorts = slices.Collect(slices.Chunk(ports, 4))
	if s.options.Direct {
		return nil
	}
	for _, p := range []struct {
		proxy  **Proxy
		target string
	}{
		{&s.Provider, s.API.url[len("http://"):]}, {&s.ManagerAPI, s.Cluster.address}, {&s.ReceiverAPI, s.Cluster.address},
	} {
		if *p.proxy, err = StartProxy(ctx, p.target); err != nil {
			return err
		}
		s.closers = append(s.closers, (*p.proxy).Close)
	}
	var public, internal []string
	for _, ports := range s.receiverPorts {
		public, internal = append(public, net.JoinHostPort(loopback, ports[0])), append(internal, net.JoinHostPort(loopback, ports[1]))
	}
	if s.Public, err = StartFront(ctx, func() []string { return public }); err != nil {
		return err
	}
	s.closers = append(s.closers, s.Public.Close)
	if s.Internal, err = StartFront(ctx, func() []string { return internal }); err != nil {
		return err
	}
	s.closers = append(s.closers, s.Internal.Close)
	return nil
}

// accountSecret is the name of the account's Secret, apiKeyOf the key's in it.
const accountSecret, apiKeyOf = "speechmatics", "apiKey"

func newKey() string { return "key-" + randomHex() }

// makeAccount makes the account and its Secret.
func (s *System) makeAccount(ctx context.Context) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: accountSecret},
		StringData: map[string]string{apiKeyOf: s.APIKey},
	}
	account := &v1alpha1.SpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: v1alpha1.DefaultAccountName},
		Spec: v1alpha1.SpeechmaticsAccountSpec{
			BaseURL:         ptr.To(s.BaseURL()),
			APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: secret.Name},
			Limits:          s.options.Limits,
		},
	}
	if err := s.Cluster.Client.Create(ctx, secret); err != nil {
		return fmt.Errorf("cannot create the account's Secret: %w", err)
	}
	if err := s.Cluster.Client.Create(ctx, account); err != nil {
		return fmt.Errorf("cannot create the account: %w", err)
	}
	return nil
}

// receiverOptions say how a receiver is run; ports are those of its listeners: public, internal, metrics, health.
func (s *System) receiverOptions(index int, ports []string) ProgramOptions {
	metrics, health := net.JoinHostPort(loopback, ports[2]), net.JoinHostPort(loopback, ports[3])
	return ProgramOptions{
		Name: "receiver-" + strconv.Itoa(index), Path: s.Cluster.programs.Receiver, Grace: time.Minute,
		Health: "http://" + health + "/readyz", Metrics: "http://" + metrics + "/metrics",
		Environment: s.environment(userReceiver), Runs: s.options.ReceiverRuns[index],
		Args: append([]string{
			"--public-bind-address=" + net.JoinHostPort(loopback, ports[0]), "--internal-bind-address=" + net.JoinHostPort(loopback, ports[1]),
			"--metrics-bind-address=" + metrics, "--health-probe-bind-address=" + health,
			"--notification-keys=" + s.keys(), "--scratch-directory=" + s.scratch(index), "--scratch-max-bytes=64Mi",
			"--replicas=" + strconv.Itoa(s.options.Receivers), "--volume=" + VolumeClaim + "=" + s.Volume + ",ReadWriteMany", "--zap-log-level=debug",
		}, s.options.ReceiverArgs...),
	}
}

// ReceiverURL is the public listener of the receiver with the index, past the front.
func (s *System) ReceiverURL(index int) string {
	return "http://" + net.JoinHostPort(loopback, s.receiverPorts[index][0])
}

// publicURL and internalURL are where the receivers are reached.
func (s *System) publicURL() string {
	if s.options.Direct {
		return s.ReceiverURL(0)
	}
	return s.Public.URL()
}

func (s *System) internalURL() string {
	if s.options.Direct {
		return "http://" + net.JoinHostPort(loopback, s.receiverPorts[0][1])
	}
	return s.Internal.URL()
}

func (s *System) startReceivers(context.Context) error {
	if err := s.Cluster.writeKubeconfig(s.kubeconfig(userReceiver), userReceiver, addressOf(s.ReceiverAPI, s.Cluster.address)); err != nil {
		return err
	}
	for i, ports := range s.receiverPorts {
		program, err := StartProgram(s.Logs, s.receiverOptions(i, ports))
		if err != nil {
			return err
		}
		s.Receivers = append(s.Receivers, program)
		s.closers = append(s.closers, program.Discard)
	}
	return nil
}

func (s *System) startManagersIfWanted(ctx context.Context) error {
	if s.options.Unmanaged {
		return nil
	}
	return s.StartManagers(ctx)
}

// StartManagers starts the managers of an Unmanaged system. Ready waits for them.
func (s *System) StartManagers(ctx context.Context) error {
	if err := s.Cluster.writeKubeconfig(s.kubeconfig(userManager), userManager, addressOf(s.ManagerAPI, s.Cluster.address)); err != nil {
		return err
	}
	ports, err := freePorts(ctx, 2*s.options.Managers)
	if err != nil {
		return err
	}
	for i := range s.options.Managers {
		program, err := StartProgram(s.Logs, s.managerOptions(i, ports[2*i:]))
		if err != nil {
			return err
		}
		s.Managers = append(s.Managers, program)
		s.closers = append(s.closers, program.Discard)
	}
	return nil
}

// managerOptions say how a manager is run; ports are those of its listeners: metrics, health.
func (s *System) managerOptions(index int, ports []string) ProgramOptions {
	metrics, health := net.JoinHostPort(loopback, ports[0]), net.JoinHostPort(loopback, ports[1])
	args := []string{
		"--leader-elect", "--namespace=" + s.SystemNamespace, "--watch-namespaces=" + s.Namespace,
		"--metrics-bind-address=" + metrics, "--health-probe-bind-address=" + health,
		"--receiver-url=" + s.internalURL(), "--notification-keys=" + s.keys(),
		"--allowed-base-urls=" + s.BaseURL(), "--allow-private-addresses", "--zap-log-level=debug",
	}
	if !s.options.Unnotified {
		args = append(args, "--callback-url="+s.publicURL())
	}
	args = append(append(args, s.options.Timings.args()...), s.options.ManagerArgs...)
	return ProgramOptions{
		Name: "manager-" + strconv.Itoa(index), Path: s.Cluster.programs.Manager, Args: args, Grace: 30 * time.Second,
		Health: "http://" + health + "/readyz", Metrics: "http://" + metrics + "/metrics",
		Environment: s.environment(userManager), Runs: s.options.ManagerRuns[index],
	}
}

// environment is that of a program which reaches the API server as a user.
func (s *System) environment(user string) []string {
	return append([]string{"KUBECONFIG=" + s.kubeconfig(user)}, s.options.Environment...)
}

func (s *System) kubeconfig(user string) string { return filepath.Join(s.Logs, user+".kubeconfig") }

// Timings are the manager's, with the defaults filled in.
func (s *System) Timings() Timings { return s.options.Timings }

// Ready waits until all programs answer that they are ready.
func (s *System) Ready(ctx context.Context) error {
	for _, program := range slices.Concat([]*Program{s.Simulator}, s.Receivers, s.Managers) {
		if err := program.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Restart tells every manager and receiver to end, all at once, and waits until they are ready again. That one did not end in order, or
// not within its grace, is an error.
func (s *System) Restart(ctx context.Context) error {
	if err := inParallel(slices.Concat(s.Receivers, s.Managers), (*Program).Restart); err != nil {
		return err
	}
	return s.Ready(ctx)
}

// Close ends everything at once; whether it can end in order, Restart tells. The objects stay.
func (s *System) Close() error {
	err := inParallel(slices.Concat(s.Managers, s.Receivers), (*Program).Discard)
	for _, closer := range slices.Backward(s.closers) {
		err = errors.Join(err, closer())
	}
	s.closers = nil
	return err
}

// inParallel does something to several programs at once.
func inParallel(programs []*Program, do func(*Program) error) error {
	errs := make(chan error, len(programs))
	for _, program := range programs {
		go func() { errs <- do(program) }()
	}
	var all []error
	for range programs {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}
