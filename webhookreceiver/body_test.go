// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

func TestClassify(t *testing.T) {
	const jobInfoDoc = `{"created_at":"x","id":"a","tracking":{"details":{"results":1}}}`
	long := `{"job":{"tracking":{"details":"` + strings.Repeat("x", sniffBytes) + `"}}}`
	for name, tt := range map[string]struct {
		part
		want kind
	}{
		"by name, jobinfo":              {part{name: "jobinfo", head: []byte(jsonDoc)}, kindJobInfo},
		"by name, json-v2":              {part{name: "transcript.json-v2", head: []byte(jobInfoDoc)}, kindJSON},
		"by name, txt":                  {part{name: "transcript.txt", head: []byte(srt)}, kindText},
		"by name, srt":                  {part{name: "transcript.srt", head: []byte(text)}, kindSRT},
		"by name, with a colon":         {part{name: "transcript:json-v2", head: []byte(jsonDoc)}, kindJSON},
		"by name, media":                {part{name: "data", fileName: "a.txt", head: []byte(text)}, kindOther},
		"by name, alignment":            {part{name: "alignment.one_per_line", head: []byte(text)}, kindOther},
		"name before file name":         {part{name: "transcript.txt", fileName: "a.srt", head: []byte(srt)}, kindText},
		"by file name, srt":             {part{name: "x", fileName: "a.SRT", head: []byte(text)}, kindSRT},
		"by file name, txt":             {part{name: "data_file", fileName: "a.txt", head: []byte(srt)}, kindText},
		"by file name, item":            {part{fileName: "transcript.json-v2", head: []byte(jsonDoc)}, kindJSON},
		"by file name, jobinfo":         {part{fileName: "jobinfo.json", head: []byte(jsonDoc)}, kindJobInfo},
		"by file name, with a folder":   {part{fileName: `C:\x\a.srt`, head: []byte(text)}, kindSRT},
		"by file name, JSON":            {part{fileName: "a.json", head: []byte(jobInfoDoc)}, kindJobInfo},
		"file name before content type": {part{fileName: "a.srt", contentType: "text/plain", head: []byte(text)}, kindSRT},
		"by content type, subtitles":    {part{contentType: "application/x-subrip", head: []byte(text)}, kindSRT},
		"by content type, text":         {part{contentType: "text/plain", head: []byte(text)}, kindText},
		"by content type, JSON":         {part{contentType: "application/json", head: []byte(jsonDoc)}, kindJSON},
		"by content type, HTML":         {part{contentType: "text/html", head: []byte("hello")}, kindOther},
		"by content type, audio":        {part{contentType: "audio/wav", head: []byte("hello")}, kindOther},
		"by content, JSON":              {part{head: []byte(" \r\n" + jsonDoc)}, kindJSON},
		"by content, jobinfo":           {part{head: []byte(jobInfoDoc)}, kindJobInfo},
		"by content, job only":          {part{head: []byte(`{"job":{"id":"a"}}`)}, kindJobInfo},
		"by content, job cut off":       {part{head: []byte(long[:sniffBytes])}, kindOther},
		"by content, transcript cut":    {part{head: []byte(`{"format":"2.9","job":{"id":"a","tracking":{"x":`)}, kindJSON},
		"by content, other JSON":        {part{head: []byte(`{"error":"x"}`)}, kindOther},
		"by content, srt":               {part{head: []byte(srt)}, kindSRT},
		"by content, srt with a BOM":    {part{head: []byte("\xef\xbb\xbf" + srt)}, kindSRT},
		"by content, srt on Windows":    {part{head: []byte(strings.ReplaceAll(srt, "\n", "\r\n"))}, kindSRT},
		"by content, text":              {part{head: []byte(text)}, kindText},
		"by content, cut character":     {part{head: []byte("Grüß"[:3])}, kindText},
		"by content, bytes":             {part{head: []byte("RIFF\x00\x00")}, kindOther},
		"by content, not UTF-8":         {part{head: []byte("\xff\xfe\x00a")}, kindOther},
		"nothing":                       {part{}, kindOther},
		"HTML under a good name":        {part{name: "transcript.json-v2", head: []byte("<html>")}, kindJSON},
		"array under a good name":       {part{name: "jobinfo", head: []byte("[]")}, kindOther},
	} {
		if got := classify(tt.part); got != tt.want {
			t.Errorf("%s: classify() = %s, want %s", name, got, tt.want)
		}
	}
}

