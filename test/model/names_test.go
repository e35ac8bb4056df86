// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package model

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// named matches a name of the code in the model's comments: @claimAttempt, @store.Commit.
var named = regexp.MustCompile(`@(?:(\w+)\.)?(\w+)`)

// folders are where the packages are that the model names.
var folders = map[string]string{
	"controllers":     "../../controllers",
	"webhookreceiver": "../../webhookreceiver",
	"store":           "../../transcript/store",
}

// TestNames holds the names in the model's comments to the code: each is declared in its package.
func TestNames(t *testing.T) {
	t.Parallel()
	declared := map[string]map[string]bool{}
	for name, folder := range folders {
		declared[name] = declarations(t, folder)
	}
	names := named.FindAllStringSubmatch(string(submission), -1)
	for _, match := range names {
		where, what := cmp.Or(match[1], "controllers"), match[2]
		if !declared[where][what] {
			t.Errorf("the model names %s, and there is no such function, method, constant or variable in %s", match[0], where)
		}
	}
	if len(names) < 30 {
		t.Errorf("the model names only %d functions", len(names))
	}
}

// declarations are the functions, methods, constants and variables of a package.
func declarations(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				declared[d.Name.Name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if values, ok := spec.(*ast.ValueSpec); ok {
						for _, name := range values.Names {
							declared[name.Name] = true
						}
					}
				}
			}
		}
	}
	return declared
}
