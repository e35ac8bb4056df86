// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// exchange is a request and its answer, as they went over the wire.
type exchange struct {
	request *http.Request
	sent    []byte // the request's body; nil if the server did not read it to its end
	status  int
	header  http.Header
	answer  []byte
}

// operation is where in the specification an exchange belongs.
type operation struct {
	name   string // "GET /jobs/{jobid}"
	route  *routers.Route
	params map[string]string
}

// find returns the operation that a request is for.
func (s *Spec) find(r *http.Request) (*operation, error) {
	route, params, err := s.router.FindRoute(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s is no operation of the specification: %w", r.Method, r.URL.Path, err)
	}
	return &operation{name: route.Method + " " + route.Path, route: route, params: params}, nil
}

// compactly has a violation say where and what, without the value, which may be a secret, and the schema.
func compactly(e *openapi3.SchemaError) string {
	return "/" + strings.Join(e.JSONPointer(), "/") + ": " + e.Reason
}

var schemaOptions = []openapi3.SchemaValidationOption{
	openapi3.MultiErrors(), openapi3.EnableFormatValidation(), openapi3.SetSchemaErrorMessageCustomizer(compactly),
}

// checkRequest says in what a request differs from the specification.
func (s *Spec) checkRequest(ctx context.Context, op *operation, x *exchange, keyOptional bool) error {
	options := &openapi3filter.Options{
		MultiError:                        true,
		SkipSettingDefaults:               true,
		RejectWhenRequestBodyNotSpecified: true,
		ExcludeRequestBody:                x.sent == nil,
		SchemaValidationOptions:           schemaOptions,
		AuthenticationFunc: func(_ context.Context, input *openapi3filter.AuthenticationInput) error {
			if keyOptional {
				return nil
			}
			return checkKey(input)
		},
	}
	options.WithCustomSchemaErrorFunc(compactly)
	request := x.request.Clone(ctx)
	request.Body = io.NopCloser(bytes.NewReader(x.sent))
	errs := []error{openapi3filter.ValidateRequest(ctx, &openapi3filter.RequestValidationInput{
		Request: request, PathParams: op.params, Route: op.route, Options: options,
	})}
	errs = append(errs, checkNames(op, x.request), checkProcessing(x.request.Header.Get(processingHeader)))
	if op.route.Operation.RequestBody != nil && x.sent != nil {
		errs = append(errs, s.checkParts(x))
	}
	return errors.Join(errs...)
}

// checkKey looks for a bearer token, which the specification's security scheme can describe in words only.
func checkKey(input *openapi3filter.AuthenticationInput) error {
	header := input.RequestValidationInput.Request.Header.Get("Authorization")
	if token, ok := strings.CutPrefix(header, "Bearer "); !ok || token == "" {
		return errors.New("the header Authorization has no bearer token")
	}
	return nil
}

// checkNames finds parameters of the query, and the API's own headers, that the operation does not have.
func checkNames(op *operation, r *http.Request) error {
	var errs []error
	for name, values := range r.URL.Query() {
		if op.parameter(openapi3.ParameterInQuery, name) == nil && undeclaredQuery[name] == "" {
			errs = append(errs, fmt.Errorf("query parameter %q is not in the specification", name))
		}
		if len(values) > 1 {
			errs = append(errs, fmt.Errorf("query parameter %q is given %d times", name, len(values)))
		}
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-") && op.parameter(openapi3.ParameterInHeader, name) == nil {
			errs = append(errs, fmt.Errorf("header %s is not in the specification", name))
		}
	}
	return errors.Join(errs...)
}

// processingHeader is described in words only: a dictionary with an integer and a text.
const processingHeader = "X-SM-Processing-Data"

func checkProcessing(value string) error {
	if value == "" {
		return nil
	}
	var settings struct {
		ParallelEngines *uint   `json:"parallel_engines"`
		UserID          *string `json:"user_id"`
	}
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&settings); err != nil {
		return fmt.Errorf("header %s: %w", processingHeader, err)
	}
	return nil
}

func (op *operation) parameter(in, name string) *openapi3.Parameter {
	for _, parameters := range []openapi3.Parameters{op.route.Operation.Parameters, op.route.PathItem.Parameters} {
		for _, p := range parameters {
			if p.Value.In == in && (p.Value.Name == name || (in == openapi3.ParameterInHeader && strings.EqualFold(p.Value.Name, name))) {
				return p.Value
			}
		}
	}
	return nil
}

// part is a part of a multipart body.
type part struct {
	name, fileName, contentType string
	content                     []byte
}

