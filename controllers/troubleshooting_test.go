// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

const troubleshooting = "docs/troubleshooting.md"

// TestTroubleshooting_complete holds docs/troubleshooting.md to the constants of v1alpha1, in both directions: each reason and each condition
// has a row, and no cell is empty.
func TestTroubleshooting_complete(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ prefix, header string }{
		"reasons":    {"Reason", "| reason | means | what the operator does by itself | what to do |"},
		"conditions": {"Condition", "| condition | is True when | and then |"},
	} {
		if diff := cmp.Diff(constantsOf(t, c.prefix), firstCells(t, c.header)); diff != "" {
			t.Errorf("%s (-constants +documented):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(eventsOf(t), firstCells(t, "| event | on | says |")); diff != "" {
		t.Errorf("events (-code +documented):\n%s", diff)
	}
}

// firstCells are the first cells of the rows of all tables with a header, sorted. All rows have as many cells as the header, and no empty one.
func firstCells(t *testing.T, header string) []string {
	t.Helper()
	var cells []string
	for _, row := range testenv.Tables(t, troubleshooting, header) {
		if len(row) != strings.Count(header, "|")-1 || slices.Contains(row, "") {
			t.Errorf("the row of %s has an empty cell, or one too many: %q", row[0], row)
		}
		cells = append(cells, row[0])
	}
	slices.Sort(cells)
	return cells
}

// constantsOf are the values of the constants of v1alpha1's conditions whose names have the prefix, sorted.
func constantsOf(t *testing.T, prefix string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(testenv.Root(), "api", "v1alpha1", "conditions.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, prefix) {
			values = append(values, unquote(t, spec.Values[0].(*ast.BasicLit)))
		}
		return true
	})
	slices.Sort(values)
	return slices.Compact(values)
}

// eventsOf are the reasons of the events that are literals in this package's code, sorted. Any other reason has to be a condition's, which has a row of
// its own: one that is made up elsewhere would not be found.
func eventsOf(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Name.Name == "event" {
				continue // which hands on what it is called with
			}
			ast.Inspect(declaration, func(n ast.Node) bool {
				switch reason := reasonOfEvent(n).(type) {
				case nil:
				case *ast.BasicLit:
					reasons = append(reasons, unquote(t, reason))
				case *ast.SelectorExpr:
					if !strings.HasPrefix(strings.ToLower(reason.Sel.Name), "reason") {
						t.Errorf("%s: the reason of an event is %s, which is no condition's", name, reason.Sel.Name)
					}
				default:
					t.Errorf("%s: the reason of an event is neither a literal nor a condition's: %T", name, reason)
				}
				return true
			})
		}
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

// reasonOfEvent is the reason of an event that is told at a place of the code, nil if none is: of a job's (object, type, reason, action, note), an
// account's (object, reason, note), or the recorder's own (object, related, type, reason, action, note, …).
func reasonOfEvent(n ast.Node) ast.Expr {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return nil
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	switch {
	case ok && method.Sel.Name == "event":
		return call.Args[len(call.Args)/2]
	case ok && method.Sel.Name == "Eventf":
		return call.Args[3]
	default:
		return nil
	}
}

func unquote(t *testing.T, literal *ast.BasicLit) string {
	t.Helper()
	value, err := strconv.Unquote(literal.Value)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// TestTroubleshooting_commands does what docs/troubleshooting.md says to get a transcript from the provider, to see what was paid for,
// and to let an object go.
func TestTroubleshooting_commands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(500*time.Millisecond), withFaults(
		simulator.Fault{Kind: simulator.FaultReject, Title: "standup", Message: "Language identification failed", Count: 1},
	))
	w.account()
	job := w.job("standup", titled)
	w.awaitReason(job, v1alpha1.ReasonComplete)
	shell := func(word string) string {
		var output strings.Builder
		env.Shell(t, w.namespace, testenv.DocumentedBlock(t, troubleshooting, word), &output)
		return output.String()
	}
	if text := shell("format=txt"); !strings.Contains(text, standupWords) {
		t.Errorf("the transcript from the provider is not the recording's:\n%s", text)
	}
	if says := shell(`{.reason}{": "}`); !strings.HasPrefix(says, "Complete: txt stored in ConfigMap") {
		t.Errorf("the condition Ready is shown as %q", says)
	}
	if _, err := exec.LookPath("jq"); err == nil {
		bought := strings.Split(strings.TrimSpace(shell("jq -r")), "\n")
		if len(bought) != 2 || !strings.Contains(bought[0], string(job.UID)+"/2/") || !strings.Contains(bought[1], string(job.UID)+"/1/") {
			t.Errorf("two attempts are shown as %q", bought)
		}
	}
}

// TestTroubleshooting_finalizer lets an object go that cannot be cleaned up, with the command that the page has for that.
func TestTroubleshooting_finalizer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Minute), withFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationDelete}))
	w.account()
	job := w.job("standup")
	w.awaitReason(job, v1alpha1.ReasonRunning)
	w.delete(job)
	w.awaitReason(job, v1alpha1.ReasonCleanUpDelayed)
	var output strings.Builder
	env.Shell(t, w.namespace, testenv.DocumentedBlock(t, troubleshooting, `"finalizers":null`), &output)
	w.awaitGone(job)
}
