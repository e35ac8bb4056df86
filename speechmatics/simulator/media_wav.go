// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/binary"
	"errors"
)

// probeWAV reads a RIFF/WAVE file: the data chunk's size over the format chunk's bytes per second.
func probeWAV(c *cursor) (recording, error) {
	c.skip(12) // RIFF, size, WAVE: recognised before; the size is wrong in streams
	var found recording
	var bytesPerSecond uint32
	for {
		header, err := c.next(8)
		if err != nil {
			return recording{}, errors.New("no data chunk")
		}
		size := int64(binary.LittleEndian.Uint32(header[4:]))
		switch string(header[:4]) {
		case "fmt ":
			format, err := c.peek(16)
			if err != nil {
				return recording{}, err
			}
			found.channels = int(binary.LittleEndian.Uint16(format[2:]))
			bytesPerSecond = binary.LittleEndian.Uint32(format[8:])
		case "data":
			// Who streams a WAV does not know its size and writes 0 or the greatest number.
			if size == 0 || size > c.left() {
				size = c.left()
			}
			found.length = units(size, bytesPerSecond)
			return found, nil
		}
		c.skip(size + size%2) // chunks are padded to an even size
	}
}
