// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// with adds to a plain configuration: top-level members, or members of transcription_config.
func with(top, transcription string) string {
	if transcription != "" {
		transcription = "," + transcription
	}
	if top != "" {
		top = "," + top
	}
	return `{"type":"transcription","transcription_config":{"language":"en"` + transcription + `}` + top + `}`
}

func vocabulary(n int) string {
	return `"additional_vocab":[` + strings.TrimSuffix(strings.Repeat(`{"content":"x"},`, n), ",") + `]`
}

// enrolling configures two speakers with so many identifiers each.
func enrolling(counts ...int) string {
	var speakers []string
	n := 0
	for i, count := range counts {
		var identifiers []string
		for range count {
			n++
			identifiers = append(identifiers, fmt.Sprintf("%q", fmt.Sprint("id", n)))
		}
		speakers = append(speakers, fmt.Sprintf(`{"label":"speaker %d","speaker_identifiers":[%s]}`, i, strings.Join(identifiers, ",")))
	}
	return with("", `"speaker_diarization_config":{"speakers":[`+strings.Join(speakers, ",")+`]}`)
}

// meliaConfig adds to a configuration of the model melia-1: members of transcription_config, and top-level ones.
func meliaConfig(transcription, top string) string {
	if transcription != "" {
		transcription = "," + transcription
	}
	if top != "" {
		top = "," + top
	}
	return `{"type":"transcription","transcription_config":{"language":"multi","model":"melia-1"` + transcription + `}` + top + `}`
}

