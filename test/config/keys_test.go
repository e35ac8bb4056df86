// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	applyv1alpha1 "github.com/transcription-operator/transcription-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/notification"
)

// TestRotation runs hack/notification-keys.sh against a namespace with receivers that know what the Secret said when they were started, and
// nothing newer: the worst that a kubelet may do. At no time may the manager sign with a key that one of them would refuse.
func TestRotation(t *testing.T) {
	r := newRotation(t, "old-key-old-key-old-key-old-key-old")
	first := r.signing()
	if r.run("rotate") != "" || r.signing() == first || r.additional() != first {
		t.Fatalf("after a rotation %q signs, and %q is accepted too; before, %q signed", r.signing(), r.additional(), first)
	}
	if _, err := notification.NewKeyring([]byte(r.signing()), []byte(r.additional())); err != nil {
		t.Errorf("the keys are of no use: %v", err)
	}

	// The manager signs with the old key until it has the new one, though no job is under way.
	for _, command := range []string{"retire", "rotate"} {
		if message := r.run(command); !strings.Contains(message, "may not have the new key") || r.additional() != first {
			t.Errorf("%s at once: %s", command, message)
		}
	}
	r.distributed()

	// A job from before keeps its key; one that has finished, or that was begun later, does not.
	r.job("finished", time.Now().Add(-time.Hour), time.Now())
	r.job("later", time.Now().Add(time.Hour), time.Time{})
	old := r.job("under-way", time.Now().Add(-time.Hour), time.Time{})
	for _, command := range []string{"retire", "rotate"} {
		if message := r.run(command); !strings.Contains(message, "1 have not finished") || !strings.Contains(message, r.namespace+"/under-way") {
			t.Errorf("%s with a job from before: %s", command, message)
		}
	}
	if r.additional() == "" {
		t.Fatal("the old key is gone, and with it the notification of a job that is under way")
	}
	r.finish(old)
	if message := r.run("retire"); message != "" || r.additional() != "" {
		t.Errorf("retire did not remove the old key: %s", message)
	}
}

// TestRotation_brokenOff has the receivers not come up: the old key goes on signing, and the command that is repeated ends what was begun.
func TestRotation_brokenOff(t *testing.T) {
	r := newRotation(t, "old-key-old-key-old-key-old-key-old")
	first := r.signing()
	r.stuck.Lock()
	if message := r.run("rotate"); !strings.Contains(message, "the old key still signs") || r.signing() != first {
		t.Errorf("rotate with receivers that do not come up: %s", message)
	}
	begun := r.additional()
	if message := r.run("retire"); !strings.Contains(message, "broken off") || r.additional() != begun {
		t.Errorf("retire in the middle of a rotation: %s", message)
	}
	r.stuck.Unlock()
	if message := r.run("rotate"); message != "" || r.signing() != begun || r.additional() != first {
		t.Errorf("the repeated rotation did not end what was begun: %s", message)
	}
}

// TestRotation_refused is what the command does not touch.
func TestRotation_refused(t *testing.T) {
	r := newRotation(t, "")
	if message := r.run("rotate"); !strings.Contains(message, "no signing-key yet") {
		t.Errorf("rotate without a key: %s", message)
	}
	r = newRotation(t, "old-key-old-key-old-key-old-key-old")
	r.secret.Data[notification.AdditionalKeyFile] = []byte("b")
	if err := env.Client.Update(t.Context(), r.secret); err != nil {
		t.Fatal(err)
	}
	if message := r.run("rotate"); !strings.Contains(message, "has not put there") || r.additional() != "b" {
		t.Errorf("rotate with somebody else's additional key: %s", message)
	}
	for _, arguments := range []string{"", "turn", "rotate a b"} {
		if message := r.run(arguments); !strings.Contains(message, "usage") {
			t.Errorf("%q: %s", arguments, message)
		}
	}
}

// rotation is an installation of which there is what the command touches: the Secret, and a receiver's Deployment.
type rotation struct {
	t         *testing.T
	namespace string
	secret    *corev1.Secret
	// stuck keeps receivers from coming up while it is locked.
	stuck sync.Mutex
}

