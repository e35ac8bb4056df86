// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// testify says what a specification makes of a patch's witness.
func (w witness) testify(t *testing.T, spec *Spec) error {
	t.Helper()
	if w.definition == "" {
		return nil // that there is a specification is enough
	}
	return spec.CheckAnswerDocument(w.definition, w.read(t))
}

func (w witness) read(t *testing.T) []byte {
	t.Helper()
	if w.sample == "" {
		return []byte(w.document)
	}
	content, err := os.ReadFile(filepath.Join(Folder(), "samples", w.sample))
	if err != nil {
		t.Fatal(err)
	}
	if w.member == "" {
		return content
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil {
		t.Fatal(err)
	}
	return members[w.member]
}

// TestPatches proves each patch: without it the specification is not valid, or refuses what the provider documents elsewhere.
func TestPatches(t *testing.T) {
	spec := Open(t)
	for i, p := range patches {
		t.Run(p.name, func(t *testing.T) {
			if err := p.witness.testify(t, spec); err != nil {
				t.Errorf("with all patches: %v", err)
			}
			without, err := build(slices.Delete(slices.Clone(patches), i, i+1))
			if err == nil {
				err = p.witness.testify(t, without)
			}
			if err == nil {
				t.Error("it is not needed any more: without it, nothing is refused")
			}
			t.Logf("without it: %.300v", err)
		})
	}
}
