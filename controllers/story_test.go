// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// standupWords are words of the recording standup.wav, which no other one has.
const standupWords = "flaky tests"

// TestStory_notified follows a job from the manifest to the transcript that the provider's notification brought.
func TestStory_notified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("standup")
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
	w.wantEvent(job, "Normal Submitted")
	w.wantEvent(job, "Normal Complete")
	if n := job.Status.Notification; n == nil || n.Source != v1alpha1.SourceCallback {
		t.Errorf("notification %+v, want one from the provider", n)
	}
	if text := w.text(job); !strings.Contains(text, standupWords) {
		t.Errorf("the transcript is not the recording's:\n%s", text)
	}
	if remote := job.Status.RemoteJob; remote == nil || remote.AudioDuration == nil || remote.AudioDuration.Seconds() < 25 || *remote.State != v1alpha1.RemoteDone {
		t.Errorf("remote job %+v, want one of 25 s that is done", remote)
	}
}

// TestStory_sources has the media come from each place there is.
func TestStory_sources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	const token, signature = "fetch-token-0123456789", "signature-0123456789"
	w.secrets = append(w.secrets, token, signature)
	guarded := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || r.URL.Query().Get("sig") != signature {
			http.Error(rw, "who are you?", http.StatusForbidden)
			return
		}
		http.ServeFile(rw, r, filepath.Join("..", "config", "samples", "media", filepath.Base(r.URL.Path)))
	}))
	t.Cleanup(guarded.Close)
	w.clip("clip", "greeting.ogg")
	w.create(&corev1.Secret{
		ObjectMeta: w.meta("clip"), Type: v1alpha1.MediaSecretType,
		Data: map[string][]byte{"greeting.ogg": w.recording("greeting.ogg")},
	})
	w.secret("signed", v1alpha1.MediaSecretType, map[string]string{
		"url":     guarded.URL + "/standup.wav?sig=" + signature + "\n",
		"headers": "Authorization: Bearer " + token + "\n",
	})
	ref := func(name, key string) *v1alpha1.ObjectKeyReference {
		return &v1alpha1.ObjectKeyReference{Name: name, Key: key}
	}
	signed := v1alpha1.MediaSource{
		URLFrom:         &v1alpha1.SecretSource{SecretKeyRef: *ref("signed", "url")},
		AuthHeadersFrom: &v1alpha1.SecretSource{SecretKeyRef: *ref("signed", "headers")},
	}
	jobs := map[string]*v1alpha1.TranscriptionJob{}
	for name, source := range map[string]v1alpha1.MediaSource{
		"configmap": {ConfigMap: ref("clip", "greeting.ogg")},
		"secret":    {Secret: ref("clip", "greeting.ogg")},
		"signed":    signed,
	} {
		jobs[name] = w.job(name, func(j *v1alpha1.TranscriptionJob) { j.Spec.Media = source })
	}
	for name, words := range map[string]string{"configmap": "Thank you for calling", "secret": "Thank you for calling", "signed": ""} {
		w.awaitReason(jobs[name], v1alpha1.ReasonComplete)
		if text := w.text(jobs[name]); !strings.Contains(text, words) || text == "" {
			t.Errorf("%s: the transcript is not the recording's:\n%s", name, text)
		}
		w.wantSubmissions(jobs[name], 1)
	}
}

// TestStory_volume stores all formats of a dialogue on a volume.
func TestStory_volume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("dialogue", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Media.URL = ptr.To(w.media + "/dialogue.mp3")
		j.Spec.Transcription.Diarization = ptr.To(v1alpha1.DiarizationSpeaker)
		j.Spec.Transcripts = v1alpha1.TranscriptsSpec{
			Formats:               []v1alpha1.TranscriptFormat{v1alpha1.FormatText, v1alpha1.FormatSRT, v1alpha1.FormatJSONv2},
			PersistentVolumeClaim: &v1alpha1.PersistentVolumeClaimStore{ClaimName: claimName, Directory: ptr.To("calls/2026")},
		}
	})
	w.awaitReason(job, v1alpha1.ReasonComplete)
	if len(job.Status.Transcripts) != 3 {
		t.Fatalf("transcripts %+v, want three", job.Status.Transcripts)
	}
	for _, transcript := range job.Status.Transcripts {
		data, err := os.ReadFile(filepath.Join(w.volume, transcript.PersistentVolumeClaim.Path))
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(data)) != *transcript.Bytes {
			t.Errorf("%s has %d bytes, the status says %d", transcript.PersistentVolumeClaim.Path, len(data), *transcript.Bytes)
		}
		if transcript.Format == v1alpha1.FormatText && !strings.Contains(string(data), "SPEAKER: S2") {
			t.Errorf("the dialogue has no second speaker:\n%s", data)
		}
	}
}

