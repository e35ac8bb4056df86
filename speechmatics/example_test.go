// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing/fstest"
	"time"

	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// provider stands in for the real one, whose base URL is https://eu1.asr.api.speechmatics.com/v2 for example.
func provider(options simulator.Options) (baseURL string, stop func()) {
	options.APIKeys = []string{"a-key-of-the-portal"}
	options.Speed = 1000
	options.Transcripts = fstest.MapFS{"hello.txt": {Data: []byte("S1: Hello, world.")}}
	server := simulator.New(options)
	api := httptest.NewServer(server)
	return api.URL + "/v2", func() {
		api.Close()
		_ = server.Close(context.Background())
	}
}

// answering stands in for a provider that always says the same.
func answering(status int, body string) (baseURL string, stop func()) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	return api.URL + "/v2", api.Close
}

// recording returns two seconds of silence; what is said in it, in these examples, is for the provider's stand-in to know.
func recording() *speechmatics.Media {
	const rate, seconds = 8000, 2
	header := "RIFF\xa4\x7d\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x7d\x00\x00"
	content := strings.NewReader(header + strings.Repeat("\x00", 2*rate*seconds))
	return &speechmatics.Media{Name: "hello.wav", Reader: content, Size: content.Size()}
}

var english = speechmatics.JobConfig{
	Type:                speechmatics.JobTranscription,
	TranscriptionConfig: &speechmatics.TranscriptionConfig{Language: "en"},
	Tracking:            &speechmatics.Tracking{Reference: "order-7"},
}

