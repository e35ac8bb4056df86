// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// maxFeaturesBytes bounds what discovery tells: some lines for each of some sixty languages.
const maxFeaturesBytes = 4 << 20

// Features is what the hosted service offers for batch jobs. What a contract includes may be less.
type Features struct {
	// Languages describes the languages, by their codes.
	Languages map[string]LanguageFeatures
	// Transcription lists what can be transcribed, by version of the models; "latest" is the usual one.
	Transcription []TranscriptionFeatures
	// Translation lists what can be translated.
	Translation []TranslationFeatures
	// LanguageIdentification lists the codes of the languages that can be identified.
	LanguageIdentification []string
	// Document is the whole answer as it came.
	Document json.RawMessage
	// RequestID identifies the request that brought this, for the provider's support.
	RequestID string
}

// LanguageFeatures describes a language.
type LanguageFeatures struct {
	// Description is the language's name.
	Description string
	// Locales lists the locales for TranscriptionConfig.OutputLocale, with their names.
	Locales map[string]string
	// Domains lists the domains for TranscriptionConfig.Domain, with their names.
	Domains map[string]string
}

// TranscriptionFeatures is what can be transcribed.
type TranscriptionFeatures struct {
	// Version is the version of the models.
	Version string
	// Languages lists languages, by their codes.
	Languages []string
	// Locales lists the locales of the languages that have some.
	Locales map[string][]string
	// Domains lists the domains of the languages that have some.
	Domains map[string][]string
}

// TranslationFeatures is what can be translated.
type TranslationFeatures struct {
	// Version is the version of the models.
	Version string
	// Languages lists the languages that each language can be translated to.
	Languages map[string][]string
}

// Discover returns what the hosted service offers. It is beside version 2 of the API: where the base URL ends in /v2, the address
// ends in /v1/discovery/features. The provider wants no key for it.
func (c *Client) Discover(ctx context.Context) (*Features, error) {
	if err := c.require(c.backend.Capabilities().HasDiscovery, opDiscover, "discovery", needsHostedService); err != nil {
		return nil, err
	}
	root, ok := strings.CutSuffix(c.base, "/v2")
	if !ok {
		return nil, &InvalidError{Operation: opDiscover, Field: "base URL", Problem: "does not end in /v2, so that discovery cannot be found beside it"}
	}
	call := &call{operation: opDiscover, method: http.MethodGet, root: root, segments: []string{"v1", "discovery", "features"}}
	features := &Features{}
	requestID, err := c.readJSON(ctx, call, maxFeaturesBytes, features)
	if err != nil {
		return nil, err
	}
	features.RequestID = requestID
	return features, nil
}

// UnmarshalJSON reads features. Members that are not what they should be are taken for absent; Document has them.
func (f *Features) UnmarshalJSON(data []byte) error {
	var wire struct {
		Metadata json.RawMessage `json:"metadata"`
		Batch    json.RawMessage `json:"batch"`
	}
	if err := unmarshalObject(data, &wire); err != nil {
		return err
	}
	metadata, batch := membersOf(wire.Metadata), membersOf(wire.Batch)
	*f = Features{Document: json.RawMessage(string(data))}
	for code, raw := range membersOf(metadata["language_pack_info"]) {
		if f.Languages == nil {
			f.Languages = map[string]LanguageFeatures{}
		}
		f.Languages[code] = languageFeaturesOf(membersOf(raw))
	}
	for _, item := range listOf(batch["transcription"]) {
		members := membersOf(item)
		f.Transcription = append(f.Transcription, TranscriptionFeatures{
			Version:   textOf(members["version"]),
			Languages: textsOf(members["languages"]),
			Locales:   textListsOf(members["locales"]),
			Domains:   textListsOf(members["domains"]),
		})
	}
	for _, item := range listOf(batch["translation"]) {
		members := membersOf(item)
		f.Translation = append(f.Translation, TranslationFeatures{Version: textOf(members["version"]), Languages: textListsOf(members["languages"])})
	}
	f.LanguageIdentification = identifiableOf(batch)
	return nil
}

// identifiableOf reads batch.languageid (documentation) or batch.languageId (the provider's JavaScript library): a list of codes, or of
// objects with such a list, as the other features have.
func identifiableOf(batch map[string]json.RawMessage) []string {
	var codes []string
	for _, name := range []string{"languageid", "languageId"} {
		for _, item := range listOf(batch[name]) {
			if isObject(item) {
				codes = append(codes, textsOf(membersOf(item)["languages"])...)
			} else if code := textOf(item); code != "" {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

func languageFeaturesOf(members map[string]json.RawMessage) LanguageFeatures {
	return LanguageFeatures{
		Description: textOf(members["language_description"]),
		Locales:     namesOf(members["locales"]),
		Domains:     namesOf(members["domains"]),
	}
}

// namesOf reads {"en-GB": {"name": "British English"}}, also as a mere list of codes, or with a text for the object.
func namesOf(raw json.RawMessage) map[string]string {
	names := map[string]string{}
	for _, code := range textsOf(raw) {
		names[code] = ""
	}
	for code, value := range membersOf(raw) {
		names[code] = textOf(value)
		if isObject(value) {
			names[code] = textOf(membersOf(value)["name"])
		}
	}
	if len(names) == 0 {
		return nil
	}
	return names
}

// textListsOf reads an object of lists of texts.
func textListsOf(raw json.RawMessage) map[string][]string {
	var lists map[string][]string
	for name, value := range membersOf(raw) {
		if lists == nil {
			lists = map[string][]string{}
		}
		lists[name] = textsOf(value)
	}
	return lists
}
