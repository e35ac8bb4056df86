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

// errMediaSize means that media was not as long as it was said to be.
var errMediaSize = errors.New("media is not as long as Media.Size says")

// errBrokenOff is what the transport gets when it reads an upload that is over.
var errBrokenOff = errors.New("speechmatics: upload broken off")

// upload is the body of a submission: multipart/form-data with the configuration first, then the media, then the closing boundary,
// without which no server can take the request for whole.
//
// The closing boundary is always a Read of its own. HTTP/1 and HTTP/2 transports write what a Read gave before they call the next one, so
// that when the fence is asked, all but these few bytes is on its way already.
//
// It implements no other interface than io.ReadCloser, on purpose: the transport must neither be able to rewind it nor to
// know it for something that lies in memory, which it would buffer together.
type upload struct {
	contentType string

	head  *bytes.Reader
	media io.Reader
	size  int64 // of media; -1 if unknown
	fence func() error
	tail  *bytes.Reader

	mediaErr error // what ended the media; io.EOF if there is none

	mu        sync.Mutex
	handedOut bool  // the tail was given to the transport; from then on nothing can be taken back
	sealed    bool  // the tail must not be given any more
	failure   error // why the tail was not given

	released    chan struct{} // closed by Close
	releaseOnce sync.Once
}

func newUpload(config []byte, media *Media, fence func() error) (*upload, error) {
	var buffer bytes.Buffer
	form := multipart.NewWriter(&buffer)
	if err := writeParts(form, config, media); err != nil {
		return nil, err
	}
	headSize := buffer.Len()
	if err := form.Close(); err != nil {
		return nil, err
	}
	u := &upload{
		contentType: form.FormDataContentType(),
		head:        bytes.NewReader(buffer.Bytes()[:headSize]),
		fence:       fence,
		tail:        bytes.NewReader(buffer.Bytes()[headSize:]),
		released:    make(chan struct{}),
	}
	u.setMedia(media)
	return u, nil
}

// writeParts writes the configuration, and all of the media's part that precedes the media.
func writeParts(form *multipart.Writer, config []byte, media *Media) error {
	part, err := form.CreateFormField("config")
	if err != nil {
		return err
	}
	if _, err := part.Write(config); err != nil {
		return err
	}
	if media == nil {
		return nil
	}
	_, err = form.CreateFormFile("data_file", media.Name)
	return err
}

func (u *upload) setMedia(media *Media) {
	if media == nil {
		u.mediaErr = io.EOF
		return
	}
	u.media, u.size = media.Reader, media.Size
	if media.Size >= 0 {
		u.media = &exactReader{source: media.Reader, size: media.Size, left: media.Size}
	}
}

// contentLength returns the size of the whole body; -1 if it is unknown.
func (u *upload) contentLength() int64 {
	if u.size < 0 {
		return -1
	}
	return u.head.Size() + u.size + u.tail.Size()
}

// Read gives the next part of the body, and the closing boundary only if the fence permits it.
func (u *upload) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := u.stopped(); err != nil {
		return 0, err
	}
	if u.head.Len() > 0 {
		return u.head.Read(p)
	}
	if u.mediaErr == nil {
		var n int
		n, u.mediaErr = u.media.Read(p)
		if n > 0 || u.mediaErr == nil {
			return n, nil // the end, or an error, is for the next Read
		}
	}
	if u.mediaErr != io.EOF { //nolint:errorlint // the end is io.EOF itself; one that is wrapped is an error
		return 0, u.fail(fmt.Errorf("reading the media: %w", u.mediaErr))
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
