// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package crashpoint

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestParse_bad refuses what would be obeyed otherwise than it was meant.
func TestParse_bad(t *testing.T) {
	for _, text := range []string{"a", "a:1", "a:0:kill", "a:-1:kill", "a:x:kill", "a:1:explode", "a:1:kill,", "a:1:kill:b", "a:99999999999:kill"} {
		if _, err := parse(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// TestAt kills a process at the second pass, and no other.
func TestAt(t *testing.T) {
	if os.Getenv("CRASHPOINT_TEST") != "" {
		At(Claimed)
		At(Recorded)
		_, _ = os.Stdout.WriteString("once\n")
		At(Claimed)
		_, _ = os.Stdout.WriteString("twice\n")
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestAt$")
	child.Env = append(os.Environ(), "CRASHPOINT_TEST=1", Variable+"=manager-claimed:2:kill")
	output, err := child.Output()
	status, ok := child.ProcessState.Sys().(syscall.WaitStatus)
	if err == nil || !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("the process has ended with %v, not by SIGKILL", err)
	}
	if got := string(output); !strings.Contains(got, "once") || strings.Contains(got, "twice") {
		t.Errorf("output %q, want only what comes before the second pass", got)
	}
}
