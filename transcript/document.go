// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import "encoding/json"

// Extra holds, by their names in the document, the members of an object that its fields cannot hold: those that this
// package does not know, and those whose value is not what their field is for. These are null, an empty string, which a
// field cannot tell from an absent one, and values of another type.
//
// A member that is in Extra and has a field is written from Extra as long as the field still says the same, and from the
// field once it was changed.
type Extra map[string]json.RawMessage

// Document is a transcript in the provider's format json-v2.
//
// It is lossless: a document that is read by [json.Unmarshal] and written by [json.Marshal] is equal to the first one, with
// all members, also unknown ones, with numbers digit by digit, and with absent, null and empty kept apart. It can be nested
// up to 64 levels deep.
//
// In all its types an empty string, a nil slice, map or pointer is an absent member, and a slice of length zero an empty
// array. Numbers are literals, because no float has their digits.
//
// The whole document is in memory, in several times its size. Where that matters, use the streams of this package.
//
// Source, here and below: Speechmatics API, batch v2: RetrieveTranscriptResponse, and the transcripts in the documentation.
type Document struct {
	// Format is the version of the format, "2.9" for example.
	Format string `json:"format,omitempty"`
	// Job that made the document. An on-premises container that transcribes a single file leaves it out.
	Job *JobInfo `json:"job,omitempty"`
	// Metadata tells how the document was made.
	Metadata *Metadata `json:"metadata,omitempty"`
	// Results are the words and marks.
	Results []Result `json:"results,omitempty"`
	// Speakers are the speakers' identifiers, which are personal data, if they were asked for.
	Speakers []Speaker `json:"speakers,omitempty"`
	// Translations are lists of sentences, by language.
	Translations map[string][]Sentence `json:"translations,omitempty"`
	// Summary of the transcript.
	Summary *Summary `json:"summary,omitempty"`
	// SentimentAnalysis tells the sentiment of what was said. Ask its Result.
	SentimentAnalysis *SentimentAnalysis `json:"sentiment_analysis,omitempty"`
	// Topics that were talked about.
	Topics *Topics `json:"topics,omitempty"`
	// Chapters of the transcript.
	Chapters []Chapter `json:"chapters,omitempty"`
	// AudioEvents are sounds that are not speech.
	AudioEvents []AudioEvent `json:"audio_events,omitempty"`
	// AudioEventSummary counts them. Ask its Types.
	AudioEventSummary *AudioEventSummary `json:"audio_event_summary,omitempty"`

	Extra Extra `json:"-"`
}

// JobInfo describes the job that made a document.
type JobInfo struct {
	// ID of the job.
	ID string `json:"id,omitempty"`
	// CreatedAt is when the job was created, in RFC 3339.
	CreatedAt string `json:"created_at,omitempty"`
	// DataName is the name of the media's file, empty for media that the provider fetched.
	DataName string `json:"data_name,omitempty"`
	// TextName is the name of the text's file, in jobs that align one.
	TextName string `json:"text_name,omitempty"`
	// Duration of the audio, in whole seconds.
	Duration json.Number `json:"duration,omitempty"`
	// Tracking is what the submitter said about the job.
	Tracking *Tracking `json:"tracking,omitempty"`

	Extra Extra `json:"-"`
}

// Tracking is the submitter's own data about a job.
type Tracking struct {
	Title     string          `json:"title,omitempty"`
	Reference string          `json:"reference,omitempty"`
	Tags      []string        `json:"tags,omitempty"`
	Details   json.RawMessage `json:"details,omitempty"`

	Extra Extra `json:"-"`
}

