#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# render.sh [KUSTOMIZATION]: prints it (default config/default) with the images MANAGER_IMG and RECEIVER_IMG, without
# changing a file under config/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kustomize=$(hack/tool.sh kustomize)
mkdir -p dist
overlay=$(mktemp -d dist/overlay.XXXXXX)
trap 'rm -rf "$overlay"' EXIT
(
  cd "$overlay"
  "$kustomize" create --resources "../../${1:-config/default}"
  "$kustomize" edit set image "manager=${MANAGER_IMG:?}" "webhook-receiver=${RECEIVER_IMG:?}"
)
"$kustomize" build "$overlay"
