// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package testenv

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Documented returns the one command of the documentation, in a file named from the repository's root, that has all the words: a command
// stands in a block of shell, and goes on in the next line after a backslash. The test that runs it runs what people read.
func Documented(t testing.TB, file string, words ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(Root(), file))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, command := range commands(string(content)) {
		if hasAll(command, words) {
			found = append(found, command)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d commands with %q, want one: %q", file, len(found), words, found)
	}
	return found[0]
}

// DocumentedBlock returns the one block of shell of the documentation that has the word, with all its commands.
func DocumentedBlock(t testing.TB, file, word string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(Root(), file))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, block := range strings.Split(string(content), "\n```sh\n")[1:] {
		if block, _, _ = strings.Cut(block, "\n```"); strings.Contains(block, word) {
			found = append(found, block)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d blocks of shell with %q, want one", file, len(found), word)
	}
	return found[0]
}

// Table returns the rows of the documentation's table that has the header, in a file named from the repository's root: its cells without the
// marks of code around them.
func Table(t testing.TB, file, header string) [][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(Root(), file))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), header+"\n")
	if !found {
		t.Fatalf("%s has no table %q", file, header)
	}
	return rowsOf(table)
}

// Tables is Table for all the tables of the page that have the header, one after the other.
func Tables(t testing.TB, file, header string) [][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(Root(), file))
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, table := range strings.Split(string(page), header+"\n")[1:] {
		rows = append(rows, rowsOf(table)...)
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no table %q", file, header)
	}
	return rows
}

// rowsOf are the rows of a table that begins after its header, and ends with an empty line.
func rowsOf(table string) [][]string {
	table, _, _ = strings.Cut(strings.TrimRight(table, "\n"), "\n\n")
	var rows [][]string
	for _, line := range strings.Split(table, "\n")[1:] {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for i, cell := range cells {
			cells[i] = strings.Trim(cell, " `")
		}
		rows = append(rows, cells)
	}
	return rows
}

// commands are the commands in all blocks of shell of a Markdown text.
func commands(markdown string) []string {
	var all []string
	inside, goesOn := false, false
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		switch {
		case !inside:
			inside = line == "```sh"
			continue
		case line == "```":
			inside, goesOn = false, false
			continue
		case goesOn:
			all[len(all)-1] += "\n" + line
		default:
			all = append(all, line)
		}
		goesOn = strings.HasSuffix(line, `\`)
	}
	return all
}

func hasAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// Shell runs a command as a person would who works in a namespace of the control plane, with its real kubectl and the system's other
// tools, and writes its output to stdout.
func (e *Env) Shell(t testing.TB, namespace, command string, stdout io.Writer) {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", command) //nolint:gosec // that is what it is for; the commands are the documentation's
	shell.Env = append(os.Environ(),
		"PATH="+os.Getenv(assetsVariable)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"KUBECONFIG="+kubeconfig(t, e.Config, namespace), "KUBECACHEDIR="+t.TempDir())
	var stderr bytes.Buffer
	shell.Stdout, shell.Stderr = stdout, &stderr
	if err := shell.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, &stderr)
	}
}
