// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// longDocument is an interview of the given length with a translation; an hour of it has about 2.7 MB. Its metadata comes last, as
// the format allows.
func longDocument(length time.Duration) []byte {
	var b bytes.Buffer
	result := func(kind, content, rest string, speaker int, start, end float64) {
		fmt.Fprintf(&b, `{"alternatives": [{"confidence": 0.98, "content": %q, "display": {"direction": "ltr"}, "language": "en", "speaker": "S%d"}], `+
			`"end_time": %.2f, "start_time": %.2f, "type": %q, "volume": 61.25, "not_yet_known": {"a": [1, 2, 3], "b": "and so on"}%s},`+"\n", content, speaker, end, start, kind, rest)
	}
	fmt.Fprintf(&b, `{"format": "2.9", "job": {"data_name": "long.mp3", "duration": %d, "id": "l0o1n2g3e4"}, "results": [`+"\n", int(length.Seconds()))
	words := strings.Fields("and so the keeper climbed up to the lamp again because nobody else would do it before the storm")
	var sentences []string
	for n, at := 0, 0.0; at < length.Seconds()-1; n, at = n+1, at+0.4 {
		speaker, end := n/200%3+1, at+0.35
		result(typeWord, words[n%len(words)], "", speaker, at, end)
		if n%len(words) == len(words)-1 {
			result(typePunctuation, ".", `, "attaches_to": "previous", "is_eos": true`, speaker, end, end)
			sentences = append(sentences, fmt.Sprintf(`{"content": "Und so stieg der Wärter wieder zur Lampe hinauf, weil es vor dem Sturm sonst niemand tun wollte.", `+
				`"end_time": %.2f, "speaker": "S%d", "start_time": %.2f}`, end, speaker, end-6))
		}
	}
	b.Truncate(b.Len() - len(",\n"))
	fmt.Fprintf(&b, `], "translations": {"de": [%s]}, `, strings.Join(sentences, ",\n"))
	b.WriteString(`"metadata": {"language_pack_info": {"word_delimiter": " "}, "transcription_config": {"diarization": "speaker", "language": "en"}, `)
	b.WriteString(`"translation_config": {"target_languages": ["de"]}, "type": "transcription"}}`)
	return b.Bytes()
}

// heapGauge reads a document and looks again and again at how much memory is in use.
type heapGauge struct {
	*bytes.Reader
	read, peak uint64
}

const gaugeEvery = 1 << 20 // bytes

func (g *heapGauge) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	before := g.read / gaugeEvery
	g.read += uint64(n)
	if g.read/gaugeEvery > before {
		g.peak = max(g.peak, liveHeap())
	}
	return n, err
}

// liveHeap is how much memory is in use, without what is only not yet collected.
func liveHeap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// Ten hours are rendered in little more memory than an input buffer.
func TestMemoryDoesNotGrowWithTheDocument(t *testing.T) {
	const limit = 1 << 20
	length, size := 10*time.Hour, 25_000_000
	if raceDetector { // ten times as slow
		length, size = length/10, size/10
	}
	document := longDocument(length)
	if len(document) < size {
		t.Fatalf("the document has only %d bytes", len(document))
	}
	g := &heapGauge{Reader: bytes.NewReader(document)}
	before := liveHeap()
	if err := WriteVTT(io.Discard, g, Options{}); err != nil {
		t.Fatal(err)
	}
	if g.read < 2*uint64(len(document)) {
		t.Errorf("%d bytes were read", g.read)
	}
	if g.peak > before+limit {
		t.Errorf("%d bytes were in use at a time, want at most %d", g.peak-before, limit)
	}
	runtime.KeepAlive(document)
}

// The same of a translation, which is read after all results were skipped; an hour will do to see it grow.
func TestMemoryDoesNotGrowWithTheTranslation(t *testing.T) {
	const limit = 512 << 10
	document := longDocument(time.Hour)
	g := &heapGauge{Reader: bytes.NewReader(document)}
	before := liveHeap()
	if err := WriteVTT(io.Discard, g, Options{Language: "de"}); err != nil {
		t.Fatal(err)
	}
	if g.peak == 0 || g.peak > before+limit {
		t.Errorf("%d bytes were in use at a time, want at most %d", g.peak-before, limit)
	}
	runtime.KeepAlive(document)
}

// writeGauge looks while it is written to.
type writeGauge struct{ written, peak uint64 }

func (g *writeGauge) Write(p []byte) (int, error) {
	const every = 128 << 10
	before := g.written / every
	g.written += uint64(len(p))
	if g.written/every > before {
		g.peak = max(g.peak, liveHeap())
	}
	return len(p), nil
}

// A single result may be large, too: it is divided piece by piece.
func TestMemoryOfALargeResult(t *testing.T) {
	const limit = 4 << 20
	text := strings.Repeat("a ", maxValue/8)
	for language, document := range map[string]string{
		"":   `{"results":[{"type":"word","alternatives":[{"content":"` + text + `"}]}]}`,
		"de": `{"results":[],"translations":{"de":[{"content":"` + text + `"}]}}`,
	} {
		g := &writeGauge{}
		before := liveHeap()
		if err := WriteVTT(g, strings.NewReader(document), Options{Language: language}); err != nil {
			t.Fatal(err)
		}
		if g.peak == 0 || g.peak > before+limit {
			t.Errorf("%q: %d bytes were in use at a time, want at most %d", language, g.peak-before, limit)
		}
	}
}

// BenchmarkRender says how many bytes are allocated for each byte of an hour's document.
func BenchmarkRender(b *testing.B) {
	document := longDocument(time.Hour)
	for format, write := range renderings {
		for _, language := range []string{"", "de"} {
			b.Run(strings.TrimSuffix(format+"-"+language, "-"), func(b *testing.B) {
				b.SetBytes(int64(len(document)))
				b.ReportAllocs()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for b.Loop() {
					if err := write(io.Discard, bytes.NewReader(document), Options{Language: language}); err != nil {
						b.Fatal(err)
					}
				}
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/float64(len(document)), "allocated/byte")
			})
		}
	}
}
