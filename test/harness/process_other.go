// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package harness

import "syscall"

// endWithParent keeps a terminal's Ctrl-C from reaching a process. To end it with this one is not possible here.
func endWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
