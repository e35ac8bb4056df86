// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// speech writes the json-v2 document of a recording: words and their translation, as large as the provider's, with numbers that do not
// compress to nothing.
type speech struct {
	length time.Duration
}

const (
	wordLength     = 400 * time.Millisecond
	sentenceLength = 12 * wordLength
)

// WriteTo implements io.WriterTo. It writes the same each time.
func (s speech) WriteTo(w io.Writer) (int64, error) {
	out := &printer{w: w}
	out.printf(`{"format":"2.9","job":{"id":%q,"duration":%d},"metadata":{"type":"transcription","transcription_config":{"language":"en","diarization":"speaker"},`+
		`"translation_config":{"target_languages":["de"]},"language_pack_info":{"word_delimiter":" "}},"results":[`, jobID, int(s.length.Seconds()))
	separator := ""
	for i := range int(s.length / wordLength) {
		start := time.Duration(i) * wordLength
		out.printf(`%s{"alternatives":[{"confidence":%.17f,"content":"word%d","language":"en","speaker":"S%d","display":{"direction":"ltr"}}],"end_time":%.3f,"start_time":%.3f,"type":"word","volume":%.14f}`,
			separator, 1/(1+float64(scramble(i))/(1<<32)), i, 1+i/60%2, (start + wordLength).Seconds(), start.Seconds(), float64(scramble(-i))/(1<<32)*100)
		separator = ",\n "
		if i%12 == 11 {
			out.printf(`%s{"alternatives":[{"confidence":1.0,"content":".","language":"en","speaker":"S%d"}],"attaches_to":"previous","end_time":%.3f,"is_eos":true,"start_time":%[3]f,"type":"punctuation"}`,
				separator, 1+i/60%2, (start + wordLength).Seconds())
		}
	}
	out.printf(`],"translations":{"de":[`)
	separator = ""
	for i := range int(s.length / sentenceLength) {
		start := time.Duration(i) * sentenceLength
		out.printf(`%s{"content":"Satz %d hat %d.","end_time":%.3f,"speaker":"S1","start_time":%.3f}`, separator, i, scramble(i), (start + sentenceLength).Seconds(), start.Seconds())
		separator = ","
	}
	out.printf(`]}}`)
	return out.n, out.err
}

// scramble is a number that looks like any other.
func scramble(i int) uint32 { return uint32(i)*2654435761 ^ uint32(i)*40503>>7 }

// recording is a document in a file, so that neither making nor sending it needs memory.
type recording struct {
	speech

	file string
	size int64
	sum  string
}

// record writes a document to a file.
func (s speech) record(t *testing.T) recording {
	t.Helper()
	rec := recording{speech: s, file: filepath.Join(t.TempDir(), "transcript.json")}
	f, err := os.Create(rec.file)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.New()
	buffered := bufio.NewWriter(io.MultiWriter(f, hash))
	if rec.size, err = s.WriteTo(buffered); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(buffered.Flush(), f.Close()); err != nil {
		t.Fatal(err)
	}
	rec.sum = hex.EncodeToString(hash.Sum(nil))
	return rec
}

// notify sends the document as a notification, and returns the most that lived on the heap meanwhile.
func (rec recording) notify(t *testing.T, r *rig, job *v1alpha1.TranscriptionJob) uint64 {
	t.Helper()
	f, err := os.Open(rec.file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	heap := testenv.WatchHeap()
	got, err := r.try(t.Context(), targetOf(job, 1), request{contentType: "application/json", body: f})
	peak := heap.End()
	if err != nil || got.status != http.StatusNoContent {
		t.Fatalf("%s: answer %+v, %v", rec.length, got, err)
	}
	return peak
}

// printer keeps the first error, and counts.
type printer struct {
	w   io.Writer
	n   int64
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		var n int
		n, p.err = fmt.Fprintf(p.w, format, args...)
		p.n += int64(n)
	}
}

