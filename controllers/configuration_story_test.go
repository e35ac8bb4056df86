// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// TestConfiguration_invalid gives each mistake that no schema sees: the job fails at once, for a reason that names the field and
// the next step, and nothing is submitted or claimed.
func TestConfiguration_invalid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	over := func(text string) func(*v1alpha1.TranscriptionJobSpec) {
		return func(s *v1alpha1.TranscriptionJobSpec) { s.ProviderConfig = &apiextensionsv1.JSON{Raw: []byte(text)} }
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.TranscriptionJobSpec)
		part   string
	}{
		"regexp": {func(s *v1alpha1.TranscriptionJobSpec) {
			s.Transcription.TranscriptFiltering = &v1alpha1.TranscriptFilteringConfig{Replacements: []v1alpha1.Replacement{
				{From: "(", To: ptr.To("a word")}, {From: "/(/", To: ptr.To("")},
			}}
		}, "spec.transcription.transcriptFiltering.replacements[1].from is a malformed regular expression"},
		"callback":    {over(`{"notification_config":[{"url":"https://a.example"}]}`), "spec.providerConfig.notification_config belongs to the operator: use spec.notifications"},
		"reference":   {over(`{"tracking":{"reference":"mine"}}`), "spec.providerConfig.tracking.reference belongs to the operator"},
		"no-tracking": {over(`{"tracking":null}`), "spec.providerConfig.tracking is not an object"},
		"other-media": {over(`{"fetch_data":{"url":"https://a.example/b.wav"}}`), "spec.providerConfig.fetch_data belongs to the operator: use spec.media"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := w.in(t)
			job := w.job(name, func(j *v1alpha1.TranscriptionJob) { c.change(&j.Spec) })
			message := w.awaitReason(job, v1alpha1.ReasonInvalidConfiguration)
			if !strings.Contains(message, c.part) || !strings.Contains(message, "in a new TranscriptionJob") {
				t.Errorf("the message is not %q with the next step: %s", c.part, message)
			}
			if !isFinished(job) || isComplete(job) {
				t.Errorf("the job has not failed: %+v", job.Status.Conditions)
			}
			if len(job.Finalizers)+len(job.Annotations) > 0 {
				t.Errorf("the job was claimed: %v %v", job.Finalizers, job.Annotations)
			}
			w.wantSubmissions(job, 0)
		})
	}
}

// TestConfiguration_suspended holds an invalid job back like any other, and says what is wrong when it is resumed.
func TestConfiguration_suspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Suspend = ptr.To(true)
		j.Spec.ProviderConfig = &apiextensionsv1.JSON{Raw: []byte(`{"type":"alignment"}`)}
	})
	w.awaitReason(job, v1alpha1.ReasonSuspended)
	update(w, job, func(j *v1alpha1.TranscriptionJob) { j.Spec.Suspend = nil })
	w.awaitReason(job, v1alpha1.ReasonInvalidConfiguration)
	w.wantSubmissions(job, 0)
}

// TestConfiguration_providerConfig reaches the provider, over what the spec says, and leaves the operator its own: the job is found,
// notified of and complete.
func TestConfiguration_providerConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Tracking = &v1alpha1.Tracking{Title: ptr.To("from the spec")}
		j.Spec.ProviderConfig = &apiextensionsv1.JSON{Raw: []byte(
			`{"transcription_config":{"diarization":"speaker"},"output_config":{"srt_overrides":{"max_lines":1}},"tracking":{"title":"from below","tags":["a"]}}`)}
	})
	w.awaitReason(job, v1alpha1.ReasonComplete)
	config := w.remoteConfig(job)
	if config.Transcription["diarization"] != "speaker" || config.Transcription["language"] != "en" || config.Output.SRT["max_lines"] != 1.0 {
		t.Errorf("the provider was sent %+v", config)
	}
	if config.Tracking["title"] != "from below" || !strings.HasPrefix(config.Tracking["reference"].(string), string(job.UID)+"/1/") {
		t.Errorf("the provider's tracking is %v", config.Tracking)
	}
	if text := w.text(job); !strings.Contains(text, "SPEAKER: ") {
		t.Errorf("speakers were asked for, and are not in the text: %.100s", text)
	}
	w.wantSubmissions(job, 1)
}

// TestConfiguration_notifications has the provider notify two addresses of the user's own as well: one that is written down, and
// one that is a secret. The operator's own notification comes first and is not disturbed, though one address always fails.
func TestConfiguration_notifications(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	type call struct{ method, path, query, token, body string }
	calls := make(chan call, 20)
	listener := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- call{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("X-Token"), string(body)}
		if strings.HasPrefix(r.URL.Path, "/hidden") {
			rw.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(listener.Close)
	w.secrets = append(w.secrets, "hidden-path", "hidden-token", "hidden-query")
	w.secret("hook", v1alpha1.MediaSecretType, map[string]string{"url": listener.URL + "/hidden-path?key=hidden-query", "headers": "X-Token: hidden-token"})
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Notifications = []v1alpha1.NotificationSpec{
			{URL: ptr.To(listener.URL + "/open"), Contents: []v1alpha1.NotificationContent{"transcript.txt"}, Method: ptr.To(v1alpha1.NotificationMethod("put"))},
			{URLFrom: secretSource("hook", "url"), AuthHeadersFrom: secretSource("hook", "headers"), Contents: []v1alpha1.NotificationContent{}},
		}
	})
	w.awaitReason(job, v1alpha1.ReasonComplete)
	id := *job.Status.RemoteJob.ID
	open, hidden := call{}, call{}
	for open.path == "" || hidden.path == "" {
		switch c := <-calls; c.path {
		case "/open":
			open = c
		default:
			hidden = c
		}
	}
	if open.method != http.MethodPut || open.query != "id="+id+"&status=success" || open.body != w.text(job) || open.token != "" {
		t.Errorf("the first address was called with %+v", open)
	}
	if hidden.method != http.MethodPost || hidden.path != "/hidden-path" || hidden.query != "key=hidden-query&id="+id+"&status=success" || hidden.token != "hidden-token" || hidden.body != "" {
		t.Errorf("the second address was called with %+v", hidden)
	}
	addresses := w.remoteConfig(job).Notifications
	if len(addresses) != 3 || !strings.HasPrefix(addresses[0].URL, w.public) || addresses[1].URL != listener.URL+"/open" {
		t.Errorf("the provider was asked to notify %+v, want the operator first", addresses)
	}
	if job.Status.Notification.Source != v1alpha1.SourceCallback {
		t.Errorf("the operator was not notified: %+v", job.Status.Notification)
	}
}

