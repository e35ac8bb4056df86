// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/transcription-operator/transcription-operator/notification"
)

// letter is a notification that the provider has sent.
type letter struct {
	method, path, query string
	header              http.Header
	body                []byte
	target              notification.Target
}

// postman is who brings notifications, on order not at all, not yet, or twice.
type postman struct {
	mu sync.Mutex
	// keeps says which letters are kept; to their sender it is as if they had arrived.
	keeps func(letter) bool
	// doubles brings letters twice at the same moment.
	doubles bool
	kept    []letter
}

// hire puts a postman between the provider and the receivers.
func (r *run) hire(p *postman) *postman {
	r.system.Public.Meddle(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) { p.bring(w, request, next) })
	})
	return p
}

// dismiss has notifications come by themselves again.
func (r *run) dismiss() { r.system.Public.Meddle(nil) }

// byHand marks what a test itself delivers.
const byHand = "X-Chaos-By-Hand"

func (p *postman) bring(w http.ResponseWriter, request *http.Request, to http.Handler) {
	if request.Header.Get(byHand) != "" {
		request.Header.Del(byHand)
		to.ServeHTTP(w, request)
		return
	}
	body, err := io.ReadAll(request.Body)
	target, pathErr := notification.ParsePath(request.URL.Path)
	if err != nil || pathErr != nil {
		http.Error(w, "this is no notification", http.StatusBadRequest)
		return
	}
	l := letter{request.Method, request.URL.Path, request.URL.RawQuery, request.Header.Clone(), body, target}
	if p.keep(l) {
		w.WriteHeader(http.StatusOK)
		return
	}
	var both sync.WaitGroup
	if p.doubles {
		second := request.Clone(request.Context())
		second.Body = io.NopCloser(bytes.NewReader(body))
		both.Go(func() { to.ServeHTTP(httptest.NewRecorder(), second) })
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	to.ServeHTTP(w, request)
	both.Wait()
}

func (p *postman) keep(l letter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keeps == nil || !p.keeps(l) {
		return false
	}
	p.kept = append(p.kept, l)
	return true
}

// letters are those that were kept so far.
func (p *postman) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.kept)
}

// untilKept waits until as many letters were kept as there are jobs.
func (r *run) untilKept(p *postman) []letter {
	r.Helper()
	r.eventually(patience, "the provider has notified", func() (string, error) {
		if kept := len(p.letters()); kept < len(r.jobs) {
			return fmt.Sprintf("%d of %d times", kept, len(r.jobs)), nil
		}
		return "", nil
	})
	return p.letters()
}

func everything(letter) bool { return true }

// postTimeout bounds the delivery of a letter.
const postTimeout = 30 * time.Second

// postClient delivers letters. It keeps no connections.
var postClient = &http.Client{
	Timeout: postTimeout, Transport: &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// post delivers a letter, past any postman, and returns the answer.
func (r *run) post(l letter) int {
	r.Helper()
	request, err := http.NewRequestWithContext(r.ctx, l.method, r.system.Public.URL()+l.path+"?"+l.query, bytes.NewReader(l.body))
	r.must(err)
	request.Header = l.header.Clone()
	request.Header.Set(byHand, "true")
	response, err := postClient.Do(request)
	r.must(err)
	_, _ = io.Copy(io.Discard, response.Body) // what it says does not matter
	r.must(response.Body.Close())
	return response.StatusCode
}

// postAll delivers letters in random order, some of them twice, and wants each to be acknowledged.
func (r *run) postAll(letters []letter) {
	r.Helper()
	if len(letters) == 0 {
		r.Errorf("there is no notification to deliver")
	}
	letters = slices.Clone(letters)
	for i := range letters {
		if r.random.IntN(4) == 0 {
			letters = append(letters, letters[i])
		}
	}
	r.random.Shuffle(len(letters), func(i, j int) { letters[i], letters[j] = letters[j], letters[i] })
	for _, l := range letters {
		if code := r.post(l); code/100 != 2 {
			r.Errorf("the notification for %s, attempt %d, is answered %d", l.target.Name, l.target.Attempt, code)
		}
	}
}
