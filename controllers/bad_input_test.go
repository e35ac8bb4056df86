// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// TestBadInput_jobs gives each mistake that the schema cannot see: the reason and the message name the object, the cause and the
// next step, and nothing is submitted.
func TestBadInput_jobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	const hidden = "not-a-url-but-secret-0123456789"
	w.secrets = append(w.secrets, hidden)
	w.secret("opaque", corev1.SecretTypeOpaque, map[string]string{"url": "https://a.example/a", "clip": "x"})
	w.secret("media", v1alpha1.MediaSecretType, map[string]string{
		"text": hidden, "ftp": "ftp://a.example/" + hidden, "headers": "no header " + hidden, "empty": "", "url": "https://a.example/a",
	})
	w.create(&corev1.ConfigMap{ObjectMeta: w.meta("clips"), Data: map[string]string{"empty.wav": ""}})
	w.create(&corev1.ConfigMap{ObjectMeta: w.meta("taken-txt"), Data: map[string]string{"mine": "yes"}})
	transcript := &corev1.ConfigMap{ObjectMeta: w.meta("transcript-json-v2"), BinaryData: map[string][]byte{"transcript.json.gz": {0x1f, 0x8b, 8, 0}}}
	transcript.Labels = map[string]string{store.LabelJobUID: "0"}
	w.create(transcript)
	ref := func(name, key string) *v1alpha1.ObjectKeyReference {
		return &v1alpha1.ObjectKeyReference{Name: name, Key: key}
	}
	source := func(name, key string) *v1alpha1.SecretSource {
		return &v1alpha1.SecretSource{SecretKeyRef: v1alpha1.ObjectKeyReference{Name: name, Key: key}}
	}
	url := ptr.To("https://a.example/a")
	cases := []struct {
		name   string
		change func(*v1alpha1.TranscriptionJobSpec)
		reason string
		parts  []string // of the message
	}{
		{
			"no-account", func(s *v1alpha1.TranscriptionJobSpec) { s.AccountRef = &v1alpha1.AccountReference{Name: "other"} },
			v1alpha1.ReasonAccountNotFound, []string{`SpeechmaticsAccount "other"`, "create it"},
		},
		{
			"no-cluster-account", func(s *v1alpha1.TranscriptionJobSpec) {
				s.AccountRef = &v1alpha1.AccountReference{Kind: v1alpha1.ClusterAccount, Name: "other"}
			},
			v1alpha1.ReasonAccountNotFound, []string{`ClusterSpeechmaticsAccount "other"`},
		},
		{
			"no-configmap", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{ConfigMap: ref("none", "a.wav")}
			},
			v1alpha1.ReasonMediaNotFound, []string{"no ConfigMap none", "spec.media.configMap", "; create it"},
		},
		{
			"no-configmap-key", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{ConfigMap: ref("clips", "a.wav")}
			},
			v1alpha1.ReasonMediaNotFound, []string{"ConfigMap clips", `no key "a.wav"`},
		},
		{
			"empty-configmap-key", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{ConfigMap: ref("clips", "empty.wav")}
			},
			v1alpha1.ReasonInvalidMedia, []string{`key "empty.wav"`, "ConfigMap clips is empty"},
		},
		{
			"configmap-text", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{ConfigMap: ref("taken-txt", "mine")}
			},
			v1alpha1.ReasonInvalidMedia, []string{`key "mine" of ConfigMap taken-txt holds a text`, "put a recording there"},
		},
		{
			"configmap-transcript", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{ConfigMap: ref("transcript-json-v2", "transcript.json.gz")}
			},
			v1alpha1.ReasonInvalidMedia, []string{"ConfigMap transcript-json-v2 holds a transcript"},
		},
		{
			"secret-text", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{Secret: ref("media", "text")}
			},
			v1alpha1.ReasonInvalidMedia, []string{`key "text" of Secret media holds a text`},
		},
		{
			"no-secret", func(s *v1alpha1.TranscriptionJobSpec) { s.Media = v1alpha1.MediaSource{Secret: ref("none", "a.wav")} },
			v1alpha1.ReasonMediaNotFound, []string{"no Secret none", "create it with the type transcription-operator.io/media"},
		},
		{
			"secret-of-the-wrong-type", func(s *v1alpha1.TranscriptionJobSpec) { s.Media = v1alpha1.MediaSource{Secret: ref("opaque", "clip")} },
			v1alpha1.ReasonInvalidMedia, []string{"Secret opaque has the type Opaque", v1alpha1.MediaSecretType},
		},
		{
			"url-from-the-wrong-type", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{URLFrom: source("opaque", "url")}
			},
			v1alpha1.ReasonInvalidMedia, []string{"Secret opaque has the type Opaque"},
		},
		{
			"headers-from-the-wrong-type", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{URL: url, AuthHeadersFrom: source("opaque", "url")}
			},
			v1alpha1.ReasonInvalidMedia, []string{"Secret opaque has the type Opaque"},
		},
		{
			"no-url", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{URLFrom: source("media", "text")}
			},
			v1alpha1.ReasonInvalidMedia, []string{`"text" in Secret media`, "not an http or https URL"},
		},
		{
			"ftp-url", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{URLFrom: source("media", "ftp")}
			},
			v1alpha1.ReasonInvalidMedia, []string{`"ftp" in Secret media`, "not an http or https URL"},
		},
		{
			"no-headers", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{URL: url, AuthHeadersFrom: source("media", "headers")}
			},
			v1alpha1.ReasonInvalidMedia, []string{`"headers" in Secret media`, "line 1"},
		},
		{
			"empty-headers", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Media = v1alpha1.MediaSource{URL: url, AuthHeadersFrom: source("media", "empty")}
			},
			v1alpha1.ReasonInvalidMedia, []string{`key "empty" of Secret media is empty`},
		},
		{
			"volume-not-mounted", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Transcripts.PersistentVolumeClaim = &v1alpha1.PersistentVolumeClaimStore{ClaimName: "elsewhere"}
			},
			v1alpha1.ReasonVolumeNotMounted, []string{"elsewhere", "--volume"},
		},
		{
			"configmap-of-someone-else", func(s *v1alpha1.TranscriptionJobSpec) {
				s.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{Name: ptr.To("taken")}
			},
			v1alpha1.ReasonConfigMapConflict, []string{"taken-txt"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := w.in(t)
			job := w.job(c.name, func(j *v1alpha1.TranscriptionJob) { c.change(&j.Spec) })
			message := w.awaitReason(job, c.reason)
			for _, part := range c.parts {
				if !strings.Contains(message, part) {
					t.Errorf("the message does not say %q: %s", part, message)
				}
			}
			w.wantSubmissions(job, 0)
			w.wantEvent(job, "Warning "+c.reason)
			if len(job.Finalizers) != 0 || job.Status.StartTime != nil {
				t.Errorf("the job was taken up: finalizers %v, started %v", job.Finalizers, job.Status.StartTime)
			}
			taken := &corev1.ConfigMap{ObjectMeta: w.meta("taken-txt")}
			w.get(taken)
			if taken.Data["mine"] != "yes" || len(taken.Data) != 1 {
				t.Errorf("someone else's ConfigMap was changed: %v", taken.Data)
			}
		})
	}
}