// Metadata tells how a document was made. Configurations are as they were used, which need not be as they were sent.
type Metadata struct {
	// CreatedAt is when the document was made, in RFC 3339.
	CreatedAt string `json:"created_at,omitempty"`
	// Type of the job, "transcription".
	Type string `json:"type,omitempty"`
	// TranscriptionConfig and the other configurations are the parts of the job's configuration of these names.
	TranscriptionConfig          json.RawMessage `json:"transcription_config,omitempty"`
	TranslationConfig            json.RawMessage `json:"translation_config,omitempty"`
	LanguageIdentificationConfig json.RawMessage `json:"language_identification_config,omitempty"`
	SummarizationConfig          json.RawMessage `json:"summarization_config,omitempty"`
	SentimentAnalysisConfig      json.RawMessage `json:"sentiment_analysis_config,omitempty"`
	TopicDetectionConfig         json.RawMessage `json:"topic_detection_config,omitempty"`
	AutoChaptersConfig           json.RawMessage `json:"auto_chapters_config,omitempty"`
	AudioEventsConfig            json.RawMessage `json:"audio_events_config,omitempty"`
	OutputConfig                 json.RawMessage `json:"output_config,omitempty"`
	// LanguagePackInfo tells how the language is written.
	LanguagePackInfo *LanguagePackInfo `json:"language_pack_info,omitempty"`
	// LanguageIdentification tells which language was identified, if this was asked for.
	LanguageIdentification *LanguageIdentificationResult `json:"language_identification,omitempty"`
	// TranslationErrors and the other errors are those of single features, in a job that is done.
	TranslationErrors       []ProcessingError `json:"translation_errors,omitempty"`
	SummarizationErrors     []ProcessingError `json:"summarization_errors,omitempty"`
	SentimentAnalysisErrors []ProcessingError `json:"sentiment_analysis_errors,omitempty"`
	TopicDetectionErrors    []ProcessingError `json:"topic_detection_errors,omitempty"`
	AutoChaptersErrors      []ProcessingError `json:"auto_chapters_errors,omitempty"`
	// OrchestratorVersion is the version of the provider's software.
	OrchestratorVersion string `json:"orchestrator_version,omitempty"`

	Extra Extra `json:"-"`
}

// ProcessingError says why a feature failed.
type ProcessingError struct {
	// Type is "unsupported_language" or "translation_failed", for example.
	Type string `json:"type,omitempty"`
	// Message is meant for people.
	Message string `json:"message,omitempty"`

	Extra Extra `json:"-"`
}

// LanguagePackInfo tells how the language is written.
type LanguagePackInfo struct {
	LanguageDescription string `json:"language_description,omitempty"`
	// WordDelimiter stands between words. It is empty where a language has none, and in some documents whose language has.
	WordDelimiter *string `json:"word_delimiter,omitempty"`
	// WritingDirection is "left-to-right" or "right-to-left".
	WritingDirection string `json:"writing_direction,omitempty"`
	// ITN reports whether numbers, dates and the like are written as such.
	ITN *bool `json:"itn,omitempty"`
	// Adapted reports whether the language model was adapted.
	Adapted *bool `json:"adapted,omitempty"`
	// PerLanguageWordDelimiters and PerLanguageWritingDirection are those of the languages of the model melia-1, which
	// recognises several in one job.
	PerLanguageWordDelimiters   map[string]string `json:"per_language_word_delimiters,omitempty"`
	PerLanguageWritingDirection map[string]string `json:"per_language_writing_direction,omitempty"`

	Extra Extra `json:"-"`
}

// LanguageIdentificationResult tells which language was identified, or why none was.
type LanguageIdentificationResult struct {
	Results []IdentifiedLanguages `json:"results,omitempty"`
	// Error is "LOW_CONFIDENCE", "UNEXPECTED_LANGUAGE", "NO_SPEECH", "FILE_UNREADABLE" or "OTHER".
	Error   string `json:"error,omitempty"`
	Message string `json:"message,omitempty"`

	Extra Extra `json:"-"`
}

// IdentifiedLanguages are the languages that a part of the audio may be in, the likeliest first.
type IdentifiedLanguages struct {
	Alternatives []IdentifiedLanguage `json:"alternatives,omitempty"`
	// StartTime and EndTime are in seconds.
	StartTime json.Number `json:"start_time,omitempty"`
	EndTime   json.Number `json:"end_time,omitempty"`

	Extra Extra `json:"-"`
}

// IdentifiedLanguage is a language and how sure the provider is, from 0 to 1.
type IdentifiedLanguage struct {
	Language   string      `json:"language,omitempty"`
	Confidence json.Number `json:"confidence,omitempty"`

	Extra Extra `json:"-"`
}

