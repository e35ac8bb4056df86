// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"cmp"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

const chart = "charts/transcription-operator"

// images are the names of images, which the chart has no default for.
const images = "--set=manager.image.repository=transcription-operator/manager,receiver.image.repository=transcription-operator/webhook-receiver"

// values is one of the chart's files of values for tests.
func values(name string) string { return "--values=" + filepath.Join(chart, "ci", name+"-values.yaml") }

// helm runs helm and returns what it prints, or what it says is wrong.
func helm(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), helmTool(), args...)
	cmd.Dir = testenv.Root()
	var problems bytes.Buffer
	cmd.Stderr = &problems
	output, err := cmd.Output()
	if err != nil {
		return problems.Bytes(), err
	}
	return output, nil
}

// renderChart returns the objects of the chart, as a release with the names of config/default.
func renderChart(t *testing.T, args ...string) []*unstructured.Unstructured {
	t.Helper()
	output, err := helm(t, append([]string{"template", "transcription-operator", chart, "--namespace=" + namespace, images}, args...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return decode(t, output)
}

// TestChartIsTheSame renders the chart and what it stands for under config: there must be the same objects, field by field, but for what is
// Helm's own.
func TestChartIsTheSame(t *testing.T) {
	for name, tt := range map[string]struct {
		kustomization string
		args          []string
	}{
		"default":            {"config/default", nil},
		"one-namespace":      {"config/overlays/one-namespace", []string{values("one-namespace")}},
		"transcripts-volume": {"config/overlays/transcripts-volume", []string{values("transcripts-volume")}},
		"public-ingress":     {withComponent(t, "config/overlays/public-ingress", "cert-manager"), []string{values("public-ingress")}},
		"public-gateway":     {"config/overlays/public-gateway", []string{values("public-gateway")}},
		"monitoring":         {"config/overlays/monitoring", []string{values("monitoring")}},
		"egress-proxy":       {withComponent(t, "config/default", "egress-proxy"), []string{values("egress-proxy")}},
		"provider-addresses": {withComponent(t, "config/default", "provider-addresses"), []string{values("provider-addresses")}},
		"openshift":          {withComponent(t, "config/default", "openshift"), []string{values("openshift")}},
	} {
		t.Run(name, func(t *testing.T) {
			want, got := inTheSameWords(t, render(t, tt.kustomization)), inTheSameWords(t, renderChart(t, tt.args...))
			// The Namespace is made by helm --create-namespace; the test's pod is Helm's.
			delete(want, "Namespace /"+namespace)
			delete(got, "Pod "+namespace+"/transcription-operator-test-receiver")
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("-kustomize +helm:\n%s", diff)
			}
		})
	}
}

// inTheSameWords makes objects comparable: what is said in different words, but means the same to a cluster, is said in the same.
func inTheSameWords(t *testing.T, objects []*unstructured.Unstructured) map[string]map[string]any {
	t.Helper()
	byName := map[string]map[string]any{}
	for _, object := range objects {
		key := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
		if byName[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		object.SetLabels(withoutKeys(object.GetLabels(), "helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "app.kubernetes.io/version"))
		object.SetAnnotations(withoutKeys(object.GetAnnotations(), "helm.sh/resource-policy"))
		if object.GetKind() == "Deployment" {
			sameDeployment(t, object)
		}
		byName[key] = object.Object
	}
	return byName
}

func withoutKeys(from map[string]string, keys ...string) map[string]string {
	for _, key := range keys {
		delete(from, key)
	}
	if len(from) == 0 {
		return nil
	}
	return from
}

// sameDeployment expands variables in arguments as the kubelet does, orders what has no order, and calls images by one name.
func sameDeployment(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	var deployment appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &deployment, true); err != nil {
		t.Fatalf("%s: %v", describe(object), err)
	}
	pod := &deployment.Spec.Template.Spec
	for _, containers := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range containers {
			sameContainer(&containers[i], deployment.Namespace)
		}
	}
	converted, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&deployment)
	if err != nil {
		t.Fatal(err)
	}
	object.Object = converted
}

func sameContainer(container *corev1.Container, namespace string) {
	for _, variable := range container.Env {
		value := variable.Value
		if variable.Name == "POD_NAMESPACE" {
			value = namespace
		}
		for i, arg := range container.Args {
			container.Args[i] = strings.ReplaceAll(arg, "$("+variable.Name+")", value)
		}
	}
	// These are there for arguments alone.
	container.Env = slices.DeleteFunc(container.Env, func(v corev1.EnvVar) bool {
		return v.Name == "RECEIVER_SERVICE" || v.Name == "CALLBACK_HOST" || (v.Name == "POD_NAMESPACE" && container.Name == "webhook-receiver")
	})
	if len(container.Env) == 0 {
		container.Env = nil
	}
	slices.Sort(container.Args)
	slices.SortFunc(container.Env, func(a, b corev1.EnvVar) int { return cmp.Compare(a.Name, b.Name) })
	container.Image = strings.TrimSuffix(strings.TrimPrefix(container.Image, "transcription-operator/"), ":dev")
	if container.ImagePullPolicy == corev1.PullIfNotPresent {
		container.ImagePullPolicy = "" // the server's default
	}
}

// TestChartLint has Helm's linter read the chart with each of its files of values.
func TestChartLint(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testenv.Root(), chart, "ci", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no files of values: %v", err)
	}
	args := []string{"lint", "--strict", chart, images}
	if output, err := helm(t, args...); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	for _, file := range files {
		if output, err := helm(t, append(args, "--values="+file)...); err != nil {
			t.Errorf("%s: %v\n%s", filepath.Base(file), err, output)
		}
	}
}

