#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# build.sh: makes sure that all that a node needs is there, and prints its folder.
#
# The control plane's programs are hack/control-plane.sh's. Here are the others, built from the Go modules that hack/cluster,
# hack/cluster/runtime and hack/cluster/coredns pin:
#
#   bin/      kube-controller-manager, kube-scheduler, kubelet, kube-proxy; containerd with its shim and ctr; runc
#   cni/      the network plugins
#   images/   pause and CoreDNS, which every node runs
#
# They are kept in the user's cache folder, keyed by pins, sources and platform, so that every clone on this machine shares them.
# From nothing it takes some ten minutes on two cores, and nothing the second time.
#
# Environment:
#   XDG_CACHE_HOME   the cache folder's parent (default ~/.cache)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly sources=hack/cluster

say() { printf 'cluster: %s\n' "$*" >&2; }

main() {
  local root target
  root=${XDG_CACHE_HOME:-$HOME/.cache}/transcription-operator/node
  target=$root/$(key)
  if ! [ -d "$target" ]; then
    mkdir -p "$root"
    # Two clones that start at once build once: the second waits here and finds the first one's result.
    exec 9>"$root/lock"
    flock 9
    if ! [ -d "$target" ]; then
      work=$(mktemp -d "$root/work.XXXXXX")
      trap 'rm -rf "$work"' EXIT
      build_all
      mv "$work" "$target"
    fi
  fi
  printf '%s\n' "$target"
}

# key: whatever the result depends on.
key() {
  {
    go env GOVERSION GOOS GOARCH
    cat "$sources"/{build.sh,go.mod,go.sum,pause/main.go} "$sources"/{runtime,coredns}/go.{mod,sum} "$sources/coredns/main.go"
    cat hack/images/{go.mod,go.sum,*.go}
  } | sha256sum | cut -c 1-12
}

build_all() {
  chmod 755 "$work"
  mkdir "$work"/{bin,cni,images}
  kubernetes
  container_runtime
  network_plugins
  image pause "$sources" ./pause
  image coredns "$sources/coredns" .
}

# compile MODULE PACKAGE OUTPUT [FLAG…]: a static program.
compile() {
  local module=$1 package=$2 output=$3
  shift 3
  say "building ${output##*/} (once)"
  CGO_ENABLED=0 go -C "$module" build -trimpath -buildvcs=false -o "$output" -ldflags '-s -w' "$@" "$package"
}

module_version() { # module_version MODULE DEPENDENCY
  go -C "$1" list -m -f '{{.Version}}' "$2"
}

kubernetes() {
  local version minor program package=k8s.io/component-base/version
  version=$(module_version "$sources" k8s.io/kubernetes)
  minor=${version#v1.}
  minor=${minor%%.*}
  for program in kube-controller-manager kube-scheduler kubelet kube-proxy; do
    # The flags are those of hack/control-plane.sh, so that the compiler's cache serves both.
    compile "$sources" "k8s.io/kubernetes/cmd/$program" "$work/bin/$program" \
      -ldflags "-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
  done
}

container_runtime() {
  local containerd=github.com/containerd/containerd/v2 runc=github.com/opencontainers/runc program
  for program in containerd containerd-shim-runc-v2 ctr; do
    compile "$sources/runtime" "$containerd/cmd/$program" "$work/bin/$program" -tags no_btrfs,no_devmapper,no_zfs \
      -ldflags "-s -w -X $containerd/version.Version=$(module_version "$sources/runtime" "$containerd")"
  done
  # The only one that is not static: it needs a C compiler, and libseccomp for the pods' seccomp profiles.
  say "building runc (once)"
  CGO_ENABLED=1 go -C "$sources/runtime" build -trimpath -buildvcs=false -tags seccomp -o "$work/bin/runc" \
    -ldflags "-s -w -X main.version=$(module_version "$sources/runtime" "$runc")" "$runc" || {
    say "runc cannot be built; it needs a C compiler and libseccomp (apt-get install gcc libc6-dev libseccomp-dev)"
    exit 1
  }
}

network_plugins() {
  local plugin
  for plugin in ipam/host-local main/bridge main/loopback meta/portmap; do
    compile "$sources/runtime" "github.com/containernetworking/plugins/plugins/$plugin" "$work/cni/${plugin#*/}"
  done
}

image() { # image NAME MODULE PACKAGE
  compile "$2" "$3" "$work/$1"
  go -C hack/images run . --output "$work/images/$1.tar" --tag "localhost/$1:1" --platform "linux/$(go env GOARCH)" "$work/$1"
  rm "$work/$1"
}

main
