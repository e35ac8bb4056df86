// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gabriel-vasile/mimetype"
)

// errInvalidAudio is the reason for media that cannot be transcribed, as the service words it.
var errInvalidAudio = errors.New("Job rejected due to invalid audio") //nolint:staticcheck // the service's words

// recording is what is known of media without decoding them. That is all that the simulator needs,
// and reading headers only is quicker and safer with hostile input than any decoder.
type recording struct {
	mediaType string
	length    time.Duration
	channels  int
}

// prober reads the length and the number of channels of one kind of media.
type prober func(c *cursor) (recording, error)

// probers are the media that the service accepts (it decides by content, not by name or type), by
// the media types under which the content is recognised.
var probers = []struct {
	mediaTypes []string
	probe      prober
}{
	{[]string{"audio/wav"}, probeWAV},
	{[]string{"audio/mpeg"}, probeMP3},
	{[]string{"audio/flac"}, probeFLAC},
	{[]string{"audio/ogg", "video/ogg", "application/ogg"}, probeOgg},
	{[]string{"audio/mp4", "audio/x-m4a", "video/mp4", "video/quicktime", "video/3gpp", "video/x-m4v"}, probeMP4},
	{[]string{"audio/aac"}, probeADTS},
	{[]string{"audio/amr"}, probeAMR},
	{[]string{"video/mpeg"}, estimate},
}

// probe recognises media by their content and reads how long they are.
// Every error is an errInvalidAudio, with the reason.
func probe(r io.ReaderAt, size int64) (recording, error) {
	detected, err := mimetype.DetectReader(io.NewSectionReader(r, 0, size))
	if err != nil {
		return recording{}, fmt.Errorf("%w: %w", errInvalidAudio, err)
	}
	for _, p := range probers {
		if !slices.ContainsFunc(p.mediaTypes, detected.Is) {
			continue
		}
		found, err := p.probe(&cursor{r: r, size: size})
		if err != nil {
			return recording{}, fmt.Errorf("%w: %s: %w", errInvalidAudio, detected, err)
		}
		if found.length <= 0 {
			return recording{}, fmt.Errorf("%w: %s: no length", errInvalidAudio, detected)
		}
		found.mediaType = detected.String()
		found.channels = max(found.channels, 1)
		return found, nil
	}
	return recording{}, fmt.Errorf("%w: %s", errInvalidAudio, detected)
}

// estimate assumes 128 kbit/s, where a length could be told by decoding only.
func estimate(c *cursor) (recording, error) {
	return recording{length: units(c.size, 128_000/8), channels: 2}, nil
}

// maxLength bounds what a header may claim, far above any Limits.MediaDuration that makes sense.
const maxLength = 1000 * time.Hour

// units is the time that n units take at a rate per second, between 0 and maxLength.
func units[R ~int | ~int64 | ~uint32](n int64, perSecond R) time.Duration {
	if n <= 0 || perSecond <= 0 {
		return 0
	}
	seconds := float64(n) / float64(perSecond)
	if seconds >= maxLength.Seconds() {
		return maxLength
	}
	return time.Duration(seconds * float64(time.Second))
}

// cursor reads forward through media of a known size.
type cursor struct {
	r        io.ReaderAt
	at, size int64
}

// peek returns the next n bytes; n is small and constant.
func (c *cursor) peek(n int) ([]byte, error) {
	if c.left() < int64(n) {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	if _, err := c.r.ReadAt(b, c.at); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

// next returns the next n bytes and moves behind them.
func (c *cursor) next(n int) ([]byte, error) {
	b, err := c.peek(n)
	if err == nil {
		c.at += int64(n)
	}
	return b, err
}

// skip moves n bytes forward, at most to the end.
func (c *cursor) skip(n int64) { c.at += min(max(n, 0), c.left()) }

func (c *cursor) left() int64 { return c.size - c.at }
