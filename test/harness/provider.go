// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"

	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// Provider orders what happens at the simulator, and asks what has happened. It talks to it directly, past all proxies.
type Provider struct {
	url    string
	apiKey string
}

// NewProvider is the provider at an address, as a customer with an API key sees it.
func NewProvider(address, apiKey string) *Provider { return &Provider{url: address, apiKey: apiKey} }

// Ledger is every job that was ever accepted, oldest first.
func (p *Provider) Ledger(ctx context.Context) ([]simulator.LedgerEntry, error) {
	var ledger []simulator.LedgerEntry
	return ledger, p.admin(ctx, http.MethodGet, "/admin/ledger", nil, &ledger)
}

// Jobs are all jobs that there are, also those that were deleted.
func (p *Provider) Jobs(ctx context.Context) ([]simulator.JobState, error) {
	var jobs []simulator.JobState
	return jobs, p.admin(ctx, http.MethodGet, "/admin/jobs", nil, &jobs)
}

// SetFaults replaces the faults in force; none ends them.
func (p *Provider) SetFaults(ctx context.Context, faults ...simulator.Fault) error {
	if faults == nil {
		faults = []simulator.Fault{}
	}
	return p.admin(ctx, http.MethodPut, "/admin/faults", faults, nil)
}

// FaultsHappened is how often each of the faults in force has happened.
func (p *Provider) FaultsHappened(ctx context.Context) ([]int, error) {
	var each []int
	return each, p.admin(ctx, http.MethodGet, "/admin/faults/happened", nil, &each)
}

// Requests are how many requests were answered so far.
func (p *Provider) Requests(ctx context.Context) (simulator.RequestCounts, error) {
	var counts simulator.RequestCounts
	return counts, p.admin(ctx, http.MethodGet, "/admin/requests", nil, &counts)
}

// SetBehaviour replaces what is in force where the documentation is silent.
func (p *Provider) SetBehaviour(ctx context.Context, behaviour simulator.Behaviour) error {
	return p.admin(ctx, http.MethodPut, "/admin/behaviour", behaviour, nil)
}

// Do sends an admin request without a body, such as POST /admin/jobs/ID/expire.
func (p *Provider) Do(ctx context.Context, method, path string) error {
	return p.admin(ctx, method, path, nil, nil)
}

// Submit submits a job of a recording at a URL, with a reference, as somebody does who repeats a request of a manager.
func (p *Provider) Submit(ctx context.Context, mediaURL, reference string) error {
	config, err := json.Marshal(map[string]any{
		"type": "transcription", "transcription_config": map[string]string{"language": "en"},
		"fetch_data": map[string]string{"url": mediaURL}, "tracking": map[string]string{"reference": reference},
	})
	if err != nil {
		return err
	}
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	if err := errors.Join(writer.WriteField("config", string(config)), writer.Close()); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v2/jobs/", &form)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", writer.FormDataContentType())
	request.Header.Set("Authorization", "Bearer "+p.apiKey)
	_, err = p.send(request)
	return err
}

// Job is a job as the provider tells of it to who has its key, with all that was submitted.
type Job struct {
	ID        string `json:"id"`
	CreatedAt string `json:"created_at"`
	Config    struct {
		Notifications []struct {
			URL         string   `json:"url"`
			AuthHeaders []string `json:"auth_headers"`
		} `json:"notification_config"`
	} `json:"config"`
}

// JobsPage is a page of the list of jobs, newest first, from the newest one or from before a time.
func (p *Provider) JobsPage(ctx context.Context, createdBefore string) ([]Job, error) {
	query := url.Values{"include_deleted": {"true"}}
	if createdBefore != "" {
		query.Set("created_before", createdBefore)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/v2/jobs?"+query.Encode(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+p.apiKey)
	answer, err := p.send(request)
	if err != nil {
		return nil, err
	}
	var page struct {
		Jobs []Job `json:"jobs"`
	}
	if err := json.Unmarshal(answer, &page); err != nil {
		return nil, fmt.Errorf("cannot understand the simulator's list of jobs: %w", err)
	}
	return page.Jobs, nil
}

// Transcript is what the provider serves of a job that is done, or served before the job was deleted or had expired.
func (p *Provider) Transcript(ctx context.Context, id, format string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/admin/jobs/"+url.PathEscape(id)+"/transcript?format="+url.QueryEscape(format), http.NoBody)
	if err != nil {
		return nil, err
	}
	return p.send(request)
}

// admin sends a request to an admin endpoint, and reads the answer into what is given, unless that is nil.
func (p *Provider) admin(ctx context.Context, method, path string, body, into any) error {
	var content bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&content).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, p.url+path, &content)
	if err != nil {
		return err
	}
	answer, err := p.send(request)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("cannot understand what the simulator answers to %s %s: %w", method, path, err)
	}
	return nil
}

func (p *Provider) send(request *http.Request) ([]byte, error) {
	response, err := localClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the simulator: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("cannot read what the simulator answers: %w", err)
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the simulator answers %d to %s %s: %.200s", response.StatusCode, request.Method, request.URL.Path, answer)
	}
	return answer, nil
}
