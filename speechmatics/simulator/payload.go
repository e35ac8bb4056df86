// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/textproto"
	"slices"
)

// Items of a notification's contents.
const (
	itemJobInfo        = "jobinfo"
	itemTranscript     = "transcript"
	itemTranscriptJSON = "transcript.json-v2"
	itemTranscriptText = "transcript.txt"
	itemTranscriptSRT  = "transcript.srt"
	itemData           = "data"
	itemText           = "text"
	itemAlignment      = "alignment"
	itemAlignmentWords = itemAlignment + "." + tagsWords
	itemAlignmentLines = itemAlignment + "." + tagsLines
)

// payload is the body of a notification. It can be opened again for every attempt. Media in it are read
// from their file, and transcripts are made while they are sent.
type payload struct {
	contentType string
	segments    []segment
}

// segment is a run of a body, of a known size.
type segment struct {
	size int64
	open func() (io.ReadCloser, error)
}

func bytesSegment(content []byte) segment {
	return segment{int64(len(content)), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }}
}

func mediaSegment(media *mediaFile) segment {
	return segment{media.size, func() (io.ReadCloser, error) { return media.open() }}
}

// attachment is an output that a notification carries.
type attachment struct {
	name, fileName, contentType string
	segment
}

// payload builds what an entry of notification_config asks for:
//   - nothing said: multipart with the transcript, or the alignment, as the file data_file
//   - an empty list: no body
//   - one item: raw
//   - more: multipart, a part per item
//
// What does not exist, because the job failed, is left out without changing the form.
func (s *Server) payload(j *job, entry *notification, outcome string) payload {
	contents, omitted := entry.contents, entry.contents == nil
	failed := outcome != outcomeSuccess
	if failed && s.Behaviour().FailureNotifications == FailureJobInfoOnly {
		contents, omitted = []string{itemJobInfo}, false
	}
	switch {
	case omitted:
		return multipartPayload(s.attachments(j, []string{mainItem(j)}, failed), PartNamesDataFile)
	case len(contents) == 0:
		return payload{}
	case len(contents) == 1:
		attached := s.attachments(j, contents, failed)
		if len(attached) == 0 {
			return payload{}
		}
		return payload{contentType: attached[0].contentType, segments: []segment{attached[0].segment}}
	default:
		return multipartPayload(s.attachments(j, contents, failed), s.Behaviour().PartNames)
	}
}

// mainItem is the output for which a job is made.
func mainItem(j *job) string {
	if j.config.kind == jobAlignment {
		return itemAlignment
	}
	return itemTranscript
}

// attachments are those outputs that exist.
func (s *Server) attachments(j *job, contents []string, failed bool) []attachment {
	var attached []attachment
	for _, item := range contents {
		if a, ok := s.attachment(j, item, failed); ok {
			attached = append(attached, a)
		}
	}
	return attached
}

// attachment is the output that an item of contents names, if there is one: what another type of job would
// have made there is not, nor what a failed job has not.
func (s *Server) attachment(j *job, item string, failed bool) (attachment, bool) {
	body, contentType, ok := s.output(j, item, failed)
	return attachment{item, s.fileNameOf(j, item), contentType, body}, ok
}

func (s *Server) output(j *job, item string, failed bool) (body segment, contentType string, ok bool) {
	formats := map[string]string{
		itemTranscript: formatJSON, itemTranscriptJSON: formatJSON, itemTranscriptText: formatText, itemTranscriptSRT: formatSRT,
	}
	alignments := map[string]string{itemAlignment: tagsWords, itemAlignmentWords: tagsWords, itemAlignmentLines: tagsLines}
	format, isTranscript := formats[item]
	tags, isAlignment := alignments[item]
	s.mu.Lock()
	media, text := j.media, j.text
	s.mu.Unlock()
	switch {
	case item == itemJobInfo:
		return bytesSegment(s.jobInfoDocument(j)), "application/json", true
	case item == itemData && media != nil:
		return mediaSegment(media), "application/octet-stream", true
	case item == itemText && text != nil:
		return bytesSegment(text), contentTypeOf(formatText), true
	case failed:
	case isTranscript && j.config.kind == jobTranscription:
		return s.transcriptSegment(j, format), contentTypeOf(format), true
	case isAlignment && j.config.kind == jobAlignment:
		return bytesSegment([]byte(s.alignmentOf(j, tags))), contentTypeOf(formatText), true
	}
	return segment{}, "", false
}

func (s *Server) transcriptSegment(j *job, format string) segment {
	return segment{s.sizeOf(j, format), func() (io.ReadCloser, error) {
		return &transcriptReader{transcript: s.transcriptOf(j), format: format}, nil
	}}
}

// fileNameOf is the file name of a part.
func (s *Server) fileNameOf(j *job, item string) string {
	if s.Behaviour().PartFileNames == PartFileNamesJob {
		return j.id
	}
	switch item {
	case itemJobInfo:
		return "jobinfo.json"
	case itemTranscript, itemTranscriptJSON:
		return "transcript.json"
	}
	return item
}

func (s *Server) jobInfoDocument(j *job) []byte {
	s.mu.Lock()
	info, details := j.info(), j.details()
	s.mu.Unlock()
	var document any = info
	if s.Behaviour().JobInfo == JobInfoNested {
		document = map[string]jobDetails{"job": details}
	}
	encoded, err := json.Marshal(document)
	if err != nil {
		panic("simulator: a job cannot be encoded: " + err.Error()) // it holds plain values only
	}
	return encoded
}

// multipartPayload makes a part of every attachment.
func multipartPayload(attached []attachment, names PartNames) payload {
	var buffer bytes.Buffer
	w := multipart.NewWriter(&buffer)
	p := payload{contentType: w.FormDataContentType()}
	flush := func() {
		p.segments = append(p.segments, bytesSegment(slices.Clone(buffer.Bytes())))
		buffer.Reset()
	}
	for _, a := range attached {
		if names == PartNamesDataFile {
			a.name = partData
		}
		header := textproto.MIMEHeader{}
		header.Set("Content-Disposition", multipart.FileContentDisposition(a.name, a.fileName))
		header.Set("Content-Type", a.contentType)
		_, _ = w.CreatePart(header) // a buffer takes everything
		flush()
		p.segments = append(p.segments, a.segment)
	}
	_ = w.Close()
	flush()
	return p
}

func (p payload) size() int64 {
	var size int64
	for _, s := range p.segments {
		size += s.size
	}
	return size
}

// open returns the body. The caller closes it.
func (p payload) open() (io.ReadCloser, error) {
	body := &openPayload{}
	var readers []io.Reader
	for _, s := range p.segments {
		opened, err := s.open()
		if err != nil {
			_ = body.Close()
			return nil, errors.New("media are no longer stored")
		}
		body.segments = append(body.segments, opened)
		readers = append(readers, opened)
	}
	body.Reader = io.MultiReader(readers...)
	return body, nil
}

// openPayload closes its segments, each once.
type openPayload struct {
	io.Reader
	segments []io.Closer
}

func (o *openPayload) Close() error {
	var errs []error
	for _, s := range o.segments {
		errs = append(errs, s.Close())
	}
	o.segments = nil
	return errors.Join(errs...)
}
