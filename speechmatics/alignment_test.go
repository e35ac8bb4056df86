// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

var alignmentConfig = JobConfig{Type: JobAlignment, AlignmentConfig: &AlignmentConfig{Language: "en"}}

const alignmentConfigJSON = `{"type":"alignment","alignment_config":{"language":"en"}}`

func file(name, content string) *Media {
	return &Media{Name: name, Reader: strings.NewReader(content), Size: int64(len(content))}
}

func TestCreateAlignment(t *testing.T) {
	configPart := receivedPart{"config", "", alignmentConfigJSON}
	fetchText := JobConfig{
		Type: JobAlignment, AlignmentConfig: &AlignmentConfig{Language: "en"},
		FetchData: &FetchData{URL: "https://h/a.wav"}, FetchText: &FetchData{URL: "https://h/a.txt", AuthHeaders: []string{"A: b"}},
	}
	fetchTextJSON := `{"type":"alignment","fetch_data":{"url":"https://h/a.wav"},` +
		`"fetch_text":{"url":"https://h/a.txt","auth_headers":["A: b"]},"alignment_config":{"language":"en"}}`
	tests := []struct {
		name    string
		request CreateJobRequest
		parts   []receivedPart
		chunked bool
	}{
		{
			name:    "both uploaded",
			request: CreateJobRequest{Config: alignmentConfig, Media: file("a.wav", "sound"), Text: file("a.txt", "words")},
			parts:   []receivedPart{configPart, {"text_file", "a.txt", "words"}, {"data_file", "a.wav", "sound"}},
		},
		{
			name: "of unknown size",
			request: CreateJobRequest{
				Config: alignmentConfig, Media: file("a.wav", "sound"),
				Text: &Media{Name: "a.txt", Reader: iotest.DataErrReader(strings.NewReader("words")), Size: -1},
			},
			parts:   []receivedPart{configPart, {"text_file", "a.txt", "words"}, {"data_file", "a.wav", "sound"}},
			chunked: true,
		},
		{name: "both fetched", request: CreateJobRequest{Config: fetchText}, parts: []receivedPart{{"config", "", fetchTextJSON}}},
		{
			name: "text uploaded, media fetched",
			request: CreateJobRequest{
				ConfigJSON: json.RawMessage(`{"type":"alignment","fetch_data":{}}`), Text: file("a.txt", "words"),
			},
			parts: []receivedPart{{"config", "", `{"type":"alignment","fetch_data":{}}`}, {"text_file", "a.txt", "words"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got receivedSubmission
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				var err error
				if got, err = receive(r); err != nil {
					t.Error(err)
				}
				answer(http.StatusCreated, "application/json", `{"id":"a"}`)(w, r)
			})
			if _, err := c.CreateJob(testContext(t), tt.request); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.parts, got.Parts); diff != "" {
				t.Error(diff)
			}
			if got.Chunked != tt.chunked || (got.ContentLength > 0) == tt.chunked {
				t.Errorf("chunked: %t, length %d", got.Chunked, got.ContentLength)
			}
		})
	}
}

