// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

const (
	mediaName   = "media"
	volumeClaim = "transcripts"
	// readerName is a pod that serves what is on the volume.
	readerName = "volume-reader"
)

// The sources of media.
func fromURL(spec *v1alpha1.TranscriptionJobSpec) {
	spec.Media.URL = ptr.To(providerURL + "/media/" + recording)
}

func fromURLInSecret(spec *v1alpha1.TranscriptionJobSpec) {
	spec.Media.URLFrom = &v1alpha1.SecretSource{SecretKeyRef: v1alpha1.ObjectKeyReference{Name: mediaName, Key: "url"}}
}

func fromURLWithHeaders(spec *v1alpha1.TranscriptionJobSpec) {
	fromURL(spec)
	spec.Media.AuthHeadersFrom = &v1alpha1.SecretSource{SecretKeyRef: v1alpha1.ObjectKeyReference{Name: mediaName, Key: "headers"}}
}

// fromNowhere is a signed URL that leads nowhere: what goes wrong tells secrets most easily.
func fromNowhere(spec *v1alpha1.TranscriptionJobSpec) {
	spec.Media.URLFrom = &v1alpha1.SecretSource{SecretKeyRef: v1alpha1.ObjectKeyReference{Name: mediaName, Key: "nowhere"}}
	spec.BackoffLimit = ptr.To[int32](0)
}

func fromConfigMap(spec *v1alpha1.TranscriptionJobSpec) {
	spec.Media.ConfigMap = &v1alpha1.ObjectKeyReference{Name: mediaName, Key: recording}
}

func fromSecret(spec *v1alpha1.TranscriptionJobSpec) {
	spec.Media.Secret = &v1alpha1.ObjectKeyReference{Name: mediaName, Key: recording}
}

// The stores of transcripts.
func toConfigMap(spec *v1alpha1.TranscriptionJobSpec) {
	spec.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{RetentionPolicy: ptr.To(v1alpha1.RetentionDelete)}
}

func toKeptConfigMap(spec *v1alpha1.TranscriptionJobSpec) {
	spec.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{RetentionPolicy: ptr.To(v1alpha1.RetentionRetain)}
}

func toVolume(spec *v1alpha1.TranscriptionJobSpec) {
	spec.Transcripts.PersistentVolumeClaim = &v1alpha1.PersistentVolumeClaimStore{ClaimName: volumeClaim}
}

type option = func(*v1alpha1.TranscriptionJobSpec)

// kinds of jobs, of which each source and each store is in some.
var kinds = [][]option{{fromURL, toVolume}, {fromConfigMap, toConfigMap}, {fromURLInSecret, toConfigMap}, {fromSecret, toVolume}}

// prepareUser gives the users' namespace what its jobs need: an account, and recordings.
func (c *cluster) prepareUser(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	c.createSecret(t, userNamespace, "speechmatics", map[string]string{"apiKey": c.secrets["API key"]})
	must(t, c.client.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: userNamespace, Name: mediaName},
		BinaryData: map[string][]byte{recording: media(t, recording)},
	}))
	must(t, c.client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: userNamespace, Name: mediaName}, Type: v1alpha1.MediaSecretType,
		Data: map[string][]byte{
			recording: media(t, recording),
			"url":     []byte(providerURL + "/media/" + recording + "?signature=" + c.newSecret("signature of the URL")),
			"nowhere": []byte(providerURL + "/media/nothing.ogg?signature=" + c.newSecret("signature of the URL that leads nowhere")),
			"headers": []byte("X-Key: " + c.newSecret("header of the URL")),
		},
	}))
}

// createAccount makes the account that jobs use which name none.
func (c *cluster) createAccount(t *testing.T) {
	t.Helper()
	must(t, c.client.Create(t.Context(), &v1alpha1.SpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: userNamespace, Name: "default"},
		Spec: v1alpha1.SpeechmaticsAccountSpec{
			BaseURL:         ptr.To(providerURL + "/v2"),
			APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics"},
		},
	}))
	c.kubectl(t, "-n", userNamespace, "wait", "--for=condition=Ready", "speechmaticsaccount/default", "--timeout="+patience.String())
}

