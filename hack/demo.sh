#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh: transcribes real recordings through the real programs, as processes on this machine, and checks the results.
#
#   make demo                     with the simulator in Speechmatics' place
#   make playground               the same, and everything stays until Ctrl-C
#   SPEECHMATICS_API_KEY=… make demo
#                                 with the real service, by polling; costs a few cents. SPEECHMATICS_REGION (default
#                                 eu1) is the key's. The recordings are fetched from the project's public repository.
#
# Everything listens on loopback, on free ports. Logs and data are in a temporary folder, which is removed at the end
# unless something went wrong.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

playground=
case ${1:-} in
  '') ;;
  --playground) playground=yes ;;
  *)
    echo "usage: hack/demo.sh [--playground]" >&2
    exit 2
    ;;
esac

readonly namespace=demo system=transcription-system
readonly public_media=https://raw.githubusercontent.com/transcription-operator/transcription-operator/main/config/samples/media

work=$(mktemp -d "${TMPDIR:-/tmp}/transcription-demo.XXXXXX")
readonly work
names=() pids=() used_ports=' '

main() {
  trap cleanup EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  assets=$(hack/control-plane.sh)
  kustomize=$(hack/tool.sh kustomize)
  start_control_plane
  if [ -n "${SPEECHMATICS_API_KEY:-}" ]; then
    use_service
  else
    use_simulator
  fi
  start_operator
  submit
  wait_for_jobs
  check_results
  show
  if [ -n "$playground" ]; then stay; fi
}

# --- processes

heading() { printf '\n=== %s\n' "$*"; }

# start NAME COMMAND…: runs it in the background, in a process group of its own: Ctrl-C is for this script alone, which
# then stops them in the right order. Where setpriv can be had, they also end if this script is killed.
start() {
  local name=$1 bound=()
  shift
  if setpriv --pdeathsig TERM true 2>/dev/null; then bound=(setpriv --pdeathsig TERM); fi
  set -m
  "${bound[@]}" "$@" >"$work/$name.log" 2>&1 </dev/null &
  set +m
  names+=("$name") pids+=("$!")
}

# wait_until SECONDS WHAT COMMAND…: tries until it succeeds; gives up early if a process has ended.
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2 i
  shift 2
  until "$@" >/dev/null 2>&1; do
    for i in "${!pids[@]}"; do
      kill -0 "${pids[$i]}" 2>/dev/null || fail "${names[$i]} has ended while waiting for $what"
    done
    [ "$SECONDS" -lt "$deadline" ] || fail "$what: not after all this time"
    sleep 0.2
  done
}

fail() {
  printf 'demo: %s\n' "$*" >&2
  exit 1
}

# stop PID: asks it to end, waits for 20 s, and then does not ask any more.
stop() {
  local deadline=$((SECONDS + 20))
  kill -TERM "$1" 2>/dev/null || true
  while kill -0 "$1" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# cleanup stops everything, the last started first. Nothing keeps it from that: not a second Ctrl-C, and not a terminal
# that is gone and cannot be written to.
cleanup() {
  local status=$? i
  trap - EXIT
  trap '' HUP INT TERM PIPE
  set +e
  case $status in 0 | 129 | 130 | 143) ;; *) explain ;; esac
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do stop "${pids[$i]}"; done
  case $status in
    0 | 129 | 130 | 143) rm -rf "$work" ;;
    *) printf 'demo: failed; the logs are in %s\n' "$work" >&2 ;;
  esac
  # Ctrl-C is how a playground ends.
  if [ -n "$playground" ] && [ "$status" = 130 ]; then status=0; fi
  exit "$status"
}

# explain: what helps to see why it failed.
explain() {
  local name
  if [ -f "$work/admin.kubeconfig" ]; then
    kubectl get transcriptionjobs,speechmaticsaccounts,events --all-namespaces || true
  fi
  for name in "${names[@]}"; do
    printf '\n--- the last lines of %s\n' "$work/$name.log"
    tail -n 15 "$work/$name.log"
  done >&2
}

# free_port VARIABLE: sets it to a port on loopback that nobody listens on.
free_port() {
  local candidate
  while :; do
    candidate=$((20000 + RANDOM % 12000))
    case $used_ports in *" $candidate "*) continue ;; esac
    (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || break
  done
  used_ports+="$candidate "
  printf -v "$1" '%s' "$candidate"
}

