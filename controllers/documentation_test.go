// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

// TestReasons_documented holds what STATUS may say to the README, in both directions.
func TestReasons_documented(t *testing.T) {
	t.Parallel()
	var documented []string
	for _, row := range testenv.Table(t, "README.md", "| STATUS | meaning |") {
		for reason := range strings.SplitSeq(row[0], ", ") {
			documented = append(documented, strings.Trim(reason, "`"))
		}
	}
	slices.Sort(documented)
	if diff := cmp.Diff(reasonsOfJobs(t), documented); diff != "" {
		t.Errorf("README.md, STATUS (-constants +documented):\n%s", diff)
	}
}

// reasonsOfJobs are the constants of v1alpha1 that are reasons of a job's condition Ready: those of the groups whose comments say so.
func reasonsOfJobs(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(testenv.Root(), "api", "v1alpha1", "conditions.go"), nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || !strings.HasPrefix(group.Doc.Text(), "Reasons of a job ") {
			continue
		}
		for _, spec := range group.Specs {
			reason, err := strconv.Unquote(spec.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			reasons = append(reasons, reason)
		}
	}
	slices.Sort(reasons)
	return reasons
}

// eventPattern matches the call that tells an event whose reason is not one of a condition.
var eventPattern = regexp.MustCompile(`\bevent\((?:account|s\.job, event\w+), "(\w+)"`)

// TestEvents_documented holds docs/observability.md to the events that are not reasons of a condition, in both directions.
func TestEvents_documented(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range eventPattern.FindAllStringSubmatch(string(source), -1) {
			told[match[1]] = true
		}
	}
	documented := map[string]bool{}
	for _, row := range testenv.Table(t, "docs/observability.md", "| event | type | of | when |") {
		for name := range strings.SplitSeq(row[0], ", ") {
			if name = strings.Trim(name, "`"); !strings.Contains(name, " ") && !slices.Contains(reasonsOfJobs(t), name) {
				documented[name] = true
			}
		}
	}
	if diff := cmp.Diff(told, documented); diff != "" {
		t.Errorf("docs/observability.md, events (-told +documented):\n%s", diff)
	}
}