// TestStory_notificationsLost loses every notification: polling brings what they did not.
func TestStory_notificationsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withFaults(simulator.Fault{Kind: simulator.FaultNotificationLost}))
	w.account()
	job := w.job("lost", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Transcripts.Formats = []v1alpha1.TranscriptFormat{v1alpha1.FormatText, v1alpha1.FormatSRT}
	})
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
	if n := job.Status.Notification; n == nil || n.Source != v1alpha1.SourceDelivery {
		t.Errorf("notification %+v, want the controller's delivery", n)
	}
	if remote := job.Status.RemoteJob; remote.CreatedAt == nil || valueOf(remote.Language) != "en" || valueOf(remote.State) != v1alpha1.RemoteDone {
		t.Errorf("remote job %+v, want what the provider told", remote)
	}
	if n := w.counter("transcription_operator_notifications_missed_total"); n != 1 {
		t.Errorf("%d notifications count as missed", n)
	}
}

// TestStory_notificationUnderWay finds a job done whose notification comes a moment later: it was not missed, and nothing is fetched.
func TestStory_notificationUnderWay(t *testing.T) {
	t.Parallel()
	looked := make(chan struct{})
	w := newWorld(t, withProcessing(time.Second), withOptions(func(o *Options) { o.PollInterval = 45 * time.Second }), withNotificationsHeld(looked))
	w.account()
	job := w.job("job")
	id := w.awaitRecord(job)
	w.eventually("the job is done", func() (bool, string) { return w.remoteStatus(id) == "done", w.remoteStatus(id) })
	w.restartManager()
	w.eventually("somebody looks", func() (bool, string) {
		return w.counter("transcription_operator_observations_total") > 0, "nobody has"
	})
	close(looked)
	w.awaitReason(job, v1alpha1.ReasonComplete)
	if n := w.counter("transcription_operator_notifications_missed_total"); n != 0 || w.requests(operationTranscript) != 0 {
		t.Errorf("%d notifications count as missed, %d transcripts were fetched", n, w.requests(operationTranscript))
	}
}

// withNotificationsHeld has the provider's notifications come through only after a channel was closed.
func withNotificationsHeld(until <-chan struct{}) worldOption {
	return func(w *world, _ *simulator.Options) {
		receiver, err := url.Parse(w.public)
		if err != nil {
			w.t.Fatal(err)
		}
		pass := httputil.NewSingleHostReverseProxy(receiver)
		front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			select {
			case <-until:
				pass.ServeHTTP(rw, r)
			case <-r.Context().Done():
			}
		}))
		w.t.Cleanup(front.Close)
		w.options.CallbackURL = front.URL
	}
}

// TestStory_polled needs no address that the provider can reach.
func TestStory_polled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks())
	w.account()
	job := w.job("polled")
	w.awaitReason(job, v1alpha1.ReasonComplete)
	if text := w.text(job); !strings.Contains(text, standupWords) {
		t.Errorf("the transcript is not the recording's:\n%s", text)
	}
}

// TestStory_fetchFails tries twice, since a server may come back, and then says what the provider says.
func TestStory_fetchFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	const query = "token=query-0123456789"
	w.secrets = append(w.secrets, query)
	job := w.job("missing", func(j *v1alpha1.TranscriptionJob) { j.Spec.Media.URL = ptr.To(w.media + "/missing.wav?" + query) })
	message := w.awaitReason(job, v1alpha1.ReasonMediaFetchFailed)
	for _, part := range []string{"unable to fetch audio: http status code 404", "attempt 2 of 2"} {
		if !strings.Contains(message, part) {
			t.Errorf("the message %q does not say %q", message, part)
		}
	}
	w.wantSubmissions(job, 2)
	w.wantEvent(job, "Warning MediaFetchFailed: Speechmatics could not fetch the media: unable to fetch audio: http status code 404")
	w.wantEvent(job, "Warning Retrying")
	if *job.Status.FailedAttempts != 2 || len(job.Status.RemoteJob.Errors) == 0 {
		t.Errorf("status %+v, want two failed attempts and the provider's messages", job.Status)
	}
}

