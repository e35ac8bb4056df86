// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// complete are flags that are enough.
func complete(more ...string) []string {
	return append([]string{"--namespace=transcription-system", "--receiver-url=http://receiver:8443", "--notification-keys=/keys"}, more...)
}

// The tests are not parallel: controller-runtime's --kubeconfig is a variable of its package.
func TestParseFlags_valid(t *testing.T) {
	c, err := parseFlags(complete("--watch-namespaces=a, b,", "--allowed-base-urls=https://speech.example.com/v2", "--callback-url=https://transcripts.example.com/hooks", "--poll-interval=5s"), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, c.watchNamespaces); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	if len(c.watched()) != 2 || c.pollInterval != 5*time.Second || len(c.allowedBaseURLs) != 1 {
		t.Errorf("config %+v", c)
	}
}

// TestRun_badFlags gives each flag a bad value: the message names the flag, and the exit code is that of a wrong usage.
func TestRun_badFlags(t *testing.T) {
	t.Setenv(podNamespaceVariable, "")
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"nothing", nil, "--namespace"},
		{"no receiver", []string{"--namespace=a", "--notification-keys=/keys"}, "--receiver-url is not set"},
		{"no keys", []string{"--namespace=a", "--receiver-url=http://a"}, "--notification-keys is not set"},
		{"bad namespace", complete("--namespace=A_B"), `"A_B" is not the name of a namespace`},
		{"bad watched namespace", complete("--watch-namespaces=a,B"), `"B" is not the name of a namespace`},
		{"receiver without scheme", complete("--receiver-url=receiver:8443"), "--receiver-url"},
		{"callback with password", complete("--callback-url=https://me:secret@a.example"), "--callback-url"},
		{"callback with query", complete("--callback-url=https://a.example?x=1"), "--callback-url"},
		{"base URL that is none", complete("--allowed-base-urls=speech"), "--allowed-base-urls"},
		{"interval too short", complete("--poll-interval=1ms"), "--poll-interval is 1ms"},
		{"interval too long", complete("--poll-interval=2h"), "--poll-interval is 2h"},
		{"unknown flag", complete("--nonsense"), "nonsense"},
		{"argument", complete("start"), `unexpected argument "start"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stderr bytes.Buffer
			if code := run(c.args, &stderr); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if !strings.Contains(stderr.String(), c.want) {
				t.Errorf("the message does not say %q:\n%s", c.want, stderr.String())
			}
			if strings.Contains(stderr.String(), "secret") && c.name == "callback with password" {
				t.Errorf("the message repeats the password:\n%s", stderr.String())
			}
		})
	}
}

// TestParseFlags_help shows every flag and is no error.
func TestParseFlags_help(t *testing.T) {
	var out bytes.Buffer
	if code := run([]string{"--help"}, &out); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	for _, name := range []string{"receiver-url", "callback-url", "allow-private-addresses", "kubeconfig", "zap-log-level"} {
		if !strings.Contains(out.String(), "-"+name) {
			t.Errorf("--help does not show --%s", name)
		}
	}
}