// create creates a job.
func (c *cluster) create(t *testing.T, options ...option) *v1alpha1.TranscriptionJob {
	t.Helper()
	return c.createIn(t, userNamespace, options...)
}

// createIn creates a job in a namespace.
func (c *cluster) createIn(t *testing.T, namespace string, options ...option) *v1alpha1.TranscriptionJob {
	t.Helper()
	c.jobs++
	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("job-%d", c.jobs)},
		Spec:       v1alpha1.TranscriptionJobSpec{Transcription: v1alpha1.TranscriptionConfig{Language: "en"}},
	}
	for _, option := range options {
		option(&job.Spec)
	}
	must(t, c.client.Create(t.Context(), job))
	return job
}

// createAFew creates jobs of all kinds.
func (c *cluster) createAFew(t *testing.T, n int) []*v1alpha1.TranscriptionJob {
	t.Helper()
	var created []*v1alpha1.TranscriptionJob
	for i := range n {
		created = append(created, c.create(t, kinds[i%len(kinds)]...))
	}
	return created
}

// createWhile creates jobs of all kinds, one after the other, until what it is given has ended, so that some are in each stage all the time.
func (c *cluster) createWhile(t *testing.T, does func(context.Context) error) []*v1alpha1.TranscriptionJob {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- does(t.Context()) }()
	created := c.createAFew(t, len(kinds))
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			must(t, err)
			return append(created, c.createAFew(t, len(kinds))...) // some that have only just begun
		case <-ticker.C:
			created = append(created, c.create(t, kinds[len(created)%len(kinds)]...))
		}
	}
}

// finished waits until all jobs have finished, and returns them as they are then.
func (c *cluster) finished(t *testing.T, created []*v1alpha1.TranscriptionJob) []*v1alpha1.TranscriptionJob {
	t.Helper()
	jobs := make([]*v1alpha1.TranscriptionJob, len(created))
	eventually(t, "all jobs have finished", func(ctx context.Context) error {
		for i, job := range created {
			jobs[i] = &v1alpha1.TranscriptionJob{}
			if err := c.client.Get(ctx, client.ObjectKeyFromObject(job), jobs[i]); err != nil {
				return err
			}
			if !meta.IsStatusConditionTrue(jobs[i].Status.Conditions, v1alpha1.ConditionFinished) {
				return fmt.Errorf("%s has not: %+v", job.Name, meta.FindStatusCondition(jobs[i].Status.Conditions, v1alpha1.ConditionReady))
			}
		}
		return nil
	})
	return jobs
}

// complete waits until the jobs have finished, and checks that each is complete, was paid for once, and has its transcript where it was to be.
// It returns them as they are then.
func (c *cluster) complete(t *testing.T, p *provider, created []*v1alpha1.TranscriptionJob) []*v1alpha1.TranscriptionJob {
	t.Helper()
	jobs := c.finished(t, created)
	submissions := p.submissions(t)
	c.rememberTokens(t, p)
	for _, job := range jobs {
		if !meta.IsStatusConditionTrue(job.Status.Conditions, v1alpha1.ConditionComplete) {
			t.Errorf("%s is not complete: %+v", job.Name, meta.FindStatusCondition(job.Status.Conditions, v1alpha1.ConditionReady))
		}
		if paid := submissions[job.UID]; len(paid) != 1 {
			t.Errorf("%s was paid for %d times: %+v", job.Name, len(paid), paid)
		}
	}
	c.checkTranscripts(t, jobs)
	return jobs
}

