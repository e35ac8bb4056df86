// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	programmetrics "github.com/transcription-operator/transcription-operator/internal/metrics"
	"github.com/transcription-operator/transcription-operator/notification"
)

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := noKeepAlive.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(content)
}

func TestMetrics(t *testing.T) {
	r := start(t)
	job := newJob(t)
	r.send(t, job, request{}) // the first about the attempt, without a transcript
	r.send(t, job, multi(t, everything(t, job)...))
	r.send(t, job, request{})
	r.send(t, job, request{token: "-"})
	r.send(t, job, request{method: http.MethodGet, path: targetOf(job, 1).StorePath(), query: "?", internal: true})
	status, content := fetch(t, r.metrics)
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	for _, want := range []string{
		`transcription_operator_notifications_total{result="recorded",source="callback"} 1`,
		`transcription_operator_notifications_total{result="stored",source="callback"} 1`,
		`transcription_operator_notifications_total{result="duplicate",source="callback"} 1`,
		`transcription_operator_notifications_total{result="unauthorized",source="callback"} 1`,
		`transcription_operator_notification_duration_seconds_count{source="callback"} 3`,
		`transcription_operator_notifications_in_flight{source="callback"} 0`,
		`transcription_operator_transcript_stored_bytes_total{store="configmap"} `,
		`transcription_operator_notification_body_bytes_total{source="callback"} `,
		`transcription_operator_store_checks_total{result="available"} 1`,
		`transcription_operator_notification_keys_valid 1`,
		`transcription_operator_job_notification_seconds_count{source="callback"} 1`,
		`go_goroutines `,
	} {
		if !strings.Contains(content, want) {
			t.Errorf("there is no %s", want)
		}
	}
}

// TestMetrics_lint holds the metrics to Prometheus' conventions, and to what is documented.
func TestMetrics_lint(t *testing.T) {
	r, job := start(t), newJob(t)
	r.send(t, job, multi(t, everything(t, job)...)) // what has labels is there only when it has something to tell
	families, err := r.server.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	ours := slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return !strings.HasPrefix(f.GetName(), programmetrics.Prefix) })
	if got, want := len(ours), len(DescribeMetrics()); got != want {
		t.Errorf("%d metrics are looked at, and there are %d", got, want)
	}
	problems, err := promlint.NewWithMetricFamilies(ours).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	for _, problem := range programmetrics.Undocumented(ours, DescribeMetrics()) {
		t.Error(problem)
	}
}

// TestResults_counted: the results that a notification may have are those of the metric.
func TestResults_counted(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "result.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var constants []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && spec.Type != nil {
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				constants = append(constants, literal.Value)
			}
		}
		return true
	})
	counted := []string{strconv.Quote(string(resultAvailable))} // of a question about a store alone
	for _, res := range notificationResults {
		counted = append(counted, strconv.Quote(string(res)))
	}
	slices.Sort(constants)
	slices.Sort(counted)
	if diff := cmp.Diff(constants, counted); diff != "" {
		t.Errorf("results of the metric (-constants +list):\n%s", diff)
	}
}

func TestHealth(t *testing.T) {
	r := start(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, content := fetch(t, r.health+path); status != http.StatusOK || content != "ok\n" {
			t.Errorf("%s: %d %q", path, status, content)
		}
	}
	// Health and metrics are not at the doors.
	for _, door := range []string{r.public, r.internal} {
		if status, _ := fetch(t, door+"/healthz"); status == http.StatusOK {
			t.Errorf("%s answers probes", door)
		}
	}
}

// probes is a Prober that fails as long as it is told to.
type probes struct{ err error }

func (p *probes) Claims() []string   { return []string{claim} }
func (p *probes) Probe(string) error { return p.err }

