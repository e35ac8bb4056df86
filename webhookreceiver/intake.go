// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// intake takes in the body of one notification: it stages the transcripts that the job asks for and reads the facts about the job.
type intake struct {
	// batch is where transcripts are staged; nil if none is to be stored.
	batch store.Batch
	// wanted are the formats that the job asks for.
	wanted []v1alpha1.TranscriptFormat
	// staged are the transcripts that are staged.
	staged []store.Key
	// document takes in the json-v2 document if it is to be read; nil if it is not.
	document *document
	// info are the facts about the job; nil if the body has none.
	info *jobInfo
}

// read reads the body to its end, in any of the forms that the provider sends: nothing, one item as it is, or several of them as
// multipart/form-data. Errors of the body are *bodyError.
func (in *intake) read(ctx context.Context, header http.Header, b *body) error {
	if encoding := header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return refuse(http.StatusUnsupportedMediaType, resultMalformed, "", errors.New("the body has a Content-Encoding, which the provider does not use"))
	}
	contentType := header.Get("Content-Type")
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	switch multi := strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), "multipart/"); {
	case multi && err != nil:
		return &bodyError{fmt.Errorf("%w: its Content-Type says multipart and cannot be read", errBodyMalformed)}
	case multi && strings.HasPrefix(mediaType, "multipart/"):
		return in.readParts(ctx, parameters["boundary"], b)
	}
	_, disposition, _ := mime.ParseMediaType(header.Get("Content-Disposition")) // an invalid one tells nothing
	return in.readOne(ctx, part{name: disposition["name"], fileName: disposition["filename"], contentType: contentType}, b)
}

// readOne reads a body that is one item. An empty one is no item at all: it is not an empty transcript.
func (in *intake) readOne(ctx context.Context, p part, b *body) error {
	r := bufio.NewReaderSize(b, sniffBytes)
	if _, err := r.Peek(1); errors.Is(err, io.EOF) {
		return nil
	}
	if looksLikeMultipart(r) {
		return &bodyError{fmt.Errorf("%w: it looks like multipart, and its Content-Type does not say so", errBodyMalformed)}
	}
	return in.take(ctx, p, r)
}

// looksLikeMultipart reports whether a body that does not say so begins as a multipart one. Taken for a text it would be stored with
// boundaries and headers, as a transcript that never was one.
func looksLikeMultipart(r *bufio.Reader) bool {
	head, _ := r.Peek(sniffBytes) // a shorter body is as good
	line, rest, ok := bytes.Cut(bytes.TrimLeft(head, "\r\n"), []byte("\n"))
	return ok && bytes.HasPrefix(line, []byte("--")) && bytes.HasPrefix(bytes.ToLower(rest), []byte("content-"))
}

func (in *intake) readParts(ctx context.Context, boundary string, b *body) error {
	if boundary == "" {
		return &bodyError{fmt.Errorf("%w: it is multipart without a boundary", errBodyMalformed)}
	}
	end := newWatcher(b, "--"+boundary+"--")
	r := multipart.NewReader(end, boundary)
	for n := 0; ; n++ {
		b.allowance = maxPartHeaderBytes
		p, err := r.NextPart()
		b.allowance = unlimited
		switch {
		case errors.Is(err, io.EOF) && (end.seen || b.n == 0):
			return nil // nothing at all is no item, whatever it is called
		case errors.Is(err, multipart.ErrMessageTooLarge):
			return &bodyError{errHeadersTooLarge}
		case err != nil:
			return malformed(err)
		case n == maxParts:
			return &bodyError{errTooManyParts}
		}
		described := part{name: p.FormName(), fileName: p.FileName(), contentType: contentTypeOf(p.Header)}
		if err := in.take(ctx, described, bufio.NewReaderSize(partReader{p}, sniffBytes)); err != nil {
			return err
		}
	}
}

// watcher reads and notices when a text goes by. multipart.Reader reports the end of a body that was cut off after a boundary as it
// reports the end of a whole one, so somebody has to watch for the last boundary.
type watcher struct {
	r    io.Reader
	text []byte
	// tail are the last bytes that were read, one fewer than the text has.
	tail []byte
	seen bool
}

func newWatcher(r io.Reader, text string) *watcher { return &watcher{r: r, text: []byte(text)} }

func (w *watcher) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if w.seen {
		return n, err
	}
	overlap := len(w.text) - 1
	w.tail = append(w.tail, p[:min(n, overlap)]...)
	w.seen = bytes.Contains(w.tail, w.text) || bytes.Contains(p[:n], w.text)
	if n > overlap {
		w.tail = append(w.tail[:0], p[n-overlap:n]...)
	} else if len(w.tail) > overlap {
		w.tail = append(w.tail[:0], w.tail[len(w.tail)-overlap:]...)
	}
	return n, err
}

// contentTypeOf is the content type of a part; RFC 7578 says what its absence means, but not every sender does.
func contentTypeOf(header textproto.MIMEHeader) string { return header.Get("Content-Type") }

// take reads one item to its end.
func (in *intake) take(ctx context.Context, p part, r *bufio.Reader) error {
	head, err := r.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	p.head = head
	kind := classify(p)
	switch {
	case kind == kindJobInfo && in.info == nil:
		if in.info, err = parseJobInfo(r); err != nil {
			return err
		}
	case kind == kindJSON && in.document != nil && !in.document.received():
		return in.document.spool(r)
	case in.wants(kind):
		return in.stage(ctx, store.Key{Format: kind.format()}, r)
	}
	_, err = io.Copy(io.Discard, r)
	return err
}

// wants says whether an item is a transcript that is to be stored as it comes. Of several in the same format the first is.
func (in *intake) wants(k kind) bool {
	if in.batch == nil || (k == kindJSON && in.document != nil) {
		return false
	}
	return slices.Contains(in.wanted, k.format()) && !slices.Contains(in.staged, store.Key{Format: k.format()})
}

func (in *intake) stage(ctx context.Context, key store.Key, r io.Reader) error {
	if err := in.batch.Stage(ctx, key, r); err != nil {
		return err
	}
	in.staged = append(in.staged, key)
	return nil
}
