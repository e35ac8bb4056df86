// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command images packs a static program as a container image without a registry or an engine: a tar archive as `docker save` writes it,
// which containerd, kind and docker load. The same input gives the same bytes.
//
//	images --output manager.tar --tag transcription-operator/manager:v1 --platform linux/arm64 --version v1 path/to/manager
//
// The image is what the Dockerfile's is, without distroless beneath: the program at /program, started as user 65532, and where
// --certificates names a bundle, the authorities that public hosts are proven by.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	output := flags.String("output", "", "the archive to write (required)")
	tag := flags.String("tag", "", "NAME:TAG of the image (required)")
	platform := flags.String("platform", "linux/amd64", "OS/ARCHITECTURE that the program was built for")
	version := flags.String("version", "", "the program's version, for the image's label")
	certificates := flags.String("certificates", "", "PEM bundle of certificate authorities; none if empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *output == "" || *tag == "" || flags.NArg() != 1 {
		flags.Usage()
		return fmt.Errorf("--output, --tag and one program are needed, not %d arguments", flags.NArg())
	}
	reference, err := name.NewTag(*tag)
	if err != nil {
		return fmt.Errorf("--tag: %w", err)
	}
	target, err := v1.ParsePlatform(*platform)
	if err != nil {
		return fmt.Errorf("--platform: %w", err)
	}
	if err := checkPlatform(flags.Arg(0), *target); err != nil {
		return err
	}
	files, err := contents(flags.Arg(0), *certificates)
	if err != nil {
		return err
	}
	image, err := build(files, *target, *version)
	if err != nil {
		return fmt.Errorf("cannot build the image %s: %w", *tag, err)
	}
	if err := tarball.WriteToFile(*output, reference, image); err != nil {
		return fmt.Errorf("cannot write the image %s: %w", *tag, err)
	}
	return nil
}