// Transcripts of half a minute, of one hour and of ten hours go through the receiver into both stores. The memory does not grow with them,
// and what is stored is what was sent: read back as it is documented.
func TestAnyLength(t *testing.T) {
	// most is what the memory may grow by from half a minute to ten hours, in bytes: by the copies of one ConfigMap's part that the
	// Kubernetes client makes on the way. The longest document has 22 MB; the store's own tests look closer.
	const most = 9 << 20
	half, hour, long := speech{30 * time.Second}.record(t), speech{time.Hour}.record(t), speech{10 * time.Hour}.record(t)
	inConfigMaps := func(*v1alpha1.TranscriptionJob) {}
	for name, steps := range map[string][]struct {
		recording recording
		change    func(*v1alpha1.TranscriptionJob)
		captions  v1alpha1.TranscriptFormat
	}{
		"ConfigMaps": {{half, inConfigMaps, "vtt"}, {hour, inConfigMaps, "vtt"}, {long, inConfigMaps, "txt"}},
		"volume":     {{half, onVolume, "vtt"}, {long, onVolume, "txt"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(o *Options) {
				stores := o.Store.(store.Stores)
				stores.ConfigMaps = store.NewConfigMaps(env.Client, o.Scratch, store.DefaultConfigMapMaxBytes)
				o.Store = stores
			})
			var least uint64
			for _, step := range steps {
				job := newJob(t, step.change, withFormats("json-v2", step.captions))
				peak := step.recording.notify(t, r, job)
				t.Logf("%s: %d bytes of json-v2 with %.1f MiB of live heap", step.recording.length, step.recording.size, float64(peak)/(1<<20))
				if least == 0 {
					least = peak
				}
				if peak > least+most {
					t.Errorf("%s: %d bytes of json-v2 make the live heap grow by %d bytes", step.recording.length, step.recording.size, peak-least)
				}
				checkStored(t, r, job, step.recording)
			}
		})
	}
}

// endless is a text of so many bytes, which nothing keeps and gzip hardly makes smaller. It counts what was taken of it.
type endless struct {
	text  []byte
	left  int64
	taken atomic.Int64
}

func newEndless(length int64) *endless {
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = ' ' + byte(rand.N(95))
	}
	return &endless{text: text, left: length}
}

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	at := int(e.taken.Load() % int64(len(e.text)))
	n := copy(p[:min(int64(len(p)), e.left)], e.text[at:])
	e.left -= int64(n)
	e.taken.Add(int64(n))
	return n, nil
}

// A body of one gigabyte, with a good token, is refused by a receiver as it is shipped: at once if it says how large it is, otherwise as soon
// as it is known to be too large. It is neither read to its end nor kept, in memory or elsewhere. What bounds it is the receiver's limit or,
// in ConfigMaps, what a job may have there.
func TestGigabyteIsRefused(t *testing.T) {
	const (
		gigabyte = 1 << 30
		heap     = 16 << 20 // of live heap, which does not follow from the body's size
		// slack is what the sender has sent and the receiver has not asked for: the discarded end, and buffers of both sides' sockets.
		slack = 16 << 20
	)
	inConfigMaps := func(*v1alpha1.TranscriptionJob) {}
	for name, test := range map[string]struct {
		where  func(*v1alpha1.TranscriptionJob)
		length int64 // that is declared
		most   int64 // bytes that are taken
	}{
		"volume":               {onVolume, 0, DefaultBodyBytes},
		"volume, declared":     {onVolume, gigabyte, 0},
		"ConfigMaps":           {inConfigMaps, 0, 2 << 20}, // a rig's job may have 1 MiB there, which is little more of such a text
		"ConfigMaps, declared": {inConfigMaps, gigabyte, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			job := newJob(t, test.where, withFormats(v1alpha1.FormatText))
			body := newEndless(gigabyte)
			unchanged(t, r, job, func() {
				live := testenv.WatchHeap()
				got, err := r.try(t.Context(), targetOf(job, 1), request{contentType: "text/plain", body: body, length: test.length})
				if err != nil || got.status != http.StatusRequestEntityTooLarge || got.header.Get("Retry-After") != "" {
					t.Errorf("answer %+v, %v; want 413", got, err)
				}
				if peak := live.End(); peak > heap {
					t.Errorf("%d bytes lived on the heap", peak)
				}
			})
			if taken := body.taken.Load(); taken > test.most+slack {
				t.Errorf("%d bytes were taken of a body that may have %d", taken, test.most)
			}
			if !strings.Contains(r.log.String(), `"result"="`+string(resultTooLarge)+`"`) {
				t.Errorf("it is not said why:\n%s", r.log)
			}
			if used := r.server.options.Scratch.Used(); used != 0 {
				t.Errorf("%d bytes are left in the scratch folder", used)
			}
		})
	}
}