// TestChartServerAccepts applies what has no counterpart under config, and the test's pod, with server-side dry-run.
func TestChartServerAccepts(t *testing.T) {
	server := newServer(t)
	server.createNamespace(t, render(t, "config/default"))
	for _, name := range []string{"music", "speech"} {
		object := one[corev1.Namespace](t, render(t, "config/default"), "Namespace", namespace)
		object.Name = name
		if err := client.IgnoreAlreadyExists(server.Create(t.Context(), &object)); err != nil {
			t.Fatal(err)
		}
	}
	objects := renderChart(t, values("everything"))
	for _, object := range append(objects, renderChart(t)...) {
		server.dryRun(t, object, namespace)
	}
	for _, object := range objects {
		if kind := object.GetKind(); strings.HasPrefix(kind, "Cluster") || kind == "CustomResourceDefinition" || kind == "Secret" || kind == "NetworkPolicy" {
			t.Errorf("there is %s, which the values say there is not to be", describe(object))
		}
	}
	manager := one[appsv1.Deployment](t, objects, "Deployment", managerName)
	if len(manager.Spec.Template.Spec.InitContainers) > 0 {
		t.Error("the manager makes a key in a Secret that is somebody else's")
	}
	receiver := one[appsv1.Deployment](t, objects, "Deployment", receiverName)
	if receiver.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Errorf("with a volume of one node the receiver is replaced by %s: two pods would wait for each other", receiver.Spec.Strategy.Type)
	}
	for _, resource := range []string{"Role", "RoleBinding"} {
		for _, in := range []string{"music", "speech"} {
			if !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == resource && o.GetNamespace() == in }) {
				t.Errorf("there is no %s in %s", resource, in)
			}
		}
	}
	for _, key := range []string{"transcripts", "new"} {
		for _, claim := range all[corev1.PersistentVolumeClaim](t, append(objects, renderChart(t, values("transcripts-volume"))...), "PersistentVolumeClaim") {
			if claim.Name == key && claim.Annotations["helm.sh/resource-policy"] != "keep" {
				t.Errorf("the claim %s goes with the release, and the transcripts with it", key)
			}
		}
	}
}

