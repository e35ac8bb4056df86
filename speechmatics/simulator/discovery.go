// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"maps"
	"net/http"
	"slices"
)

// discovery answers GET /v1/discovery/features, which needs no key.
func (s *Server) discovery(w http.ResponseWriter, _ *http.Request) {
	described := map[string]any{}
	for language, p := range packs {
		described[language] = map[string]any{
			"language_description": p.name, "locales": orEmpty(locales[language]), "domains": orEmpty(domains[language]),
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"metadata": map[string]any{"language_pack_info": described},
		"batch": map[string]any{
			"transcription": []any{map[string]any{
				"version": "latest", "languages": languageCodes(), "locales": locales, "domains": domains,
			}},
			"translation": []any{map[string]any{"version": "latest", "languages": translationPairs()}},
			string(s.Behaviour().DiscoveryIdentification): []any{map[string]any{
				"version": "latest", "languages": slices.DeleteFunc(slices.Sorted(maps.Keys(packs)), func(l string) bool { return !identifiable(l) }),
			}},
		},
	})
}

// translationPairs are the languages into which each can be translated.
func translationPairs() map[string][]string {
	pairs := map[string][]string{"en": translated, "no": {"en", "nn"}}
	for _, language := range translated {
		if pairs[language] == nil {
			pairs[language] = []string{"en"}
		}
	}
	return pairs
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
