// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/transcription-operator/transcription-operator/transcript/store"
	"github.com/transcription-operator/transcription-operator/webhookreceiver"
)

func TestFlags(t *testing.T) {
	got, err := parseFlags([]string{"--notification-keys=/keys", "--volume=a=/mnt/a/,ReadWriteMany", "--volume", "b.c=/mnt/b,ReadWriteMany",
		"--replicas=2", "--body-max-bytes=1Gi", "--configmap-max-bytes=1Mi", "--scratch-directory=/scratch", "--scratch-max-bytes=2Gi", "--metrics-bind-address=0", "--zap-log-level=debug"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := volumeFlags{{store.Volume{Claim: "a", Path: "/mnt/a"}, true}, {store.Volume{Claim: "b.c", Path: "/mnt/b"}, true}}
	if diff := cmp.Diff(want, got.volumes, cmp.AllowUnexported(volume{})); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	if got.scratchDirectory != "/scratch" || got.scratchMaxBytes.bytes != 2<<30 {
		t.Errorf("scratch: %+v", got)
	}
	if got.bodyMaxBytes.bytes != 1<<30 {
		t.Errorf("bodies: %+v", got.bodyMaxBytes)
	}
	if got.replicas != 2 || got.configMapMaxBytes.bytes != 1<<20 || got.publicBindAddress != ":8080" || got.internalBindAddress != ":8443" {
		t.Errorf("%+v", got)
	}
	if got, err := parseFlags([]string{"--notification-keys=/keys", "--volume=a=/mnt/a"}, io.Discard); err != nil || got.volumes[0].shared || got.bodyMaxBytes.bytes != webhookreceiver.DefaultBodyBytes {
		t.Errorf("a ReadWriteOnce volume with one replica: %+v, %v", got, err)
	}
}

// Each bad flag is named, with its value and what is expected, and the program ends with 2 before it does anything.
func TestBadFlags(t *testing.T) {
	keys := "--notification-keys=/keys"
	for name, tt := range map[string]struct {
		args []string
		says []string
	}{
		"no keys":                         {nil, []string{"--notification-keys", "signing-key"}},
		"an argument":                     {[]string{keys, "x"}, []string{`"x"`}},
		"an unknown flag":                 {[]string{keys, "--x"}, []string{"-x"}},
		"no port":                         {[]string{keys, "--public-bind-address=localhost"}, []string{"--public-bind-address", `"localhost"`, ":8080"}},
		"a door that is off":              {[]string{keys, "--internal-bind-address=0"}, []string{"--internal-bind-address", `"0"`}},
		"a bad metrics address":           {[]string{keys, "--metrics-bind-address=x"}, []string{"--metrics-bind-address"}},
		"a bad health address":            {[]string{keys, "--health-probe-bind-address="}, []string{"--health-probe-bind-address"}},
		"no replica":                      {[]string{keys, "--replicas=0"}, []string{"--replicas is 0", "between 1"}},
		"words as replicas":               {[]string{keys, "--replicas=two"}, []string{"replicas", `"two"`}},
		"ReadWriteOnce, several replicas": {[]string{keys, "--replicas=2", "--volume=a=/mnt/a"}, []string{"--volume a=/mnt/a", "--replicas is 2", "ReadWriteMany"}},
		"a volume without a path":         {[]string{keys, "--volume=a"}, []string{"volume", "CLAIM=PATH"}},
		"a volume with an empty path":     {[]string{keys, "--volume=a="}, []string{"CLAIM=PATH"}},
		"a relative path":                 {[]string{keys, "--volume=a=mnt"}, []string{`"mnt"`, "absolute"}},
		"a bad claim":                     {[]string{keys, "--volume=A_B=/mnt"}, []string{`"A_B"`}},
		"a bad access mode":               {[]string{keys, "--volume=a=/mnt,ReadOnlyMany"}, []string{`"ReadOnlyMany"`, "ReadWriteMany"}},
		"a claim twice":                   {[]string{keys, "--volume=a=/mnt/a", "--volume=a=/mnt/b"}, []string{"twice"}},
		"a path twice":                    {[]string{keys, "--volume=a=/mnt/a", "--volume=b=/mnt/a/"}, []string{"twice"}},
		"a size that is none":             {[]string{keys, "--configmap-max-bytes=much"}, []string{"configmap-max-bytes", "8Mi"}},
		"a size that is too small":        {[]string{keys, "--configmap-max-bytes=1"}, []string{"--configmap-max-bytes is 1", "64Ki"}},
		"a size that is too large":        {[]string{keys, "--configmap-max-bytes=1Gi"}, []string{"--configmap-max-bytes"}},
		"bodies that are too small":       {[]string{keys, "--body-max-bytes=1Mi"}, []string{"--body-max-bytes is 1048576", "64Mi", "4Gi"}},
		"bodies that are too large":       {[]string{keys, "--body-max-bytes=5Gi"}, []string{"--body-max-bytes is 5368709120", "64Mi", "4Gi"}},
		"a relative scratch folder":       {[]string{keys, "--scratch-directory=tmp"}, []string{"--scratch-directory", `"tmp"`, "absolute"}},
		"no scratch folder":               {[]string{keys, "--scratch-directory="}, []string{"--scratch-directory", `""`}},
		"too little scratch":              {[]string{keys, "--scratch-max-bytes=1Mi"}, []string{"--scratch-max-bytes is 1048576", "64Mi"}},
		"a namespace that cannot be":      {[]string{keys, "--watch-namespaces=a,B"}, []string{"--watch-namespaces", `"B"`}},
		"a check of nothing":              {[]string{"--check=receiver:8080"}, []string{"--check", "http"}},
		"two things":                      {[]string{"--replicas=0"}, []string{"--replicas", "--notification-keys"}},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			if code := run(tt.args, &stderr); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			for _, want := range tt.says {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, &stderr)
				}
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var stderr bytes.Buffer
	if code := run([]string{"--help"}, &stderr); code != 0 || !strings.Contains(stderr.String(), "-volume") || !strings.Contains(stderr.String(), "8Mi") {
		t.Errorf("exit code %d:\n%s", code, &stderr)
	}
}

// TestLog: a line about an error is one line that a person can read, and has the stack only if that is asked for.
func TestLog(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		stack bool
	}{
		"usually": {[]string{"--notification-keys=/keys"}, false}, "asked for": {[]string{"--notification-keys=/keys", "--zap-stacktrace-level=error"}, true},
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