// readParts reads a multipart body.
func readParts(header http.Header, body []byte) ([]part, error) {
	_, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	reader := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var parts []part
	for {
		p, err := reader.NextRawPart()
		if err == io.EOF { //nolint:errorlint // a wrapped one is a body without its end
			return parts, nil
		}
		if err != nil {
			return parts, err
		}
		content, err := io.ReadAll(p)
		if err != nil {
			return parts, err
		}
		parts = append(parts, part{name: p.FormName(), fileName: p.FileName(), contentType: p.Header.Get("Content-Type"), content: content})
	}
}

// checkParts looks into a submission: the configuration is a text to the specification's form, and JobConfig in its words.
func (s *Spec) checkParts(x *exchange) error {
	parts, err := readParts(x.request.Header, x.sent)
	if err != nil {
		return fmt.Errorf("the body is not multipart/form-data: %w", err)
	}
	var errs []error
	seen := map[string]bool{}
	for _, p := range parts {
		if seen[p.name] {
			errs = append(errs, fmt.Errorf("part %s is given twice", p.name))
		}
		seen[p.name] = true
		if (p.fileName != "") != (p.name != "config") {
			errs = append(errs, fmt.Errorf("part %s has the file name %q: only files have one", p.name, p.fileName))
		}
		if p.name == "config" {
			errs = append(errs, s.CheckConfig(p.content))
		}
	}
	return errors.Join(errs...)
}

// CheckConfig holds a job's configuration against JobConfig, as it is for requests.
func (s *Spec) CheckConfig(config []byte) error {
	return s.checkDocument(s.requests, "JobConfig", config, openapi3.VisitAsRequest())
}

// CheckAnswerDocument holds a JSON document against a definition, as it is for answers.
func (s *Spec) CheckAnswerDocument(definition string, document []byte) error {
	return s.checkDocument(s.answers, definition, document, openapi3.VisitAsResponse())
}

func (s *Spec) checkDocument(in *openapi3.T, definition string, document []byte, as openapi3.SchemaValidationOption) error {
	var value any
	if err := json.Unmarshal(document, &value); err != nil {
		return fmt.Errorf("%s is not JSON: %w", definition, err)
	}
	schema, ok := in.Components.Schemas[definition]
	if !ok {
		return fmt.Errorf("the specification does not define %s", definition)
	}
	if err := schema.Value.VisitJSON(value, append(slices.Clone(schemaOptions), as)...); err != nil {
		return fmt.Errorf("%s: %w", definition, err)
	}
	return nil
}

// checkAnswer says in what an answer differs from the specification.
func (s *Spec) checkAnswer(ctx context.Context, op *operation, x *exchange) error {
	declared := s.answerOf(op, x.status)
	mediaType, _, _ := mime.ParseMediaType(x.header.Get("Content-Type"))
	if declared == nil {
		if toleratedFor(op.name, x.status, mediaType) == nil {
			return fmt.Errorf("status %d (%s) is not in the specification", x.status, mediaType)
		}
		return s.checkErrorBody(mediaType, x.answer)
	}
	if len(declared.Content) == 0 { // a status without a schema
		return s.checkErrorBody(mediaType, x.answer)
	}
	if declared.Content.Get(mediaType) == nil {
		if toleratedFor(op.name, x.status, mediaType) == nil {
			return fmt.Errorf("status %d: media type %q is not in the specification", x.status, mediaType)
		}
		return nil
	}
	return s.checkBody(ctx, op, x)
}

// checkErrorBody holds an error whose body the specification does not describe against the one that it has for all others.
func (s *Spec) checkErrorBody(mediaType string, body []byte) error {
	if !isJSON(mediaType) {
		return nil
	}
	return s.CheckAnswerDocument("ErrorResponse", body)
}

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

// answerOf returns what the specification says of a status.
func (s *Spec) answerOf(op *operation, status int) *openapi3.Response {
	ref := s.answers.Paths.Find(op.route.Path).GetOperation(op.route.Method).Responses.Status(status)
	if ref == nil {
		return nil
	}
	return ref.Value
}

func (s *Spec) checkBody(ctx context.Context, op *operation, x *exchange) error {
	route := *op.route
	route.Spec, route.PathItem = s.answers, s.answers.Paths.Find(route.Path)
	route.Operation = route.PathItem.GetOperation(route.Method)
	options := &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true, SchemaValidationOptions: schemaOptions}
	options.WithCustomSchemaErrorFunc(compactly)
	return openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: x.request, PathParams: op.params, Route: &route, Options: options},
		Status:                 x.status,
		Header:                 x.header,
		Body:                   io.NopCloser(bytes.NewReader(x.answer)),
		Options:                options,
	})
}
