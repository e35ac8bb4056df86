// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package config_test checks the manifests under config/: it renders them with kustomize as `make deploy` does and has
// a real API server say what it thinks of them.
package config_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) {
	code := testenv.Run(m, func(e *testenv.Env) { env = e })
	if programs != "" {
		code = max(code, exitCode(os.RemoveAll(programs)))
	}
	os.Exit(code)
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// render returns the objects of a kustomization, in kustomize's order: what is needed first comes first.
func render(t *testing.T, kustomization string) []*unstructured.Unstructured {
	t.Helper()
	manifests, ok := rendered[kustomization]
	if !ok {
		manifests = run(t, kustomize(), "build", kustomization)
		rendered[kustomization] = manifests
	}
	return decode(t, manifests)
}

// rendered are the manifests of each kustomization, which do not change while tests run. Those run one after the other.
var rendered = map[string][]byte{}

// Where the tools are.
var (
	kustomize = sync.OnceValue(func() string { return tool("kustomize") })
	helmTool  = sync.OnceValue(func() string { return tool("helm") })
)

// tool is where a pinned tool is.
func tool(name string) string {
	path, err := exec.CommandContext(context.Background(), filepath.Join(testenv.Root(), "hack", "tool.sh"), name).Output()
	if err != nil {
		panic(fmt.Sprintf("there is no %s: %v", name, err))
	}
	return string(bytes.TrimSpace(path))
}

// with makes a kustomization of another one, of which it says the rest: components, or another namespace.
func with(t *testing.T, base, rest string) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Rel(dir, testenv.Root()) // kustomize takes no absolute paths
	if err != nil {
		t.Fatal(err)
	}
	manifest := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [ROOT/" + base + "]\n" + rest + "\n"
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(strings.ReplaceAll(manifest, "ROOT", root)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// withComponent adds a component to config/default or to an overlay.
func withComponent(t *testing.T, base, component string) string {
	t.Helper()
	return with(t, base, "components: [ROOT/config/components/"+component+"]")
}

// load returns the objects of a file.
func load(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join(testenv.Root(), file))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, manifest)
}

// run returns what a command prints on standard output.
func run(t *testing.T, command string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command, args...)
	cmd.Dir = testenv.Root()
	var problems bytes.Buffer
	cmd.Stderr = &problems
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, problems.Bytes())
	}
	return output
}

func decode(t *testing.T, manifests []byte) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), 4096)
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(object); {
		case errors.Is(err, io.EOF):
			if len(objects) == 0 {
				t.Fatal("no objects at all")
			}
			return objects
		case err != nil:
			t.Fatalf("object %d: %v", len(objects)+1, err)
		}
		if len(object.Object) > 0 { // a document that is only a comment
			objects = append(objects, object)
		}
	}
}

// all returns the objects of one kind as their Go type.
func all[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) []T {
	t.Helper()
	var found []T
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		var typed T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &typed, true); err != nil {
			t.Fatalf("%s: %v", describe(object), err)
		}
		found = append(found, typed)
	}
	return found
}

// one returns the object of a kind and name as its Go type.
func one[T any](t *testing.T, objects []*unstructured.Unstructured, kind, name string) T {
	t.Helper()
	at := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind && o.GetName() == name })
	if at < 0 {
		t.Fatalf("there is no %s %s", kind, name)
	}
	return all[T](t, objects[at:at+1], kind)[0]
}

func describe(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s", object.GetKind(), object.GetName())
}

// eventually tries something until it succeeds: the API server follows its own objects by watches.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) {
		last = try()
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("waited in vain until %s: %v", what, last)
	}
}
