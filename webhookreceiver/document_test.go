// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// spoken is a document in which a speaker says hello, in English and in German. Its line ends and its order of members are not those
// that a JSON library would write.
const spoken = "\xef\xbb\xbf" + `{"metadata":{"type":"transcription","translation_config":{"target_languages":["de","fr"]},
 "transcription_config":{"language":"en","diarization":"speaker"},
 "translation_errors":[{"type":"translation_failed","message":"Translation failed"}]},` + "\r\n" + `
 "results":[{"type":"word","start_time":0.5,"end_time":2.0,"alternatives":[{"content":"Hello","confidence":1.0,"language":"en","speaker":"S1"}]},
  {"type":"punctuation","attaches_to":"previous","is_eos":true,"start_time":2.0,"end_time":2.0,"alternatives":[{"content":".","confidence":1.00,"speaker":"S1"}]}],
 "translations":{"de":[{"start_time":0.5,"end_time":2.0,"content":"Hallo.","speaker":"S1"}]},
 "job":{"id":"z2jfp1jwu1","duration":15},"format":"2.9"}`

// broken is a document that is cut in the middle, in a part that is whole.
var broken = spoken[:len(spoken)/2]

func translatedTo(languages ...string) func(*v1alpha1.TranscriptionJob) {
	return func(job *v1alpha1.TranscriptionJob) {
		job.Spec.Translation = &v1alpha1.TranslationConfig{TargetLanguages: languages}
	}
}

func withDiarization(job *v1alpha1.TranscriptionJob) {
	job.Spec.Transcription.Diarization = ptr.To(v1alpha1.DiarizationSpeaker)
}

// Odd bytes that a text may hold and that have to stay: a byte order mark, line ends of Windows, and what is not UTF-8.
const (
	oddText = "\xef\xbb\xbfSPEAKER: S1\r\nHello \xff\xfe.\r\n\r\n"
	oddSRT  = "\xef\xbb\xbf1\r\n00:00:00,500 --> 00:00:01,000\r\nHello \xff\xfe.\r\n"
)

// What the provider sends is stored byte for byte, and the captions that it does not write are made from its document.
func TestDocument(t *testing.T) {
	vtt := "WEBVTT\n\nNOTE\nLanguage: en\n\n00:00:00.500 --> 00:00:02.000\n<v S1>Hello.\n"
	vttDE := "WEBVTT\n\nNOTE\nLanguage: de\n\n00:00:00.500 --> 00:00:02.000\n<v S1>Hallo.\n"
	srtDE := "1\n00:00:00,500 --> 00:00:02,000\nHallo.\n"
	textDE := "SPEAKER: S1\nHallo.\n"
	for name, tt := range map[string]struct {
		where func(*v1alpha1.TranscriptionJob)
		want  map[string]string
	}{
		"ConfigMaps": {func(*v1alpha1.TranscriptionJob) {}, map[string]string{
			"standup-json-v2": spoken, "standup-txt": oddText, "standup-srt": oddSRT, "standup-vtt": vtt,
			"standup-txt-de": textDE, "standup-srt-de": srtDE, "standup-vtt-de": vttDE,
		}},
		"volume": {onVolume, map[string]string{
			"transcript.json": spoken, "transcript.txt": oddText, "transcript.srt": oddSRT, "transcript.vtt": vtt,
			"transcript.de.txt": textDE, "transcript.de.srt": srtDE, "transcript.de.vtt": vttDE,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			job := newJob(t, withFormats("json-v2", "txt", "srt", "vtt"), translatedTo("de", "fr"), withDiarization, tt.where)
			send := func() request {
				return multi(t,
					item{"jobinfo", "jobinfo.json", "application/json", info(t, targetOf(job, 1))},
					item{"transcript.json-v2", "transcript.json", "application/json", spoken},
					item{"transcript.txt", "transcript.txt", "text/plain", oddText},
					item{"transcript.srt", "transcript.srt", "text/plain", oddSRT})
			}
			if got := r.send(t, job, send()); got.status != http.StatusNoContent {
				t.Fatalf("answer %+v", got)
			}
			if diff := cmp.Diff(tt.want, contents(t, r, job)); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
			after := read(t, job)
			if len(after.Status.Transcripts) != len(tt.want) {
				t.Errorf("recorded %+v", after.Status.Transcripts)
			}
			want := &v1alpha1.DocumentFacts{
				JobID: jobID, Attempt: 1, Language: ptr.To("en"), AudioDuration: &metav1.Duration{Duration: 15 * time.Second}, Speakers: ptr.To(int32(1)),
				Translations: []string{"de"},
				FeatureErrors: []v1alpha1.FeatureError{
					{Feature: v1alpha1.FeatureTranslation, Language: ptr.To("fr"), Type: "translation_failed", Message: "Translation failed"},
				},
			}
			if diff := cmp.Diff(want, after.Status.Document); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
			if !strings.Contains(r.log.String(), "srt in de") {
				t.Errorf("the log does not say what was stored:\n%s", r.log)
			}

			// The same again, and another document of the same job, change nothing.
			unchanged(t, r, job, func() {
				for _, document := range []string{spoken, strings.ReplaceAll(spoken, "Hallo", "Servus"), broken} {
					q := send()
					if document != spoken {
						q = multi(t, item{"transcript.json-v2", "", "", document})
					}
					if got := r.send(t, job, q); got.status != http.StatusNoContent {
						t.Errorf("a duplicate: %+v", got)
					}
				}
			})
			if got := metric(t, r, `transcription_operator_documents_total{result="read"}`); got != "1" {
				t.Errorf("%s documents were read, want 1", got)
			}
		})
	}
}