kubectl() {
  "$assets/kubectl" --kubeconfig "$work/admin.kubeconfig" --cache-dir "$work/kubectl-cache" "$@"
}

answers() { curl --fail --silent --show-error --max-time 2 --output /dev/null "$1"; }

# --- the parts

start_control_plane() {
  heading "Starting etcd and kube-apiserver"
  KUBEBUILDER_ASSETS=$assets start control-plane bin/control-plane --dir "$work" \
    --service-account "$system/transcription-operator-manager" \
    --service-account "$system/transcription-operator-webhook-receiver"
  wait_until 60 'the API server' test -f "$work/admin.kubeconfig"

  heading "Installing the CRDs and roles (config/default)"
  "$kustomize" build hack/demo/system | kubectl apply --server-side -f -
  kubectl wait --for=condition=Established crd --all --timeout=20s >/dev/null
  kubectl create namespace "$namespace"
  kubectl config set-context --current --namespace="$namespace" >/dev/null
}

# use_simulator and use_service set what differs: the account's address, the media's, and how the manager is told.
use_simulator() {
  local port
  free_port port
  api_key=demo-$RANDOM$RANDOM
  account="baseURL: http://127.0.0.1:$port/v2"
  media="http://127.0.0.1:$port/media"
  poll_interval=1s
  patience=60
  heading "Starting the simulator (it recognises nothing: its words come from the .txt files next to the recordings)"
  start speechmatics-simulator bin/speechmatics-simulator --listen "127.0.0.1:$port" --api-key "$api_key" --speed 10 \
    --media config/samples/media --transcripts config/samples/media \
    --lose-notifications-for-title unnotified
  manager_flags=(--allowed-base-urls "http://127.0.0.1:$port/v2" --allow-private-addresses)
  wait_until 20 'the simulator' answers "$media/standup.txt"
}

use_service() {
  api_key=$SPEECHMATICS_API_KEY
  account="region: ${SPEECHMATICS_REGION:-eu1}"
  media=$public_media
  poll_interval=5s
  patience=900
  manager_flags=()
  heading "Using Speechmatics itself, in ${account#* }"
}

start_operator() {
  local public internal health=() i
  free_port public
  free_port internal
  for i in 0 1 2 3; do free_port "health[$i]"; done
  mkdir -p "$work/keys" "$work/volume"
  (umask 077 && head -c 48 /dev/urandom | base64 | tr -d '\n' >"$work/keys/signing-key")
  # Notifications can come from this machine only.
  if [ -z "${SPEECHMATICS_API_KEY:-}" ]; then manager_flags+=(--callback-url "http://127.0.0.1:$public"); fi

  heading "Starting the webhook receiver and the manager, each with its own ServiceAccount's rights"
  KUBECONFIG=$work/transcription-operator-webhook-receiver.kubeconfig start webhook-receiver bin/webhook-receiver \
    --public-bind-address "127.0.0.1:$public" --internal-bind-address "127.0.0.1:$internal" \
    --metrics-bind-address "127.0.0.1:${health[0]}" --health-probe-bind-address "127.0.0.1:${health[1]}" \
    --notification-keys "$work/keys" --volume "transcripts=$work/volume"
  KUBECONFIG=$work/transcription-operator-manager.kubeconfig start manager bin/manager --leader-elect \
    --metrics-bind-address "127.0.0.1:${health[2]}" --health-probe-bind-address "127.0.0.1:${health[3]}" \
    --namespace "$system" --receiver-url "http://127.0.0.1:$internal" --notification-keys "$work/keys" \
    --poll-interval "$poll_interval" "${manager_flags[@]}"
  wait_until 30 'the webhook receiver' answers "http://127.0.0.1:${health[1]}/readyz"
  wait_until 30 'the manager' answers "http://127.0.0.1:${health[3]}/readyz"
}

submit() {
  heading "Applying config/samples, two of its features, and two jobs more (hack/demo/jobs)"
  kubectl create secret generic speechmatics --from-file=apiKey=<(printf %s "$api_key")
  {
    "$kustomize" build hack/demo/jobs
    for feature in translation insights; do printf -- '---\n' && cat "config/samples/features/job_$feature.yaml"; done
  } | sed -e "s,region: eu1,$account," -e "s,$public_media,$media," | kubectl apply --server-side -f -
}