// Result is a word, a punctuation mark or an entity.
type Result struct {
	// Type is "word", "punctuation" or "entity". Others may appear without having been asked for, and are to be ignored.
	Type string `json:"type,omitempty"`
	// StartTime and EndTime are in seconds from the beginning of the audio.
	StartTime json.Number `json:"start_time,omitempty"`
	EndTime   json.Number `json:"end_time,omitempty"`
	// Channel is the label of the audio's channel, if channels were transcribed separately. The provider's default labels
	// are "Channel 1" or "channel_1"; its documentation says both.
	Channel string `json:"channel,omitempty"`
	// Volume is how loud it was, from 0 to 100.
	Volume json.Number `json:"volume,omitempty"`
	// Alternatives are what it may be, the likeliest first.
	Alternatives []Alternative `json:"alternatives,omitempty"`
	// AttachesTo says on which sides of a punctuation mark there is no word delimiter: "previous", "next", "both" or "none".
	AttachesTo string `json:"attaches_to,omitempty"`
	// IsEOS reports whether a punctuation mark ends a sentence.
	IsEOS *bool `json:"is_eos,omitempty"`
	// EntityClass of an entity, "date" or "money" for example.
	EntityClass string `json:"entity_class,omitempty"`
	// SpokenForm and WrittenForm of an entity are other views of what its Alternatives say; the text has it once.
	SpokenForm  []Result `json:"spoken_form,omitempty"`
	WrittenForm []Result `json:"written_form,omitempty"`

	Extra Extra `json:"-"`
}

// Alternative is what a result may be.
type Alternative struct {
	Content string `json:"content,omitempty"`
	// Confidence is from 0 to 1.
	Confidence json.Number `json:"confidence,omitempty"`
	Language   string      `json:"language,omitempty"`
	// Speaker is "S1", "S2" and so on, or the label of a speaker whom the submitter knows, or "UU" if he is not known.
	Speaker string `json:"speaker,omitempty"`
	// Tags are "disfluency" and "profanity".
	Tags    []string `json:"tags,omitempty"`
	Display *Display `json:"display,omitempty"`
	// Words are undocumented.
	Words json.RawMessage `json:"words,omitempty"`

	Extra Extra `json:"-"`
}

// Display says how to show a word.
type Display struct {
	// Direction is "ltr" or "rtl".
	Direction string `json:"direction,omitempty"`

	Extra Extra `json:"-"`
}

// Speaker is a speaker with the identifiers that let later jobs recognise him. They are personal data.
type Speaker struct {
	Label              string   `json:"label,omitempty"`
	SpeakerIdentifiers []string `json:"speaker_identifiers,omitempty"`

	Extra Extra `json:"-"`
}

// Sentence is a sentence of a translation.
type Sentence struct {
	// StartTime and EndTime are in seconds.
	StartTime json.Number `json:"start_time,omitempty"`
	EndTime   json.Number `json:"end_time,omitempty"`
	Content   string      `json:"content,omitempty"`
	Speaker   string      `json:"speaker,omitempty"`
	Channel   string      `json:"channel,omitempty"`

	Extra Extra `json:"-"`
}

// Summary of a transcript.
type Summary struct {
	Content string `json:"content,omitempty"`

	Extra Extra `json:"-"`
}

// SentimentAnalysis is the sentiment of what was said.
type SentimentAnalysis struct { //nolint:recvcheck // a nil can be asked, and MarshalJSON must be a value's method
	Segments []SentimentSegment `json:"segments,omitempty"`
	Summary  *SentimentSummary  `json:"summary,omitempty"`
	// Nested is the analysis itself where it is one level deeper, as the provider's specification has it, other than its
	// documentation's transcripts.
	Nested *SentimentAnalysis `json:"sentiment_analysis,omitempty"`

	Extra Extra `json:"-"`
}

// Result is the analysis, on whichever level it is.
func (s *SentimentAnalysis) Result() *SentimentAnalysis {
	if s != nil && s.Nested != nil {
		return s.Nested
	}
	return s
}

// SentimentSegment is a part of the transcript and its sentiment.
type SentimentSegment struct {
	Text string `json:"text,omitempty"`
	// Sentiment is "positive", "neutral" or "negative".
	Sentiment string `json:"sentiment,omitempty"`
	// StartTime and EndTime are in seconds.
	StartTime json.Number `json:"start_time,omitempty"`
	EndTime   json.Number `json:"end_time,omitempty"`
	Speaker   string      `json:"speaker,omitempty"`
	Channel   string      `json:"channel,omitempty"`
	// Confidence is from 0 to 1.
	Confidence json.Number `json:"confidence,omitempty"`

	Extra Extra `json:"-"`
}

