#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# tool.sh: makes sure that a pinned tool is there, and prints its path.
#
#   "$(hack/tool.sh kustomize)" build config/default
#
# The tools and their versions are the `tool` lines of hack/tools/go.mod; golangci-lint and helm, whose dependencies would
# fight with the others', have hack/tools/lint and hack/tools/helm to themselves, and kind, which is seldom needed, hack/kind. A tool is
# built once and kept in the user's cache folder, keyed by its module's pins and the Go version: a changed pin is another folder, and
# another clone of this repository finds what the first one built (golangci-lint takes two minutes on two cores, helm three).
#
# Environment:
#   XDG_CACHE_HOME   the cache folder's parent (default ~/.cache)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'tool: %s\n' "$*" >&2; }

name=${1:?usage: hack/tool.sh controller-gen|golangci-lint|helm|kind|kustomize|setup-envtest}
module=hack/tools
case $name in
  controller-gen) package=sigs.k8s.io/controller-tools/cmd/controller-gen ;;
  kustomize) package=sigs.k8s.io/kustomize/kustomize/v5 ;;
  setup-envtest) package=sigs.k8s.io/controller-runtime/tools/setup-envtest ;;
  helm) module=hack/tools/helm package=helm.sh/helm/v4/cmd/helm ;;
  kind) module=hack/kind package=sigs.k8s.io/kind ;;
  golangci-lint)
    # golangci-lint with the Kubernetes API linter compiled in; the versions of both are hack/tools/lint's.
    module=hack/tools/lint package=sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter
    ;;
  *)
    say "no tool is called $name; hack/tool.sh lists what there is"
    exit 2
    ;;
esac

key=$(cat "$module/go.mod" "$module/go.sum" <(go env GOVERSION GOOS GOARCH) | sha256sum | cut -c 1-12)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/transcription-operator/tools/$key
if ! [ -x "$folder/$name" ]; then
  say "building $name (once)"
  mkdir -p "$folder"
  # Built beside its place and moved there, so that nobody ever runs half a file.
  work=$(mktemp -d "$folder/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  go -C "$module" build -trimpath -o "$work/$name" "$package"
  mv "$work/$name" "$folder/$name"
fi
printf '%s\n' "$folder/$name"
