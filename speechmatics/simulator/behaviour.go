// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Behaviour decides where the provider's documentation is silent, or contradicts itself. An empty
// field is the harsher variant, the one that is easier to get wrong in a client. The package documentation
// has a table of all of them.
type Behaviour struct {
	// DeletedJob is the answer to a GET or DELETE of a deleted job.
	DeletedJob GoneAnswer `json:"deletedJob,omitempty"`
	// ExpiredJob is the answer to a GET or DELETE of an expired job. Empty is GoneAnswerGone.
	ExpiredJob GoneAnswer `json:"expiredJob,omitempty"`
	// DropDeletedConfig leaves the config, and so the tracking data, out of deleted jobs in lists. By
	// default it is there, as in the specification's example.
	DropDeletedConfig bool `json:"dropDeletedConfig,omitempty"`
	// ListExpired includes expired jobs in lists. By default they are nowhere.
	ListExpired bool `json:"listExpired,omitempty"`
	// ListLag is how long a new job is missing in lists, in wall time.
	ListLag Duration `json:"listLag,omitempty"`
	// UnlimitedLists puts all jobs into a list for which there is no limit parameter. By default it is a page
	// of 100.
	UnlimitedLists bool `json:"unlimitedLists,omitempty"`
	// CreatedBeforeInclusive makes created_before include jobs of exactly that millisecond.
	CreatedBeforeInclusive bool `json:"createdBeforeInclusive,omitempty"`
	// DefaultWait is how long a GET of a running job blocks where the wait parameter is absent, in wall
	// time; 0 means 2 s, negative not at all.
	DefaultWait Duration `json:"defaultWait,omitempty"`
	// OnPremisesWait is what appliances and workers make of the wait parameter.
	OnPremisesWait OnPremisesWait `json:"onPremisesWait,omitempty"`
	// WorkerSpelling is how the HTTP batch worker writes identifiers and states.
	WorkerSpelling WorkerSpelling `json:"workerSpelling,omitempty"`
	// ApplianceIDs is how an appliance identifies jobs.
	ApplianceIDs ApplianceIDs `json:"applianceIDs,omitempty"`

	// MediaType is the type of JSON answers.
	MediaType MediaType `json:"mediaType,omitempty"`
	// EdgeErrors is the body of 401, 413 and of 429 for too many requests: "html" (default) or "json".
	EdgeErrors BodyForm `json:"edgeErrors,omitempty"`
	// RetryAfter adds a Retry-After header to every 429, in whole seconds, rounded up. No documentation
	// mentions that header, so there is none by default.
	RetryAfter Duration `json:"retryAfter,omitempty"`
	// TooLargeStatus answers a submission that is too large: 413 (also when 0) or 400.
	TooLargeStatus int `json:"tooLargeStatus,omitempty"`
	// NoCreditStatus answers a submission for which there is no credit (see FaultNoCredit): 403 (also
	// when 0), 402 or 429.
	NoCreditStatus int `json:"noCreditStatus,omitempty"`
	// ExpiredKeyStatus answers a temporary key that has expired: 403 (also when 0) or 401.
	ExpiredKeyStatus int `json:"expiredKeyStatus,omitempty"`

	// AllowUnknownConfigKeys accepts unknown keys at the top level of the config, and ignores them, as
	// those of sections always are.
	AllowUnknownConfigKeys bool `json:"allowUnknownConfigKeys,omitempty"`
	// AllowModelAndOperatingPoint accepts a model and an operating point that are the same. By default they
	// must not be given together.
	AllowModelAndOperatingPoint bool `json:"allowModelAndOperatingPoint,omitempty"`
	// IgnoreMeliaLimits accepts what the model melia-1 does not support. By default it is refused.
	IgnoreMeliaLimits bool `json:"ignoreMeliaLimits,omitempty"`
	// KeepEmptyArrays echoes empty arrays of the config as they are. By default they come back as null.
	KeepEmptyArrays bool `json:"keepEmptyArrays,omitempty"`
	// RejectInvalidAudioAtSubmission refuses an upload that is no audio. By default it is accepted, and
	// the job ends as rejected.
	RejectInvalidAudioAtSubmission bool `json:"rejectInvalidAudioAtSubmission,omitempty"`
	// InvalidAudioStatus is the answer to such an upload: 400 (also when 0) or 403.
	InvalidAudioStatus int `json:"invalidAudioStatus,omitempty"`
	// RejectUnsupportedPairAtSubmission answers 400 to a translation that is not supported. By default it
	// is accepted, and the job ends as rejected.
	RejectUnsupportedPairAtSubmission bool `json:"rejectUnsupportedPairAtSubmission,omitempty"`

	// FollowFetchRedirects follows redirects of media URLs (10 at most). By default they are errors.
	FollowFetchRedirects bool `json:"followFetchRedirects,omitempty"`
	// FetchGivesUpAtOnce does not try again what a 4xx answered. By default everything is tried four times.
	FetchGivesUpAtOnce bool `json:"fetchGivesUpAtOnce,omitempty"`
	// NoSideFileFetch keeps the simulator from asking the media's host for the words, see the package
	// documentation.
	NoSideFileFetch bool `json:"noSideFileFetch,omitempty"`

	// NotificationAttempts is how often a notification is tried; 0 means 4, which is also the most.
	NotificationAttempts int `json:"notificationAttempts,omitempty"`
	// FollowNotificationRedirects follows redirects of notification URLs (10 at most). By default they are
	// errors.
	FollowNotificationRedirects bool `json:"followNotificationRedirects,omitempty"`
	// NotifyDeletion sends notifications with the status error for a running job that is deleted. By default
	// nobody is told.
	NotifyDeletion bool `json:"notifyDeletion,omitempty"`
	// FailureNotifications says what the notification of a failed job carries.
	FailureNotifications FailureNotifications `json:"failureNotifications,omitempty"`
	// JobInfo is the layout of a notification's jobinfo.
	JobInfo JobInfoLayout `json:"jobInfo,omitempty"`
	// PartNames are the form names of a multipart notification's parts.
	PartNames PartNames `json:"partNames,omitempty"`
	// PartFileNames are the file names of a multipart notification's parts.
	PartFileNames PartFileNames `json:"partFileNames,omitempty"`

	// ChannelLabels are the labels of channels for which the configuration has none.
	ChannelLabels ChannelLabels `json:"channelLabels,omitempty"`
	// TextChannels is how format txt names channels.
	TextChannels TextChannels `json:"textChannels,omitempty"`
	// SRTSpeakers names speakers and channels in captions. By default it is not said who speaks.
	SRTSpeakers bool `json:"srtSpeakers,omitempty"`
	// Sentiment is the layout of sentiment_analysis.
	Sentiment SentimentLayout `json:"sentiment,omitempty"`
	// AudioEventSummary is the layout of audio_event_summary.
	AudioEventSummary AudioEventSummaryLayout `json:"audioEventSummary,omitempty"`

	// ServeLogs answers GET /jobs/{id}/log with a log. By default only an appliance does, others do not
	// implement it (501).
	ServeLogs bool `json:"serveLogs,omitempty"`
	// UsageModel is what the usage calls the model.
	UsageModel UsageModel `json:"usageModel,omitempty"`
	// DiscoveryIdentification is what the discovery calls language identification.
	DiscoveryIdentification DiscoveryIdentification `json:"discoveryIdentification,omitempty"`
}

