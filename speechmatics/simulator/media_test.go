// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func be16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
func le16(n uint16) []byte { return binary.LittleEndian.AppendUint16(nil, n) }
func le32(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
func le64(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

func zeros(n int) []byte { return make([]byte, n) }

// flac is a FLAC file's first block; the frames do not matter.
func flac(rate, channels, samples uint64) []byte {
	packed := rate<<44 | (channels-1)<<41 | 15<<36 | samples
	return join([]byte("fLaC"), []byte{0, 0, 0, 34}, zeros(10), be64(packed), zeros(16), zeros(64))
}

// oggFile is an identification page, and a last page with a granule position.
func oggFile(serial uint32, identification []byte, granule uint64) []byte {
	page := func(flags byte, granule uint64, content []byte) []byte {
		return join([]byte("OggS"), []byte{0, flags}, le64(granule), le32(serial), zeros(8), []byte{1, byte(len(content))}, content)
	}
	return join(page(2, 0, identification), page(0, ^uint64(0), zeros(10)), page(4, granule, zeros(20)))
}

func vorbisHead(channels byte, rate uint32) []byte {
	return join([]byte("\x01vorbis"), le32(0), []byte{channels}, le32(rate), zeros(14))
}

func opusHead(channels byte, preSkip uint16) []byte {
	return join([]byte("OpusHead"), []byte{1, channels}, le16(preSkip), le32(16000), zeros(3))
}

func oggFLACHead(channels, rate uint64) []byte {
	block := flac(rate, channels, 0)[4:42]
	return join([]byte("\x7fFLAC\x01\x00"), be16(1), []byte("fLaC"), block)
}

func box(kind string, content ...[]byte) []byte {
	body := join(content...)
	return join(be32(uint32(8+len(body))), []byte(kind), body)
}

// mp4 is the boxes of a file that hold its length and its channels.
func mp4(header []byte, extra ...[]byte) []byte {
	entry := join(be32(36), []byte("mp4a"), zeros(6), be16(1), zeros(8), be16(2), zeros(10))
	sound := box("trak", box("mdia", box("minf", box("stbl", box("stsd", zeros(4), be32(1), entry)))))
	return join(box("ftyp", []byte("M4A "), zeros(4), []byte("M4A mp42isom")), box("free", zeros(50)),
		box("moov", append([][]byte{header, sound}, extra...)...), box("mdat", zeros(100)))
}

func mvhd0(timescale, duration uint32) []byte {
	return box("mvhd", zeros(4), zeros(8), be32(timescale), be32(duration), zeros(80))
}

func mvhd1(timescale uint32, duration uint64) []byte {
	return box("mvhd", []byte{1, 0, 0, 0}, zeros(16), be32(timescale), be64(duration), zeros(80))
}

// mp3Frames are frames of MPEG 1 layer III at 128 kbit/s, 44.1 kHz, mono: 1152 samples in 417 bytes.
func mp3Frames(n int) []byte {
	frame := append([]byte{0xff, 0xfb, 0x90, 0xc4}, zeros(413)...)
	return bytes.Repeat(frame, n)
}

func TestProbe(t *testing.T) {
	adts := append([]byte{0xff, 0xf1, 0x60, 0x40, 0x04, 0x1f, 0xfc}, zeros(25)...) // 16 kHz, mono, 1024 samples in 32 bytes
	for name, test := range map[string]struct {
		media    []byte
		length   time.Duration
		channels int
	}{
		"WAV":                    {wav(3 * time.Second), 3 * time.Second, 1},
		"WAV of unknown size":    {unknownSize(wav(3 * time.Second)), 3 * time.Second, 1},
		"WAV with a chunk more":  {withChunk(wav(3 * time.Second)), 3 * time.Second, 1},
		"MP3":                    {mp3Frames(100), 100 * 1152 * time.Second / 44100, 1},
		"MP3 with tag and junk":  {join(id3(300), mp3Frames(60), zeros(100), mp3Frames(40)), 100 * 1152 * time.Second / 44100, 1},
		"FLAC":                   {flac(44100, 2, 441000), 10 * time.Second, 2},
		"Ogg Vorbis":             {oggFile(1, vorbisHead(2, 48000), 96000), 2 * time.Second, 2},
		"Ogg Opus":               {oggFile(7, opusHead(1, 312), 48312), time.Second, 1},
		"Ogg FLAC":               {oggFile(7, oggFLACHead(2, 8000), 16000), 2 * time.Second, 2},
		"Ogg, chained":           {join(oggFile(1, opusHead(1, 0), 48000), oggFile(2, opusHead(2, 0), 96000)), 3 * time.Second, 2},
		"MP4":                    {mp4(mvhd0(1000, 61500)), 61500 * time.Millisecond, 2},
		"MP4, 64 bits":           {mp4(mvhd1(600, 600*7200)), 2 * time.Hour, 2},
		"MP4, fragmented":        {mp4(mvhd0(1000, 0), box("mvex", box("mehd", zeros(4), be32(4000)))), 4 * time.Second, 2},
		"AAC":                    {bytes.Repeat(adts, 100), 100 * 1024 * time.Second / 16000, 1},
		"AMR":                    {join([]byte("#!AMR\n"), bytes.Repeat(join([]byte{0x3c}, zeros(31)), 50)), time.Second, 1},
		"AMR-WB":                 {join([]byte("#!AMR-WB\n"), bytes.Repeat(join([]byte{0x44}, zeros(60)), 50)), time.Second, 1},
		"recording: standup.wav": {sample(t, "standup.wav"), 25921 * time.Millisecond, 1},  // soxi -D: 25.920938
		"recording: greeting":    {sample(t, "greeting.ogg"), 8908 * time.Millisecond, 1},  // soxi -D: 8.907625
		"recording: dialogue":    {sample(t, "dialogue.mp3"), 43884 * time.Millisecond, 1}, // soxi -D: 43.920000, with the info frame's 36 ms
	} {
		t.Run(name, func(t *testing.T) {
			got, err := probe(bytes.NewReader(test.media), int64(len(test.media)))
			if err != nil {
				t.Fatal(err)
			}
			if off := got.length - test.length; off.Abs() > 2*time.Millisecond {
				t.Errorf("length %v, want %v", got.length, test.length)
			}
			if got.channels != test.channels {
				t.Errorf("%d channels, want %d", got.channels, test.channels)
			}
		})
	}
}

func unknownSize(wav []byte) []byte {
	return join(wav[:4], le32(0xffffffff), wav[8:40], le32(0xffffffff), wav[44:])
}

// withChunk puts a chunk of odd size before the data.
func withChunk(wav []byte) []byte {
	return join(wav[:36], []byte("LIST"), le32(5), zeros(6), wav[36:])
}

func id3(n int) []byte {
	return join([]byte("ID3\x03\x00\x00"), []byte{0, 0, byte(n >> 7), byte(n & 0x7f)}, zeros(n))
}

func TestProbeRefuses(t *testing.T) {
	standup := sample(t, "standup.wav")
	for name, media := range map[string][]byte{
		"nothing":                   nil,
		"text":                      []byte("hello, this is no audio"),
		"HTML":                      []byte("<!DOCTYPE html><html><body>404</body></html>"),
		"PNG":                       []byte("\x89PNG\r\n\x1a\n0000"),
		"WebM":                      join([]byte{0x1a, 0x45, 0xdf, 0xa3, 0x9f}, zeros(20), []byte("\x42\x82\x84webm"), zeros(50)),
		"WAV without data":          standup[:36],
		"WAV, rate 0":               join(wav(time.Second)[:28], le32(0), wav(time.Second)[32:]),
		"WAV, no samples":           wav(0),
		"FLAC of a stream":          flac(16000, 1, 0),
		"FLAC, rate 0":              flac(0, 1, 1000),
		"FLAC cut":                  flac(16000, 1, 1000)[:20],
		"MP3, one frame":            mp3Frames(1),
		"MP3, only a tag":           id3(200),
		"Ogg without audio":         oggFile(1, []byte("\x80theora and nothing else"), 1000),
		"Ogg cut":                   oggFile(1, vorbisHead(1, 8000), 1000)[:30],
		"MP4 without a movie":       box("ftyp", []byte("M4A "), zeros(4), []byte("M4A mp42isom")),
		"MP4, timescale 0":          mp4(mvhd0(0, 1000)),
		"MP4, a box beyond the end": join(box("ftyp", []byte("M4A "), zeros(4), []byte("M4A mp42isom")), be32(1<<31), []byte("moov")),
		"AMR without frames":        []byte("#!AMR\n"),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := probe(bytes.NewReader(media), int64(len(media)))
			if !errors.Is(err, errInvalidAudio) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestHostileLengthsAreBounded(t *testing.T) {
	media := mp4(mvhd1(1, 1<<63))
	got, err := probe(bytes.NewReader(media), int64(len(media)))
	if err != nil || got.length != maxLength {
		t.Errorf("%+v, %v", got, err)
	}
	a := start(t, Options{})
	job := a.finished(a.submit(plainConfig, "x.m4a", media))
	if job["status"] != "rejected" {
		t.Errorf("a recording of %v: %v", got.length, job)
	}
}

func FuzzProbe(f *testing.F) {
	for _, name := range []string{"standup.wav", "greeting.ogg", "dialogue.mp3"} {
		content, err := os.ReadFile(filepath.Join(mediaDir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content[:4096])
	}
	for _, seed := range [][]byte{
		flac(44100, 2, 441000), oggFile(1, vorbisHead(2, 48000), 96000), oggFile(7, opusHead(1, 312), 48312),
		oggFile(7, oggFLACHead(2, 8000), 16000), mp4(mvhd0(1000, 61500)), mp4(mvhd1(600, 1<<40)), mp3Frames(3),
		join(id3(30), mp3Frames(3)), []byte("#!AMR\n\x3c"), []byte("#!AMR-WB\n\x44"), wav(time.Millisecond),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, media []byte) {
		got, err := probe(bytes.NewReader(media), int64(len(media)))
		switch {
		case err != nil && !errors.Is(err, errInvalidAudio):
			t.Errorf("an error that is not about the audio: %v", err)
		case err == nil && (got.length <= 0 || got.length > maxLength || got.channels < 1 || got.mediaType == ""):
			t.Errorf("%+v", got)
		}
	})
}

func FuzzScript(f *testing.F) {
	f.Add("S1: Hello, you!\nS2: Hi.\n\nand more", 10)
	f.Add("no speakers … at all?!", 1)
	f.Add("S1:\nS2:", 0)
	f.Fuzz(func(t *testing.T, text string, seconds int) {
		length := time.Duration(min(max(seconds, 0), 100_000)) * time.Second
		script := parseScript([]byte(text))
		config := &jobConfig{raw: []byte("{}"), features: features{srtLine: 37, srtLines: 2}, recognition: recognition{diarization: diarizationSpeaker}}
		tr := (&transcript{config: config, script: script, length: length, language: "en"}).prepared()
		var at float64
		for w := range tr.words() {
			if w.content == "" || !isNumberedSpeaker(w.speaker) {
				t.Errorf("%+v", w)
			}
			if w.start < at || w.end < w.start || w.end > length.Seconds() {
				t.Errorf("%+v after %v, in %v", w, at, length)
			}
			at = w.end
		}
		config.diarization = diarizationNone
		whole, err := tr.bytes(formatText)
		check(t, err)
		spoken := strings.Join(strings.Fields(string(whole)), "")
		for _, format := range []string{formatJSON, formatSRT} {
			if _, err := tr.bytes(format); err != nil {
				t.Error(err)
			}
		}
		if strings.Contains(text, "@") {
			return // a directive is no word
		}
		if slices.ContainsFunc(strings.Fields(text), speakerPrefix.MatchString) {
			return // a label is no word
		}
		if script != nil && spoken != strings.Join(strings.Fields(text), "") {
			t.Errorf("%q became %q", text, spoken)
		}
	})
}