func TestConfigRules(t *testing.T) {
	for name, test := range map[string]struct {
		config string
		reason string // empty: accepted
	}{
		"plain":                     {plainConfig, ""},
		"no JSON":                   {"{", "unexpected EOF"},
		"null":                      {"null", "not an object"},
		"array":                     {"[]", "cannot unmarshal"},
		"two objects":               {plainConfig + "{}", "after the object"},
		"no type":                   {`{"transcription_config":{"language":"en"}}`, "type is required"},
		"unknown type":              {`{"type":"dictation"}`, "type must be one of"},
		"alignment":                 {`{"type":"alignment","alignment_config":{"language":"en"}}`, ""},
		"alignment of nothing":      {`{"type":"alignment"}`, "alignment_config is required"},
		"alignment to auto":         {`{"type":"alignment","alignment_config":{"language":"auto"}}`, "Language auto is not supported"},
		"unknown key":               {with(`"transcriptions":{}`, ""), `unknown field "transcriptions"`},
		"no section":                {`{"type":"transcription"}`, "transcription_config is required"},
		"section of another type":   {`{"type":"transcription","transcription_config":7}`, "transcription_config must be an object"},
		"no language":               {`{"type":"transcription","transcription_config":{}}`, "transcription_config.language is required"},
		"unknown language":          {`{"type":"transcription","transcription_config":{"language":"zz"}}`, "Language zz is not supported"},
		"language of another type":  {`{"type":"transcription","transcription_config":{"language":1}}`, "language must be a string"},
		"model":                     {with("", `"model":"enhanced"`), ""},
		"unknown model":             {with("", `"model":"huge"`), "model must be one of"},
		"operating point":           {with("", `"operating_point":"enhanced"`), ""},
		"model and operating point": {with("", `"model":"enhanced","operating_point":"enhanced"`), "together"},
		"melia-1 without multi":     {with("", `"model":"melia-1"`), "need each other"},
		"auto with locale":          {`{"type":"transcription","transcription_config":{"language":"auto","output_locale":"en-GB"}}`, "output_locale"},
		"medical without enhanced":  {with("", `"domain":"medical"`), "needs model enhanced"},
		"diarization":               {with("", `"diarization":"speaker","speaker_diarization_config":{"speaker_sensitivity":0,"get_speakers":true}`), ""},
		"removed diarization":       {with("", `"diarization":"speaker_change"`), "diarization must be one of"},
		"sensitivity":               {with("", `"speaker_diarization_config":{"speaker_sensitivity":1.5}`), "must be between 0 and 1"},
		"speaker S1":                {with("", `"speaker_diarization_config":{"speakers":[{"label":"S1","speaker_identifiers":["x"]}]}`), "is not a label"},
		"speaker without voice":     {with("", `"speaker_diarization_config":{"speakers":[{"label":"Ann","speaker_identifiers":[]}]}`), "identifiers"},
		"channel label":             {with("", `"channel_diarization_labels":["a b"]`), "is not a label"},
		"vocabulary":                {with("", vocabulary(1000)), ""},
		"too much vocabulary":       {with("", vocabulary(1001)), "at most 1000 items"},
		"vocabulary of strings":     {with("", `"additional_vocab":["x"]`), "must be an object"},
		"vocabulary without word":   {with("", `"additional_vocab":[{"sounds_like":["x"]}]`), "content is required"},
		"punctuation":               {with("", `"punctuation_overrides":{"sensitivity":0.2,"permitted_marks":[".",","]}`), ""},
		"no punctuation":            {with("", `"punctuation_overrides":{"permitted_marks":[]}`), ""},
		"long mark":                 {with("", `"punctuation_overrides":{"permitted_marks":["..."]}`), "is not a mark"},
		"entities":                  {with("", `"enable_entities":"yes"`), "must be a boolean"},
		"replacement with more":     {with("", `"transcript_filtering_config":{"replacements":[{"from":"a","to":"b","x":1}]}`), "nothing else"},
		"volume":                    {with("", `"audio_filtering_config":{"volume_threshold":101}`), "between 0 and 100"},
		"three notifications":       {with(`"notification_config":[`+strings.Repeat(`{"url":"http://x/"},`, 2)+`{"url":"http://x/"}]`, ""), ""},
		"four notifications":        {with(`"notification_config":[`+strings.Repeat(`{"url":"http://x/"},`, 3)+`{"url":"http://x/"}]`, ""), "at most 3 items"},
		"notification without URL":  {with(`"notification_config":[{}]`, ""), "notification_config[0].url must be"},
		"notification by mail":      {with(`"notification_config":[{"url":"mailto:a@example.com"}]`, ""), "must be an http or https URL"},
		"notification contents":     {with(`"notification_config":[{"url":"http://x/","contents":["transcript:json-v2"]}]`, ""), "is not supported"},
		"notification method":       {with(`"notification_config":[{"url":"http://x/","method":"POST"}]`, ""), "method must be one of [post put]"},
		"notification header":       {with(`"notification_config":[{"url":"http://x/","auth_headers":["hunter2"]}]`, ""), "must be a header"},
		"tracking":                  {with(`"tracking":{"title":"t","reference":"r","tags":["a"],"details":{"any":[1,null]}}`, ""), ""},
		"tracking of another type":  {with(`"tracking":{"reference":7}`, ""), "tracking.reference must be a string"},
		"SRT":                       {with(`"output_config":{"srt_overrides":{"max_line_length":0}}`, ""), "between 1"},
		"translation":               {with(`"translation_config":{"target_languages":["de","fr","es","it","nl"]}`, ""), ""},
		"translations":              {with(`"translation_config":{"target_languages":["de","fr","es","it","nl","sv"]}`, ""), "at most 5"},
		"translation into nothing":  {with(`"translation_config":{}`, ""), "target_languages is required"},
		"expected language":         {with(`"language_identification_config":{"expected_languages":["en","zz"]}`, ""), "Language(s) [zz] are not supported for language id"},
		"default language":          {with(`"language_identification_config":{"low_confidence_action":"use_default_language"}`, ""), "default_language is required"},
		"features":                  {with(`"sentiment_analysis_config":{},"auto_chapters_config":{},"topic_detection_config":{},"summarization_config":{}`, ""), ""},
		"summary":                   {with(`"summarization_config":{"summary_type":"haiku"}`, ""), "summary_type must be one of"},
		"delay mode":                {with("", `"max_delay_mode":"fixed"`), ""},
		"unknown delay mode":        {with("", `"max_delay_mode":"slow"`), "max_delay_mode must be one of"},
		"locale":                    {with("", `"output_locale":"en-AU"`), ""},
		"locale of another":         {with("", `"output_locale":"cmn-Hans"`), "output_locale cmn-Hans is not supported for language en"},
		"domain":                    {with("", `"model":"enhanced","domain":"medical"`), ""},
		"domain of another":         {with("", `"domain":"bilingual-en"`), "domain bilingual-en is not supported for language en"},
		"fifty identifiers":         {enrolling(25, 25), ""},
		"fifty-one identifiers":     {enrolling(25, 26), "1 to 50 identifiers in all"},
		"identifier twice":          {with("", `"speaker_diarization_config":{"speakers":[{"label":"Ann","speaker_identifiers":["x","x"]}]}`), "must be unique"},
		"speaker UU":                {with("", `"speaker_diarization_config":{"speakers":[{"label":"UU","speaker_identifiers":["x"]}]}`), "is not a label"},
		"speaker with a space":      {with("", `"speaker_diarization_config":{"speakers":[{"label":"hunter2 ","speaker_identifiers":["x"]}]}`), "is not a label"},
		"broken replacement":        {with("", `"transcript_filtering_config":{"replacements":[{"from":"/(/","to":"b"}]}`), ""}, // the job fails later
		"hints without melia-1":     {with("", `"language_hints":["en"]`), "language_hints needs model melia-1"},
		"melia-1":                   {meliaConfig(`"language_hints":["en","cmn"],"language_hints_strict":true`, ""), ""},
		"melia-1 with an odd hint":  {meliaConfig(`"language_hints":["auto"]`, ""), "Language auto is not supported"},
		"melia-1 with vocabulary":   {meliaConfig(`"additional_vocab":[{"content":"x"}]`, ""), "additional_vocab is not supported by model melia-1"},
		"melia-1 with entities":     {meliaConfig(`"enable_entities":true`, ""), "enable_entities is not supported by model melia-1"},
		"melia-1 without entities":  {meliaConfig(`"enable_entities":false`, ""), ""},
		"melia-1 with speakers":     {meliaConfig(`"speaker_diarization_config":{"get_speakers":true}`, ""), "get_speakers is not supported by model melia-1"},
		"melia-1 with replacements": {meliaConfig(`"transcript_filtering_config":{"replacements":[{"from":"a","to":"b"}]}`, ""), "replacements is not supported by model melia-1"},
		"melia-1 with translation":  {meliaConfig("", `"translation_config":{"target_languages":["de"]}`), "translation_config is not supported by model melia-1"},
		"auto with melia-1":         {`{"type":"transcription","transcription_config":{"language":"auto","model":"melia-1"}}`, "need each other"},
		"unknown default language":  {with(`"language_identification_config":{"default_language":"zz"}`, ""), "Language zz is not supported"},
		"unidentifiable language":   {with(`"language_identification_config":{"expected_languages":["sw"]}`, ""), "Language(s) [sw] are not supported for language id"},
		"eleven topics":             {with(`"topic_detection_config":{"topics":["a","b","c","d","e","f","g","h","i","j","k"]}`, ""), ""}, // an error of the feature
		"audio event":               {with(`"audio_events_config":{"types":["rain"]}`, ""), "rain"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseConfig([]byte(test.config), Behaviour{}.withDefaults())
			switch {
			case test.reason == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.reason != "" && (err == nil || !strings.Contains(err.Error(), test.reason)):
				t.Errorf("%v, want %q", err, test.reason)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("repeats a secret: %v", err)
			}
		})
	}
}