// GoneAnswer is how a job that is no more is answered for.
type GoneAnswer string

// The answers for a job that is no more.
const (
	// GoneAnswerNotFound answers 404, "Job not found".
	GoneAnswerNotFound GoneAnswer = "not-found"
	// GoneAnswerGone answers 410, "Job Expired".
	GoneAnswerGone GoneAnswer = "gone"
	// GoneAnswerShow answers 200 with the job and its status.
	GoneAnswerShow GoneAnswer = "show"
)

// FailureNotifications is what the notification of a failed job carries.
type FailureNotifications string

// What the notification of a failed job carries.
const (
	// FailureOmit leaves out what there is not, and keeps the form: a lone transcript becomes an
	// empty body, a multipart has fewer parts.
	FailureOmit FailureNotifications = "omit"
	// FailureJobInfoOnly sends jobinfo alone, whatever was asked for.
	FailureJobInfoOnly FailureNotifications = "jobinfo-only"
)

// JobInfoLayout is the layout of a notification's jobinfo.
type JobInfoLayout string

// The layouts of jobinfo.
const (
	// JobInfoFlat is {"id": …, "created_at": …, "data_name": …, "duration": …, "tracking": …}.
	JobInfoFlat JobInfoLayout = "flat"
	// JobInfoNested is {"job": {…}}, the same document as GET /jobs/{id}.
	JobInfoNested JobInfoLayout = "nested"
)

