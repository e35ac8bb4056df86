// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

const (
	readme, readmeInstall = "README.md", "Use it in a cluster"

	managerDeployment  = "transcription-operator-manager"
	receiverDeployment = "transcription-operator-webhook-receiver"
	keysSecret         = "notification-keys"
)

// operatorPattern is in the names of all that belongs to the operator and to no namespace.
var operatorPattern = regexp.MustCompile(`transcription-(operator|system)`)

// installWithKustomize installs by the README's commands, over what Helm has left: definitions, an account, and jobs, some of them under way. OVERLAY
// is the kustomization that has the simulator in the provider's place.
func installWithKustomize(t *testing.T, c *cluster) {
	commands := documented(t, readme, readmeInstall)
	c.follow(t, c.overlay()+lineWith(t, commands, "export")+blockWith(t, commands, "make deploy\n"))
	c.ready(t)
}

// overlay is the setting of the Makefile by which the tests' kustomization is taken.
func (c *cluster) overlay() string { return "export OVERLAY=test/e2e/" + *systemFlag + "\n" }

// firstAccount makes an account by the README's commands. It is one at the real service, of which our key is none, if it can be reached at all.
func firstAccount(t *testing.T, c *cluster) {
	commands := blockWith(t, documented(t, readme, readmeInstall), "kubectl create secret")
	output := c.follow(t, strings.Replace(commands, "apiKey=…", "apiKey="+c.newSecret("API key of the real service"), 1))
	if !strings.Contains(output, "default") {
		t.Errorf("the account is not listed: %s", output)
	}
}

// whatFails: the job whose URL leads nowhere has failed for that, and the account from the README says why it is of no use. Both take their time.
func whatFails(t *testing.T, c *cluster) {
	failed := c.finished(t, []*v1alpha1.TranscriptionJob{c.failing})[0]
	if why := meta.FindStatusCondition(failed.Status.Conditions, v1alpha1.ConditionFailed); why == nil || why.Reason != v1alpha1.ReasonMediaFetchFailed {
		t.Errorf("the job whose URL leads nowhere has not failed for that: %+v", why)
	}
	eventually(t, "the account says that it is of no use", func(ctx context.Context) error {
		account := &v1alpha1.SpeechmaticsAccount{}
		if err := c.client.Get(ctx, client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: "default"}, account); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(account.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionFalse {
			return fmt.Errorf("it says %+v", ready)
		}
		t.Logf("an account at the real service says %s: %s", ready.Reason, ready.Message)
		return nil
	})
}

// ready waits until every pod of the operator is ready, and remembers what it must not tell.
func (c *cluster) ready(t *testing.T) {
	t.Helper()
	c.kubectl(t, "wait", "--for=condition=Established", "crd", "--all", "--timeout="+patience.String())
	c.rolledOut(t, operatorNamespace, receiverDeployment, managerDeployment)
	c.kubectl(t, "apply", "--server-side", "-f", "test/e2e/volume-reader.yaml")
	c.kubectl(t, "-n", operatorNamespace, "wait", "--for=condition=Ready", "pod/"+readerName, "--timeout="+patience.String())
	c.rememberKeys(t)
}

// rememberKeys remembers the notifications' keys, whoever made them.
func (c *cluster) rememberKeys(t *testing.T) {
	t.Helper()
	keys := &corev1.Secret{}
	must(t, c.client.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: keysSecret}, keys))
	if len(keys.Data) == 0 {
		t.Fatalf("the Secret %s is empty", keysSecret)
	}
	for name, key := range keys.Data {
		sum := sha256.Sum256(key) // tells one from the next without telling it
		c.secrets[fmt.Sprintf("%s %s %x", keysSecret, name, sum[:4])] = string(key)
	}
}

// podsAreRestricted: the namespace refuses other pods, so that those that run there are restricted; and they are as many as is said.
func podsAreRestricted(t *testing.T, c *cluster) {
	privileged := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: "privileged"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "none", SecurityContext: &corev1.SecurityContext{}}}},
	}
	if err := c.client.Create(t.Context(), privileged, client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("a pod that is not restricted is not refused: %v", err)
	}
	for component, want := range map[string]int{"manager": 1, "webhook-receiver": 2} {
		pods, err := c.podsOf(t.Context(), component)
		must(t, err)
		if len(pods) != want {
			t.Errorf("there are %d pods of the %s, wanted %d", len(pods), component, want)
		}
		for i := range pods {
			for _, status := range pods[i].Status.ContainerStatuses {
				if !status.Ready || status.RestartCount > 0 {
					t.Errorf("%s is not well: %+v", pods[i].Name, status)
				}
			}
		}
	}
}

