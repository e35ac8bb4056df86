// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/contract"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/transcript/store"
	"github.com/transcription-operator/transcription-operator/webhookreceiver"
)

var env *testenv.Env

func TestMain(m *testing.M) {
	// Stories wait for most of their time, so that more of them run at a time than there are processors. -parallel overrides it.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	logf.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m, func(e *testenv.Env) { env = e }))
}

const (
	// apiKey is a secret that must never be seen outside its Secret.
	apiKey = "sm-secret-api-key-0123456789"
	// worldLabel keeps the cluster accounts of one test from the managers of the others.
	worldLabel = "test.transcription-operator.io/world"
	// claimName is the volume that the receiver mounts.
	claimName = "transcripts"
	// patience is how long a test waits for something that has to happen. It is generous; nothing waits that long.
	patience = 3 * time.Minute
)

// world is one test's own provider, webhook receiver and manager, on the API server that all share. Everything between them is
// real HTTP; what goes wrong is ordered from the simulator.
type world struct {
	t         *testing.T
	ctx       context.Context
	namespace string
	// neighbour is a second namespace that the manager sees; empty if there is none.
	neighbour string
	simulator *simulator.Server
	// premises is where the simulator listens if it is not the hosted service.
	premises *premises
	// provider, public and internal are addresses.
	provider, public, internal string
	// intercept stands before the provider, if it is set.
	intercept func(http.Handler) http.Handler
	// media serves the recordings.
	media   string
	volume  string
	keys    *notification.Keyring
	logs    *logBuffer
	options Options
	secrets []string
	// doubled means that the test itself doubles submissions, so that the ledger is to show it.
	doubled  bool
	stop     context.CancelFunc
	stopped  chan struct{}
	registry *prometheus.Registry
	// spans are those of all programs.
	spans *spanLog
}

// worldOption changes a world before it starts.
type worldOption func(*world, *simulator.Options)

// withFaults orders faults from the start.
func withFaults(faults ...simulator.Fault) worldOption {
	return func(_ *world, o *simulator.Options) { o.Faults = append(o.Faults, faults...) }
}

// withoutCallbacks has everything polled.
func withoutCallbacks() worldOption {
	return func(w *world, _ *simulator.Options) { w.options.CallbackURL = "" }
}

// withProcessing sets how long the provider takes for a job.
func withProcessing(d time.Duration) worldOption {
	return func(_ *world, o *simulator.Options) {
		o.Speed = 1
		o.Processing = simulator.Processing{Base: d, Factor: -1}
	}
}

// withPatience makes every wait long, so that a wait which is not kept shows.
func withPatience() worldOption {
	return func(w *world, _ *simulator.Options) {
		w.options.RetryInterval = time.Minute
		w.options.SecretInterval = 5 * time.Minute
	}
}

// withOptions changes the reconcilers' options.
func withOptions(change func(*Options)) worldOption {
	return func(w *world, _ *simulator.Options) { change(&w.options) }
}

// newWorld starts a world and ends it with the test, after which it checks what must hold in every story.
func newWorld(t *testing.T, opts ...worldOption) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &world{t: t, ctx: ctx, logs: &logBuffer{}, spans: &spanLog{}, secrets: []string{apiKey}, volume: t.TempDir()}
	t.Cleanup(cancel)
	w.namespace = env.Namespace(ctx, t, map[string]string{"team": "speech"})
	w.keys = newKeyring(t)
	w.startMedia()
	w.startReceiver()
	w.options = Options{
		Namespace:             w.namespace,
		CallbackURL:           w.public,
		AllowPrivateAddresses: true,
		PollInterval:          400 * time.Millisecond,
		SubmissionWindow:      2 * time.Second,
		ListLag:               500 * time.Millisecond,
		ClockSkew:             200 * time.Millisecond,
		SecretInterval:        2 * time.Second,
		RetryInterval:         300 * time.Millisecond,
	}
	w.startSimulator(opts)
	w.options.AllowedBaseURLs = append(w.options.AllowedBaseURLs, w.provider)
	w.startManager()
	t.Cleanup(w.check)
	return w
}