func FuzzClassify(f *testing.F) {
	f.Add("jobinfo", "jobinfo.json", "application/json", []byte(`{"id":"a"}`))
	f.Add("", "", "", []byte(srt))
	f.Add("data_file", `..\..\x.txt`, "text/plain; charset=x", []byte("\xff"))
	f.Fuzz(func(t *testing.T, name, fileName, contentType string, head []byte) {
		got := classify(part{name, fileName, contentType, head})
		switch got {
		case kindOther, kindText, kindSRT:
		case kindJSON, kindJobInfo:
			if !looksLikeObject(head) {
				t.Errorf("%q is taken for %s", head, got)
			}
		default:
			t.Errorf("classify() = %q", got)
		}
	})
}

// memory is a store that keeps what is staged.
type memory struct {
	staged map[store.Key]string
}

func (m *memory) Stage(_ context.Context, key store.Key, r io.Reader) error {
	content, err := io.ReadAll(r)
	m.staged[key] = string(content)
	return err
}
func (m *memory) Commit(context.Context) ([]v1alpha1.StoredTranscript, error) { return nil, nil }
func (m *memory) Discard()                                                    {}

var _ store.Batch = (*memory)(nil)

type noDeadlines struct{}

func (noDeadlines) SetReadDeadline(time.Time) error { return nil }

// Whatever comes in: no crash, at most one transcript of each format, and every error is the body's.
func FuzzBody(f *testing.F) {
	add := func(items ...item) {
		contentType, body := form(f, items...)
		f.Add(contentType, body)
	}
	add(item{"jobinfo", "", "", `{"id":"a","tracking":{"reference":"x"}}`}, item{"transcript.txt", "", "", text}, item{"transcript.srt", "", "", srt})
	add(item{"data_file", "a.json", "application/json", jsonDoc})
	add()
	f.Add("text/plain", []byte(text))
	f.Add("application/json", []byte(jsonDoc))
	f.Add("multipart/form-data; boundary=b", []byte("--b\r\n\r\nx"))
	f.Add("multipart/mixed", []byte("x"))
	f.Fuzz(func(t *testing.T, contentType string, content []byte) {
		batch := &memory{staged: map[store.Key]string{}}
		in := &intake{batch: batch, wanted: []v1alpha1.TranscriptFormat{"txt", "srt", "json-v2"}}
		b := newBody(bytes.NewReader(content), noDeadlines{}, testingclock.NewFakePassiveClock(time.Unix(0, 0)), Limits{}.withDefaults())
		err := in.read(t.Context(), http.Header{"Content-Type": {contentType}}, b)
		var ofBody *bodyError
		if err != nil && !errors.As(err, &ofBody) {
			t.Errorf("an error that is not the body's: %v", err)
		}
		if len(in.staged) > len(batch.staged) {
			t.Errorf("staged %v twice", in.staged)
		}
		for key, transcript := range batch.staged {
			if err == nil && len(transcript) > len(content) {
				t.Errorf("%s is longer than the body", key)
			}
		}
	})
}

