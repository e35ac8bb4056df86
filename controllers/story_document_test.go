// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// withFormats sets the formats of a job.
func withFormats(formats ...v1alpha1.TranscriptFormat) func(*v1alpha1.TranscriptionJob) {
	return func(j *v1alpha1.TranscriptionJob) { j.Spec.Transcripts.Formats = formats }
}

func translatedTo(languages ...string) func(*v1alpha1.TranscriptionJob) {
	return func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Translation = &v1alpha1.TranslationConfig{TargetLanguages: languages}
	}
}

// stored are a job's transcripts by their names, as they are in ConfigMaps.
func (w *world) stored(job *v1alpha1.TranscriptionJob) map[string]string {
	w.t.Helper()
	all := &corev1.ConfigMapList{}
	if err := env.Client.List(w.ctx, all, client.InNamespace(job.Namespace), client.MatchingLabels{"transcription-operator.io/job-name": job.Name}); err != nil {
		w.t.Fatal(err)
	}
	found := map[string]string{}
	for _, object := range all.Items {
		for _, text := range object.Data {
			found[strings.TrimPrefix(object.Name, job.Name+"-")] = text
		}
	}
	return found
}

func (w *world) wantFeatures(job *v1alpha1.TranscriptionJob, reason string, parts ...string) {
	w.t.Helper()
	condition := meta.FindStatusCondition(job.Status.Conditions, v1alpha1.ConditionFeaturesFailed)
	if condition == nil || condition.Reason != reason {
		w.t.Errorf("FeaturesFailed is %+v, want %s", condition, reason)
		return
	}
	for _, part := range parts {
		if !strings.Contains(condition.Message, part) {
			w.t.Errorf("FeaturesFailed does not say %q: %s", part, condition.Message)
		}
	}
}

// TestStory_captions has captions and translations made from the document, whoever brings it. The provider is asked for its own formats
// only, and for each of them once at most.
func TestStory_captions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		option  worldOption
		fetched int
	}{
		// No look at the job may overtake the notification, however busy this machine is.
		"notified": {withOptions(func(o *Options) { o.PollInterval = time.Hour }), 0},
		"polled":   {withoutCallbacks(), 2},
		"lost":     {withFaults(simulator.Fault{Kind: simulator.FaultNotificationLost}), 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tt.option)
			w.account()
			job := w.job("captions", withFormats("txt", "vtt"), translatedTo("de", "fr"))
			message := w.awaitReason(job, v1alpha1.ReasonComplete)
			w.wantSubmissions(job, 1)
			w.wantFeatures(job, v1alpha1.ReasonNoFeatureErrors)
			if !strings.Contains(message, "de, fr") {
				t.Errorf("the message does not name the translations: %s", message)
			}
			found := w.stored(job)
			for name, part := range map[string]string{
				"txt": "release notes", "vtt": "WEBVTT", "txt-de": "[de]", "vtt-de": "Language: de", "txt-fr": "[fr]", "vtt-fr": "[fr]",
			} {
				if !strings.Contains(found[name], part) {
					t.Errorf("%s does not hold %q: %q", name, part, found[name])
				}
			}
			if len(found) != 6 || len(job.Status.Transcripts) != 6 {
				t.Errorf("stored %v, recorded %+v; want six", found, job.Status.Transcripts)
			}
			if got := w.requests(operationTranscript); got != tt.fetched {
				t.Errorf("%d transcripts were fetched, want %d", got, tt.fetched)
			}
			if remote := job.Status.RemoteJob; valueOf(remote.Language) != "en" || remote.AudioDuration == nil {
				t.Errorf("remote job %+v", remote)
			}
		})
	}
}

// TestStory_languageIdentified shows the language that was identified, which nobody knows before the end.
func TestStory_languageIdentified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	job := w.job("identified", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Transcription.Language = "auto"
		j.Spec.LanguageIdentification = &v1alpha1.LanguageIdentificationConfig{ExpectedLanguages: []string{"de", "fr"}}
	})
	w.awaitRecord(job)
	if language := job.Status.RemoteJob.Language; language != nil {
		t.Errorf("the language is %q before it was identified", *language)
	}
	w.awaitReason(job, v1alpha1.ReasonComplete)
	if got := valueOf(job.Status.RemoteJob.Language); got != "de" {
		t.Errorf("the language is %q, want de", got)
	}
	if found := w.stored(job); len(found) != 1 || found["txt"] == "" {
		t.Errorf("stored %v, want the text only", found)
	}
}

