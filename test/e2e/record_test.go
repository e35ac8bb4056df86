// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// lastLines is how many lines of each log are printed after a failure.
const lastLines = 40

// record keeps all that is told: what containers log, events, and statuses. What is gone at the end of the test is in it, too.
type record struct {
	cluster *cluster
	streams sync.WaitGroup

	mu   sync.Mutex
	logs map[string]*lockedBuffer
	said map[string]string
}

// keepRecord keeps one until the test ends.
func keepRecord(t *testing.T, c *cluster) *record {
	t.Helper()
	r := &record{cluster: c, logs: map[string]*lockedBuffer{}, said: map[string]string{}}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var looking sync.WaitGroup
	looking.Go(func() {
		_ = wait.PollUntilContextCancel(ctx, time.Second/2, true, func(ctx context.Context) (bool, error) { // ends with the context
			r.look(ctx)
			return false, nil
		})
	})
	t.Cleanup(func() {
		stop()
		looking.Wait()
		r.streams.Wait()
	})
	return r
}

// look takes down what is new. What cannot be read now is read the next time.
func (r *record) look(ctx context.Context) {
	for _, namespace := range []string{operatorNamespace, providerNamespace} {
		pods := &corev1.PodList{}
		if r.cluster.client.List(ctx, pods, client.InNamespace(namespace)) != nil {
			continue
		}
		for i := range pods.Items {
			r.follow(ctx, &pods.Items[i])
		}
	}
	events := &corev1.EventList{}
	if r.cluster.client.List(ctx, events) == nil {
		for i := range events.Items {
			e := &events.Items[i]
			r.say("event", e.Namespace, e.Name, e.ResourceVersion, e)
		}
	}
	jobs := &v1alpha1.TranscriptionJobList{}
	if r.cluster.client.List(ctx, jobs) == nil {
		for i := range jobs.Items {
			j := &jobs.Items[i]
			r.say("job", j.Namespace, j.Name, string(j.UID)+" "+j.ResourceVersion, j)
		}
	}
	clusterAccounts := &v1alpha1.ClusterSpeechmaticsAccountList{}
	if r.cluster.client.List(ctx, clusterAccounts) == nil {
		for i := range clusterAccounts.Items {
			a := &clusterAccounts.Items[i]
			r.say("cluster account", "", a.Name, string(a.UID)+" "+a.ResourceVersion, a)
		}
	}
	configMaps := &corev1.ConfigMapList{}
	if r.cluster.client.List(ctx, configMaps) == nil {
		for i := range configMaps.Items {
			m := &configMaps.Items[i]
			r.say("ConfigMap", m.Namespace, m.Name, string(m.UID)+" "+m.ResourceVersion, m)
		}
	}
	accounts := &v1alpha1.SpeechmaticsAccountList{}
	if r.cluster.client.List(ctx, accounts) == nil {
		for i := range accounts.Items {
			a := &accounts.Items[i]
			r.say("account", a.Namespace, a.Name, string(a.UID)+" "+a.ResourceVersion, a)
		}
	}
}

// say takes down an object, metadata included: annotations are told as well.
func (r *record) say(kind, namespace, name, version string, object any) {
	text, err := json.Marshal(object)
	if err != nil {
		text = []byte(err.Error())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said[strings.Join([]string{kind, namespace, name, version}, " ")] = string(text)
}

// sayOutput takes down what a program has printed.
func (r *record) sayOutput(program, output string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said[fmt.Sprintf("output #%d of %s", len(r.said), program)] = output
}

// follow reads the logs of a pod's containers to their end, once for each time that they are started.
func (r *record) follow(ctx context.Context, pod *corev1.Pod) {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if status.State.Running == nil && status.State.Terminated == nil {
			continue
		}
		key := fmt.Sprintf("%s/%s %s #%d", pod.Namespace, pod.Name, status.Name, status.RestartCount)
		r.mu.Lock()
		_, followed := r.logs[key]
		log := &lockedBuffer{}
		if !followed {
			r.logs[key] = log
		}
		r.mu.Unlock()
		if followed {
			continue
		}
		r.streams.Go(func() {
			request := r.cluster.pods.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: status.Name, Follow: true})
			stream, err := request.Stream(ctx)
			if err != nil {
				_, _ = fmt.Fprintf(log, "(the log cannot be read: %v)\n", err)
				return
			}
			_, _ = io.Copy(log, stream) // to its end, or the test's
			_ = stream.Close()
		})
	}
}

// logsOf returns what the containers of pods have logged whose key begins with a prefix: NAMESPACE/POD.
func (r *record) logsOf(prefix string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all strings.Builder
	for _, key := range slices.Sorted(maps.Keys(r.logs)) {
		if strings.HasPrefix(key, prefix) {
			all.WriteString(r.logs[key].String())
		}
	}
	return all.String()
}

// everything is each text that was told, by where.
func (r *record) everything() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := maps.Clone(r.said)
	for key, log := range r.logs {
		all["log of "+key] = log.String()
	}
	return all
}

func (r *record) print(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(r.logs)) {
		lines := slices.DeleteFunc(strings.SplitAfter(r.logs[key].String(), "\n"), func(line string) bool { return strings.Contains(line, "path=/healthz") })
		t.Logf("--- the last lines of %s\n%s", key, strings.Join(lines[max(0, len(lines)-lastLines):], ""))
	}
}

// lockedBuffer is written and read at the same time.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write implements [io.Writer].
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

// String returns what was written so far.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
