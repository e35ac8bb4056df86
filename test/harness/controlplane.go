// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	certutil "k8s.io/client-go/util/cert"
)

// loopback is where everything listens.
const loopback = "127.0.0.1"

// Users of the API server. Their rights are given by roles.
const (
	userAdmin    = "admin"
	userManager  = "manager"
	userReceiver = "webhook-receiver"
)

// durableQuota is how large a durable etcd may grow, in bytes: its recommended maximum. The default is full after a few ten thousand jobs.
const durableQuota = 8 << 30

// controlPlaneGrace is how long etcd and kube-apiserver may take to end. The latter waits for its watches.
const controlPlaneGrace = 30 * time.Second

// ControlPlane is etcd and kube-apiserver, as two programs with a supervisor each. Both keep their addresses and data over restarts.
type ControlPlane struct {
	Etcd, APIServer *Program

	address string
	ca      []byte
	tokens  map[string]string
}

// startControlPlane starts both and waits until the API server is ready.
func startControlPlane(ctx context.Context, dir string, programs Programs, options ClusterOptions) (*ControlPlane, error) {
	c := &ControlPlane{tokens: map[string]string{}}
	if err := c.start(ctx, dir, programs, options); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *ControlPlane) start(ctx context.Context, dir string, programs Programs, options ClusterOptions) error {
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return err
	}
	clients, peers := "http://"+net.JoinHostPort(loopback, ports[0]), "http://"+net.JoinHostPort(loopback, ports[1])
	etcdArgs := []string{
		"--data-dir=" + filepath.Join(dir, "etcd"), "--log-level=warn",
		"--listen-client-urls=" + clients, "--advertise-client-urls=" + clients, "--listen-peer-urls=" + peers,
	}
	if options.Durable {
		etcdArgs = append(etcdArgs, fmt.Sprintf("--quota-backend-bytes=%d", durableQuota))
	} else {
		etcdArgs = append(etcdArgs, "--unsafe-no-fsync")
	}
	c.Etcd, err = StartProgram(dir, ProgramOptions{
		Name: "etcd", Path: programs.Etcd, Grace: controlPlaneGrace, Signalled: true, Health: clients + "/health", Args: etcdArgs,
	})
	if err != nil {
		return err
	}
	if err := c.Etcd.Ready(ctx); err != nil {
		return err
	}
	args, err := c.apiServerArgs(dir, clients, ports[2])
	if err != nil {
		return err
	}
	if options.AuditLog != "" {
		audit, err := auditArgs(dir, options.AuditLog)
		if err != nil {
			return err
		}
		args = append(args, audit...)
	}
	c.address = net.JoinHostPort(loopback, ports[2])
	c.APIServer, err = StartProgram(dir, ProgramOptions{Name: "kube-apiserver", Path: programs.APIServer, Args: args, Grace: controlPlaneGrace})
	if err != nil {
		return err
	}
	return c.Ready(ctx)
}

// apiServerArgs writes the files that the API server needs, and returns its arguments.
func (c *ControlPlane) apiServerArgs(dir, etcd, port string) ([]string, error) {
	certificate, key, err := certutil.GenerateSelfSignedCertKey(loopback, []net.IP{net.ParseIP(loopback)}, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot make a certificate for the API server: %w", err)
	}
	c.ca = certificate
	var tokens strings.Builder
	for user, groups := range map[string]string{userAdmin: "system:masters", userManager: "", userReceiver: ""} {
		c.tokens[user] = randomHex()
		fmt.Fprintf(&tokens, "%s,%s,%s,%q\n", c.tokens[user], user, user, groups)
	}
	files := map[string]string{"apiserver.crt": string(certificate), "apiserver.key": string(key), "tokens.csv": tokens.String()}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, fmt.Errorf("cannot write the API server's files: %w", err)
		}
	}
	keyFile := filepath.Join(dir, "apiserver.key")
	return []string{
		"--etcd-servers=" + etcd, "--bind-address=" + loopback, "--secure-port=" + port,
		"--tls-cert-file=" + filepath.Join(dir, "apiserver.crt"), "--tls-private-key-file=" + keyFile,
		"--token-auth-file=" + filepath.Join(dir, "tokens.csv"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://" + loopback, "--service-account-key-file=" + keyFile, "--service-account-signing-key-file=" + keyFile,
		"--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount",
		"--cert-dir=" + dir, "--v=0",
	}, nil
}

// auditPolicy has every request logged once, when it was answered. Watches are answered for as long as they last.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
omitManagedFields: true
rules:
- level: None
  verbs: [watch]
- level: None
  nonResourceURLs: ["*"]
- level: Metadata
`

// auditArgs writes the policy of the audit log, and returns the API server's arguments for it.
func auditArgs(dir, file string) ([]string, error) {
	policy := filepath.Join(dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("cannot write the audit policy: %w", err)
	}
	return []string{"--audit-policy-file=" + policy, "--audit-log-path=" + file, "--audit-log-maxsize=10000"}, nil
}

// Ready waits until the API server answers that it is.
func (c *ControlPlane) Ready(ctx context.Context) error {
	client, err := rest.HTTPClientFor(c.config(userAdmin))
	if err != nil {
		return fmt.Errorf("cannot make a client of the API server: %w", err)
	}
	defer client.CloseIdleConnections()
	client.Timeout = 2 * time.Second
	return poll(ctx, "the API server is ready", func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+c.address+"/readyz", http.NoBody)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		return errors.Join(statusError(response), response.Body.Close())
	})
}

// config reaches the API server as a user.
func (c *ControlPlane) config(user string) *rest.Config {
	return &rest.Config{
		Host:            "https://" + c.address,
		BearerToken:     c.tokens[user],
		TLSClientConfig: rest.TLSClientConfig{CAData: c.ca},
		QPS:             -1, // tests are not to be slowed down by the client
	}
}

// writeKubeconfig writes a kubeconfig for a user who reaches the API server at another address, of a proxy.
func (c *ControlPlane) writeKubeconfig(file, user, address string) error {
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: "https://" + address, CertificateAuthorityData: c.ca}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{user: {Token: c.tokens[user]}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: user}},
		CurrentContext: "test",
	}, file)
	if err != nil {
		return fmt.Errorf("cannot write a kubeconfig: %w", err)
	}
	return nil
}

// Close ends both.
func (c *ControlPlane) Close() error {
	var all []error
	for _, program := range []*Program{c.APIServer, c.Etcd} {
		if program != nil {
			all = append(all, program.End())
		}
	}
	return errors.Join(all...)
}

func randomHex() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never returns an error
	return hex.EncodeToString(random[:])
}
