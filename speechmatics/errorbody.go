// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// MaxRetryAfter bounds [Error.RetryAfter]: a nonsensical header must not stop an account for days.
const MaxRetryAfter = time.Hour

const (
	maxErrorBodyBytes   = 64 << 10
	maxErrorTextBytes   = 1024
	maxReasonBytes      = 256
	maxRequestIDBytes   = 128
	maxContentTypeBytes = 128

	// A key shorter than this is no real one, and removing it would only mangle texts.
	minRedactedKeyBytes = 8
)

// readError makes an Error of an answer that is not a success. What cannot be read or understood is left out: the
// status alone is worth reporting.
func (k *call) readError(resp *http.Response, now func() time.Time) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBodyBytes))
	parsed := parseErrorBody(resp.Header.Get("Content-Type"), body)
	detail := parsed.detail
	if location, err := resp.Location(); err == nil && resp.StatusCode < http.StatusBadRequest {
		detail = "redirect to " + location.String() // made absolute, so that it is redacted like any URL
	}
	return &Error{
		Operation:   k.operation,
		JobID:       k.jobID,
		StatusCode:  resp.StatusCode,
		Code:        parsed.code,
		Reason:      k.clean(parsed.reason, maxReasonBytes),
		Detail:      k.clean(detail, maxErrorTextBytes),
		RequestID:   k.requestID(resp),
		RetryAfter:  retryAfter(resp.Header, now),
		ContentType: k.clean(resp.Header.Get("Content-Type"), maxContentTypeBytes),
	}
}

// requestID returns what identifies a request to the provider's support, or else to that of the servers in front of it.
func (k *call) requestID(resp *http.Response) string {
	for _, name := range []string{"Request-Id", "X-Request-Id", "X-Azure-Ref"} {
		if id := resp.Header.Get(name); id != "" {
			return k.clean(id, maxRequestIDBytes)
		}
	}
	return ""
}

// clean makes a text of somebody else's fit for errors: no secrets of URLs, not the key, one line, bounded.
func (k *call) clean(text string, maxBytes int) string {
	text = RedactURLs(oneLine(text)) // in this order: what is not printable could hide a URL
	if len(k.key) >= minRedactedKeyBytes {
		text = strings.ReplaceAll(text, k.key, "[redacted]")
	}
	return cut(text, maxBytes)
}

// oneLine joins a text's lines, and removes what is not printable.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(text), " ")
}

// cut shortens a valid text to at most maxBytes bytes, between two characters.
func cut(text string, maxBytes int) string {
	const ellipsis = "…"
	if len(text) <= maxBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxBytes-len(ellipsis)], "") + ellipsis
}

// errorBody is what an error's body tells, not cleaned yet.
type errorBody struct {
	code           int
	reason, detail string
}

func parseErrorBody(contentType string, body []byte) errorBody {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return errorBody{}
	case body[0] == '{':
		return parseJSONError(body)
	case body[0] == '<' || isHTML(contentType):
		return errorBody{reason: htmlTitle(body)}
	default:
		return errorBody{detail: string(body)}
	}
}

// parseJSONError reads {"code", "error", "detail"} and its relatives. A body that is not JSON after all tells nothing:
// it may be cut off in the middle of a configuration that it repeats.
func parseJSONError(body []byte) errorBody {
	var fields struct {
		Code    json.RawMessage `json:"code"`
		Error   json.RawMessage `json:"error"`
		Detail  json.RawMessage `json:"detail"`
		Message json.RawMessage `json:"message"`
	}
	if err := json.Unmarshal(body, &fields); err != nil {
		return errorBody{}
	}
	parsed := errorBody{reason: messageOf(fields.Error), detail: messageOf(fields.Detail)}
	if parsed.detail == "" {
		parsed.detail = messageOf(fields.Message)
	}
	if code, err := strconv.Atoi(textOf(fields.Code)); err == nil {
		parsed.code = code
	}
	return parsed
}

// messageOf returns the message in a value that is a text, a list of messages or an object with one. Other members of objects are left
// out: validators repeat the input they complain about, which may be a configuration with credentials.
func messageOf(raw json.RawMessage) string {
	if list := listOf(raw); list != nil {
		var messages []string
		for _, item := range list {
			if message := validationMessage(item); message != "" {
				messages = append(messages, message)
			}
		}
		return strings.Join(messages, "; ")
	}
	return validationMessage(raw)
}

// validationMessage reads a text, or an object in the manner of FastAPI: {"loc": ["body", "config"], "msg": "field required"}.
func validationMessage(raw json.RawMessage) string {
	if text := textOf(raw); text != "" {
		return text
	}
	var object struct {
		Loc     json.RawMessage `json:"loc"`
		Msg     json.RawMessage `json:"msg"`
		Message json.RawMessage `json:"message"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return ""
	}
	message := textOf(object.Msg)
	if message == "" {
		message = textOf(object.Message)
	}
	var place []string
	for _, segment := range listOf(object.Loc) {
		place = append(place, textOf(segment))
	}
	if len(place) == 0 || message == "" {
		return message
	}
	return fmt.Sprintf("%s: %s", strings.Join(place, "."), message)
}

func isHTML(contentType string) bool { return hasMediaType(contentType, "text/html") }

func isPlainText(contentType string) bool { return hasMediaType(contentType, "text/plain") }

func hasMediaType(contentType, want string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && mediaType == want
}

var titlePattern = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// htmlTitle returns the title of an edge server's error page: "401 Authorization Required" for example.
func htmlTitle(page []byte) string {
	match := titlePattern.FindSubmatch(page)
	if match == nil {
		return ""
	}
	return html.UnescapeString(string(match[1]))
}

// retryAfter reads the header Retry-After: seconds, or a date, which is compared with the answer's own date so that clocks need not agree.
func retryAfter(header http.Header, now func() time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 63); err == nil {
		if seconds > uint64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		from = now()
	}
	return min(max(until.Sub(from), 0), MaxRetryAfter)
}