// TestStory_badMedia is rejected once and for all.
func TestStory_badMedia(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("text", func(j *v1alpha1.TranscriptionJob) { j.Spec.Media.URL = ptr.To(w.media + "/standup.txt") })
	message := w.awaitReason(job, v1alpha1.ReasonRejected)
	if !strings.Contains(message, "invalid audio") {
		t.Errorf("the message %q does not give the provider's reason", message)
	}
	w.wantSubmissions(job, 1)
	w.wantEvent(job, "Warning Rejected")
}

// TestStory_refused is answered 400: nothing was created, and the provider's words reach the person.
func TestStory_refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationCreate, Status: http.StatusBadRequest, Message: "Job config JSON is invalid"}))
	w.account()
	job := w.job("refused")
	message := w.awaitReason(job, v1alpha1.ReasonSubmissionRefused)
	for _, part := range []string{"Job config JSON is invalid", "new TranscriptionJob"} {
		if !strings.Contains(message, part) {
			t.Errorf("the message %q does not say %q", message, part)
		}
	}
	w.wantSubmissions(job, 0)
	w.wantEvent(job, "Warning SubmissionRefused")
}

// TestStory_uncertain breaks the submission in each way whose outcome is not known. The job is looked for, and there is never
// a second one.
func TestStory_uncertain(t *testing.T) {
	t.Parallel()
	create := func(f simulator.Fault) simulator.Fault {
		f.Operation, f.Count = simulator.OperationCreate, 1
		return f
	}
	for name, c := range map[string]struct {
		faults []simulator.Fault
		event  string
	}{
		"answer lost": {
			faults: []simulator.Fault{create(simulator.Fault{Kind: simulator.FaultResponseLost})},
			event:  "Normal Adopted",
		},
		"answer broken off": {
			faults: []simulator.Fault{create(simulator.Fault{Kind: simulator.FaultResponseReset})},
			event:  "Normal Adopted",
		},
		"answer too late": {
			faults: []simulator.Fault{create(simulator.Fault{Kind: simulator.FaultResponseLate, Delay: simulator.Duration(3 * time.Second)})},
			event:  "Normal Adopted",
		},
		"error of something in front": {
			faults: []simulator.Fault{create(simulator.Fault{Kind: simulator.FaultError, Status: http.StatusBadGateway, Body: simulator.BodyHTML})},
			event:  "Normal Submitted",
		},
		"list lags": {
			faults: []simulator.Fault{
				create(simulator.Fault{Kind: simulator.FaultResponseLost}),
				{Kind: simulator.FaultListLag, Delay: simulator.Duration(2300 * time.Millisecond), Count: 1},
			},
			event: "Normal Adopted",
		},
		"list is down at first": {
			faults: []simulator.Fault{
				create(simulator.Fault{Kind: simulator.FaultResponseLost}),
				{Kind: simulator.FaultError, Operation: simulator.OperationList, Status: http.StatusServiceUnavailable, Count: 4},
			},
			event: "Normal Adopted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Without notifications, which would settle it.
			w := newWorld(t, withoutCallbacks())
			w.account()
			if err := w.simulator.SetFaults(c.faults...); err != nil {
				t.Fatal(err)
			}
			job := w.job("uncertain")
			w.awaitReason(job, v1alpha1.ReasonComplete)
			w.wantSubmissions(job, 1)
			w.wantEvent(job, c.event)
			if !strings.Contains(w.logs.String(), "The outcome of the submission is not known") {
				t.Error("the submission was never uncertain, so that this tests nothing")
			}
		})
	}
}

// TestStory_uncertainAcrossRestart kills the manager's memory while the outcome of a submission is not known.
func TestStory_uncertainAcrossRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withFaults(simulator.Fault{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate, Count: 1}))
	w.account()
	job := w.job("uncertain")
	w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown)
	w.restartManager()
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
}