func TestMeliaLimitsCanBeIgnored(t *testing.T) {
	if _, err := parseConfig([]byte(meliaConfig(`"enable_entities":true`, "")), Behaviour{IgnoreMeliaLimits: true}); err != nil {
		t.Error(err)
	}
}

func TestUnknownKeysCanBeAllowed(t *testing.T) {
	if _, err := parseConfig([]byte(with(`"new":{}`, "")), Behaviour{AllowUnknownConfigKeys: true}); err != nil {
		t.Error(err)
	}
}

func TestEmptyArraysAreEchoedAsNull(t *testing.T) {
	sent := with(`"notification_config":[],"tracking":{"tags":[]}`, `"punctuation_overrides":{"permitted_marks":[]}`)
	for keep, want := range map[bool]string{
		false: `{"notification_config":null,"tracking":{"tags":[]},"transcription_config":{"language":"en","punctuation_overrides":{"permitted_marks":null}},"type":"transcription"}`,
		true:  `{"notification_config":[],"tracking":{"tags":[]},"transcription_config":{"language":"en","punctuation_overrides":{"permitted_marks":[]}},"type":"transcription"}`,
	} {
		c, err := parseConfig([]byte(sent), Behaviour{KeepEmptyArrays: keep})
		check(t, err)
		if string(c.raw) != want {
			t.Errorf("keep %v: %s", keep, c.raw)
		}
	}
}

