// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

// TestRightsAreDocumented holds the table of docs/security.md to the roles.
func TestRightsAreDocumented(t *testing.T) {
	var want [][]string
	for _, file := range []struct{ name, program, where string }{
		{"manager_role.yaml", "manager", "namespaces with jobs"},
		{"manager_cluster_role.yaml", "manager", "the cluster"},
		{"leader_election_role.yaml", "manager", "its own namespace"},
		{"notification_keys_role.yaml", "manager", "its own namespace"},
		{"webhook_receiver_role.yaml", "webhook-receiver", "namespaces with jobs"},
	} {
		manifest, err := os.ReadFile(filepath.Join(testenv.Root(), "config", "rbac", file.name))
		if err != nil {
			t.Fatal(err)
		}
		var role rbacv1.Role
		if err := yaml.UnmarshalStrict(manifest, &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			what := strings.Join(rule.Resources, " ")
			if len(rule.ResourceNames) > 0 {
				what += "` named `" + strings.Join(rule.ResourceNames, " ")
			}
			want = append(want, []string{file.program, file.where, what, strings.Join(rule.Verbs, " ")})
		}
	}
	if diff := gocmp.Diff(want, testenv.Table(t, "docs/security.md", "| program | where | resources | verbs |")); diff != "" {
		t.Errorf("docs/security.md (-roles +documented):\n%s", diff)
	}
}

// TestAddressesAreDocumented: the provider's addresses are in the documentation and in the component, and must be the same.
func TestAddressesAreDocumented(t *testing.T) {
	var want []string
	for _, row := range testenv.Table(t, "docs/install.md", "| region | addresses |") {
		for _, address := range regexp.MustCompile(`[0-9.]+`).FindAllString(row[1], -1) {
			want = append(want, address+"/32")
		}
	}
	policy := one[networkingv1.NetworkPolicy](t, render(t, withComponent(t, "config/default", "provider-addresses")), "NetworkPolicy", receiverName)
	var got []string
	for _, peer := range policy.Spec.Ingress[0].From {
		got = append(got, peer.IPBlock.CIDR)
	}
	if diff := gocmp.Diff(want, got); diff != "" || len(got) != 25 {
		t.Errorf("config/components/provider-addresses (-documented +listed):\n%s", diff)
	}
}

// TestKeepTranscripts runs what docs/uninstall.md says: transcripts do not go with their jobs any more.
func TestKeepTranscripts(t *testing.T) {
	command := testenv.Documented(t, "docs/uninstall.md", "ownerReferences")
	namespace := env.Namespace(t.Context(), t, nil)
	owner := metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TranscriptionJob", Name: "standup", UID: "1"}
	immutable := true
	transcript := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "standup-txt", Labels: map[string]string{"transcription-operator.io/job-name": "standup"}, OwnerReferences: []metav1.OwnerReference{owner}},
		Data:       map[string]string{"transcript.txt": "Good morning."}, Immutable: &immutable,
	}
	other := transcript.DeepCopy()
	other.Name, other.Labels = "other", nil
	for _, object := range []*corev1.ConfigMap{transcript, other} {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	env.Shell(t, namespace, command, &bytes.Buffer{})
	for object, owners := range map[*corev1.ConfigMap]int{transcript: 0, other: 1} {
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
			t.Fatal(err)
		}
		if len(object.OwnerReferences) != owners {
			t.Errorf("%s has %d owners, want %d", object.Name, len(object.OwnerReferences), owners)
		}
	}
}

