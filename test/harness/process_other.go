// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package harness

import (
	"errors"
	"math"
	"os/exec"
	"syscall"
)

// unlimited is no limit.
const unlimited = uint64(math.MaxUint64)

// endWithParent keeps a terminal's Ctrl-C from reaching a process. To end it with this one is not possible here.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// start starts a process.
func start(command *exec.Cmd) error { return command.Start() }

// limitFiles is not possible here.
func limitFiles(int, uint64) error { return errors.ErrUnsupported }