func TestRefusedSubmissions(t *testing.T) {
	a := start(t, Options{Limits: Limits{UploadBytes: 100_000, ConfigBytes: 1000}})
	small := wav(time.Second)
	fetching := with(`"fetch_data":{"url":"http://127.0.0.1:1/a.wav"}`, "")
	whole, contentType := form(t, plainConfig, "a.wav", small)
	encoded, err := io.ReadAll(whole)
	check(t, err)
	twice := bytes.Replace(encoded, []byte("name=\"data_file\"; filename=\"a.wav\""), []byte("name=\"config\""), 1)

	for name, test := range map[string]struct {
		send   func() answer
		status int
		text   string
	}{
		"no config":    {func() answer { return a.post("", "", "a.wav", small) }, 400, "config is missing"},
		"bad config":   {func() answer { return a.post("", "{}", "a.wav", small) }, 400, "Job config JSON is invalid. Error: type is required"},
		"large config": {func() answer { return a.post("", with("", vocabulary(100)), "a.wav", small) }, 400, "too large"},
		"no media":     {func() answer { return a.post("", plainConfig, "", nil) }, 400, "Missing data_file"},
		"two sources":  {func() answer { return a.post("", fetching, "a.wav", small) }, 400, "must not be given together"},
		"too large":    {func() answer { return a.post("", plainConfig, "a.wav", wav(4*time.Second)) }, 413, "413 Request Entity Too Large"},
		"format":       {func() answer { return a.post("?format=pdf", plainConfig, "a.wav", small) }, 400, "Format Not Supported"},
		"wait":         {func() answer { return a.post("?wait=-1", plainConfig, "a.wav", small) }, 422, "wait in query"},
		"config twice": {func() answer { return a.do("POST", "/v2/jobs", bytes.NewReader(twice), "Content-Type", contentType) }, 400, "config is given twice"},
		"no last boundary": {func() answer {
			return a.do("POST", "/v2/jobs", bytes.NewReader(encoded[:len(encoded)-6]), "Content-Type", contentType)
		}, 400, "not a whole"},
		"cut in the media": {func() answer {
			return a.do("POST", "/v2/jobs", bytes.NewReader(encoded[:9000]), "Content-Type", contentType)
		}, 400, "not a whole"},
		"urlencoded": {func() answer {
			return a.do("POST", "/v2/jobs", strings.NewReader("config=x"), "Content-Type", "application/x-www-form-urlencoded")
		}, 400, "multipart/form-data"},
		"chunked, too large": {func() answer {
			body, contentType := form(t, plainConfig, "a.wav", wav(4*time.Second))
			return a.do("POST", "/v2/jobs", struct{ io.Reader }{body}, "Content-Type", contentType)
		}, 413, "413"},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.send()
			if got.status != test.status || !strings.Contains(got.body, test.text) {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	if n := len(a.server.Ledger()); n != 0 {
		t.Errorf("%d jobs were created", n)
	}
	if a.server.store.used != 0 {
		t.Errorf("%d bytes of media are kept", a.server.store.used)
	}
}

// TestBrokenOffRequest sends the last boundary, but not all of the announced body.
func TestBrokenOffRequest(t *testing.T) {
	a := start(t, Options{})
	body, contentType := form(t, plainConfig, "a.wav", wav(time.Second))
	encoded, err := io.ReadAll(body)
	check(t, err)
	address, err := url.Parse(a.url)
	check(t, err)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address.Host)
	check(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /v2/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		testKey, contentType, len(encoded)+2, encoded)
	check(t, err)
	check(t, conn.(*net.TCPConn).CloseWrite())
	reply, err := io.ReadAll(conn)
	check(t, err)
	if !bytes.HasPrefix(reply, []byte("HTTP/1.1 400")) || len(a.server.Ledger()) != 0 {
		t.Errorf("%d jobs, %s", len(a.server.Ledger()), reply)
	}
}

func TestRateLimits(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock, APIKeys: []string{testKey, "second"}, Limits: Limits{SubmissionsPerSecond: 10, ReadsPerSecond: 50}})
	fetching := with(`"fetch_data":{"url":"http://127.0.0.1:1/a.wav"}`, "")
	count := func(n int, send func() answer) (limited int) {
		for range n {
			if got := send(); got.status == http.StatusTooManyRequests {
				limited++
				if got.header.Get("Retry-After") != "" || !strings.Contains(got.body, "<title>429 Too Many Requests</title>") {
					t.Errorf("%v", got)
				}
			}
		}
		return limited
	}
	submit := func() answer { return a.post("", fetching, "", nil) }
	read := func() answer { return a.get("/v2/jobs") }
	if n := count(12, submit); n != 2 {
		t.Errorf("%d of 12 submissions were limited", n)
	}
	if n := count(53, read); n != 3 {
		t.Errorf("%d of 53 reads were limited", n)
	}
	if got := a.do(http.MethodGet, "/v2/jobs", nil, "Authorization", "Bearer second"); got.status != http.StatusOK {
		t.Errorf("another key: %d", got.status)
	}
	clock.Step(500 * time.Millisecond)
	if n := count(6, submit); n != 1 {
		t.Errorf("%d of 6 submissions were limited half a second later", n)
	}
	check(t, a.server.SetBehaviour(Behaviour{RetryAfter: Duration(1500 * time.Millisecond), EdgeErrors: BodyJSON}))
	if got := submit(); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "2" || got.json(t)["code"] != 429.0 {
		t.Errorf("with Retry-After, as JSON: %v", got)
	}
}

