// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"
)

// maxJunk is how much may lie between MPEG frames, in all, before the rest is ignored.
const maxJunk = 64 << 10

// probeMP3 adds up the frames of an MPEG audio stream (MPEG 1, 2 and 2.5; layers I to III). Adding up
// is right for variable bit rates too, and does not depend on an optional header that may lie.
func probeMP3(c *cursor) (recording, error) {
	skipID3(c)
	var found recording
	var frames, junk int
	for {
		header, err := c.peek(4)
		if err != nil {
			break
		}
		frame, ok := parseMPEGHeader(binary.BigEndian.Uint32(header))
		if !ok {
			if junk++; junk > maxJunk {
				break
			}
			c.skip(1)
			continue
		}
		if frames > 0 || !isInfoFrame(c, frame) {
			found.length += frame.length
			found.channels = frame.channels
		}
		frames++
		c.skip(frame.bytes)
	}
	if frames < 2 {
		return recording{}, errors.New("fewer than two frames")
	}
	return found, nil
}

// skipID3 moves behind ID3v2 tags, whose size is written in seven bits a byte.
func skipID3(c *cursor) {
	for {
		h, err := c.peek(10)
		if err != nil || string(h[:3]) != "ID3" {
			return
		}
		c.skip(10 + int64(h[6]&0x7f)<<21 + int64(h[7]&0x7f)<<14 + int64(h[8]&0x7f)<<7 + int64(h[9]&0x7f))
	}
}

// isInfoFrame tells the frame that encoders put first to describe the others. It holds no audio.
func isInfoFrame(c *cursor, f mpegFrame) bool {
	head, err := c.peek(int(min(f.bytes, 64)))
	return err == nil && (bytes.Contains(head, []byte("Xing")) || bytes.Contains(head, []byte("Info")) ||
		bytes.Contains(head, []byte("VBRI")))
}

type mpegFrame struct {
	bytes    int64
	length   time.Duration
	channels int
}

// mpegBitrates in kbit/s, by layer and index: MPEG 1, then MPEG 2 and 2.5.
var mpegBitrates = [2][4][15]int64{
	{
		3: {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
		2: {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
		1: {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
	},
	{
		3: {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
		2: {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
		1: {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	},
}

// mpegRates in Hz by version bits (2.5, reserved, 2, 1) and index.
var mpegRates = [4][3]int64{{11025, 12000, 8000}, {}, {22050, 24000, 16000}, {44100, 48000, 32000}}

// parseMPEGHeader reads the four bytes before a frame. The layer bits count down: 3 is layer I.
func parseMPEGHeader(h uint32) (mpegFrame, bool) {
	version, layer := h>>19&3, h>>17&3
	bitrateIndex, rateIndex, padding := h>>12&15, h>>10&3, int64(h>>9&1)
	if h>>21 != 0x7ff || version == 1 || layer == 0 || bitrateIndex == 0 || bitrateIndex == 15 || rateIndex == 3 {
		return mpegFrame{}, false
	}
	older := 0
	if version != 3 {
		older = 1
	}
	bitrate := mpegBitrates[older][layer][bitrateIndex] * 1000
	rate := mpegRates[version][rateIndex]
	samples, slot := int64(1152), int64(1)
	switch {
	case layer == 3:
		samples, slot = 384, 4
	case layer == 1 && older == 1:
		samples = 576
	}
	f := mpegFrame{
		bytes:    (samples/8/slot*bitrate/rate + padding) * slot,
		length:   units(samples, rate),
		channels: 2,
	}
	if h>>6&3 == 3 {
		f.channels = 1
	}
	return f, f.bytes > 4
}
