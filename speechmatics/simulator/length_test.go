// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"testing"
)

// TestLongRecording reads the transcript of ten hours, with everything that is made of it, and looks at the
// memory in between: it does not grow with the recording.
func TestLongRecording(t *testing.T) {
	const most = 4 << 20
	a := said(t, "@length 10h\n", Options{Speed: 1e7, Retention: -1})
	features := `"sentiment_analysis_config":{},"topic_detection_config":{},"translation_config":{"target_languages":["de"]}`
	id, job := a.spokenJob(with(features, `"diarization":"speaker"`))
	if job["status"] != "done" || job["duration"] != 36000.0 {
		t.Fatalf("%v", job)
	}
	for format, least := range map[string]int64{"json-v2": 18 << 20, "txt": 700 << 10, "srt": 1 << 20} {
		before := heap()
		peak := &peakReader{}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/v2/jobs/"+id+"/transcript?format="+format, http.NoBody)
		check(t, err)
		request.Header.Set("Authorization", "Bearer "+testKey)
		response, err := a.client.Do(request)
		check(t, err)
		n, err := io.Copy(peak, response.Body)
		check(t, err)
		check(t, response.Body.Close())
		if n < least || n != response.ContentLength {
			t.Errorf("%s: %d bytes of %d", format, n, response.ContentLength)
		}
		if grown := int64(peak.most) - int64(before); grown > most {
			t.Errorf("%s: %d bytes are sent with %d bytes of memory", format, n, grown)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// peakReader looks at the memory each two megabytes.
type peakReader struct {
	read int64
	most uint64
}

func (p *peakReader) Write(b []byte) (int, error) {
	const step = 2 << 20
	if p.read == 0 || p.read/step != (p.read+int64(len(b)))/step {
		p.most = max(p.most, heap())
	}
	p.read += int64(len(b))
	return len(b), nil
}

// TestEmbeddedTranscriptIsBounded: the answer of a submission that waits has a small transcript in it only.
func TestEmbeddedTranscriptIsBounded(t *testing.T) {
	a := said(t, "Hello.", Options{Limits: Limits{EmbeddedBytes: 500}})
	for format, embedded := range map[string]bool{"json-v2": false, "txt": true} {
		got := a.post("?wait=20&format="+format, plainConfig, "talk.wav", wav(1e9)).json(t)
		if got["status"] != "done" || (got[format] != nil) != embedded {
			t.Errorf("%s: %v", format, got)
		}
	}
}

// TestNotifiedTranscriptIsTheSame: what is made while it is sent has the announced length, each time.
func TestNotifiedTranscriptIsTheSame(t *testing.T) {
	r := newReceiver(t)
	a := said(t, "@length 3m\n", Options{Speed: 1e7, Retention: -1})
	id, _ := a.spokenJob(notifying(r.url, `"contents":["transcript.json-v2"]`))
	eventually(t, "a notification", func() bool { return len(r.all()) == 1 })
	if got := r.all()[0].body; got != a.get("/v2/jobs/"+id+"/transcript").body || !json.Valid([]byte(got)) {
		t.Errorf("%d bytes differ", len(got))
	}
}
