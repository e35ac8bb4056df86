// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/notification"
)

var env *testenv.Env

func TestMain(m *testing.M) {
	os.Exit(testenv.Run(m, func(e *testenv.Env) { env = e }))
}

// freeAddress is an address on loopback that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// keyFolder is a folder with a signing key, as the Secret is mounted.
func keyFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, notification.SigningKeyFile), bytes.Repeat([]byte("k"), notification.MinKeyBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestProgram runs the program from its flags to an orderly end: it becomes the leader, is ready, works on a job, tells its metrics,
// and gives the lease back when it is told to stop.
func TestProgram(t *testing.T) {
	t.Setenv("KUBECONFIG", env.Kubeconfig(t))
	namespace := env.Namespace(t.Context(), t, nil)
	metrics, health := freeAddress(t), freeAddress(t)
	config, err := parseFlags([]string{
		"--namespace=" + namespace, "--watch-namespaces=" + namespace, "--receiver-url=http://" + freeAddress(t),
		"--notification-keys=" + keyFolder(t), "--leader-elect", "--metrics-bind-address=" + metrics, "--health-probe-bind-address=" + health,
	}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- start(ctx, config, logr.Discard()) }()

	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "standup"},
		Spec: v1alpha1.TranscriptionJobSpec{
			Media:         v1alpha1.MediaSource{URL: ptr.To("https://media.example.com/standup.wav")},
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"},
		},
	}
	if err := env.Client.Create(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job is looked at", func() bool {
		return env.Client.Get(t.Context(), client.ObjectKeyFromObject(job), job) == nil && len(job.Status.Conditions) > 0
	})
	for url, part := range map[string]string{
		"http://" + health + "/healthz":  "ok",
		"http://" + health + "/readyz":   "ok",
		"http://" + metrics + "/metrics": "transcription_operator_submissions_adopted_total 0",
	} {
		eventually(t, url+" says "+part, func() bool { return strings.Contains(read(t, url), part) })
	}

	stop()
	if err := <-ended; err != nil {
		t.Errorf("start() = %v", err)
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: leaderElectionID}}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(lease), lease); err != nil {
		t.Fatal(err)
	}
	if holder := ptr.Deref(lease.Spec.HolderIdentity, ""); holder != "" {
		t.Errorf("the lease is still held by %s: the next manager has to wait", holder)
	}
}

// TestProgram_cannotStart says at the start, with the flag that it is about, what cannot work.
func TestProgram_cannotStart(t *testing.T) {
	t.Setenv("KUBECONFIG", env.Kubeconfig(t))
	config, err := parseFlags([]string{"--namespace=a", "--receiver-url=http://127.0.0.1:1", "--notification-keys=" + t.TempDir()}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // it would wait for keys
	defer cancel()
	if err := start(ctx, config, logr.Discard()); err == nil || !strings.Contains(err.Error(), "--notification-keys") {
		t.Errorf("start() = %v, want an error about --notification-keys", err)
	}
}

// read is the body of an answer, or empty.
func read(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return ""
	}
	body, err := io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); err != nil || closeErr != nil {
		return ""
	}
	return string(body)
}

// eventually waits until something is true.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !check() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