// TestBadInput_repaired puts right what a job waits for. It goes on by itself.
func TestBadInput_repaired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.job("job", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.Media = v1alpha1.MediaSource{ConfigMap: &v1alpha1.ObjectKeyReference{Name: "clip", Key: "greeting.ogg"}}
	})
	message := w.awaitReason(job, v1alpha1.ReasonAccountNotFound)
	if !strings.Contains(message, `SpeechmaticsAccount "default"`) {
		t.Errorf("the message does not name the default account: %s", message)
	}
	w.account()
	w.awaitReason(job, v1alpha1.ReasonMediaNotFound)
	w.clip("clip", "greeting.ogg")
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
}

// TestBadInput_accounts gives each mistake in an account: its condition says what is wrong, and jobs wait.
func TestBadInput_accounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("good", corev1.SecretTypeOpaque, map[string]string{"apiKey": apiKey, "wrong": "another-key-0123456789", "words": "two words", "empty": ""})
	account := func(name string, change func(*v1alpha1.SpeechmaticsAccountSpec)) *v1alpha1.SpeechmaticsAccount {
		a := &v1alpha1.SpeechmaticsAccount{ObjectMeta: w.meta(name), Spec: v1alpha1.SpeechmaticsAccountSpec{
			BaseURL: &w.provider, APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "good", Key: "apiKey"},
		}}
		change(&a.Spec)
		w.create(a)
		return a
	}
	for name, c := range map[string]struct {
		change func(*v1alpha1.SpeechmaticsAccountSpec)
		reason string
		part   string
	}{
		"no-secret":   {func(s *v1alpha1.SpeechmaticsAccountSpec) { s.APIKeySecretRef.Name = "none" }, v1alpha1.ReasonSecretNotFound, "/none"},
		"no-key":      {func(s *v1alpha1.SpeechmaticsAccountSpec) { s.APIKeySecretRef.Key = "none" }, v1alpha1.ReasonSecretNotFound, `no key "none"`},
		"empty-key":   {func(s *v1alpha1.SpeechmaticsAccountSpec) { s.APIKeySecretRef.Key = "empty" }, v1alpha1.ReasonInvalidSecret, "cannot be an API key"},
		"two-words":   {func(s *v1alpha1.SpeechmaticsAccountSpec) { s.APIKeySecretRef.Key = "words" }, v1alpha1.ReasonInvalidSecret, "cannot be an API key"},
		"wrong-key":   {func(s *v1alpha1.SpeechmaticsAccountSpec) { s.APIKeySecretRef.Key = "wrong" }, v1alpha1.ReasonKeyRefused, "valid key of this region"},
		"foreign-url": {func(s *v1alpha1.SpeechmaticsAccountSpec) { s.BaseURL = ptr.To("https://speech.example.com/v2") }, v1alpha1.ReasonBaseURLNotAllowed, "example.com/v2: set spec.region instead, or ask the administrator to add the address to the manager's flag --allowed-base-urls"},
		"bad-ca":      {func(s *v1alpha1.SpeechmaticsAccountSpec) { s.CABundle = []byte("no certificate") }, v1alpha1.ReasonInvalidAccount, "spec.caBundle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := w.in(t)
			a := account(name, c.change)
			message := w.awaitAccount(a, c.reason)
			if !strings.Contains(message, c.part) {
				t.Errorf("the message does not say %q: %s", c.part, message)
			}
			job := w.job(name, func(j *v1alpha1.TranscriptionJob) { j.Spec.AccountRef = &v1alpha1.AccountReference{Name: name} })
			said := w.awaitReason(job, v1alpha1.ReasonAccountNotReady)
			if !strings.Contains(said, "SpeechmaticsAccount "+name) || strings.Count(said, "SpeechmaticsAccount ") != 1 {
				t.Errorf("the job's message does not name the account once: %s", said)
			}
			w.wantSubmissions(job, 0)
		})
	}
}

