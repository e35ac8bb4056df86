#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# notification-keys.sh rotate|retire [NAMESPACE]: replaces the key that manager and webhook receiver share, without losing a notification.
#
#   hack/notification-keys.sh rotate     a new key signs; the old one stays valid
#   hack/notification-keys.sh retire     the old one is removed, once no job is under way that knows it
#
# With this key the tokens of notifications are made and checked. The Secret notification-keys has it as signing-key, and may have another
# one that is accepted, too, as additional-key. The first one is made by the manager when it is installed. A rotation goes like this:
#
#   1. the new key becomes the additional one;
#   2. the receivers are restarted, one after the other, so that each of them knows it: nothing less tells for certain that they do;
#   3. the two keys change places. Now the new one signs, and nobody is left who would refuse it.
#
# Jobs that were submitted before know tokens of the old key. It stays until `retire` finds that they have all finished, and `rotate` begins with
# that if there is one left. Broken off anywhere, each can be repeated: the annotation transcription-operator.io/keys-rotated says where it was.
#
# Environment:
#   KUBECTL          the command (default kubectl)
#   RECEIVER         the receiver's Deployment (default transcription-operator-webhook-receiver)
#   SECRET           the Secret (default notification-keys)
#   JOBS_IN          the namespaces that have jobs, with spaces between them (default all)
#   ROLLOUT_TIMEOUT  how long the receivers' restart may take (default 10m)
set -euo pipefail

usage() {
  echo 'usage: hack/notification-keys.sh rotate|retire [NAMESPACE]' >&2
  exit 2
}

{ [ $# = 1 ] || [ $# = 2 ]; } || usage
case $1 in rotate | retire) ;; *) usage ;; esac
readonly command=$1 namespace=${2:-transcription-system}
readonly secret=${SECRET:-notification-keys} receiver=${RECEIVER:-transcription-operator-webhook-receiver}
readonly annotation=transcription-operator.io/keys-rotated distributing=distributing
# Until the manager has the new key, which may take a minute and a half to be mounted, it signs with the old one.
readonly manager_delay=180
read -r -a kubectl <<<"${KUBECTL:-kubectl}"

say() { printf 'notification-keys: %s\n' "$*"; }

fail() {
  printf 'notification-keys: %s\n' "$*" >&2
  exit 1
}

# look: what the Secret says now. Keys are base64, as they come.
look() {
  local line
  line=$("${kubectl[@]}" -n "$namespace" get secret "$secret" -o jsonpath='{.metadata.resourceVersion}|{.data.signing-key}|{.data.additional-key}|{.metadata.annotations.transcription-operator\.io/keys-rotated}')
  IFS='|' read -r version signing additional rotated <<<"$line"
  [ -n "$signing" ] || fail "the Secret $namespace/$secret has no signing-key yet: the manager makes one when it starts"
}

# change SIGNING ADDITIONAL ROTATED: the Secret as it is to be, in one write, which fails if it has changed since `look`. An additional key that is
# `null` is removed. The keys go through a pipe: arguments can be read by others.
change() {
  local additional=null
  [ "$2" = null ] || additional="\"$2\""
  "${kubectl[@]}" -n "$namespace" patch secret "$secret" --type=merge --patch-file=/dev/stdin >/dev/null <<EOF
{"metadata":{"resourceVersion":"$version","annotations":{"$annotation":"$3"}},"data":{"signing-key":"$1","additional-key":$additional}}
EOF
}

# time_in SECONDS: the time that it will be then, as Kubernetes writes it; with GNU's date, and with BSD's.
time_in() {
  local then=$(($(date +%s) + $1))
  date -u -d "@$then" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r "$then" +%Y-%m-%dT%H:%M:%SZ
}

# older_jobs TIME: the jobs that were begun before, and have not finished. One that is only begun later will know the new key.
older_jobs() {
  local jobs job started completed namespaces=(--all-namespaces) where
  [ -z "${JOBS_IN:-}" ] || read -r -a namespaces <<<"$JOBS_IN"
  for where in "${namespaces[@]}"; do
    [ "$where" = --all-namespaces ] || where=--namespace=$where
    jobs=$("${kubectl[@]}" get transcriptionjobs.transcription-operator.io "$where" \
      -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name}|{.status.startTime}|{.status.completionTime}{"\n"}{end}')
    while IFS='|' read -r job started completed; do
      if [ -n "$started" ] && [ -z "$completed" ] && [[ ! $started > $1 ]]; then printf '%s\n' "$job"; fi
    done <<<"$jobs"
  done
}

retire() {
  local left
  if [ -z "$additional" ]; then
    say 'there is no old key'
    return
  fi
  [ "$rotated" != "$distributing" ] || fail "a rotation was broken off before the new key signed; end it: hack/notification-keys.sh rotate $namespace"
  [ -n "$rotated" ] || fail "the Secret $namespace/$secret has an additional-key that this command has not put there; remove it yourself when no job needs it any more"
  # A job that the manager begins with the old key would not be notified of, though there is none yet.
  [[ ! $(time_in 0) < $rotated ]] || fail "the manager may not have the new key before $rotated, and signs with the old one until then; try again later"
  left=$(older_jobs "$rotated")
  [ -z "$left" ] || fail "of the jobs from before $rotated, which know the old key, $(wc -l <<<"$left") have not finished; try again later. The first of them: $(head -n 1 <<<"$left")"
  change "$signing" null "$rotated"
  say 'the old key is not accepted any more'
}

rotate() {
  if [ "$rotated" != "$distributing" ]; then
    retire
    look
    change "$signing" "$(head -c 48 /dev/urandom | base64 | tr -d '\n' | base64 | tr -d '\n')" "$distributing"
    look
  fi
  say 'restarting the receivers, so that all of them accept the new key'
  "${kubectl[@]}" -n "$namespace" rollout restart deployment "$receiver" >/dev/null
  "${kubectl[@]}" -n "$namespace" rollout status deployment "$receiver" --timeout="${ROLLOUT_TIMEOUT:-10m}" >/dev/null ||
    fail "the receivers were not restarted in time; the old key still signs. See to them, and repeat this command"
  change "$additional" "$signing" "$(time_in "$manager_delay")"
  say "the new key signs, as soon as the manager has it (a minute or two); later, remove the old one: hack/notification-keys.sh retire $namespace"
}

look
"$command"
