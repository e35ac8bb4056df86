// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/redaction"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// Bounds of status.document.
const (
	maxFactLength    = 512
	maxLanguage      = 32
	maxTypeLength    = 128
	maxTranslations  = 16
	maxFeatureErrors = 16
)

// document is the json-v2 document of a notification, from which transcripts are rendered and facts are read. It waits in a scratch
// file until the body was read to its end: to read it takes a while, during which the sender would be kept from sending.
type document struct {
	spec    *v1alpha1.TranscriptionJobSpec
	source  v1alpha1.NotificationSource
	scratch *store.Scratch
	file    *store.ScratchFile
}

// needsDocument says whether the document is to be read if the notification brings it: the job needs it, and does not have all that is
// made of it already.
func needsDocument(job *v1alpha1.TranscriptionJob, n *notice) bool {
	if !notification.NeedsDocument(&job.Spec) {
		return false
	}
	facts := recordedDocument(&job.Status, n)
	if facts == nil {
		return true
	}
	recorded := recordedTranscripts(&job.Status, n)
	isRecorded := func(t notification.Transcript) bool {
		return slices.ContainsFunc(recorded, func(r v1alpha1.StoredTranscript) bool { return r.Format == t.Format && r.Language == t.Language })
	}
	if facts.Problem != nil {
		return false // the manager has fetched it itself; it will not be another one
	}
	made := notification.Renderings(&job.Spec, facts.Translations)
	if slices.Contains(notification.Formats(&job.Spec), v1alpha1.FormatJSONv2) {
		made = append(made, notification.Transcript{Format: v1alpha1.FormatJSONv2})
	}
	return slices.ContainsFunc(made, func(t notification.Transcript) bool { return !isRecorded(t) })
}

// spool takes the document in as it comes.
func (d *document) spool(r io.Reader) (err error) {
	if d.file, err = d.scratch.Create(); err != nil {
		return err
	}
	_, err = io.Copy(d.file, r)
	return err
}

// received says whether the notification brought the document.
func (d *document) received() bool { return d != nil && d.file != nil }

// readingTime is how long it may take to read the document: for its facts, and for each transcript that is made of it.
func (d *document) readingTime() time.Duration {
	readings := 1 + len(notification.Renderings(d.spec, notification.TargetLanguages(d.spec)))
	return time.Duration(float64(d.file.Size()) * float64(readings) / readingBytesPerSecond * float64(time.Second))
}

// close forgets the document.
func (d *document) close() {
	if d.received() {
		_ = d.file.Close() // nothing in it is needed any more
	}
}

// stage stages what the job wants of the document: itself, byte for byte, and what is rendered from it. It returns the facts to be
// recorded. A document that cannot be read is stored as it came even if the job did not ask for it, so that nothing is lost; but not
// one that a notification brought, because nothing that is stored is ever replaced, and the one that the manager fetches may be whole.
func (d *document) stage(ctx context.Context, in *intake) (*v1alpha1.DocumentFacts, error) {
	facts, err := d.read(ctx, in)
	var unreadable *transcript.FormatError
	if err != nil && !errors.As(err, &unreadable) {
		return nil, err
	}
	wanted := slices.Contains(in.wanted, v1alpha1.FormatJSONv2)
	if unreadable != nil {
		facts.Problem = ptr.To(clean(d.spec, unreadable.Error(), maxFactLength))
	}
	if (unreadable == nil && !wanted) || !isBelieved(facts, d.source) {
		return facts, nil
	}
	var tooLarge *store.TooLargeError
	err = in.stage(ctx, store.Key{Format: v1alpha1.FormatJSONv2}, d.file.Content())
	if !wanted && errors.As(err, &tooLarge) {
		return facts, nil // the provider still has it, and what was asked for has room
	}
	return facts, err
}

// isBelieved says whether what a document told is to be recorded. That it cannot be read is believed of the one that the manager fetched
// only: a notification may have been cut off on its way, or forged by who may send it, and nobody would ever look again.
func isBelieved(facts *v1alpha1.DocumentFacts, source v1alpha1.NotificationSource) bool {
	return facts.Problem == nil || source == v1alpha1.SourceDelivery
}

// read reads the facts and stages the renderings. It goes on after a rendering that cannot be made, and returns that error with the
// facts.
func (d *document) read(ctx context.Context, in *intake) (*v1alpha1.DocumentFacts, error) {
	read, err := transcript.ReadFacts(d.content(ctx))
	if err != nil {
		return &v1alpha1.DocumentFacts{}, err
	}
	facts := factsOf(read, d.spec)
	var unreadable error
	for _, rendering := range notification.Renderings(d.spec, facts.Translations) {
		err := d.render(ctx, in, rendering)
		var format *transcript.FormatError
		if err != nil && !errors.As(err, &format) {
			return nil, err
		}
		unreadable = errors.Join(unreadable, err)
	}
	return facts, unreadable
}

// render stages a rendering when it is whole. On its way there it is in a scratch file.
func (d *document) render(ctx context.Context, in *intake, rendering notification.Transcript) error {
	file, err := d.scratch.Create()
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it is staged by then, or not wanted
	if err := d.write(ctx, file, rendering); err != nil {
		return err
	}
	return in.stage(ctx, store.Key(rendering), file.Content())
}