// checkTranscripts checks each job's transcript.
func (c *cluster) checkTranscripts(t *testing.T, jobs []*v1alpha1.TranscriptionJob) {
	t.Helper()
	volume := c.volume(t)
	for _, job := range jobs {
		if err := c.checkTranscript(t.Context(), job, volume, string(media(t, recordingWords))); err != nil {
			t.Errorf("%s: %v", job.Name, err)
		}
	}
}

// volume reaches the volume's reader until the test ends, and returns its address.
func (c *cluster) volume(t *testing.T) string {
	t.Helper()
	return c.forward(t, operatorNamespace, "pod/"+readerName, "8080")
}

// checkTranscript checks that a job's transcript is where its status says, with the bytes that it says, and has the words that are spoken.
func (c *cluster) checkTranscript(ctx context.Context, job *v1alpha1.TranscriptionJob, volume, spoken string) error {
	if len(job.Status.Transcripts) != 1 {
		return fmt.Errorf("there are %d transcripts, wanted one", len(job.Status.Transcripts))
	}
	recorded := job.Status.Transcripts[0]
	var text []byte
	var err error
	// A forwarded connection may get stuck.
	_ = wait.PollUntilContextTimeout(ctx, interval, patience, true, func(ctx context.Context) (bool, error) {
		text, err = c.stored(ctx, job.Namespace, recorded, volume)
		var timeout net.Error
		return !errors.As(err, &timeout), nil
	})
	if err != nil {
		return fmt.Errorf("its transcript cannot be read: %w", err)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != recorded.SHA256 {
		return fmt.Errorf("its transcript's %d bytes are not those that the status names", len(text))
	}
	if got, want := words(string(text)), words(spoken); got != want {
		return fmt.Errorf("its transcript says %q, not %q", got, want)
	}
	if wanted := job.Spec.Transcripts.PersistentVolumeClaim != nil; wanted != (recorded.PersistentVolumeClaim != nil) {
		return fmt.Errorf("its transcript is not in the store that was asked for: %+v", recorded)
	}
	return nil
}

// stored reads a transcript from its ConfigMap, or through the volume's reader.
func (c *cluster) stored(ctx context.Context, namespace string, recorded v1alpha1.StoredTranscript, volume string) ([]byte, error) {
	if ref := recorded.ConfigMapRef; ref != nil {
		configMap := &corev1.ConfigMap{}
		err := c.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, configMap)
		return []byte(configMap.Data[ref.Key]), err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+volume+"/media/"+recorded.PersistentVolumeClaim.Path, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the volume's reader answers %s", response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, 1<<20))
}

// words are a text's words, whatever is between them.
func words(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' }), " ")
}

// allNotified checks that the provider's own notification brought each transcript, and that each was received at the first try, or the receiver
// said that it should come again and it did. It returns how many tries there were.
func (c *cluster) allNotified(t *testing.T, jobs []*v1alpha1.TranscriptionJob) int {
	t.Helper()
	ids := map[string]string{}
	for _, job := range jobs {
		ids[ptr.Deref(job.Status.RemoteJob.ID, "")] = job.Name
		if n := job.Status.Notification; n == nil || n.Source != v1alpha1.SourceCallback {
			t.Errorf("%s has its transcript otherwise than by the provider's notification: %+v", job.Name, n)
		}
	}
	received := map[string]int{}
	tries := 0
	for _, a := range c.notificationAttempts() {
		name, ours := ids[a.jobID]
		if !ours {
			continue
		}
		tries++
		switch {
		case a.failure == "":
			received[name]++
		case a.refusedForNow():
		case strings.Contains(a.failure, "lookup "): // it has not come as far as the receiver, which can do nothing about it
			t.Logf("a notification of %s was not sent, and is sent again: %s", name, a.failure)
		default: // refused, or its connection broke
			t.Errorf("a notification of %s has failed: %s", name, a.failure)
		}
	}
	for _, name := range ids {
		if received[name] != 1 {
			t.Errorf("%d notifications of %s were received, wanted one", received[name], name)
		}
	}
	return tries
}