wait_for_jobs() {
  heading "Waiting until every job has finished"
  wait_until "$patience" 'the jobs' jobs_finished
}

jobs_finished() { kubectl wait --for=condition=Finished transcriptionjob --all --timeout=1s; }

# --- what came out

check_results() {
  local job
  for job in greeting standup dialogue unnotified subtitles insights; do
    expect "$job" '.status.conditions[?(@.type=="Complete")].status' True
  done
  expect missing '.status.conditions[?(@.type=="Failed")].status' True
  expect missing '.status.conditions[?(@.type=="Failed")].reason' MediaFetchFailed
  if [ -n "${SPEECHMATICS_API_KEY:-}" ]; then return; fi

  for job in greeting standup dialogue; do expect "$job" .status.notification.source Callback; done
  expect unnotified .status.notification.source Delivery
  [[ $(field missing '.status.conditions[?(@.type=="Failed")].message') == *404* ]] || fail "missing does not say that the URL answers 404"
  transcript greeting | same_words config/samples/media/greeting.txt
  transcript standup | same_words config/samples/media/standup.txt
  transcript unnotified | same_words config/samples/media/greeting.txt
  grep -q '^SPEAKER: S2' "$(dialogue_file txt)" || fail "the dialogue's transcript does not tell the speakers apart"
  # The recording is too short for chapters. The rest of what was asked for is there all the same.
  expect insights '.status.conditions[?(@.type=="Ready")].reason' CompleteWithErrors
  expect insights '.status.conditions[?(@.type=="FeaturesFailed")].reason' AutoChaptersFailed
  grep -q '<v S2>' <(subtitles de) || fail "the German subtitles do not tell the speakers apart"
}

field() { kubectl get transcriptionjob "$1" -o jsonpath="{$2}"; } # field JOB JSONPATH

expect() { # expect JOB JSONPATH VALUE
  local got
  got=$(field "$1" "$2")
  [ "$got" = "$3" ] || fail "transcriptionjob $1: $2 is '$got', wanted '$3'"
}

subtitles() { kubectl get configmap "subtitles-vtt-$1" -o jsonpath="{.data.transcript\\.$1\\.vtt}"; } # subtitles LANGUAGE

transcript() { kubectl get configmap "$1-txt" -o jsonpath='{.data.transcript\.txt}'; }

dialogue_file() { # dialogue_file FORMAT: its transcript on the volume; checked against the sum in the status
  local path sum
  path=$work/volume/$(field dialogue ".status.transcripts[?(@.format==\"$1\")].persistentVolumeClaim.path")
  sum=$(field dialogue ".status.transcripts[?(@.format==\"$1\")].sha256")
  sha256sum --check --quiet <<<"$sum  $path" >&2 || fail "$path is not what the status says"
  printf '%s\n' "$path"
}

words() { tr -cs "[:alnum:]'" '\n'; }

same_words() { # same_words FILE: standard input has the words of FILE
  diff <(words) <(words <"$1") >&2 || fail "the words differ from $1"
}

show() {
  local file
  heading "kubectl get transcriptionjobs"
  kubectl get transcriptionjobs
  heading "kubectl describe transcriptionjob unnotified"
  kubectl describe transcriptionjob unnotified
  heading "kubectl get configmap standup-txt -o jsonpath='{.data.transcript\\.txt}'"
  transcript standup
  file=$(dialogue_file txt)
  heading "cat <the volume>/${file#"$work"/volume/}"
  head -n 8 "$file"
  heading "kubectl get configmap subtitles-vtt-de -o jsonpath='{.data.transcript\\.de\\.vtt}'"
  subtitles de | sed -n 1,11p
  heading "kubectl get transcriptionjob insights -o jsonpath='{.status.conditions[?(@.type==\"FeaturesFailed\")].message}'"
  field insights '.status.conditions[?(@.type=="FeaturesFailed")].message'
  printf '\n'
  heading "Every job ended as it should, after $SECONDS s"
}

stay() {
  heading "Everything keeps running until Ctrl-C"
  cat <<EOF
export KUBECONFIG=$work/admin.kubeconfig PATH=$assets:\$PATH
kubectl get transcriptionjobs --watch

Logs: $work/*.log
Volume: $work/volume
Media for jobs: $media
EOF
  wait -n "${pids[@]}" || true
  fail "one of the programs has ended by itself"
}

main