// withNeighbour has the manager see another namespace.
func withNeighbour() worldOption {
	return func(w *world, _ *simulator.Options) {
		w.neighbour = env.Namespace(w.ctx, w.t, map[string]string{"team": "speech"})
	}
}

// watched are the namespaces that the manager sees.
func (w *world) watched() map[string]cache.Config {
	namespaces := map[string]cache.Config{w.namespace: {}}
	if w.neighbour != "" {
		namespaces[w.neighbour] = cache.Config{}
	}
	return namespaces
}

func newKeyring(t *testing.T) *notification.Keyring {
	t.Helper()
	keys, err := notification.NewKeyring(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// in is the same world for a subtest.
func (w *world) in(t *testing.T) *world {
	t.Helper()
	sub := *w
	sub.t = t
	return &sub
}

// startMedia serves the recordings of config/samples/media.
func (w *world) startMedia() {
	s := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(testenv.Root(), "config", "samples", "media"))))
	w.t.Cleanup(s.Close)
	w.media = s.URL
}

// startSimulator starts the provider.
func (w *world) startSimulator(opts []worldOption) {
	options := simulator.Options{
		APIKeys:     []string{apiKey},
		Speed:       20,
		Transcripts: os.DirFS(filepath.Join(testenv.Root(), "config", "samples", "media")),
		MediaDir:    w.t.TempDir(),
	}
	for _, option := range opts {
		option(w, &options)
	}
	w.simulator = simulator.New(options)
	s := w.serve()
	w.provider = s.URL + "/v2"
	w.t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.simulator.Close(ctx); err != nil {
			w.t.Errorf("the simulator did not stop: %v", err)
		}
	})
}

// serve has the provider listen. What the operator really sends must be what the provider specifies for the kind of backend.
func (w *world) serve() *httptest.Server {
	if w.premises != nil {
		return w.premises.listen(w.t, contract.Handler(w.t, contract.Backend(w.premises.backend), w.simulator))
	}
	handler := contract.Handler(w.t, contract.SaaS, w.simulator)
	if w.intercept != nil {
		handler = w.intercept(handler)
	}
	return httptest.NewServer(handler)
}

// startReceiver starts a webhook receiver with both stores.
func (w *world) startReceiver() {
	volumes, err := store.OpenVolumes([]store.Volume{{Claim: claimName, Path: w.volume}}, clock.RealClock{})
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := client.New(env.Config, client.Options{Scheme: env.Scheme})
	if err != nil {
		w.t.Fatal(err)
	}
	scratch, err := store.OpenScratch(w.t.TempDir(), store.DefaultScratchBytes, clock.RealClock{})
	if err != nil {
		w.t.Fatal(err)
	}
	receiver := webhookreceiver.New(webhookreceiver.Options{
		Client:        c,
		Keys:          w.keys,
		Store:         store.Stores{ConfigMaps: store.NewConfigMaps(c, scratch, 8<<20), Volumes: volumes},
		Scratch:       scratch,
		Volumes:       volumes,
		Log:           w.logs.logger("receiver"),
		Tracer:        w.spans.tracer(),
		ShutdownDelay: -1,
	})
	listeners := webhookreceiver.Listeners{Public: w.listen(), Internal: w.listen()}
	w.public = "http://" + listeners.Public.Addr().String()
	w.internal = "http://" + listeners.Internal.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- receiver.Run(ctx, listeners) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the webhook receiver stopped with %v", err)
		}
		if err := volumes.Close(); err != nil {
			w.t.Errorf("cannot close the volume: %v", err)
		}
	})
}