func (d *document) write(ctx context.Context, w io.Writer, rendering notification.Transcript) error {
	options := transcript.Options{Language: rendering.Language}
	if output := d.spec.Output; output != nil && output.SRTOverrides != nil {
		options.MaxLineLength = int(ptr.Deref(output.SRTOverrides.MaxLineLength, 0))
		options.MaxLines = int(ptr.Deref(output.SRTOverrides.MaxLines, 0))
	}
	switch rendering.Format {
	case v1alpha1.FormatVTT:
		return transcript.WriteVTT(w, d.content(ctx), options)
	case v1alpha1.FormatSRT:
		return transcript.WriteSRT(w, d.content(ctx), options)
	case v1alpha1.FormatText:
		return transcript.WriteText(w, d.content(ctx), options)
	default:
		return fmt.Errorf("nothing can be rendered as %s", rendering.Format)
	}
}

// content reads the document from its beginning until the context ends, without the mark that some put before UTF-8.
func (d *document) content(ctx context.Context) io.ReadSeeker {
	begin := make([]byte, len(byteOrderMark))
	n, _ := d.file.ReadAt(begin, 0) // what cannot be read now cannot be read below either
	begin = bytes.TrimPrefix(begin[:n], byteOrderMark)
	skipped := int64(n - len(begin))
	return &contextReader{ctx: ctx, ReadSeeker: io.NewSectionReader(d.file, skipped, d.file.Size()-skipped)}
}

// contextReader fails when its context has ended: what reads a large document knows no contexts.
type contextReader struct {
	io.ReadSeeker

	ctx context.Context //nolint:containedctx // it bounds a reader that is handed to a function without one
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, &store.UnavailableError{Store: "the webhook receiver", Err: fmt.Errorf("the transcript could not be read in time: %w", err)}
	}
	return r.ReadSeeker.Read(p)
}

// factsOf takes over what a document tells as far as it is small and fit to be read by anybody.
func factsOf(read *transcript.Facts, spec *v1alpha1.TranscriptionJobSpec) *v1alpha1.DocumentFacts {
	targets := notification.TargetLanguages(spec)
	read.Expect(targets)
	facts := &v1alpha1.DocumentFacts{FeatureErrors: featureErrors(spec, read.Errors)}
	if isLanguage(read.Language) {
		facts.Language = &read.Language
	}
	if duration := read.Duration.Round(time.Second); duration > 0 {
		facts.AudioDuration = &metav1.Duration{Duration: duration}
	}
	if diarization := spec.Transcription.Diarization; read.Speakers > 0 || (diarization != nil && *diarization == v1alpha1.DiarizationSpeaker) {
		facts.Speakers = ptr.To(int32(read.Speakers)) //nolint:gosec // a document has some thousands at most
	}
	for _, language := range read.Translations {
		room := len(facts.Translations) < maxTranslations-len(targets)
		if isLanguage(language) && (room || slices.Contains(targets, language)) {
			facts.Translations = append(facts.Translations, language)
		}
	}
	return facts
}

// featureErrors are as many of the errors that a document tells as can be recorded.
func featureErrors(spec *v1alpha1.TranscriptionJobSpec, all []transcript.FeatureError) []v1alpha1.FeatureError {
	var errs []v1alpha1.FeatureError
	for _, e := range all[:min(len(all), maxFeatureErrors)] {
		errs = append(errs, featureError(spec, e))
	}
	if more := len(all) - len(errs); more > 0 {
		last := &errs[len(errs)-1]
		last.Message = clean(spec, fmt.Sprintf("(the document tells %d errors more) %s", more, last.Message), maxFactLength)
	}
	return errs
}

// featurePattern is the pattern of v1alpha1.Feature.
var featurePattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,63}$`)

// featureUnknown stands for a feature whose name cannot be recorded.
const featureUnknown v1alpha1.Feature = "Unknown"

func featureError(spec *v1alpha1.TranscriptionJobSpec, e transcript.FeatureError) v1alpha1.FeatureError {
	feature := v1alpha1.Feature(e.Feature)
	if !featurePattern.MatchString(string(feature)) {
		feature = featureUnknown
	}
	told := v1alpha1.FeatureError{Feature: feature, Type: clean(spec, e.Type, maxTypeLength), Message: clean(spec, e.Message, maxFactLength)}
	if isLanguage(e.Language) {
		told.Language = &e.Language
	}
	return told
}

// isLanguage says whether a text fits where a language is recorded.
func isLanguage(text string) bool {
	return text != "" && len(text) <= maxLanguage && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// clean makes a text fit to be read by anybody, in at most n bytes: without control characters and without what is secret
// about the job (see package redaction).
func clean(spec *v1alpha1.TranscriptionJobSpec, text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.TrimSpace(redaction.Text(spec, text))
	if len(text) <= n {
		return text
	}
	const ellipsis = "…"
	return strings.ToValidUTF8(text[:n-len(ellipsis)], "") + ellipsis
}