// TestStory_featuresFail completes a job some of whose features failed, and says which: in the STATUS column, in a condition, and in
// one event.
func TestStory_featuresFail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withFaults(
		simulator.Fault{Kind: simulator.FaultFeature, Feature: simulator.FeatureTranslation, Language: "fr"},
		simulator.Fault{Kind: simulator.FaultFeature, Feature: simulator.FeatureSummarization, Message: "Out of words"},
	))
	w.account()
	job := w.job("mixed", withFormats("json-v2", "srt"), translatedTo("de", "fr"), func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Summarization = &v1alpha1.SummarizationConfig{}
	})
	message := w.awaitReason(job, v1alpha1.ReasonCompleteWithErrors)
	if !meta.IsStatusConditionTrue(job.Status.Conditions, v1alpha1.ConditionComplete) || !strings.Contains(message, "Out of words") {
		t.Errorf("conditions %+v", job.Status.Conditions)
	}
	w.wantFeatures(job, v1alpha1.ReasonSeveralFeaturesFailed, "Translation to fr failed (translation_failed): Failed to process translation", "Summarization failed (summarization_failed): Out of words")
	if told := job.Status.Document.FeatureErrors; len(told) != 2 {
		t.Errorf("two failures are told as %+v", told)
	}
	if found := w.stored(job); len(found) != 3 || found["srt-de"] == "" || found["srt-fr"] != "" {
		t.Errorf("stored %v, want json-v2, srt and srt-de", found)
	}
	w.wantEvent(job, "Warning SeveralFeaturesFailed")
	w.wantEvent(job, "Normal CompleteWithErrors")
	w.consistently("there is one event", func() (bool, string) {
		notes := w.events(job.UID)
		n := 0
		for _, note := range notes {
			if strings.HasPrefix(note, "Warning SeveralFeaturesFailed") {
				n++
			}
		}
		return n == 1, strings.Join(notes, "\n")
	})
}

// notify sends a notification as the provider would, with a body of its own.
func (w *world) notify(job *v1alpha1.TranscriptionJob, id, contentType, body string) {
	w.t.Helper()
	target := notification.Target{Namespace: job.Namespace, Name: job.Name, UID: job.UID, Attempt: 1}
	address, err := notification.CallbackURL(w.public, target)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.ctx, http.MethodPost, fmt.Sprintf("%s?id=%s&status=success", address, id), strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", notification.Authorization(w.keys.Token(notification.PurposeCallback, target)))
	res, err := (&http.Client{Timeout: patience}).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusNoContent {
		w.t.Fatalf("answer %s, %v", res.Status, err)
	}
}

// withDocument has the provider answer with a document of the test's own, and counts how often.
func withDocument(document string, fetched *atomic.Int32) worldOption {
	return func(w *world, _ *simulator.Options) {
		w.intercept = func(provider http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/transcript") || r.URL.Query().Get("format") != "json-v2" {
					provider.ServeHTTP(rw, r)
					return
				}
				fetched.Add(1)
				rw.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(rw, document)
			})
		}
	}
}

func afterStored(j *v1alpha1.TranscriptionJob) {
	j.Spec.RemoteDeletionPolicy = v1alpha1.RemoteDeletionAfterStored
}

func languageAuto(j *v1alpha1.TranscriptionJob) {
	j.Spec.Transcription.Language = notification.LanguageAuto
}

