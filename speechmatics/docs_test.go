// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// docsVariable names a folder with the provider's specification and samples, which are not the project's to ship.
const docsVariable = "TRANSCRIPTION_OPERATOR_SPEECHMATICS_DOCS"

// specifications are the present specification, and the last one that has alignment.
var specifications = []string{"batch-openapi.yaml", "batch-openapi-2026-05.yaml"}

// readDocs returns a file of the provider's, or skips the test if it is not here.
func readDocs(t *testing.T, name ...string) []byte {
	t.Helper()
	folder := os.Getenv(docsVariable)
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "speechmatics")
	}
	path := filepath.Join(append([]string{folder}, name...)...)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv(docsVariable) == "" {
		t.Skipf("the provider's file %s is not here; set %s to the folder that has it", filepath.Join(name...), docsVariable)
	}
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func readSample(t *testing.T, name string) []byte {
	t.Helper()
	return readDocs(t, "samples", name)
}

// specification is what the tests need of the provider's specification.
type specification struct {
	Paths       map[string]map[string]operation `yaml:"paths"`
	Definitions map[string]struct {
		Example any `yaml:"example"`
	} `yaml:"definitions"`
}

type operation struct {
	Responses map[string]struct {
		Examples map[string]any `yaml:"examples"`
	} `yaml:"responses"`
}

// UnmarshalYAML leaves out what is beside the operations of a path: the parameters that they share.
func (o *operation) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	type plain operation
	return node.Decode((*plain)(o))
}

