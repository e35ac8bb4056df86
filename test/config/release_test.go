// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/notification"
)

// TestRelease goes through the life of a release with the documented commands: installed, upgraded, taken back, taken away, and installed once more. The chart is a copy whose CRDs have a group of their own, so that no other test loses its objects.
func TestRelease(t *testing.T) {
	const group = "release.example.com"
	r := &releases{t: t, group: group}
	older, newer := r.copyChart("spec.priority", "fixedUser: true\n"), r.copyChart("", "")
	home := env.Namespace(t.Context(), t, nil)
	t.Cleanup(func() { r.removeCRDs() })
	// For one namespace, since ClusterRoles would be in the way of other tests.
	install := testenv.Documented(t, "docs/install.md", "helm install", "--create-namespace") + " --set receiver.replicas=3 --set namespaces={transcription-system}"

	r.run(home, older, install)
	r.makeKey(home)
	r.check(home, "v1", false, false)

	r.run(home, newer, testenv.Documented(t, "docs/upgrade.md", "helm upgrade", "image.tag=v2"))
	r.check(home, "v2", true, true)

	r.run(home, older, testenv.Documented(t, "docs/upgrade.md", "helm upgrade", "crds.install=false"))
	r.check(home, "v1", true, false)

	r.run(home, newer, "helm uninstall transcription-operator --namespace transcription-system")
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: home, Name: managerName}, &appsv1.Deployment{}); !apierrors.IsNotFound(err) {
		t.Errorf("the manager did not go with the release: %v", err)
	}
	r.run(home, newer, install)
	r.check(home, "v1", true, true) // the key that was made at first, which check compares

	// A second installation has the first one's CRDs.
	other := env.Namespace(t.Context(), t, nil)
	if message := r.fail(other, newer, install); !strings.Contains(message, "ownership") {
		t.Errorf("a second release took the CRDs of the first one, or failed for another reason: %s", message)
	}
	r.run(other, newer, install+" --set crds.install=false")

	// What a cluster does not know is refused before anything is made.
	third := env.Namespace(t.Context(), t, nil)
	if message := r.fail(third, newer, install+" --set crds.install=false --set prometheus.enabled=true"); !strings.Contains(message, "no matches for kind") {
		t.Errorf("without the Prometheus operator: %s", message)
	}
	deployments := &appsv1.DeploymentList{}
	if err := env.Client.List(t.Context(), deployments, client.InNamespace(third)); err != nil || len(deployments.Items) > 0 {
		t.Errorf("a release that was refused made %d Deployments: %v", len(deployments.Items), err)
	}
}

// releases are what helm makes of copies of the chart.
type releases struct {
	t     *testing.T
	group string
	key   string
}

// copyChart copies the chart, with another group in its CRDs, and without one of the jobs' properties and one of the values.
func (r *releases) copyChart(property, value string) string {
	r.t.Helper()
	to := r.t.TempDir()
	from := filepath.Join(testenv.Root(), chart)
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(name, filepath.Join("files", "crds")) {
			content = []byte(strings.ReplaceAll(string(content), "transcription-operator.io", r.group))
			content = withoutProperty(r.t, content, property)
		}
		if name == "values.yaml" {
			content = []byte(strings.Replace(string(content), value, "", 1))
		}
		return os.WriteFile(filepath.Join(to, name), content, 0o600)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return to
}

// withoutProperty drops a property from the schema of a CRD that has it; its path has points.
func withoutProperty(t *testing.T, manifest []byte, path string) []byte {
	t.Helper()
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(manifest, &crd); err != nil {
		t.Fatal(err)
	}
	parent, name, _ := strings.Cut(path, ".")
	properties := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties
	if _, has := properties[parent].Properties[name]; path == "" || !has {
		return manifest
	}
	delete(properties[parent].Properties, name)
	// Rules name it.
	changed := properties[parent]
	changed.XValidations = nil
	properties[parent] = changed
	manifest, err := yaml.Marshal(crd)
	if err != nil {
		t.Fatal(err)
	}
	return manifest
}

// run runs a command of the documentation, for a copy of the chart, in another namespace, and without waiting for pods, since nothing runs any here.
func (r *releases) run(namespace, chartCopy, command string) {
	r.t.Helper()
	env.Shell(r.t, namespace, inNamespace(command, namespace, chartCopy), &bytes.Buffer{})
}