// TestStory_unreadableDocument fails a job whose document was asked for, or captions from it, says where the document is, and has lost
// nothing: what is stored is not whole, so the provider's copy stays. A job that wants to know only what the document tells is complete.
// The document is fetched once.
func TestStory_unreadableDocument(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"cut":   `{"format":"2.9","results":[{"alternatives":[{"content":"Hel`,
		"empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fetched := &atomic.Int32{}
			w := newWorld(t, withoutCallbacks(), withDocument(document, fetched))
			w.account()
			jobs := map[string]*v1alpha1.TranscriptionJob{
				"captions": w.job("captions", withFormats("txt", "vtt"), afterStored),
				"document": w.job("document", withFormats("json-v2"), afterStored),
				"facts":    w.job("facts", withFormats("txt"), languageAuto, afterStored),
			}
			for name, want := range map[string]struct {
				reason string
				parts  []string
			}{
				"captions": {v1alpha1.ReasonTranscriptUnreadable, []string{"vtt cannot be made", "ConfigMap captions-json-v2"}},
				"document": {v1alpha1.ReasonTranscriptUnreadable, []string{"ConfigMap document-json-v2"}},
				"facts":    {v1alpha1.ReasonComplete, []string{"not known"}},
			} {
				job := jobs[name]
				message := w.awaitReason(job, want.reason)
				for _, part := range append(want.parts, "not a json-v2 document") {
					if !strings.Contains(message, part) {
						t.Errorf("job %s: the message does not say %q: %s", name, part, message)
					}
				}
				if found := w.stored(job); found["json-v2"] != document || len(found) != len(job.Status.Transcripts) {
					t.Errorf("job %s: stored %v, recorded %+v", name, found, job.Status.Transcripts)
				}
				w.wantSubmissions(job, 1)
			}
			w.wantEvent(jobs["facts"], "Warning RemoteJobLeft")
			if c := meta.FindStatusCondition(jobs["facts"].Status.Conditions, v1alpha1.ConditionFeaturesFailed); c == nil || c.Status != metav1.ConditionUnknown {
				t.Errorf("nobody knows whether features failed: %+v", c)
			}
			for name, job := range jobs {
				if got := w.remoteStatus(valueOf(job.Status.RemoteJob.ID)); got != "done" {
					t.Errorf("job %s is %s at the provider, want it kept", name, got)
				}
			}
			if got := fetched.Load(); got != 3 {
				t.Errorf("three documents were fetched %d times", got)
			}
			// Nor does it go with the object, if nothing whole is stored.
			for name, want := range map[string]string{"document": "done", "facts": "deleted"} {
				w.delete(jobs[name])
				w.awaitGone(jobs[name])
				if got := w.remoteStatus(valueOf(jobs[name].Status.RemoteJob.ID)); got != want {
					t.Errorf("job %s is %s at the provider after its object was deleted, want %s", name, got, want)
				}
			}
			w.wantEvent(jobs["document"], "Warning TranscriptKept")
		})
	}
}

// TestStory_badNotification does not believe a notification that the document is broken: the provider has a whole one.
func TestStory_badNotification(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Second), withFaults(simulator.Fault{Kind: simulator.FaultNotificationLost}))
	w.account()
	job := w.job("bad", withFormats("json-v2", "vtt"), afterStored)
	w.notify(job, w.awaitRecord(job), "application/json", `{"format":"2.9","results":[{"alternatives":[{"content":"Hel`)
	w.awaitReason(job, v1alpha1.ReasonComplete)
	if found := w.stored(job); !json.Valid([]byte(found["json-v2"])) || !strings.Contains(found["vtt"], "WEBVTT") {
		t.Errorf("stored %v", found)
	}
	w.wantSubmissions(job, 1)
	w.eventually("the remote job is deleted", func() (bool, string) {
		got := w.remoteStatus(valueOf(job.Status.RemoteJob.ID))
		return got == "deleted", got
	})
}

// TestStory_receiverThatStoresNothing gives up after some deliveries that a receiver takes without storing what is asked for. A job that
// has its transcripts is complete all the same.
func TestStory_receiverThatStoresNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withProcessing(time.Second), withFaults(simulator.Fault{Kind: simulator.FaultNotificationLost}), func(w *world, _ *simulator.Options) {
		older := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			rw.WriteHeader(http.StatusNoContent)
		}))
		t.Cleanup(older.Close)
		w.internal = older.URL
		w.options.RetryInterval, w.options.PollInterval = 50*time.Millisecond, 100*time.Millisecond
	})
	w.account()
	captions := w.job("captions", withFormats("txt", "vtt"))
	facts := w.job("facts", withFormats("txt"), languageAuto, afterStored)
	for _, job := range []*v1alpha1.TranscriptionJob{captions, facts} {
		w.notify(job, w.awaitRecord(job), "text/plain", "Good morning.\n")
	}
	if message := w.awaitReason(captions, v1alpha1.ReasonTranscriptNotStored); !strings.Contains(message, "json-v2") || !strings.Contains(message, "5 deliveries") {
		t.Errorf("the message does not say what was delivered how often: %s", message)
	}
	if message := w.awaitReason(facts, v1alpha1.ReasonComplete); !strings.Contains(message, "not known") {
		t.Errorf("the message does not say that something is not known: %s", message)
	}
	// A fetch or a delivery that took too long on a busy machine is done again and does not count.
	if got := w.requests(operationTranscript); got < 2*maxDeliveries {
		t.Errorf("%d transcripts were fetched, want %d for each job at least", got, maxDeliveries)
	}
	w.wantSubmissions(captions, 1)
	w.wantSubmissions(facts, 1)
}

