// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// missingFormats are the provider's formats that have to be fetched before the job can be complete: those that are to be stored and are
// not, and json-v2 if something that is made from it is not there. A transcript of another attempt, or of another remote job, does not
// count.
func (s *scope) missingFormats() []v1alpha1.TranscriptFormat {
	wanted := notification.Transcripts(&s.job.Spec)
	var missing []v1alpha1.TranscriptFormat
	for _, format := range notification.Sources(&s.job.Spec) {
		source := notification.Transcript{Format: format}
		isMissing := slices.Contains(wanted, source) && !s.stored(source)
		if format == v1alpha1.FormatJSONv2 {
			isMissing = isMissing || !s.documentRead()
		}
		if isMissing {
			missing = append(missing, format)
		}
	}
	return missing
}

// documentRead reports whether all is there that comes from the document: its facts, and what was rendered from it. Of a document that
// cannot be read nothing more will come. A translation that the document does not have is not waited for.
func (s *scope) documentRead() bool {
	document := s.document()
	switch {
	case document == nil:
		return false
	case document.Problem != nil:
		return true
	}
	for _, rendering := range notification.Renderings(&s.job.Spec, document.Translations) {
		if !s.stored(rendering) {
			return false
		}
	}
	return true
}

// lacking are the transcripts that were asked for and are not stored. A translation that the document does not have is not waited for; as
// long as nobody knows which it has, it may have all of them.
func (s *scope) lacking() []notification.Transcript {
	spec := &s.job.Spec
	translations := notification.TargetLanguages(spec)
	if d := s.document(); d != nil && d.Problem == nil {
		translations = d.Translations
	}
	return slices.DeleteFunc(notification.Transcripts(spec), func(t notification.Transcript) bool {
		return s.stored(t) || (t.Language != "" && !slices.Contains(translations, t.Language))
	})
}

// storedWhole reports whether a transcript is stored that is known to be one: a document is known to be whole only if it was read.
func (s *scope) storedWhole() bool {
	return slices.ContainsFunc(s.job.Status.Transcripts, func(t v1alpha1.StoredTranscript) bool {
		return t.Format != v1alpha1.FormatJSONv2 && s.stored(notification.Transcript{Format: t.Format, Language: t.Language})
	})
}

func (s *scope) asksForDocument() bool {
	return slices.Contains(notification.Formats(&s.job.Spec), v1alpha1.FormatJSONv2)
}

func (s *scope) stored(transcript notification.Transcript) bool {
	for _, t := range s.job.Status.Transcripts {
		if t.Format == transcript.Format && t.Language == transcript.Language && t.Attempt == s.attempt() && t.JobID == s.remoteID() {
			return true
		}
	}
	return false
}

// document is what the recorded remote job's document tells, if it was read.
func (s *scope) document() *v1alpha1.DocumentFacts {
	d := s.job.Status.Document
	if d == nil || d.Attempt != s.attempt() || d.JobID != s.remoteID() {
		return nil
	}
	return d
}

// conclude ends a job whose transcripts are all stored, as far as they can be made.
func (s *scope) conclude() (verdict, error) {
	s.noteDone()
	if err := s.unreadable(); err != nil {
		return verdict{}, err
	}
	v := verdict{ending: completed, reason: v1alpha1.ReasonComplete, message: s.outcome()}
	if failed := failedFeatures(s.document()); failed.reason != v1alpha1.ReasonNoFeatureErrors {
		v.reason = v1alpha1.ReasonCompleteWithErrors
		v.message += "; but " + failed.message
	}
	return v, nil
}

// lacksFactsOnly reports whether every transcript that was asked for is stored, and only what the document tells is not known.
func (s *scope) lacksFactsOnly() bool {
	return s.recorded() && s.document() == nil && len(s.lacking()) == 0
}

// concludeWithoutFacts ends a job that has all its transcripts, and whose document cannot be had: another attempt would buy them again.
func (s *scope) concludeWithoutFacts(cause *failure) verdict {
	s.noteDone()
	return verdict{ending: completed, reason: v1alpha1.ReasonComplete, message: s.outcome() + unknownFacts + cause.message}
}

// unknownFacts begins the reason why the document told nothing.
const unknownFacts = "; what json-v2 tells is not known: "

