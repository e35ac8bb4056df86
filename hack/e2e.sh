#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# e2e.sh: runs test/e2e in a cluster of its own, which it starts and removes.
#
#   make test-e2e
#   hack/e2e.sh -e2e.rollings=10   gives the tests other flags
#   KEEP=yes make test-e2e         leaves the cluster, and says how to reach and to remove it
#
# Where a Docker engine answers, the cluster is kind's (hack/kind); elsewhere it is hack/cluster.sh's, which needs root. The tests are the
# same. (That kind's way works could not be tried where this was written.)
#
# Environment:
#   E2E_CLUSTER   kind or node: which of the two, whatever there is
#   KEEP          not empty: do not remove the cluster
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Images are called as in the documentation's commands, which the tests follow: v1 is installed, and v2 upgraded to.
readonly registry=registry.example.com
readonly name=transcription-operator-e2e

main() {
  local kind=${E2E_CLUSTER:-}
  if [ -z "$kind" ]; then
    if docker_answers; then kind=kind; else kind=node; fi
  fi
  case $kind in
    kind | node) ;;
    *)
      echo "e2e: E2E_CLUSTER is kind or node, not $kind" >&2
      exit 2
      ;;
  esac
  heading "Building the images"
  mapfile -t archives < <(images v1 manager webhook-receiver speechmatics-simulator && images v2 manager webhook-receiver)
  [ "${#archives[@]}" = 5 ] || exit 1
  heading "Starting a cluster ($kind)"
  if [ "$kind" = kind ]; then trap kind_down EXIT; else trap node_down EXIT; fi
  "${kind}_up"
  "${kind}_load" "${archives[@]}"
  heading "Running the tests"
  go test -count=1 -timeout 20m -v ./test/e2e -e2e.kubeconfig="$kubeconfig" -e2e.kubectl="$(hack/control-plane.sh)/kubectl" \
    -e2e.kustomize="$(hack/tool.sh kustomize)" -e2e.helm="$(hack/tool.sh helm)" \
    -e2e.node="$("${kind}_node")" -e2e.audit="$audit" -e2e.system="$([ "$kind" = kind ] && echo kind || echo system)" "$@"
}

# images VERSION PROGRAM…: has the images built, and prints their paths.
images() {
  VERSION=$1 IMAGE_PREFIX=$registry IMAGES_FOLDER=bin/images/e2e-$1 hack/images.sh "${@:2}"
}

heading() { printf 'e2e: %s (after %d s)\n' "$*" "$SECONDS"; }

docker_answers() { command -v docker >/dev/null && timeout 20 docker info >/dev/null 2>&1; }

# --- kind

kind_up() {
  audit=
  kubeconfig=$(mktemp)
  "$(hack/tool.sh kind)" create cluster --name "$name" --config hack/kind/cluster.yaml --kubeconfig "$kubeconfig" --wait 3m
}

kind_load() {
  local archive
  for archive in "$@"; do "$(hack/tool.sh kind)" load image-archive "$archive" --name "$name"; done
}

# kind_node, node_node: what a command is given to, so that it sees the node's processes.
kind_node() { echo "docker exec $name-control-plane"; }

kind_down() {
  if [ -n "${KEEP:-}" ]; then
    echo "e2e: the cluster stays: export KUBECONFIG=$kubeconfig; $(hack/tool.sh kind) delete cluster --name $name"
    return
  fi
  "$(hack/tool.sh kind)" delete cluster --name "$name"
  rm -f "${kubeconfig:-}"
}

# --- the project's own

node_up() {
  kubeconfig=$(hack/cluster.sh up)
  audit=$(dirname "$kubeconfig")/log/audit.json
}

node_load() { hack/cluster.sh load "$@"; }

node_node() { echo env; }

node_down() {
  if [ -n "${KEEP:-}" ]; then
    echo "e2e: the cluster stays: export KUBECONFIG=${kubeconfig:-}; hack/cluster.sh down"
    return
  fi
  hack/cluster.sh down
}

main "$@"