// PartNames are the form names of a multipart notification's parts. File names tell them apart either way.
type PartNames string

// The form names of parts.
const (
	// PartNamesItem names every part after its item of contents.
	PartNamesItem PartNames = "item"
	// PartNamesDataFile names every part data_file, as where contents is left out.
	PartNamesDataFile PartNames = "data_file"
)

// BodyForm is the form of an error's body.
type BodyForm string

// The forms of an error's body.
const (
	// BodyJSON is {"code", "error", "detail"?}.
	BodyJSON BodyForm = "json"
	// BodyHTML is a page as nginx writes it.
	BodyHTML BodyForm = "html"
	// BodyText is a line of plain text.
	BodyText BodyForm = "text"
	// BodyDetail is {"detail"}, as the HTTP batch worker writes it.
	BodyDetail BodyForm = "detail"
	// BodyEmpty is no body.
	BodyEmpty BodyForm = "empty"
)

// MediaType is the type of JSON answers.
type MediaType string

// The types of JSON answers; the specification declares both.
const (
	// MediaTypeJSON is application/json.
	MediaTypeJSON MediaType = "json"
	// MediaTypeVendor is application/vnd.speechmatics.v2+json.
	MediaTypeVendor MediaType = "vendor"
)

// OnPremisesWait is what appliances and workers make of the wait parameter.
type OnPremisesWait string

// What appliances and workers make of the wait parameter.
const (
	// OnPremisesWaitRefuse answers 422.
	OnPremisesWaitRefuse OnPremisesWait = "refuse"
	// OnPremisesWaitIgnore answers at once.
	OnPremisesWaitIgnore OnPremisesWait = "ignore"
)

// WorkerSpelling is how the HTTP batch worker writes identifiers and states.
type WorkerSpelling string

// How the HTTP batch worker writes.
const (
	// WorkerSpellingProse is "job_id" and "DONE", as in the text of its documentation.
	WorkerSpellingProse WorkerSpelling = "prose"
	// WorkerSpellingAPI is "id" and "done", as in the rest of the API.
	WorkerSpellingAPI WorkerSpelling = "api"
)

// ApplianceIDs is how an appliance identifies jobs.
type ApplianceIDs string

// How an appliance identifies jobs.
const (
	// ApplianceIDsUUID are UUIDs.
	ApplianceIDsUUID ApplianceIDs = "uuid"
	// ApplianceIDsNumber are small integers.
	ApplianceIDsNumber ApplianceIDs = "number"
)

// PartFileNames are the file names of a multipart notification's parts.
type PartFileNames string

// The file names of parts.
const (
	// PartFileNamesExtension have one that tells the format, such as transcript.json.
	PartFileNamesExtension PartFileNames = "extension"
	// PartFileNamesJob are the job's identifier, for all of them.
	PartFileNamesJob PartFileNames = "job"
)

