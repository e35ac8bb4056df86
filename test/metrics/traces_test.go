// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/tracing"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// Names of the programs in their spans.
const (
	managerService  = "transcription-operator-manager"
	receiverService = "transcription-operator-webhook-receiver"
)

// span is one span, with the program that has sent it.
type span struct {
	*tracepb.Span
	service string
}

// collector takes spans by OTLP over HTTP, as an OpenTelemetry collector does.
type collector struct {
	url string

	mu    sync.Mutex
	spans map[string][]span // by the trace's ID
	raw   bytes.Buffer      // everything that came
}

func startCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{spans: map[string][]span{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Errorf("the collector cannot take %s %s: %v", r.Method, r.URL.Path, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf") // an ExportTraceServiceResponse that says nothing is empty
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

// environment has a program send its spans here, at once.
func (c *collector) environment() []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.url, "OTEL_BSP_SCHEDULE_DELAY=50"}
}

func (c *collector) take(r *http.Request) error {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
		return fmt.Errorf("this is no OTLP: %s", r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var request coltracepb.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	for _, resource := range request.GetResourceSpans() {
		service := ""
		for _, attribute := range resource.GetResource().GetAttributes() {
			if attribute.GetKey() == "service.name" {
				service = attribute.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				id := hex.EncodeToString(s.GetTraceId())
				c.spans[id] = append(c.spans[id], span{Span: s, service: service})
			}
		}
	}
	return nil
}

// of are the spans of a job so far.
func (c *collector) of(job *v1alpha1.TranscriptionJob) []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans[tracing.TraceID(job.UID).String()])
}

// traces are the IDs of all traces.
func (c *collector) traces() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.spans))
}

// tells reports whether anything that came has the text in it.
func (c *collector) tells(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Contains(c.raw.Bytes(), []byte(text))
}

// checkTraces: each job is one trace, which holds together, whatever way it has gone; also if the manager that has submitted it is dead when its
// notification comes, and another one completes it. There is nothing else, and no secret.
func (w *world) checkTraces(t *testing.T) {
	inside := *w
	inside.T, w = t, &inside
	outlived := w.outliveManager()
	var want []string
	for _, job := range w.objects() {
		want = append(want, tracing.TraceID(job.UID).String())
		w.eventually("the trace of "+job.Name+" is whole", func(context.Context) error { return w.checkTrace(&job, job.UID == outlived.UID) })
	}
	slices.Sort(want)
	if got := w.collector.traces(); !slices.Equal(got, want) {
		t.Errorf("there are %d traces of %d jobs: %v, want %v", len(got), len(want), got, want)
	}
	for name, secret := range map[string]string{"API key": w.system.APIKey, "signing key": w.system.SigningKey, "media's address": w.system.MediaURL(""), "message": "it is noise"} {
		if w.collector.tells(secret) {
			t.Errorf("the traces tell the %s", name)
		}
	}
	if !w.collector.tells(outlived.Name) {
		t.Error("the traces do not tell a job's name: they are not read as they are written")
	}
}

// outliveManager has a job be submitted by a manager that is killed then, be notified while there is none, and be completed by the next one.
func (w *world) outliveManager() *v1alpha1.TranscriptionJob {
	w.Helper()
	killed := make(chan struct{})
	w.system.Public.Meddle(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			select {
			case <-killed:
			case <-r.Context().Done():
			}
			next.ServeHTTP(rw, r)
		})
	})
	w.setFaults(simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationGet, Status: http.StatusServiceUnavailable, Title: "outlived"})
	manager, job := w.system.Managers[0], w.create("outlived")
	w.eventually("its submission is told", func(context.Context) error {
		return lacks(namesOf(w.collector.of(job)), "submit", "record submission")
	})
	if err := manager.Hold(); err != nil {
		w.Fatal(err)
	}
	w.setFaults()
	close(killed)
	w.eventually("it is notified", func(ctx context.Context) error {
		err := w.client().Get(ctx, client.ObjectKeyFromObject(job), job)
		if err == nil && job.Status.Notification == nil {
			err = errors.New("it is not")
		}
		return err
	})
	if job.Status.CompletionTime != nil || manager.Running() {
		w.Fatalf("the job was not left by its manager as it was to be (running again: %t): %v", manager.Running(), job.Status.Conditions)
	}
	manager.Release()
	w.eventually("it has finished", func(ctx context.Context) error {
		err := w.client().Get(ctx, client.ObjectKeyFromObject(job), job)
		if err == nil && job.Status.CompletionTime == nil {
			err = fmt.Errorf("it has not: %v", job.Status.Conditions)
		}
		return err
	})
	return job
}

// checkTrace says what is missing in the trace of a job that has finished.
func (w *world) checkTrace(job *v1alpha1.TranscriptionJob, outlived bool) error {
	spans := w.collector.of(job)
	byID := map[string]span{}
	for _, s := range spans {
		byID[string(s.GetSpanId())] = s
	}
	if len(byID) != len(spans) {
		return fmt.Errorf("of %d spans, %d have the ID of another", len(spans), len(spans)-len(byID))
	}
	var problems []error
	var roots []string
	for _, s := range spans {
		above, ok := byID[string(s.GetParentSpanId())]
		switch {
		case len(s.GetParentSpanId()) == 0:
			roots = append(roots, s.GetName())
		case !ok:
			problems = append(problems, fmt.Errorf("what is above %q is not there", s.GetName()))
		case s.GetName() == "receive notification" && (s.service != receiverService || above.service != managerService):
			problems = append(problems, fmt.Errorf("%q is of %s, below a span of %s", s.GetName(), s.service, above.service))
		}
	}
	if !slices.Equal(roots, []string{"transcription job"}) {
		problems = append(problems, fmt.Errorf("at the top there are %q", roots))
	}
	want := []string{"attempt", "wait for admission", "claim", "submit", "record submission", "provider works"}
	title, _, _ := strings.Cut(job.Name, "-")
	switch {
	case outlived, title == "plain", title == "uploaded", title == "stored":
		want = append(want, "receive notification", "look up job", "read body", "store transcripts", "record in status", "write status")
	case title == "unanswered":
		want = append(want, "find submission")
		fallthrough
	case title == "lost":
		want = append(want, "collect transcripts", "fetch transcript", "receive notification", "store transcripts", "write status")
	}
	return errors.Join(append(problems, lacks(namesOf(spans), want...))...)
}

func namesOf(spans []span) []string {
	var names []string
	for _, s := range spans {
		names = append(names, s.GetName())
	}
	return names
}

// lacks says which names are not there.
func lacks(names []string, want ...string) error {
	missing := slices.DeleteFunc(want, func(name string) bool { return slices.Contains(names, name) })
	if len(missing) > 0 {
		return fmt.Errorf("there is no %q among %q", missing, names)
	}
	return nil
}
