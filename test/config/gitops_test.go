// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

// documented runs the one command of docs/gitops.md that has the words, from the repository's root.
func documented(t *testing.T, words ...string) {
	t.Helper()
	var output bytes.Buffer
	env.Shell(t, "default", "cd '"+testenv.Root()+"'\n"+testenv.Documented(t, "docs/gitops.md", words...), &output)
}

// TestArgoCDIsPatched does to Argo CD's ConfigMap what docs/gitops.md says. What is in it already stays.
func TestArgoCDIsPatched(t *testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "argocd"}}
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "argocd-cm"}, Data: map[string]string{"url": "https://argocd.example.com"}}
	for _, object := range []client.Object{namespace, configMap} {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	documented(t, "patch configmap argocd-cm")
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(configMap), configMap); err != nil {
		t.Fatal(err)
	}
	scripts := 0
	for key, value := range configMap.Data {
		if strings.HasPrefix(key, "resource.customizations.health.transcription-operator.io_") && strings.Contains(value, "return hs") {
			scripts++
		}
	}
	if scripts != 3 || configMap.Data["url"] == "" {
		t.Errorf("argocd-cm has %d scripts, want three besides what was there: %v", scripts, configMap.Data)
	}
}

// TestNoTTLFromGit has the policy refuse jobs that Argo CD or Flux would buy again and again, and no others.
func TestNoTTLFromGit(t *testing.T) {
	namespace := env.Namespace(t.Context(), t, nil)
	documented(t, "config/policies/no-ttl-from-git.yaml")
	create := func(name string, ttl *int32, change func(*v1alpha1.TranscriptionJob)) error {
		job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		job.Spec.Media.URL, job.Spec.Transcription.Language = ptr.To("https://media.example.com/a.wav"), "en"
		job.Spec.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{RetentionPolicy: ptr.To(v1alpha1.RetentionRetain)}
		job.Spec.TTLSecondsAfterFinished = ttl
		change(job)
		return env.Client.Create(t.Context(), job)
	}
	marks := map[string]func(*v1alpha1.TranscriptionJob){
		"argo-tracking": func(j *v1alpha1.TranscriptionJob) {
			j.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "app:transcription-operator.io/TranscriptionJob:ns/x"}
		},
		"argo-label": func(j *v1alpha1.TranscriptionJob) { j.Labels = map[string]string{"argocd.argoproj.io/instance": "app"} },
		"flux-kustomization": func(j *v1alpha1.TranscriptionJob) {
			j.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "app"}
		},
		"flux-helm": func(j *v1alpha1.TranscriptionJob) { j.Labels = map[string]string{"helm.toolkit.fluxcd.io/name": "app"} },
	}
	unmarked := func(*v1alpha1.TranscriptionJob) {}
	probes := 0
	eventually(t, "the policy is in force", func() error {
		probes++
		if create(fmt.Sprintf("probe-%d", probes), ptr.To(int32(60)), marks["argo-tracking"]) == nil {
			return errors.New("a job was let in")
		}
		return nil
	})
	for name, mark := range marks {
		if err := create(name, ptr.To(int32(60)), mark); !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "bought again") {
			t.Errorf("%s, with a TTL: %v, want that it is refused, and why", name, err)
		}
		if err := create(name+"-without", nil, mark); err != nil {
			t.Errorf("%s, without a TTL: %v", name, err)
		}
	}
	if err := create("by-hand", ptr.To(int32(60)), unmarked); err != nil {
		t.Errorf("a job that is nobody's, with a TTL: %v", err)
	}
	job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "argo-tracking-without"}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"ttlSecondsAfterFinished":0}}`))
	if err := env.Client.Patch(t.Context(), job, patch); !apierrors.IsInvalid(err) {
		t.Errorf("a TTL that is set later: %v, want that it is refused", err)
	}
}

// TestDocumentedDeployments checks that the commands in docs/ name Deployments that there are.
func TestDocumentedDeployments(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(testenv.Root(), "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	objects := render(t, "config/default")
	named := 0
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`deployment/([a-z0-9-]+)`).FindAllSubmatch(content, -1) {
			named++
			one[appsv1.Deployment](t, objects, "Deployment", string(match[1])) // fails otherwise
		}
	}
	if named == 0 {
		t.Error("no page names a Deployment any more; so this test has nothing to do")
	}
}
