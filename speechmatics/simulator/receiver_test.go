// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// received is a request that came to a receiver.
type received struct {
	method, path, query, contentType, body string
	header                                 http.Header
	length                                 int64
	parts                                  map[string]string // "form name/file name type" → content
}

// receiver takes what the simulator sends.
type receiver struct {
	url string

	mu      sync.Mutex
	got     []received
	answers []int // statuses to answer, in turn; then 200
}

func newReceiver(t *testing.T, answers ...int) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	this := received{
		method: request.Method, path: request.URL.Path, query: request.URL.RawQuery, header: request.Header.Clone(),
		contentType: request.Header.Get("Content-Type"), body: string(body), length: request.ContentLength,
	}
	this.parts = partsOf(this.contentType, this.body)
	r.mu.Lock()
	status := http.StatusOK
	if len(r.answers) > 0 {
		status, r.answers = r.answers[0], r.answers[1:]
	}
	r.got = append(r.got, this)
	r.mu.Unlock()
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(status)
}

// partsOf reads a multipart body; nil is no such body.
func partsOf(contentType, body string) map[string]string {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" {
		return nil
	}
	parts := map[string]string{}
	reader := multipart.NewReader(strings.NewReader(body), parameters["boundary"])
	for {
		part, err := reader.NextPart()
		if err != nil {
			return parts
		}
		content, _ := io.ReadAll(part)
		parts[part.FormName()+"/"+part.FileName()+" "+part.Header.Get("Content-Type")] = string(content)
	}
}

// all returns what has come so far.
func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

// wait waits for a number of requests.
func (r *receiver) wait(t *testing.T, n int) []received {
	t.Helper()
	eventually(t, "the requests arrive", func() bool { return len(r.all()) >= n })
	return r.all()
}