func TestBodyDeadline(t *testing.T) {
	clock := testingclock.NewFakePassiveClock(time.Unix(1000, 0))
	limits := Limits{BodyGrace: 20 * time.Second, BodyStall: 30 * time.Second, BodyBytesPerSecond: 1000}
	b := newBody(nil, noDeadlines{}, clock, limits)
	at := func(elapsed time.Duration, n int64) time.Duration {
		clock.SetTime(time.Unix(1000, 0).Add(elapsed))
		b.n = n
		return b.deadline().Sub(time.Unix(1000, 0))
	}
	for _, tt := range []struct {
		elapsed time.Duration
		n       int64
		want    time.Duration
	}{
		{0, 0, 20 * time.Second},                                     // grace
		{19 * time.Second, 19, 20*time.Second + 19*time.Millisecond}, // a drip earns next to nothing
		{10 * time.Second, 1_000_000, 40 * time.Second},              // much was sent, but then it stalls
		{time.Hour, 4_000_000, time.Hour + 30*time.Second},           // big, and as fast as it must be
		{time.Hour, 3_000_000, 3020 * time.Second},                   // too slow on average: over already
	} {
		if got := at(tt.elapsed, tt.n); got != tt.want {
			t.Errorf("after %s and %d bytes the deadline is %s, want %s", tt.elapsed, tt.n, got, tt.want)
		}
	}
}

func TestWatcher(t *testing.T) {
	for text, want := range map[string]bool{
		"--b--": true, "x--b--y": true, "----b--": true, "--b-": false, "": false, "-b--": false, "--b -- --b--": true,
	} {
		for _, wrap := range []func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
		} {
			w := newWatcher(wrap(strings.NewReader(text)), "--b--")
			content, err := io.ReadAll(w)
			if err != nil || string(content) != text || w.seen != want {
				t.Errorf("%q: seen = %v, want %v; %q, %v", text, w.seen, want, content, err)
			}
		}
	}
}

// A multipart body that is cut anywhere is an error, wherever that is.
func TestEveryCutIsNoticed(t *testing.T) {
	contentType, whole := form(t, item{"jobinfo", "jobinfo.json", "application/json", `{"id":"a"}`}, item{"transcript.txt", "", "", text}, item{"transcript.srt", "", "", srt})
	whole = bytes.TrimSuffix(whole, []byte("\r\n")) // after the last boundary there is nothing to lose
	for cut := 1; cut <= len(whole); cut++ {
		in := &intake{batch: &memory{staged: map[store.Key]string{}}, wanted: []v1alpha1.TranscriptFormat{"txt", "srt"}}
		b := newBody(bytes.NewReader(whole[:cut]), noDeadlines{}, testingclock.NewFakePassiveClock(time.Unix(0, 0)), Limits{}.withDefaults())
		err := in.read(t.Context(), http.Header{"Content-Type": {contentType}}, b)
		if (err == nil) != (cut == len(whole)) {
			t.Errorf("of %d bytes, %d were read without an error: %v; the rest is %q", len(whole), cut, err, whole[cut:])
		}
	}
}

