// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

// cited matches the names of tests in the threat model, with the package that they are in: `webhookreceiver.TestRefusals`. A target of
// fuzzing is one, too.
var cited = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// threats matches the rows of its tables, and their last two cells: what tries it, and what remains.
var threats = regexp.MustCompile(`(?m)^\| (T\d+) \|.*\|([^|]*)\|([^|]*)\|$`)

// TestThreatModel holds docs/threat-model.md to the code: every test that it names is there, in the package that it says; every threat
// names one, or says that none does; and every attack of this package is in it.
func TestThreatModel(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(harness.Root(), "docs", "threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	document := string(content)
	tests := testsOf(t)
	mentioned := map[string]bool{}
	for _, match := range cited.FindAllStringSubmatch(document, -1) {
		folder, name := match[1], match[2]
		mentioned[name] = true
		if !tests[folder][name] {
			t.Errorf("the threat model names %s in %s, and there is no such test", name, folder)
		}
	}
	rows := threats.FindAllStringSubmatch(document, -1)
	seen := map[string]bool{}
	for _, row := range rows {
		id, tries, remains := row[1], row[2], strings.TrimSpace(row[3])
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		if !cited.MatchString(tries) && !strings.Contains(tries, "no test") {
			t.Errorf("%s names no test, and does not say so", id)
		}
		if remains == "" {
			t.Errorf("%s does not say what remains", id)
		}
	}
	if len(rows) < 20 {
		t.Errorf("only %d threats were recognised", len(rows))
	}
	for name := range tests["test/isolation"] {
		if name != "TestThreatModel" && name != "TestTenantRights" && !mentioned[name] {
			t.Errorf("the threat model does not name %s", name)
		}
	}
}

// testsOf are the tests of all packages, by folder and name.
func testsOf(t *testing.T) map[string]map[string]bool {
	t.Helper()
	root := harness.Root()
	tests := map[string]map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(gotoken.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		folder = filepath.ToSlash(folder)
		if tests[folder] == nil {
			tests[folder] = map[string]bool{}
		}
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil {
				tests[folder][function.Name.Name] = tests[folder][function.Name.Name] || isTest(function)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, functions := range tests {
		for name, ok := range functions {
			if !ok {
				delete(functions, name)
			}
		}
	}
	return tests
}

// isTest reports whether a function is run by `go test`.
func isTest(function *ast.FuncDecl) bool {
	name := function.Name.Name
	return name != "TestMain" && (strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz"))
}
