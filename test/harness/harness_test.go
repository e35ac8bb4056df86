// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what has to happen soon.
const patience = time.Minute

// script is a program of a line of shell, which writes a line at each start.
func script(t *testing.T, line string, options ProgramOptions) *Program {
	t.Helper()
	options.Name, options.Path, options.Args = "script", "/bin/sh", []string{"-c", "echo started $ORDER; " + line}
	if options.Grace == 0 {
		options.Grace = patience
	}
	program, err := StartProgram(t.TempDir(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := program.Discard(); err != nil {
			t.Error(err)
		}
	})
	return program
}

// lines waits until a program has written so many lines, and returns them.
func lines(t *testing.T, p *Program, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var found []string
	err := poll(ctx, "it has written enough", func(context.Context) error {
		log, err := p.Log()
		if found = strings.Fields(string(log)); len(found) < n {
			return errors.New(string(log))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestProgram_restarts: a program that ends, or is killed, is started again, with the environment of its next run.
func TestProgram_restarts(t *testing.T) {
	p := script(t, "exec sleep 600", ProgramOptions{Runs: []string{"ORDER=first", "ORDER=second"}})
	lines(t, p, 2)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	lines(t, p, 4)
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(lines(t, p, 5), " "); got != "started first started second started" {
		t.Errorf("output %q", got)
	}
	if p.Starts() != 3 || len(p.Exits()) != 2 {
		t.Errorf("%d starts, exits %v", p.Starts(), p.Exits())
	}
}

// TestProgram_hold keeps a program from being started.
func TestProgram_hold(t *testing.T) {
	p := script(t, "exec sleep 600", ProgramOptions{})
	lines(t, p, 1)
	if err := p.Hold(); err != nil {
		t.Fatal(err)
	}
	timer := time.NewTimer(3 * restartDelay)
	<-timer.C
	if p.Running() || p.Starts() != 1 {
		t.Error("it was started although it is held")
	}
	p.Release()
	lines(t, p, 2)
}

// TestProgram_stop: a program that stands still does nothing, and goes on where it was.
func TestProgram_stop(t *testing.T) {
	p := script(t, "while :; do echo .; sleep 0.01; done", ProgramOptions{})
	lines(t, p, 3)
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	// The signal may take a moment, and nothing more comes after that.
	timer := time.NewTimer(200 * time.Millisecond)
	<-timer.C
	before := len(lines(t, p, 3))
	timer.Reset(200 * time.Millisecond)
	<-timer.C
	if after := len(lines(t, p, 3)); after != before {
		t.Errorf("it has written %d lines while it stands still", after-before)
	}
	if err := p.Continue(); err != nil {
		t.Fatal(err)
	}
	lines(t, p, before+1)
	if p.Starts() != 1 {
		t.Error("it was started again")
	}
}

// TestProgram_end: an orderly end is one with exit code 0 within the grace.
func TestProgram_end(t *testing.T) {
	for name, c := range map[string]struct {
		line      string
		signalled bool
		want      string
	}{
		"in order":            {line: `trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done`},
		"with an error":       {line: `trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done`, want: "exit status 3"},
		"not at all":          {line: `trap '' TERM; echo ready; while :; do sleep 0.01; done`, want: "did not end within"},
		"by the signal":       {line: `echo ready; while :; do sleep 0.01; done`, want: "signal: terminated"},
		"by the signal, fine": {line: `echo ready; while :; do sleep 0.01; done`, signalled: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := script(t, c.line, ProgramOptions{Grace: time.Second, Signalled: c.signalled})
			lines(t, p, 2)
			switch err := p.End(); {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("End() = %v, want an error with %q", err, c.want)
			}
			if p.Running() {
				t.Error("it runs")
			}
		})
	}
}

// echo is a server of TCP that sends everything back.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(connection, connection)
				_ = connection.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

// through connects through a proxy.
func through(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// answers reports whether what is sent comes back within some time.
func answers(t *testing.T, connection net.Conn, within time.Duration) error {
	t.Helper()
	if err := connection.SetDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	if _, err := connection.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(connection, make([]byte, 1))
	return err
}

// refused returns the error of a connection that a proxy refuses. The reset may come before or after the dialler has seen
// that the connection was accepted: both are a refusal.
func refused(t *testing.T, p *Proxy) error {
	t.Helper()
	connection, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", p.Address())
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = connection.Close() })
	return answers(t, connection, patience)
}

func TestProxy(t *testing.T) {
	proxy, err := StartProxy(t.Context(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	connection := through(t, proxy)
	if err := answers(t, connection, patience); err != nil {
		t.Fatal(err)
	}

	proxy.Cut()
	if err := answers(t, connection, patience); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after Cut, the connection: %v", err)
	}
	if err := answers(t, through(t, proxy), patience); err != nil {
		t.Errorf("after Cut, a new connection: %v", err)
	}

	proxy.Refuse()
	if err := refused(t, proxy); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after Refuse, a connection: %v", err)
	}
	proxy.Pass()

	proxy.Stall()
	stalled := through(t, proxy)
	if err := answers(t, stalled, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after Stall, a connection: %v", err)
	}
	proxy.Pass()
	if err := answers(t, stalled, patience); err != nil {
		t.Errorf("after Stall and Pass, the connection: %v", err)
	}

	proxy.Delay(100 * time.Millisecond)
	began := time.Now()
	if err := answers(t, through(t, proxy), patience); err != nil || time.Since(began) < 200*time.Millisecond {
		t.Errorf("with a delay either way: %v after %s", err, time.Since(began))
	}
}

// TestFront passes requests on to whoever can be reached, and records what came of them.
func TestFront(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "words" {
			t.Errorf("body %q, %v", body, err)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(backend.Close)
	ports, err := freePorts(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	backends := []string{net.JoinHostPort(loopback, ports[0]), backend.Listener.Addr().String()} // nobody is at the first
	front, err := StartFront(t.Context(), func() []string { return backends })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := front.Close(); err != nil {
			t.Error(err)
		}
	})
	send := func() int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, front.URL()+"/v1/notifications/a/b/c/1?id=x&status=success", strings.NewReader("words"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := localClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	for range 4 {
		if code := send(); code != http.StatusAccepted {
			t.Errorf("code %d", code)
		}
	}
	front.Meddle(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	})
	if code := send(); code != http.StatusTeapot {
		t.Errorf("with somebody who meddles, code %d", code)
	}
	front.Meddle(nil)
	backends = backends[:1]
	if code := send(); code != http.StatusBadGateway {
		t.Errorf("with no backend, code %d", code)
	}
	seen := front.Notifications()
	if len(seen) != 5 {
		t.Fatalf("%d requests are recorded, want those that were passed on: %+v", len(seen), seen)
	}
	first := seen[0]
	if first.Code != http.StatusAccepted || first.JobID != "x" || first.Status != "success" || first.Method != http.MethodPost || !first.IsNotification("a") || first.IsNotification("b") {
		t.Errorf("recorded %+v", first)
	}
}

func TestSumOf(t *testing.T) {
	text := []byte("# HELP x y\n# TYPE x counter\nx{a=\"b c\",d=\"e\"} 2\nx{a=\"f\",d=\"g\"} 3.5\nx_total 9\nbare 7\n")
	for _, c := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"x", nil, 5.5}, {"x", []string{`a="b c"`}, 2}, {"x", []string{`d="g"`}, 3.5}, {"x", []string{`a="none"`}, 0}, {"bare", nil, 7}, {"none", nil, 0},
	} {
		if got, err := sumOf(text, c.name, c.labels); err != nil || got != c.want {
			t.Errorf("sumOf(%s, %q) = %v, %v, want %v", c.name, c.labels, got, err, c.want)
		}
	}
	if _, err := sumOf([]byte("x many\n"), "x", nil); err == nil {
		t.Error("a value that is no number is accepted")
	}
}
