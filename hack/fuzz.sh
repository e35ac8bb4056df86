#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# fuzz.sh: runs every fuzz target of the module, one after the other, FUZZTIME each (default 5s).
#
#   hack/fuzz.sh [FUNCTION_REGEXP]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wanted=${1:-^Fuzz}
count=0
# grep only finds the packages worth compiling; what is a target is for go test to say.
while read -r folder; do
  while read -r target; do
    printf 'fuzz: %s %s for %s\n' "$folder" "$target" "${FUZZTIME:-5s}"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-5s}" -parallel 2 "$folder"
    count=$((count + 1))
  done < <(go test -list "$wanted" "$folder" | grep '^Fuzz' || true)
done < <(git ls-files -co --exclude-standard '*_test.go' | xargs -r grep -l '^func Fuzz' -- | xargs -r -n 1 dirname | sort -u | sed 's,^,./,')
printf 'fuzz: %d targets\n' "$count"
