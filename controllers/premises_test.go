// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// premises makes of the simulator an installation on premises: it needs no key, its list does not tell whose a job is, and the HTTP batch
// worker neither deletes nor remembers.
type premises struct {
	backend v1alpha1.Backend
	// tls has it use a certificate of its own making.
	tls bool
	// doubles has something in front of it repeat the first submission, and lose the answers.
	doubles bool
	server  *httptest.Server
	// busy has it take no job.
	busy atomic.Bool

	mu        sync.Mutex
	forgotten map[string]bool
	requests  []*http.Request
}

// onPremises has the provider be an installation on premises.
func onPremises(backend v1alpha1.Backend, change ...func(*premises)) worldOption {
	return func(w *world, _ *simulator.Options) {
		w.premises = &premises{backend: backend, forgotten: map[string]bool{}}
		for _, c := range change {
			c(w.premises)
		}
	}
}

// describe says in an account's spec what it reaches.
func (p *premises) describe(spec *v1alpha1.SpeechmaticsAccountSpec) {
	spec.Backend, spec.APIKeySecretRef = p.backend, nil
	if p.tls {
		spec.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.server.Certificate().Raw})
	}
}

func (p *premises) listen(t *testing.T, provider http.Handler) *httptest.Server {
	t.Helper()
	handler := p.inFrontOf(provider)
	if p.doubles {
		handler = doubling(t, handler)
	}
	p.server = httptest.NewUnstartedServer(handler)
	if p.tls {
		p.server.StartTLS()
	} else {
		p.server.Start()
	}
	return p.server
}

// restart has the worker be restarted: it knows no job any more, and works on none.
func (p *premises) restart(s *simulator.Server) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, job := range s.Jobs() {
		p.forgotten[job.ID] = true
		if job.Status == "running" {
			s.DeleteJob(job.ID)
		}
	}
}

// count counts the requests that some test is true of.
func (p *premises) count(is func(*http.Request) bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, r := range p.requests {
		if is(r) {
			n++
		}
	}
	return n
}

// header returns the values of a header in all submissions.
func (p *premises) header(name string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var values []string
	for _, r := range p.requests {
		if r.Method == http.MethodPost {
			values = append(values, r.Header.Values(name)...)
		}
	}
	return values
}

func (p *premises) inFrontOf(provider http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests = append(p.requests, r.Clone(r.Context()))
		p.mu.Unlock()
		if r.Header.Get("Authorization") == "" {
			r.Header.Set("Authorization", "Bearer "+apiKey)
		}
		worker := p.backend == v1alpha1.BackendWorker
		switch id, about := strings.CutPrefix(r.URL.Path, "/v2/jobs/"); {
		case r.URL.Query().Has("wait"), worker && r.URL.Query().Has("include_deleted"):
			detail(w, http.StatusUnprocessableEntity, "unknown query parameter")
		case r.URL.Path == "/ready" && worker:
			_, _ = w.Write([]byte(`{"ready":true,"engines_used":0}`))
		case worker && r.Method == http.MethodPost && p.busy.Load():
			detail(w, http.StatusServiceUnavailable, "Server busy: 8 engines not available (2 engines in use, 5 parallel allowed)")
		case worker && r.Method == http.MethodDelete:
			detail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
		case about && p.isForgotten(strings.Split(id, "/")[0]):
			detail(w, http.StatusNotFound, "Not Found")
		case r.Method == http.MethodGet && r.URL.Path == "/v2/jobs":
			p.list(provider, w, r)
		default:
			provider.ServeHTTP(w, r)
		}
	})
}

func (p *premises) isForgotten(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forgotten[id]
}

// list answers with the provider's list, without the jobs that are forgotten, and without configurations.
func (p *premises) list(provider http.Handler, w http.ResponseWriter, r *http.Request) {
	answer := httptest.NewRecorder()
	provider.ServeHTTP(answer, r)
	var page struct {
		Jobs []map[string]any `json:"jobs"`
	}
	if answer.Code != http.StatusOK || json.Unmarshal(answer.Body.Bytes(), &page) != nil {
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
		return
	}
	kept := []map[string]any{}
	for _, job := range page.Jobs {
		if id, _ := job["id"].(string); !p.isForgotten(id) {
			delete(job, "config")
			kept = append(kept, job)
		}
	}
	page.Jobs = kept
	_ = json.NewEncoder(w).Encode(page)
}

// detail answers with an error as the HTTP batch worker words it.
func detail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"detail": text})
}