// Submit a recording, follow the job until it has ended, read its transcript.
func Example() {
	baseURL, stop := provider(simulator.Options{})
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client, err := speechmatics.New(baseURL, speechmatics.WithAPIKey("a-key-of-the-portal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	created, err := client.CreateJob(ctx, speechmatics.CreateJobRequest{Config: english, Media: recording()})
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err := follow(ctx, client, created.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.Status, job.Duration, job.Tracking.Reference)
	transcript, err := client.Transcript(ctx, job.ID, speechmatics.FormatText)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = transcript.Body.Close() }()
	_, _ = io.Copy(os.Stdout, transcript.Body)
	// Output:
	// done 2s order-7
	// Hello, world.
}

// follow asks about a job until it has ended. The hosted service holds each answer back until then, or for half a minute; backends that
// do not know that are asked every few seconds. A program with many jobs lists them instead, or has itself notified.
func follow(ctx context.Context, client *speechmatics.Client, id string) (*speechmatics.Job, error) {
	var wait []speechmatics.ReadOption
	pause := time.NewTicker(3 * time.Second)
	defer pause.Stop()
	if client.Backend().Capabilities().KnowsWait {
		wait = append(wait, speechmatics.Wait(30*time.Second))
		pause.Reset(time.Second)
	}
	for {
		job, err := client.GetJob(ctx, id, wait...)
		if err != nil || job.Status.Terminal() {
			return job, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-pause.C:
		}
	}
}

// Have the provider fetch the media, and call back when the job has ended.
func ExampleClient_CreateJob_url() {
	baseURL, stop := answering(http.StatusCreated, `{"id":"z2jfp1jwu1"}`)
	defer stop()
	client, err := speechmatics.New(baseURL, speechmatics.WithAPIKey("a-key-of-the-portal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	created, err := client.CreateJob(context.Background(), speechmatics.CreateJobRequest{
		Config: speechmatics.JobConfig{
			Type: speechmatics.JobTranscription,
			FetchData: &speechmatics.FetchData{
				URL:         "https://media.example.com/interview.mp3",
				AuthHeaders: []string{"Authorization: Bearer a-token-for-the-media"},
			},
			TranscriptionConfig: &speechmatics.TranscriptionConfig{Language: "de", Diarization: "speaker"},
			NotificationConfig: []speechmatics.NotificationConfig{{
				URL:         "https://example.com/finished",
				Contents:    []string{"jobinfo", "transcript.json-v2"},
				AuthHeaders: []string{"Authorization: Bearer a-token-of-my-own"},
			}},
			SummarizationConfig: &speechmatics.SummarizationConfig{}, // its presence is what counts
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(created.ID)
	// Output: z2jfp1jwu1
}

// Have the answer held back until the job has ended, for short recordings.
func ExampleCreateJobRequest_wait() {
	baseURL, stop := provider(simulator.Options{})
	defer stop()
	client, err := speechmatics.New(baseURL, speechmatics.WithAPIKey("a-key-of-the-portal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	created, err := client.CreateJob(context.Background(), speechmatics.CreateJobRequest{
		Config: english, Media: recording(),
		Wait: 20 * time.Second, WaitFormat: speechmatics.FormatText,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if created.Transcript == nil { // it may be, also for a job that is done: ask as in the example of the package
		fmt.Println(created.Status)
		return
	}
	fmt.Println(created.Status, strings.TrimSpace(string(created.Transcript)))
	// Output: done Hello, world.
}

// Look at what is there, newest first. Pages are asked for as they are needed.
func ExampleClient_ListJobs() {
	baseURL, stop := provider(simulator.Options{})
	defer stop()
	ctx := context.Background()
	client, err := speechmatics.New(baseURL, speechmatics.WithAPIKey("a-key-of-the-portal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	for _, reference := range []string{"order-7", "order-8", "order-9"} {
		config := english
		config.Tracking = &speechmatics.Tracking{Reference: reference}
		_, err := client.CreateJob(ctx, speechmatics.CreateJobRequest{Config: config, Media: recording(), Wait: 20 * time.Second})
		if err != nil {
			fmt.Println(err)
			return
		}
	}

	jobs := client.ListJobs(ctx, speechmatics.ListOptions{CreatedAfter: time.Now().Add(-time.Hour)})
	for job, err := range jobs {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(job.Tracking.Reference, job.DataName, job.Status)
		if job.Tracking.Reference == "order-8" {
			break // nothing more is asked for
		}
	}
	// Output:
	// order-9 hello.wav done
	// order-8 hello.wav done
}

// After a submission whose outcome is unknown: look for the job before submitting again.
func ExampleClient_FindSubmissions() {
	lost := simulator.Fault{Kind: simulator.FaultResponseLost, Operation: "create", Count: 1}
	baseURL, stop := provider(simulator.Options{Faults: []simulator.Fault{lost}})
	defer stop()
	ctx := context.Background()
	client, err := speechmatics.New(baseURL, speechmatics.WithAPIKey("a-key-of-the-portal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	const clockSkew = time.Minute
	began := time.Now()
	_, err = client.CreateJob(ctx, speechmatics.CreateJobRequest{Config: english, Media: recording()})
	if err == nil || speechmatics.NotCreated(err) {
		fmt.Println("this example is about an answer that was lost")
		return
	}
	found, err := client.FindSubmissions(ctx, speechmatics.SubmissionQuery{
		Reference: "order-7", // which must be another one for each submission
		Since:     began.Add(-clockSkew),
		BeforeRequest: func(ctx context.Context, _ string) error {
			return ctx.Err() // the place to wait for one's turn
		},
	})
	switch {
	case err != nil:
		fmt.Println(err)
		return
	case len(found.Jobs) > 0:
		fmt.Println("it exists:", found.Jobs[0].Tracking.Reference)
	case found.Doubt != "":
		fmt.Println("nobody can tell:", found.Doubt)
	default:
		fmt.Println("it does not exist, or is not listed yet: look again in a minute, then submit again")
	}
	// Output: it exists: order-7
}

// The fence keeps a submission from being completed too late.
func ExampleCreateJobRequest_beforeLastBytes() {
	baseURL, stop := provider(simulator.Options{})
	defer stop()
	client, err := speechmatics.New(baseURL, speechmatics.WithAPIKey("a-key-of-the-portal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	errTooLate := errors.New("the claim has ended")
	claimEnds := time.Now().Add(-time.Second)
	_, err = client.CreateJob(context.Background(), speechmatics.CreateJobRequest{
		Config: english, Media: recording(),
		BeforeLastBytes: func() error {
			if time.Now().After(claimEnds) {
				return errTooLate
			}
			return nil
		},
	})
	fmt.Println(errors.Is(err, errTooLate), speechmatics.NotCreated(err))
	// Output: true true
}

// What has a project used? The numbers are a day late.
func ExampleClient_Usage() {
	baseURL, stop := answering(http.StatusOK, `{"since":"2026-01-01T00:00:00Z","until":"2026-01-31T23:59:59Z",
		"summary":[{"mode":"batch","type":"transcription","count":5,"duration_hrs":1.5}],
		"details":[{"mode":"batch","type":"transcription","language":"sv","model":"standard","count":4,"duration_hrs":1.25},
			{"mode":"batch","type":"transcription","language":"de","model":"enhanced","count":1,"duration_hrs":0.25}]}`)
	defer stop()
	client, err := speechmatics.New(baseURL, speechmatics.WithAPIKey("a-key-of-the-portal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	usage, err := client.Usage(context.Background(), speechmatics.UsageQuery{
		Since: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Until: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, record := range usage.Details {
		fmt.Println(record.Language, record.Model, record.Count, record.Duration)
	}
	// Output:
	// sv standard 4 1h15m0s
	// de enhanced 1 15m0s
}

// Use keys that end by themselves, each for the jobs of one user only.
func ExampleTemporaryKeys() {
	management, stopManagement := answering(http.StatusCreated, `{"apikey_id":null,"key_value":"a-key-of-the-portal"}`)
	defer stopManagement()
	baseURL, stop := provider(simulator.Options{})
	defer stop()

	keys, err := speechmatics.NewTemporaryKeys("a-key-of-the-portal", speechmatics.TemporaryKeysOptions{
		TTL:       time.Hour,
		ClientRef: "user-1234",
		URL:       management, // only for this example: the provider's is the default
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer keys.CloseIdleConnections()
	client, err := speechmatics.New(baseURL, speechmatics.WithKeySource(keys))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	created, err := client.CreateJob(context.Background(), speechmatics.CreateJobRequest{
		Config: english, Media: recording(), Wait: 20 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(created.Status)
	// Output: done
}

// Transcribe on premises, with an HTTP batch worker: no key, no waiting, no deletion, and engines to share.
func ExampleWithBackend() {
	server := simulator.New(simulator.Options{Backend: simulator.BackendWorker, Engines: 8, Speed: 1000})
	api := httptest.NewServer(server)
	defer func() {
		api.Close()
		_ = server.Close(context.Background())
	}()
	ctx := context.Background()

	client, err := speechmatics.New(api.URL+"/v2", speechmatics.WithBackend(speechmatics.Worker)) // http://worker:18000/v2
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	capacity, err := client.WorkerCapacity(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(capacity.UnusedEngines, "engines are free")
	_, err = client.CreateJob(ctx, speechmatics.CreateJobRequest{
		Config: english, Media: recording(),
		ProcessingData: &speechmatics.ProcessingData{ParallelEngines: 9, UserID: "user-1234"},
	})
	fmt.Println(speechmatics.NotCreated(err)) // it was busy, and there is nothing to look for
	err = client.DeleteJob(ctx, "f8a564954b334eecb823", speechmatics.DeleteOptions{})
	fmt.Println(errors.Is(err, errors.ErrUnsupported))
	// Output:
	// 8 engines are free
	// true
	// true
}

// Read the configuration of a job, which Job leaves out because it may hold credentials.
func ExampleClient_JobDocument() {
	baseURL, stop := answering(http.StatusOK, `{"job":{"id":"z2jfp1jwu1","status":"done",
		"config":{"type":"transcription","transcription_config":{"language":"en","model":"enhanced"}}}}`)
	defer stop()
	client, err := speechmatics.New(baseURL, speechmatics.WithAPIKey("a-key-of-the-portal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	document, err := client.JobDocument(context.Background(), "z2jfp1jwu1")
	if err != nil {
		fmt.Println(err)
		return
	}
	var content struct {
		Job struct {
			Config speechmatics.JobConfig `json:"config"`
		} `json:"job"`
	}
	if err := json.Unmarshal(document, &content); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(content.Job.Config.TranscriptionConfig.Model)
	// Output: enhanced
}

// Which languages can be transcribed, and to which can they be translated?
func ExampleClient_Discover() {
	baseURL, stop := answering(http.StatusOK, `{"metadata":{"language_pack_info":{"en":{"language_description":"English"}}},
		"batch":{"transcription":[{"version":"latest","languages":["en"],"locales":{"en":["en-GB","en-US"]}}],
			"translation":[{"version":"latest","languages":{"en":["de","fr"]}}],"languageid":["en"]}}`)
	defer stop()
	client, err := speechmatics.New(baseURL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	features, err := client.Discover(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, code := range features.Transcription[0].Languages {
		fmt.Println(features.Languages[code].Description, features.Transcription[0].Locales[code], features.Translation[0].Languages[code])
	}
	// Output: English [en-GB en-US] [de fr]
}

// Find out when each word of a known text is spoken.
func ExampleClient_Alignment() {
	baseURL, stop := answering(http.StatusOK, "<time=0.41>hello<time=0.76> <time=0.89>world<time=1.18>\n")
	defer stop()
	client, err := speechmatics.New(baseURL, speechmatics.WithAPIKey("a-key-of-the-portal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	// A job of type alignment: CreateJobRequest{Config: JobConfig{Type: JobAlignment, …}, Media: …, Text: …}
	text, err := client.Alignment(context.Background(), "z2jfp1jwu1", speechmatics.TagsWordStartAndEnd)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = text.Body.Close() }()
	_, _ = io.Copy(os.Stdout, text.Body)
	// Output: <time=0.41>hello<time=0.76> <time=0.89>world<time=1.18>
}