func (w *world) listen() net.Listener {
	listener, err := (&net.ListenConfig{}).Listen(w.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	return listener
}

// startManager starts a manager that sees the world's namespace only.
func (w *world) startManager() {
	mgr, err := ctrl.NewManager(env.Config, ctrl.Options{
		Scheme:  env.Scheme,
		Metrics: server.Options{BindAddress: "0"},
		Logger:  w.logs.logger("manager"),
		Cache: cache.Options{
			DefaultNamespaces: w.watched(),
			DefaultTransform:  CacheTransform(),
			ByObject: map[client.Object]cache.ByObject{
				&v1alpha1.ClusterSpeechmaticsAccount{}: {Label: labels.SelectorFromSet(labels.Set{worldLabel: w.namespace})},
			},
		},
		Client:     client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	receiver, err := NewReceiverClient(w.internal, w.keys)
	if err != nil {
		w.t.Fatal(err)
	}
	w.registry = prometheus.NewRegistry()
	options := w.options
	options.Tracer = w.spans.tracer()
	if err := SetupWithManager(mgr, receiver, w.keys, options, w.registry); err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.ctx)
	stopped := make(chan struct{})
	w.stop, w.stopped = stop, stopped
	go func() {
		defer close(stopped)
		if err := mgr.Start(ctx); err != nil {
			w.t.Errorf("the manager stopped with %v", err)
		}
	}()
	w.t.Cleanup(func() { stop(); <-stopped })
}

// restartManager ends the manager and starts another one, which knows only what the objects say.
func (w *world) restartManager() {
	w.t.Helper()
	w.stop()
	<-w.stopped
	w.startManager()
}

// account creates the default account with its Secret, and waits until it is ready.
func (w *world) account(change ...func(*v1alpha1.SpeechmaticsAccount)) *v1alpha1.SpeechmaticsAccount {
	w.t.Helper()
	w.secret("speechmatics", corev1.SecretTypeOpaque, map[string]string{"apiKey": apiKey})
	account := &v1alpha1.SpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "default"},
		Spec: v1alpha1.SpeechmaticsAccountSpec{
			BaseURL:         &w.provider,
			APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"},
		},
	}
	if w.premises != nil {
		w.premises.describe(&account.Spec)
	}
	for _, c := range change {
		c(account)
	}
	w.create(account)
	w.eventually("the account is tried", func() (bool, string) {
		w.get(account)
		ready := readyCondition(account.Status.Conditions)
		return ready != nil && ready.ObservedGeneration == account.Generation, "no condition Ready"
	})
	return account
}

// sharedAccount creates an account that both namespaces of the world may use, and waits until it is ready. What it returns has a job use it.
func (w *world) sharedAccount(limits *v1alpha1.AccountLimits) (account *v1alpha1.ClusterSpeechmaticsAccount, use func(*v1alpha1.TranscriptionJob)) {
	w.t.Helper()
	w.secret("speechmatics", corev1.SecretTypeOpaque, map[string]string{"apiKey": apiKey})
	account = &v1alpha1.ClusterSpeechmaticsAccount{ObjectMeta: w.clusterMeta("shared-" + w.namespace)}
	account.Labels = map[string]string{worldLabel: w.namespace}
	account.Spec.BaseURL = &w.provider
	account.Spec.APIKeySecretRef = &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"}
	account.Spec.Limits = limits
	account.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "speech"}}
	w.create(account)
	w.t.Cleanup(func() { _ = env.Client.Delete(context.WithoutCancel(w.ctx), account) })
	w.awaitAccount(account, v1alpha1.ReasonKeyAccepted)
	return account, func(j *v1alpha1.TranscriptionJob) {
		j.Spec.AccountRef = &v1alpha1.AccountReference{Kind: v1alpha1.ClusterAccount, Name: account.Name}
	}
}

func (w *world) secret(name string, kind corev1.SecretType, data map[string]string) {
	w.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, Type: kind, StringData: data}
	w.create(secret)
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
}

func (w *world) clusterMeta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// recording reads one of the samples.
func (w *world) recording(name string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(testenv.Root(), "config", "samples", "media", name))
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// clip creates a ConfigMap with a recording.
func (w *world) clip(name, file string) {
	w.t.Helper()
	w.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}, BinaryData: map[string][]byte{file: w.recording(file)}})
}