// TestMigration goes the way of docs/upgrade.md to another storage version, with a copy of the CRDs in a group of its own: objects that were stored as the
// old version are there when the old version is not.
func TestMigration(t *testing.T) {
	rewrite := testenv.Documented(t, "docs/upgrade.md", "for kind in", "--patch '{}'")
	rewriteCluster := testenv.Documented(t, "docs/upgrade.md", "kubectl get clusterspeechmaticsaccounts", "--patch '{}'")
	forget := testenv.Documented(t, "docs/upgrade.md", "storedVersions")
	const group = "migration.example.com"
	run := func(command string) {
		env.Shell(t, "default", strings.ReplaceAll(command, "transcription-operator.io", group), &bytes.Buffer{})
	}

	var definitions []*apiextensionsv1.CustomResourceDefinition
	for _, definition := range all[apiextensionsv1.CustomResourceDefinition](t, render(t, "config/crd"), "CustomResourceDefinition") {
		definition.Spec.Group, definition.Name = group, definition.Spec.Names.Plural+"."+group
		definitions = append(definitions, &definition)
		if err := migrationClient(t).Create(t.Context(), &definition); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := migrationClient(t).Delete(context.WithoutCancel(t.Context()), &definition); err != nil {
				t.Error(err)
			}
		})
	}
	samples := map[string]*unstructured.Unstructured{}
	for _, sample := range append(load(t, "config/samples/account.yaml"), append(load(t, "config/samples/cluster_account.yaml"), load(t, "config/samples/job_url.yaml")...)...) {
		sample.SetAPIVersion(group + "/v1alpha1")
		if !strings.HasPrefix(sample.GetKind(), "Cluster") {
			sample.SetNamespace(env.Namespace(t.Context(), t, nil))
		}
		eventually(t, "it can be created", func() error { return env.Client.Create(t.Context(), sample) })
		samples[sample.GetKind()] = sample
	}
	if len(samples) != len(definitions) {
		t.Fatalf("there are %d kinds of samples, and %d definitions", len(samples), len(definitions))
	}

	for _, definition := range definitions {
		change(t, definition, func() {
			next := *definition.Spec.Versions[0].DeepCopy()
			next.Name = "v1beta1"
			definition.Spec.Versions[0].Storage = false
			definition.Spec.Versions = append(definition.Spec.Versions, next)
		})
		if err := tryChange(t, definition, func() { definition.Spec.Versions = definition.Spec.Versions[1:] }); err == nil {
			t.Fatalf("%s: the old version can go although objects are stored as it", definition.Name)
		}
	}
	for _, sample := range samples {
		eventually(t, "the new version is served", func() error { return env.Client.Get(t.Context(), client.ObjectKeyFromObject(sample), asBeta(sample)) })
	}
	run(rewrite)
	run(rewriteCluster)
	run(forget)
	for _, definition := range definitions {
		change(t, definition, func() { definition.Spec.Versions = definition.Spec.Versions[1:] })
	}
	for kind, sample := range samples {
		now := asBeta(sample)
		eventually(t, "the old version is gone", func() error {
			old := &unstructured.Unstructured{Object: map[string]any{"apiVersion": group + "/v1alpha1", "kind": kind}}
			if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(sample), old); err == nil {
				return fmt.Errorf("%s can still be read as v1alpha1", kind)
			}
			return env.Client.Get(t.Context(), client.ObjectKeyFromObject(sample), now)
		})
		if diff := gocmp.Diff(sample.Object["spec"], now.Object["spec"]); diff != "" || now.GetUID() != sample.GetUID() {
			t.Errorf("%s after the migration (-before +after):\n%s", kind, diff)
		}
	}
}

func asBeta(sample *unstructured.Unstructured) *unstructured.Unstructured {
	now := &unstructured.Unstructured{}
	now.SetGroupVersionKind(schema.GroupVersionKind{Group: sample.GroupVersionKind().Group, Version: "v1beta1", Kind: sample.GetKind()})
	return now
}

// migrationClient knows CustomResourceDefinitions.
func migrationClient(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := apiextensionsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(env.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func change(t *testing.T, definition *apiextensionsv1.CustomResourceDefinition, do func()) {
	t.Helper()
	eventually(t, definition.Name+" is changed", func() error { return tryChange(t, definition, do) })
}

// tryChange changes a definition as it is now; one that was refused is left as it was.
func tryChange(t *testing.T, definition *apiextensionsv1.CustomResourceDefinition, do func()) error {
	t.Helper()
	c := migrationClient(t)
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(definition), definition); err != nil {
		return err
	}
	do()
	return c.Update(t.Context(), definition)
}
