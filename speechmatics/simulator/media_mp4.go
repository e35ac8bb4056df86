// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/binary"
	"errors"
	"math"
)

const (
	// maxBoxes bounds the boxes that are looked at, maxBoxDepth how deep they nest.
	maxBoxes    = 100_000
	maxBoxDepth = 8
)

// probeMP4 reads the movie header (or, in a fragmented file, the movie extends header) and the first
// sound description of an ISO base media file: MP4, M4A, QuickTime, 3GP.
func probeMP4(c *cursor) (recording, error) {
	w := mp4Walk{boxes: maxBoxes}
	w.walk(c, c.size, 0)
	if !w.moov {
		return recording{}, errors.New("no movie header")
	}
	return recording{length: units(max(w.duration, w.fragments), w.timescale), channels: w.channels}, nil
}

type mp4Walk struct {
	boxes               int
	moov                bool
	timescale           uint32
	duration, fragments int64
	channels            int
}

// walk looks at the boxes up to an end.
func (w *mp4Walk) walk(c *cursor, end int64, depth int) {
	for c.at < end && w.boxes > 0 {
		w.boxes--
		start := c.at
		kind, size, ok := boxHeader(c, end)
		if !ok {
			return
		}
		next := start + size
		switch kind {
		case "moov", "trak", "mdia", "minf", "stbl", "mvex":
			if depth < maxBoxDepth {
				w.walk(c, next, depth+1)
			}
		case "mvhd":
			w.moov = true
			w.timescale, w.duration = movieHeader(c)
		case "mehd":
			w.fragments = versioned(c, 4, 4)
		case "stsd":
			w.soundDescription(c)
		}
		c.at = next
	}
}

// boxHeader reads the kind and the size, header included, of a box that ends by a limit.
func boxHeader(c *cursor, end int64) (kind string, size int64, ok bool) {
	start := c.at
	h, err := c.next(8)
	if err != nil {
		return "", 0, false
	}
	size = int64(binary.BigEndian.Uint32(h))
	switch size {
	case 0: // up to the end
		size = end - start
	case 1: // 64 bits follow
		long, err := c.next(8)
		if err != nil {
			return "", 0, false
		}
		size = clampInt64(binary.BigEndian.Uint64(long))
	}
	return string(h[4:8]), size, size >= c.at-start && size <= end-start
}

// movieHeader reads timescale and duration, which are behind two times.
func movieHeader(c *cursor) (timescale uint32, duration int64) {
	h, err := c.peek(4)
	if err != nil {
		return 0, 0
	}
	skip := 4 + 8
	if h[0] == 1 {
		skip = 4 + 16
	}
	body, err := c.peek(skip + 12)
	if err != nil {
		return 0, 0
	}
	timescale = binary.BigEndian.Uint32(body[skip:])
	if h[0] == 1 {
		return timescale, clampInt64(binary.BigEndian.Uint64(body[skip+4:]))
	}
	short := binary.BigEndian.Uint32(body[skip+4:])
	if short == math.MaxUint32 { // not known
		return timescale, 0
	}
	return timescale, int64(short)
}

// versioned reads a number of 32 bits in version 0 of a box, of 64 in version 1.
func versioned(c *cursor, at0, at1 int) int64 {
	h, err := c.peek(4)
	if err != nil {
		return 0
	}
	if h[0] == 1 {
		b, err := c.peek(at1 + 8)
		if err != nil {
			return 0
		}
		return clampInt64(binary.BigEndian.Uint64(b[at1:]))
	}
	b, err := c.peek(at0 + 4)
	if err != nil {
		return 0
	}
	return int64(binary.BigEndian.Uint32(b[at0:]))
}

// soundDescription reads the number of channels, if the track is sound: version and flags, count,
// entry size and kind, reserved, data reference, version, vendor, channels.
func (w *mp4Walk) soundDescription(c *cursor) {
	const channelsAt = 8 + 8 + 8 + 8
	b, err := c.peek(channelsAt + 2)
	if err != nil || w.channels != 0 {
		return
	}
	switch string(b[12:16]) {
	case "mp4a", "Opus", "alac", "fLaC", "ac-3", "ec-3", "samr", "sawb", "sowt", "twos", ".mp3":
		w.channels = int(binary.BigEndian.Uint16(b[channelsAt:]))
	}
}

func clampInt64(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
