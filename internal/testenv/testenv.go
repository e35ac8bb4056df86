// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package testenv gives tests a real API server: etcd and kube-apiserver as processes, with the project's CRDs installed.
package testenv

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// assetsVariable says where etcd, kube-apiserver and kubectl are; `make test` sets it.
const assetsVariable = "KUBEBUILDER_ASSETS"

// Env is a running control plane.
type Env struct {
	// Config reaches it with the rights of a cluster administrator.
	Config *rest.Config
	// Client reads and writes without a cache.
	Client client.WithWatch
	// Scheme knows Kubernetes' own kinds and the project's.
	Scheme *kruntime.Scheme

	server *envtest.Environment
}

// Run starts a control plane, runs the tests of a package with it and returns their exit code; it belongs into TestMain.
// The control plane is handed to the tests through use. Without the binaries it says how to get them and fails, since
// tests that are skipped silently protect nothing. So do goroutines that are left when the tests have passed.
func Run(m *testing.M, use func(*Env)) int {
	flag.Parse()
	if isSet("test.fuzz") || isSet("test.list") {
		// Fuzz targets need no control plane, and each of their workers would start its own; nor does a list of tests.
		return m.Run()
	}
	env, err := Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		return 1
	}
	use(env)
	defer env.stopWhenInterrupted()()
	before := goleak.IgnoreCurrent() // what the control plane's own processes and client need
	code := m.Run()
	if code == 0 {
		code = report(goleak.Find(append(idleConnections, before)...), "goroutines are left")
	}
	return max(code, report(env.Stop(), "cannot stop the control plane"))
}

// stopWhenInterrupted stops the control plane when the tests are told to end, until the returned function is called: its processes are in
// groups of their own, and would live on.
func (e *Env) stopWhenInterrupted() (done func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		if _, interrupted := <-signals; interrupted {
			os.Exit(max(1, report(e.Stop(), "cannot stop the control plane")))
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

// idleConnections are the goroutines of HTTP connections that Kubernetes clients keep to the API server. They end when it does.
var idleConnections = []goleak.Option{
	goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
	goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
	goleak.IgnoreAnyFunction("net/http.(*http2ClientConn).readLoop"),
	goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*ClientConn).readLoop"),
}

// isSet reports whether a flag of `go test` is given.
func isSet(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != ""
}

// report says what went wrong, and returns an exit code.
func report(err error, what string) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "testenv: %s: %v\n", what, err)
	return 1
}

// Start starts a control plane with the project's CRDs.
func Start() (*Env, error) {
	if os.Getenv(assetsVariable) == "" {
		return nil, fmt.Errorf("%s is not set; run `make test`, or export %s=$(hack/control-plane.sh)", assetsVariable, assetsVariable)
	}
	scheme, err := NewScheme()
	if err != nil {
		return nil, err
	}
	server := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join(Root(), "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
		Scheme:                scheme,
	}
	config, err := server.Start()
	if err != nil {
		return nil, fmt.Errorf("cannot start etcd and kube-apiserver of %s: %w", os.Getenv(assetsVariable), err)
	}
	// Tests are not to be slowed down by the client; the API server looks after itself.
	config.QPS = -1
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("cannot make a client: %w", err)
	}
	return &Env{Config: config, Client: c, Scheme: scheme, server: server}, nil
}

// Stop ends the control plane.
func (e *Env) Stop() error { return e.server.Stop() }

// NewScheme returns a scheme with Kubernetes' own kinds and the project's.
func NewScheme() (*kruntime.Scheme, error) {
	scheme := kruntime.NewScheme()
	for _, add := range []func(*kruntime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("cannot build the scheme: %w", err)
		}
	}
	return scheme, nil
}

// Namespace creates a namespace for one test. It is not deleted: no controller would finish that here.
func (e *Env) Namespace(ctx context.Context, t testing.TB, labels map[string]string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-", Labels: labels}}
	if err := e.Client.Create(ctx, namespace); err != nil {
		t.Fatalf("cannot create a namespace: %v", err)
	}
	return namespace.Name
}

// User returns a configuration that reaches the control plane as a user of the given groups, for tests of what a role
// may do.
func (e *Env) User(name string, groups ...string) (*rest.Config, error) {
	user, err := e.server.AddUser(envtest.User{Name: name, Groups: groups}, e.Config)
	if err != nil {
		return nil, fmt.Errorf("cannot add user %s: %w", name, err)
	}
	return user.Config(), nil
}

// Kubeconfig writes a kubeconfig with the rights of a cluster administrator, and returns the file's name.
func (e *Env) Kubeconfig(t testing.TB) string {
	t.Helper()
	return kubeconfig(t, e.Config, "")
}

// UserKubeconfig does so with the rights of a user of the given groups.
func (e *Env) UserKubeconfig(t testing.TB, name string, groups ...string) string {
	t.Helper()
	config, err := e.User(name, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig(t, config, "")
}

func kubeconfig(t testing.TB, config *rest.Config, namespace string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"test": {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test", Namespace: namespace}},
		CurrentContext: "test",
	}, file)
	if err != nil {
		t.Fatalf("cannot write a kubeconfig: %v", err)
	}
	return file
}

// Root is the folder of the repository's root.
func Root() string {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		panic("testenv: the caller's file is unknown")
	}
	return filepath.Join(filepath.Dir(file), "..", "..")
}
