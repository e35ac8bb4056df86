// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// rejected is a scope of a recorded job, and what the provider says of it.
func rejected(outcome v1alpha1.NotificationOutcome, messages ...string) (*scope, *speechmatics.Job) {
	job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "job", UID: "22222222-2222-2222-2222-222222222222"}}
	job.Status.Attempt = ptr.To(int32(1))
	job.Status.RemoteJob = &v1alpha1.RemoteJob{ID: ptr.To("remote1")}
	if outcome != "" {
		job.Status.Notification = &v1alpha1.Notification{JobID: "remote1", Attempt: 1, Outcome: outcome}
	}
	remote := &speechmatics.Job{ID: "remote1", Status: speechmatics.JobRejected}
	for _, message := range messages {
		remote.Errors = append(remote.Errors, speechmatics.JobError{Message: message})
	}
	return newScope(job, Options{}.withDefaults()), remote
}

// TestRejection gives the messages of rejected jobs, as the provider is known to word and to order them.
func TestRejection(t *testing.T) {
	t.Parallel()
	fetch := "unable to fetch audio: http status code 404"
	undelivered := []string{
		`Error in sending notification: unable to send notification: HTTPError: Post "https://a.example": context deadline exceeded, retrying`,
		"unable to send notification: unable to send notification: Response status: 500",
		"Sending notification failed",
	}
	for name, c := range map[string]struct {
		outcome   v1alpha1.NotificationOutcome
		messages  []string
		reason    string
		retryable bool
		says      string
	}{
		"fetch":                      {"", []string{fetch, fetch, fetch, fetch}, v1alpha1.ReasonMediaFetchFailed, true, fetch},
		"fetch in other words":       {"", []string{"Audio fetch error, http status 418"}, v1alpha1.ReasonMediaFetchFailed, true, "418"},
		"fetched at last, and bad":   {"", []string{fetch, "Job rejected due to invalid audio"}, v1alpha1.ReasonRejected, false, "invalid audio"},
		"fetch, then nothing more":   {"", []string{fetch, "Job rejected."}, v1alpha1.ReasonMediaFetchFailed, true, fetch},
		"unexpected language":        {"", []string{"The identified language 'en' is not one of the expected languages"}, v1alpha1.ReasonRejected, false, "'en'"},
		"no speech":                  {"", []string{"No speech found for language identification"}, v1alpha1.ReasonRejected, false, "No speech"},
		"unsure of the language":     {"", []string{"Language identification could not identify any language with sufficient confidence"}, v1alpha1.ReasonRejected, false, "confidence"},
		"unsupported language":       {"", []string{"The identified language 'uz' is not supported for transcription"}, v1alpha1.ReasonRejected, false, "'uz'"},
		"identification fails":       {"", []string{"Language identification failed"}, v1alpha1.ReasonRejected, true, "may pass"},
		"service's own trouble":      {"", []string{"Internal Server Error"}, v1alpha1.ReasonRejected, true, "may pass"},
		"unknown words":              {"", []string{fetch, "The moon is in the wrong phase"}, v1alpha1.ReasonRejected, false, "moon"},
		"no words":                   {"", nil, v1alpha1.ReasonRejected, false, "no reason"},
		"empty words":                {"", []string{"Job rejected"}, v1alpha1.ReasonRejected, false, "Job rejected"},
		"outcome fetch_error":        {v1alpha1.OutcomeFetchError, []string{"the connection was refused"}, v1alpha1.ReasonMediaFetchFailed, true, "refused"},
		"outcome fetch_error, alone": {v1alpha1.OutcomeFetchError, nil, v1alpha1.ReasonMediaFetchFailed, true, "no reason"},
		"outcome trim_error":         {v1alpha1.OutcomeTrimError, []string{fetch}, v1alpha1.ReasonRejected, false, "rejected"},
		"outcome error":              {v1alpha1.OutcomeError, []string{fetch}, v1alpha1.ReasonMediaFetchFailed, true, fetch},
		"outcome nobody knows":       {"melted", []string{"Job rejected due to invalid audio"}, v1alpha1.ReasonRejected, false, "invalid audio"},
		"notifications failed, too":  {"", append([]string{"Job rejected due to invalid audio"}, undelivered...), v1alpha1.ReasonRejected, false, "invalid audio"},
		"fetch, notifications, too":  {"", append([]string{fetch}, undelivered...), v1alpha1.ReasonMediaFetchFailed, true, fetch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, remote := rejected(c.outcome, c.messages...)
			f := s.rejection(remote)
			if f.reason != c.reason || f.retryable != c.retryable {
				t.Errorf("%s, retryable %v; want %s, %v", f.reason, f.retryable, c.reason, c.retryable)
			}
			if said := s.failAttempt(f).message; !strings.Contains(said, c.says) {
				t.Errorf("the message %q does not say %q", said, c.says)
			}
		})
	}
}

