#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# prometheus.sh: prints the folder in which prometheus and promtool are, for tests.
#
# They are taken from the PATH, else from Debian's package, of which nothing is installed: that would start a service. It is unpacked
# into ~/.cache/transcription-operator. (From modules they would take some six minutes to build.)
set -euo pipefail

if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
  dirname "$(command -v promtool)"
  exit
fi

cache=${XDG_CACHE_HOME:-$HOME/.cache}/transcription-operator/prometheus
if [ ! -x "$cache/usr/bin/promtool" ]; then
  if ! command -v apt-get >/dev/null; then
    echo 'prometheus.sh: there are no prometheus and promtool in the PATH, and no apt-get to get them with; install Prometheus' >&2
    exit 1
  fi
  mkdir -p "$(dirname "$cache")"
  work=$(mktemp -d "$cache.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  if ! apt-get download -qq prometheus >&2; then
    # Its list of packages is old, or not there at all.
    [ "$(id -u)" = 0 ] || { echo 'prometheus.sh: cannot download the package; try: sudo apt-get update' >&2; exit 1; }
    apt-get update -qq >&2
    apt-get download -qq prometheus >&2
  fi
  dpkg-deb -x prometheus_*.deb unpacked
  rm -rf "$cache"
  mv unpacked "$cache"
fi
echo "$cache/usr/bin"
