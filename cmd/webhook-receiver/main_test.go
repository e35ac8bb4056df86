// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
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

// The program, from its flags to a stored transcript and an orderly end.
func TestProgram(t *testing.T) {
	t.Setenv("KUBECONFIG", env.Kubeconfig(t))
	keys, volume := t.TempDir(), t.TempDir()
	signing := bytes.Repeat([]byte("k"), notification.MinKeyBytes)
	if err := os.WriteFile(filepath.Join(keys, notification.SigningKeyFile), signing, 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := parseFlags([]string{"--notification-keys=" + keys, "--volume=transcripts=" + volume, "--body-max-bytes=64Mi", "--public-bind-address=127.0.0.1:0",
		"--internal-bind-address=127.0.0.1:0", "--metrics-bind-address=0", "--health-probe-bind-address=0"}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan string, 1)
	var once sync.Once
	log := funcr.New(func(_, args string) {
		if m := regexp.MustCompile(`"public"="([^"]+)"`).FindStringSubmatch(args); m != nil {
			once.Do(func() { started <- m[1] })
		}
	}, funcr.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- start(ctx, config, log) }()
	var address string
	select {
	case address = <-started:
	case err := <-ended:
		t.Fatalf("start() = %v", err)
	}

	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: env.Namespace(t.Context(), t, nil), Name: "standup"},
		Spec: v1alpha1.TranscriptionJobSpec{
			Media:         v1alpha1.MediaSource{URL: ptr.To("https://media.example.com/standup.wav")},
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"},
			Transcripts:   v1alpha1.TranscriptsSpec{PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStore{ClaimName: "transcripts"}},
		},
	}
	if err := env.Client.Create(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	keyring, err := notification.NewKeyring(signing)
	if err != nil {
		t.Fatal(err)
	}
	target := notification.Target{Namespace: job.Namespace, Name: job.Name, UID: job.UID, Attempt: 1}
	url, err := notification.DeliveryURL("http://"+address, target, "z2jfp1jwu1", v1alpha1.OutcomeSuccess)
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range []struct {
		text string
		want int
	}{
		{strings.Repeat("a", minBodyBytes+1), http.StatusRequestEntityTooLarge},
		{"Good morning.\n", http.StatusNoContent},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(request.text))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "text/plain")
		req.Header.Set("Authorization", notification.Authorization(keyring.Token(notification.PurposeCallback, target)))
		res, err := (&http.Client{Timeout: 20 * time.Second}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != request.want {
			t.Errorf("%d bytes are answered %d, %v; want %d", len(request.text), res.StatusCode, err, request.want)
		}
	}
	var after v1alpha1.TranscriptionJob
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(job), &after); err != nil {
		t.Fatal(err)
	}
	if len(after.Status.Transcripts) != 1 {
		t.Fatalf("status %+v", after.Status)
	}
	if err := check(t.Context(), checkOf("http://"+address+"/"), log); err != nil {
		t.Errorf("check() = %v", err)
	}
	content, err := os.ReadFile(filepath.Join(volume, after.Status.Transcripts[0].PersistentVolumeClaim.Path))
	if err != nil || string(content) != "Good morning.\n" {
		t.Errorf("the file holds %.100q, %v", content, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("start() = %v", err)
	}
}

// What cannot work is said at the start, with the flag that it is about.
func TestProgramThatCannotStart(t *testing.T) {
	t.Setenv("KUBECONFIG", env.Kubeconfig(t))
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	keys := t.TempDir()
	if err := os.WriteFile(filepath.Join(keys, notification.SigningKeyFile), bytes.Repeat([]byte("k"), notification.MinKeyBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	for flag, args := range map[string][]string{
		"--notification-keys":     {"--notification-keys=" + t.TempDir()},
		"--volume":                {"--notification-keys=" + keys, "--volume=a=" + filepath.Join(keys, "missing")},
		"--scratch-directory":     {"--notification-keys=" + keys, "--scratch-directory=" + filepath.Join(keys, "missing")},
		"--internal-bind-address": {"--notification-keys=" + keys, "--public-bind-address=127.0.0.1:0", "--internal-bind-address=" + taken.Addr().String()},
	} {
		config, err := parseFlags(args, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		if err := start(t.Context(), config, funcr.New(func(string, string) {}, funcr.Options{})); err == nil || !strings.HasPrefix(err.Error(), flag) {
			t.Errorf("%s: start() = %v", flag, err)
		}
	}
}