// metric is the value of a metric, as it is written.
func metric(t *testing.T, r *rig, name string) string {
	t.Helper()
	_, content := fetch(t, r.metrics)
	for line := range strings.Lines(content) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// A job may need the document for its facts alone. Then it is not stored.
func TestDocumentForFactsOnly(t *testing.T) {
	r := start(t)
	for name, change := range map[string]func(*v1alpha1.TranscriptionJob){
		"identified language": func(job *v1alpha1.TranscriptionJob) { job.Spec.Transcription.Language = "auto" },
		"translations":        translatedTo("fr"),
	} {
		t.Run(name, func(t *testing.T) {
			job := newJob(t, withFormats("txt"), change)
			// What the notification brings first has no document; the job waits for it.
			if got := r.send(t, job, request{contentType: "text/plain", body: strings.NewReader(text)}); got.status != http.StatusNoContent {
				t.Fatalf("answer %+v", got)
			}
			if after := read(t, job); after.Status.Document != nil || len(after.Status.Transcripts) != 1 {
				t.Errorf("status %+v", after.Status)
			}
			if got := r.send(t, job, multi(t, item{"transcript.json-v2", "", "", spoken})); got.status != http.StatusNoContent {
				t.Fatalf("answer %+v", got)
			}
			after := read(t, job)
			if d := after.Status.Document; d == nil || ptr.Deref(d.Language, "") != "en" || d.Problem != nil || d.Speakers == nil {
				t.Errorf("facts %+v", d)
			}
			if diff := cmp.Diff(map[string]string{"standup-txt": text}, contents(t, r, job)); diff != "" {
				t.Errorf("stored (-want +got):\n%s", diff)
			}
		})
	}
}

// A job that does not need the document does not have it read.
func TestDocumentThatIsNotNeeded(t *testing.T) {
	r := start(t)
	job := newJob(t, withFormats("txt"))
	q := multi(t, item{"transcript.json-v2", "", "", broken}, item{"transcript.txt", "", "", text})
	if got := r.send(t, job, q); got.status != http.StatusNoContent {
		t.Fatalf("answer %+v", got)
	}
	if after := read(t, job); after.Status.Document != nil || len(after.Status.Transcripts) != 1 {
		t.Errorf("status %+v", after.Status)
	}
}

// delivery is a request of the manager's.
func delivery(q request) request {
	q.internal = true
	return q
}

// Of a document that cannot be read nothing is lost: it is stored as it came, and so is everything else. A notification's is not
// believed: it does not take the place of the one that the manager fetches.
func TestUnreadableDocument(t *testing.T) {
	r := start(t)
	for name, tt := range map[string]struct {
		formats  []v1alpha1.TranscriptFormat
		document string
	}{
		"facts are wanted":           {[]v1alpha1.TranscriptFormat{"txt"}, broken},
		"captions are wanted":        {[]v1alpha1.TranscriptFormat{"txt", "vtt"}, broken},
		"the document is wanted":     {[]v1alpha1.TranscriptFormat{"txt", "json-v2"}, broken},
		"an object, and no document": {[]v1alpha1.TranscriptFormat{"txt", "vtt"}, `{"results":7}`},
		"an array":                   {[]v1alpha1.TranscriptFormat{"txt", "vtt"}, `[]`},
		"a page":                     {[]v1alpha1.TranscriptFormat{"txt", "json-v2"}, `<html></html>`},
		"nothing":                    {[]v1alpha1.TranscriptFormat{"txt", "json-v2"}, ``},
	} {
		t.Run(name, func(t *testing.T) {
			bad := func() request {
				return multi(t, item{"transcript.json-v2", "", "", tt.document}, item{"transcript.txt", "", "", text})
			}
			auto := func(job *v1alpha1.TranscriptionJob) { job.Spec.Transcription.Language = "auto" }
			job := newJob(t, withFormats(tt.formats...), auto)
			if got := r.send(t, job, bad()); got.status != http.StatusNoContent {
				t.Fatalf("answer %+v", got)
			}
			if diff := cmp.Diff(map[string]string{"standup-txt": text}, contents(t, r, job)); diff != "" {
				t.Errorf("stored of a notification (-want +got):\n%s", diff)
			}
			if after := read(t, job); after.Status.Document != nil || after.Status.Notification == nil || len(after.Status.Transcripts) != 1 {
				t.Errorf("recorded of a notification: %+v", after.Status)
			}
			for _, document := range []string{spoken, tt.document} {
				job := newJob(t, withFormats(tt.formats...), auto)
				if got := r.send(t, job, bad()); got.status != http.StatusNoContent {
					t.Fatalf("answer %+v", got)
				}
				if got := r.send(t, job, delivery(multi(t, item{"transcript.json-v2", "", "", document}))); got.status != http.StatusNoContent {
					t.Fatalf("answer %+v", got)
				}
				d := read(t, job).Status.Document
				if d == nil || d.JobID != jobID || (d.Problem != nil) != (document != spoken) || strings.Contains(ptr.Deref(d.Problem, ""), "Hello") {
					t.Errorf("facts %+v, problem %s", d, ptr.Deref(d.Problem, ""))
				}
				found := contents(t, r, job)
				if got, ok := found["standup-json-v2"]; (ok && got != document) || (!ok && document != spoken) || found["standup-txt"] != text {
					t.Errorf("stored %v", found)
				}
				// What comes later does not take the place of what is stored.
				unchanged(t, r, job, func() {
					for _, late := range []string{spoken, broken} {
						r.send(t, job, multi(t, item{"transcript.json-v2", "", "", late}))
					}
				})
			}
		})
	}
	if got := metric(t, r, `transcription_operator_documents_total{result="unreadable"}`); got != "28" {
		t.Errorf("%s documents were unreadable, want 4 of each", got)
	}
}

// An unreadable document that nobody asked for and that has no room keeps nothing else from being stored.
func TestUnreadableDocumentWithoutRoom(t *testing.T) {
	r := start(t, func(o *Options) {
		stores := o.Store.(store.Stores)
		stores.ConfigMaps = store.NewConfigMaps(env.Client, o.Scratch, int64(len(text))+10)
		o.Store = stores
	})
	job := newJob(t, withFormats("txt", "vtt"))
	send := func() answer {
		return r.send(t, job, delivery(multi(t, item{"transcript.json-v2", "", "", broken}, item{"transcript.txt", "", "", text})))
	}
	if got := send(); got.status != http.StatusNoContent {
		t.Fatalf("answer %+v", got)
	}
	after := read(t, job)
	if d := after.Status.Document; d == nil || d.Problem == nil || len(after.Status.Transcripts) != 1 {
		t.Errorf("status %+v", after.Status)
	}
}

// Captions follow spec.output, as the provider's own do.
func TestCaptionsFollowTheOverrides(t *testing.T) {
	r := start(t)
	job := newJob(t, withFormats("vtt"), func(job *v1alpha1.TranscriptionJob) {
		job.Spec.Output = &v1alpha1.OutputConfig{SRTOverrides: &v1alpha1.SRTOverrides{MaxLineLength: ptr.To(int32(8)), MaxLines: ptr.To(int32(1))}}
	})
	document := strings.ReplaceAll(spoken, `"results":[`, `"results":[{"type":"word","start_time":0.1,"end_time":0.4,"alternatives":[{"content":"Indeed","confidence":1.0,"speaker":"S1"}]},`)
	if got := r.send(t, job, multi(t, item{"transcript.json-v2", "", "", document})); got.status != http.StatusNoContent {
		t.Fatalf("answer %+v", got)
	}
	if vtt := contents(t, r, job)["standup-vtt"]; strings.Count(vtt, "-->") != 2 || strings.Contains(vtt, "Indeed Hello") {
		t.Errorf("two words of more than a line are not in two captions of one:\n%s", vtt)
	}
}

// What a document tells comes from outside: it is cut and cleaned until the API server takes it.
func TestFactsAreBounded(t *testing.T) {
	r := start(t)
	long := strings.Repeat("ü", 5000)
	one := `{"type":"` + long[:600] + `","message":"see https://example.com/a?token=s3cr3t \u0000\u001b[31m` + long[:3000] + `"}`
	errs := strings.Repeat(one+",", 29) + one
	document := `{"format":"2.9","job":{"id":"` + jobID + `","duration":15},"metadata":{"transcription_config":{"language":"` + long[:62] + `"},
		"summarization_errors":[` + errs + `]},"results":[]}`
	job := newJob(t, withFormats("json-v2"), translatedTo("de"))
	if got := r.send(t, job, multi(t, item{"transcript.json-v2", "", "", document})); got.status != http.StatusNoContent {
		t.Fatalf("answer %+v", got)
	}
	d := read(t, job).Status.Document
	if d == nil || len(d.FeatureErrors) != maxFeatureErrors || d.Language != nil {
		t.Fatalf("facts %+v, problem %s", d, ptr.Deref(d.Problem, ""))
	}
	told, err := json.Marshal(d)
	if err != nil || bytes.Contains(told, []byte("s3cr3t")) || bytes.Contains(told, []byte(`\u0000`)) || bytes.Contains(told, []byte(`\u001b`)) {
		t.Errorf("the facts hold what they must not: %s", told)
	}
	for i, e := range d.FeatureErrors {
		if len(e.Message) > maxFactLength || len(e.Type) > maxTypeLength || e.Feature != v1alpha1.FeatureSummarization {
			t.Errorf("error %d: %+v", i, e)
		}
	}
	if last := d.FeatureErrors[maxFeatureErrors-1].Message; !strings.Contains(last, "15 errors more") {
		t.Errorf("nobody learns that there are more errors: %s", last)
	}
}

// A document that would never have room in the scratch folder is not asked for again and again.
func TestDocumentLargerThanScratch(t *testing.T) {
	r := start(t, func(o *Options) {
		var err error
		if o.Scratch, err = store.OpenScratch(t.TempDir(), int64(len(spoken))-1, clock.RealClock{}); err != nil {
			t.Fatal(err)
		}
	})
	job := newJob(t, withFormats("txt", "vtt"))
	unchanged(t, r, job, func() {
		got := r.send(t, job, delivery(multi(t, item{"transcript.json-v2", "", "", spoken})))
		if problem := got.problem(t); got.status != http.StatusRequestEntityTooLarge || problem.Reason != notification.ReasonTranscriptTooLarge || !strings.Contains(problem.Message, "--scratch-max-bytes") {
			t.Errorf("answer %+v", got)
		}
	})
}

// While the scratch folder is full the sender is asked to come again, and nothing is half done.
func TestDocumentWithoutScratch(t *testing.T) {
	r := start(t, func(o *Options) {
		var err error
		if o.Scratch, err = store.OpenScratch(t.TempDir(), int64(len(spoken)), clock.RealClock{}); err != nil {
			t.Fatal(err)
		}
	})
	other, err := r.server.options.Scratch.Create()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, err := other.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	job := newJob(t, withFormats("txt", "vtt"))
	unchanged(t, r, job, func() {
		q := multi(t, item{"transcript.txt", "", "", text}, item{"transcript.json-v2", "", "", spoken})
		q.internal = true
		got := r.send(t, job, q)
		if problem := got.problem(t); got.status != http.StatusServiceUnavailable || problem.Reason != notification.ReasonStoreUnavailable || !strings.Contains(problem.Message, "scratch") {
			t.Errorf("answer %+v", got)
		}
	})
}

// patientStore notes how much time is left when something is staged.
type patientStore struct {
	store.Store

	left chan time.Duration
}

func (s patientStore) Begin(ctx context.Context, job store.Job) (store.Batch, error) {
	batch, err := s.Store.Begin(ctx, job)
	return patientBatch{batch, s.left}, err
}

type patientBatch struct {
	store.Batch

	left chan time.Duration
}

func (b patientBatch) Stage(ctx context.Context, key store.Key, r io.Reader) error {
	deadline, _ := ctx.Deadline()
	b.left <- time.Until(deadline)
	return b.Batch.Stage(ctx, key, r)
}

// A document has the more time to be read the larger it is, and the more is made of it.
func TestDocumentHasTime(t *testing.T) {
	left := make(chan time.Duration, 10)
	const commit = 20 * time.Second
	r := start(t, func(o *Options) {
		o.Store = patientStore{o.Store, left}
		o.Limits.CommitTimeout = commit
	})
	document := spoken + strings.Repeat(" ", 5*readingBytesPerSecond)
	for languages, want := range map[string]time.Duration{"": 10 * time.Second, "de": 15 * time.Second, "de fr": 20 * time.Second} {
		job := newJob(t, withFormats("vtt"))
		if languages != "" {
			job = newJob(t, withFormats("vtt"), translatedTo(strings.Fields(languages)...))
		}
		if got := r.send(t, job, multi(t, item{"transcript.json-v2", "", "", document})); got.status != http.StatusNoContent {
			t.Fatalf("answer %+v", got)
		}
		if got := <-left; got < commit+want-5*time.Second || got > commit+want+time.Second {
			t.Errorf("translated to %q, there are %s left, want some %s", languages, got, commit+want)
		}
		for len(left) > 0 {
			<-left
		}
	}
}

// Documents are read by turns. One that waits for its turn keeps nobody else waiting, and is not read if its sender goes, or if it was
// read meanwhile.
func TestDocumentsTakeTurns(t *testing.T) {
	r := start(t)
	if got := cap(r.server.public.readers); got != runtime.GOMAXPROCS(0) {
		t.Errorf("%d documents are read at once", got)
	}
	for range cap(r.server.public.readers) {
		r.server.public.readers <- struct{}{}
	}
	job := newJob(t, withFormats("txt", "vtt"))
	document := func() request { return multi(t, item{"transcript.json-v2", "", "", spoken}) }
	ctx, leave := context.WithCancel(t.Context())
	var impatient, patient sync.WaitGroup
	impatient.Go(func() {
		if got, err := r.try(ctx, targetOf(job, 1), document()); err == nil {
			t.Errorf("a document was read out of turn: %+v", got)
		}
	})
	for range 2 {
		patient.Go(func() {
			if got, err := r.try(t.Context(), targetOf(job, 1), document()); err != nil || got.status != http.StatusNoContent {
				t.Errorf("answer %+v, %v", got, err)
			}
		})
	}
	waitFor(t, "three documents wait", func() bool { return r.server.options.Scratch.Used() == 3*int64(len(spoken)) })
	if got := r.send(t, job, request{contentType: "text/plain", body: strings.NewReader(text)}); got.status != http.StatusNoContent {
		t.Errorf("a text: %+v", got)
	}
	leave()
	impatient.Wait()
	waitFor(t, "the document is forgotten", func() bool { return r.server.options.Scratch.Used() == 2*int64(len(spoken)) })
	<-r.server.public.readers
	patient.Wait()
	for len(r.server.public.readers) > 0 {
		<-r.server.public.readers
	}
	if after := read(t, job); after.Status.Document == nil || len(after.Status.Transcripts) != 2 {
		t.Errorf("status %+v", after.Status)
	}
	if got := metric(t, r, `transcription_operator_documents_total{result="read"}`); got != "1" {
		t.Errorf("%s documents were read, want the one that two have sent", got)
	}
}

// Two replicas that read one document at once make one set of transcripts.
func TestTwoReplicasReadADocument(t *testing.T) {
	one, two := start(t), start(t)
	for range 5 {
		job := newJob(t, withFormats("json-v2", "vtt"), translatedTo("de"))
		var wg sync.WaitGroup
		for _, r := range []*rig{one, two} {
			q := multi(t, item{"transcript.json-v2", "", "", spoken})
			wg.Go(func() {
				if got, err := r.try(t.Context(), targetOf(job, 1), q); err != nil || got.status != http.StatusNoContent {
					t.Errorf("answer %+v, %v", got, err)
				}
			})
		}
		wg.Wait()
		if after := read(t, job); len(after.Status.Transcripts) != 3 || after.Status.Document == nil {
			t.Fatalf("status %+v", after.Status)
		}
	}
}

// Whatever document comes in: no crash, facts that can be recorded, and a document that cannot be read is staged as it came.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(spoken))
	f.Add([]byte(broken))
	f.Add([]byte(jsonDoc))
	f.Add([]byte(`{"results":[{"type":"word","start_time":1e308,"end_time":-1,"alternatives":[{}]}]}`))
	f.Add([]byte(`{"metadata":{"a_errors":[{"type":7}],"language_identification":{"error":"LOW_CONFIDENCE"}},"results":[],"translations":{"de":[{}]}}`))
	scratch, err := store.OpenScratch(f.TempDir(), 1<<20, clock.RealClock{})
	if err != nil {
		f.Fatal(err)
	}
	spec := &v1alpha1.TranscriptionJobSpec{
		Transcripts: v1alpha1.TranscriptsSpec{Formats: []v1alpha1.TranscriptFormat{"txt", "srt", "vtt"}},
		Translation: &v1alpha1.TranslationConfig{TargetLanguages: []string{"de"}},
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		batch := &memory{staged: map[store.Key]string{}}
		in := &intake{batch: batch, wanted: spec.Transcripts.Formats, document: &document{spec: spec, source: v1alpha1.SourceDelivery, scratch: scratch}}
		defer in.document.close()
		b := newBody(bytes.NewReader(content), noDeadlines{}, testingclock.NewFakePassiveClock(time.Unix(0, 0)), Limits{}.withDefaults())
		err := in.read(t.Context(), http.Header{"Content-Type": {"application/json"}}, b)
		var ofBody *bodyError
		if err != nil && !errors.As(err, &ofBody) {
			t.Fatalf("an error that is not the body's: %v", err)
		}
		if err != nil || !in.document.received() {
			return
		}
		facts, err := in.document.stage(t.Context(), in)
		if err != nil {
			t.Fatalf("stage() = %v", err)
		}
		checkFacts(t, facts)
		if got, ok := batch.staged[store.Key{Format: "json-v2"}]; ok != (facts.Problem != nil) || (ok && got != string(content)) {
			t.Errorf("the document is staged: %v, as %q; the problem is %v", ok, got, facts.Problem)
		}
		if _, ok := batch.staged[store.Key{Format: "vtt"}]; !ok && facts.Problem == nil {
			t.Error("there is no problem, and no vtt")
		}
	})
}

