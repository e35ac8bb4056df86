// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// quotingProvider refuses submissions, and repeats in the refusal all that it was sent.
func quotingProvider(t *testing.T, backend speechmatics.Backend, status int) *provider {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		config := r.FormValue("config")
		if config == "" {
			t.Error("the submission has no configuration")
		}
		answer, err := json.Marshal(map[string]string{"detail": "Server busy: " + config})
		if err != nil {
			t.Error(err)
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_, _ = rw.Write(answer)
	}))
	t.Cleanup(server.Close)
	p := testProvider()
	p.backend, p.callbackURL = backend, "https://receiver.example.com"
	var err error
	if p.client, err = speechmatics.New(server.URL+"/v2", speechmatics.WithBackend(backend), speechmatics.WithAPIKey(apiKey)); err != nil {
		t.Fatal(err)
	}
	p.limits = limitsAt(newSteppingClock(), func(types.NamespacedName) {})
	return p
}

// secretiveJob is a job with secrets in all places that have one, and what was read of them.
func secretiveJob() (v1alpha1.TranscriptionJobSpec, *input) {
	from := secretSource("secret", "key")
	spec := v1alpha1.TranscriptionJobSpec{
		Media: v1alpha1.MediaSource{URLFrom: from, AuthHeadersFrom: from},
		Transcription: v1alpha1.TranscriptionConfig{Language: "en", Diarization: new(v1alpha1.DiarizationSpeaker), SpeakerDiarization: &v1alpha1.SpeakerDiarizationConfig{
			Speakers: []v1alpha1.KnownSpeaker{{Label: "Ann", SpeakerIdentifiers: []string{"SECRET-speaker=="}}},
		}},
		Notifications: []v1alpha1.NotificationSpec{{URLFrom: from, AuthHeadersFrom: from}},
	}
	in := &input{
		media: &media{fetch: &speechmatics.FetchData{URL: "https://media.example.com/SECRET-path/a.wav?sig=SECRET-query", AuthHeaders: []string{"X-Media: SECRET-media"}}},
		notifications: []speechmatics.NotificationConfig{{
			URL: "https://hooks.example.com/services/SECRET-hook", AuthHeaders: []string{"Authorization: Bearer SECRET-token"},
		}},
	}
	return spec, in
}

// TestSecrets_quotedLater has the provider repeat a job's headers in its messages about the job, long after the pass that sent them. They are
// not told; nor is any message once the Secret is gone, so that nobody knows what to remove.
func TestSecrets_quotedLater(t *testing.T) {
	t.Parallel()
	const header = "X-Media: SECRET-header-0123456789"
	w := newWorld(t, withoutCallbacks(), withProcessing(patience), func(w *world, _ *simulator.Options) {
		w.intercept = func(next http.Handler) http.Handler {
			return quotingLater(t, next, "unable to fetch audio with "+header)
		}
	})
	w.secrets = append(w.secrets, "SECRET")
	w.account()
	w.secret("headers", v1alpha1.MediaSecretType, map[string]string{"headers": header})
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Media.AuthHeadersFrom = secretSource("headers", "headers")
	})
	told := func(want string) {
		t.Helper()
		w.eventually("the message is told as "+want, func() (bool, string) {
			w.get(job)
			if job.Status.RemoteJob == nil || len(job.Status.RemoteJob.Errors) == 0 {
				return false, "no message"
			}
			message := job.Status.RemoteJob.Errors[0].Message
			return message == want, message
		})
	}
	told("unable to fetch audio with [redacted]")
	w.delete(&corev1.Secret{ObjectMeta: w.meta("headers")})
	told(untold)
}

// quotingLater adds a message to what is told about single jobs.
func quotingLater(t *testing.T, next http.Handler, message string) http.Handler {
	t.Helper()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/v2/jobs/") {
			next.ServeHTTP(rw, r)
			return
		}
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		var answer map[string]map[string]any
		if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
			t.Errorf("the answer about a job is %s", recorder.Body)
			return
		}
		answer["job"]["errors"] = []map[string]string{{"timestamp": "2026-03-01T12:00:00.000Z", "message": message}}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(answer)
	})
}

// TestSecrets_quotedByTheProvider has the provider repeat a job's secrets in each of its refusals. Nobody is to read them: in a
// condition, an event or the log.
func TestSecrets_quotedByTheProvider(t *testing.T) {
	t.Parallel()
	namespace := env.Namespace(t.Context(), t, nil)
	for i, c := range []struct {
		backend speechmatics.Backend
		status  int
	}{
		{speechmatics.SaaS, http.StatusBadRequest},
		{speechmatics.SaaS, http.StatusUnauthorized},
		{speechmatics.SaaS, http.StatusForbidden},
		{speechmatics.SaaS, http.StatusTooManyRequests},
		{speechmatics.SaaS, http.StatusInternalServerError},
		{speechmatics.Worker, http.StatusServiceUnavailable},
	} {
		t.Run(fmt.Sprintf("%s %d", c.backend, c.status), func(t *testing.T) {
			t.Parallel()
			r := step(t, env.Client)
			recorder := events.NewFakeRecorder(100)
			r.recorder = recorder
			p := quotingProvider(t, c.backend, c.status)
			spec, in := secretiveJob()
			job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("job-%d", i)}, Spec: spec}
			if err := env.Client.Create(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			s := newScope(job, r.options)
			if err := r.claimAttempt(t.Context(), s, p); err != nil {
				t.Fatal(err)
			}
			logs := &logBuffer{}
			v, err := r.send(logf.IntoContext(t.Context(), logs.logger("manager")), s, p, in)
			var refused *speechmatics.Error
			if errors.As(err, &refused) {
				t.Fatalf("the refusal is to be told in words, not as it came: %v", err)
			}
			close(recorder.Events)
			said := []string{fmt.Sprint(v, err), p.queue(), logs.String()}
			for note := range recorder.Events {
				said = append(said, note)
			}
			own := newKeyring(t).Token(notification.PurposeCallback, s.target())
			for _, text := range said {
				if strings.Contains(text, "SECRET") || strings.Contains(text, own) {
					t.Errorf("a secret is to be read: %s", text)
				}
			}
			if held := p.limits.holding(); (held != "") != (c.backend == speechmatics.Worker) {
				t.Errorf("held because of %q; this tests what is said while a worker has no room", held)
			}
			if !strings.Contains(logs.String(), "Server busy") {
				t.Errorf("the log does not repeat what the provider said:\n%s", logs.String())
			}
		})
	}
}