// errReader fails.
type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func TestBodyErrors(t *testing.T) {
	clock := testingclock.NewFakePassiveClock(time.Unix(1000, 0))
	for name, tt := range map[string]struct {
		r    io.Reader
		want error
	}{
		"too slow":  {errReader{os.ErrDeadlineExceeded}, errBodyTooSlow},
		"cut off":   {errReader{io.ErrUnexpectedEOF}, errBodyCutOff},
		"reset":     {errReader{errors.New("reset")}, errBodyCutOff},
		"too large": {strings.NewReader(strings.Repeat("a", 11)), errBodyTooLarge},
		"fits":      {strings.NewReader(strings.Repeat("a", 10)), nil},
	} {
		limits := Limits{BodyBytes: 10}.withDefaults()
		_, err := io.ReadAll(newBody(tt.r, noDeadlines{}, clock, limits))
		var ofBody *bodyError
		if !errors.Is(err, tt.want) || (err != nil && !errors.As(err, &ofBody)) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestParseJobInfo(t *testing.T) {
	for name, tt := range map[string]struct {
		document string
		want     *jobInfo
	}{
		"at the root":       {`{"id":"a","duration":15,"tracking":{"reference":"r"}}`, &jobInfo{"a", "r", 15 * time.Second}},
		"below job":         {`{"job":{"id":"a","duration":15,"tracking":{"reference":"r"}}}`, &jobInfo{"a", "r", 15 * time.Second}},
		"in config":         {`{"id":"a","config":{"tracking":{"reference":"r"}}}`, &jobInfo{"a", "r", 0}},
		"a number as ID":    {`{"id":17}`, &jobInfo{"17", "", 0}},
		"nulls":             {`{"id":"a","duration":null,"tracking":null,"config":null,"job":null}`, &jobInfo{"a", "", 0}},
		"a fraction":        {`{"duration":15.6}`, &jobInfo{"", "", 16 * time.Second}},
		"no duration":       {`{"duration":0}`, &jobInfo{}},
		"a negative one":    {`{"duration":-1}`, &jobInfo{}},
		"an endless one":    {`{"duration":1e300}`, &jobInfo{}},
		"words as duration": {`{"duration":"long"}`, &jobInfo{}},
		"with a BOM":        {"\xef\xbb\xbf{\"id\":\"a\"}", &jobInfo{"a", "", 0}},
		"more than that":    {`{"id":"a","new":{"x":[1]}}`, &jobInfo{"a", "", 0}},
		"nothing":           {``, nil},
		"an array":          {`[]`, nil},
		"cut off":           {`{"id":"a"`, nil},
		"an object as ID":   {`{"id":{}}`, nil},
		"another reference": {`{"tracking":{"reference":1}}`, nil},
	} {
		got, err := parseJobInfo(strings.NewReader(tt.document))
		if (err == nil) != (tt.want != nil) {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(jobInfo{})); tt.want != nil && diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzJobInfo(f *testing.F) {
	f.Add([]byte(`{"id":"a","duration":15,"tracking":{"reference":"r"}}`))
	f.Add([]byte(`{"job":{"id":17}}`))
	f.Add([]byte(`{"duration":1e999}`))
	target := notification.Target{Namespace: "a", Name: "b", UID: "6f1f0a5e-3a52-4c0e-9d2e-0123456789ab", Attempt: 1}
	f.Fuzz(func(t *testing.T, document []byte) {
		got, err := parseJobInfo(bytes.NewReader(document))
		if err != nil {
			return
		}
		if got.duration < 0 || got.duration > maxAudioDuration || got.duration%time.Second != 0 {
			t.Errorf("duration %s", got.duration)
		}
		err = got.check(&notice{target: target, jobID: jobID})
		if ours := string(target.UID) + "/1/"; err == nil && !strings.HasPrefix(got.reference, ours) {
			t.Errorf("the reference %q is believed", got.reference)
		}
	})
}

// TestMultipartInDisguise sends multipart bodies whose Content-Type does not say so, or says it in a way that cannot be read. None of them
// is a transcript: stored as one, it would be a text with boundaries and headers in it, for good.
func TestMultipartInDisguise(t *testing.T) {
	_, body := form(t, item{"transcript.txt", "", "", text})
	for _, contentType := range []string{
		"", "text/plain", "application/octet-stream", "multipart/form-data; boundary=a; charset", `multipart/form-data; boundary="a`, "MULTIPART/form-data; boundary=a=b",
	} {
		batch := &memory{staged: map[store.Key]string{}}
		in := &intake{batch: batch, wanted: []v1alpha1.TranscriptFormat{"txt"}}
		b := newBody(bytes.NewReader(body), noDeadlines{}, testingclock.NewFakePassiveClock(time.Unix(0, 0)), Limits{}.withDefaults())
		header := http.Header{}
		if contentType != "" {
			header.Set("Content-Type", contentType)
		}
		var malformed *bodyError
		if err := in.read(t.Context(), header, b); !errors.As(err, &malformed) {
			t.Errorf("%q: %v, want a malformed body", contentType, err)
		}
		if len(batch.staged) != 0 {
			t.Errorf("%q: staged %v", contentType, batch.staged)
		}
	}
}