func newRotation(t *testing.T, signing string) *rotation {
	t.Helper()
	r := &rotation{t: t, namespace: env.Namespace(t.Context(), t, nil)}
	r.secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: "notification-keys"}}
	if signing != "" {
		r.secret.Data = map[string][]byte{notification.SigningKeyFile: []byte(signing)}
	}
	receiver := one[appsv1.Deployment](t, render(t, "config/default"), "Deployment", receiverName)
	receiver.Namespace = r.namespace
	for _, object := range []client.Object{r.secret, &receiver} {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.follow(ctx, client.ObjectKeyFromObject(&receiver)) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

// follow stands in for the Deployment's controller and the kubelets, and checks what must hold whenever the Secret has changed.
func (r *rotation) follow(ctx context.Context, receiver client.ObjectKey) {
	var known map[string][]byte
	var generation int64
	_ = wait.PollUntilContextCancel(ctx, 10*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		secret, deployment := &corev1.Secret{}, &appsv1.Deployment{}
		if err := errors.Join(env.Client.Get(ctx, receiver, deployment), env.Client.Get(ctx, client.ObjectKeyFromObject(r.secret), secret)); err != nil {
			return false, client.IgnoreNotFound(err)
		}
		if deployment.Generation != generation && r.stuck.TryLock() {
			r.stuck.Unlock()
			known, generation = secret.Data, deployment.Generation
			deployment.Status = appsv1.DeploymentStatus{
				ObservedGeneration: generation, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2,
			}
			if err := env.Client.Status().Update(ctx, deployment); err != nil {
				generation = 0 // once more
			}
		}
		signing := string(secret.Data[notification.SigningKeyFile])
		if signing != string(known[notification.SigningKeyFile]) && signing != string(known[notification.AdditionalKeyFile]) && generation != 0 {
			r.t.Errorf("%q signs, and the receivers that were started with %q would refuse it", signing, known)
		}
		return false, nil
	})
}

// run runs the command and returns what it says if it fails.
func (r *rotation) run(command string) string {
	r.t.Helper()
	if command == "rotate" || command == "retire" {
		command += " " + r.namespace
	}
	var output bytes.Buffer
	script := filepath.Join(testenv.Root(), "hack", "notification-keys.sh")
	env.Shell(r.t, r.namespace, fmt.Sprintf("export ROLLOUT_TIMEOUT=2s; %s %s 2>&1 || echo FAILED", script, command), &output)
	if key := r.signing(); key != "" && strings.Contains(output.String(), key) {
		r.t.Errorf("the output has the key in it:\n%s", &output)
	}
	message, failed := strings.CutSuffix(output.String(), "FAILED\n")
	if !failed {
		return ""
	}
	return message
}

func (r *rotation) read() *corev1.Secret {
	r.t.Helper()
	secret := &corev1.Secret{}
	if err := env.Client.Get(r.t.Context(), client.ObjectKeyFromObject(r.secret), secret); err != nil {
		r.t.Fatal(err)
	}
	return secret
}

// distributed has the time be over that the manager may take to get the new key.
func (r *rotation) distributed() {
	r.t.Helper()
	secret := r.read()
	secret.Annotations["transcription-operator.io/keys-rotated"] = time.Now().UTC().Format(time.RFC3339)
	if err := env.Client.Update(r.t.Context(), secret); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rotation) signing() string    { return string(r.read().Data[notification.SigningKeyFile]) }
func (r *rotation) additional() string { return string(r.read().Data[notification.AdditionalKeyFile]) }

// job makes a job that was begun, and has finished if a time is given.
func (r *rotation) job(name string, started, completed time.Time) *v1alpha1.TranscriptionJob {
	r.t.Helper()
	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: name},
		Spec: v1alpha1.TranscriptionJobSpec{
			Media:         v1alpha1.MediaSource{URL: ptr.To("https://media.example.com/standup.wav")},
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"},
		},
	}
	if err := env.Client.Create(r.t.Context(), job); err != nil {
		r.t.Fatal(err)
	}
	status := applyv1alpha1.TranscriptionJobStatus().WithStartTime(metav1.NewTime(started))
	if !completed.IsZero() {
		status.WithCompletionTime(metav1.NewTime(completed))
	}
	r.apply(job, status)
	return job
}

func (r *rotation) finish(job *v1alpha1.TranscriptionJob) {
	r.t.Helper()
	r.apply(job, applyv1alpha1.TranscriptionJobStatus().WithStartTime(metav1.NewTime(time.Now().Add(-time.Hour))).WithCompletionTime(metav1.Now()))
}

func (r *rotation) apply(job *v1alpha1.TranscriptionJob, status *applyv1alpha1.TranscriptionJobStatusApplyConfiguration) {
	r.t.Helper()
	err := env.Client.Status().Apply(r.t.Context(), applyv1alpha1.TranscriptionJob(job.Name, job.Namespace).WithStatus(status), client.FieldOwner("test"))
	if err != nil {
		r.t.Fatal(err)
	}
}