// TestChartKeepsJobs: jobs go with their definition, and transcripts in ConfigMaps with jobs, so that no definition may go with the release.
func TestChartKeepsJobs(t *testing.T) {
	definitions := 0
	for _, object := range renderChart(t) {
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		definitions++
		if object.GetAnnotations()["helm.sh/resource-policy"] != "keep" {
			t.Errorf("%s goes with the release", describe(object))
		}
	}
	if definitions != 3 {
		t.Errorf("the chart has %d definitions, want 3", definitions)
	}
}

// TestChartRefuses gives it values that cannot work.
func TestChartRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"a name that does not exist":       {[]string{"--set=receiver.replica=3"}, "replica"},
		"no image":                         {[]string{"--set=receiver.image.repository="}, "no images are published"},
		"no receiver":                      {[]string{"--set=receiver.replicas=0"}, "replicas"},
		"a receiver for each word":         {[]string{"--set-string=receiver.replicas=two"}, "replicas"},
		"a volume of one node, two pods":   {[]string{values("everything"), "--set=receiver.replicas=2"}, "ReadWriteOnce"},
		"a volume that would hide another": {[]string{"--set=receiver.volumes[0].claimName=scratch,receiver.volumes[0].mountPath=/a,receiver.volumes[0].accessMode=ReadWriteMany"}, "claimName"},
		"a volume without a place":         {[]string{"--set=receiver.volumes[0].claimName=a,receiver.volumes[0].accessMode=ReadWriteMany"}, "mountPath"},
		"an Ingress without a host":        {[]string{"--set=ingress.enabled=true"}, "ingress.host"},
		"a route without a host":           {[]string{"--set=httpRoute.enabled=true,httpRoute.parentRefs[0].name=a"}, "httpRoute.host"},
		"a route without a Gateway":        {[]string{"--set=httpRoute.enabled=true,httpRoute.host=a.example"}, "httpRoute.parentRefs"},
		"two ways in":                      {[]string{values("public-ingress"), values("public-gateway")}, "not"},
		"two issuers":                      {[]string{values("public-ingress"), "--set=ingress.certManager.issuer=other"}, "certManager"},
		"a host that is an address":        {[]string{"--set=ingress.enabled=true,ingress.host=https://a.example"}, "host"},
		"a callback with a password":       {[]string{"--set=callbackURL=https://me:word@a.example"}, "callbackURL"},
		"a namespace that cannot be":       {[]string{"--set=namespaces[0]=A"}, "namespaces"},
		"a source that is no network":      {[]string{"--set=networkPolicy.notificationSources[0]=example.com"}, "notificationSources"},
		"a digest that is none":            {[]string{"--set=manager.image.digest=latest"}, "digest"},
		"an argument that is no flag":      {[]string{"--set=manager.extraArgs[0]=start"}, "extraArgs"},
	} {
		output, err := helm(t, append([]string{"template", "transcription-operator", chart, images}, tt.args...)...)
		if err == nil || !strings.Contains(string(output), tt.says) {
			t.Errorf("%s: %v, and it does not say %q:\n%s", name, err, tt.says, output)
		}
	}
}

// TestChartNotes shows them for each file of values: commands in them name what is there.
func TestChartNotes(t *testing.T) {
	for name, says := range map[string]string{
		"one-namespace":  "works on the jobs of transcription-system",
		"public-ingress": "Speechmatics notifies https://transcripts.example.com",
		"egress-proxy":   "Jobs are polled",
		"everything":     "apply those of this version before each upgrade",
	} {
		output, err := helm(t, "install", "transcription-operator", chart, "--namespace="+namespace, "--dry-run=client", images, values(name))
		if err != nil || !strings.Contains(string(output), says) || !strings.Contains(string(output), "deployment "+managerName) {
			t.Errorf("%s: the notes do not say %q, or something went wrong: %v\n%s", name, says, err, output)
		}
	}
}
