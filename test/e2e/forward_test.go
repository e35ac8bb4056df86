// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"context"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
	"time"
)

var forwardingPattern = regexp.MustCompile(`^Forwarding from (127\.0\.0\.1:[0-9]+) `)

// forward makes a port of a Service's or pod's reachable from here until the test ends, and returns its address. Whoever is reached sees a
// peer on its own loopback.
func (c *cluster) forward(t *testing.T, namespace, target, port string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // the test's own ends before its cleanups
	cmd := exec.CommandContext(ctx, *kubectlFlag, "--kubeconfig", *kubeconfigFlag, "-n", namespace,
		"port-forward", "--address=127.0.0.1", target, ":"+port)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var problems lockedBuffer
	cmd.Stderr = &problems
	output, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	addresses := make(chan string, 1)
	drained := make(chan struct{})
	go func() { // reads until the end, or else kubectl could not write any more
		defer close(drained)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if found := forwardingPattern.FindStringSubmatch(lines.Text()); found != nil {
				select {
				case addresses <- found[1]:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-drained
		_ = cmd.Wait() // it was told to end
	})
	select {
	case address := <-addresses:
		return address
	case <-drained:
		t.Fatalf("no way to %s of %s: %s", target, namespace, problems.String())
	case <-time.After(patience):
		t.Fatalf("no way to %s of %s within %s: %s", target, namespace, patience, problems.String())
	}
	return ""
}
