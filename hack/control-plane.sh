#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# control-plane.sh: makes sure that etcd, kube-apiserver and kubectl are there, and prints their folder.
#
#   KUBEBUILDER_ASSETS=$(hack/control-plane.sh)
#
# The version is that of go.mod's k8s.io/client-go. The binaries are kept in the user's cache folder, keyed by
# version and platform, so that every clone on this machine shares them. They come from, in this order:
#   1. the cache;
#   2. setup-envtest, with a time limit (seconds, where the internet can be reached);
#   3. a build from the Go modules pinned in hack/cluster (some five minutes on two cores).
#
# Environment:
#   KUBEBUILDER_ASSETS       a folder that has all three already: printed as it is
#   XDG_CACHE_HOME           the cache folder's parent (default ~/.cache)
#   CONTROL_PLANE_DOWNLOAD   how long to try a download, in seconds (default 30; 0 goes straight to the build)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'control-plane: %s\n' "$*" >&2; }

minor_version() { # v0.37.2 -> 1.37
  go list -m -f '{{.Version}}' k8s.io/client-go | sed -E 's/^v0\.([0-9]+)\..*/1.\1/'
}

complete() { # complete DIR: are all three binaries there?
  [ -x "$1/etcd" ] && [ -x "$1/kube-apiserver" ] && [ -x "$1/kubectl" ]
}

download() { # download DIR: setup-envtest, within the time limit
  local limit=${CONTROL_PLANE_DOWNLOAD:-30} setup_envtest found
  [ "$limit" -gt 0 ] || return 1
  setup_envtest=$(hack/tool.sh setup-envtest) || return 1
  say "trying to download Kubernetes $minor (at most $limit s)"
  found=$(timeout "$limit" "$setup_envtest" use "$minor.x" --bin-dir "$work/download" -p path 2>"$work/download.log") || {
    say "no download: $(tail -n 1 "$work/download.log")"
    return 1
  }
  chmod -R u+w "$work/download" # setup-envtest makes its folders read-only, which cannot be moved
  mv "$found" "$1"
}

build() { # build DIR: from the modules pinned in hack/cluster
  local version major_minor package=k8s.io/component-base/version
  version=$(go -C hack/cluster list -m -f '{{.Version}}' k8s.io/kubernetes)
  major_minor=${version#v}
  [ "${major_minor%.*}" = "$minor" ] || {
    say "hack/cluster/go.mod pins Kubernetes $version, but go.mod's client-go belongs to $minor: bring them together"
    exit 1
  }
  say "building Kubernetes $version and etcd from modules (once; some five minutes on two cores)"
  mkdir -p "$1"
  (
    export CGO_ENABLED=0
    go -C hack/cluster build -trimpath -buildvcs=false -ldflags '-s -w' -o "$1/etcd" go.etcd.io/etcd/server/v3
    # The module proxy carries no commit for this module; the version is the module's own.
    for program in kube-apiserver kubectl; do
      go -C hack/cluster build -trimpath -buildvcs=false -o "$1/$program" \
        -ldflags "-s -w -X $package.gitVersion=$version -X $package.gitMajor=${minor%.*} -X $package.gitMinor=${minor#*.} -X $package.gitTreeState=clean" \
        "k8s.io/kubernetes/cmd/$program"
    done
  )
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  complete "$KUBEBUILDER_ASSETS" || {
    say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks etcd, kube-apiserver or kubectl; unset it to have them made"
    exit 1
  }
  printf '%s\n' "$KUBEBUILDER_ASSETS"
  exit
fi

minor=$(minor_version)
root=${XDG_CACHE_HOME:-$HOME/.cache}/transcription-operator/control-plane
target=$root/$minor-$(go env GOOS)-$(go env GOARCH)-$(sha256sum hack/cluster/go.sum | cut -c 1-12)
if ! complete "$target"; then
  mkdir -p "$root"
  # Two clones that start at once build once: the second waits here and finds the first one's result.
  exec 9>"$root/lock"
  flock 9
  if ! complete "$target"; then
    work=$(mktemp -d "$root/work.XXXXXX")
    trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
    download "$work/bin" || build "$work/bin"
    complete "$work/bin" || {
      say "etcd, kube-apiserver or kubectl is missing in $work/bin; see the messages above"
      exit 1
    }
    rm -rf "$target"
    mv "$work/bin" "$target"
  fi
fi
printf '%s\n' "$target"