// ChannelLabels are the labels of channels for which the configuration has none.
type ChannelLabels string

// The labels of channels.
const (
	// ChannelLabelsUnderscore are channel_1, channel_2, …, as in the specification.
	ChannelLabelsUnderscore ChannelLabels = "underscore"
	// ChannelLabelsSpaced are "Channel 1", "Channel 2", …, as in the documentation.
	ChannelLabelsSpaced ChannelLabels = "spaced"
)

// TextChannels is how format txt names channels.
type TextChannels string

// How format txt names channels.
const (
	// TextChannelsSpeaker is a line such as for speakers: "SPEAKER: channel_1".
	TextChannelsSpeaker TextChannels = "speaker"
	// TextChannelsOwn is "CHANNEL: channel_1".
	TextChannelsOwn TextChannels = "channel"
	// TextChannelsNone does not name them.
	TextChannelsNone TextChannels = "none"
)

// SentimentLayout is the layout of sentiment_analysis.
type SentimentLayout string

// The layouts of sentiment_analysis.
const (
	// SentimentFlat has segments and summary in it, as in the documentation's samples.
	SentimentFlat SentimentLayout = "flat"
	// SentimentNested has another sentiment_analysis in between, as in the specification.
	SentimentNested SentimentLayout = "nested"
)

// AudioEventSummaryLayout is the layout of audio_event_summary.
type AudioEventSummaryLayout string

// The layouts of audio_event_summary.
const (
	// AudioEventSummaryFlat has the types of events at the top level, as in the documentation's sample.
	AudioEventSummaryFlat AudioEventSummaryLayout = "flat"
	// AudioEventSummaryOverall has them in overall and channels, as in the specification.
	AudioEventSummaryOverall AudioEventSummaryLayout = "overall"
)

// UsageModel is what the usage calls the model.
type UsageModel string

// What the usage calls the model.
const (
	// UsageModelModel is the name in the specification's example.
	UsageModelModel UsageModel = "model"
	// UsageModelOperatingPoint is the name in the specification's schema.
	UsageModelOperatingPoint UsageModel = "operating_point"
)

// DiscoveryIdentification is what the discovery calls language identification.
type DiscoveryIdentification string

// What the discovery calls language identification.
const (
	// DiscoveryIdentificationLower is the name in the documentation.
	DiscoveryIdentificationLower DiscoveryIdentification = "languageid"
	// DiscoveryIdentificationCamel is the name in the JavaScript SDK.
	DiscoveryIdentificationCamel DiscoveryIdentification = "languageId"
)

func (b Behaviour) withDefaults() Behaviour {
	orDefault(&b.DeletedJob, GoneAnswerNotFound)
	orDefault(&b.ExpiredJob, GoneAnswerGone)
	orDefault(&b.DefaultWait, Duration(2*time.Second))
	orDefault(&b.OnPremisesWait, OnPremisesWaitRefuse)
	orDefault(&b.WorkerSpelling, WorkerSpellingProse)
	orDefault(&b.ApplianceIDs, ApplianceIDsUUID)
	orDefault(&b.MediaType, MediaTypeJSON)
	orDefault(&b.EdgeErrors, BodyHTML)
	orDefault(&b.TooLargeStatus, http.StatusRequestEntityTooLarge)
	orDefault(&b.NoCreditStatus, http.StatusForbidden)
	orDefault(&b.ExpiredKeyStatus, http.StatusForbidden)
	orDefault(&b.InvalidAudioStatus, http.StatusBadRequest)
	orDefault(&b.NotificationAttempts, 1+len(notifyGaps))
	orDefault(&b.FailureNotifications, FailureOmit)
	orDefault(&b.JobInfo, JobInfoFlat)
	orDefault(&b.PartNames, PartNamesItem)
	orDefault(&b.PartFileNames, PartFileNamesExtension)
	orDefault(&b.ChannelLabels, ChannelLabelsUnderscore)
	orDefault(&b.TextChannels, TextChannelsSpeaker)
	orDefault(&b.Sentiment, SentimentFlat)
	orDefault(&b.AudioEventSummary, AudioEventSummaryFlat)
	orDefault(&b.UsageModel, UsageModelModel)
	orDefault(&b.DiscoveryIdentification, DiscoveryIdentificationLower)
	return b
}

