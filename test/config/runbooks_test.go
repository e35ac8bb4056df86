// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

// TestRunbooks_commands runs every command of the runbooks, with a real kubectl, where there is one of each object that they are about. None may
// complain: of a name, a label, a column or a field that there is not. There is no kubelet whose logs could be read.
func TestRunbooks_commands(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("there is no jq here, which the runbooks use: apt-get install jq")
	}
	told := tellableObjects(t)
	pages, err := filepath.Glob(filepath.Join(testenv.Root(), runbooks, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, page := range pages {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(content), "\n```sh\n")[1:] {
			blocks++
			block, _, _ = strings.Cut(block, "\n```")
			if complaints := runOnCall(t, told.fill(block)); complaints != "" {
				t.Errorf("%s: %s\n%s", filepath.Base(page), block, complaints)
			}
		}
	}
	if blocks < len(pages) {
		t.Errorf("%d pages have %d blocks of commands: they are not read as they are written", len(pages), blocks)
	}
	for _, wrong := range []string{
		"kubectl get transcriptionjob -n NAMESPACE no-such-job", "kubectl -n transcription-system get pods -l app.kubernetes.io/component=nobody",
		"kubectl -n transcription-system logs -l app.kubernetes.io/component=manager --no-such-flag", "kubectl get transcriptionjobs -A -o json | jq '.items[] |'",
		`curl "$(kubectl get transcriptionjob -n NAMESPACE NAME -o jsonpath='{.status.noSuchField}')/jobs/ID"`,
	} {
		if runOnCall(t, told.fill(wrong)) == "" {
			t.Errorf("nothing complains of %s, so that this test proves nothing", wrong)
		}
	}
}

// onCall are the names of what the commands are about.
type onCall struct{ namespace, name, pod string }

var placeholder = regexp.MustCompile(`\b(NAMESPACE|NAME|POD|REASON|ADDRESS|BASE_URL|ID)\b`)

// fill puts names in for the placeholders of a command.
func (o onCall) fill(command string) string {
	return placeholder.ReplaceAllStringFunc(command, func(word string) string {
		return map[string]string{
			"NAMESPACE": o.namespace, "NAME": o.name, "POD": o.pod, "REASON": "AccountNotReady",
			"ADDRESS": "transcripts.example.com", "BASE_URL": "https://eu1.asr.api.speechmatics.com/v2", "ID": "a1b2c3d4e5",
		}[word]
	})
}

// tellableObjects makes one object of each kind that the runbooks' commands are about, with what they ask for.
func tellableObjects(t *testing.T) onCall {
	t.Helper()
	objects := render(t, "config/default")
	newServer(t).createNamespace(t, objects)
	o := onCall{namespace: env.Namespace(t.Context(), t, nil), name: "standup"}
	in := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	for _, deployment := range all[appsv1.Deployment](t, objects, "Deployment") {
		pod := &corev1.Pod{ObjectMeta: deployment.Spec.Template.ObjectMeta, Spec: deployment.Spec.Template.Spec}
		pod.Name, pod.Namespace = deployment.Name+"-0", namespace
		o.pod = pod.Name
		create(t, &deployment, pod)
	}
	create(t,
		&corev1.Secret{ObjectMeta: in(namespace, "notification-keys"), Data: map[string][]byte{"signing-key": bytes.Repeat([]byte("k"), 32)}},
		&coordinationv1.Lease{ObjectMeta: in(namespace, "transcription-operator-manager")},
		&corev1.Secret{ObjectMeta: in(o.namespace, "speechmatics"), Data: map[string][]byte{"apiKey": []byte("key")}},
		&eventsv1.Event{
			ObjectMeta: in(namespace, "receiver.1"), EventTime: metav1.NowMicro(), ReportingController: "kubelet", ReportingInstance: "node", Action: "Mount",
			Reason: "FailedMount", Type: corev1.EventTypeWarning, Regarding: corev1.ObjectReference{Kind: "Pod", Namespace: namespace, Name: o.pod},
		},
		&eventsv1.Event{
			ObjectMeta: in(o.namespace, o.name+".1"), EventTime: metav1.NowMicro(), ReportingController: "manager", ReportingInstance: "manager-0", Action: "Delete",
			Reason: "RemoteJobLeft", Type: corev1.EventTypeWarning, Regarding: corev1.ObjectReference{Kind: "TranscriptionJob", Namespace: o.namespace, Name: o.name},
		})
	key := &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"}
	account := &v1alpha1.SpeechmaticsAccount{ObjectMeta: in(o.namespace, o.name), Spec: v1alpha1.SpeechmaticsAccountSpec{Region: new(v1alpha1.Region("eu1")), APIKeySecretRef: key}}
	shared := &v1alpha1.ClusterSpeechmaticsAccount{ObjectMeta: in("", "shared-"+o.namespace)}
	shared.Spec.Region, shared.Spec.APIKeySecretRef = account.Spec.Region, key
	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: in(o.namespace, o.name),
		Spec:       v1alpha1.TranscriptionJobSpec{Media: v1alpha1.MediaSource{URL: new("https://media.example.com/a.wav")}, Transcription: v1alpha1.TranscriptionConfig{Language: "en"}},
	}
	create(t, account, shared, job)
	account.Status.OrphanedJobs = new(int32(1))
	job.Status.RemoteJob = &v1alpha1.RemoteJob{ID: new("a1b2c3d4e5"), BaseURL: new("https://eu1.asr.api.speechmatics.com/v2")}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionTranscriptAtRisk} {
		job.Status.Conditions = append(job.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAccountNotReady, Message: "m", LastTransitionTime: metav1.Now(),
		})
	}
	for _, object := range []client.Object{account, job} {
		if err := env.Client.Status().Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// create creates objects, which go with the test.
func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := env.Client.Delete(context.WithoutCancel(t.Context()), object, client.GracePeriodSeconds(0)); err != nil {
				t.Error(err)
			}
		})
	}
}

