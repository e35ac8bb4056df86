// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// secret is what is never to be repeated.
const secret = "collector-token-0123456789"

// clearEnvironment takes the variables away that the machine may have.
func clearEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		disabledVariable, exporterVariable, endpointVariable, tracesEndpointVariable, protocolVariable, tracesProtocolVariable,
		"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME", "OTEL_BSP_SCHEDULE_DELAY",
	} {
		t.Setenv(name, "")
	}
}

func TestFromEnvironment_off(t *testing.T) {
	for name, environment := range map[string]map[string]string{
		"nothing is set":                 {},
		"only a sampler is set":          {"OTEL_TRACES_SAMPLER": "always_on"},
		"no exporter":                    {exporterVariable: "none", endpointVariable: "http://127.0.0.1:1"},
		"disabled":                       {disabledVariable: "True", endpointVariable: "http://127.0.0.1:1"},
		"disabled, with what is unknown": {disabledVariable: "true", exporterVariable: "zipkin"},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			for key, value := range environment {
				t.Setenv(key, value)
			}
			tracer, err := FromEnvironment(t.Context(), "test", logr.Discard())
			if err != nil || tracer.On() {
				t.Errorf("tracing is on: %t, error %v", tracer.On(), err)
			}
		})
	}
}

// TestFromEnvironment_bad checks that what cannot be used is refused, and that nothing of it is repeated.
func TestFromEnvironment_bad(t *testing.T) {
	const collector = "http://127.0.0.1:1"
	for name, c := range map[string]struct {
		environment map[string]string
		says        string
	}{
		"unknown exporter":        {map[string]string{exporterVariable: secret}, exporterVariable},
		"two exporters":           {map[string]string{exporterVariable: "otlp,console"}, exporterVariable},
		"endpoint without scheme": {map[string]string{endpointVariable: "collector:4318/" + secret}, endpointVariable},
		"endpoint of a socket":    {map[string]string{tracesEndpointVariable: "unix:///" + secret}, tracesEndpointVariable},
		"endpoint without host":   {map[string]string{endpointVariable: "http:///" + secret}, endpointVariable},
		"endpoint that is no URL": {map[string]string{endpointVariable: "http://collector:port/" + secret}, endpointVariable},
		"gRPC":                    {map[string]string{endpointVariable: collector, protocolVariable: "grpc"}, protocolVariable},
		"gRPC for traces":         {map[string]string{endpointVariable: collector, tracesProtocolVariable: "grpc"}, tracesProtocolVariable},
		"unknown sampler":         {map[string]string{endpointVariable: collector, "OTEL_TRACES_SAMPLER": "sometimes"}, "sampler"},
		"a ratio that is none":    {map[string]string{endpointVariable: collector, "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "half"}, "sampler"},
		"a ratio above one":       {map[string]string{endpointVariable: collector, "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "2"}, "ratio"},
		"headers without =":       {map[string]string{endpointVariable: collector, "OTEL_EXPORTER_OTLP_HEADERS": secret}, "headers"},
		"headers with bad escape": {map[string]string{endpointVariable: collector, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=%zz" + secret}, "header"},
		"a missing certificate":   {map[string]string{endpointVariable: collector, "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nonexistent/" + secret}, "cert"},
		"bad attributes":          {map[string]string{endpointVariable: collector, "OTEL_RESOURCE_ATTRIBUTES": secret}, "OTEL_RESOURCE_ATTRIBUTES"},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnvironment(t)
			for key, value := range c.environment {
				t.Setenv(key, value)
			}
			tracer, err := FromEnvironment(t.Context(), "test", logr.Discard())
			switch {
			case err == nil:
				tracer.Close(t.Context(), logr.Discard())
				t.Error("it was taken")
			case !strings.Contains(err.Error(), c.says):
				t.Errorf("the error does not speak of %q: %v", c.says, err)
			case strings.Contains(err.Error(), secret):
				t.Errorf("the error repeats the value: %v", err)
			}
		})
	}
}

// collector receives spans as an OpenTelemetry collector does.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*coltracepb.ExportTraceServiceRequest
	headers  []http.Header
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unzipped
		}
		data, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
			return
		}
		request := &coltracepb.ExportTraceServiceRequest{}
		if err := proto.Unmarshal(data, request); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.requests, c.headers = append(c.requests, request), append(c.headers, r.Header.Clone())
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

// TestFromEnvironment_sends has spans arrive at a collector, with what the environment says.
func TestFromEnvironment_sends(t *testing.T) {
	clearEnvironment(t)
	c := newCollector(t)
	t.Setenv(endpointVariable, c.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20"+secret)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=ours,deployment.environment.name=staging")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000") // so that nothing goes out before Close
	tracer, err := FromEnvironment(t.Context(), "test", logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracer.Start(t.Context(), target(someUID, 3), "submit", trace.SpanKindClient, time.Time{})
	span.End()
	tracer.Close(t.Context(), logr.Discard())
	if len(c.requests) != 1 || c.headers[0].Get("Authorization") != "Bearer "+secret {
		t.Fatalf("%d requests with headers %v, want one with the token", len(c.requests), c.headers)
	}
	resource := c.requests[0].GetResourceSpans()[0]
	attributes := map[string]string{}
	for _, a := range resource.GetResource().GetAttributes() {
		attributes[a.GetKey()] = a.GetValue().GetStringValue()
	}
	if attributes["service.name"] != "ours" || attributes["deployment.environment.name"] != "staging" || attributes["service.version"] == "" {
		t.Errorf("the resource is %v", attributes)
	}
	got := resource.GetScopeSpans()[0].GetSpans()
	if len(got) != 1 {
		t.Fatalf("%d spans, want one: those that stand for others are not sent", len(got))
	}
	parent, id := attemptSpanID(someUID, 3), TraceID(someUID)
	if string(got[0].GetTraceId()) != string(id[:]) || string(got[0].GetParentSpanId()) != string(parent[:]) || got[0].GetKind() != tracepb.Span_SPAN_KIND_CLIENT {
		t.Errorf("the span is %v", got[0])
	}
}

// TestFromEnvironment_complains checks that traces that cannot be sent are told of, now and then, and briefly.
func TestFromEnvironment_complains(t *testing.T) {
	clearEnvironment(t)
	t.Setenv(endpointVariable, newCollector(t).URL)
	var lines []string
	tracer, err := FromEnvironment(t.Context(), "test", funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer tracer.Close(t.Context(), logr.Discard())
	for range 10 {
		otel.Handle(errors.New(strings.Repeat("ü", maxComplaint)))
	}
	if len(lines) != 1 || len(lines[0]) > maxComplaint+200 {
		t.Errorf("%d lines, want one that is short: %q", len(lines), lines)
	}
}
