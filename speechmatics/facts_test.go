// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestUsage(t *testing.T) {
	const document = `{"since":"2021-09-12T00:00:00Z","until":"2022-01-01T23:59:59Z",
		"summary":[{"mode":"batch","type":"transcription","count":5,"duration_hrs":1.53}],
		"details":[
			{"mode":"batch","type":"transcription","language":"sv","model":"standard","count":4,"duration_hrs":1.33},
			{"mode":"batch","type":"transcription","language":"de","operating_point":"enhanced","count":1,"duration_hrs":0.2},
			{"mode":"batch","type":"transcription","model":"melia-1","operating_point":"enhanced","count":"2","duration_hrs":"1"},
			null, "x", {"mode":"future","count":-0.5,"duration_hrs":-1,"new":true}]}`
	want := &Usage{
		Since:   time.Date(2021, 9, 12, 0, 0, 0, 0, time.UTC),
		Until:   time.Date(2022, 1, 1, 23, 59, 59, 0, time.UTC),
		Summary: []UsageRecord{{Mode: "batch", Type: "transcription", Count: 5, Duration: 91*time.Minute + 48*time.Second}},
		Details: []UsageRecord{
			{Mode: "batch", Type: "transcription", Language: "sv", Model: "standard", Count: 4, Duration: 79*time.Minute + 48*time.Second},
			{Mode: "batch", Type: "transcription", Language: "de", Model: "enhanced", Count: 1, Duration: 12 * time.Minute},
			{Mode: "batch", Type: "transcription", Model: "melia-1", Count: 2, Duration: time.Hour},
			{Mode: "future"},
		},
		Document:  json.RawMessage(document),
		RequestID: "0123456789abcdef0123456789abcdef",
	}
	got, err := serve(t, answer(http.StatusOK, "application/json", document)).Usage(testContext(t), UsageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, document := range []string{`{}`, `{"since":1,"until":null,"summary":null,"details":{}}`} {
		got, err := serve(t, answer(http.StatusOK, "application/json", document)).Usage(testContext(t), UsageQuery{})
		if diff := cmp.Diff(&Usage{}, got, cmpopts.IgnoreFields(Usage{}, "Document", "RequestID")); err != nil || diff != "" {
			t.Errorf("%s: %v %s", document, err, diff)
		}
	}
}

func TestUsageQuery(t *testing.T) {
	zone := time.FixedZone("", -3600)
	tests := map[string]UsageQuery{
		"":                                  {},
		"since=2026-01-02":                  {Since: at(0, 0)},
		"until=2026-01-02":                  {Until: at(0, 0)},
		"since=2026-01-02&until=2026-01-02": {Since: at(1, 0), Until: at(0, 0)},
		"since=2026-01-03":                  {Since: time.Date(2026, 1, 2, 23, 30, 0, 0, zone)},
	}
	for want, query := range tests {
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery != want || r.URL.Path != "/v2/usage" {
				t.Errorf("got %s", r.URL)
			}
			answer(http.StatusOK, "application/json", "{}")(w, r)
		})
		if _, err := c.Usage(testContext(t), query); err != nil {
			t.Error(err)
		}
	}
	_, err := serve(t, neverAsked(t)).Usage(testContext(t), UsageQuery{Since: at(0, 0), Until: at(0, 0).AddDate(0, 0, -1)})
	var invalid *InvalidError
	if !errors.As(err, &invalid) || invalid.Field != "Until" {
		t.Errorf("got %v", err)
	}
}