// newJob is a job that fetches a recording by URL.
func (w *world) newJob(name string, change ...func(*v1alpha1.TranscriptionJob)) *v1alpha1.TranscriptionJob {
	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name},
		Spec: v1alpha1.TranscriptionJobSpec{
			Media:         v1alpha1.MediaSource{URL: ptr.To(w.media + "/standup.wav")},
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"},
		},
	}
	for _, c := range change {
		c(job)
	}
	return job
}

// job creates such a job.
func (w *world) job(name string, change ...func(*v1alpha1.TranscriptionJob)) *v1alpha1.TranscriptionJob {
	w.t.Helper()
	job := w.newJob(name, change...)
	w.create(job)
	return job
}

func (w *world) create(object client.Object) {
	w.t.Helper()
	if err := env.Client.Create(w.ctx, object); err != nil {
		w.t.Fatalf("cannot create %T %s: %v", object, object.GetName(), err)
	}
}

func (w *world) get(object client.Object) {
	w.t.Helper()
	if err := env.Client.Get(w.ctx, client.ObjectKeyFromObject(object), object); err != nil {
		w.t.Fatalf("cannot get %T %s: %v", object, object.GetName(), err)
	}
}

// update changes an object, again and again until nobody else has changed it meanwhile.
func update[T client.Object](w *world, object T, change func(T)) {
	w.t.Helper()
	for {
		w.get(object)
		change(object)
		err := env.Client.Update(w.ctx, object)
		if err == nil {
			return
		}
		if !apierrors.IsConflict(err) {
			w.t.Fatalf("cannot update %s: %v", object.GetName(), err)
		}
	}
}

// update is a plain PUT, as `kubectl replace` sends it.
func (w *world) update(object client.Object) error { return env.Client.Update(w.ctx, object) }

func (w *world) delete(object client.Object) {
	w.t.Helper()
	if err := env.Client.Delete(w.ctx, object); err != nil {
		w.t.Fatalf("cannot delete %s: %v", object.GetName(), err)
	}
}

// eventually waits for something to come true.
func (w *world) eventually(what string, check func() (bool, string)) {
	w.t.Helper()
	w.within(patience, what, check)
}

// within waits for something to come true, for a time.
func (w *world) within(limit time.Duration, what string, check func() (bool, string)) {
	w.t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond) // at 25 ms, looking costs a third of the suite's processor time
	defer tick.Stop()
	for {
		done, state := check()
		if done {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			w.t.Fatalf("waited in vain until %s; now: %s\nlogs:\n%s", what, state, w.logs.String())
		}
	}
}

// observed is how long a test watches for something that should not happen.
const observed = 1500 * time.Millisecond

// consistently checks that something stays true for a while.
func (w *world) consistently(what string, check func() (bool, string)) {
	w.t.Helper()
	w.consistentlyFor(observed, what, check)
}

// consistentlyFor checks that something stays true for some time.
func (w *world) consistentlyFor(d time.Duration, what string, check func() (bool, string)) {
	w.t.Helper()
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(100 * time.Millisecond) // at 25 ms, looking costs a third of the suite's processor time
	defer tick.Stop()
	for {
		if ok, state := check(); !ok {
			w.t.Fatalf("%s does not hold any more: %s", what, state)
		}
		select {
		case <-tick.C:
		case <-end.C:
			return
		}
	}
}

// requests counts the requests to the provider of one operation.
func (w *world) requests(operation string) int {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	n := 0
	for _, family := range families {
		if family.GetName() != "transcription_operator_provider_requests_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "operation" && label.GetValue() == operation {
					n += int(metric.GetCounter().GetValue())
				}
			}
		}
	}
	return n
}

// awaitReason waits until a job's Ready has a reason, and returns its message.
func (w *world) awaitReason(job *v1alpha1.TranscriptionJob, reasons ...string) string {
	w.t.Helper()
	message := ""
	w.eventually(fmt.Sprintf("job %s is %s", job.Name, strings.Join(reasons, " or ")), func() (bool, string) {
		w.get(job)
		ready := readyCondition(job.Status.Conditions)
		if ready == nil {
			return false, "no condition Ready"
		}
		message = ready.Message
		return slices.Contains(reasons, ready.Reason), ready.Reason + ": " + ready.Message
	})
	return message
}

