// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// held is a request whose body begins and does not come to its end before the returned function is called.
func (r *rig) held(t *testing.T, job *v1alpha1.TranscriptionJob, contentType, beginning string) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		_, _ = r.try(ctx, targetOf(job, 1), request{contentType: contentType, body: &slowReader{strings.NewReader(beginning), closed}})
	})
	return func() {
		cancel()
		close(closed)
		ended.Wait()
	}
}

// Who holds good tokens of his own jobs takes the places of one namespace with bodies that do not end: the others keep theirs, at the same
// door.
func TestOneNamespaceLeavesRoom(t *testing.T) {
	r := start(t, func(o *Options) { o.Limits.PublicRequests = 4 })
	thief, victim := newJob(t), newJob(t)
	defer r.held(t, thief, "text/plain", "Good")()
	defer r.held(t, thief, "text/plain", "Good")()
	waitFor(t, "the bodies are waited for", func() bool { return len(r.server.public.room) == 2 })
	for range 3 {
		if got := r.send(t, thief, multi(t, everything(t, thief)...)); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
			t.Errorf("a third request of the same namespace: %+v", got)
		}
	}
	if got := r.send(t, victim, multi(t, everything(t, victim)...)); got.status != http.StatusNoContent {
		t.Errorf("another namespace's notification: %+v", got)
	}
}

// A refusal is whole at once, though the sender has not come to the end of its body: a proxy in between passes on what is whole.
func TestRefusalIsWholeAtOnce(t *testing.T) {
	r := start(t)
	job := newJob(t)
	connection := raw(t, r, job, "Content-Encoding: gzip\r\nContent-Length: 1000\r\n", "the beginning")
	if err := connection.SetDeadline(time.Now().Add(r.server.options.Limits.BodyStall / 2)); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusUnsupportedMediaType || string(body) != "Unsupported Media Type\n" {
		t.Errorf("answer %s, %q, %v", response.Status, body, err)
	}
}

// Whoever opens connections and sends nothing takes all that the public door has. It serves no more than those at a time, which need little
// memory each, and the next one when one of them ends; the manager's deliveries come in by another door.
func TestConnectionsAreBounded(t *testing.T) {
	r := start(t)
	job := newJob(t)
	before := heap()
	open := func(request string) net.Conn {
		t.Helper()
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.public, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = connection.Close() })
		if _, err := io.WriteString(connection, request); err != nil {
			t.Fatal(err)
		}
		return connection
	}
	var idle net.Conn
	began := time.Now()
	for range maxConnections {
		idle = open("POST / HTTP/1.1\r\nX: " + strings.Repeat("x", 1000))
	}
	next := open("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if got := r.send(t, job, delivery(multi(t, everything(t, job)...))); got.status != http.StatusNoContent {
		t.Errorf("a delivery: %+v", got)
	}
	// The other ends of the connections are of this process, too.
	if grown := int64(heap()) - int64(before); grown > maxConnections*64<<10 {
		t.Errorf("%d connections need %d bytes", maxConnections, grown)
	}

	answered := func(within time.Duration) error {
		t.Helper()
		if err := next.SetReadDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		_, err := next.Read(make([]byte, 1))
		return err
	}
	// A door without a bound has answered long before the delivery has ended.
	if err := answered(100 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		if time.Since(began) > readHeaderTimeout {
			t.Skip("this machine is so slow that headers have timed out meanwhile")
		}
		t.Errorf("one connection more than %d is served: %v", maxConnections, err)
	}
	if err := idle.Close(); err != nil {
		t.Fatal(err)
	}
	if err := answered(readHeaderTimeout / 2); err != nil {
		t.Errorf("it is not served when another one has ended: %v", err)
	}
}

