#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# notification-keys.sh NAMESPACE: creates the Secret notification-keys with a random key, unless there is one.
#
# Manager and webhook receiver share this key: with it the tokens of notifications are made and checked. It is never
# part of a manifest, where every installation would have the same.
set -euo pipefail

namespace=${1:?usage: hack/notification-keys.sh NAMESPACE}
kubectl=${KUBECTL:-kubectl}

if $kubectl -n "$namespace" get secret notification-keys -o name 2>/dev/null; then
  exit
fi
$kubectl -n "$namespace" create secret generic notification-keys \
  --from-file=signing-key=<(head -c 48 /dev/urandom | base64 | tr -d '\n')