// SentimentSummary counts sentiments.
type SentimentSummary struct {
	Overall  *SentimentCounts  `json:"overall,omitempty"`
	Speakers []SentimentCounts `json:"speakers,omitempty"`
	Channels []SentimentCounts `json:"channels,omitempty"`

	Extra Extra `json:"-"`
}

// SentimentCounts counts the sentiments of all, of a speaker or of a channel.
type SentimentCounts struct {
	Speaker       string      `json:"speaker,omitempty"`
	Channel       string      `json:"channel,omitempty"`
	PositiveCount json.Number `json:"positive_count,omitempty"`
	NegativeCount json.Number `json:"negative_count,omitempty"`
	NeutralCount  json.Number `json:"neutral_count,omitempty"`

	Extra Extra `json:"-"`
}

// Topics are what was talked about.
type Topics struct {
	Segments []TopicSegment `json:"segments,omitempty"`
	Summary  *TopicSummary  `json:"summary,omitempty"`

	Extra Extra `json:"-"`
}

// TopicSegment is a part of the transcript and its topics.
type TopicSegment struct {
	Text string `json:"text,omitempty"`
	// StartTime and EndTime are in seconds.
	StartTime json.Number `json:"start_time,omitempty"`
	EndTime   json.Number `json:"end_time,omitempty"`
	Topics    []Topic     `json:"topics,omitempty"`

	Extra Extra `json:"-"`
}

// Topic is the name of a topic.
type Topic struct {
	Topic string `json:"topic,omitempty"`

	Extra Extra `json:"-"`
}

// TopicSummary counts the segments of each topic.
type TopicSummary struct {
	Overall map[string]json.Number `json:"overall,omitempty"`

	Extra Extra `json:"-"`
}

// Chapter is a part of the transcript with a title and a summary.
type Chapter struct {
	Title   string `json:"title,omitempty"`
	Summary string `json:"summary,omitempty"`
	// StartTime and EndTime are in seconds.
	StartTime json.Number `json:"start_time,omitempty"`
	EndTime   json.Number `json:"end_time,omitempty"`

	Extra Extra `json:"-"`
}

// AudioEvent is a sound that is not speech.
type AudioEvent struct {
	// Type is "applause", "laughter" or "music", for example.
	Type string `json:"type,omitempty"`
	// StartTime and EndTime are in seconds.
	StartTime json.Number `json:"start_time,omitempty"`
	EndTime   json.Number `json:"end_time,omitempty"`
	// Confidence is from 0 to 1.
	Confidence json.Number `json:"confidence,omitempty"`
	Channel    string      `json:"channel,omitempty"`

	Extra Extra `json:"-"`
}

// AudioEventSummary counts audio events by type.
type AudioEventSummary struct { //nolint:recvcheck // a nil can be asked, and MarshalJSON must be a value's method
	// Overall counts the events of all channels. The provider's documentation shows a transcript without this level, in which
	// the types are members of the summary itself.
	Overall map[string]AudioEventCount `json:"overall,omitempty"`
	// Channels counts those of each channel, if channels were transcribed separately.
	Channels map[string]map[string]AudioEventCount `json:"channels,omitempty"`

	Extra Extra `json:"-"`
}

// Types counts the events of all channels, on whichever level the document has them.
func (s *AudioEventSummary) Types() map[string]AudioEventCount {
	if s == nil {
		return nil
	}
	if s.Overall != nil {
		return s.Overall
	}
	types := map[string]AudioEventCount{}
	for name, raw := range s.Extra {
		var count AudioEventCount
		if json.Unmarshal(raw, &count) == nil {
			types[name] = count
		}
	}
	return types
}

// AudioEventCount is how often there was a type of audio event, and how long in all, in seconds.
type AudioEventCount struct {
	Count         json.Number `json:"count,omitempty"`
	TotalDuration json.Number `json:"total_duration,omitempty"`

	Extra Extra `json:"-"`
}
