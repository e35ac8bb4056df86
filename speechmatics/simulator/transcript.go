// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// The formats of a transcript.
const (
	formatJSON = "json-v2"
	formatText = "txt"
	formatSRT  = "srt"
)

// transcript is what was said in a recording, ready to be written in any format. It holds no list of
// words: they are made anew for each use, so that memory does not grow with the recording. It is for
// one goroutine.
type transcript struct {
	info      jobInfo
	project   string
	createdAt time.Time
	config    *jobConfig
	behaviour Behaviour
	script    *script
	length    time.Duration
	channels  int
	// language is what was spoken; pack is how it is written.
	language string
	pack     pack
	// identified is what language identification found; nil where nobody asked.
	identified *identification
	failures   []featureFailure
	// weight is that of all words.
	weight float64
	// labels are how speakers are named, once that was found out.
	labels map[string]string
}

// transcriptOf returns the transcript of a job that is done.
func (s *Server) transcriptOf(j *job) *transcript {
	s.mu.Lock()
	t := &transcript{
		info: j.info(), project: j.project, createdAt: j.endedAt, config: j.config, script: j.script,
		length: j.recording.length, channels: j.recording.channels, language: j.language(), identified: j.identified,
		failures: j.failures,
	}
	s.mu.Unlock()
	t.behaviour = s.Behaviour()
	return t.prepared()
}

// prepared completes a transcript whose facts are set.
func (t *transcript) prepared() *transcript {
	if t.script == nil {
		t.script = &script{}
	}
	t.labels = map[string]string{}
	t.pack = packOf(t.language)
	t.weight = t.weigh()
	return t
}

// language is what was spoken. The caller holds Server.mu.
func (j *job) language() string {
	if j.identified != nil {
		return j.identified.language
	}
	return j.config.language
}

// contentTypeOf is the media type of a format.
func contentTypeOf(format string) string {
	if format == formatJSON {
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

// write writes the transcript in a format.
func (t *transcript) write(w io.Writer, format string) error {
	buffered := bufio.NewWriterSize(w, 64<<10)
	switch format {
	case formatText:
		t.writeText(buffered)
	case formatSRT:
		t.writeSRT(buffered)
	default:
		if err := t.writeJSON(buffered); err != nil {
			return err
		}
	}
	return buffered.Flush()
}

// bytes is the whole transcript, for where it is known to be small.
func (t *transcript) bytes(format string) ([]byte, error) {
	var b bytes.Buffer
	err := t.write(&b, format)
	return b.Bytes(), err
}

// counter counts what is written.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// sizeOf is the length of a job's transcript in a format. It never changes, so it is found out once.
func (s *Server) sizeOf(j *job, format string) int64 {
	s.mu.Lock()
	size, known := j.sizes[format]
	s.mu.Unlock()
	if known {
		return size
	}
	var n counter
	_ = s.transcriptOf(j).write(&n, format) // a counter takes everything
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.sizes == nil {
		j.sizes = map[string]int64{}
	}
	j.sizes[format] = int64(n)
	return int64(n)
}

// writeTranscript answers with a transcript.
func (s *Server) writeTranscript(w http.ResponseWriter, j *job, format string) {
	w.Header().Set("Content-Type", contentTypeOf(format))
	w.Header().Set("Content-Length", strconv.FormatInt(s.sizeOf(j, format), 10))
	w.WriteHeader(http.StatusOK)
	if err := s.transcriptOf(j).write(w, format); err != nil {
		s.log.Info("transcript not sent", "job", j.id, "error", err)
	}
}

// transcriptReader makes a transcript while it is read. It begins with the first read: net/http leaves the
// body of a redirect that is not followed alone, without closing it. It may be closed while it is read.
type transcriptReader struct {
	transcript *transcript
	format     string

	mu     sync.Mutex
	pipe   *io.PipeReader // nil until the first read
	closed bool
}

func (r *transcriptReader) Read(b []byte) (int, error) {
	pipe := r.begun()
	if pipe == nil {
		return 0, io.ErrClosedPipe
	}
	return pipe.Read(b)
}

// begun starts to make the transcript, unless that has happened; nil is a closed reader.
func (r *transcriptReader) begun() *io.PipeReader {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pipe == nil && !r.closed {
		var w *io.PipeWriter
		r.pipe, w = io.Pipe()
		go func() { _ = w.CloseWithError(r.transcript.write(w, r.format)) }() // ends with the reader
	}
	return r.pipe
}

func (r *transcriptReader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.pipe == nil {
		return nil
	}
	return r.pipe.Close()
}

// identifierOf is what tells a voice apart: the same one for a speaker's number in every recording, but
// bound to the project and the model, as the service's are.
func (t *transcript) identifierOf(speaker string) string {
	sum := sha256.Sum256([]byte(t.project + "\x00" + t.config.model + "\x00" + speaker))
	return base64.StdEncoding.EncodeToString(sum[:])
}
