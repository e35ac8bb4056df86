// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/transcription-operator/transcription-operator/internal/testenv"
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
		{"window too short", complete("--submission-window=1ms"), "--submission-window is 1ms; it must be between 1s and 1h"},
		{"lag too long", complete("--list-lag=2h"), "--list-lag is 2h"},
		{"negative skew", complete("--clock-skew=-1s"), "--clock-skew is -1s"},
		{"provider's skew too long", complete("--provider-clock-skew=48h"), "--provider-clock-skew is 48h"},
		{"no interval for secrets", complete("--secret-interval=0s"), "--secret-interval is 0s"},
		{"retries without pause", complete("--retry-interval=0s"), "--retry-interval is 0s"},
		{"lease too short", complete("--leader-elect-lease-duration=10s"), "--leader-elect-lease-duration is 10s; it must be longer than --leader-elect-renew-deadline"},
		{"deadline too short", complete("--leader-elect-renew-deadline=2s"), "must be longer than 1.2 times --leader-elect-retry-period"},
		{"no retry period", complete("--leader-elect-retry-period=0s"), "--leader-elect-retry-period is 0s"},
		{"Secret that cannot be", []string{"--namespace=a", "--make-notification-keys=a/b"}, `"a/b" is not the name of a Secret`},
		{"Secret without a namespace", []string{"--make-notification-keys=a"}, "--namespace is not set"},
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

// TestParseFlags_timings has the documented defaults, and takes what is given.
func TestParseFlags_timings(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want timings
	}{
		{"defaults", complete(), timings{time.Minute, time.Minute, 10 * time.Second, 10 * time.Minute, 5 * time.Minute, 10 * time.Second, time.Hour, 15 * time.Second, 10 * time.Second, 2 * time.Second}},
		{"given", complete("--submission-window=3s", "--list-lag=1s", "--clock-skew=500ms", "--provider-clock-skew=1m", "--secret-interval=2s", "--retry-interval=500ms", "--orphan-interval=10m",
			"--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=400ms"),
			timings{3 * time.Second, time.Second, 500 * time.Millisecond, time.Minute, 2 * time.Second, 500 * time.Millisecond, 10 * time.Minute, 3 * time.Second, 2 * time.Second, 400 * time.Millisecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := parseFlags(c.args, &bytes.Buffer{})
			if err != nil {
				t.Fatal(err)
			}
			if config.timings != c.want {
				t.Errorf("timings %+v, want %+v", config.timings, c.want)
			}
		})
	}
}

// TestTimings_documented holds the timings to docs/operations.md, in both directions.
func TestTimings_documented(t *testing.T) {
	var want [][]string
	for _, f := range (&timings{}).flags() {
		want = append(want, []string{"--" + f.name, short(f.fallback), short(f.shortest) + " to " + short(f.longest)})
	}
	rows := testenv.Table(t, "docs/operations.md", "| flag | default | range | what it is | touch it when |")
	for i, cells := range rows {
		if len(cells) != 5 || cells[3] == "" || cells[4] == "" {
			t.Fatalf("the row %q does not say what it is and when to touch it", cells)
		}
		rows[i] = cells[:3]
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("docs/operations.md, timings (-want +got):\n%s", diff)
	}
}

// short is a duration without the units of which it has none.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
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

// TestLog: a line about an error is one line that a person can read, and has the stack only if that is asked for.
func TestLog(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		stack bool
	}{
		"usually": {complete(), false}, "asked for": {complete("--zap-stacktrace-level=error"), true},
	} {
		config, err := parseFlags(c.args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		config.zap.DestWriter = &log
		zap.New(zap.UseFlagOptions(&config.zap)).Error(errors.New("it is full"), "Not stored")
		line := log.String()
		if strings.Count(line, "\n") != 1 || !strings.Contains(line, `"error":"it is full"`) || strings.Contains(line, "stacktrace") != c.stack {
			t.Errorf("%s: %s", name, line)
		}
	}
}