// fail runs a command that has to fail, and returns what it says.
func (r *releases) fail(namespace, chartCopy, command string) string {
	r.t.Helper()
	var output bytes.Buffer
	env.Shell(r.t, namespace, "{ "+inNamespace(command, namespace, chartCopy)+"; } 2>&1 && echo SUCCEEDED || true", &output)
	if strings.Contains(output.String(), "SUCCEEDED") {
		r.t.Errorf("it succeeded: %s", command)
	}
	return output.String()
}

// inNamespace is a documented command for another namespace and another folder of the chart. The chart's own image names stay.
func inNamespace(command, namespace, chartFolder string) string {
	command = strings.ReplaceAll(command, "charts/transcription-operator", chartFolder)
	command = strings.ReplaceAll(strings.ReplaceAll(command, "transcription-system", namespace), " --wait", "")
	return "cd " + testenv.Root() + "; helm() { " + helmTool() + ` "$@"; }; ` + command
}

// makeKey does what the manager's init container does.
func (r *releases) makeKey(namespace string) {
	r.t.Helper()
	r.key = "made-by-the-manager"
	secret := r.keys(namespace)
	secret.Data = map[string][]byte{notification.SigningKeyFile: []byte(r.key)}
	if err := env.Client.Update(r.t.Context(), secret); err != nil {
		r.t.Fatal(err)
	}
}

func (r *releases) keys(namespace string) *corev1.Secret {
	r.t.Helper()
	secret := &corev1.Secret{}
	if err := env.Client.Get(r.t.Context(), client.ObjectKey{Namespace: namespace, Name: sharedKeys}, secret); err != nil {
		r.t.Fatal(err)
	}
	return secret
}

// check checks what has to hold whatever was done to the release: the images of the version, the values of the first command, the defaults of the
// chart's others, the key, and CRDs that never become older.
func (r *releases) check(namespace, version string, hasPriority, hasUser bool) {
	r.t.Helper()
	for name, image := range map[string]string{managerName: "manager", receiverName: "webhook-receiver"} {
		deployment := &appsv1.Deployment{}
		if err := env.Client.Get(r.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, deployment); err != nil {
			r.t.Fatal(err)
		}
		if got, want := deployment.Spec.Template.Spec.Containers[0].Image, "registry.example.com/"+image+":"+version; got != want {
			r.t.Errorf("%s has the image %s, want %s", name, got, want)
		}
		if user := deployment.Spec.Template.Spec.SecurityContext.RunAsUser; (user != nil) != hasUser {
			r.t.Errorf("%s has the user %v, want one: %t: a value's default did not come with the version", name, user, hasUser)
		}
		if name == receiverName && *deployment.Spec.Replicas != 3 {
			r.t.Errorf("%s has %d replicas, though the first command said 3", name, *deployment.Spec.Replicas)
		}
	}
	if got := string(r.keys(namespace).Data[notification.SigningKeyFile]); got != r.key {
		r.t.Errorf("the key is %q, and was %q: the notifications under way are refused", got, r.key)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := migrationClient(r.t).Get(r.t.Context(), client.ObjectKey{Name: "transcriptionjobs." + r.group}, crd); err != nil {
		r.t.Fatal(err)
	}
	if _, has := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["priority"]; has != hasPriority {
		r.t.Errorf("the CRD has spec.priority: %t, want %t", has, hasPriority)
	}
}

func (r *releases) removeCRDs() {
	for _, plural := range []string{"transcriptionjobs", "speechmaticsaccounts", "clusterspeechmaticsaccounts"} {
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: plural + "." + r.group}}
		if err := client.IgnoreNotFound(migrationClient(r.t).Delete(context.WithoutCancel(r.t.Context()), crd)); err != nil {
			r.t.Error(err)
		}
	}
}

