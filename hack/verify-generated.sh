#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# verify-generated.sh PATH...: fails if generated files are not what `make generate manifests` would write.
#
# The work happens in a copy of the working tree, so that the answer is right with uncommitted changes too, and
# nothing is touched. In the copy generated files are removed first: one whose source is gone must not stay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z -co --exclude-standard | while IFS= read -r -d '' file; do
  if [ -e "$file" ]; then printf '%s\0' "$file"; fi # a deleted file is still in git's list
done | tar --null -T - -cf - | tar -xf - -C "$copy"

for path in "$@"; do
  [ -e "$copy/$path" ] || continue
  case $path in
    *.yaml | config/crd/bases | charts/*/files) rm -r "${copy:?}/$path" ;;
    *) { grep -rlE '^// Code generated .* DO NOT EDIT\.$' "$copy/$path" || true; } | xargs -r rm ;;
  esac
done

make --no-print-directory -C "$copy" generate manifests >/dev/null

stale=0
for path in "$@"; do
  diff -ruN "$path" "$copy/$path" || stale=1
done
if [ "$stale" != 0 ]; then
  echo "verify: generated files are stale (- is what is there, + what belongs there); run: make generate manifests" >&2
  exit 1
fi
