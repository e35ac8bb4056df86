// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// site serves media, and remembers what was asked.
type site struct {
	url string

	mu       sync.Mutex
	requests []*http.Request
}

func newSite(t *testing.T, handle http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Clone(r.Context()))
		s.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *site) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var asked []string
	for _, r := range s.requests {
		asked = append(asked, r.URL.String())
	}
	return asked
}

func fetching(url, more string) string {
	return with(fmt.Sprintf(`"fetch_data":{"url":%q,"auth_headers":["X-Token: abc"]}%s`, url, more), "")
}

// submitConfig submits without media.
func (a *api) submitConfig(config string) string {
	a.t.Helper()
	return a.submit(config, "", nil)
}

func TestFetch(t *testing.T) {
	s := newSite(t, http.FileServer(http.Dir(mediaDir)).ServeHTTP)
	a := start(t, Options{})
	config := strings.Replace(fetching(s.url+"/dialogue.mp3?sig=1", ""), `"language":"en"`, `"language":"en","diarization":"speaker"`, 1)
	id := a.submitConfig(config)
	job := a.finished(id)
	if job["status"] != "done" || job["duration"] != 43.0 || job["data_name"] != "" {
		t.Errorf("%v", job)
	}
	got := a.get("/v2/jobs/" + id + "/transcript?format=txt").body
	want := strings.NewReplacer("S1: ", "SPEAKER: S1\n", "S2: ", "SPEAKER: S2\n").Replace(string(sample(t, "dialogue.txt")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"/dialogue.mp3?sig=1", "/dialogue.txt?sig=1"}, s.asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	for _, r := range s.requests {
		if r.Header.Get("User-Agent") != "Speechmatics-API/2.0" || r.Header.Get("X-Token") != "abc" {
			t.Errorf("%v", r.Header)
		}
	}
}

func TestFetchFails(t *testing.T) {
	for name, test := range map[string]struct {
		handle  http.HandlerFunc
		limits  Limits
		message string
	}{
		"not found":  {http.NotFound, Limits{}, "unable to fetch audio: http status code 404"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/b.wav", http.StatusFound) }, Limits{}, "unable to fetch audio: http status code 302"},
		"too large":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wav(time.Second)) }, Limits{FetchBytes: 1000}, "unable to fetch audio: media are too large"},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(make([]byte, 500))
		}, Limits{}, "unable to fetch audio: unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			s := newSite(t, test.handle)
			clock := newClock()
			a := start(t, Options{Clock: clock, Speed: 1, Limits: test.limits})
			id := a.submitConfig(fetching(s.url+"/a.wav", fmt.Sprintf(`,"notification_config":[{"url":%q,"contents":["transcript","jobinfo"]}]`, r.url)))
			created := clock.Now()
			var job map[string]any
			drive(t, clock, 100*time.Millisecond, func() bool { job = a.job(id); return job["status"] != "running" })
			if job["status"] != "rejected" || job["duration"] != 0.0 {
				t.Errorf("%v", job)
			}
			if diff := cmp.Diff(slices.Repeat([]string{test.message}, 4), messages(job)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			for i, want := range []float64{1.7, 3.9, 13.9, 33.9} {
				stamp, err := time.Parse(time.RFC3339, job["errors"].([]any)[i].(map[string]any)["timestamp"].(string))
				check(t, err)
				if got := stamp.Sub(created).Seconds() - want; math.Abs(got) > 0.15 {
					t.Errorf("attempt %d is %v s off", i, got)
				}
			}
			got := r.wait(t, 1)[0]
			if got.query != "id="+id+"&status=fetch_error" || len(got.parts) != 1 {
				t.Errorf("notification: %v", got)
			}
		})
	}
}

func TestFetchRecovers(t *testing.T) {
	tries := 0
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/a.wav" {
			http.NotFound(w, r)
			return
		}
		if tries++; tries < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(wav(2 * time.Second))
	})
	a := start(t, Options{})
	job := a.finished(a.submitConfig(fetching(s.url+"/a.wav", "")))
	if job["status"] != "done" || job["duration"] != 2.0 || len(messages(job)) != 2 {
		t.Errorf("%v", job)
	}
}

func TestFetchFollowsRedirectsIfAsked(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a.wav" {
			http.Redirect(w, r, "/b.wav", http.StatusFound)
			return
		}
		_, _ = w.Write(wav(time.Second))
	})
	a := start(t, Options{Behaviour: Behaviour{FollowFetchRedirects: true, NoSideFileFetch: true}})
	if job := a.finished(a.submitConfig(fetching(s.url+"/a.wav", ""))); job["status"] != "done" {
		t.Errorf("%v", job)
	}
	if diff := cmp.Diff([]string{"/a.wav", "/b.wav"}, s.asked()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestFetchedTextIsNoAudio(t *testing.T) {
	s := newSite(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("sorry")) })
	a := start(t, Options{})
	job := a.finished(a.submitConfig(fetching(s.url+"/a.wav", "")))
	if job["status"] != "rejected" || !cmp.Equal(messages(job), []string{"Job rejected due to invalid audio"}) {
		t.Errorf("%v", job)
	}
}

func TestSideFileURLs(t *testing.T) {
	for media, want := range map[string][]string{
		"https://x/a/b.wav?s=1": {"https://x/a/b.txt?s=1", "https://x/a/b.wav.txt?s=1"},
		"https://x/a%2Fb.wav":   {"https://x/a/b.txt", "https://x/a/b.wav.txt"},
		"https://x/a":           nil,
		"https://x/a.txt":       nil,
	} {
		if diff := cmp.Diff(want, sideFileURLs(media)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", media, diff)
		}
	}
}