func readSpecification(t *testing.T, name string) specification {
	t.Helper()
	var spec specification
	if err := yaml.Unmarshal(readDocs(t, name), &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// asJSON writes an example as it would go over the wire.
func asJSON(t *testing.T, example any) []byte {
	t.Helper()
	data, err := json.Marshal(example)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const exampleID = "a1b2c3d4e5"

// clientCalls says which method is an operation of the specification. Those that return documents return them as they came.
var clientCalls = map[string]func(context.Context, *Client) (*Download, error){
	"post /jobs": func(ctx context.Context, c *Client) (*Download, error) {
		_, err := c.CreateJob(ctx, upload100(100))
		return nil, err
	},
	"get /jobs": func(ctx context.Context, c *Client) (*Download, error) {
		_, err := collect(c.ListJobs(ctx, ListOptions{}))
		return nil, err
	},
	"get /jobs/{jobid}": func(ctx context.Context, c *Client) (*Download, error) {
		_, err := c.GetJob(ctx, exampleID)
		return nil, err
	},
	"delete /jobs/{jobid}": func(ctx context.Context, c *Client) (*Download, error) {
		return nil, c.DeleteJob(ctx, exampleID, DeleteOptions{})
	},
	"get /jobs/{jobid}/transcript": func(ctx context.Context, c *Client) (*Download, error) {
		return c.Transcript(ctx, exampleID, FormatJSONv2)
	},
	"get /jobs/{jobid}/alignment": func(ctx context.Context, c *Client) (*Download, error) { return c.Alignment(ctx, exampleID, "") },
	"get /jobs/{jobid}/log":       func(ctx context.Context, c *Client) (*Download, error) { return c.Log(ctx, exampleID) },
	"get /jobs/{jobid}/data":      func(ctx context.Context, c *Client) (*Download, error) { return c.Data(ctx, exampleID) },
	"get /jobs/{jobid}/text":      func(ctx context.Context, c *Client) (*Download, error) { return c.Text(ctx, exampleID) },
	"get /usage": func(ctx context.Context, c *Client) (*Download, error) {
		usage, err := c.Usage(ctx, UsageQuery{})
		if err == nil && (len(usage.Summary) == 0 || len(usage.Details) == 0 || usage.Details[0].Model == "" || usage.Details[0].Duration == 0) {
			err = errors.New("usage without details")
		}
		return nil, err
	},
}

// leftOut are the operations that the client does not have, and why.
var leftOut = map[string]string{
	"get /jobs/{jobid}/object-urls": "the provider took it out of its specification in June 2026, and never advertised it",
}

// Every answer that a specification gives as an example arrives where the client's callers find it, and so does every status that it
// declares without one.
func TestSpecificationAnswers(t *testing.T) {
	for _, name := range specifications {
		for path, operations := range readSpecification(t, name).Paths {
			for method, operation := range operations {
				key := method + " " + path
				call := clientCalls[key]
				if call == nil && len(operation.Responses) > 0 && leftOut[key] == "" {
					t.Errorf("%s: the client has no %s", name, key)
				}
				for status, response := range operation.Responses {
					if call == nil {
						continue
					}
					code, err := strconv.Atoi(status)
					if err != nil {
						t.Fatal(err)
					}
					t.Run(strings.Join([]string{name, key, status}, " "), func(t *testing.T) {
						checkStatus(t, key, code, call)
						for contentType, example := range response.Examples {
							checkAnswer(t, key, code, contentType, example, call)
						}
					})
				}
			}
		}
	}
}

// checkStatus checks that a status without a body is told.
func checkStatus(t *testing.T, key string, status int, call func(context.Context, *Client) (*Download, error)) {
	t.Helper()
	if isSuccess(status) {
		return
	}
	_, err := call(testContext(t), serve(t, answer(status, "", "")))
	if isDeleted(key, status) {
		if err != nil {
			t.Errorf("got %v", err)
		}
		return
	}
	if !hasStatus(err, status) {
		t.Errorf("got %v", err)
	}
}

// isDeleted reports whether a status means that there is nothing to delete any more.
func isDeleted(key string, status int) bool {
	return strings.HasPrefix(key, "delete ") && (status == http.StatusNotFound || status == http.StatusGone)
}

func checkAnswer(t *testing.T, key string, status int, contentType string, example any, call func(context.Context, *Client) (*Download, error)) {
	t.Helper()
	body, isText := example.(string)
	if !isText {
		body = string(asJSON(t, example))
	}
	got, err := call(testContext(t), serve(t, answer(status, contentType, body)))
	if isSuccess(status) || isDeleted(key, status) {
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if got != nil {
			assertDocument(t, got, body)
		}
		return
	}
	var failure *Error
	if !errors.As(err, &failure) {
		t.Fatalf("%s: got %v", body, err)
	}
	members, _ := example.(map[string]any)
	detail, _ := members["detail"].(string)
	if failure.StatusCode != status || failure.Code != members["code"] || failure.Reason != members["error"] || failure.Detail != detail {
		t.Errorf("%s: got %+v", body, failure)
	}
}

func assertDocument(t *testing.T, download *Download, want string) {
	t.Helper()
	defer func() { _ = download.Body.Close() }()
	got, err := io.ReadAll(download.Body)
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// jobDefinitions are the definitions whose examples are jobs, and where in them.
var jobDefinitions = map[string]func(map[string]any) any{
	"CreateJobResponse":    func(example map[string]any) any { return example },
	"RetrieveJobResponse":  func(example map[string]any) any { return example["job"] },
	"DeleteJobResponse":    func(example map[string]any) any { return example["job"] },
	"RetrieveJobsResponse": func(example map[string]any) any { return example["jobs"].([]any)[0] },
}

// configDefinitions are the definitions whose examples are part of a configuration, and what reads them.
var configDefinitions = map[string]func() any{
	"TrackingData":        func() any { return &Tracking{} },
	"TranscriptionConfig": func() any { return &TranscriptionConfig{} },
	"AlignmentConfig":     func() any { return &AlignmentConfig{} },
	"NotificationConfig":  func() any { return &[]NotificationConfig{} },
}

// transcriptDefinitions are the definitions whose examples are part of a transcript, which this package passes on unread.
var transcriptDefinitions = []string{
	"RecognitionResult", "SummarizationResult", "SentimentAnalysisResult", "TopicDetectionResult", "AutoChaptersResult",
	"LanguageIdentificationResult",
}

// Every definition's example is read: jobs with all that is known about them, configurations without losing anything.
func TestSpecificationExamples(t *testing.T) {
	for _, name := range specifications {
		for definition, content := range readSpecification(t, name).Definitions {
			if content.Example == nil {
				continue
			}
			t.Run(name+" "+definition, func(t *testing.T) {
				switch {
				case jobDefinitions[definition] != nil:
					checkJobExample(t, definition, content.Example.(map[string]any))
				case configDefinitions[definition] != nil:
					assertRoundTrip(t, asJSON(t, content.Example), configDefinitions[definition]())
				case !slices.Contains(transcriptDefinitions, definition):
					t.Error("nothing reads this example")
				}
			})
		}
	}
}

// checkJobExample compares a job with what the example says, at whatever place that is.
func checkJobExample(t *testing.T, definition string, example map[string]any) {
	t.Helper()
	var got Job
	if definition == "RetrieveJobsResponse" {
		c := serve(t, answer(http.StatusOK, "application/json", string(asJSON(t, example))))
		for job, err := range c.ListJobs(testContext(t), ListOptions{PageSize: 100}) {
			if err != nil {
				t.Fatal(err)
			}
			got = *job
			break
		}
	} else if err := json.Unmarshal(asJSON(t, example), &got); err != nil {
		t.Fatal(err)
	}
	said := jobDefinitions[definition](example).(map[string]any)
	checks := map[string]any{
		"id": got.ID, "status": string(got.Status), "data_name": got.DataName, "type": got.Type, "text_name": got.TextName,
		"duration": int(got.Duration / time.Second),
	}
	if created, ok := said["created_at"].(string); ok && got.CreatedAt.Format("2006-01-02T15:04:05.999999Z") != created {
		t.Errorf("created at %s: got %s", created, got.CreatedAt)
	}
	for member, value := range checks {
		if want, ok := said[member]; ok && want != value {
			t.Errorf("%s: got %v, want %v", member, value, want)
		}
	}
	if tracking, ok := said["tracking"].(map[string]any); ok {
		want := &Tracking{Title: tracking["title"].(string), Reference: tracking["reference"].(string)}
		if got.Tracking == nil || got.Tracking.Title != want.Title || got.Tracking.Reference != want.Reference || len(got.Tracking.Details) == 0 {
			t.Errorf("got the tracking data %+v", got.Tracking)
		}
	}
	for _, section := range []string{"transcription_config", "alignment_config"} {
		if config, ok := said[section].(map[string]any); ok && got.Language != config["language"] {
			t.Errorf("got the language %q", got.Language)
		}
	}
}

// assertRoundTrip checks that a document, read into a value and written again, says the same.
func assertRoundTrip(t *testing.T, document []byte, value any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		t.Fatal(err)
	}
	written, err := marshalPlain(value)
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := errors.Join(json.Unmarshal(document, &want), json.Unmarshal(written, &got)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The configurations of jobs can be read back, with JobDocument, as they were submitted.
func TestSampleConfigurations(t *testing.T) {
	for _, name := range []string{"job-done-fetch.json", "job-fetch-failure.json", "job-notification-failure.json"} {
		t.Run(name, func(t *testing.T) {
			sample := string(readSample(t, name))
			document, err := serve(t, answer(http.StatusOK, "application/json", sample)).JobDocument(testContext(t), "a")
			if err != nil {
				t.Fatal(err)
			}
			var job struct {
				Job struct {
					Config json.RawMessage `json:"config"`
				} `json:"job"`
			}
			if err := json.Unmarshal(document, &job); err != nil {
				t.Fatal(err)
			}
			assertRoundTrip(t, job.Job.Config, &JobConfig{})
		})
	}
}

// Transcripts are passed on byte for byte, and are found in the answer of a submission that waits.
func TestSampleTranscripts(t *testing.T) {
	for _, name := range []string{"transcript-json-v2-2.8.json", "transcript-json-v2-2.9.json"} {
		t.Run(name, func(t *testing.T) {
			sample := string(readSample(t, name))
			const contentType = "application/vnd.speechmatics.v2+json"
			download, err := serve(t, answer(http.StatusOK, contentType, sample)).Transcript(testContext(t), "a", FormatJSONv2)
			if err != nil {
				t.Fatal(err)
			}
			assertDocument(t, download, sample)
			submission := upload100(100)
			submission.Wait = time.Minute
			created, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				answer(http.StatusCreated, contentType, `{"id":"a","status":"done","json-v2":`+sample+`}`)(w, r)
			}).CreateJob(testContext(t), submission)
			if err != nil || string(created.Transcript) != strings.TrimSpace(sample) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The lists of what is left out hold nothing that a specification does not have.
func TestReasonedLists(t *testing.T) {
	for _, list := range [][]string{slices.Collect(maps.Keys(leftOut)), transcriptDefinitions} {
		found := map[string]bool{}
		for _, name := range specifications {
			spec := readSpecification(t, name)
			for path, operations := range spec.Paths {
				for method := range operations {
					found[method+" "+path] = true
				}
			}
			for definition, content := range spec.Definitions {
				found[definition] = content.Example != nil || found[definition]
			}
		}
		for _, item := range list {
			if !found[item] {
				t.Errorf("%s is in no specification any more", item)
			}
		}
	}
}
