// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import "syscall"

// endWithParent has a process killed when this one ends, however it does: a test that is killed leaves nothing behind.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