// TestNamespaceAdminInstalls runs the commands of docs/install.md for one namespace as the two people who run them: with kubectl and with Helm, the
// cluster's administrator does the part that is hers alone, and the namespace's admin can do the rest.
func TestNamespaceAdminInstalls(t *testing.T) {
	file := "docs/install.md"
	t.Run("kubectl", func(t *testing.T) {
		home := env.Namespace(t.Context(), t, nil)
		installer := filepath.Join(t.TempDir(), "install.yaml")
		manifests := run(t, kustomize(), "build", with(t, "config/overlays/one-namespace", "namespace: "+home))
		if err := os.WriteFile(installer, manifests, 0o600); err != nil {
			t.Fatal(err)
		}
		here := func(command string) string { return strings.ReplaceAll(command, "dist/install.yaml", installer) }
		hers, his := here(testenv.Documented(t, file, "'app.kubernetes.io/component in (")), here(testenv.Documented(t, file, "'app.kubernetes.io/component notin ("))
		admin := namespaceAdmin(t, home)

		var output bytes.Buffer
		admin.Shell(t, home, hers+" 2>&1 && echo SUCCEEDED || true", &output)
		if text := output.String(); strings.Contains(text, "SUCCEEDED") || !strings.Contains(text, "attempting to grant RBAC permissions not currently held") {
			t.Errorf("a namespace's admin needs nobody to give the programs their rights, or fails for another reason:\n%s", text)
		}
		env.Shell(t, home, hers, &bytes.Buffer{})
		admin.Shell(t, home, his, &bytes.Buffer{})
		wantAll(t, decode(t, manifests))
	})
	t.Run("helm", func(t *testing.T) {
		home := env.Namespace(t.Context(), t, nil)
		here := func(command string) string {
			return strings.ReplaceAll(strings.ReplaceAll(inNamespace(command, home, chart), "--namespace speech", "--namespace "+home), "{speech}", "{"+home+"}")
		}
		env.Shell(t, home, here(testenv.Documented(t, file, "helm template", "--show-only")), &bytes.Buffer{})
		namespaceAdmin(t, home).Shell(t, home, here(testenv.Documented(t, file, "helm install", "rbac.create=false")), &bytes.Buffer{})
		args := []string{"template", "transcription-operator", chart, "--namespace=" + home, "--set=namespaces={" + home + "}", "--no-hooks", images}
		output, err := helm(t, args...)
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		wantAll(t, decode(t, output))
	})
}

// TestFromKustomizeToHelm hands an installation by kustomize over to Helm, as docs/upgrade.md says: the key stays, and what is there becomes the release's.
func TestFromKustomizeToHelm(t *testing.T) {
	home := env.Namespace(t.Context(), t, nil)
	installer := filepath.Join(t.TempDir(), "install.yaml")
	if err := os.WriteFile(installer, run(t, kustomize(), "build", with(t, "config/overlays/one-namespace", "namespace: "+home)), 0o600); err != nil {
		t.Fatal(err)
	}
	env.Shell(t, home, strings.ReplaceAll(testenv.Documented(t, "docs/upgrade.md", "kubectl apply --server-side -f dist/install.yaml -l"), "dist/install.yaml", installer), &bytes.Buffer{})
	const handOver = "--take-ownership --force-conflicts"
	if page, err := os.ReadFile(filepath.Join(testenv.Root(), "docs", "upgrade.md")); err != nil || !strings.Contains(string(page), "with `"+handOver+"`") {
		t.Fatalf("docs/upgrade.md does not say %s: %v", handOver, err)
	}
	r := &releases{t: t, group: "transcription-operator.io"}
	r.makeKey(home)
	r.run(home, chart, testenv.Documented(t, "docs/install.md", "helm install", "--create-namespace")+" --set receiver.replicas=3 --set namespaces={transcription-system} "+
		handOver)
	r.check(home, "v1", true, true)
	env.Shell(t, home, "kubectl apply --server-side --force-conflicts -f "+installer, &bytes.Buffer{})
	if got := string(r.keys(home).Data[notification.SigningKeyFile]); got != r.key {
		t.Errorf("the key is %q, and was %q", got, r.key)
	}
}

// namespaceAdmin is the control plane as it is for somebody who has Kubernetes' role admin in a namespace. Nothing aggregates roles here, so that
// he has those that it is aggregated of.
func namespaceAdmin(t *testing.T, namespace string) *testenv.Env {
	t.Helper()
	user := "admin-of-" + namespace
	for _, part := range []string{"admin", "edit", "view"} {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: part},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "system:aggregate-to-" + part},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}
		if err := env.Client.Create(t.Context(), binding); err != nil {
			t.Fatal(err)
		}
	}
	config, err := env.User(user)
	if err != nil {
		t.Fatal(err)
	}
	admin := *env
	admin.Config = config
	// The API server follows its own objects by watches.
	c, err := client.New(config, client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "he has his rights", func() error { return c.List(t.Context(), &appsv1.DeploymentList{}, client.InNamespace(namespace)) })
	return &admin
}

// wantAll checks that every object is there.
func wantAll(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, object := range objects {
		there := &unstructured.Unstructured{}
		there.SetGroupVersionKind(object.GroupVersionKind())
		if object.GroupVersionKind().GroupKind() == (schema.GroupKind{Group: apiextensionsv1.GroupName, Kind: "CustomResourceDefinition"}) {
			continue // they were there before
		}
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(object), there); err != nil {
			t.Errorf("%s was not made: %v", describe(object), err)
		}
	}
}
