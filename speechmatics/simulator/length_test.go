// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
)

// TestLongRecording writes the transcript of ten hours, with a translation of it, and looks at the memory in
// between: it does not grow with the recording.
func TestLongRecording(t *testing.T) {
	const most = 2 << 20
	a := said(t, "@length 10h\n", Options{Speed: 1e7, Retention: -1})
	id, job := a.spokenJob(with(`"translation_config":{"target_languages":["de"]}`, `"diarization":"speaker"`))
	if job["status"] != "done" || job["duration"] != 36000.0 {
		t.Fatalf("%v", job)
	}
	j := a.server.jobs[id]
	for format, least := range map[string]int64{"json-v2": 15 << 20, "txt": 700 << 10, "srt": 1 << 20} {
		before := heap()
		peak := &peakWriter{}
		check(t, a.server.transcriptOf(j).write(peak, format))
		if peak.written < least {
			t.Errorf("%s: %d bytes", format, peak.written)
		}
		if grown := int64(peak.most) - int64(before); grown > most {
			t.Errorf("%s: %d bytes take %d bytes of memory", format, peak.written, grown)
		}
	}
	if got := a.get("/v2/jobs/" + id + "/transcript?format=txt"); got.header.Get("Content-Length") != fmt.Sprint(len(got.body)) || len(got.body) < 700<<10 {
		t.Errorf("%d bytes, announced are %s", len(got.body), got.header.Get("Content-Length"))
	}
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// peakWriter looks at the memory each two megabytes. Whoever writes waits meanwhile, so that only what is kept
// is counted.
type peakWriter struct {
	written int64
	most    uint64
}

func (p *peakWriter) Write(b []byte) (int, error) {
	const step = 2 << 20
	if p.written == 0 || p.written/step != (p.written+int64(len(b)))/step {
		p.most = max(p.most, heap())
	}
	p.written += int64(len(b))
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
