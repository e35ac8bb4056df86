// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"errors"
	"time"
)

// probeADTS adds up the frames of an AAC stream.
func probeADTS(c *cursor) (recording, error) {
	rates := []int64{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	skipID3(c)
	var found recording
	for {
		h, err := c.peek(7)
		if err != nil || h[0] != 0xff || h[1]&0xf6 != 0xf0 {
			break
		}
		rate := int(h[2] >> 2 & 15)
		size := int64(h[3]&3)<<11 | int64(h[4])<<3 | int64(h[5]>>5)
		if rate >= len(rates) || size < 7 {
			break
		}
		found.channels = int(h[2]&1)<<2 | int(h[3]>>6)
		found.length += units(1024*int64(h[6]&3+1), rates[rate])
		c.skip(size)
	}
	if found.length == 0 {
		return recording{}, errors.New("no frames")
	}
	return found, nil
}

// probeAMR counts the frames of an AMR or AMR-WB file, which are 20 ms each.
func probeAMR(c *cursor) (recording, error) {
	sizes := []int64{12, 13, 15, 17, 19, 20, 26, 31, 5}
	magic, _ := c.peek(9)
	if string(magic) == "#!AMR-WB\n" {
		sizes = []int64{17, 23, 32, 36, 40, 46, 50, 58, 60, 5}
		c.skip(9)
	} else {
		c.skip(6)
	}
	found := recording{channels: 1}
	for {
		if c.left() == 0 {
			return found, nil
		}
		h, err := c.next(1)
		if err != nil {
			return recording{}, err
		}
		found.length += 20 * time.Millisecond
		if kind := int(h[0] >> 3 & 15); kind < len(sizes) {
			c.skip(sizes[kind])
		}
	}
}
