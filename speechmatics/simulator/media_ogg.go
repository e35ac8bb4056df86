// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/binary"
	"errors"
	"time"
)

// probeOgg walks the pages of an Ogg file. The granule position of a stream's last page is the number
// of its samples. Streams that follow each other (chained) add up.
func probeOgg(c *cursor) (recording, error) {
	var found recording
	var current oggStream
	var total time.Duration
	for {
		page, ok := nextOggPage(c)
		if !ok {
			break
		}
		if stream, ok := openOggStream(page); ok {
			total += current.length()
			current = stream
			found.channels = max(found.channels, stream.channels)
		}
		if page.serial == current.serial && page.granule > current.last {
			current.last = page.granule
		}
	}
	found.length = min(total+current.length(), maxLength)
	if found.channels == 0 {
		return recording{}, errors.New("no audio stream")
	}
	return found, nil
}

type oggPage struct {
	granule int64
	serial  uint32
	first   bool
	head    []byte // the first bytes of the page's content
}

// nextOggPage reads a page and moves behind it.
func nextOggPage(c *cursor) (oggPage, bool) {
	h, err := c.next(27)
	if err != nil || string(h[:4]) != "OggS" {
		return oggPage{}, false
	}
	segments, err := c.next(int(h[26]))
	if err != nil {
		return oggPage{}, false
	}
	var size int64
	for _, s := range segments {
		size += int64(s)
	}
	page := oggPage{
		granule: int64(binary.LittleEndian.Uint64(h[6:])), //nolint:gosec // -1 means none
		serial:  binary.LittleEndian.Uint32(h[14:]),
		first:   h[5]&2 != 0,
	}
	if page.first {
		page.head, _ = c.peek(int(min(size, 64, c.left())))
	}
	c.skip(size)
	return page, true
}

type oggStream struct {
	serial        uint32
	rate          uint32
	channels      int
	preSkip, last int64
}

func (s oggStream) length() time.Duration { return units(s.last-s.preSkip, s.rate) }

// openOggStream reads the identification header of Vorbis, Opus, Speex or FLAC.
func openOggStream(p oggPage) (oggStream, bool) {
	h := p.head
	s := oggStream{serial: p.serial}
	switch {
	case !p.first:
		return s, false
	case len(h) >= 16 && string(h[:7]) == "\x01vorbis":
		s.channels, s.rate = int(h[11]), binary.LittleEndian.Uint32(h[12:])
	case len(h) >= 12 && string(h[:8]) == "OpusHead":
		// Opus counts in 48 kHz, whatever the rate of what was encoded.
		s.channels, s.rate, s.preSkip = int(h[9]), 48_000, int64(binary.LittleEndian.Uint16(h[10:]))
	case len(h) >= 52 && string(h[:8]) == "Speex   ":
		s.rate, s.channels = binary.LittleEndian.Uint32(h[36:]), int(h[48])
	case len(h) >= 35 && string(h[:5]) == "\x7fFLAC":
		// Magic and version, number of headers, fLaC, the block's header, ten bytes of its sizes.
		packed := binary.BigEndian.Uint64(h[7+2+4+4+10:])
		s.rate, s.channels = uint32(packed>>44), int(packed>>41&7)+1
	default:
		return s, false
	}
	return s, s.channels > 0
}