// TestStory_notifiedBeforeAnswer gets the notification before the submission is answered, and with the answer lost for good.
func TestStory_notifiedBeforeAnswer(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]simulator.Fault{
		"early":                 {{Kind: simulator.FaultNotificationEarly}},
		"early, answer is lost": {{Kind: simulator.FaultNotificationEarly}, {Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate, Count: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withFaults(faults...))
			w.account()
			job := w.job("early")
			w.awaitReason(job, v1alpha1.ReasonComplete)
			w.wantSubmissions(job, 1)
			if n := job.Status.Notification; n == nil || n.Source != v1alpha1.SourceCallback {
				t.Errorf("notification %+v, want the provider's", n)
			}
			if len(faults) > 1 {
				w.wantEvent(job, "Normal Adopted: attempt 1 had reached Speechmatics")
			}
		})
	}
}

// TestStory_rateLimited is told to slow down, and does.
func TestStory_rateLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationCreate, Status: http.StatusTooManyRequests, RetryAfter: 1, Count: 2}))
	w.account()
	job := w.job("slow")
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
}

// TestStory_keyRotation revokes the key while a job is at the provider, and puts another one into the Secret. Nobody restarts
// anything.
func TestStory_keyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(3*time.Second))
	account := w.account()
	running := w.job("running")
	w.awaitRecord(running)
	w.simulator.RevokeKey(apiKey)
	w.eventually("the account says so", func() (bool, string) {
		w.get(account)
		ready := readyCondition(account.Status.Conditions)
		return ready.Reason == v1alpha1.ReasonKeyRefused, ready.Message
	})
	w.wantEventOf(account.UID, "Warning KeyRefused")
	waiting := w.job("waiting")
	w.awaitReason(waiting, v1alpha1.ReasonAccountNotReady)
	w.wantSubmissions(waiting, 0)

	const newKey = "sm-secret-new-key-0123456789"
	w.secrets = append(w.secrets, newKey)
	w.simulator.AddKey(newKey)
	update(w, &corev1.Secret{ObjectMeta: w.meta("speechmatics")}, func(s *corev1.Secret) { s.Data = map[string][]byte{"apiKey": []byte(newKey)} })
	for _, job := range []*v1alpha1.TranscriptionJob{running, waiting} {
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.wantSubmissions(job, 1)
	}
}

// TestStory_keyReplacedUnnoticed revokes the old key when the Secret has a new one already. The account is ready throughout, so that nothing
// wakes the jobs that have found the old one refused.
func TestStory_keyReplacedUnnoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withoutCallbacks(), withProcessing(2*time.Second), withOptions(func(o *Options) { o.RetryInterval, o.SecretInterval = time.Second, 5*time.Minute }))
	account := w.account()
	running := w.job("running")
	w.awaitRecord(running)

	const newKey = "sm-secret-new-key-0123456789"
	w.secrets = append(w.secrets, newKey)
	w.simulator.AddKey(newKey)
	update(w, &corev1.Secret{ObjectMeta: w.meta("speechmatics")}, func(s *corev1.Secret) { s.Data = map[string][]byte{"apiKey": []byte(newKey)} })
	w.simulator.RevokeKey(apiKey)
	for _, job := range []*v1alpha1.TranscriptionJob{w.job("next"), running} {
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.wantSubmissions(job, 1)
	}
	w.get(account)
	if ready := readyCondition(account.Status.Conditions); ready.Reason != v1alpha1.ReasonKeyAccepted || w.unauthorized() == 0 {
		t.Errorf("the account's condition is %+v, and %d requests were refused: this is another story", ready, w.unauthorized())
	}
}

// TestStory_remoteJobLost has somebody else delete the job at the provider. Another attempt brings the transcript.
func TestStory_remoteJobLost(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]simulator.GoneAnswer{
		"404": simulator.GoneAnswerNotFound, "410": simulator.GoneAnswerGone, "deleted": simulator.GoneAnswerShow,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withoutCallbacks(), withProcessing(2*time.Second))
			w.account()
			if err := w.simulator.SetBehaviour(simulator.Behaviour{DeletedJob: answer}); err != nil {
				t.Fatal(err)
			}
			job := w.job("lost")
			first := w.awaitRecord(job)
			if !w.simulator.DeleteJob(first) {
				t.Fatal("there is nothing to delete")
			}
			w.awaitReason(job, v1alpha1.ReasonComplete)
			w.wantSubmissions(job, 2)
			w.wantEvent(job, "RemoteJobLost")
			if *job.Status.Attempt != 2 || *job.Status.FailedAttempts != 1 || *job.Status.RemoteJob.ID == first {
				t.Errorf("status %+v, want the second attempt after one failed", job.Status)
			}
		})
	}
}

