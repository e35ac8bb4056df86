// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"net/http"
)

// discovery answers GET /v1/discovery/features, which needs no key.
func discovery(w http.ResponseWriter, _ *http.Request) {
	packs := map[string]any{}
	for _, language := range languages {
		if language == languageAuto || language == languageMulti {
			continue
		}
		packs[language] = map[string]any{
			"language_description": language, "locales": map[string]any{}, "domains": map[string]any{},
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"metadata": map[string]any{"language_pack_info": packs},
		"batch": map[string]any{
			"transcription": []any{map[string]any{
				"version": "latest", "languages": languages,
				"locales": map[string]any{
					"en":  []string{"en-GB", "en-US", "en-AU"},
					"cmn": []string{"cmn-Hans", "cmn-Hant"},
				},
				"domains": map[string]any{"en": []string{"medical"}, "es": []string{"bilingual-en"}},
			}},
			"translation": []any{},
			"languageid":  []any{},
		},
	})
}
