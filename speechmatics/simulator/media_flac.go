// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/binary"
	"errors"
)

// probeFLAC reads the STREAMINFO block, which comes first.
func probeFLAC(c *cursor) (recording, error) {
	c.skip(4) // fLaC: recognised before
	block, err := c.next(4 + 34)
	if err != nil || block[0]&0x7f != 0 {
		return recording{}, errors.New("no stream information")
	}
	// 20 bits of rate, 3 of channels, 5 of bits per sample, 36 of samples.
	packed := binary.BigEndian.Uint64(block[4+10:])
	samples := int64(packed & (1<<36 - 1))
	if samples == 0 {
		// An encoder that streams does not know the number; the service refuses such files.
		return recording{}, errors.New("the number of samples is not known")
	}
	return recording{length: units(samples, int64(packed>>44)), channels: int(packed>>41&7) + 1}, nil
}
