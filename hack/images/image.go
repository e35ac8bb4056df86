// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"debug/buildinfo"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const (
	// program is where the Dockerfile has it, too.
	program = "program"
	// user is that of distroless' variant nonroot. It is a number, since Kubernetes cannot know that a name is not root's.
	user = "65532:65532"
	// certificateFile is where Go looks for certificate authorities.
	certificateFile = "etc/ssl/certs/ca-certificates.crt"
)

// epoch is every file's and the image's time.
var epoch = time.Unix(0, 0).UTC()

// file is a file of the image, or a folder if its name ends in a slash.
type file struct {
	name    string
	mode    int64
	content []byte
}

// contents are the image's files, in their order.
func contents(programFile, certificates string) ([]file, error) {
	executable, err := os.ReadFile(programFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the program: %w", err)
	}
	files := []file{
		{"etc/", 0o755, nil},
		{"etc/group", 0o644, []byte("root:x:0:\nnonroot:x:65532:\n")},
		{"etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n")},
		{program, 0o755, executable},
		{"tmp/", 0o1777, nil},
	}
	if certificates == "" {
		return files, nil
	}
	bundle, err := os.ReadFile(certificates)
	if err != nil {
		return nil, fmt.Errorf("--certificates: %w", err)
	}
	return append(files, file{"etc/ssl/", 0o755, nil}, file{"etc/ssl/certs/", 0o755, nil}, file{certificateFile, 0o644, bundle}), nil
}

// checkPlatform refuses a Go program that was built for another platform: the image would start nowhere.
func checkPlatform(programFile string, platform v1.Platform) error {
	info, err := buildinfo.ReadFile(programFile)
	if err != nil {
		return fmt.Errorf("%s is no Go program: %w", programFile, err)
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	if built := settings["GOOS"] + "/" + settings["GOARCH"]; built != platform.OS+"/"+platform.Architecture {
		return fmt.Errorf("--platform is %s, but %s was built for %s", platform, programFile, built)
	}
	return nil
}

// build makes an image of one layer.
func build(files []file, platform v1.Platform, version string) (v1.Image, error) {
	layer, err := pack(files)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Created = v1.Time{Time: epoch}
	config.Config = v1.Config{
		Entrypoint: []string{"/" + program},
		Env:        []string{"SSL_CERT_FILE=/" + certificateFile},
		User:       user,
		WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.source":   "https://github.com/transcription-operator/transcription-operator",
			"org.opencontainers.image.version":  version,
		},
	}
	return mutate.ConfigFile(image, config)
}

// pack makes a layer, in which everything is root's.
func pack(files []file) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), ModTime: epoch, Format: tar.FormatPAX}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	})
}
