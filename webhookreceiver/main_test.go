// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	applyv1alpha1 "github.com/transcription-operator/transcription-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

var env *testenv.Env

func TestMain(m *testing.M) {
	os.Exit(testenv.Run(m, func(e *testenv.Env) { env = e }))
}

const (
	jobID   = "z2jfp1jwu1"
	claim   = "transcripts"
	nonce   = "0123456789abcdef0123456789abcdef"
	text    = "Good morning, everybody.\n"
	srt     = "1\n00:00:00,100 --> 00:00:02,000\nGood morning, everybody.\n"
	jsonDoc = `{"format":"2.9","job":{"id":"z2jfp1jwu1"},"metadata":{},"results":[]}`
)

// rig is a running receiver.
type rig struct {
	t                *testing.T
	public, internal string
	metrics, health  string
	keyring          *notification.Keyring
	volume           string
	log              *lines
	server           *Server
	// stop ends the receiver and returns what Run returned.
	stop func() error
}

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(prefix, args string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, prefix+" "+args)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func signingKey() []byte { return bytes.Repeat([]byte("k"), notification.MinKeyBytes) }

// start starts a receiver with the usual options, which change may change.
func start(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	keyring, err := notification.NewKeyring(signingKey(), bytes.Repeat([]byte("o"), notification.MinKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	volumes, err := store.OpenVolumes([]store.Volume{{Claim: claim, Path: dir}}, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	log, scratch := &lines{}, newScratch(t)
	o := Options{
		Client: env.Client, Keys: keyring, Volumes: volumes, Store: store.Stores{ConfigMaps: store.NewConfigMaps(env.Client, scratch, 1<<20), Volumes: volumes}, Scratch: scratch,
		Log: funcr.New(log.add, funcr.Options{Verbosity: 1}), ShutdownDelay: -1,
	}
	for _, f := range change {
		f(&o)
	}
	server := New(o)
	listeners := Listeners{Public: listen(t), Internal: listen(t), Metrics: listen(t), Health: listen(t)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, listeners) }()
	r := &rig{
		t: t, keyring: keyring, volume: dir, log: log, server: server,
		public: address(listeners.Public), internal: address(listeners.Internal), metrics: address(listeners.Metrics), health: address(listeners.Health),
		stop: sync.OnceValue(func() error {
			cancel()
			err := <-done
			if used := o.Scratch.Used(); err == nil && used != 0 { // otherwise requests were broken off, which go on
				t.Errorf("%d bytes are left in the scratch folder", used)
			}
			return err
		}),
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Run() = %v", err)
		}
		if err := volumes.Close(); err != nil {
			t.Error(err)
		}
		r.checkLog()
	})
	return r
}

// newScratch is a scratch folder of a test.
func newScratch(t *testing.T) *store.Scratch {
	t.Helper()
	scratch, err := store.OpenScratch(t.TempDir(), store.DefaultScratchBytes, clock.RealClock{})
	if err != nil {
		t.Fatal(err)
	}
	return scratch
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func address(l net.Listener) string { return "http://" + l.Addr().String() }

// checkLog looks for what must never be logged.
func (r *rig) checkLog() {
	r.t.Helper()
	for _, secret := range []string{"Bearer", "?id=", "status=", "Good morning", string(signingKey())} {
		if strings.Contains(r.log.String(), secret) {
			r.t.Errorf("the log holds %q:\n%s", secret, r.log)
		}
	}
}

// newJob creates a job in a new namespace.
func newJob(t testing.TB, change ...func(*v1alpha1.TranscriptionJob)) *v1alpha1.TranscriptionJob {
	t.Helper()
	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: env.Namespace(t.Context(), t, nil), Name: "standup"},
		Spec: v1alpha1.TranscriptionJobSpec{
			Media:         v1alpha1.MediaSource{URL: ptr.To("https://media.example.com/standup.wav")},
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"},
			Transcripts:   v1alpha1.TranscriptsSpec{Formats: []v1alpha1.TranscriptFormat{v1alpha1.FormatText, v1alpha1.FormatJSONv2, v1alpha1.FormatSRT}},
		},
	}
	for _, f := range change {
		f(job)
	}
	if err := env.Client.Create(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	return job
}