func TestReadiness(t *testing.T) {
	clock := testingclock.NewFakePassiveClock(time.Unix(1000, 0))
	keyring, err := notification.NewKeyring(signingKey())
	if err != nil {
		t.Fatal(err)
	}
	var down error
	gets := 0
	c := interceptor.NewClient(env.Client, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if gets++; down != nil {
				return down
			}
			return c.Get(ctx, key, obj, opts...)
		},
	})
	volume := &probes{err: errors.New("read-only")}
	r := &readiness{client: c, keys: keyring, volumes: volume, clock: clock, log: logr.Discard(), probed: map[string]bool{}}
	expect := func(when string, ready bool) {
		t.Helper()
		clock.SetTime(clock.Now().Add(readinessInterval))
		if err := r.check(t.Context()); (err == nil) != ready {
			t.Errorf("%s: %v", when, err)
		}
	}
	expect("with a volume that cannot be written", false)
	volume.err = nil
	expect("with everything there", true)
	volume.err = errors.New("full")
	expect("with a volume that is full later", true)
	down = apierrors.NewServiceUnavailable("down")
	if err := r.check(t.Context()); err != nil {
		t.Errorf("the API server is asked too often: %v", err)
	}
	expect("with the API server down", false)
	down = apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("transcriptionjobs").GroupResource(), "readiness", nil)
	expect("without rights", false)
	down = nil
	expect("with everything there again", true)
	if gets != 6 {
		t.Errorf("the API server was asked %d times, want 6", gets)
	}
	r.draining.Store(true)
	expect("while draining", false)
}

// With rights in some namespaces, it is ready as long as it has them in one of those.
func TestReadinessInNamespaces(t *testing.T) {
	keyring, err := notification.NewKeyring(signingKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		namespaces []string
		ready      bool
	}{
		"everywhere":               {nil, false}, // it asks in another namespace
		"where it has rights":      {[]string{"speech"}, true},
		"in one of two":            {[]string{"music", "speech"}, true},
		"where it has none of its": {[]string{"music", "art"}, false},
	} {
		c := interceptor.NewClient(env.Client, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
				if key.Namespace != "speech" {
					return apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("transcriptionjobs").GroupResource(), key.Name, nil)
				}
				return c.Get(ctx, key, obj, opts...)
			},
		})
		r := &readiness{
			client: c, keys: keyring, volumes: &probes{}, clock: testingclock.NewFakePassiveClock(time.Unix(1000, 0)), log: logr.Discard(),
			namespaces: tt.namespaces, probed: map[string]bool{},
		}
		if err := r.check(t.Context()); (err == nil) != tt.ready {
			t.Errorf("%s: %v, want ready: %t", name, err, tt.ready)
		}
	}
}

