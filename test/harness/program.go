// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// restartDelay is how soon a program is started again that has ended: long enough that one that cannot start does not take the
// machine for itself. A kubelet waits longer.
const restartDelay = 200 * time.Millisecond

// ProgramOptions say what is run.
type ProgramOptions struct {
	// Name is unique in its folder; the log is NAME.log.
	Name string
	// Path is the executable, Args and Environment (NAME=VALUE) what it gets.
	Path        string
	Args        []string
	Environment []string
	// Runs are added to the environment of the first, second, … run, one each: a fault that is ordered by it does not repeat itself.
	Runs []string
	// Health is a URL that answers 200 when the program is ready; Metrics one with its metrics. Either may be empty.
	Health, Metrics string
	// Grace is how long the program may take to end when it is told to.
	Grace time.Duration
	// Signalled means that the program, when it is told to end, does so by the very signal.
	Signalled bool
}

// Program is a process under a supervisor, which starts it again when it ends, as a Deployment does.
type Program struct {
	options ProgramOptions
	log     *output

	mu       sync.Mutex
	current  *process
	starts   int
	held     bool // not to be started again
	exits    []error
	released chan struct{} // closed by resume
	stopped  chan struct{} // closed by the supervisor's end
	ending   chan struct{} // closed by End
	endOnce  sync.Once
}

// StartProgram starts a program and its supervisor. Its log is in dir.
func StartProgram(dir string, options ProgramOptions) (*Program, error) {
	log, err := openOutput(filepath.Join(dir, options.Name+".log"))
	if err != nil {
		return nil, err
	}
	p := &Program{options: options, log: log, stopped: make(chan struct{}), ending: make(chan struct{})}
	if err := p.start(); err != nil {
		log.close()
		return nil, err
	}
	go p.supervise()
	return p, nil
}

// start starts the next run.
func (p *Program) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	environment := slices.Clone(p.options.Environment)
	if p.starts < len(p.options.Runs) {
		environment = append(environment, p.options.Runs[p.starts])
	}
	process, err := startProcess(p.options.Name, p.options.Path, p.options.Args, environment, p.log.file)
	if err != nil {
		return err
	}
	p.current = process
	p.starts++
	return nil
}

// supervise starts the program again whenever it ends, until End.
func (p *Program) supervise() {
	defer close(p.stopped)
	for {
		run := p.run()
		select {
		case <-run.ended:
		case <-p.ending:
			return
		}
		p.mu.Lock()
		p.exits = append(p.exits, run.err)
		p.mu.Unlock()
		timer := time.NewTimer(restartDelay)
		select {
		case <-timer.C:
		case <-p.ending:
			timer.Stop()
			return
		}
		if !p.awaitRelease() {
			return
		}
		if err := p.start(); err != nil {
			p.mu.Lock()
			p.exits = append(p.exits, err)
			p.mu.Unlock()
			return
		}
	}
}

func (p *Program) run() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

// awaitRelease waits as long as the program is held down. It reports false at the end.
func (p *Program) awaitRelease() bool {
	p.mu.Lock()
	held, released := p.held, p.released
	p.mu.Unlock()
	if !held {
		return true
	}
	select {
	case <-released:
		return true
	case <-p.ending:
		return false
	}
}

// Name is the program's.
func (p *Program) Name() string { return p.options.Name }

// Starts is how often it was started.
func (p *Program) Starts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts
}

// Exits are the ends of all runs but the present one; nil is an orderly one.
func (p *Program) Exits() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.exits)
}

// Running reports whether a process is there, stopped or not.
func (p *Program) Running() bool { return !p.run().hasEnded() }

// PID is the present process', for what only the operating system can do to it.
func (p *Program) PID() int { return p.run().command.Process.Pid }

// Kill ends the process with SIGKILL: nothing of it runs any more. It is started again.
func (p *Program) Kill() error { return p.run().kill() }

// Hold kills the process and keeps it from being started again, until Release.
func (p *Program) Hold() error {
	p.mu.Lock()
	if !p.held {
		p.held, p.released = true, make(chan struct{})
	}
	p.mu.Unlock()
	return p.Kill()
}

// Release ends Hold.
func (p *Program) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held {
		p.held = false
		close(p.released)
	}
}

// Stop stops the process (SIGSTOP), in the middle of whatever it does.
func (p *Program) Stop() error { return p.run().signal(syscall.SIGSTOP) }

// Continue lets a stopped process go on.
func (p *Program) Continue() error { return p.run().signal(syscall.SIGCONT) }

// Restart tells the process to end, as a rolling update does, and waits until it has within its grace. It is started again.
func (p *Program) Restart() error { return p.terminate(p.run()) }

// terminate tells a run to end within the program's grace.
func (p *Program) terminate(run *process) error {
	err := run.terminate(p.options.Grace)
	var exit *exec.ExitError
	if p.options.Signalled && errors.As(err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
			return nil
		}
	}
	return err
}

// End tells the program to end within its grace, and the supervisor with it. A second call does nothing.
func (p *Program) End() error { return p.end(p.terminate) }

// Discard ends the program and its supervisor at once, by SIGKILL.
func (p *Program) Discard() error { return p.end((*process).kill) }

func (p *Program) end(how func(*process) error) error {
	var err error
	p.endOnce.Do(func() {
		close(p.ending)
		<-p.stopped
		if run := p.run(); !run.hasEnded() {
			err = how(run)
		}
		p.log.close()
	})
	return err
}

// Log is what the program has written so far, in all its runs.
func (p *Program) Log() ([]byte, error) { return os.ReadFile(p.log.file.Name()) }

// Ready waits until the program answers that it is.
func (p *Program) Ready(ctx context.Context) error {
	if p.options.Health == "" {
		return nil
	}
	return poll(ctx, p.options.Name+" is ready", func(ctx context.Context) error {
		_, err := fetch(ctx, p.options.Health)
		return err
	})
}

// pollInterval is how often a condition is looked at.
const pollInterval = 50 * time.Millisecond

// poll tries something until it succeeds, and tells the last error if it does not in time.
func poll(ctx context.Context, what string, try func(context.Context) error) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, errors.Join(err, ctx.Err()))
		case <-ticker.C:
		}
	}
}

// statusError is an answer other than 200.
func statusError(response *http.Response) error {
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", response.Request.URL.Redacted(), response.Status)
	}
	return nil
}
