// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Proxy passes TCP connections on to one address, and can be told to break them. It never looks into what passes.
type Proxy struct {
	listener net.Listener
	target   string

	mu          sync.Mutex
	refusing    bool
	delay       time.Duration
	stalled     chan struct{} // not nil while nothing passes; closed by Pass
	connections map[net.Conn]struct{}
	closed      bool
	work        sync.WaitGroup
}

// StartProxy starts a proxy on a free port of loopback.
func StartProxy(ctx context.Context, target string) (*Proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot start a proxy of %s: %w", target, err)
	}
	p := &Proxy{listener: listener, target: target, connections: map[net.Conn]struct{}{}}
	p.work.Go(p.accept)
	return p, nil
}

// Address is where the proxy listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Cut breaks all connections; new ones are made.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for connection := range p.connections {
		reset(connection)
	}
}

// Refuse breaks all connections and those that are tried, until Pass.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	p.refusing = true
	p.mu.Unlock()
	p.Cut()
}

// Stall lets connections be made and nothing pass, until Pass.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled == nil {
		p.stalled = make(chan struct{})
	}
}

// Delay holds back whatever passes for some time, until Pass.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Pass ends Refuse, Stall and Delay.
func (p *Proxy) Pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing, p.delay = false, 0
	if p.stalled != nil {
		close(p.stalled)
		p.stalled = nil
	}
}

// Close ends the proxy and all its connections.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Pass()
	err := p.listener.Close()
	p.Cut()
	p.work.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		p.work.Go(func() { p.serve(client) })
	}
}

// serve passes one connection on, in both directions.
func (p *Proxy) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	if !p.add(client) {
		return
	}
	defer p.remove(client)
	server, err := (&net.Dialer{Timeout: 5 * time.Second}).Dial("tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	defer func() { _ = server.Close() }()
	if !p.add(server) {
		return
	}
	defer p.remove(server)
	var both sync.WaitGroup
	both.Go(func() { p.pass(server, client) })
	both.Go(func() { p.pass(client, server) })
	both.Wait()
}

// pass copies one direction to its end, and passes the end on.
func (p *Proxy) pass(to, from net.Conn) {
	_, err := io.Copy(&gate{proxy: p, to: to}, from)
	if err != nil {
		reset(to)
		reset(from)
		return
	}
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite() // the other side may be gone
	}
}

// add notes a connection, so that it can be cut; it is not taken while connections are refused.
func (p *Proxy) add(connection net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refusing || p.closed {
		reset(connection)
		return false
	}
	p.connections[connection] = struct{}{}
	return true
}

func (p *Proxy) remove(connection net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.connections, connection)
}

// hold waits as long as what passes is to be held back.
func (p *Proxy) hold() {
	p.mu.Lock()
	delay, stalled := p.delay, p.stalled
	p.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		<-timer.C
	}
	if stalled != nil {
		<-stalled
	}
}

// gate is a writer that the proxy can hold back.
type gate struct {
	proxy *Proxy
	to    io.Writer
}

func (g *gate) Write(b []byte) (int, error) {
	g.proxy.hold()
	return g.to.Write(b)
}

// reset closes a connection so that the other side notices it as broken.
func reset(connection net.Conn) {
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it is closed either way
	}
	_ = connection.Close()
}