func TestCreateAlignmentRefuses(t *testing.T) {
	media := func() *Media { return file("a.wav", "sound") }
	text := func() *Media { return file("a.txt", "words") }
	fetched := alignmentConfig
	fetched.FetchText = &FetchData{URL: "https://h/a.txt"}
	for _, tt := range []struct {
		name, field string
		request     CreateJobRequest
	}{
		{"no text", "Text", CreateJobRequest{Config: alignmentConfig, Media: media()}},
		{"no media", "Media", CreateJobRequest{Config: alignmentConfig, Text: text()}},
		{"two texts", "Text", CreateJobRequest{Config: fetched, Media: media(), Text: text()}},
		{"a text for a transcription", "Text", CreateJobRequest{Config: minimalConfig, Media: media(), Text: text()}},
		{"null is no text", "Text", CreateJobRequest{ConfigJSON: json.RawMessage(`{"type":"alignment","fetch_text":null}`), Media: media()}},
		{"a text without a name", "Text.Name", CreateJobRequest{Config: alignmentConfig, Media: media(), Text: file("", "words")}},
		{"an empty text", "Text.Size", CreateJobRequest{Config: alignmentConfig, Media: media(), Text: file("a.txt", "")}},
	} {
		var invalid *InvalidError
		_, err := serve(t, neverAsked(t)).CreateJob(testContext(t), tt.request)
		if !errors.As(err, &invalid) || invalid.Field != tt.field || !NotCreated(err) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

// A text that fails breaks the submission off as media that fails does, and the error says which of the two it was.
func TestTextThatFails(t *testing.T) {
	errDisk := errors.New("disk")
	for name, tt := range map[string]struct {
		text   *Media
		want   error
		phrase string
	}{
		"fails":      {&Media{Name: "a.txt", Reader: iotest.ErrReader(errDisk), Size: -1}, errDisk, "reading the text: disk"},
		"is shorter": {&Media{Name: "a.txt", Reader: strings.NewReader("word"), Size: 5}, errMediaSize, "reading the text: it is not as long"},
	} {
		t.Run(name, func(t *testing.T) {
			wire := recordBrokenRequest(t)
			_, err := wire.client.CreateJob(testContext(t), CreateJobRequest{Config: alignmentConfig, Media: file("a.wav", "sound"), Text: tt.text})
			if !errors.Is(err, tt.want) || !NotCreated(err) || !strings.Contains(err.Error(), tt.phrase) {
				t.Errorf("got %v", err)
			}
			wire.expectNoClosingBoundary(t)
		})
	}
}

func TestDownloads(t *testing.T) {
	tests := []struct {
		name string
		open func(context.Context, *Client) (*Download, error)
		want string // the request
	}{
		{"log", func(ctx context.Context, c *Client) (*Download, error) { return c.Log(ctx, "a") }, "/v2/jobs/a/log"},
		{"data", func(ctx context.Context, c *Client) (*Download, error) { return c.Data(ctx, "a") }, "/v2/jobs/a/data"},
		{"text", func(ctx context.Context, c *Client) (*Download, error) { return c.Text(ctx, "a") }, "/v2/jobs/a/text"},
		{
			"alignment", func(ctx context.Context, c *Client) (*Download, error) { return c.Alignment(ctx, "a", "") },
			"/v2/jobs/a/alignment",
		},
		{
			"alignment per line",
			func(ctx context.Context, c *Client) (*Download, error) {
				return c.Alignment(ctx, "a", TagsOnePerLine)
			},
			"/v2/jobs/a/alignment?tags=one_per_line",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const text = "<time=0.41>hello<time=0.76>\r\n"
			var asked string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked = r.URL.RequestURI()
				answer(http.StatusOK, "text/plain", text)(w, r)
			})
			got, err := tt.open(testContext(t), c)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = got.Body.Close() }()
			body, err := io.ReadAll(got.Body)
			if err != nil || string(body) != text || got.Size != int64(len(text)) || got.ContentType != "text/plain" || got.RequestID == "" {
				t.Errorf("got %q in %+v, %v", body, got, err)
			}
			if asked != tt.want {
				t.Errorf("asked for %s", asked)
			}
		})
		t.Run(tt.name+" that fails", func(t *testing.T) {
			for status, is := range map[int]func(error) bool{
				404: IsNotFound, 410: IsGone, 501: func(err error) bool { return hasStatus(err, 501) },
			} {
				_, err := tt.open(testContext(t), serve(t, answer(status, "application/json", `{"error":"no"}`)))
				var failure *Error
				if !is(err) || !errors.As(err, &failure) || failure.JobID != "a" || !strings.EqualFold(failure.Operation, strings.Fields(tt.name)[0]) {
					t.Errorf("%d: got %v", status, err)
				}
			}
		})
	}
	for _, id := range []string{"", "..", "a/b"} {
		c := serve(t, neverAsked(t))
		_, logErr := c.Log(testContext(t), id)
		_, dataErr := c.Data(testContext(t), id)
		_, textErr := c.Text(testContext(t), id)
		_, alignmentErr := c.Alignment(testContext(t), id, "")
		_, tagsErr := c.Alignment(testContext(t), "a", "one per line")
		for _, err := range []error{logErr, dataErr, textErr, alignmentErr, tagsErr} {
			if !errors.As(err, new(*InvalidError)) {
				t.Errorf("%q: got %v", id, err)
			}
		}
	}
}