// TestStory_replaced sends the original manifest again with `kubectl replace` in mid-flight, which erases the claim and the
// finalizer.
func TestStory_replaced(t *testing.T) {
	t.Parallel()
	replace := func(w *world, job *v1alpha1.TranscriptionJob) {
		w.t.Helper()
		w.get(job)
		again := w.newJob(job.Name)
		again.ResourceVersion = job.ResourceVersion
		if err := w.update(again); err != nil {
			w.t.Fatalf("cannot replace the job: %v", err)
		}
	}
	t.Run("while it runs", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, withProcessing(2*time.Second))
		w.account()
		job := w.job("replaced")
		id := w.awaitRecord(job)
		w.awaitReason(job, v1alpha1.ReasonRunning)
		replace(w, job)
		w.eventually("claim and finalizer are back", func() (bool, string) {
			w.get(job)
			return slices.Contains(job.Finalizers, v1alpha1.RemoteJobFinalizer) && newScope(job, w.options).announcedID() == id, strings.Join(job.Finalizers, ",")
		})
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.wantSubmissions(job, 1)
	})
	t.Run("while it is uncertain", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, withoutCallbacks(), withFaults(simulator.Fault{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate, Count: 1}))
		w.account()
		job := w.job("replaced")
		w.awaitReason(job, v1alpha1.ReasonSubmissionUnknown)
		replace(w, job)
		w.awaitReason(job, v1alpha1.ReasonComplete)
		w.wantSubmissions(job, 1)
	})
}

// TestStory_pages has something in front of the provider answer in its place for a while, with a page for people or an ingress' words.
// That a job was refused, is lost or deleted, or has a transcript, is the provider's to say.
func TestStory_pages(t *testing.T) {
	t.Parallel()
	const page = "<html><head><title>Not Found</title></head><body>There is nothing here.</body></html>"
	for name, c := range map[string]struct {
		status      int
		contentType string
		of          func(*http.Request) bool
		times       int32
	}{
		"for a submission": {http.StatusNotFound, "text/plain", func(r *http.Request) bool { return r.Method == http.MethodPost }, 2},
		"for a job": {http.StatusNotFound, "text/html", func(r *http.Request) bool {
			return r.Method == http.MethodGet && strings.Count(r.URL.Path, "/") == 3
		}, 4},
		"for a transcript": {http.StatusOK, "text/html", func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/transcript") }, 2},
		"for a deletion":   {http.StatusNotFound, "text/html", func(r *http.Request) bool { return r.Method == http.MethodDelete }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var pages atomic.Int32
			w := newWorld(t, withoutCallbacks(), func(w *world, _ *simulator.Options) {
				w.intercept = func(provider http.Handler) http.Handler {
					return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						if !c.of(r) || pages.Add(1) > c.times {
							provider.ServeHTTP(rw, r)
							return
						}
						rw.Header().Set("Content-Type", c.contentType)
						rw.WriteHeader(c.status)
						_, _ = io.WriteString(rw, page)
					})
				}
			})
			w.account()
			job := w.job("job", func(j *v1alpha1.TranscriptionJob) { j.Spec.RemoteDeletionPolicy = v1alpha1.RemoteDeletionAfterStored })
			w.awaitReason(job, v1alpha1.ReasonComplete)
			if text := w.text(job); !strings.Contains(text, standupWords) {
				t.Errorf("the transcript is not the recording's:\n%s", text)
			}
			id := *job.Status.RemoteJob.ID
			w.eventually("the remote job is deleted", func() (bool, string) { return w.remoteStatus(id) == "deleted", w.remoteStatus(id) })
			w.wantSubmissions(job, 1)
			if got := pages.Load(); got <= c.times {
				t.Errorf("%d requests, want more than the %d that were answered with a page", got, c.times)
			}
		})
	}
}
