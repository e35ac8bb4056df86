// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package redaction keeps what is secret about a job out of the texts that others write about it: the provider repeats what it does not
// like, and everybody who may read a job may read its conditions and events.
package redaction

import (
	"cmp"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const (
	placeholder = "[redacted]"
	// minBytes is how long a value is at least that is taken for a secret: to remove shorter ones would only mangle texts.
	minBytes = 4
	// minPartBytes is the same for a part of a value, which may be a common word.
	minPartBytes = 10
	// ellipsis is where a text was cut, as package speechmatics cuts those of the provider.
	ellipsis = "…"
)

// urlPaths matches the scheme and host of a URL, also as some JSON encoders escape it, and what follows them. What ends a URL is what
// speechmatics.RedactURLs takes for its end.
var urlPaths = regexp.MustCompile(`(?i)(https?:(?:\\?/){2}[^/\\\s"<>` + "`" + `?#]+)[^\s"<>` + "`" + `]*`)

// Text removes from a text what is secret about a job: the secrets that are given (see OfURL and OfHeaders), the identifiers of
// speakers, which are personal data, and what URLs have in their query; what they have in their path, too, if one of the job's
// comes from a Secret, where the path may be what is secret about it.
func Text(spec *v1alpha1.TranscriptionJobSpec, text string, secrets ...string) string {
	hidden := spellings(append(slices.Clone(secrets), speakerIdentifiers(spec)...))
	for _, secret := range hidden {
		text = strings.ReplaceAll(text, secret, placeholder)
	}
	text = hideCut(text, hidden)
	if hasSecretURL(spec) {
		text = urlPaths.ReplaceAllString(text, "$1/"+ellipsis)
	}
	return speechmatics.RedactURLs(text)
}

// OfURL returns what is secret about a URL that comes from a Secret: itself, and what is told by its parts.
func OfURL(address string) []string {
	// What was redacted already, for another reader, is recognised as well.
	secrets := []string{address, speechmatics.RedactURLs(address)}
	u, err := url.Parse(address)
	if err != nil {
		return secrets
	}
	secrets = append(secrets, u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery)
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password)
	}
	parts := strings.Split(u.Path, "/")
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	return append(secrets, long(parts)...)
}

// OfHeaders returns what is secret about HTTP headers in the form "Name: value": the lines, their values, and credentials without
// their scheme.
func OfHeaders(lines []string) []string {
	secrets := slices.Clone(lines)
	for _, line := range lines {
		_, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		secrets = append(secrets, value)
		if _, credentials, ok := strings.Cut(value, " "); ok {
			secrets = append(secrets, strings.TrimSpace(credentials))
		}
	}
	return secrets
}

func long(parts []string) []string {
	return slices.DeleteFunc(parts, func(part string) bool { return len(part) < minPartBytes })
}

// spellings are the secrets as they may stand in a text, also within JSON: the longest first, since one may be part of another.
func spellings(secrets []string) []string {
	var all []string
	for _, secret := range secrets {
		if len(secret) < minBytes {
			continue
		}
		escaped, _ := json.Marshal(secret) // a string can always be encoded
		for _, spelling := range []string{secret, string(escaped[1 : len(escaped)-1])} {
			all = append(all, spelling, strings.ReplaceAll(spelling, "/", `\/`))
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	return slices.Compact(all)
}

// hideCut removes a secret of which only the beginning is there, because the text was cut.
func hideCut(text string, secrets []string) string {
	pieces := strings.Split(text, ellipsis)
	for i, piece := range pieces[:len(pieces)-1] {
		if n := longestBeginning(piece, secrets); n >= minBytes {
			pieces[i] = piece[:len(piece)-n] + placeholder
		}
	}
	return strings.Join(pieces, ellipsis)
}

// longestBeginning is how many of a text's last bytes are the beginning of a secret.
func longestBeginning(text string, secrets []string) int {
	longest := 0
	for _, secret := range secrets {
		for n := min(len(secret), len(text)); n > longest; n-- {
			if strings.HasSuffix(text, secret[:n]) {
				longest = n
			}
		}
	}
	return longest
}

func hasSecretURL(spec *v1alpha1.TranscriptionJobSpec) bool {
	return spec.Media.URLFrom != nil ||
		slices.ContainsFunc(spec.Notifications, func(n v1alpha1.NotificationSpec) bool { return n.URLFrom != nil })
}

// speakerIdentifiers are those that a job names, also in spec.providerConfig.
func speakerIdentifiers(spec *v1alpha1.TranscriptionJobSpec) []string {
	var identifiers []string
	if diarization := spec.Transcription.SpeakerDiarization; diarization != nil {
		for _, speaker := range diarization.Speakers {
			identifiers = append(identifiers, speaker.SpeakerIdentifiers...)
		}
	}
	if spec.ProviderConfig != nil {
		var members any
		if err := json.Unmarshal(spec.ProviderConfig.Raw, &members); err == nil { // what is no JSON is never sent
			identifiers = append(identifiers, identifiersIn(members, false)...)
		}
	}
	return identifiers
}

// identifiersIn are the texts within members that are called speaker_identifiers.
func identifiersIn(value any, within bool) []string {
	var identifiers []string
	switch value := value.(type) {
	case string:
		if within {
			return []string{value}
		}
	case []any:
		for _, item := range value {
			identifiers = append(identifiers, identifiersIn(item, within)...)
		}
	case map[string]any:
		for name, member := range value {
			identifiers = append(identifiers, identifiersIn(member, within || strings.EqualFold(name, "speaker_identifiers"))...)
		}
	}
	return identifiers
}
