// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

const (
	// operatorNamespace is where config/default installs the operator, providerNamespace where the simulator is, and userNamespace where
	// the jobs are.
	operatorNamespace = "transcription-system"
	providerNamespace = "provider"
	userNamespace     = "recordings"
	// patience bounds whatever has to happen: pods are started within seconds, also on a busy machine.
	patience = 2 * time.Minute
	// interval is how often it is looked.
	interval = 200 * time.Millisecond
	// pace is how often a job is created while something is going on.
	pace = 400 * time.Millisecond
)

// cluster is a real cluster, and what has happened in it.
type cluster struct {
	client client.Client
	pods   kubernetes.Interface // for what they log, for which controller-runtime's client has no words
	record *record
	// scratch is a folder that lasts as long as the test.
	scratch string
	// path is where the shell looks for programs.
	path string
	// jobs counts the jobs, so that each has a name of its own.
	jobs int
	// underWay are jobs that steps have left to later ones, to go on with.
	underWay []*v1alpha1.TranscriptionJob
	// failing is a job that fails, after a while.
	failing *v1alpha1.TranscriptionJob
	// secrets are all values that must not be told, by what they are.
	secrets map[string]string
	// tokens are the targets of the tokens that must not be told either.
	tokens map[string]notification.Target
}

// connect reaches the cluster, and keeps a record of it until the test ends.
func connect(t *testing.T) *cluster {
	t.Helper()
	if *kubeconfigFlag == "" {
		t.Skip("no cluster: make test-e2e starts one and names it with -e2e.kubeconfig")
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfigFlag)
	must(t, err)
	config.QPS = -1 // the tests are not to be slowed down by the client
	scheme := runtime.NewScheme()
	must(t, clientgoscheme.AddToScheme(scheme))
	must(t, v1alpha1.AddToScheme(scheme))
	c := &cluster{scratch: t.TempDir(), secrets: map[string]string{}, tokens: map[string]notification.Target{}}
	c.addPrograms(t, map[string]string{"kubectl": *kubectlFlag, "helm": *helmFlag})
	httpClient, err := rest.HTTPClientFor(config)
	must(t, err)
	t.Cleanup(func() { utilnet.CloseIdleConnectionsFor(httpClient.Transport) }) // http.Client's own way ends at wrapped transports
	c.client, err = client.New(config, client.Options{Scheme: scheme, HTTPClient: httpClient})
	must(t, err)
	c.pods, err = kubernetes.NewForConfigAndClient(config, httpClient)
	must(t, err)
	c.record = keepRecord(t, c)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// command runs a program of the project's or kubectl, and returns what it prints.
func (c *cluster) command(ctx context.Context, stdin, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = harness.Root()
	cmd.Env = append(os.Environ(), "PATH="+c.path, "KUBECONFIG="+*kubeconfigFlag, "KUBECACHEDIR="+filepath.Join(c.scratch, "kubectl"))
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = time.Second
	var output, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &problems
	err := cmd.Run()
	c.record.sayOutput(filepath.Base(name)+" "+strings.Join(args[:min(len(args), 2)], " "), output.String()+problems.String())
	if err != nil {
		return output.String(), fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, &problems)
	}
	return output.String(), nil
}

func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	output, err := c.command(t.Context(), "", *kubectlFlag, args...)
	must(t, err)
	return output
}

// build renders a kustomization that lies beside the tests.
func (c *cluster) build(t *testing.T, kustomization string) string {
	t.Helper()
	manifests, err := c.command(t.Context(), "", *kustomizeFlag, "build", "test/e2e/"+kustomization)
	must(t, err)
	return manifests
}

// apply applies manifests as the documentation says.
func (c *cluster) apply(t *testing.T, manifests string) {
	t.Helper()
	_, err := c.command(t.Context(), manifests, *kubectlFlag, "apply", "--server-side", "-f", "-")
	must(t, err)
}

// rolledOut waits until every pod of a Deployment is a ready one of its present template.
func (c *cluster) rolledOut(t *testing.T, namespace string, deployments ...string) {
	t.Helper()
	for _, deployment := range deployments {
		c.kubectl(t, "-n", namespace, "rollout", "status", "deployment/"+deployment, "--timeout="+patience.String())
	}
}

// eventually waits until something is as wanted; until then, it says what is not.
func eventually(t *testing.T, what string, done func(context.Context) error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), interval, patience, true, func(ctx context.Context) (bool, error) {
		last = done(ctx)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: not within %s: %v", what, patience, last)
	}
}

// podsOf lists the pods of a component that are not being deleted.
func (c *cluster) podsOf(ctx context.Context, component string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	err := c.client.List(ctx, list, client.InNamespace(operatorNamespace), client.MatchingLabels{"app.kubernetes.io/component": component})
	var living []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			living = append(living, pod)
		}
	}
	return living, err
}

// createSecret creates a Secret of no special type.
func (c *cluster) createSecret(t *testing.T, namespace, name string, data map[string]string) {
	t.Helper()
	must(t, c.client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data,
	}))
}

func (c *cluster) createNamespace(t *testing.T, name string) {
	t.Helper()
	must(t, c.client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
}

// explain prints what helps to see why a step has failed.
func (c *cluster) explain(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute) // the test's own has ended
	defer cancel()
	for _, args := range [][]string{
		{"get", "pods,deployments,persistentvolumeclaims,transcriptionjobs,speechmaticsaccounts", "--all-namespaces", "--output=wide"},
		{"get", "events", "--all-namespaces", "--sort-by=.metadata.creationTimestamp"},
		{"-n", userNamespace, "get", "transcriptionjobs", "--output=jsonpath={range .items[*]}{.metadata.name}{\"\\t\"}{.status.conditions[?(@.type==\"Ready\")].reason}{\"\\t\"}{.status.conditions[?(@.type==\"Ready\")].message}{\"\\n\"}{end}"},
	} {
		output, err := c.command(ctx, "", *kubectlFlag, args...)
		t.Logf("kubectl %s: %v\n%s", strings.Join(args[:min(len(args), 4)], " "), err, output)
	}
	c.record.print(t)
}
