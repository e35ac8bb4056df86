// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

// documented returns the shell commands of a section of a page of the documentation, a block each, as somebody copies them. The section ends at
// the next heading.
func documented(t *testing.T, page, heading string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(harness.Root(), filepath.FromSlash(page)))
	must(t, err)
	var blocks []string
	var block *strings.Builder
	inside := false
	for line := range strings.Lines(string(content)) {
		text := strings.TrimSpace(line)
		switch {
		case block != nil && text == "```":
			blocks = append(blocks, block.String())
			block = nil
		case block != nil:
			block.WriteString(line)
		case strings.HasPrefix(line, "#"):
			inside = strings.TrimLeft(text, "# ") == heading
		case inside && text == "```sh":
			block = &strings.Builder{}
		}
	}
	if len(blocks) == 0 {
		t.Fatalf("%s has no commands under %q", page, heading)
	}
	return blocks
}

// lineWith is the line of blocks of commands that begins with a word.
func lineWith(t *testing.T, blocks []string, word string) string {
	t.Helper()
	for _, block := range blocks {
		for line := range strings.Lines(block) {
			if strings.HasPrefix(line, word+" ") {
				return line
			}
		}
	}
	t.Fatalf("no line begins with %q in %q", word, blocks)
	return ""
}

// blockWith is the block of commands that begins with some words.
func blockWith(t *testing.T, blocks []string, words string) string {
	t.Helper()
	at := slices.IndexFunc(blocks, func(block string) bool { return strings.HasPrefix(block, words) })
	if at < 0 {
		t.Fatalf("no block begins with %q in %q", words, blocks)
	}
	return strings.TrimSpace(blocks[at])
}

// follow runs commands of the documentation in a shell, at the project's root.
func (c *cluster) follow(t *testing.T, commands string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience) // whatever --timeout the documentation advises
	defer cancel()
	output, err := c.command(ctx, "", "bash", "-euo", "pipefail", "-c", commands)
	must(t, err)
	return output
}

// addPrograms makes programs found by the names that the documentation calls them.
func (c *cluster) addPrograms(t *testing.T, programs map[string]string) {
	t.Helper()
	folder := filepath.Join(c.scratch, "bin")
	must(t, os.Mkdir(folder, 0o750))
	for name, path := range programs {
		absolute, err := filepath.Abs(path)
		must(t, err)
		must(t, os.Symlink(absolute, filepath.Join(folder, name)))
	}
	c.path = folder + string(filepath.ListSeparator) + os.Getenv("PATH")
}
