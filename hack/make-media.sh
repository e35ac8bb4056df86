#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Regenerates the synthetic recordings in config/samples/media from the texts beside them.
#
# The recordings are committed, so that neither the build nor the demo needs these tools;
# run this only after changing a text. Another version of espeak-ng or of an encoder gives
# other bytes: update the lengths in speechmatics/simulator/media_test.go afterwards
# (the last lines of the output print them).
#
# Needs: espeak-ng, sox, lame, oggenc (Debian: espeak-ng sox lame vorbis-tools).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../config/samples/media"

for tool in espeak-ng sox lame oggenc; do
  command -v "$tool" >/dev/null || { echo "make-media: $tool is missing; install it and run again" >&2; exit 1; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# speak VOICE PITCH SPEED OUT < TEXT: one voice, 16 kHz mono 16 bit. The espeak-ng voices used
# are those of espeak-ng itself, not MBROLA's, whose licences forbid some uses.
speak() {
  espeak-ng -v "$1" -p "$2" -s "$3" --stdin -w "$work/raw.wav"
  # -R: reproducible dither; no comment chunk, so that the file depends on its input only.
  sox -R "$work/raw.wav" -r 16000 -c 1 -b 16 "$4" rate -m norm -3
}

# dialogue TEXT OUT: lines "S1: ..." and "S2: ..." alternate between two voices.
dialogue() {
  local n=0 line parts=()
  sox -D -n -r 16000 -c 1 -b 16 "$work/gap.wav" trim 0 0.35
  while IFS= read -r line; do
    local part
    part=$(printf '%s/part-%02d.wav' "$work" "$n")
    case "$line" in
      'S1: '*) speak en-gb-x-rp+f3 60 160 "$part" <<<"${line#S1: }" ;;
      'S2: '*) speak en-us 35 165 "$part" <<<"${line#S2: }" ;;
      *) echo "make-media: line without a speaker in $1: $line" >&2; return 1 ;;
    esac
    parts+=("$part" "$work/gap.wav")
    n=$((n + 1))
  done <"$1"
  sox -D "${parts[@]}" "$2"
}

speak en-us 45 160 standup.wav <standup.txt

speak en-gb-x-rp+f3 55 165 "$work/greeting.wav" <greeting.txt
# A fixed serial number: the default one is drawn at random for each run.
oggenc --quiet --quality 3 --serial 1 --output greeting.ogg "$work/greeting.wav"

dialogue dialogue.txt "$work/dialogue.wav"
lame --quiet -m m --cbr -b 48 "$work/dialogue.wav" dialogue.mp3

for file in standup.wav greeting.ogg dialogue.mp3; do
  printf '%s %s s %s bytes\n' "$file" "$(soxi -D "$file")" "$(stat -c %s "$file")"
done