// noteDone takes over what is known of a remote job without asking the provider.
func (s *scope) noteDone() {
	remote := s.remote()
	if remote.State == nil || *remote.State == v1alpha1.RemoteRunning {
		remote.State = ptr.To(v1alpha1.RemoteDone)
	}
	if n := s.notification(); n != nil && remote.AudioDuration == nil {
		remote.AudioDuration = n.AudioDuration
	}
	if d := s.document(); d != nil && remote.AudioDuration == nil {
		remote.AudioDuration = d.AudioDuration
	}
	s.noteLanguage()
}

// noteLanguage notes the language that is transcribed: the one that the document tells, or else the one that was asked for.
func (s *scope) noteLanguage() {
	remote := s.remote()
	if d := s.document(); d != nil && d.Language != nil {
		remote.Language = d.Language
	}
	if asked := s.job.Spec.Transcription.Language; remote.Language == nil && asked != notification.LanguageAuto {
		remote.Language = &asked
	}
}

// unreadable is the failure of a job whose document was asked for, or something that is made from it, and cannot be read. Fetching it
// again would bring the same one: the manager has done so itself.
func (s *scope) unreadable() error {
	document := s.document()
	if document == nil || document.Problem == nil {
		return nil
	}
	var unmade []string
	for _, t := range s.lacking() {
		unmade = append(unmade, transcriptName(t))
	}
	if len(unmade) == 0 && !s.asksForDocument() {
		return nil
	}
	consequence := ""
	if len(unmade) > 0 {
		consequence = strings.Join(unmade, ", ") + " cannot be made; "
	}
	return &failure{reason: v1alpha1.ReasonTranscriptUnreadable, message: fmt.Sprintf(
		"the json-v2 transcript of job %s cannot be read: %s; %swhat the provider sent is %s; report it, with that document, to the operator's authors",
		s.remoteID(), *document.Problem, consequence, s.whereDocument())}
}

// documentDoubt says why what the provider has may be the only whole copy of the document although everything is stored; empty if it is not.
func (s *scope) documentDoubt() string {
	document := s.document()
	switch {
	case document != nil && document.Problem != nil:
		return "its json-v2 transcript could not be read (" + *document.Problem + "), so that there may be no other copy of what it tells"
	case document == nil && s.asksForDocument():
		return "nobody has read its json-v2 transcript, so that the stored one may not be whole"
	default:
		return ""
	}
}

// whereDocument says where a document is that cannot be read.
func (s *scope) whereDocument() string {
	for _, t := range s.job.Status.Transcripts {
		if t.Format != v1alpha1.FormatJSONv2 || t.Attempt != s.attempt() || t.JobID != s.remoteID() {
			continue
		}
		switch {
		case t.ConfigMapRef != nil:
			return "in ConfigMap " + t.ConfigMapRef.Name
		case t.PersistentVolumeClaim != nil:
			return fmt.Sprintf("in PersistentVolumeClaim %s, %s", t.PersistentVolumeClaim.ClaimName, t.PersistentVolumeClaim.Path)
		}
	}
	return "at Speechmatics until its retention ends"
}

// outcome says what a complete job has, and where.
func (s *scope) outcome() string {
	what := formatList(notification.Formats(&s.job.Spec))
	document := s.document()
	if document != nil && len(notification.TargetLanguages(&s.job.Spec)) > 0 && len(document.Translations) > 0 {
		what += ", with translations to " + strings.Join(document.Translations, ", ") + ","
	}
	message := fmt.Sprintf("%s stored in %s", what, storeName(s.job))
	if document != nil && document.Problem != nil {
		message += unknownFacts + *document.Problem
	}
	return message
}

// transcriptName names a transcript for a person.
func transcriptName(t notification.Transcript) string {
	if t.Language == "" {
		return string(t.Format)
	}
	return fmt.Sprintf("%s in %s", t.Format, t.Language)
}

// formatList names formats for a person.
func formatList(formats []v1alpha1.TranscriptFormat) string {
	names := make([]string, 0, len(formats))
	for _, f := range formats {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// storeName names a job's store for a person.
func storeName(job *v1alpha1.TranscriptionJob) string {
	if pvc := job.Spec.Transcripts.PersistentVolumeClaim; pvc != nil {
		return "PersistentVolumeClaim " + pvc.ClaimName
	}
	if stored := job.Status.Transcripts; len(stored) == 1 && stored[0].ConfigMapRef != nil && stored[0].Parts <= 1 {
		return "ConfigMap " + stored[0].ConfigMapRef.Name
	}
	return "ConfigMaps; see status.transcripts"
}
