// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"golang.org/x/time/rate"

	"github.com/transcription-operator/transcription-operator/internal/version"
)

// Environment variables of OpenTelemetry that decide here; its SDK reads the others, for samplers, batches, headers, certificates and
// the resource.
const (
	disabledVariable       = "OTEL_SDK_DISABLED"
	exporterVariable       = "OTEL_TRACES_EXPORTER"
	endpointVariable       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	tracesEndpointVariable = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	protocolVariable       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	tracesProtocolVariable = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// Values of exporterVariable.
const (
	exporterNone    = "none"
	exporterOTLP    = "otlp"
	exporterConsole = "console"
)

const (
	// complaintInterval is how often it is logged at most that traces cannot be sent. Each batch that is not would be a line otherwise.
	complaintInterval = time.Minute
	// maxComplaint bounds what is logged of it, in bytes: the other side's answer may be part of it.
	maxComplaint = 1 << 10
)

// FromEnvironment returns a tracer as OpenTelemetry's environment variables say; nil if they do not ask for traces: unlike in the SDK,
// traces are off unless OTEL_TRACES_EXPORTER or an OTLP endpoint is set. What cannot be used is an error, since the SDK would do something
// else instead. Errors repeat no value of a variable: some are secrets.
//
// Service is the name of the program, if OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES do not say another one. The log is told when
// traces cannot be sent.
func FromEnvironment(ctx context.Context, service string, log logr.Logger) (*Tracer, error) {
	kind, err := exporterKind()
	if err != nil || kind == exporterNone {
		return nil, err
	}
	complaints := watchSDK()
	exporter, err := newExporter(ctx, kind)
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName(service), semconv.ServiceVersion(version.String())),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, errors.New("OTEL_RESOURCE_ATTRIBUTES cannot be read; it is a list of key=value, separated by commas")
	}
	tracer := New(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	if err := complaints.all(); err != nil {
		tracer.Close(ctx, log) // it has nothing to send
		return nil, fmt.Errorf("OpenTelemetry does not understand its OTEL_ variables: %w", err)
	}
	otel.SetLogger(logr.Discard())
	complain := rate.Sometimes{First: 1, Interval: complaintInterval}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		complain.Do(func() { log.Info("Cannot send traces; jobs are not affected", "cause", clip(err.Error())) })
	}))
	return tracer, nil
}

// exporterKind is where the environment wants spans to go.
func exporterKind() (string, error) {
	if strings.EqualFold(variable(disabledVariable), "true") {
		return exporterNone, nil
	}
	kind := variable(exporterVariable)
	if kind == "" && variable(endpointVariable)+variable(tracesEndpointVariable) != "" {
		kind = exporterOTLP
	}
	switch kind {
	case "", exporterNone:
		return exporterNone, nil
	case exporterConsole:
		return kind, nil
	case exporterOTLP:
		return kind, errors.Join(checkEndpoint(endpointVariable), checkEndpoint(tracesEndpointVariable), checkProtocol(protocolVariable), checkProtocol(tracesProtocolVariable))
	default:
		return "", fmt.Errorf("%s: only %s, %s and %s are known", exporterVariable, exporterOTLP, exporterConsole, exporterNone)
	}
}

func variable(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// checkEndpoint refuses what the exporter would send to localhost instead.
func checkEndpoint(name string) error {
	value := variable(name)
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return fmt.Errorf("%s: an absolute http or https URL is needed, for example http://collector.observability:4318", name)
	}
	return nil
}

// checkProtocol refuses a protocol that the exporter would not speak.
func checkProtocol(name string) error {
	switch variable(name) {
	case "", "http/protobuf", "http/json":
		return nil
	default:
		return fmt.Errorf("%s: only http/protobuf and http/json are spoken; collectors listen for them at port 4318", name)
	}
}

func newExporter(ctx context.Context, kind string) (sdktrace.SpanExporter, error) {
	if kind == exporterConsole {
		return stdouttrace.New()
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot send traces by OTLP: %w", err)
	}
	return exporter, nil
}

// complaints are what the SDK did not understand.
type complaints struct {
	mu  sync.Mutex
	got []error
}

// watchSDK has the SDK tell here what it does not understand. By itself it would write that to stderr with the values, the keys to
// somebody's collector among them, and go on with something else.
func watchSDK() *complaints {
	c := &complaints{}
	otel.SetLogger(logr.New(sink{complaints: c}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(c.add))
	return c
}

func (c *complaints) add(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, err)
}

func (c *complaints) all() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.got...)
}

// sink takes the SDK's own log: errors without their values, and nothing else.
type sink struct{ complaints *complaints }

func (s sink) Init(logr.RuntimeInfo)                   {}
func (s sink) Enabled(int) bool                        { return false }
func (s sink) Info(int, string, ...any)                {}
func (s sink) Error(_ error, message string, _ ...any) { s.complaints.add(errors.New(message)) }
func (s sink) WithValues(...any) logr.LogSink          { return s }
func (s sink) WithName(string) logr.LogSink            { return s }

func clip(text string) string {
	if len(text) <= maxComplaint {
		return text
	}
	return strings.ToValidUTF8(text[:maxComplaint], "")
}
