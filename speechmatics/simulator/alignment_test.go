// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const alignConfig = `{"type":"alignment","alignment_config":{"language":"en"}}`

// align submits a recording of two seconds and a text; an empty text is no part at all.
func (a *api) align(config, text string) answer {
	a.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	check(a.t, w.WriteField("config", config))
	for name, content := range map[string]string{"data_file": string(wav(2 * time.Second)), "text_file": text} {
		if content == "" {
			continue
		}
		part, err := w.CreateFormFile(name, name+".bin")
		check(a.t, err)
		_, err = part.Write([]byte(content))
		check(a.t, err)
	}
	check(a.t, w.Close())
	return a.do(http.MethodPost, "/v2/jobs", &body, "Content-Type", w.FormDataContentType())
}

func TestAlignment(t *testing.T) {
	r := newReceiver(t)
	a := start(t, Options{})
	text := "hello <b>world</b>\r\n\nabc defgh\n"
	config := strings.Replace(alignConfig, "}}", `},"notification_config":[{"url":"`+r.url+`","contents":["alignment.one_per_line","text","jobinfo","transcript"]}]}`, 1)
	id := a.align(config, text).json(t)["id"].(string)
	if job := a.finished(id); job["status"] != "done" || job["text_name"] != "text_file.bin" {
		t.Fatalf("%v", job)
	}
	words := "<time=0.00>hello<time=0.54> <b><time=0.54>world<time=1.09></b>\r\n\n<time=1.09>abc<time=1.45> <time=1.45>defgh<time=2.00>\n"
	lines := "[00:00:00.0]    hello <b>world</b>\r\n\n[00:00:01.0]    abc defgh\n"
	for path, want := range map[string]string{"/text": text, "/alignment": words, "/alignment?tags=word_start_and_end": words, "/alignment?tags=one_per_line": lines} {
		got := a.get("/v2/jobs/" + id + path)
		if diff := cmp.Diff(want, got.body); diff != "" || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if got := a.get("/v2/jobs/" + id + "/alignment?tags=all"); got.status != http.StatusUnprocessableEntity {
		t.Errorf("tags: %v", got)
	}
	if got := a.get("/v2/jobs/" + id + "/transcript"); got.status != http.StatusNotFound || got.json(t)["error"] != "Job is not of type transcription" {
		t.Errorf("transcript: %v", got)
	}
	eventually(t, "the notification", func() bool { return len(r.all()) == 1 })
	parts := r.all()[0].parts
	if parts["alignment.one_per_line/alignment.one_per_line text/plain; charset=utf-8"] != lines || parts["text/text text/plain; charset=utf-8"] != text || len(parts) != 3 {
		t.Errorf("%v", parts)
	}
	a.do(http.MethodDelete, "/v2/jobs/"+id, nil)
	for _, path := range []string{"/text", "/alignment", "/data"} {
		if got := a.get("/v2/jobs/" + id + path); got.status != http.StatusNotFound {
			t.Errorf("%s of a deleted job: %v", path, got)
		}
	}
}

func TestAlignmentWithAFetchedText(t *testing.T) {
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/a.wav":
			_, _ = w.Write(wav(2 * time.Second))
		case r.URL.Path == "/a.text" && r.Header.Get("X-Key") == "k":
			_, _ = w.Write([]byte("hello"))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(files.Close)
	a := start(t, Options{})
	fetching := func(name string) string {
		return strings.Replace(alignConfig, "}}", `},"fetch_data":{"url":"`+files.URL+`/a.wav"},"fetch_text":{"url":"`+files.URL+`/`+name+`","auth_headers":["X-Key: k"]}}`, 1)
	}
	id := a.submit(fetching("a.text"), "", nil)
	if job := a.finished(id); job["status"] != "done" {
		t.Fatalf("%v", job)
	}
	if got := a.get("/v2/jobs/" + id + "/alignment").body; got != "<time=0.00>hello<time=2.00>" {
		t.Errorf("%q", got)
	}
	missing := a.finished(a.submit(fetching("none"), "", nil))
	if missing["status"] != "rejected" || len(messages(missing)) != 4 {
		t.Errorf("%v", missing)
	}
}

func TestBadAlignments(t *testing.T) {
	a := start(t, Options{})
	fetching := strings.Replace(alignConfig, "}}", `},"fetch_text":{"url":"http://127.0.0.1:1/"}}`, 1)
	for name, test := range map[string]struct {
		got  answer
		want string
	}{
		"no text":                {a.align(alignConfig, ""), "Missing text_file"},
		"two texts":              {a.align(fetching, "hello"), "must not be given together"},
		"text of a transcript":   {a.align(plainConfig, "hello"), "a text is for jobs of type alignment"},
		"no media":               {a.post("", fetching, "", nil), "Missing data_file"},
		"alignment on premises":  {onPremises(t, BackendAppliance, Options{}).align(alignConfig, "hello"), "not available on premises"},
		"another section's type": {a.align(`{"type":"alignment","transcription_config":{"language":"en"}}`, "hello"), "alignment_config is required"},
	} {
		if test.got.status != http.StatusBadRequest || !strings.Contains(test.got.body, test.want) {
			t.Errorf("%s: %v", name, test.got)
		}
	}
	for name, text := range map[string]string{"no words": "<b> </b>", "no UTF-8": "caf\xe9"} {
		id := a.align(alignConfig, text).json(t)["id"].(string)
		if job := a.finished(id); job["status"] != "rejected" || !cmp.Equal(messages(job), []string{"Job rejected due to invalid text"}) {
			t.Errorf("%s: %v", name, job)
		}
		if got := a.get("/v2/jobs/" + id + "/alignment"); got.status != http.StatusNotFound {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := a.align(alignConfig, strings.Repeat("a ", maxTextBytes)); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("large text: %v", got)
	}
}

var timeTags = regexp.MustCompile(`<time=[0-9.]+>|\[[0-9:.]+\]    `)

func FuzzAligned(f *testing.F) {
	f.Add("hello <b>world</b>\n\nagain", true)
	f.Add("< > <", false)
	f.Fuzz(func(t *testing.T, text string, lines bool) {
		if checkText([]byte(text)) != nil {
			return
		}
		tags := tagsWords
		if lines {
			tags = tagsLines
		}
		got := aligned([]byte(text), time.Minute, tags)
		if !strings.Contains(text, "<") && !strings.Contains(text, "[") {
			got = timeTags.ReplaceAllString(got, "")
			if got != text {
				t.Errorf("%q became %q", text, got)
			}
		}
	})
}