// TestConfiguration_notificationSecrets waits for what spec.notifications names to be put right, and goes on by itself then.
func TestConfiguration_notificationSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	const hidden = "neither-a-url-nor-a-header"
	w.secrets = append(w.secrets, hidden)
	w.secret("opaque", corev1.SecretTypeOpaque, map[string]string{"url": "https://a.example/a"})
	w.secret("media", v1alpha1.MediaSecretType, map[string]string{"text": hidden, "empty": ""})
	open := ptr.To("https://a.example/done")
	cases := map[string]struct {
		entry v1alpha1.NotificationSpec
		part  string
	}{
		"no-secret":  {v1alpha1.NotificationSpec{URLFrom: secretSource("none", "url")}, "no Secret none in namespace " + w.namespace + ", which spec.notifications[0].urlFrom names"},
		"no-key":     {v1alpha1.NotificationSpec{URLFrom: secretSource("media", "url")}, `no key "url"; put the URL there`},
		"wrong-type": {v1alpha1.NotificationSpec{URLFrom: secretSource("opaque", "url")}, "Secret opaque has the type Opaque"},
		"no-url":     {v1alpha1.NotificationSpec{URLFrom: secretSource("media", "text")}, `"text" in Secret media is not an http or https URL`},
		"no-header":  {v1alpha1.NotificationSpec{URL: open, AuthHeadersFrom: secretSource("media", "text")}, `"text" in Secret media: line 1 is not an HTTP header`},
		"empty":      {v1alpha1.NotificationSpec{URL: open, AuthHeadersFrom: secretSource("media", "empty")}, `"empty" of Secret media is empty; put the headers there`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := w.in(t)
			job := w.job(name, func(j *v1alpha1.TranscriptionJob) { j.Spec.Notifications = []v1alpha1.NotificationSpec{c.entry} })
			if message := w.awaitReason(job, v1alpha1.ReasonInvalidNotification); !strings.Contains(message, c.part) {
				t.Errorf("the message does not say %q: %s", c.part, message)
			}
			w.wantSubmissions(job, 0)
		})
	}
	t.Run("put right", func(t *testing.T) {
		t.Parallel()
		w := w.in(t)
		listener := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(listener.Close)
		job := w.job("late", func(j *v1alpha1.TranscriptionJob) {
			j.Spec.Notifications = []v1alpha1.NotificationSpec{{URLFrom: secretSource("late", "url")}}
		})
		w.awaitReason(job, v1alpha1.ReasonInvalidNotification)
		w.secret("late", v1alpha1.MediaSecretType, map[string]string{"url": listener.URL})
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.wantSubmissions(job, 1)
	})
}

func secretSource(name, key string) *v1alpha1.SecretSource {
	return &v1alpha1.SecretSource{SecretKeyRef: v1alpha1.ObjectKeyReference{Name: name, Key: key}}
}

// remoteConfig is a part of a job's configuration as the provider has it.
type remoteConfig struct {
	Transcription map[string]any `json:"transcription_config"`
	Tracking      map[string]any `json:"tracking"`
	Output        struct {
		SRT map[string]any `json:"srt_overrides"`
	} `json:"output_config"`
	Notifications []struct {
		URL string `json:"url"`
	} `json:"notification_config"`
}

func (w *world) remoteConfig(job *v1alpha1.TranscriptionJob) remoteConfig {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.provider+"/jobs/"+*job.Status.RemoteJob.ID+"?wait=0", http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Job struct {
			Config remoteConfig `json:"config"`
		} `json:"job"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		w.t.Fatal(err)
	}
	return answer.Job.Config
}

// TestRedact keeps what may be secret in a URL out of the provider's messages, which repeat the addresses of notifications that fail.
func TestRedact(t *testing.T) {
	t.Parallel()
	const message = `unable to send notification: Post "https://hooks.example/T0/secret?id=1": EOF`
	for name, c := range map[string]struct {
		spec v1alpha1.TranscriptionJobSpec
		want string
	}{
		"open":                {v1alpha1.TranscriptionJobSpec{}, `unable to send notification: Post "https://hooks.example/T0/secret": EOF`},
		"hidden media":        {v1alpha1.TranscriptionJobSpec{Media: v1alpha1.MediaSource{URLFrom: secretSource("a", "b")}}, `unable to send notification: Post "https://hooks.example/…": EOF`},
		"hidden notification": {v1alpha1.TranscriptionJobSpec{Notifications: []v1alpha1.NotificationSpec{{}, {URLFrom: secretSource("a", "b")}}}, `unable to send notification: Post "https://hooks.example/…": EOF`},
	} {
		s := &scope{job: &v1alpha1.TranscriptionJob{Spec: c.spec}}
		if got := s.redact(message); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
