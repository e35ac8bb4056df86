// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"context"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// namespace is where config/default installs everything.
const namespace = "transcription-system"

// TestServerAccepts applies everything with server-side dry-run: unknown fields, wrong values and broken CEL rules are
// errors, and what the server only warns of (Pod Security, deprecated versions) fails the test too.
func TestServerAccepts(t *testing.T) {
	server := newServer(t)
	server.createNamespace(t, render(t, "config/default"))
	samples := env.Namespace(t.Context(), t, nil)

	tests := map[string][]*unstructured.Unstructured{
		"crd":                         render(t, "config/crd"),
		"default":                     render(t, "config/default"),
		"overlays/transcripts-volume": render(t, "config/overlays/transcripts-volume"),
		"overlays/one-namespace":      render(t, "config/overlays/one-namespace"),
		"overlays/public-ingress":     render(t, "config/overlays/public-ingress"),
		// The Gateway API's kind is not known here.
		"overlays/public-gateway":       without(render(t, "config/overlays/public-gateway"), "HTTPRoute"),
		"components/egress-proxy":       render(t, withComponent(t, "config/default", "egress-proxy")),
		"components/openshift":          render(t, withComponent(t, "config/default", "openshift")),
		"components/provider-addresses": render(t, withComponent(t, "config/default", "provider-addresses")),
		"components/cert-manager":       render(t, withComponent(t, "config/overlays/public-ingress", "cert-manager")),
		"samples":                       render(t, "config/samples"),
		"samples/features":              render(t, "config/samples/features"),
		"samples/cluster_account":       load(t, "config/samples/cluster_account.yaml"),
		// The Prometheus operator's own kinds are not known here; Services are.
		"prometheus": without(without(render(t, "config/prometheus"), "ServiceMonitor"), "PrometheusRule"),
		"grafana":    render(t, "config/grafana"),
	}
	for name, objects := range tests {
		t.Run(name, func(t *testing.T) {
			for _, object := range objects {
				server.dryRun(t, object, samples)
			}
		})
	}
}

// TestPodsAreRestricted creates pods as the Deployments would: in a namespace that enforces Pod Security's level
// "restricted", as config/default does.
func TestPodsAreRestricted(t *testing.T) {
	objects := render(t, "config/overlays/transcripts-volume")
	server := newServer(t)
	server.createNamespace(t, objects)
	for _, deployment := range all[appsv1.Deployment](t, objects, "Deployment") {
		pod := &corev1.Pod{ObjectMeta: deployment.Spec.Template.ObjectMeta, Spec: deployment.Spec.Template.Spec}
		pod.Name, pod.Namespace = deployment.Name, namespace
		if err := server.Create(t.Context(), pod, client.DryRunAll); err != nil {
			t.Errorf("Deployment %s: %v", deployment.Name, err)
		}
	}

	privileged := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "privileged", Namespace: namespace},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "any", Image: "any"}}},
	}
	if err := server.Create(t.Context(), privileged, client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("the namespace accepts a pod that is not restricted (%v), so that this test proves nothing", err)
	}
}

// server is a client that collects the server's warnings.
type server struct {
	client.Client
	warnings *warnings
}

func newServer(t *testing.T) *server {
	t.Helper()
	config := rest.CopyConfig(env.Config)
	collected := &warnings{}
	config.WarningHandlerWithContext = collected
	c, err := client.New(config, client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return &server{Client: c, warnings: collected}
}

// createNamespace really creates the Namespace among the objects, because dry-run does not make up for a missing one.
func (s *server) createNamespace(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	wanted := one[corev1.Namespace](t, objects, "Namespace", namespace)
	if err := s.Create(t.Context(), &wanted); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// dryRun applies one object; a namespaced object that names no namespace goes into the given one.
func (s *server) dryRun(t *testing.T, object *unstructured.Unstructured, namespace string) {
	t.Helper()
	namespaced, err := s.IsObjectNamespaced(object)
	if err != nil {
		t.Errorf("%s: %v", describe(object), err)
		return
	}
	object = object.DeepCopy()
	if namespaced && object.GetNamespace() == "" {
		object.SetNamespace(namespace)
	}
	err = s.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object),
		client.DryRunAll, client.ForceOwnership, client.FieldOwner("test"))
	if err != nil {
		t.Errorf("%s: %v", describe(object), err)
	}
	for _, warning := range s.warnings.take() {
		t.Errorf("%s: the server warns: %s", describe(object), warning)
	}
}

// warnings collects the warnings of a server's answers.
type warnings struct {
	mutex sync.Mutex
	texts []string
}

// HandleWarningHeaderWithContext implements [rest.WarningHandlerWithContext].
func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.texts = append(w.texts, text)
}

func (w *warnings) take() []string {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	taken := w.texts
	w.texts = nil
	return taken
}

func without(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	var kept []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetKind() != kind {
			kept = append(kept, object)
		}
	}
	return kept
}
