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

// testify says what the specification, with some patches, makes of a patch's witness.
func (w witness) testify(t *testing.T, with []patch) error {
	t.Helper()
	spec, err := build(with)
	if err != nil || w.definition == "" {
		return err
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
	Open(t)
	for i, p := range patches {
		t.Run(p.name, func(t *testing.T) {
			if err := p.witness.testify(t, patches); err != nil {
				t.Errorf("with all patches: %v", err)
			}
			without := slices.Delete(slices.Clone(patches), i, i+1)
			err := p.witness.testify(t, without)
			if err == nil {
				t.Error("it is not needed any more: without it, nothing is refused")
			}
			t.Logf("without it: %.300v", err)
		})
	}
}
