// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are taken from below those that systems give away by themselves (from 32768 on with Linux, from 49152 with others). A port of those
// may be another program's, or that of an outgoing connection, before the program that it was chosen for listens, or while it is dead.
const (
	firstPort = 10000
	lastPort  = 29999
)

// given are the ports that this process has given away. They are given once, whether or not somebody listens just now.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// freePorts finds ports that nobody listens at.
func freePorts(ctx context.Context, n int) ([]string, error) {
	given.Lock()
	defer given.Unlock()
	ports := make([]string, 0, n)
	err := errors.New("all are given away")
	for range lastPort - firstPort {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort+1) //nolint:gosec // No secret depends on it.
		if given.ports[port] {
			continue
		}
		if err = tryPort(ctx, port); err == nil {
			given.ports[port] = true
			ports = append(ports, strconv.Itoa(port))
		}
	}
	return nil, fmt.Errorf("cannot find %d free ports between %d and %d: %w", n, firstPort, lastPort, err)
}

// tryPort listens at a port for a moment.
func tryPort(ctx context.Context, port int) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return listener.Close()
}
