// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// canary is a server within the network that nobody is to reach.
type canary struct {
	*httptest.Server

	connections atomic.Int32
}

func newCanary(t *testing.T) *canary {
	t.Helper()
	c := &canary{Server: httptest.NewUnstartedServer(http.NotFoundHandler())}
	c.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			c.connections.Add(1)
		}
	}
	c.Start()
	t.Cleanup(func() {
		c.Close()
		if n := c.connections.Load(); n > 0 {
			t.Errorf("a server within the network was connected to %d times", n)
		}
	})
	return c
}

func (c *canary) port() string { return strconv.Itoa(c.Listener.Addr().(*net.TCPAddr).Port) }

// TestInternalAddress gives accounts addresses within the network, spelled in every way. Nobody connects to them, and the account says why.
func TestInternalAddress(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	addresses := []string{
		"http://127.0.0.1:" + c.port() + "/v2", "http://localhost:" + c.port() + "/v2", "http://[::ffff:127.0.0.1]:" + c.port() + "/v2",
		"http://[::ffff:7f00:1]:" + c.port() + "/v2", "http://0.0.0.0:" + c.port() + "/v2", "http://[::]:" + c.port() + "/v2", "http://[::1]:" + c.port() + "/v2",
		"http://127.1.2.3:" + c.port() + "/v2", "http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]/latest", "http://168.63.129.16/machine", "http://[2002:7f00:1::]/v2",
	}
	w := newWorld(t, withOptions(func(o *Options) { o.AllowPrivateAddresses, o.AllowedBaseURLs = false, addresses }))
	w.secret("speechmatics", corev1.SecretTypeOpaque, map[string]string{"apiKey": apiKey})
	for i, address := range addresses {
		account := &v1alpha1.SpeechmaticsAccount{
			ObjectMeta: w.meta("account-" + strconv.Itoa(i)),
			Spec: v1alpha1.SpeechmaticsAccountSpec{
				BaseURL: &address, APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"},
			},
		}
		w.create(account)
		if message := w.awaitAccount(account, v1alpha1.ReasonProviderUnavailable); !strings.Contains(message, "--allow-private-addresses") {
			t.Errorf("%s: the message does not say what to do: %s", address, message)
		}
	}
	// What the administrator does not list, nobody can name, wherever it is.
	other := "http://localhost:" + c.port() + "/v2/"
	for _, address := range []string{other + "x", "http://127.0.0.1:" + c.port() + "/v2@evil.example", "https://127.0.0.1:" + c.port() + "/v2"} {
		account := &v1alpha1.SpeechmaticsAccount{ObjectMeta: w.meta("other"), Spec: v1alpha1.SpeechmaticsAccountSpec{
			BaseURL: &address, APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "speechmatics", Key: "apiKey"},
		}}
		if err := env.Client.Create(w.ctx, account); err != nil {
			continue // the schema refuses it
		}
		w.awaitAccount(account, v1alpha1.ReasonBaseURLNotAllowed)
		w.delete(account)
	}
}

// TestRedirectToInternalAddress has a provider answer every request with a redirect into the network. Nobody follows it.
func TestRedirectToInternalAddress(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	var asked atomic.Int32
	provider := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.Redirect(rw, r, c.URL+"/v2/jobs", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(provider.Close)
	address := provider.URL + "/v2"
	w := newWorld(t, withOptions(func(o *Options) { o.AllowedBaseURLs = []string{address} }))
	account := w.account(func(a *v1alpha1.SpeechmaticsAccount) { a.Spec.BaseURL = &address })
	w.awaitAccount(account, v1alpha1.ReasonProviderUnavailable)
	if asked.Load() == 0 {
		t.Error("the provider was not asked at all")
	}
}

// TestNameThatChanges has a name resolve to a public address when somebody checks it, and to one within the network from then on, as an
// attacker's own DNS server can. What is refused is the address that is dialled.
func TestNameThatChanges(t *testing.T) {
	t.Parallel()
	c := newCanary(t)
	resolver := startResolver(t, "198.51.100.7", "127.0.0.1")
	if checked, err := resolver.LookupHost(t.Context(), "api.evil.example."); err != nil || len(checked) != 1 || checked[0] != "198.51.100.7" {
		t.Fatalf("the check finds %v, %v", checked, err)
	}
	dialer := newDialer(false)
	dialer.Resolver = resolver
	connection, err := dialer.DialContext(t.Context(), "tcp4", "api.evil.example.:"+c.port())
	if err == nil {
		_ = connection.Close()
	}
	if !errors.Is(err, errPrivateAddress) {
		t.Errorf("dialling ended with %v", err)
	}
}

// startResolver is a resolver of a DNS server that answers with one address after the other, and with the last one for ever.
func startResolver(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	socket, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 1500)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return // closed
			}
			var question dnsmessage.Message
			if question.Unpack(buffer[:n]) != nil || len(question.Questions) != 1 {
				continue
			}
			reply := question
			reply.Response, reply.Additionals = true, nil
			if asked := question.Questions[0]; asked.Type == dnsmessage.TypeA {
				reply.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: asked.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}, // for no time at all
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addresses[0]).As4()},
				}}
				addresses = addresses[min(1, len(addresses)-1):]
			}
			if packed, err := reply.Pack(); err == nil {
				_, _ = socket.WriteTo(packed, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = socket.Close()
		<-done
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", socket.LocalAddr().String())
	}
	return &net.Resolver{PreferGo: true, Dial: dial}
}
