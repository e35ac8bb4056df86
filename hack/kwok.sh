#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# kwok.sh: makes sure that kwok and kube-controller-manager are there, and prints their folder.
#
# Kubernetes' Job controller, with kwok for the kubelets, is what the bench measures beside ours (test/performance). Both are built from
# Go modules: kwok's is hack/kwok, the controller's the one that hack/cluster pins. They are kept in the user's cache folder, keyed by
# pins and platform.
#
# Environment:
#   XDG_CACHE_HOME   the cache folder's parent (default ~/.cache)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'kwok: %s\n' "$*" >&2; }

build() { # build FOLDER
  local version minor package=k8s.io/component-base/version
  version=$(go -C hack/cluster list -m -f '{{.Version}}' k8s.io/kubernetes)
  minor=${version#v1.}
  minor=${minor%%.*}
  say "building kwok and kube-controller-manager $version (once)"
  export CGO_ENABLED=0
  go -C hack/kwok build -trimpath -buildvcs=false -ldflags '-s -w' -o "$1/kwok" sigs.k8s.io/kwok/cmd/kwok
  # The flags are those of hack/cluster/build.sh, so that the compiler's cache serves both.
  go -C hack/cluster build -trimpath -buildvcs=false -o "$1/kube-controller-manager" \
    -ldflags "-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor -X $package.gitTreeState=clean" \
    k8s.io/kubernetes/cmd/kube-controller-manager
}

root=${XDG_CACHE_HOME:-$HOME/.cache}/transcription-operator/kwok
target=$root/$(cat hack/kwok.sh hack/{kwok,cluster}/go.{mod,sum} <(go env GOVERSION GOOS GOARCH) | sha256sum | cut -c 1-12)
if ! [ -d "$target" ]; then
  mkdir -p "$root"
  work=$(mktemp -d "$root/work.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  build "$work"
  # Of two that build at once, the second finds the first one's result.
  mv -T "$work" "$target" 2>/dev/null || [ -d "$target" ]
fi
printf '%s\n' "$target"