// checkFacts holds facts to the bounds of the custom resource.
func checkFacts(t *testing.T, facts *v1alpha1.DocumentFacts) {
	t.Helper()
	fits := func(text string, n int) bool { return len([]rune(text)) <= n }
	if !fits(ptr.Deref(facts.Language, ""), maxLanguage) || !fits(ptr.Deref(facts.Problem, ""), maxFactLength) || len(facts.Translations) > maxTranslations {
		t.Errorf("facts %+v", facts)
	}
	for _, e := range facts.FeatureErrors {
		if !featurePattern.MatchString(string(e.Feature)) || !fits(e.Type, maxTypeLength) || !fits(e.Message, maxFactLength) || !fits(ptr.Deref(e.Language, ""), maxLanguage) {
			t.Errorf("error %+v", e)
		}
	}
}

// TestFactsOf_secrets has a document repeat a URL that comes from a Secret, and the identifier of a speaker.
func TestFactsOf_secrets(t *testing.T) {
	t.Parallel()
	spec := &v1alpha1.TranscriptionJobSpec{
		Media: v1alpha1.MediaSource{URLFrom: &v1alpha1.SecretSource{}},
		Transcription: v1alpha1.TranscriptionConfig{SpeakerDiarization: &v1alpha1.SpeakerDiarizationConfig{
			Speakers: []v1alpha1.KnownSpeaker{{Label: "Ann", SpeakerIdentifiers: []string{"c3BlYWtlcg=="}}},
		}},
	}
	const message = "cannot read https://media.example.com/secret/a.wav for speaker c3BlYWtlcg=="
	facts := factsOf(&transcript.Facts{Errors: []transcript.FeatureError{{Feature: transcript.FeatureSummarization, Type: message, Message: message}}}, spec)
	const want = "cannot read https://media.example.com/… for speaker [redacted]"
	if got := facts.FeatureErrors[0]; got.Message != want || got.Type != want {
		t.Errorf("the facts tell %+v, want %s", got, want)
	}
}