// Connections that take all that the public door has, and then do nothing, end by themselves: the door opens again, as it is shipped, however
// they came to be idle.
func TestIdleConnectionsEnd(t *testing.T) {
	target := notification.Target{Namespace: "default", Name: "standup", UID: "6f1f0a5e-3a52-4c0e-9d2e-0123456789ab", Attempt: 1}
	keyring, err := notification.NewKeyring(signingKey())
	if err != nil {
		t.Fatal(err)
	}
	token := keyring.Token(notification.PurposeCallback, target)
	nobodys := interceptor.NewClient(env.Client, interceptor.Funcs{Get: func(_ context.Context, _ client.WithWatch, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
		return apierrors.NewNotFound(v1alpha1.SchemeGroupVersion.WithResource("transcriptionjobs").GroupResource(), key.Name)
	}})
	for name, tt := range map[string]struct {
		request string
		most    time.Duration
	}{
		"nothing":                                {"", readHeaderTimeout},
		"half a line":                            {"POST / HT", readHeaderTimeout},
		"half a header":                          {"POST " + target.Path() + " HTTP/1.1\r\nX: ", readHeaderTimeout},
		"a request that is refused, and no body": {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", defaultBodyStall + time.Second},
		"a request that is answered": {
			"POST " + target.Path() + "?id=" + jobID + "&status=success HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 0\r\n\r\n", 0, // at once
		},
	} {
		t.Run(name, func(t *testing.T) {
			scratch := newScratch(t)
			synctest.Test(t, func(t *testing.T) {
				listener := &pipes{accepted: make(chan net.Conn, maxConnections+1), closed: make(chan struct{})}
				s := New(Options{Client: nobodys, Keys: keyring, Scratch: scratch})
				endpoint := s.doorway("public", listener, s.public)
				var running sync.WaitGroup
				running.Go(func() {
					if err := endpoint.serve(); err != nil {
						t.Error(err)
					}
				})
				began := time.Now()
				for range maxConnections {
					running.Go(func() { _, _ = io.Copy(io.Discard, listener.dial(tt.request)) })
				}
				synctest.Wait()
				next := bufio.NewReader(listener.dial("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
				if _, err := next.Peek(1); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > tt.most || (took == 0) != (tt.most == 0) {
					t.Errorf("the door was shut for %s, want %s at most", took, tt.most)
				}
				if err := endpoint.server.Close(); err != nil {
					t.Error(err)
				}
				_, _ = io.Copy(io.Discard, next)
				running.Wait()
			})
		})
	}
}

// pipes is a listener for connections within the process, which know no other time than the test's.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

// dial opens a connection and sends something, as soon as the other end takes it.
func (p *pipes) dial(request string) net.Conn {
	here, there := net.Pipe()
	p.accepted <- there
	go func() { _, _ = io.WriteString(here, request) }()
	return here
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case connection := <-p.accepted:
		return connection, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// heap is how much memory is in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestShares(t *testing.T) {
	s := newShares(2)
	var leave [2]func()
	for i := range leave {
		var ok bool
		if leave[i], ok = s.take("a"); !ok {
			t.Fatalf("place %d is refused", i)
		}
	}
	if _, ok := s.take("a"); ok {
		t.Error("a third place is given")
	}
	if other, ok := s.take("b"); !ok {
		t.Error("another namespace gets none")
	} else {
		other()
	}
	leave[0]()
	if again, ok := s.take("a"); !ok {
		t.Error("a place that was given back is not given again")
	} else {
		again()
	}
	leave[1]()
	if len(s.taken) != 0 {
		t.Errorf("still taken: %v", s.taken)
	}
}

// A document at the public door fills all the room that there is for it, and does not come to its end; others wait there to be read. The
// manager's deliveries have room, and are read.
func TestPublicDoorLeavesScratch(t *testing.T) {
	const part = 64 << 10
	r := start(t, func(o *Options) {
		var err error
		if o.Scratch, err = store.OpenScratch(t.TempDir(), 2*int64(part), clock.RealClock{}); err != nil {
			t.Fatal(err)
		}
	})
	thief, victim := newJob(t, withFormats("vtt")), newJob(t, withFormats("vtt"))
	const head = `{"format":"2.9","x":"`
	defer r.held(t, thief, "application/json", head+strings.Repeat("x", part-len(head)))()
	waitFor(t, "the room is taken", func() bool { return r.server.options.Scratch.Used() == int64(part) })
	for range cap(r.server.public.readers) {
		r.server.public.readers <- struct{}{}
	}
	document := multi(t, item{"transcript.json-v2", "", "", spoken})
	if got := r.send(t, victim, document); got.status != http.StatusServiceUnavailable {
		t.Errorf("a document at the public door: %+v", got)
	}
	document = multi(t, item{"transcript.json-v2", "", "", spoken})
	document.internal = true
	if got := r.send(t, victim, document); got.status != http.StatusNoContent {
		t.Errorf("a delivery: %+v", got)
	}
	if got := read(t, victim).Status.Transcripts; len(got) != 1 {
		t.Errorf("stored %+v", got)
	}
}