func onVolume(job *v1alpha1.TranscriptionJob) {
	job.Spec.Transcripts.PersistentVolumeClaim = &v1alpha1.PersistentVolumeClaimStore{ClaimName: claim}
}

func withFormats(formats ...v1alpha1.TranscriptFormat) func(*v1alpha1.TranscriptionJob) {
	return func(job *v1alpha1.TranscriptionJob) { job.Spec.Transcripts.Formats = formats }
}

// withClaim adds the claim of an attempt, as the controller does.
func withClaim(t testing.TB, job *v1alpha1.TranscriptionJob, attempt int32) {
	t.Helper()
	at := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	annotation, err := notification.Claim{
		UID: job.UID, Attempt: attempt, Nonce: nonce, ClaimedAt: at, NotAfter: at.Add(time.Minute),
		AccountUID: "00000000-0000-4000-8000-000000000001", BaseURL: "https://eu1.asr.api.speechmatics.com", KeyFingerprint: "sha256:abc",
	}.Annotation()
	if err != nil {
		t.Fatal(err)
	}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, notification.ClaimAnnotation, annotation)
	if err := env.Client.Patch(t.Context(), job, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

// record records a submission in the status, as the controller does.
func record(t testing.TB, job *v1alpha1.TranscriptionJob, attempt int32, id string) {
	t.Helper()
	config := applyv1alpha1.TranscriptionJob(job.Name, job.Namespace).WithStatus(applyv1alpha1.TranscriptionJobStatus().
		WithAttempt(attempt).WithRemoteJob(applyv1alpha1.RemoteJob().WithID(id)))
	if err := env.Client.Status().Apply(t.Context(), config, client.FieldOwner("submission"), client.ForceOwnership); err != nil {
		t.Fatal(err)
	}
}

// read reads the job as it is now.
func read(t testing.TB, job *v1alpha1.TranscriptionJob) *v1alpha1.TranscriptionJob {
	t.Helper()
	var found v1alpha1.TranscriptionJob
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(job), &found); err != nil {
		t.Fatal(err)
	}
	return &found
}

func targetOf(job *v1alpha1.TranscriptionJob, attempt int32) notification.Target {
	return notification.Target{Namespace: job.Namespace, Name: job.Name, UID: job.UID, Attempt: attempt}
}

// request is one request to the receiver. Empty fields mean a good callback of success without a body.
type request struct {
	method, path, query, token, contentType string
	body                                    io.Reader
	// length is what is declared of the body; 0 means whatever is known of it.
	length   int64
	header   http.Header
	internal bool
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	// closes means that the connection is not to be used again.
	closes bool
}

func (a answer) problem(t testing.TB) notification.Problem {
	t.Helper()
	p, err := notification.DecodeProblem(strings.NewReader(a.body))
	if err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return p
}

var noKeepAlive = &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}

