// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const tag = "transcription-operator/manager:v1"

// platform is that of this test, which serves as a program.
var platform = runtime.GOOS + "/" + runtime.GOARCH

// archive writes an image of this test, with bytes appended, and returns its path.
func archive(t *testing.T, appended string, args ...string) string {
	t.Helper()
	content, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "manager")
	if err := os.WriteFile(program, append(content, appended...), 0o600); err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "manager.tar")
	if err := run(append(append([]string{"--output", output, "--tag", tag, "--version", "v1", "--platform", platform}, args...), program)); err != nil {
		t.Fatal(err)
	}
	return output
}

// load reads an archive as whoever loads it does.
func load(t *testing.T, path string) v1.Image {
	t.Helper()
	reference, err := name.NewTag(tag)
	if err != nil {
		t.Fatal(err)
	}
	image, err := tarball.ImageFromPath(path, &reference)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Fatal(err)
	}
	return image
}

func TestImageIsRunAsNobody(t *testing.T) {
	image := load(t, archive(t, ""))
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS+"/"+config.Architecture != platform {
		t.Errorf("platform %s/%s", config.OS, config.Architecture)
	}
	if config.Config.User != "65532:65532" || strings.Join(config.Config.Entrypoint, " ") != "/program" {
		t.Errorf("user %q, entry point %q", config.Config.User, config.Config.Entrypoint)
	}
	if version := config.Config.Labels["org.opencontainers.image.version"]; version != "v1" {
		t.Errorf("version %q", version)
	}
}

func TestImageHasWhatAStaticProgramNeeds(t *testing.T) {
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	if err := os.WriteFile(bundle, []byte("authorities"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := unpack(t, load(t, archive(t, "", "--certificates", bundle)))
	if executable := files["program"]; !strings.HasPrefix(executable, "-rwxr-xr-x \x7fELF") {
		t.Errorf("the program is %.20q", executable)
	}
	for path, want := range map[string]string{"etc/ssl/certs/ca-certificates.crt": "-rw-r--r-- authorities", "tmp/": "dtrwxrwxrwx "} {
		if files[path] != want {
			t.Errorf("%s is %q, wanted %q", path, files[path], want)
		}
	}
}

// unpack returns mode and content of every file of an image.
func unpack(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	layer, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = layer.Close() }() // was read only
	files := map[string]string{}
	for r := tar.NewReader(layer); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 {
			t.Errorf("%s belongs to %d:%d", header.Name, header.Uid, header.Gid)
		}
		files[header.Name] = header.FileInfo().Mode().String() + " " + string(content)
	}
}

func TestSameInputGivesSameBytes(t *testing.T) {
	read := func(appended string) []byte {
		archived, err := os.ReadFile(archive(t, appended))
		if err != nil {
			t.Fatal(err)
		}
		return archived
	}
	if !bytes.Equal(read(""), read("")) {
		t.Error("two archives of the same program differ")
	}
	if bytes.Equal(read(""), read("more")) {
		t.Error("archives of different programs are the same")
	}
}

func TestBadArguments(t *testing.T) {
	for name, test := range map[string]struct {
		args   []string
		reason string
	}{
		"nothing":         {nil, "are needed, not 0 arguments"},
		"two programs":    {[]string{"--output", "o", "--tag", tag, "a", "b"}, "not 2 arguments"},
		"bad tag":         {[]string{"--output", "o", "--tag", "No:Tag:", "a"}, "--tag: "},
		"bad platform":    {[]string{"--output", "o", "--tag", tag, "--platform", "a/b/c/d", "a"}, "--platform: "},
		"no program":      {[]string{"--output", "o", "--tag", tag, filepath.Join(t.TempDir(), "none")}, "is no Go program"},
		"other platform":  {[]string{"--output", "o", "--tag", tag, "--platform", "linux/s390x", os.Args[0]}, "was built for " + platform},
		"no certificates": {[]string{"--output", "o", "--tag", tag, "--platform", platform, "--certificates", filepath.Join(t.TempDir(), "none"), os.Args[0]}, "--certificates: "},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(test.args); err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("%v", err)
			}
		})
	}
}
