#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# images.sh PROGRAM…: builds the image of each program of cmd/ as an archive, without a registry or an engine, and prints their paths.
#
#   hack/images.sh manager webhook-receiver
#   PLATFORM=linux/arm64 VERSION=v1.2.3 hack/images.sh manager     # any platform that Go compiles for
#
# `docker load`, `kind load image-archive` and hack/cluster.sh load take such an archive. The same sources give the same bytes. The images
# are for tests, and for places without a registry; those to publish are the Dockerfile's.
#
# Environment:
#   PLATFORM        OS/ARCHITECTURE (default: this machine's architecture, on Linux)
#   VERSION         the tag, and what the programs say of themselves (default dev)
#   IMAGE_PREFIX    before the programs' names (default localhost/transcription-operator)
#   IMAGES_FOLDER   where the archives go (default bin/images)
#   CERTIFICATES    PEM bundle of certificate authorities (default: this machine's; without one, no public host can be reached)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -gt 0 ] || {
  echo "usage: hack/images.sh PROGRAM… (of cmd/)" >&2
  exit 2
}
platform=${PLATFORM:-linux/$(go env GOARCH)}
version=${VERSION:-dev}
prefix=${IMAGE_PREFIX:-localhost/transcription-operator}
folder=${IMAGES_FOLDER:-bin/images}/${platform//\//-}
certificates=${CERTIFICATES:-/etc/ssl/certs/ca-certificates.crt}
if ! [ -r "$certificates" ]; then
  echo "images: $certificates is not there: the images get no certificate authorities" >&2
  certificates=
fi

module=$(go list -m)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
for program in "$@"; do
  # The flags are those of the Makefile, so that the compiler's cache serves both.
  CGO_ENABLED=0 GOOS=${platform%%/*} GOARCH=${platform#*/} go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X $module/internal/version.Version=$version" -o "$folder/$program" "./cmd/$program"
  go -C hack/images run . --output "$folder/$program.tar" --tag "$prefix/$program:$version" --platform "$platform" \
    --version "$version" --certificates "$certificates" "$folder/$program"
  rm "$folder/$program"
  printf '%s\n' "$folder/$program.tar"
done