// send sends a request about the first attempt of a job, which the fields of q may change.
func (r *rig) send(t testing.TB, job *v1alpha1.TranscriptionJob, q request) answer {
	t.Helper()
	a, err := r.try(t.Context(), targetOf(job, 1), q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (r *rig) try(ctx context.Context, target notification.Target, q request) (answer, error) {
	return r.tryWith(ctx, noKeepAlive, target, q)
}

func (r *rig) tryWith(ctx context.Context, sender *http.Client, target notification.Target, q request) (answer, error) {
	base, purpose := r.public, notification.PurposeCallback
	if q.internal {
		base, purpose = r.internal, notification.PurposeDeliver
	}
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	url := base + or(q.path, target.Path()) + or(q.query, "?id="+jobID+"&status=success")
	req, err := http.NewRequestWithContext(ctx, or(q.method, http.MethodPost), url, q.body)
	if err != nil {
		return answer{}, err
	}
	if q.length > 0 {
		req.ContentLength = q.length
	}
	if q.header != nil {
		req.Header = q.header
	}
	if token := or(q.token, r.keyring.Token(purpose, target)); token != "-" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if q.contentType != "" {
		req.Header.Set("Content-Type", q.contentType)
	}
	res, err := sender.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(content), res.Close}, err
}

// item is a part of a multipart body.
type item struct{ name, fileName, contentType, content string }

// form writes a multipart body.
func form(t testing.TB, items ...item) (contentType string, body []byte) {
	t.Helper()
	var buffer bytes.Buffer
	w := multipart.NewWriter(&buffer)
	for _, i := range items {
		header := textproto.MIMEHeader{}
		disposition := "form-data"
		if i.name != "" {
			disposition += fmt.Sprintf("; name=%q", i.name)
		}
		if i.fileName != "" {
			disposition += fmt.Sprintf("; filename=%q", i.fileName)
		}
		header.Set("Content-Disposition", disposition)
		if i.contentType != "" {
			header.Set("Content-Type", i.contentType)
		}
		p, err := w.CreatePart(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(p, i.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), buffer.Bytes()
}

// multi is a request with a multipart body.
func multi(t testing.TB, items ...item) request {
	t.Helper()
	contentType, body := form(t, items...)
	return request{contentType: contentType, body: bytes.NewReader(body)}
}

// info are the facts about a job, as the provider tells them.
func info(t testing.TB, target notification.Target) string {
	t.Helper()
	reference := notification.Reference{UID: target.UID, Attempt: target.Attempt, Nonce: nonce}.String()
	document, err := json.Marshal(map[string]any{
		"created_at": "2026-09-01T12:00:00.000Z", "data_name": "standup.wav", "duration": 15, "id": jobID,
		"tracking": map[string]any{"reference": reference, "title": "Standup"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

// everything is a notification of success as we ask for it.
func everything(t testing.TB, job *v1alpha1.TranscriptionJob) []item {
	t.Helper()
	return []item{
		{"jobinfo", "jobinfo.json", "application/json", info(t, targetOf(job, 1))},
		{"transcript.txt", "transcript.txt", "text/plain", text},
		{"transcript.json-v2", "transcript.json", "application/json", jsonDoc},
		{"transcript.srt", "transcript.srt", "text/plain", srt},
	}
}

// stored are the formats that the job's status records.
func stored(job *v1alpha1.TranscriptionJob) map[v1alpha1.TranscriptFormat]v1alpha1.StoredTranscript {
	all := map[v1alpha1.TranscriptFormat]v1alpha1.StoredTranscript{}
	for _, transcript := range job.Status.Transcripts {
		all[transcript.Format] = transcript
	}
	return all
}

// contents reads what is stored for a job: the ConfigMaps' data and the files, by ConfigMap name or base name.
func contents(t testing.TB, r *rig, job *v1alpha1.TranscriptionJob) map[string]string {
	t.Helper()
	found := map[string]string{}
	var list corev1.ConfigMapList
	if err := env.Client.List(t.Context(), &list, client.InNamespace(job.Namespace)); err != nil {
		t.Fatal(err)
	}
	for _, object := range list.Items {
		for _, content := range object.Data {
			found[object.Name] = content
		}
		for _, content := range object.BinaryData {
			found[object.Name] = string(content)
		}
	}
	volume := os.DirFS(r.volume)
	err := fs.WalkDir(volume, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(volume, name)
		found[path.Base(name)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// unchanged runs f and checks that nothing was stored or recorded.
func unchanged(t *testing.T, r *rig, job *v1alpha1.TranscriptionJob, f func()) {
	t.Helper()
	before := read(t, job)
	had := len(contents(t, r, job))
	f()
	if after := read(t, job); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("the job was changed: %+v", after.Status)
	}
	if found := contents(t, r, job); len(found) != had {
		t.Errorf("something was stored: %v", slices.Sorted(maps.Keys(found)))
	}
}

// waitFor waits for something to come true.
func waitFor(t testing.TB, what string, check func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return check(), nil })
	if err != nil {
		t.Fatalf("in vain: %s: %v", what, err)
	}
}
