// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"bytes"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is rendered into testdata, to be looked at")

// renderings are what this package makes of a document, by file name extension.
var renderings = map[string]func(io.Writer, io.ReadSeeker, Options) error{
	"vtt": WriteVTT,
	"srt": WriteSRT,
	"txt": WriteText,
}

// documents are the documents in testdata, by their names without extension. They were written for these tests.
func documents(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents in testdata: %v", err)
	}
	texts := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimSuffix(filepath.Base(file), ".json")] = text
	}
	return texts
}

// render renders a document.
func render(t testing.TB, format string, document []byte, o Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := renderings[format](&out, bytes.NewReader(document), o); err != nil {
		t.Fatalf("cannot render %s: %v", format, err)
	}
	return out.String()
}

// languages are those that a document can be rendered in; "" is the one that was spoken.
func languages(t testing.TB, document []byte) []string {
	t.Helper()
	facts, err := ReadFacts(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{""}, facts.Translations...)
}

func TestGolden(t *testing.T) {
	all := documents(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, language := range languages(t, all[name]) {
			for format := range renderings {
				file := strings.TrimSuffix(name+"."+language, ".") + "." + format
				t.Run(file, func(t *testing.T) {
					golden(t, filepath.Join("testdata", file), render(t, format, all[name], Options{Language: language}))
				})
			}
		}
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
