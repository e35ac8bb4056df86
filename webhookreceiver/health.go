// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

const (
	// readinessInterval is how long the answer to "are you ready?" is good for: kubelet asks more often than things change.
	readinessInterval = 5 * time.Second
	// readinessTimeout bounds one look at the API server.
	readinessTimeout = 5 * time.Second
)

// Prober tries volumes.
type Prober interface {
	// Claims are the names of the claims that are mounted.
	Claims() []string
	// Probe says whether the claim can be written.
	Probe(claim string) error
}

// readiness says whether notifications should come here: the keys are loaded, the API server answers, and each volume was seen writable
// once.
//
// A volume that breaks later, or that is full, fails its own jobs with 503. It does not make the receiver unready, since all replicas
// would be at once, and then the notifications of everybody else's jobs would be lost too. Likewise, keys that are replaced by bad
// ones are reported by log and metric while the last good ones stay in force.
type readiness struct {
	client  client.Reader
	keys    notification.KeySource
	volumes Prober
	clock   clock.PassiveClock
	log     logr.Logger
	// namespaces are those that have jobs; empty means all.
	namespaces []string

	draining atomic.Bool

	mu        sync.Mutex
	checkedAt time.Time
	err       error
	probed    map[string]bool
}

var errDraining = errors.New("shutting down")

// check says why the receiver is not ready, or nil.
func (r *readiness) check(ctx context.Context) error {
	if r.draining.Load() {
		return errDraining
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.checkedAt.IsZero() && r.clock.Since(r.checkedAt) < readinessInterval {
		return r.err
	}
	before := r.err
	r.err = errors.Join(r.checkKeys(), r.checkVolumes(), r.checkAPIServer(ctx))
	r.checkedAt = r.clock.Now()
	if r.err != nil && before == nil {
		r.log.Error(r.err, "Not ready")
	}
	return r.err
}

func (r *readiness) checkKeys() error {
	_, err := r.keys.Keyring()
	return err
}

func (r *readiness) checkVolumes() error {
	var all []error
	for _, claim := range r.volumes.Claims() {
		if r.probed[claim] {
			continue
		}
		if err := r.volumes.Probe(claim); err != nil {
			all = append(all, err)
			continue
		}
		r.probed[claim] = true
	}
	return errors.Join(all...)
}

// checkAPIServer reads a job that is not there, which tries everything at once that a notification needs first: the network, the
// rights, and that the custom resource is installed. Of several namespaces one is enough: the others' jobs are not to suffer for one
// whose rights are missing.
func (r *readiness) checkAPIServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readinessTimeout)
	defer cancel()
	namespaces := r.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceDefault}
	}
	var all []error
	for _, namespace := range namespaces {
		err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "readiness"}, &v1alpha1.TranscriptionJob{})
		if err == nil || apierrors.IsNotFound(err) {
			return nil
		}
		all = append(all, fmt.Errorf("cannot read TranscriptionJobs: %w", err))
	}
	return errors.Join(all...)
}

// healthHandler answers kubelet. What is wrong is in the log, not in the answer.
func healthHandler(r *readiness) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		if err := r.check(req.Context()); err != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ok\n"))
	})
	return mux
}