// unscheduled is what the API server says when a log is asked for: all names and labels were found.
var unscheduled = regexp.MustCompile(`(?m)^.*does not have a host assigned\n`)

// runOnCall runs a command as the person would who was woken, and returns what it complains of. That nothing was found is no complaint of grep's.
func runOnCall(t *testing.T, command string) string {
	t.Helper()
	dir := t.TempDir()
	const curl = "#!/bin/sh\ncat >/dev/null\nfor word; do case $word in https://*) exit;; esac; done\necho \"no address: $*\" >&2\n"
	if err := os.WriteFile(filepath.Join(dir, "curl"), []byte(curl), 0o700); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "bash", "-uo", "pipefail", "-c", command)
	shell.Env = append(os.Environ(),
		"PATH="+strings.Join([]string{dir, os.Getenv("KUBEBUILDER_ASSETS"), os.Getenv("PATH")}, string(os.PathListSeparator)),
		"KUBECONFIG="+env.Kubeconfig(t), "KUBECACHEDIR="+t.TempDir())
	var complaints bytes.Buffer
	shell.Stderr = &complaints
	var exit *exec.ExitError
	if err := shell.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return unscheduled.ReplaceAllString(complaints.String(), "")
}

var (
	// logCommand matches a command that looks for something in a log, and its patterns.
	logCommand  = regexp.MustCompile(`(?m)^kubectl [^|\n]*\blogs\b.*$`)
	grepPattern = regexp.MustCompile(`grep (?:-\w+ )*'([^']+)'`)
)

// othersLines are patterns of what the project does not write itself.
var othersLines = []string{`"msg":"Reconciler error"`, `"level":"error"`, "lease", "429"}

// TestLogCommands: what the documentation has people look for in the logs is there, in all of them. Without --tail, kubectl shows ten lines a pod of
// those that a label selects; without a label, one pod of several.
func TestLogCommands(t *testing.T) {
	code := sourceCode(t)
	looked := 0
	for _, pattern := range []string{"docs/*.md", "docs/runbooks/*.md", "README.md"} {
		pages, err := filepath.Glob(filepath.Join(testenv.Root(), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			content, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			for _, command := range logCommand.FindAllString(string(content), -1) {
				looked++
				switch {
				case strings.Contains(command, "logs deployment/"):
					t.Errorf("%s: %s\nshows the log of one pod, whichever; use -l", filepath.Base(page), command)
				case strings.Contains(command, "logs -l") && (!strings.Contains(command, "--tail=") || !strings.Contains(command, "--prefix")):
					t.Errorf("%s: %s\nshows ten lines of each pod, and not of which; use --tail and --prefix", filepath.Base(page), command)
				}
				for _, match := range grepPattern.FindAllStringSubmatch(command, -1) {
					for wanted := range strings.SplitSeq(match[1], "|") {
						key := strings.NewReplacer(`"msg":`, "", `"cause":"`, "", `":[0-9]*`, `"`).Replace(wanted)
						if !slices.Contains(othersLines, wanted) && !strings.Contains(code, key) {
							t.Errorf("%s: %s\nlooks for %q, which nobody writes", filepath.Base(page), command, wanted)
						}
					}
				}
			}
		}
	}
	if looked < 12 {
		t.Errorf("only %d commands were looked at: they are not read as they are written", looked)
	}
}

// sourceCode is all that can be in a log: the code of the programs.
func sourceCode(t *testing.T) string {
	t.Helper()
	var code strings.Builder
	for _, dir := range []string{"cmd", "controllers", "webhookreceiver", "speechmatics", "notification"} {
		err := filepath.WalkDir(filepath.Join(testenv.Root(), dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			code.Write(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return code.String()
}
