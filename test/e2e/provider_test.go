// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

const (
	providerURL = "http://simulator.provider.svc.cluster.local"
	// recording is the one that most jobs transcribe, and recordingWords what is said in it.
	recording      = "greeting.ogg"
	recordingWords = "greeting.txt"
)

// provider is the simulator, asked and ordered past the operator.
type provider struct {
	*harness.Provider
}

// startProvider starts the simulator, with the samples' recordings to fetch.
func startProvider(t *testing.T, c *cluster) {
	c.createNamespace(t, userNamespace)
	manifests := c.build(t, "provider")
	// Pods do not start before their Secrets and ConfigMaps are there, so that the order does not matter.
	c.apply(t, manifests)
	c.createSecret(t, providerNamespace, "api-key", map[string]string{"apiKey": c.newSecret("API key")})
	must(t, c.client.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: providerNamespace, Name: "media"},
		BinaryData: map[string][]byte{recording: media(t, recording), recordingWords: media(t, recordingWords)},
	}))
	c.rolledOut(t, providerNamespace, "simulator")
	c.prepareUser(t)
}

// media is one of the samples' recordings, or what is said in it.
func media(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(harness.Root(), "config", "samples", "media", name))
	must(t, err)
	return content
}

// withProvider reaches the simulator until the test ends.
func (c *cluster) withProvider(t *testing.T) *provider {
	t.Helper()
	address := c.forward(t, providerNamespace, "service/simulator", "80")
	return &provider{harness.NewProvider("http://"+address, c.secrets["API key"])}
}

// ledger is every job that the provider has ever accepted.
func (p *provider) ledger(t *testing.T) []simulator.LedgerEntry {
	t.Helper()
	var entries []simulator.LedgerEntry
	eventually(t, "the provider's ledger is read", func(ctx context.Context) (err error) { // a forwarded connection may get stuck
		entries, err = p.Ledger(ctx)
		return err
	})
	return entries
}

// submissions are the jobs that the provider has ever accepted for each object.
func (p *provider) submissions(t *testing.T) map[types.UID][]simulator.LedgerEntry {
	t.Helper()
	submissions := map[types.UID][]simulator.LedgerEntry{}
	for _, entry := range p.ledger(t) {
		reference, err := notification.ParseReference(entry.Reference)
		if err != nil {
			t.Errorf("the provider has job %s that nobody could tell the object of: %v", entry.JobID, err)
			continue
		}
		submissions[reference.UID] = append(submissions[reference.UID], entry)
	}
	return submissions
}

// fullPage is how many jobs a page of the list has, unless it is the last one.
const fullPage = 100

// tokens are the tokens that the operator has given the provider, for the jobs that the provider still tells of, each with what it is good for.
func (p *provider) tokens(ctx context.Context) (map[string]notification.Target, error) {
	tokens := map[string]notification.Target{}
	for before := ""; ; {
		jobs, err := p.JobsPage(ctx, before)
		if err != nil {
			return tokens, err
		}
		for i := range jobs {
			before = jobs[i].CreatedAt
			for _, to := range jobs[i].Config.Notifications {
				if err := addTokens(tokens, to.URL, to.AuthHeaders); err != nil {
					return tokens, err
				}
			}
		}
		if len(jobs) < fullPage {
			return tokens, nil
		}
	}
}

// addTokens adds the tokens with which a notification is sent.
func addTokens(tokens map[string]notification.Target, address string, headers []string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	target, err := notification.ParsePath(u.EscapedPath())
	if err != nil {
		return err
	}
	for _, header := range headers {
		token, err := notification.ParseAuthorization(strings.TrimPrefix(header, "Authorization: "))
		if err != nil {
			return err
		}
		tokens[token] = target
	}
	return nil
}

// attempt is one try of the provider's to notify, and what came of it: nothing, if it was received.
type attempt struct {
	jobID, failure string
}

// refusedForNow means that the receiver has asked to come again.
func (a attempt) refusedForNow() bool { return strings.Contains(a.failure, "Response status: 503") }

var attemptPattern = regexp.MustCompile(`(?m)^.* msg=notification job=(\S+) .* attempt=[0-9]+ error=("(?:[^"\\]|\\.)*"|\S*)$`)

// notificationAttempts are all such tries, by the provider's log.
func (c *cluster) notificationAttempts() []attempt {
	var attempts []attempt
	for _, found := range attemptPattern.FindAllStringSubmatch(c.record.logsOf(providerNamespace+"/simulator-"), -1) {
		failure := found[2]
		if failure == `""` {
			failure = ""
		}
		attempts = append(attempts, attempt{found[1], failure})
	}
	return attempts
}
