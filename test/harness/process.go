// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is one run of a program.
type process struct {
	name    string
	command *exec.Cmd
	// ended is closed when the process has; err is how, from then on.
	ended chan struct{}
	err   error
}

// startProcess starts a program whose output is appended to a file. It lives until it ends or is killed, whatever becomes of a context.
func startProcess(name, path string, args, environment []string, log *os.File) (*process, error) {
	command := exec.Command(path, args...) //nolint:gosec,noctx // our own programs, which live longer than whatever has started them
	command.Env = append(os.Environ(), environment...)
	piped := &throughPipe{log}
	command.Stdout, command.Stderr = piped, piped
	command.SysProcAttr = endWithParent()
	if err := start(command); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	p := &process{name: name, command: command, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.err = command.Wait()
	}()
	return p, nil
}

// throughPipe hides from exec that a log is a file, so that the process gets a pipe: limits on its files are none on its log.
type throughPipe struct{ io.Writer }

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// signal sends a signal; a process that has ended already is no error.
func (p *process) signal(s syscall.Signal) error {
	if err := p.command.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot send %s to %s: %w", s, p.name, err)
	}
	return nil
}

// kill ends the process with SIGKILL, and waits until it is gone.
func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	if err == nil {
		<-p.ended
	}
	return err
}

// terminate asks the process to end, and kills it after the grace. That it had to, or ended with an error, is an error.
func (p *process) terminate(grace time.Duration) error {
	if err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT)); err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.ended:
		if p.err != nil {
			return fmt.Errorf("%s did not end in order: %w", p.name, p.err)
		}
		return nil
	case <-timer.C:
		return errors.Join(fmt.Errorf("%s did not end within %s of SIGTERM", p.name, grace), p.kill())
	}
}

// output is a log file that processes append to.
type output struct {
	file *os.File
	once sync.Once
}

func openOutput(name string) (*output, error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open a log: %w", err)
	}
	return &output{file: file}, nil
}

func (o *output) close() {
	o.once.Do(func() { _ = o.file.Close() }) // the processes have their own descriptors
}
