// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

// Each type of a document reads and writes itself, so that nothing is lost of a part either.

// MarshalJSON implements [encoding/json.Marshaler].
func (v Document) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v JobInfo) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *JobInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Tracking) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Tracking) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Metadata) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Metadata) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v ProcessingError) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *ProcessingError) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v LanguagePackInfo) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *LanguagePackInfo) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v LanguageIdentificationResult) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *LanguageIdentificationResult) UnmarshalJSON(data []byte) error {
	return unmarshalObject(data, v)
}

// MarshalJSON implements [encoding/json.Marshaler].
func (v IdentifiedLanguages) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *IdentifiedLanguages) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v IdentifiedLanguage) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *IdentifiedLanguage) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Result) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Result) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Alternative) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Alternative) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Display) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Display) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Speaker) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Speaker) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Sentence) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Sentence) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Summary) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Summary) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v SentimentAnalysis) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *SentimentAnalysis) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v SentimentSegment) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *SentimentSegment) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v SentimentSummary) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *SentimentSummary) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v SentimentCounts) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *SentimentCounts) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Topics) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Topics) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v TopicSegment) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *TopicSegment) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Topic) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Topic) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v TopicSummary) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *TopicSummary) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v Chapter) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *Chapter) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v AudioEvent) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *AudioEvent) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v AudioEventSummary) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *AudioEventSummary) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }

// MarshalJSON implements [encoding/json.Marshaler].
func (v AudioEventCount) MarshalJSON() ([]byte, error) { return marshalObject(v) }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (v *AudioEventCount) UnmarshalJSON(data []byte) error { return unmarshalObject(data, v) }