// TestBadInput_suspendedAccount holds jobs back until the account is resumed.
func TestBadInput_suspendedAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	account := w.account(func(a *v1alpha1.SpeechmaticsAccount) { a.Spec.Suspend = ptr.To(true) })
	job := w.job("job")
	if message := w.awaitReason(job, v1alpha1.ReasonAccountSuspended); !strings.Contains(message, "SpeechmaticsAccount default is suspended") || !strings.Contains(message, "spec.suspend") {
		t.Errorf("the message does not name the account and the field: %s", message)
	}
	w.wantSubmissions(job, 0)
	update(w, account, func(a *v1alpha1.SpeechmaticsAccount) { a.Spec.Suspend = nil })
	w.awaitReason(job, v1alpha1.ReasonComplete)
}

// TestClusterAccount opens a cluster account to some namespaces: its Secret is the manager's, and who is not selected does not
// get in.
func TestClusterAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("speechmatics", corev1.SecretTypeOpaque, map[string]string{"apiKey": apiKey})
	account := &v1alpha1.ClusterSpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Labels: map[string]string{worldLabel: w.namespace}},
		Spec: v1alpha1.ClusterSpeechmaticsAccountSpec{SpeechmaticsAccountSpec: v1alpha1.SpeechmaticsAccountSpec{
			BaseURL: &w.provider, APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"},
		}},
	}
	w.create(account)
	w.awaitAccount(account, v1alpha1.ReasonKeyAccepted)
	use := func(j *v1alpha1.TranscriptionJob) {
		j.Spec.AccountRef = &v1alpha1.AccountReference{Kind: v1alpha1.ClusterAccount, Name: account.Name}
	}
	for name, selector := range map[string]*metav1.LabelSelector{
		"none":    nil,
		"empty":   {},
		"another": {MatchLabels: map[string]string{"team": "music"}},
	} {
		update(w, account, func(a *v1alpha1.ClusterSpeechmaticsAccount) { a.Spec.NamespaceSelector = selector })
		w.eventually("the account was tried anew", func() (bool, string) {
			w.get(account)
			ready := readyCondition(account.Status.Conditions)
			return ready.ObservedGeneration == account.Generation, ready.Message
		})
		job := w.job(name, use)
		message := w.awaitReason(job, v1alpha1.ReasonAccountNotPermitted)
		w.wantSubmissions(job, 0)
		if !strings.Contains(message, "not open to namespace "+w.namespace) {
			t.Errorf("%s: the message does not name the namespace: %s", name, message)
		}
	}
	job := w.job("selected", use)
	update(w, account, func(a *v1alpha1.ClusterSpeechmaticsAccount) {
		a.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "speech"}}
	})
	w.awaitReason(job, v1alpha1.ReasonComplete)
	w.wantSubmissions(job, 1)
}

