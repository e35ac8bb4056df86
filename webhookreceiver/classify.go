// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"bytes"
	"encoding/json"
	"mime"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// kind is what a part of a notification is.
type kind string

const (
	// kindOther is anything that is not stored: media, alignments, what a newer provider may send.
	kindOther   kind = "other"
	kindJobInfo kind = "jobinfo"
	kindJSON    kind = kind(v1alpha1.FormatJSONv2)
	kindText    kind = kind(v1alpha1.FormatText)
	kindSRT     kind = kind(v1alpha1.FormatSRT)
)

// format is the format of a transcript; empty for what is none.
func (k kind) format() v1alpha1.TranscriptFormat {
	switch k {
	case kindJSON, kindText, kindSRT:
		return v1alpha1.TranscriptFormat(k)
	default:
		return ""
	}
}

// sniffBytes is how much of a part is looked at to find out what it is.
const sniffBytes = 32 << 10

// part is what is known about a part, or about a body that is not multipart, before its content is read.
type part struct {
	name, fileName, contentType string
	// head is the beginning of the content, at most sniffBytes.
	head []byte
}

// classify finds out what a part is: by its name, then its file name, then its content type, then its content. The provider documents
// neither names nor file names, so each of them is believed as far as it goes, and the content decides the rest. JSON must look like
// JSON, unless it has the very name of the item: what has that name and is something else is a document that cannot be read, of which
// somebody must learn.
func classify(p part) kind {
	guess := byName(p.name)
	if guess == "" {
		guess = byFileName(p.fileName)
	}
	if guess == kindJSON {
		return kindJSON
	}
	if guess == "" {
		guess = byContentType(p.contentType, p.head)
	}
	if guess == "" {
		guess = byContent(p.head)
	}
	if (guess == kindJSON || guess == kindJobInfo) && !looksLikeObject(p.head) {
		return kindOther
	}
	return guess
}

// byName knows the items of notification_config.contents, with the dot of the enumeration and the colon of its example. "transcript"
// and the older "data_file" say only that it is a transcript; what is in it must be looked at.
func byName(name string) kind {
	name = strings.Replace(name, ":", ".", 1)
	switch name {
	case notification.ContentJobInfo:
		return kindJobInfo
	case notification.ContentOf(v1alpha1.FormatJSONv2):
		return kindJSON
	case notification.ContentOf(v1alpha1.FormatText):
		return kindText
	case notification.ContentOf(v1alpha1.FormatSRT):
		return kindSRT
	case "data", "text":
		return kindOther
	}
	if name == "alignment" || strings.HasPrefix(name, "alignment.") {
		return kindOther
	}
	return ""
}

func byFileName(name string) kind {
	// Some senders put the item of contents there, and "transcript.json-v2" has no extension that anybody knows.
	base := path.Base(strings.ReplaceAll(name, `\`, "/"))
	if known := byName(base); known != "" {
		return known
	}
	stem, extension := strings.TrimSuffix(base, path.Ext(base)), strings.ToLower(path.Ext(base))
	switch {
	case extension == ".srt":
		return kindSRT
	case extension == ".txt":
		return kindText
	case extension == ".json" && stem == notification.ContentJobInfo:
		return kindJobInfo
	default:
		return "" // also other JSON, which may be either
	}
}

func byContentType(contentType string, head []byte) kind {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	switch {
	case mediaType == "application/x-subrip" || mediaType == "text/srt":
		return kindSRT
	case mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"):
		return jsonKind(head)
	case mediaType == "text/plain" && looksLikeSRT(head):
		return kindSRT
	case mediaType == "text/plain":
		return kindText
	case strings.HasPrefix(mediaType, "audio/") || strings.HasPrefix(mediaType, "video/") || mediaType == "text/html":
		return kindOther
	default:
		return ""
	}
}

func byContent(head []byte) kind {
	switch {
	case looksLikeObject(head):
		return jsonKind(head)
	case looksLikeSRT(head):
		return kindSRT
	case len(head) > 0 && looksLikeText(head):
		return kindText
	default:
		return kindOther
	}
}

// jsonKind tells a transcript from the facts about a job by the keys of the document. A transcript has the key "job" too, so that one
// decides nothing.
func jsonKind(head []byte) kind {
	keys, whole := topLevelKeys(head)
	for _, key := range keys {
		switch key {
		case "results", "format", "metadata":
			return kindJSON
		case "id", "config", "created_at", "tracking":
			return kindJobInfo
		}
	}
	if whole && len(keys) == 1 && keys[0] == "job" {
		return kindJobInfo
	}
	return kindOther
}

// topLevelKeys are the keys of an object of which only the beginning may be there; whole says whether its end is.
func topLevelKeys(head []byte) (keys []string, whole bool) {
	decoder := json.NewDecoder(bytes.NewReader(trimBOM(head)))
	depth, expectKey := 0, false
	for {
		token, err := decoder.Token()
		if err != nil {
			return keys, false // the end of what is there, or no JSON
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth == 0 && token != json.Delim('{') {
				return nil, false
			}
			depth++
			expectKey = depth == 1
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
			if depth == 0 {
				return keys, true
			}
			expectKey = depth == 1
			continue
		}
		switch {
		case depth == 0:
			return nil, false
		case depth == 1 && expectKey:
			key, ok := token.(string)
			if !ok {
				return keys, false
			}
			keys = append(keys, key)
			expectKey = false
		case depth == 1:
			expectKey = true
		}
	}
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func trimBOM(head []byte) []byte { return bytes.TrimPrefix(head, byteOrderMark) }

func looksLikeObject(head []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(trimBOM(head), " \t\r\n"), []byte("{"))
}

// cue is the beginning of a SubRip file: a number, and the times of the first subtitle.
var cue = regexp.MustCompile(`^\s*\d{1,9}[ \t]*\r?\n\d{1,4}:\d{2}:\d{2}[,.]\d{1,3}[ \t]*-->`)

func looksLikeSRT(head []byte) bool { return cue.Match(trimBOM(head)) }

// looksLikeText says whether there is UTF-8 without control characters that text does not have. The last character may be cut.
func looksLikeText(head []byte) bool {
	for len(head) > 0 {
		r, size := utf8.DecodeRune(head)
		if r == utf8.RuneError && size == 1 {
			return !utf8.FullRune(head)
		}
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' {
			return false
		}
		head = head[size:]
	}
	return true
}
