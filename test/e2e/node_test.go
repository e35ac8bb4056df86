// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// killScript kills each process of the container whose ID it is given, which is in the name of their control group.
const killScript = `killed=
for group in /proc/[0-9]*/cgroup; do
  if grep -q "$0" "$group" 2>/dev/null; then
    pid=${group#/proc/}
    kill -KILL "${pid%/cgroup}" && killed=yes
  fi
done
[ "$killed" ]`

var containerPattern = regexp.MustCompile(`^containerd://([0-9a-f]{64})$`)

// killed is the exit code of a process that SIGKILL has ended.
const killed = 128 + 9

// kill ends the process of a pod's only container by SIGKILL, on its node: it has no moment left to do anything. It returns when the kubelet has seen it.
func (c *cluster) kill(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	status := pod.Status.ContainerStatuses[0]
	id := containerPattern.FindStringSubmatch(status.ContainerID)
	if id == nil {
		t.Fatalf("%s has no container of containerd: %+v", pod.Name, status)
	}
	shell := strings.Fields(*nodeFlag)
	_, err := c.command(t.Context(), "", shell[0], append(shell[1:], "sh", "-c", killScript, id[1])...)
	must(t, err)
	eventually(t, "it is seen that "+pod.Name+" was killed", func(ctx context.Context) error {
		seen := &corev1.Pod{}
		if err := c.client.Get(ctx, client.ObjectKeyFromObject(pod), seen); err != nil {
			return err
		}
		now := seen.Status.ContainerStatuses[0]
		for _, ended := range []*corev1.ContainerStateTerminated{now.State.Terminated, now.LastTerminationState.Terminated} {
			if ended != nil && ended.ContainerID == status.ContainerID && ended.ExitCode == killed {
				return nil
			}
		}
		return fmt.Errorf("the container is said to be %+v", now)
	})
}
