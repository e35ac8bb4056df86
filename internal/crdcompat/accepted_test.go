// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package crdcompat_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/internal/crdcompat"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

var accept = flag.Bool("accept", false, "take the CRDs as they are for accepted, if they are compatible with what was")

// TestCRDs compares the project's CRDs with those that were accepted last: what users have must go on working. What is added is to be accepted, too, so
// that from then on it stays.
func TestCRDs(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testenv.Root(), "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d CRDs, want 3: %v, %v", len(files), files, err)
	}
	accepted, err := filepath.Glob(filepath.Join("testdata", "accepted", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range accepted {
		if _, err := os.Stat(filepath.Join(filepath.Dir(files[0]), filepath.Base(file))); err != nil {
			t.Errorf("a whole CRD is gone: %v", err)
		}
	}
	for _, file := range files {
		name := filepath.Base(file)
		now, _ := readCRD(t, file)
		snapshot := filepath.Join("testdata", "accepted", name)
		before, text := readCRD(t, snapshot)
		if before != nil {
			for _, problem := range crdcompat.Incompatibilities(before, now) {
				t.Errorf("%s\nWho uses this would lose it. Add instead of changing; or make another version, and see docs/upgrade.md", problem)
			}
		}
		stripped := undocumented(t, now)
		switch {
		case t.Failed():
		case *accept:
			if err := os.WriteFile(snapshot, stripped, 0o600); err != nil {
				t.Fatal(err)
			}
		case string(stripped) != text:
			t.Errorf("%s: there is something new, or less strict, that is compatible; accept it (make accept-crds), so that it stays from now on:\n%s", name, cmp.Diff(text, string(stripped)))
		}
	}
}

// readCRD reads a file; nil if there is none.
func readCRD(t *testing.T, file string) (*apiextensionsv1.CustomResourceDefinition, string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, ""
	}
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(content, crd); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return crd, string(content)
}

// undocumented is a CRD without what may change freely: descriptions, columns, and who generated it.
func undocumented(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition) []byte {
	t.Helper()
	crd = crd.DeepCopy()
	crd.Annotations = nil
	for i := range crd.Spec.Versions {
		crd.Spec.Versions[i].AdditionalPrinterColumns = nil
	}
	var tree map[string]any
	content, err := yaml.Marshal(crd)
	if err == nil {
		err = yaml.Unmarshal(content, &tree)
	}
	if err != nil {
		t.Fatal(err)
	}
	delete(tree, "status")
	dropDescriptions(tree)
	if content, err = yaml.Marshal(tree); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.TrimSpace(string(content)) + "\n")
}

// dropDescriptions drops the texts; a field that is called description has a schema, and stays.
func dropDescriptions(node any) {
	switch node := node.(type) {
	case map[string]any:
		if _, text := node["description"].(string); text {
			delete(node, "description")
		}
		for _, child := range node {
			dropDescriptions(child)
		}
	case []any:
		for _, child := range node {
			dropDescriptions(child)
		}
	}
}