// TestRejections_reachable checks that no rule is hidden by one before it, and that each is what its own words lead to.
func TestRejections_reachable(t *testing.T) {
	t.Parallel()
	for _, rule := range rejectionRules {
		if rule.text != strings.ToLower(rule.text) {
			t.Errorf("%q is not in lower case and can match nothing", rule.text)
		}
		if got := ruleFor("Job 1: " + strings.ToUpper(rule.text) + "."); got != rule {
			t.Errorf("%q leads to the rule for %q", rule.text, got.text)
		}
	}
}

// TestRejections_documented holds the tables of docs/jobs.md to the rules, in both directions.
func TestRejections_documented(t *testing.T) {
	t.Parallel()
	row := func(key string, rule rejectionRule) []string {
		return []string{key, rule.reason, map[bool]string{true: "yes", false: "no"}[rule.retryable]}
	}
	firstThree := func(rows [][]string) [][]string {
		for i, cells := range rows {
			if len(cells) != 4 || cells[3] == "" {
				t.Errorf("the row %q does not say why", cells)
			}
			rows[i] = cells[:3]
		}
		return rows
	}
	var want [][]string
	for _, rule := range rejectionRules {
		want = append(want, row(rule.text, rule))
	}
	want = append(want, row("anything else, or nothing", ruleFor("")))
	if diff := cmp.Diff(want, firstThree(testenv.Table(t, "docs/jobs.md", "| the message contains | reason | another attempt | because |"))); diff != "" {
		t.Errorf("docs/jobs.md, messages (-want +got):\n%s", diff)
	}
	want = nil
	for outcome, rule := range outcomeRules {
		want = append(want, row(string(outcome), rule))
	}
	slices.SortFunc(want, slices.Compare)
	if diff := cmp.Diff(want, firstThree(testenv.Table(t, "docs/jobs.md", "| `status` of the notification | reason | another attempt | because |"))); diff != "" {
		t.Errorf("docs/jobs.md, outcomes (-want +got):\n%s", diff)
	}
}

// TestRefusals_documented answers submissions with every error there is. What follows from those that mean "not created" is what
// docs/jobs.md says.
func TestRefusals_documented(t *testing.T) {
	t.Parallel()
	var code int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"code":%d,"error":"Job rejected"}`, code)
	}))
	t.Cleanup(server.Close)
	c, err := speechmatics.New(server.URL+"/v2", speechmatics.WithAPIKey(apiKey))
	if err != nil {
		t.Fatal(err)
	}
	options := Options{}.withDefaults()
	r := &JobReconciler{providers: newProviders(nil, options), options: options}
	p := testProvider()
	p.limits = newLimits(options, nil)
	s, _ := rejected("")
	var got [][]string
	for code = http.StatusBadRequest; code < 600; code++ {
		_, err := c.CreateJob(t.Context(), speechmatics.CreateJobRequest{ConfigJSON: []byte(`{"type":"transcription","fetch_data":{"url":"https://a.example/a"},"transcription_config":{"language":"en"}}`)})
		if !speechmatics.NotCreated(err) {
			continue
		}
		v, err := s.judge(verdict{}, r.refusal(s, p, err))
		if err != nil {
			t.Fatalf("%d: %v", code, err)
		}
		got = append(got, []string{strconv.Itoa(code), v.reason, map[ending]string{unfinished: "waits", failed: "failed"}[v.ending]})
	}
	if diff := cmp.Diff(testenv.Table(t, "docs/jobs.md", "| answer | reason | what follows |"), got); diff != "" {
		t.Errorf("what follows (-docs/jobs.md +is):\n%s", diff)
	}
}
