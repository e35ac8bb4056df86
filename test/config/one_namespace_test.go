// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// TestManagerRunsInOneNamespace runs the manager with the rights and the arguments of config/overlays/one-namespace and nothing else. It makes the
// notification key, becomes the leader, judges a job, tells of it by an event, and is refused nothing that it asks for.
func TestManagerRunsInOneNamespace(t *testing.T) {
	in := installations(t)[1]
	objects := in.create(t)
	pod := one[appsv1.Deployment](t, objects, "Deployment", managerName).Spec.Template.Spec
	secret := one[corev1.Secret](t, objects, "Secret", "notification-keys")
	if err := env.Client.Create(t.Context(), &secret); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(build(t), "manager")
	environment := []string{
		"POD_NAMESPACE=" + in.namespace,
		"KUBECONFIG=" + env.UserKubeconfig(t, "system:serviceaccount:"+in.namespace+":"+managerName, groupsOf(in.namespace)...),
	}

	maker := exec.CommandContext(t.Context(), program, pod.InitContainers[0].Args...)
	maker.Env = environment
	if output, err := maker.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", maker, err, output)
	}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(&secret), &secret); err != nil {
		t.Fatal(err)
	}
	keys := t.TempDir()
	if err := os.WriteFile(filepath.Join(keys, notification.SigningKeyFile), secret.Data[notification.SigningKeyFile], 0o600); err != nil {
		t.Fatal(err)
	}

	// As in the pod, but for what a pod alone has: the mounted keys, addresses of its own, and the kubelet that expands variables.
	args := append(slices.Clone(pod.Containers[0].Args), "--notification-keys="+keys, "--receiver-url=http://127.0.0.1:1",
		"--metrics-bind-address=0", "--health-probe-bind-address=0", "--zap-log-level=debug")
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$(POD_NAMESPACE)", in.namespace)
	}
	var log bytes.Buffer
	manager := exec.CommandContext(t.Context(), program, args...)
	manager.Env, manager.Stderr = environment, &log
	if err := manager.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- manager.Wait() }()

	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: in.namespace, Name: "standup"},
		Spec: v1alpha1.TranscriptionJobSpec{
			Media:         v1alpha1.MediaSource{URL: ptr.To("https://media.example.com/standup.wav")},
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"},
		},
	}
	if err := env.Client.Create(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		if err := env.Client.Get(ctx, client.ObjectKeyFromObject(job), job); err != nil {
			return false, err
		}
		events := &eventsv1.EventList{}
		if err := env.Client.List(ctx, events, client.InNamespace(in.namespace)); err != nil {
			return false, err
		}
		ready := meta.FindStatusCondition(job.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.Reason == v1alpha1.ReasonAccountNotFound &&
			slices.ContainsFunc(events.Items, func(e eventsv1.Event) bool { return e.Regarding.UID == job.UID }), nil
	})
	if err != nil {
		t.Errorf("the job was not judged, or nobody told: %v, %+v", err, job.Status)
	}
	if err := manager.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the manager ended with %v", err)
	}
	if text := log.String(); strings.Contains(text, "forbidden") || !strings.Contains(text, "Successfully acquired lease") {
		t.Errorf("the manager was refused something, or never led:\n%s", text)
	}
}