// TestJudge_lacksFactsOnly submits nothing again of which every transcript is stored.
func TestJudge_lacksFactsOnly(t *testing.T) {
	t.Parallel()
	lost := &failure{reason: v1alpha1.ReasonRemoteJobLost, message: "it is gone", retryable: true}
	have := func(formats ...v1alpha1.TranscriptFormat) (all []v1alpha1.StoredTranscript) {
		for _, format := range formats {
			all = append(all, v1alpha1.StoredTranscript{Format: format, JobID: "id", Attempt: 1})
		}
		return all
	}
	for name, tt := range map[string]struct {
		change func(*v1alpha1.TranscriptionJob)
		have   []v1alpha1.StoredTranscript
		want   ending
	}{
		"facts":        {languageAuto, have("txt"), completed},
		"text":         {languageAuto, nil, unfinished},
		"captions":     {withFormats("txt", "vtt"), have("txt"), unfinished},
		"translations": {translatedTo("de"), have("txt"), unfinished},
		"document":     {withFormats("json-v2"), have("json-v2"), completed},
	} {
		job := &v1alpha1.TranscriptionJob{Spec: v1alpha1.TranscriptionJobSpec{
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"}, BackoffLimit: ptr.To(int32(3)),
		}}
		tt.change(job)
		job.Status = v1alpha1.TranscriptionJobStatus{
			Attempt: ptr.To(int32(1)), RemoteJob: &v1alpha1.RemoteJob{ID: ptr.To("id")}, Transcripts: tt.have,
		}
		v, err := newScope(job, Options{}.withDefaults()).judge(verdict{}, lost)
		if err != nil || v.ending != tt.want || !strings.Contains(v.message, lost.message) {
			t.Errorf("%s: verdict %+v, %v", name, v, err)
		}
		if s := newScope(job, Options{}); s.isOnlyCopy(s.remoteID()) != (tt.want == unfinished) {
			t.Errorf("%s: isOnlyCopy() = %t", name, s.isOnlyCopy(s.remoteID()))
		}
		if doubt := newScope(job, Options{}).documentDoubt(); (doubt != "") != (name == "document") {
			t.Errorf("%s: documentDoubt() = %q", name, doubt)
		}
	}
}

// TestFailedFeatures checks that reasons are the constants of the API, and that each error can be read.
func TestFailedFeatures(t *testing.T) {
	t.Parallel()
	reasons := map[v1alpha1.Feature]string{
		v1alpha1.FeatureTranslation: v1alpha1.ReasonTranslationFailed, v1alpha1.FeatureSummarization: v1alpha1.ReasonSummarizationFailed,
		v1alpha1.FeatureSentimentAnalysis: v1alpha1.ReasonSentimentAnalysisFailed, v1alpha1.FeatureTopicDetection: v1alpha1.ReasonTopicDetectionFailed,
		v1alpha1.FeatureAutoChapters: v1alpha1.ReasonAutoChaptersFailed, v1alpha1.FeatureAudioEvents: v1alpha1.ReasonAudioEventsFailed,
		v1alpha1.FeatureLanguageIdentification: v1alpha1.ReasonLanguageIdentificationFailed,
	}
	for feature, reason := range reasons {
		got := failedFeatures(&v1alpha1.DocumentFacts{FeatureErrors: []v1alpha1.FeatureError{{Feature: feature}, {Feature: feature, Message: "m"}}})
		if got.reason != reason {
			t.Errorf("the reason of %s is %s, want %s", feature, got.reason, reason)
		}
	}
	for _, tt := range []struct {
		e    v1alpha1.FeatureError
		want string
	}{
		{v1alpha1.FeatureError{Feature: "Summarization"}, "Summarization failed, without a reason"},
		{v1alpha1.FeatureError{Feature: "Summarization", Type: "t"}, "Summarization failed: t"},
		{v1alpha1.FeatureError{Feature: "Summarization", Message: "m"}, "Summarization failed: m"},
		{v1alpha1.FeatureError{Feature: "Translation", Language: ptr.To("de"), Type: "t", Message: "m"}, "Translation to de failed (t): m"},
	} {
		if got := failedFeatures(&v1alpha1.DocumentFacts{FeatureErrors: []v1alpha1.FeatureError{tt.e}}); got.message != tt.want {
			t.Errorf("the message is %q, want %q", got.message, tt.want)
		}
	}
	for _, none := range []*v1alpha1.DocumentFacts{nil, {}} {
		if got := failedFeatures(none); got.reason != v1alpha1.ReasonNoFeatureErrors || got.message != "" {
			t.Errorf("without errors: %+v", got)
		}
	}
}

