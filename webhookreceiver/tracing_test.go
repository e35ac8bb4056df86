// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"net/http"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/transcription-operator/transcription-operator/internal/tracing"
)

// TestTrace_strangers checks that only who has a job's token can add to its trace, and that nobody's headers say which trace that is.
func TestTrace_strangers(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	r := start(t, func(o *Options) { o.Tracer = tracing.New(sdktrace.WithSpanProcessor(recorder)) })
	job := newJob(t)
	withClaim(t, job, 1)
	foreign := http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	for name, q := range map[string]request{
		"no token":           {token: "-", header: foreign.Clone()},
		"another's token":    {token: r.keyring.Token("callback", targetOf(job, 2)), header: foreign.Clone()},
		"no such path":       {path: "/v1/elsewhere"},
		"another method":     {method: http.MethodDelete},
		"a question":         {internal: true, method: http.MethodGet, path: targetOf(job, 1).StorePath(), query: "?"},
		"a deliverer's door": {internal: true, token: r.keyring.Token("callback", targetOf(job, 1))},
	} {
		if a := r.send(t, job, q); a.status == http.StatusNoContent && name != "a question" {
			t.Errorf("%s: answer %+v", name, a)
		}
	}
	if spans := recorder.Ended(); len(spans) != 0 {
		t.Fatalf("%d spans of requests that are nobody's: %s", len(spans), spans[0].Name())
	}
	q := multi(t, everything(t, job)...)
	if q.header == nil {
		q.header = http.Header{}
	}
	q.header.Set("Traceparent", foreign.Get("Traceparent"))
	if a := r.send(t, job, q); a.status != http.StatusNoContent {
		t.Fatalf("answer %+v", a)
	}
	if err := r.stop(); err != nil { // so that the span has ended
		t.Fatal(err)
	}
	for _, s := range recorder.Ended() {
		if s.SpanContext().TraceID() != tracing.TraceID(job.UID) {
			t.Errorf("the span %s is in the trace %s, which a header named", s.Name(), s.SpanContext().TraceID())
		}
	}
	if len(recorder.Ended()) == 0 {
		t.Error("a good notification makes no span")
	}
}