func TestDiscover(t *testing.T) {
	const document = `{
		"metadata":{"language_pack_info":{
			"en":{"language_description":"English","locales":{"en-GB":{"name":"British English"},"en-AU":"Australian","en-US":{}},"domains":["medical"]},
			"de":{"language_description":"German"},"xx":null}},
		"batch":{
			"transcription":[{"version":"latest","languages":["en","de"],"locales":{"en":["en-GB","en-US"]},"domains":{"en":["medical"],"xx":1}}, 7],
			"translation":[{"version":"latest","languages":{"en":["de","fr"]}}],
			%s
		},
		"realtime":{}}`
	languages := map[string]LanguageFeatures{
		"en": {
			Description: "English",
			Locales:     map[string]string{"en-GB": "British English", "en-AU": "Australian", "en-US": ""},
			Domains:     map[string]string{"medical": ""},
		},
		"de": {Description: "German"},
		"xx": {},
	}
	want := &Features{
		Languages: languages,
		Transcription: []TranscriptionFeatures{
			{
				Version: "latest", Languages: []string{"en", "de"}, Locales: map[string][]string{"en": {"en-GB", "en-US"}},
				Domains: map[string][]string{"en": {"medical"}, "xx": nil},
			},
			{},
		},
		Translation:            []TranslationFeatures{{Version: "latest", Languages: map[string][]string{"en": {"de", "fr"}}}},
		LanguageIdentification: []string{"en", "de"},
		RequestID:              "0123456789abcdef0123456789abcdef",
	}
	for _, spelling := range []string{
		`"languageid":["en","de"]`,
		`"languageId":["en","de"]`,
		`"languageid":[{"version":"latest","languages":["en","de"]}],"languageId":null`,
	} {
		document := strings.Replace(document, "%s", spelling, 1)
		want.Document = json.RawMessage(document)
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/discovery/features" {
				t.Errorf("got %s", r.URL)
			}
			answer(http.StatusOK, "application/json", document)(w, r)
		})
		got, err := c.Discover(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	got, err := serve(t, answer(http.StatusOK, "application/json", `{"metadata":[],"batch":"x"}`)).Discover(testContext(t))
	if diff := cmp.Diff(&Features{}, got, cmpopts.IgnoreFields(Features{}, "Document", "RequestID")); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// What is beside version 2 keeps a gateway's path, and cannot be guessed for another base URL.
func TestBesideVersion2(t *testing.T) {
	calls := map[string]struct {
		backend Backend
		path    string
		call    func(context.Context, *Client) error
	}{
		"Discover":       {SaaS, "/v1/discovery/features", func(ctx context.Context, c *Client) error { _, err := c.Discover(ctx); return err }},
		"WorkerCapacity": {Worker, "/jobs", func(ctx context.Context, c *Client) error { _, err := c.WorkerCapacity(ctx); return err }},
		"WorkerReady":    {Worker, "/ready", func(ctx context.Context, c *Client) error { _, err := c.WorkerReady(ctx); return err }},
	}
	for name, tt := range calls {
		t.Run(name, func(t *testing.T) {
			asked := ""
			transport := roundTripper(func(r *http.Request) (*http.Response, error) {
				asked = r.URL.String()
				return nil, errors.New("no network")
			})
			c := newTestClient(t, "https://h/speech/v2/", WithBackend(tt.backend), WithHTTPClient(&http.Client{Transport: transport}))
			if err := tt.call(testContext(t), c); err == nil || asked != "https://h/speech"+tt.path {
				t.Errorf("asked for %s, got %v", asked, err)
			}
			asked = ""
			c = newTestClient(t, "https://h/speech", WithBackend(tt.backend), WithHTTPClient(&http.Client{Transport: transport}))
			var invalid *InvalidError
			if err := tt.call(testContext(t), c); !errors.As(err, &invalid) || invalid.Operation != name || asked != "" {
				t.Errorf("asked for %s, got %v", asked, err)
			}
		})
	}
}

func TestWorkerCapacity(t *testing.T) {
	const document = `{"active_jobs":[{"job_id":"f8a564954b334eecb823","parallel_engines":1},{"job_id":7},{},null],"max_engines":8,"unused_engines":6}`
	got, err := serve(t, answer(http.StatusOK, "application/json", document), WithBackend(Worker)).WorkerCapacity(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	want := &WorkerCapacity{MaxEngines: 8, UnusedEngines: 6, ActiveJobs: []ActiveJob{{"f8a564954b334eecb823", 1}, {ID: "7"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWorkerReady(t *testing.T) {
	tests := []struct {
		status int
		body   string
		want   *WorkerReadiness
	}{
		{200, `{"ready":true,"engines_used":0}`, &WorkerReadiness{Ready: true}},
		{200, `{"ready":true}`, &WorkerReadiness{Ready: true}},
		{503, `{"ready":false,"engines_used":8}`, &WorkerReadiness{EnginesUsed: 8}},
		{503, `{"detail":"Server busy"}`, nil},
		{503, `<title>503 Service Temporarily Unavailable</title>`, nil},
		{500, `{"ready":true,"engines_used":0}`, nil},
		{200, `{"live":true}`, nil},
	}
	for _, tt := range tests {
		c := serve(t, answer(tt.status, "application/json", tt.body), WithBackend(Worker))
		got, err := c.WorkerReady(testContext(t))
		if diff := cmp.Diff(tt.want, got); diff != "" || (err == nil) != (tt.want != nil) {
			t.Errorf("%d %s: %v %s", tt.status, tt.body, err, diff)
		}
	}
}

// Answers that claim success and are not what was asked for.
func TestFactsThatCannotBeUnderstood(t *testing.T) {
	calls := map[string]struct {
		backend Backend
		limit   int
		call    func(context.Context, *Client) error
	}{
		"Usage":          {SaaS, maxUsageBytes, func(ctx context.Context, c *Client) error { _, err := c.Usage(ctx, UsageQuery{}); return err }},
		"Discover":       {SaaS, maxFeaturesBytes, func(ctx context.Context, c *Client) error { _, err := c.Discover(ctx); return err }},
		"WorkerCapacity": {Worker, maxWorkerBytes, func(ctx context.Context, c *Client) error { _, err := c.WorkerCapacity(ctx); return err }},
		"WorkerReady":    {Worker, maxWorkerBytes, func(ctx context.Context, c *Client) error { _, err := c.WorkerReady(ctx); return err }},
	}
	for name, tt := range calls {
		for _, body := range []string{
			``, `null`, `[]`, `"x"`, `7`, `<html>hunter2</html>`, `{"ready":`, strings.Repeat(" ", tt.limit) + `{"ready":true}`,
		} {
			err := tt.call(testContext(t), serve(t, answer(http.StatusOK, "application/json", body), WithBackend(tt.backend)))
			var unusable *ResponseError
			if !errors.As(err, &unusable) || unusable.Operation != name || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s, %.20s: got %v", name, body, err)
			}
		}
		err := tt.call(testContext(t), serve(t, answer(http.StatusForbidden, "application/json", `{"error":"Forbidden"}`), WithBackend(tt.backend)))
		if !IsForbidden(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, body := range []string{`{}`, `{"max_engines":8}`, `{"max_engines":-1,"unused_engines":0}`, `{"max_engines":1.5,"unused_engines":0}`, `{"max_engines":1e99,"unused_engines":0}`} {
		if _, err := serve(t, answer(http.StatusOK, "", body), WithBackend(Worker)).WorkerCapacity(testContext(t)); !isResponseError(err) {
			t.Errorf("%s: got %v", body, err)
		}
	}
}

// Whatever comes, it is read or refused, and what is read can be told.
func FuzzFacts(f *testing.F) {
	f.Add([]byte(`{"since":"2021-09-12T00:00:00Z","summary":[{"mode":"batch","count":5,"duration_hrs":1.53}]}`))
	f.Add([]byte(`{"metadata":{"language_pack_info":{"en":{"locales":{"en-GB":{"name":"x"}}}}},"batch":{"languageid":[{"languages":["en"]}]}}`))
	f.Add([]byte(`{"active_jobs":[{"job_id":"a","parallel_engines":1}],"max_engines":8,"unused_engines":6,"ready":true}`))
	f.Add([]byte(`{"id":"a","status":"done","json-v2":{"format":"2.9"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var usage Usage
		if json.Unmarshal(data, &usage) == nil && !json.Valid(usage.Document) {
			t.Errorf("the document is %q", usage.Document)
		}
		for _, record := range append(usage.Summary, usage.Details...) {
			if record.Duration < 0 {
				t.Errorf("got %+v", record)
			}
		}
		var features Features
		if json.Unmarshal(data, &features) == nil && !json.Valid(features.Document) {
			t.Errorf("the document is %q", features.Document)
		}
		var capacity WorkerCapacity
		if json.Unmarshal(data, &capacity) == nil && (capacity.MaxEngines < 0 || capacity.UnusedEngines < 0) {
			t.Errorf("got %+v", capacity)
		}
		_ = json.Unmarshal(data, &WorkerReadiness{})
		answer, err := decodeCreated(&trackedReader{source: strings.NewReader(string(data)), maxTotal: maxCreatedBytes, maxItem: maxCreatedBytes}, FormatJSONv2)
		if transcript := transcriptOf(answer.transcript); err == nil && transcript != nil && !json.Valid(data) {
			t.Errorf("got %q", transcript)
		}
	})
}
