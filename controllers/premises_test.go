// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// premises is where an installation on premises listens, and what is asked of it. That is not held against the specification, which is the
// hosted service's: there, every request has a key, and every error its form.
type premises struct {
	backend v1alpha1.Backend
	// tls has it use a certificate of its own making.
	tls bool
	// doubles has something in front of it repeat the first submission, and lose the answers.
	doubles bool
	server  *httptest.Server

	mu       sync.Mutex
	requests []*http.Request
}

// onPremises has the provider be an installation on premises, without a key.
func onPremises(backend v1alpha1.Backend, change ...func(*premises)) worldOption {
	return func(w *world, o *simulator.Options) {
		o.Backend, o.APIKeys = simulator.Backend(backend), nil
		w.premises = &premises{backend: backend}
		for _, c := range change {
			c(w.premises)
		}
	}
}

// withEngines bounds how many jobs a worker works on at a time.
func withEngines(n int) worldOption {
	return func(_ *world, o *simulator.Options) { o.Engines = n }
}

// withBehaviour decides what the provider's documentation leaves open.
func withBehaviour(b simulator.Behaviour) worldOption {
	return func(_ *world, o *simulator.Options) { o.Behaviour = b }
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
	if p.doubles {
		provider = doubling(t, provider)
	}
	p.server = httptest.NewUnstartedServer(p.recording(provider))
	if p.tls {
		p.server.StartTLS()
	} else {
		p.server.Start()
	}
	return p.server
}

func (p *premises) recording(provider http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests = append(p.requests, r.Clone(r.Context()))
		p.mu.Unlock()
		provider.ServeHTTP(w, r)
	})
}

// count counts the requests so far that have a method.
func (p *premises) count(method string) int { return len(p.header(method, "User-Agent")) }

// header returns the values of a header in all requests that have a method.
func (p *premises) header(method, name string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var values []string
	for _, r := range p.requests {
		if r.Method == method {
			values = append(values, r.Header.Values(name)...)
		}
	}
	return values
}
