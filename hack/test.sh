#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# test.sh: what `make test` does. What only computes runs beside what mostly waits.
#
#   RACE=-race GOTESTFLAGS='-p 2' FUZZTIME=1s hack/test.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

race=${RACE:-}
read -r -a flags <<<"${GOTESTFLAGS:-}"
# The packages that run the whole system as processes: beside the others, they would wait too long.
whole_system='/test/(chaos|isolation|performance)$'
# The packages that have a target of their own: test-e2e and test-metrics; the model is started by itself.
separate='/test/(e2e|metrics|model)$'

beside() { # beside NAME COMMAND…: starts a command of less weight, whose output waits in bin/NAME.txt
  local name=$1
  shift
  nice -n 19 "$@" >"bin/$name.txt" 2>&1 &
  running[$name]=$!
}

await() { # await NAME LINES: waits for what runs beside, and prints the lines that say what it did, or all if it failed
  local code=0
  wait "${running[$1]}" || code=$?
  unset "running[$1]"
  [ "$code" = 0 ] || { cat "bin/$1.txt"; return "$code"; }
  grep -E "$2" "bin/$1.txt"
}

stop() { # stop: ends what still runs beside
  local pid
  for pid in "${running[@]}"; do kill "$pid" 2>/dev/null || true; done
}

packages() { go list ./... | grep -vE "$separate" | grep "$@"; }

go_test() { go test ${race:+"$race"} ${flags[@]+"${flags[@]}"} "$@"; }

declare -A running
trap stop EXIT
mkdir -p bin
KUBEBUILDER_ASSETS=$(hack/control-plane.sh)
export KUBEBUILDER_ASSETS

beside model go test ${flags[@]+"${flags[@]}"} -v ./test/model
mapfile -t parts < <(packages -vE "$whole_system")
go_test "${parts[@]}"
await model ' states, |there is no|^(ok|---)'

beside fuzz hack/fuzz.sh
mapfile -t parts < <(packages -E "$whole_system")
go_test -p 1 "${parts[@]}"
go test ${race:+"$race"} -tags chaos ./internal/crashpoint
go -C hack/images test ./...
await fuzz '^fuzz: .* (for|targets)'