// awaitAccount waits until an account's Ready has a reason, and returns its message.
func (w *world) awaitAccount(account v1alpha1.Account, reason string) string {
	w.t.Helper()
	message := ""
	w.eventually(account.GetName()+" is "+reason, func() (bool, string) {
		w.get(account)
		ready := readyCondition(account.AccountStatus().Conditions)
		if ready == nil {
			return false, "no condition Ready"
		}
		message = ready.Message
		return ready.Reason == reason, ready.Reason + ": " + ready.Message
	})
	return message
}

// awaitRecord waits until a job's submission is recorded, and returns the remote ID.
func (w *world) awaitRecord(job *v1alpha1.TranscriptionJob) string {
	w.t.Helper()
	id := ""
	w.eventually("job "+job.Name+" is recorded", func() (bool, string) {
		w.get(job)
		if job.Status.RemoteJob != nil {
			id = valueOf(job.Status.RemoteJob.ID)
		}
		return id != "", fmt.Sprintf("%+v", job.Status)
	})
	return id
}

// awaitGone waits until an object is deleted.
func (w *world) awaitGone(object client.Object) {
	w.t.Helper()
	w.eventually(object.GetName()+" is gone", func() (bool, string) {
		err := env.Client.Get(w.ctx, client.ObjectKeyFromObject(object), object)
		return apierrors.IsNotFound(err), fmt.Sprintf("%v, finalizers %v", err, object.GetFinalizers())
	})
}

// submissions counts what was accepted for an object, by its UID: what was paid for.
func (w *world) submissions(job *v1alpha1.TranscriptionJob) int {
	n := 0
	for _, entry := range w.simulator.Ledger() {
		if strings.HasPrefix(entry.Reference, string(job.UID)+"/") {
			n++
		}
	}
	return n
}

func (w *world) wantSubmissions(job *v1alpha1.TranscriptionJob, want int) {
	w.t.Helper()
	if got := w.submissions(job); got != want {
		w.t.Errorf("job %s was submitted %d times, want %d", job.Name, got, want)
	}
}

// remoteStatus is the state of a remote job.
func (w *world) remoteStatus(id string) string {
	for _, job := range w.simulator.Jobs() {
		if job.ID == id {
			return job.Status
		}
	}
	return "unknown"
}

// text reads the plain text of a complete job from its ConfigMap.
func (w *world) text(job *v1alpha1.TranscriptionJob) string {
	w.t.Helper()
	for _, t := range job.Status.Transcripts {
		if t.Format == v1alpha1.FormatText && t.ConfigMapRef != nil {
			configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: t.ConfigMapRef.Name}}
			w.get(configMap)
			return configMap.Data[t.ConfigMapRef.Key]
		}
	}
	w.t.Fatalf("job %s has no text in a ConfigMap: %+v", job.Name, job.Status.Transcripts)
	return ""
}

// wantHeld waits until the reconciler has tried to clean up, and failed, and checks that the object is still there.
func (w *world) wantHeld(object client.Object) {
	w.t.Helper()
	w.eventually("cleaning up was tried", func() (bool, string) {
		logs := w.logs.String()
		return strings.Contains(logs, "Cannot clean up at the provider yet"), logs
	})
	w.get(object)
}

// events are the notes of the events of an object, after their type and reason.
func (w *world) events(uid types.UID) []string {
	w.t.Helper()
	list := &eventsv1.EventList{}
	if err := env.Client.List(w.ctx, list, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	var notes []string
	for _, e := range list.Items {
		if e.Regarding.UID == uid {
			notes = append(notes, e.Type+" "+e.Reason+": "+e.Note)
		}
	}
	return notes
}

func (w *world) wantEvent(job *v1alpha1.TranscriptionJob, part string) {
	w.t.Helper()
	w.wantEventOf(job.UID, part)
}

func (w *world) wantEventOf(uid types.UID, part string) {
	w.t.Helper()
	w.eventually("there is an event "+part, func() (bool, string) {
		notes := w.events(uid)
		return slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, part) }), strings.Join(notes, "\n")
	})
}