// TestMissingFormats checks what is fetched in which situation.
func TestMissingFormats(t *testing.T) {
	t.Parallel()
	facts := func(change ...func(*v1alpha1.DocumentFacts)) *v1alpha1.DocumentFacts {
		d := &v1alpha1.DocumentFacts{JobID: "id", Attempt: 1}
		for _, c := range change {
			c(d)
		}
		return d
	}
	with := func(languages ...string) func(*v1alpha1.DocumentFacts) {
		return func(d *v1alpha1.DocumentFacts) { d.Translations = languages }
	}
	unreadable := func(d *v1alpha1.DocumentFacts) { d.Problem = ptr.To("p") }
	type have = []v1alpha1.StoredTranscript
	stored := func(format v1alpha1.TranscriptFormat, language string) v1alpha1.StoredTranscript {
		return v1alpha1.StoredTranscript{Format: format, Language: language, JobID: "id", Attempt: 1}
	}
	for name, tt := range map[string]struct {
		job      []func(*v1alpha1.TranscriptionJob)
		document *v1alpha1.DocumentFacts
		have     have
		want     []v1alpha1.TranscriptFormat
	}{
		"nothing is there":                     {nil, nil, nil, []v1alpha1.TranscriptFormat{"txt"}},
		"the text is there":                    {nil, nil, have{stored("txt", "")}, nil},
		"only a translation is there":          {nil, nil, have{stored("txt", "de")}, []v1alpha1.TranscriptFormat{"txt"}},
		"another job's text":                   {nil, nil, have{{Format: "txt", JobID: "x", Attempt: 1}}, []v1alpha1.TranscriptFormat{"txt"}},
		"captions are missing":                 {[]func(*v1alpha1.TranscriptionJob){withFormats("vtt")}, nil, nil, []v1alpha1.TranscriptFormat{"json-v2"}},
		"captions are there":                   {[]func(*v1alpha1.TranscriptionJob){withFormats("vtt")}, facts(), have{stored("vtt", "")}, nil},
		"captions without facts":               {[]func(*v1alpha1.TranscriptionJob){withFormats("vtt")}, nil, have{stored("vtt", "")}, []v1alpha1.TranscriptFormat{"json-v2"}},
		"facts without captions":               {[]func(*v1alpha1.TranscriptionJob){withFormats("vtt")}, facts(), nil, []v1alpha1.TranscriptFormat{"json-v2"}},
		"facts of another attempt":             {[]func(*v1alpha1.TranscriptionJob){withFormats("vtt")}, facts(func(d *v1alpha1.DocumentFacts) { d.Attempt = 2 }), have{stored("vtt", "")}, []v1alpha1.TranscriptFormat{"json-v2"}},
		"the document cannot be read":          {[]func(*v1alpha1.TranscriptionJob){withFormats("vtt")}, facts(unreadable), nil, nil},
		"an unreadable document is missing":    {[]func(*v1alpha1.TranscriptionJob){withFormats("json-v2")}, facts(unreadable), nil, []v1alpha1.TranscriptFormat{"json-v2"}},
		"a translation is not in there":        {[]func(*v1alpha1.TranscriptionJob){translatedTo("de")}, facts(), have{stored("txt", "")}, nil},
		"a translation is not yet stored":      {[]func(*v1alpha1.TranscriptionJob){translatedTo("de")}, facts(with("de")), have{stored("txt", "")}, []v1alpha1.TranscriptFormat{"json-v2"}},
		"a translation is stored":              {[]func(*v1alpha1.TranscriptionJob){translatedTo("de")}, facts(with("de")), have{stored("txt", ""), stored("txt", "de")}, nil},
		"the document is stored, facts aren't": {[]func(*v1alpha1.TranscriptionJob){withFormats("json-v2")}, nil, have{stored("json-v2", "")}, []v1alpha1.TranscriptFormat{"json-v2"}},
	} {
		job := &v1alpha1.TranscriptionJob{Spec: v1alpha1.TranscriptionJobSpec{Transcription: v1alpha1.TranscriptionConfig{Language: "en"}}}
		for _, change := range tt.job {
			change(job)
		}
		job.Status = v1alpha1.TranscriptionJobStatus{
			Attempt: ptr.To(int32(1)), RemoteJob: &v1alpha1.RemoteJob{ID: ptr.To("id")}, Document: tt.document, Transcripts: tt.have,
		}
		if got := newScope(job, Options{}).missingFormats(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: missing are %v, want %v", name, got, tt.want)
		}
	}
}