// TestNoClusterAccounts has an installation for single namespaces: a ClusterSpeechmaticsAccount is not used, by name or as the default, and nobody
// tries its key.
func TestNoClusterAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOptions(func(o *Options) { o.NoClusterAccounts = true }))
	w.secret("speechmatics", corev1.SecretTypeOpaque, map[string]string{"apiKey": apiKey})
	spec := v1alpha1.SpeechmaticsAccountSpec{BaseURL: &w.provider, APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"}}
	cluster := &v1alpha1.ClusterSpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Labels: map[string]string{worldLabel: w.namespace}},
		Spec: v1alpha1.ClusterSpeechmaticsAccountSpec{
			SpeechmaticsAccountSpec: spec, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "speech"}},
		},
	}
	w.create(cluster)
	named := w.job("named", func(j *v1alpha1.TranscriptionJob) {
		j.Spec.AccountRef = &v1alpha1.AccountReference{Kind: v1alpha1.ClusterAccount, Name: cluster.Name}
	})
	if message := w.awaitReason(named, v1alpha1.ReasonAccountNotPermitted); !strings.Contains(message, "--cluster-accounts=false") {
		t.Errorf("the message does not say why: %s", message)
	}
	unnamed := w.job("unnamed", func(j *v1alpha1.TranscriptionJob) { j.Spec.AccountRef = nil })
	if message := w.awaitReason(unnamed, v1alpha1.ReasonAccountNotFound); strings.Contains(message, "ClusterSpeechmaticsAccount") {
		t.Errorf("the message sends people to what cannot be used: %s", message)
	}
	w.create(&v1alpha1.SpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: v1alpha1.DefaultAccountName}, Spec: spec})
	w.awaitReason(unnamed, v1alpha1.ReasonComplete)
	w.wantSubmissions(named, 0)
	w.get(cluster)
	if len(cluster.Status.Conditions) > 0 {
		t.Errorf("somebody looks after the cluster account: %+v", cluster.Status)
	}
}
