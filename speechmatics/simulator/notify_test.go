// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// notifying adds a notification to a configuration; fields come after the URL.
func notifying(url, fields string) string {
	if fields != "" {
		fields = "," + fields
	}
	return with(fmt.Sprintf(`"notification_config":[{"url":%q%s}],"tracking":{"reference":"r"}`, url, fields), "")
}

func TestNotificationForms(t *testing.T) {
	const (
		text = "Hello.\n"
	)
	for name, test := range map[string]struct {
		fields      string
		method      string
		contentType string   // of a raw body
		start       string   // of a raw body
		parts       []string // of a multipart
	}{
		"omitted":        {``, "POST", "", "", []string{"data_file/transcript.json application/json"}},
		"null":           {`"contents":null`, "POST", "", "", []string{"data_file/transcript.json application/json"}},
		"empty":          {`"contents":[]`, "POST", "", "", nil},
		"transcript":     {`"contents":["transcript"]`, "POST", "application/json", `{"format":"2.9"`, nil},
		"json-v2":        {`"contents":["transcript.json-v2"],"method":"put"`, "PUT", "application/json", `{"format":"2.9"`, nil},
		"jobinfo":        {`"contents":["jobinfo"]`, "POST", "application/json", `{"created_at":`, nil},
		"txt":            {`"contents":["transcript.txt"]`, "POST", "text/plain; charset=utf-8", text, nil},
		"srt":            {`"contents":["transcript.srt"]`, "POST", "text/plain; charset=utf-8", "1\n00:00:00,000 --> ", nil},
		"data":           {`"contents":["data"]`, "POST", "application/octet-stream", "RIFF", nil},
		"no such output": {`"contents":["alignment"]`, "POST", "", "", nil},
		"two": {`"contents":["jobinfo","transcript.txt"]`, "POST", "", "", []string{
			"jobinfo/jobinfo.json application/json", "transcript.txt/transcript.txt text/plain; charset=utf-8",
		}},
		"all": {`"contents":["transcript","transcript.srt","data","text"],"method":"put"`, "PUT", "", "", []string{
			"data/data application/octet-stream", "transcript.srt/transcript.srt text/plain; charset=utf-8",
			"transcript/transcript.json application/json",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			a := start(t, Options{Transcripts: textOf("hello", "Hello.")})
			id := a.submit(notifying(r.url+"/hook?mine=1%2B1", test.fields), "hello.wav", wav(time.Second))
			got := r.wait(t, 1)[0]
			if got.method != test.method || got.path != "/hook" || got.query != "mine=1%2B1&id="+id+"&status=success" {
				t.Errorf("%s %s?%s", got.method, got.path, got.query)
			}
			if got.header.Get("User-Agent") != "Speechmatics-API/2.0" {
				t.Errorf("user agent %q", got.header.Get("User-Agent"))
			}
			if got.length != int64(len(got.body)) {
				t.Errorf("Content-Length %d of %d bytes", got.length, len(got.body))
			}
			if test.parts == nil {
				if got.contentType != test.contentType || !strings.HasPrefix(got.body, test.start) || (test.start == "") != (got.body == "") {
					t.Errorf("%q: %q", got.contentType, got.body)
				}
				return
			}
			var parts []string
			for part := range got.parts {
				parts = append(parts, part)
			}
			slices.Sort(parts)
			if diff := cmp.Diff(test.parts, parts); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPartNames(t *testing.T) {
	r := newReceiver(t)
	a := start(t, Options{Behaviour: Behaviour{PartNames: PartNamesDataFile}})
	a.submit(notifying(r.url, `"contents":["jobinfo","transcript.txt"]`), "a.wav", wav(time.Second))
	got := r.wait(t, 1)[0].parts
	for _, part := range []string{"data_file/jobinfo.json application/json", "data_file/transcript.txt text/plain; charset=utf-8"} {
		if _, ok := got[part]; !ok || len(got) != 2 {
			t.Errorf("%v", got)
		}
	}
}

func TestNotificationHeaders(t *testing.T) {
	r := newReceiver(t)
	a := start(t, Options{})
	a.submit(notifying(r.url, `"auth_headers":["Authorization: Bearer abc","X-More:  two words "]`), "a.wav", wav(time.Second))
	got := r.wait(t, 1)[0].header
	if got.Get("Authorization") != "Bearer abc" || got.Get("X-More") != "two words" {
		t.Errorf("%v", got)
	}
}

func TestJobInfo(t *testing.T) {
	for layout, want := range map[JobInfoLayout]string{JobInfoFlat: "created_at data_name duration id tracking", JobInfoNested: "job"} {
		r := newReceiver(t)
		a := start(t, Options{Behaviour: Behaviour{JobInfo: layout}})
		a.submit(notifying(r.url, `"contents":["jobinfo"]`), "a.wav", wav(time.Second))
		var document map[string]any
		check(t, json.Unmarshal([]byte(r.wait(t, 1)[0].body), &document))
		var keys []string
		for key := range document {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("%s: %s", layout, got)
		}
	}
}

func TestNotificationsOfAFailure(t *testing.T) {
	for name, test := range map[string]struct {
		behaviour FailureNotifications
		contents  string
		multipart bool
		parts     int
		body      bool
	}{
		"lone transcript":               {FailureOmit, `"contents":["transcript"]`, false, 0, false},
		"lone jobinfo":                  {FailureOmit, `"contents":["jobinfo"]`, false, 0, true},
		"both":                          {FailureOmit, `"contents":["transcript","jobinfo"]`, true, 1, true},
		"nothing of two":                {FailureOmit, `"contents":["transcript","transcript.srt"]`, true, 0, true},
		"omitted":                       {FailureOmit, ``, true, 0, true},
		"lone transcript, jobinfo only": {FailureJobInfoOnly, `"contents":["transcript"]`, false, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			a := start(t, Options{Behaviour: Behaviour{FailureNotifications: test.behaviour}})
			id := a.submit(notifying(r.url, test.contents), "a.wav", []byte("no audio"))
			got := r.wait(t, 1)[0]
			if got.query != "id="+id+"&status=error" {
				t.Errorf("query %s", got.query)
			}
			if (got.parts != nil) != test.multipart || len(got.parts) != test.parts || (got.body != "") != test.body {
				t.Errorf("%q: %q", got.contentType, got.body)
			}
		})
	}
}

func TestNotificationRetries(t *testing.T) {
	for name, test := range map[string]struct {
		answers  []int
		speed    float64
		messages []string
		gaps     []time.Duration
	}{
		"received": {nil, 1, nil, nil},
		"any 2xx":  {[]int{204}, 1, nil, nil},
		"at the second try": {
			[]int{503}, 1,
			[]string{"Error in sending notification: unable to send notification: Response status: 503, retrying"},
			[]time.Duration{15500 * time.Millisecond},
		},
		"redirected": {
			[]int{307}, 1,
			[]string{"Error in sending notification: unable to send notification: Response status: 307, retrying"},
			[]time.Duration{15500 * time.Millisecond},
		},
		"never": {
			[]int{500, 500, 404, 500}, 1,
			[]string{
				"Error in sending notification: unable to send notification: Response status: 500, retrying",
				"Error in sending notification: unable to send notification: Response status: 500, retrying",
				"Error in sending notification: unable to send notification: Response status: 404, retrying",
				"unable to send notification: unable to send notification: Response status: 500",
				"Sending notification failed",
			},
			[]time.Duration{15500 * time.Millisecond, 20500 * time.Millisecond, 30300 * time.Millisecond},
		},
		"faster": {
			[]int{500, 500}, 10,
			[]string{
				"Error in sending notification: unable to send notification: Response status: 500, retrying",
				"Error in sending notification: unable to send notification: Response status: 500, retrying",
			},
			[]time.Duration{1550 * time.Millisecond, 2050 * time.Millisecond},
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			r := newReceiver(t, test.answers...)
			a := start(t, Options{Clock: clock, Speed: test.speed})
			id := a.submit(notifying(r.url, `"contents":["transcript"]`), "a.wav", wav(time.Second))
			var job map[string]any
			attempts := max(1, len(test.gaps)+1)
			drive(t, clock, 50*time.Millisecond, func() bool {
				job = a.job(id)
				return len(r.all()) == attempts && len(messages(job)) == len(test.messages)
			})
			if job["status"] != "done" {
				t.Errorf("a notification changed the status: %v", job["status"])
			}
			if diff := cmp.Diff(test.messages, messages(job)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			// A retry's time is seen where it fails too: errors are stamped at the failure.
			for i := 1; i < len(test.messages) && i <= len(test.gaps); i++ {
				if got := gap(t, job, i); (got - test.gaps[i-1]).Abs() > 60*time.Millisecond {
					t.Errorf("gap %d: %v, want %v", i, got, test.gaps[i-1])
				}
			}
		})
	}
}

// gap is the time between an error of a job and the one before.
func gap(t *testing.T, job map[string]any, i int) time.Duration {
	t.Helper()
	at := func(i int) time.Time {
		stamp, err := time.Parse(time.RFC3339, job["errors"].([]any)[i].(map[string]any)["timestamp"].(string))
		check(t, err)
		return stamp
	}
	return at(i).Sub(at(i - 1))
}

func TestNotificationErrorsWordTransportErrors(t *testing.T) {
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hanging.Close)
	a := start(t, Options{Speed: 1e6, Limits: Limits{NotifyTimeout: 20 * time.Millisecond}})
	id := a.submit(notifying(hanging.URL+"/h?sig=s", `"contents":[]`), "a.wav", wav(time.Second))
	eventually(t, "given up", func() bool { return len(messages(a.job(id))) == 5 })
	want := fmt.Sprintf(`Error in sending notification: unable to send notification: HTTPError: Post "%s/h?sig=s&id=%s&status=success": `+
		`context deadline exceeded (Client.Timeout exceeded while awaiting headers), retrying`, hanging.URL, id)
	if got := messages(a.job(id))[0]; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestNotificationsAreIndependent(t *testing.T) {
	bad, good := newReceiver(t, 500, 500, 500, 500), newReceiver(t)
	clock := newClock()
	a := start(t, Options{Clock: clock})
	config := with(fmt.Sprintf(`"notification_config":[{"url":%q},{"url":%q,"contents":["transcript.txt"]}]`, bad.url, good.url), "")
	a.submit(config, "a.wav", wav(time.Second))
	drive(t, clock, 250*time.Microsecond, func() bool { return len(good.all()) == 1 && len(bad.all()) >= 1 })
	drive(t, clock, time.Second, func() bool { return len(bad.all()) == 4 })
	if got := good.all(); len(got) != 1 || got[0].contentType != "text/plain; charset=utf-8" {
		t.Errorf("%v", got)
	}
}

func TestDeletedJobsDoNotNotify(t *testing.T) {
	r := newReceiver(t)
	clock := newClock()
	a := start(t, Options{Clock: clock})
	id := a.submit(notifying(r.url, ""), "a.wav", wav(time.Second))
	if got := a.do(http.MethodDelete, "/v2/jobs/"+id+"?force=true", nil); got.status != http.StatusOK {
		t.Fatalf("%v", got)
	}
	clock.Step(time.Hour)
	check(t, a.server.Close(t.Context()))
	if got := r.all(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestMediaThatAreGoneFailTheAttempt(t *testing.T) {
	p := payload{segments: []segment{bytesSegment([]byte("x")), mediaSegment(&mediaFile{path: t.TempDir() + "/none", size: 1})}}
	if body, err := p.open(); err == nil {
		t.Errorf("%v", errors.Join(err, body.Close()))
	}
}