func TestConcurrentJobs(t *testing.T) {
	a := start(t, Options{Speed: 0.001, Limits: Limits{RunningJobs: 2}, ProjectKeys: map[string]string{"other": "other"}})
	first := a.submit(plainConfig, "a.wav", wav(time.Second))
	a.submit(plainConfig, "a.wav", wav(time.Second))
	got := a.post("", plainConfig, "a.wav", wav(time.Second))
	if got.status != http.StatusTooManyRequests || got.json(t)["error"] != "Max concurrent running jobs exceeded" {
		t.Errorf("%v", got)
	}
	body, contentType := form(t, plainConfig, "a.wav", wav(time.Second))
	if got := a.do("POST", "/v2/jobs", body, "Content-Type", contentType, "Authorization", "Bearer other"); got.status != http.StatusCreated {
		t.Errorf("another project: %v", got)
	}
	a.do(http.MethodDelete, "/v2/jobs/"+first+"?force=true", nil)
	a.submit(plainConfig, "a.wav", wav(time.Second))
}

func TestStoredMediaAreBounded(t *testing.T) {
	a := start(t, Options{Limits: Limits{StoredBytes: 10_000}})
	id := a.submit(plainConfig, "a.wav", wav(time.Second))
	if job := a.finished(id); job["status"] != "done" {
		t.Fatalf("%v", job)
	}
	if got := a.get("/v2/jobs/" + id + "/data"); got.status != http.StatusGone {
		t.Errorf("data: %v", got)
	}
	if a.server.store.used != 0 {
		t.Errorf("%d bytes are kept", a.server.store.used)
	}
}

// FuzzSubmission sends arbitrary bodies: whatever comes is answered, and media never stay behind without a job.
func FuzzSubmission(f *testing.F) {
	for _, config := range []string{plainConfig, "{", with(`"fetch_data":{"url":"http://127.0.0.1:1/a.wav"}`, "")} {
		f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"config\"\r\n\r\n" + config +
			"\r\n--b\r\nContent-Disposition: form-data; name=\"data_file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--b--\r\n"))
	}
	f.Add([]byte("--b--\r\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		server := New(Options{
			APIKeys: []string{testKey}, MediaDir: t.TempDir(),
			Limits: Limits{UploadBytes: 1 << 20, SubmissionsPerSecond: -1},
		})
		defer func() { check(t, server.Close(t.Context())) }()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v2/jobs", bytes.NewReader(body))
		request.Header.Set("Authorization", "Bearer "+testKey)
		request.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		recorder := httptest.NewRecorder()
		server.ServeHTTP(recorder, request)
		jobs := len(server.Ledger())
		if (recorder.Code == http.StatusCreated) != (jobs == 1) || recorder.Code >= 500 {
			t.Errorf("status %d, %d jobs: %s", recorder.Code, jobs, recorder.Body)
		}
	})
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(plainConfig))
	f.Add([]byte(with(`"notification_config":[{"url":"http://x/","contents":[],"auth_headers":["A: b"]}]`, vocabulary(2))))
	f.Add([]byte(alignConfig))
	f.Add([]byte(with(everyFeature, `"diarization":"channel","enable_entities":true,"audio_filtering_config":{},"transcript_filtering_config":{"replacements":[{"from":"/a/","to":"$0$1"}]}`)))
	f.Add([]byte(meliaConfig(`"language_hints":["en"]`, "")))
	f.Add([]byte(with(`"tracking":{"details":{"n":1e999}},"output_config":{"srt_overrides":{"max_lines":1e3}}`, "")))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		b := Behaviour{}.withDefaults()
		c, err := parseConfig(encoded, b)
		if err != nil {
			return
		}
		if !json.Valid(c.raw) || c.language == "" || (c.kind == jobTranscription && (c.srtLine < 1 || c.srtLines < 1)) {
			t.Errorf("%+v", c)
		}
		if c.kind != jobTranscription {
			return
		}
		words := parseScript([]byte("S1: ¿Um, £20? Well 世界。\nS2: damn 3rd."))
		tr := (&transcript{config: c, behaviour: b, script: words, length: 12 * time.Minute, language: c.language, channels: 2}).prepared()
		for _, format := range []string{formatJSON, formatText, formatSRT} {
			content, err := tr.bytes(format)
			if err != nil || (format == formatJSON && !json.Valid(content)) {
				t.Errorf("%s: %v: %s", format, err, content)
			}
		}
	})
}