// A shutdown lets requests end that are there already.
func TestShutdownDrains(t *testing.T) {
	entered, resume := make(chan struct{}), make(chan struct{})
	r := start(t, func(o *Options) {
		o.Client = interfering(func(int) { close(entered); <-resume })
	})
	job := newJob(t)
	answered := make(chan answer, 1)
	q := multi(t, everything(t, job)...)
	go func() {
		got, _ := r.try(context.WithoutCancel(t.Context()), targetOf(job, 1), q)
		answered <- got
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	for !r.server.readiness.draining.Load() {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
	close(resume)
	if err := <-stopped; err != nil {
		t.Errorf("Run() = %v", err)
	}
	if got := <-answered; got.status != http.StatusNoContent {
		t.Errorf("the request that was there was answered with %+v", got)
	}
	if got := stored(read(t, job)); len(got) != 3 {
		t.Errorf("stored %v", got)
	}
}

// A request that does not end is broken off, and Run says so.
func TestShutdownTimesOut(t *testing.T) {
	entered, resume, broken := make(chan struct{}), make(chan struct{}), make(chan struct{})
	r := start(t, func(o *Options) {
		o.DrainTimeout = time.Millisecond
		o.Client = interfering(func(int) { close(entered); <-resume })
	})
	job := newJob(t)
	q := multi(t, everything(t, job)...)
	go func() {
		defer close(broken)
		_, _ = r.try(context.WithoutCancel(t.Context()), targetOf(job, 1), q)
	}()
	<-entered
	err := r.stop()
	close(resume)
	<-broken
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "public") {
		t.Errorf("Run() = %v", err)
	}
	r.stop = func() error { return nil } // it was looked at
}

// A listener that fails ends the whole, with an error.
func TestListenerThatFails(t *testing.T) {
	keyring, err := notification.NewKeyring(signingKey())
	if err != nil {
		t.Fatal(err)
	}
	server := New(Options{Client: env.Client, Keys: keyring, Volumes: &probes{}, Scratch: newScratch(t), Log: logr.Discard(), ShutdownDelay: time.Hour})
	listeners := Listeners{Public: listen(t), Internal: listen(t)}
	if err := listeners.Internal.Close(); err != nil {
		t.Fatal(err)
	}
	if err := server.Run(t.Context(), listeners); err == nil || !strings.Contains(err.Error(), "internal") {
		t.Errorf("Run() = %v", err)
	}
}

// Before the doors close, readiness is off for a while.
func TestShutdownDelay(t *testing.T) {
	clock, r := startWithDelay(t)
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	awaitWaiter(t, clock, stopped)
	if status, _ := fetch(t, r.health+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("while shutting down, it is ready: %d", status)
	}
	clock.Step(shutdownDelay)
	if err := <-stopped; err != nil {
		t.Errorf("Run() = %v", err)
	}
}

// As long as notifications come in, the doors stay open: somebody does not know yet that they are about to close. But not for ever.
func TestShutdownDelay_busy(t *testing.T) {
	for name, tt := range map[string]struct {
		busy   int // for how many delays
		delays int
	}{
		"for a while": {busy: 2, delays: 3},
		"for ever":    {busy: maxShutdownDelays, delays: maxShutdownDelays},
	} {
		t.Run(name, func(t *testing.T) {
			clock, r := startWithDelay(t)
			job := newJob(t)
			stopped := make(chan error, 1)
			go func() { stopped <- r.stop() }()
			for i := range tt.delays {
				awaitWaiter(t, clock, stopped)
				if i < tt.busy {
					if got := r.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusNoContent {
						t.Errorf("the door is closed too early: %+v", got)
					}
				}
				clock.Step(shutdownDelay)
			}
			if err := <-stopped; err != nil {
				t.Errorf("Run() = %v", err)
			}
		})
	}
}

const shutdownDelay = 5 * time.Second

// startWithDelay starts a receiver whose doors close when the clock is moved.
func startWithDelay(t *testing.T) (*testingclock.FakeClock, *rig) {
	t.Helper()
	clock := testingclock.NewFakeClock(time.Now())
	return clock, start(t, func(o *Options) { o.Clock, o.ShutdownDelay = clock, shutdownDelay })
}

// awaitWaiter returns when the receiver waits for the time to go on.
func awaitWaiter(t *testing.T, clock *testingclock.FakeClock, stopped <-chan error) {
	t.Helper()
	for !clock.HasWaiters() {
		select {
		case err := <-stopped:
			t.Fatalf("it did not wait: Run() = %v", err)
		default:
			runtime.Gosched()
		}
	}
}

// A door's connection is closed with the answer, and the sender is told so: one that it kept could be closed in the moment in which it is used again.
func TestConnectionsAreNotKept(t *testing.T) {
	r, job := start(t), newJob(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for _, internal := range []bool{false, true} {
		q := multi(t, everything(t, job)...)
		q.internal = internal
		got, err := r.tryWith(t.Context(), &http.Client{Transport: transport, Timeout: 2 * time.Minute}, targetOf(job, 1), q)
		if err != nil || got.status != http.StatusNoContent || !got.closes {
			t.Errorf("internal %t: %+v, %v", internal, got, err)
		}
	}
}