// check holds after every story: conditions that tools understand, at most one remote job for each attempt, and no secret in
// sight.
func (w *world) check() {
	if w.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := env.Client.List(ctx, jobs, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		job.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TranscriptionJob"}
		for _, broken := range lintConditions(job) {
			w.t.Errorf("job %s: %s", job.Name, broken)
		}
		if got, want := kstatusOf(w.t, job), wantKstatus(job); got != want {
			w.t.Errorf("job %s: kstatus says %s, want %s", job.Name, got, want)
		}
		for _, broken := range lintHealth(w.t, job) {
			w.t.Errorf("job %s: %s", job.Name, broken)
		}
	}
	w.checkMetrics()
	if !w.doubled {
		w.checkLedger()
	}
	w.checkAccounts(ctx)
	w.checkSecrets(ctx, jobs)
}

// checkAccounts holds accounts to the same: conditions that are complete, current and do not contradict each other.
func (w *world) checkAccounts(ctx context.Context) {
	accounts := &v1alpha1.SpeechmaticsAccountList{}
	if err := env.Client.List(ctx, accounts, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	for i := range accounts.Items {
		account := &accounts.Items[i]
		account.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: string(v1alpha1.NamespacedAccount)}
		for _, broken := range lintAccount(account) {
			w.t.Errorf("account %s: %s", account.Name, broken)
		}
		if got, want := kstatusOf(w.t, account), wantAccountKstatus(account); got != want {
			w.t.Errorf("account %s: kstatus says %s, want %s", account.Name, got, want)
		}
		for _, broken := range lintHealth(w.t, account) { //nolint:contextcheck // the interpreter of the script has none
			w.t.Errorf("account %s: %s", account.Name, broken)
		}
	}
}

// checkLedger checks that no attempt was accepted twice.
func (w *world) checkLedger() {
	attempts := map[string]int{}
	for _, entry := range w.simulator.Ledger() {
		reference, err := notification.ParseReference(entry.Reference)
		if err != nil {
			continue // another customer's
		}
		attempts[fmt.Sprintf("%s/%d", reference.UID, reference.Attempt)]++
	}
	for attempt, n := range attempts {
		if n > 1 {
			w.t.Errorf("attempt %s was accepted %d times", attempt, n)
		}
	}
}

// checkSecrets looks for secrets in everything that people can read.
func (w *world) checkSecrets(ctx context.Context, jobs *v1alpha1.TranscriptionJobList) {
	events := &eventsv1.EventList{}
	accounts := &v1alpha1.SpeechmaticsAccountList{}
	if err := errors.Join(env.Client.List(ctx, events, client.InNamespace(w.namespace)), env.Client.List(ctx, accounts, client.InNamespace(w.namespace))); err != nil {
		w.t.Fatal(err)
	}
	// What a user writes into a spec is the user's own; what the operator adds is not to repeat it.
	statuses := make([]v1alpha1.TranscriptionJobStatus, 0, len(jobs.Items))
	for i := range jobs.Items {
		statuses = append(statuses, jobs.Items[i].Status)
	}
	for name, object := range map[string]any{"jobs": statuses, "events": events, "accounts": accounts, "logs": w.logs.String(), "spans": w.spans.text()} {
		text, err := json.Marshal(object)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, secret := range w.secrets {
			if bytes.Contains(text, []byte(secret)) {
				w.t.Errorf("the secret %q is to be read in the %s", secret, name)
			}
		}
		if bytes.Contains(text, []byte("Bearer ")) {
			w.t.Errorf("an authorization is to be read in the %s", name)
		}
	}
}

// logBuffer keeps the logs of a world.
type logBuffer struct {
	mu    sync.Mutex
	lines []string
}

func (b *logBuffer) logger(name string) logr.Logger {
	return funcr.New(func(prefix, args string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.lines = append(b.lines, prefix+" "+args)
	}, funcr.Options{LogTimestamp: true, Verbosity: 0}).WithName(name)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}