// everySourceAndStore transcribes media of every source, and keeps transcripts in every store.
func everySourceAndStore(t *testing.T, c *cluster) {
	p := c.withProvider(t)
	var created []*v1alpha1.TranscriptionJob
	c.failing = c.create(t, fromNowhere, toConfigMap)
	for _, source := range []option{fromURL, fromURLWithHeaders, fromURLInSecret, fromConfigMap, fromSecret} {
		for _, store := range []option{toConfigMap, toKeptConfigMap, toVolume} {
			created = append(created, c.create(t, source, store))
		}
	}
	// As users wait.
	wait := []string{"-n", userNamespace, "wait", "--for=condition=Finished", "transcriptionjobs", "--timeout=" + patience.String()}
	for _, job := range created {
		wait = append(wait, job.Name)
	}
	c.kubectl(t, wait...)
	jobs := c.complete(t, p, created)
	tries := c.allNotified(t, jobs)
	t.Logf("%d jobs of five sources and three stores are complete; notifications took %d tries", len(jobs), tries)

	claim := &corev1.PersistentVolumeClaim{}
	must(t, c.client.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: volumeClaim}, claim))
	if claim.Status.Phase != corev1.ClaimBound || claim.Spec.StorageClassName == nil {
		t.Errorf("the claim was not provisioned: %+v", claim.Status)
	}
}

// uninstall removes everything by the commands of docs/uninstall.md. What was promised to stay is still there, nothing else is.
func uninstall(t *testing.T, c *cluster) {
	p := c.withProvider(t)
	c.jobsDeleted(t, p)

	start := time.Now()
	jobs := c.complete(t, p, c.createAFew(t, len(kinds)))
	const page = "docs/uninstall.md"
	steps := documented(t, page, "Everything, without losing a transcript")
	for _, step := range steps[:len(steps)-1] {
		c.follow(t, step)
	}
	c.checkTranscripts(t, jobs) // while the volume's reader is there
	c.follow(t, documented(t, page, "The operator alone")[0])
	c.follow(t, steps[len(steps)-1])
	t.Logf("everything was gone after %s", time.Since(start).Round(time.Second/10))
	for _, job := range jobs {
		if job.Status.Transcripts[0].ConfigMapRef != nil {
			c.checkStored(t, job, true)
		}
	}
	c.checkNothingLeft(t)
}

// jobsDeleted deletes all jobs while the manager runs: kept transcripts stay, the others go, and the provider works for nobody any more.
func (c *cluster) jobsDeleted(t *testing.T, p *provider) {
	t.Helper()
	ended := c.complete(t, p, []*v1alpha1.TranscriptionJob{c.create(t, fromURL, toKeptConfigMap), c.create(t, fromURL, toConfigMap)})
	running := c.create(t, fromURL, toConfigMap)
	eventually(t, "a job runs", func(ctx context.Context) error {
		seen := &v1alpha1.TranscriptionJob{}
		err := c.client.Get(ctx, client.ObjectKeyFromObject(running), seen)
		if err == nil && (seen.Status.RemoteJob == nil || seen.Status.RemoteJob.ID == nil) {
			err = errors.New("it was not submitted yet")
		}
		return err
	})
	start := time.Now()
	must(t, c.client.DeleteAllOf(t.Context(), &v1alpha1.TranscriptionJob{}, client.InNamespace(userNamespace)))
	eventually(t, "all jobs are gone", func(ctx context.Context) error {
		left := &v1alpha1.TranscriptionJobList{}
		err := c.client.List(ctx, left)
		if err == nil && len(left.Items) > 0 {
			err = fmt.Errorf("there are %d, the first is %s/%s", len(left.Items), left.Items[0].Namespace, left.Items[0].Name)
		}
		return err
	})
	t.Logf("all jobs were gone after %s", time.Since(start).Round(time.Second/10))
	c.checkStored(t, ended[0], true)
	c.checkStored(t, ended[1], false)
	for _, entry := range p.submissions(t)[running.UID] {
		if entry.Status == "running" {
			t.Errorf("the provider still works on a job whose object is gone: %+v", entry)
		}
	}
}

// delete deletes, and waits until it is gone.
func (c *cluster) delete(t *testing.T, args ...string) {
	t.Helper()
	c.kubectl(t, append([]string{"delete", "--timeout=" + patience.String()}, args...)...)
}

// checkStored checks whether the ConfigMap of a job's transcript is there.
func (c *cluster) checkStored(t *testing.T, job *v1alpha1.TranscriptionJob, wanted bool) {
	t.Helper()
	key := client.ObjectKey{Namespace: job.Namespace, Name: job.Status.Transcripts[0].ConfigMapRef.Name}
	eventually(t, "ConfigMap "+key.Name, func(ctx context.Context) error {
		err := c.client.Get(ctx, key, &corev1.ConfigMap{})
		switch {
		case err == nil && !wanted:
			return fmt.Errorf("it is still there")
		case apierrors.IsNotFound(err) && !wanted:
			return nil
		}
		return err
	})
}

// checkNothingLeft checks that no object of the operator's is left in the cluster.
func (c *cluster) checkNothingLeft(t *testing.T) {
	t.Helper()
	for _, kind := range []string{
		"namespaces", "customresourcedefinitions", "clusterroles", "clusterrolebindings",
		"validatingadmissionpolicies", "validatingwebhookconfigurations", "mutatingwebhookconfigurations",
	} {
		eventually(t, kind+" are gone", func(ctx context.Context) error {
			output, err := c.command(ctx, "", *kubectlFlag, "get", kind, "--output=name")
			if err == nil && operatorPattern.MatchString(output) {
				err = fmt.Errorf("there are: %s", output)
			}
			return err
		})
	}
}