// Validate reports the first value that is none of the known ones.
func (b Behaviour) Validate() error {
	b = b.withDefaults()
	for _, err := range []error{
		oneOf("deletedJob", b.DeletedJob, GoneAnswerNotFound, GoneAnswerGone, GoneAnswerShow),
		oneOf("expiredJob", b.ExpiredJob, GoneAnswerNotFound, GoneAnswerGone, GoneAnswerShow),
		notNegative("listLag", b.ListLag),
		oneOf("onPremisesWait", b.OnPremisesWait, OnPremisesWaitRefuse, OnPremisesWaitIgnore),
		oneOf("workerSpelling", b.WorkerSpelling, WorkerSpellingProse, WorkerSpellingAPI),
		oneOf("applianceIDs", b.ApplianceIDs, ApplianceIDsUUID, ApplianceIDsNumber),
		oneOf("mediaType", b.MediaType, MediaTypeJSON, MediaTypeVendor),
		oneOf("edgeErrors", b.EdgeErrors, BodyHTML, BodyJSON),
		notNegative("retryAfter", b.RetryAfter),
		oneOf("tooLargeStatus", b.TooLargeStatus, http.StatusRequestEntityTooLarge, http.StatusBadRequest),
		oneOf("noCreditStatus", b.NoCreditStatus, http.StatusForbidden, http.StatusPaymentRequired, http.StatusTooManyRequests),
		oneOf("expiredKeyStatus", b.ExpiredKeyStatus, http.StatusForbidden, http.StatusUnauthorized),
		oneOf("invalidAudioStatus", b.InvalidAudioStatus, http.StatusBadRequest, http.StatusForbidden),
		oneOf("notificationAttempts", b.NotificationAttempts, 1, 2, 3, 4),
		oneOf("failureNotifications", b.FailureNotifications, FailureOmit, FailureJobInfoOnly),
		oneOf("jobInfo", b.JobInfo, JobInfoFlat, JobInfoNested),
		oneOf("partNames", b.PartNames, PartNamesItem, PartNamesDataFile),
		oneOf("partFileNames", b.PartFileNames, PartFileNamesExtension, PartFileNamesJob),
		oneOf("channelLabels", b.ChannelLabels, ChannelLabelsUnderscore, ChannelLabelsSpaced),
		oneOf("textChannels", b.TextChannels, TextChannelsSpeaker, TextChannelsOwn, TextChannelsNone),
		oneOf("sentiment", b.Sentiment, SentimentFlat, SentimentNested),
		oneOf("audioEventSummary", b.AudioEventSummary, AudioEventSummaryFlat, AudioEventSummaryOverall),
		oneOf("usageModel", b.UsageModel, UsageModelModel, UsageModelOperatingPoint),
		oneOf("discoveryIdentification", b.DiscoveryIdentification, DiscoveryIdentificationLower, DiscoveryIdentificationCamel),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func oneOf[T comparable](field string, value T, allowed ...T) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s: %v is none of %v", field, written(value), written(allowed))
}

// written quotes texts, and leaves other values as they are.
func written(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil { // texts and numbers can always be encoded
		return fmt.Sprint(value)
	}
	return string(encoded)
}

func notNegative(field string, d Duration) error {
	if d < 0 {
		return fmt.Errorf("%s: %v is negative", field, time.Duration(d))
	}
	return nil
}

// Duration is a time.Duration that is written as "1.5s" in JSON.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(parsed)
	return nil
}