// Of a job that failed nothing is kept, so that nothing is too large: it is recorded that it failed, and the body is not read.
func TestGigabyteOfAFailure(t *testing.T) {
	r := start(t)
	job := newJob(t)
	body := newEndless(1 << 30)
	// The answer may be lost, since the connection is closed while the sender still writes.
	got, err := r.try(t.Context(), targetOf(job, 1), request{query: "?id=" + jobID + "&status=error", contentType: "text/plain", body: body, length: 1 << 30})
	if err == nil && got.status != http.StatusNoContent {
		t.Errorf("answer %+v", got)
	}
	waitFor(t, "the failure is recorded", func() bool { return read(t, job).Status.Notification != nil })
	if taken := body.taken.Load(); taken > 16<<20 {
		t.Errorf("%d bytes were taken", taken)
	}
}

// checkStored reads back what is stored.
func checkStored(t *testing.T, r *rig, job *v1alpha1.TranscriptionJob, rec recording) {
	t.Helper()
	after := read(t, job)
	if d := after.Status.Document; d == nil || d.Problem != nil || d.AudioDuration == nil || d.AudioDuration.Duration != rec.length {
		t.Errorf("%s: facts %+v", rec.length, d)
	}
	if len(after.Status.Transcripts) == 0 {
		t.Fatalf("%s: stored %+v", rec.length, after.Status.Transcripts)
	}
	for _, stored := range after.Status.Transcripts {
		hash := sha256.New()
		var text bytes.Buffer
		if stored.Format == v1alpha1.FormatJSONv2 {
			readBack(t, r, job, stored, hash)
			if got := hex.EncodeToString(hash.Sum(nil)); got != rec.sum || stored.SHA256 != rec.sum || *stored.Bytes != rec.size {
				t.Errorf("%s: what is read back has the SHA-256 %s, want %s; recorded is %+v", rec.length, got, rec.sum, stored)
			}
			continue
		}
		readBack(t, r, job, stored, io.MultiWriter(hash, &text))
		if got := hex.EncodeToString(hash.Sum(nil)); got != stored.SHA256 {
			t.Errorf("%s: %s read back has the SHA-256 %s, recorded is %s", rec.length, stored.Format, got, stored.SHA256)
		}
		last := fmt.Sprintf("word%d", int(rec.length/wordLength)-1)
		if stored.Language != "" {
			last = fmt.Sprintf("Satz %d hat", int(rec.length/sentenceLength)-1)
		}
		if !strings.Contains(text.String(), last) {
			t.Errorf("%s: %s %s ends before %q", rec.length, stored.Format, stored.Language, last)
		}
	}
}

// readBack reads a stored transcript: from a file, or with the documented command.
func readBack(t *testing.T, r *rig, job *v1alpha1.TranscriptionJob, stored v1alpha1.StoredTranscript, w io.Writer) {
	t.Helper()
	switch {
	case stored.PersistentVolumeClaim != nil:
		f, err := os.Open(filepath.Join(r.volume, stored.PersistentVolumeClaim.Path))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if _, err := io.Copy(w, f); err != nil {
			t.Fatal(err)
		}
	case stored.Encoding == v1alpha1.EncodingGzip:
		command := testenv.Documented(t, "README.md", "format=json-v2", "gunzip")
		key := strings.ReplaceAll(stored.ConfigMapRef.Key, ".", `\.`)
		command = strings.NewReplacer("format=json-v2", "format="+string(stored.Format), `transcript\.json\.gz`, key).Replace(command)
		env.Shell(t, job.Namespace, command, w)
	default:
		if _, err := io.WriteString(w, contents(t, r, job)[stored.ConfigMapRef.Name]); err != nil {
			t.Fatal(err)
		}
	}
}
