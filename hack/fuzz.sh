#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# fuzz.sh: runs every fuzz target of the module, one after the other, FUZZTIME each (default 3s).
#
#   hack/fuzz.sh [FUNCTION_REGEXP]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wanted=${1:-^Fuzz}
duration=${FUZZTIME:-3s}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
module=$(go list -m)
cache=$(go env GOCACHE)/fuzz # where go test keeps the inputs that it found interesting

# Go spends up to a minute on making one interesting input smaller, in which it tries no others: a short run would be over.
fuzz() { # fuzz FOLDER TARGET
  (cd "$1" && "$work/fuzz.test" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$duration" -test.fuzzminimizetime 100x -test.parallel 2 \
    -test.fuzzcachedir "$cache/$module/$1") 2>&1 | tee "$work/log"
}

# Before Go 1.27 the end of -fuzztime is now and then reported as a failure, most of all on a busy machine
# (https://go.dev/issue/75804). It says nothing else, and writes no input.
only_out_of_time() {
  grep -q '^ *context deadline exceeded$' "$work/log" && ! grep -qE 'Failing input written|panic:|_test\.go:[0-9]+:' "$work/log"
}

# grep only finds the packages worth compiling; what is a target is for the test program to say.
folders() {
  git ls-files -z -co --exclude-standard -- '*_test.go' | xargs -0 -r grep -ls '^func Fuzz' -- | xargs -r -n 1 dirname | sort -u
}

count=0
for folder in $(folders); do
  go test -c -fuzz "$wanted" -o "$work/fuzz.test" "./$folder" # once for all targets of a package
  targets=$("$work/fuzz.test" -test.list "$wanted")
  for target in $(grep '^Fuzz' <<<"$targets" || true); do
    printf 'fuzz: %s %s for %s\n' "$folder" "$target" "$duration"
    fuzz "$folder" "$target" || only_out_of_time
    count=$((count + 1))
  done
done
printf 'fuzz: %d targets\n' "$count"
