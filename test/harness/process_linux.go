// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// unlimited is no limit.
const unlimited = uint64(unix.RLIM_INFINITY)

// endWithParent has a process killed when this one ends, however it does: a test that is killed leaves nothing behind.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// start starts a process that obeys the modes of files even if it is root's, as it does in a pod, which has no capabilities.
func start(command *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// What the thread may pass on is bounded for good, which does no harm. Who is not root must not do it, and need not.
	_ = unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_DAC_OVERRIDE, 0, 0, 0)
	return command.Start()
}

// limitFiles bounds the length of the files that a process writes.
func limitFiles(pid int, bytes uint64) error {
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &limit); err != nil {
		return err
	}
	limit.Cur = min(bytes, limit.Max)
	return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &limit, nil)
}
