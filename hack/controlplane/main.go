// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command controlplane runs etcd and kube-apiserver on this machine until it is told to stop (SIGINT or SIGTERM).
//
//	KUBEBUILDER_ASSETS=$(hack/control-plane.sh) go run ./hack/controlplane --dir DIR --service-account NAMESPACE/NAME
//
// It writes DIR/admin.kubeconfig and, for each --service-account, DIR/NAME.kubeconfig: the bearer has the same user name
// and groups as a pod with that ServiceAccount, and so the same rights. A kubeconfig is there as soon as it works.
// Ports are free ones, all on loopback. There are no nodes and no controllers: nothing runs in pods.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

func main() {
	dir := flag.String("dir", "", "the folder for the kubeconfigs (required)")
	var accounts serviceAccounts
	flag.Var(&accounts, "service-account", "NAMESPACE/NAME of a ServiceAccount that gets a kubeconfig (repeatable)")
	flag.Parse()
	if *dir == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *dir, accounts)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

// run starts the control plane, writes the kubeconfigs and stops it when the context ends.
func run(ctx context.Context, dir string, accounts serviceAccounts) (err error) {
	environment := &envtest.Environment{}
	// Also after a start that failed halfway, when etcd may run already.
	defer func() {
		if stopErr := environment.Stop(); err == nil && stopErr != nil {
			err = fmt.Errorf("cannot stop: %w", stopErr)
		}
	}()
	if _, err := environment.Start(); err != nil {
		return fmt.Errorf("cannot start etcd and kube-apiserver of KUBEBUILDER_ASSETS=%s: %w", os.Getenv("KUBEBUILDER_ASSETS"), err)
	}
	for _, account := range accounts {
		if err := addServiceAccount(environment, dir, account); err != nil {
			return fmt.Errorf("cannot make a kubeconfig for %s: %w", account, err)
		}
	}
	if err := publish(dir, "admin", environment.KubeConfig); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func addServiceAccount(environment *envtest.Environment, dir string, account serviceAccount) error {
	user, err := environment.AddUser(account.user(), nil)
	if err != nil {
		return err
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		return err
	}
	return publish(dir, account.name, kubeconfig)
}

// publish writes a kubeconfig so that nobody ever reads half of it.
func publish(dir, name string, kubeconfig []byte) error {
	target := filepath.Join(dir, name+".kubeconfig")
	if err := os.WriteFile(target+".tmp", kubeconfig, 0o600); err != nil {
		return err
	}
	return os.Rename(target+".tmp", target)
}

type serviceAccount struct {
	namespace, name string
}

// String returns NAMESPACE/NAME.
func (a serviceAccount) String() string { return a.namespace + "/" + a.name }

// user is who Kubernetes takes a pod with the ServiceAccount for.
func (a serviceAccount) user() envtest.User {
	return envtest.User{
		Name:   "system:serviceaccount:" + a.namespace + ":" + a.name,
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + a.namespace},
	}
}

// serviceAccounts is the value of a repeatable flag.
type serviceAccounts []serviceAccount

// String implements [flag.Value].
func (a *serviceAccounts) String() string { return fmt.Sprint(*a) }

// Set implements [flag.Value].
func (a *serviceAccounts) Set(value string) error {
	namespace, name, found := strings.Cut(value, "/")
	if !found || namespace == "" || name == "" || strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("%q is not of the form NAMESPACE/NAME", value)
	}
	*a = append(*a, serviceAccount{namespace: namespace, name: name})
	return nil
}
