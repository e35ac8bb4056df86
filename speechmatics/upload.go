// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"sync"
)

// maxEmptyReads is how often a reader may give nothing before it is taken for broken, as in package bufio.
const maxEmptyReads = 100

// errMediaSize means that a file was not as long as it was said to be.
var errMediaSize = errors.New("it is not as long as its Size says")

// errBrokenOff is what the transport gets when it reads an upload that is over.
var errBrokenOff = errors.New("speechmatics: upload broken off")

// upload is the body of a submission: multipart/form-data with the configuration first, then the files, then the closing boundary,
// without which no server can take the request for whole.
//
// The closing boundary is always a Read of its own. HTTP/1 and HTTP/2 transports write what a Read gave before they call the next one, so
// that when the fence is asked, all but these few bytes is on its way already.
//
// It implements no other interface than io.ReadCloser, on purpose: the transport must neither be able to rewind it nor to
// know it for something that lies in memory, which it would buffer together.
type upload struct {
	contentType string

	files io.Reader // everything but the tail
	size  int64     // of files; -1 if unknown
	fence func() error
	tail  *bytes.Reader

	filesErr error // what ended the files; io.EOF if they are complete

	mu        sync.Mutex
	handedOut bool  // the tail was given to the transport; from then on nothing can be taken back
	sealed    bool  // the tail must not be given any more
	failure   error // why the tail was not given

	released    chan struct{} // closed by Close
	releaseOnce sync.Once
}

// formFile is a file of a form.
type formFile struct {
	field string
	what  string // for people
	media *Media
}

func newUpload(config []byte, files []formFile, fence func() error) (*upload, error) {
	var text bytes.Buffer // what the form itself writes, up to the next file
	form := multipart.NewWriter(&text)
	u := &upload{contentType: form.FormDataContentType(), fence: fence, released: make(chan struct{})}
	part, err := form.CreateFormField("config")
	if err != nil {
		return nil, err
	}
	if _, err := part.Write(config); err != nil {
		return nil, err
	}
	var parts []io.Reader
	for _, file := range files {
		if _, err := form.CreateFormFile(file.field, file.media.Name); err != nil {
			return nil, err
		}
		parts = append(parts, u.take(&text), file.reader())
		u.add(file.media.Size)
	}
	if len(files) == 0 {
		parts = append(parts, u.take(&text))
	}
	u.files = io.MultiReader(parts...)
	if err := form.Close(); err != nil {
		return nil, err
	}
	u.tail = bytes.NewReader(text.Bytes())
	return u, nil
}

// take returns what the form has written, and makes room for more.
func (u *upload) take(text *bytes.Buffer) io.Reader {
	u.add(int64(text.Len()))
	chunk := bytes.NewReader(bytes.Clone(text.Bytes()))
	text.Reset()
	return chunk
}

// add counts bytes of the body; -1 are bytes of an unknown number.
func (u *upload) add(size int64) {
	if u.size < 0 || size < 0 {
		u.size = -1
		return
	}
	u.size += size
}

// contentLength returns the size of the whole body; -1 if it is unknown.
func (u *upload) contentLength() int64 {
	if u.size < 0 {
		return -1
	}
	return u.size + u.tail.Size()
}

// Read gives the next part of the body, and the closing boundary only if the fence permits it.
func (u *upload) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := u.stopped(); err != nil {
		return 0, err
	}
	if u.filesErr == nil {
		var n int
		n, u.filesErr = u.files.Read(p)
		if n > 0 || u.filesErr == nil {
			return n, nil // the end, or an error, is for the next Read
		}
	}
	if u.filesErr != io.EOF { //nolint:errorlint // the end is io.EOF itself; one that is wrapped is an error
		return 0, u.fail(u.filesErr)
	}
	return u.readTail(p)
}

func (u *upload) readTail(p []byte) (int, error) {
	if err := u.passFence(); err != nil {
		return 0, err
	}
	n, _ := u.tail.Read(p)
	if u.tail.Len() == 0 {
		return n, io.EOF
	}
	return n, nil
}

// passFence returns nil if the tail may be given. The fence is asked once.
func (u *upload) passFence() error {
	if u.isHandedOut() {
		return nil
	}
	if u.fence != nil {
		if err := u.fence(); err != nil {
			return u.fail(fmt.Errorf("refused before the last bytes: %w", err))
		}
	}
	u.mu.Lock()
	u.handedOut = !u.sealed
	u.mu.Unlock()
	return u.stopped()
}

func (u *upload) isHandedOut() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.handedOut
}

// stopped returns an error if nothing more may be read. While an answer that came early is being read it blocks: an error would make the
// transport close the connection under the reader.
func (u *upload) stopped() error {
	u.mu.Lock()
	sealed, failure := u.sealed, u.failure
	u.mu.Unlock()
	switch {
	case failure != nil:
		return failure
	case sealed:
		<-u.released
		return errBrokenOff
	default:
		return nil
	}
}

// fail keeps the reason why the upload ends here; transports do not always pass it on.
func (u *upload) fail(err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.failure = err
	return err
}

// cause returns why the upload failed by itself; nil if it did not.
func (u *upload) cause() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.failure
}

// seal reports whether the whole body was handed out. If it was not, it never will be.
func (u *upload) seal() (whole bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sealed = !u.handedOut
	return u.handedOut
}

// Close ends the upload. The transport calls it, and CreateJob.
func (u *upload) Close() error {
	u.seal()
	u.releaseOnce.Do(func() { close(u.released) })
	return nil
}

// reader returns what gives the file's content. Its errors say which file failed.
func (f formFile) reader() io.Reader {
	source := f.media.Reader
	if f.media.Size >= 0 {
		source = &exactReader{source: source, size: f.media.Size, left: f.media.Size}
	}
	return &namedReader{source: source, what: f.what}
}

// namedReader says in errors what was read.
type namedReader struct {
	source io.Reader
	what   string
}

func (r *namedReader) Read(p []byte) (int, error) {
	n, err := r.source.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // see upload.Read
		err = fmt.Errorf("reading %s: %w", r.what, err)
	}
	return n, err
}

// exactReader gives exactly size bytes, or an error.
type exactReader struct {
	source     io.Reader
	size, left int64
}

func (r *exactReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, r.expectEnd()
	}
	n, err := r.source.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err == io.EOF && r.left > 0 { //nolint:errorlint // see upload.Read
		err = fmt.Errorf("%w: it ends after %d of %d bytes", errMediaSize, r.size-r.left, r.size)
	}
	return n, err
}

// expectEnd returns io.EOF if there is nothing more.
func (r *exactReader) expectEnd() error {
	var probe [1]byte
	for range maxEmptyReads {
		n, err := r.source.Read(probe[:])
		switch {
		case n > 0:
			return fmt.Errorf("%w: it goes on after %d bytes", errMediaSize, r.size)
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}
