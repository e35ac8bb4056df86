// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TranscriptionJob is one batch transcription at Speechmatics: it names a media file, says how it is to be transcribed
// and where the transcripts are to be kept. The operator submits it once, follows it to its end and stores the
// transcripts; like a batch/v1 Job it runs to completion and is never run again.
//
// Creating the object again, also under the same name, is a new job with a new UID, and is paid for again.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=tj,categories=transcription
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="The reason of the condition Ready."
// +kubebuilder:printcolumn:name="Account",type=string,JSONPath=`.status.accountRef.name`,description="The account that the job was given to."
// +kubebuilder:printcolumn:name="Language",type=string,JSONPath=`.status.remoteJob.language`,description="The language that is transcribed: the one identified if the job's is auto."
// +kubebuilder:printcolumn:name="Audio",type=string,JSONPath=`.status.remoteJob.audioDuration`,description="The length of the media."
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Remote-ID",type=string,priority=1,JSONPath=`.status.remoteJob.id`,description="The job's ID at Speechmatics."
// +kubebuilder:printcolumn:name="Attempt",type=integer,priority=1,JSONPath=`.status.attempt`
// +kubebuilder:printcolumn:name="At-Risk",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="TranscriptAtRisk")].status`,description="Whether the only copy of a transcript may soon be gone."
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="the name of a TranscriptionJob has at most 63 characters: it is used as a label"
type TranscriptionJob struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata. The name has at most 63 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec says what is transcribed, how, and where the transcripts are kept. It cannot be changed once the object is
	// created, except for suspend, priority, activeDeadlineSeconds, ttlSecondsAfterFinished and remoteDeletionPolicy.
	// +required
	Spec TranscriptionJobSpec `json:"spec,omitzero"`

	// status is what the operator has seen and done. It holds small facts only, never a transcript.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status TranscriptionJobStatus `json:"status,omitempty,omitzero"`
}

// TranscriptionJobList is a list of TranscriptionJobs.
//
// +kubebuilder:object:root=true
type TranscriptionJobList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []TranscriptionJob `json:"items"`
}

// TranscriptionJobSpec is the desired state of a TranscriptionJob.
//
// Rules stand here and not at the fields, because a field's own rule does not see it set or unset.
//
// +kubebuilder:validation:XValidation:rule="has(self.accountRef) == has(oldSelf.accountRef) && (!has(self.accountRef) || self.accountRef == oldSelf.accountRef)",fieldPath=".accountRef",message="accountRef is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="self.media == oldSelf.media",fieldPath=".media",message="media is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="self.transcription == oldSelf.transcription",fieldPath=".transcription",message="transcription is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.translation) == has(oldSelf.translation) && (!has(self.translation) || self.translation == oldSelf.translation)",fieldPath=".translation",message="translation is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.languageIdentification) == has(oldSelf.languageIdentification) && (!has(self.languageIdentification) || self.languageIdentification == oldSelf.languageIdentification)",fieldPath=".languageIdentification",message="languageIdentification is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.summarization) == has(oldSelf.summarization) && (!has(self.summarization) || self.summarization == oldSelf.summarization)",fieldPath=".summarization",message="summarization is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.sentimentAnalysis) == has(oldSelf.sentimentAnalysis) && (!has(self.sentimentAnalysis) || self.sentimentAnalysis == oldSelf.sentimentAnalysis)",fieldPath=".sentimentAnalysis",message="sentimentAnalysis is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.topicDetection) == has(oldSelf.topicDetection) && (!has(self.topicDetection) || self.topicDetection == oldSelf.topicDetection)",fieldPath=".topicDetection",message="topicDetection is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.autoChapters) == has(oldSelf.autoChapters) && (!has(self.autoChapters) || self.autoChapters == oldSelf.autoChapters)",fieldPath=".autoChapters",message="autoChapters is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.audioEvents) == has(oldSelf.audioEvents) && (!has(self.audioEvents) || self.audioEvents == oldSelf.audioEvents)",fieldPath=".audioEvents",message="audioEvents is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.output) == has(oldSelf.output) && (!has(self.output) || self.output == oldSelf.output)",fieldPath=".output",message="output is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.notifications) == has(oldSelf.notifications) && (!has(self.notifications) || self.notifications == oldSelf.notifications)",fieldPath=".notifications",message="notifications is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.processing) == has(oldSelf.processing) && (!has(self.processing) || self.processing == oldSelf.processing)",fieldPath=".processing",message="processing is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.providerConfig) == has(oldSelf.providerConfig) && (!has(self.providerConfig) || self.providerConfig == oldSelf.providerConfig)",fieldPath=".providerConfig",message="providerConfig is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.tracking) == has(oldSelf.tracking) && (!has(self.tracking) || self.tracking == oldSelf.tracking)",fieldPath=".tracking",message="tracking is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.transcripts) == has(oldSelf.transcripts) && (!has(self.transcripts) || self.transcripts == oldSelf.transcripts)",fieldPath=".transcripts",message="transcripts is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.backoffLimit) == has(oldSelf.backoffLimit) && (!has(self.backoffLimit) || self.backoffLimit == oldSelf.backoffLimit)",fieldPath=".backoffLimit",message="backoffLimit is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="has(self.ambiguousSubmissionPolicy) == has(oldSelf.ambiguousSubmissionPolicy) && (!has(self.ambiguousSubmissionPolicy) || self.ambiguousSubmissionPolicy == oldSelf.ambiguousSubmissionPolicy)",fieldPath=".ambiguousSubmissionPolicy",message="ambiguousSubmissionPolicy is immutable; create a new TranscriptionJob instead"
// +kubebuilder:validation:XValidation:rule="!(has(self.summarization) || has(self.sentimentAnalysis) || has(self.topicDetection) || has(self.autoChapters) || has(self.audioEvents) || (has(self.transcription.enableEntities) && self.transcription.enableEntities) || (has(self.transcription.speakerDiarization) && has(self.transcription.speakerDiarization.getSpeakers) && self.transcription.speakerDiarization.getSpeakers)) || (has(self.transcripts.formats) && 'json-v2' in self.transcripts.formats) || (has(self.notifications) && self.notifications.exists(n, !has(n.contents) || n.contents.exists(c, c == 'transcript' || c == 'transcript.json-v2')))",fieldPath=".transcripts.formats",message="summarization, sentimentAnalysis, topicDetection, autoChapters, audioEvents, transcription.enableEntities and transcription.speakerDiarization.getSpeakers are in the json-v2 transcript only: add json-v2 to transcripts.formats, or have it sent to an address of your own with notifications"
// +kubebuilder:validation:XValidation:rule="!((has(self.transcription.model) && self.transcription.model == 'melia-1') || (has(self.transcription.operatingPoint) && self.transcription.operatingPoint == 'melia-1')) || !(has(self.translation) || has(self.summarization) || has(self.sentimentAnalysis) || has(self.topicDetection) || has(self.autoChapters))",fieldPath=".transcription.model",message="model melia-1 has no translation, summarization, sentimentAnalysis, topicDetection and autoChapters; leave them out or choose another model"
// +kubebuilder:validation:XValidation:rule="self.transcription.language != 'multi' || (has(self.transcription.model) && self.transcription.model == 'melia-1') || (has(self.transcription.operatingPoint) && self.transcription.operatingPoint == 'melia-1') || has(self.providerConfig)",fieldPath=".transcription.language",message="language multi needs model melia-1"
// +kubebuilder:validation:XValidation:rule="!has(self.ttlSecondsAfterFinished) || has(self.transcripts.persistentVolumeClaim) || (has(self.transcripts.configMap) && has(self.transcripts.configMap.retentionPolicy))",fieldPath=".ttlSecondsAfterFinished",message="ttlSecondsAfterFinished deletes the job, so transcripts.configMap.retentionPolicy must say what becomes of its transcripts: Delete or Retain"
type TranscriptionJobSpec struct {
	// accountRef names the account that pays for the job and whose key is used. Unset means the SpeechmaticsAccount
	// named "default" in the job's namespace, and if there is none, the ClusterSpeechmaticsAccount named "default".
	// The account is resolved once, when the job is taken up, and stays with the job: see status.accountRef. Immutable.
	// +optional
	AccountRef *AccountReference `json:"accountRef,omitempty"`

	// media is the file to transcribe. Immutable.
	// +required
	Media MediaSource `json:"media,omitzero"`

	// transcription configures the recognition. Immutable.
	// +required
	Transcription TranscriptionConfig `json:"transcription,omitzero"`

	// translation asks for translations of the transcript. Each of the formats txt, srt and vtt that transcripts asks for
	// is then stored for each language too; json-v2 holds all of them in one document.
	// (The provider's translation_config.) Immutable.
	// +optional
	Translation *TranslationConfig `json:"translation,omitempty"`

	// languageIdentification tunes how the language is identified. It has an effect with
	// transcription.language auto only.
	// (The provider's language_identification_config.) Immutable.
	// +optional
	LanguageIdentification *LanguageIdentificationConfig `json:"languageIdentification,omitempty"`

	// summarization asks for a summary, which is in the json-v2 transcript. An empty object ({}) asks for the provider's
	// defaults.
	// (The provider's summarization_config.) Immutable.
	// +optional
	Summarization *SummarizationConfig `json:"summarization,omitempty"`

	// sentimentAnalysis asks for the sentiment of what is said (English only), which is in the json-v2 transcript. It is
	// asked for with an empty object ({}).
	// (The provider's sentiment_analysis_config.) Immutable.
	// +optional
	SentimentAnalysis *SentimentAnalysisConfig `json:"sentimentAnalysis,omitempty"`

	// topicDetection asks for the topics of what is said (English only), which are in the json-v2 transcript. An empty
	// object ({}) asks for the provider's own topics.
	// (The provider's topic_detection_config.) Immutable.
	// +optional
	TopicDetection *TopicDetectionConfig `json:"topicDetection,omitempty"`

	// autoChapters asks for chapters with titles and summaries, which are in the json-v2 transcript. They are asked for
	// with an empty object ({}). The media should be ten minutes long at least.
	// (The provider's auto_chapters_config.) Immutable.
	// +optional
	AutoChapters *AutoChaptersConfig `json:"autoChapters,omitempty"`

	// audioEvents asks for applause, laughter and music, which are in the json-v2 transcript. An empty object ({}) asks
	// for all kinds.
	// (The provider's audio_events_config.) Immutable.
	// +optional
	AudioEvents *AudioEventsConfig `json:"audioEvents,omitempty"`

	// output tunes how transcripts are written.
	// (The provider's output_config.) Immutable.
	// +optional
	Output *OutputConfig `json:"output,omitempty"`

	// tracking is passed to Speechmatics, which returns it with the job and in the transcript. Immutable.
	// +optional
	Tracking *Tracking `json:"tracking,omitempty"`

	// notifications are up to two addresses of your own that Speechmatics notifies when the job has ended, besides the
	// operator's. The operator does not wait for these calls; failed ones may show among status.remoteJob.errors.
	// (The provider's notification_config.) Immutable.
	// +kubebuilder:validation:MaxItems=2
	// +listType=atomic
	// +optional
	Notifications []NotificationSpec `json:"notifications,omitempty"`

	// processing tells an installation on premises how to process the job. Speechmatics' own service has no such options:
	// with an account of the backend saas the job fails before it is submitted. Immutable.
	// +optional
	Processing *ProcessingSpec `json:"processing,omitempty"`

	// providerConfig carries options that are newer than this API: an object in the provider's own names (snake_case), merged last
	// into the job's configuration by the rules of RFC 7386, so that null removes a member. (A null has to be applied with
	// kubectl apply --server-side, or created: without it, kubectl drops nulls before it sends them.) What is stored follows the fields of
	// this spec alone: translations that are asked for here are in the json-v2 transcript only. What the operator owns cannot be set here: type, fetch_data, fetch_text, notification_config and tracking.reference; a job that tries to fails
	// before it is submitted. At most 64 members, 64 KiB and 32 levels. Immutable.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:pruning:PreserveUnknownFields
	// +mapType=atomic
	// +optional
	ProviderConfig *apiextensionsv1.JSON `json:"providerConfig,omitempty"`

	// transcripts says which formats are wanted and where they are kept. Immutable. The default is plain text in a
	// ConfigMap that is deleted with the job.
	// +kubebuilder:default={}
	// +optional
	Transcripts TranscriptsSpec `json:"transcripts,omitempty,omitzero"`

	// suspend keeps the job from being submitted. A job that is already at Speechmatics runs on, since it cannot be
	// paused there; its transcripts are stored as usual. Resuming restarts the clock of activeDeadlineSeconds.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// priority decides which of the waiting jobs of one namespace goes first: the higher, the sooner. It has no
	// influence between namespaces, nor on jobs already submitted. Unset means 0.
	// +kubebuilder:validation:Minimum=-1000000000
	// +kubebuilder:validation:Maximum=1000000000
	// +optional
	Priority *int32 `json:"priority,omitempty"`

	// backoffLimit is how often a failed attempt is followed by another one. Only failures that may pass are retried: a
	// file that could not be fetched, a job that vanished at Speechmatics. A rejection for bad audio, a bad
	// configuration or an unsupported language is final at once; the operator's documentation has a table. Every attempt
	// may cost money. 1 by default, at most 10. Immutable.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	// +optional
	BackoffLimit *int32 `json:"backoffLimit,omitempty"`

	// activeDeadlineSeconds is how long the job may take, in seconds since status.startTime, before it is cancelled at
	// Speechmatics and fails with the reason DeadlineExceeded. Unset means no limit. A transcript that is already there
	// when the deadline passes is stored all the same. While Speechmatics cannot be reached to cancel it, the job goes on
	// trying.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=31536000
	// +optional
	ActiveDeadlineSeconds *int64 `json:"activeDeadlineSeconds,omitempty"`

	// ttlSecondsAfterFinished is how long the object stays after it has finished, in seconds; 0 deletes it at once,
	// unset keeps it. If the transcripts are kept in a ConfigMap, transcripts.configMap.retentionPolicy must be set.
	//
	// A tool that applies the manifest again after the object is gone (GitOps) buys the transcription again.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=315360000
	// +optional
	TTLSecondsAfterFinished *int32 `json:"ttlSecondsAfterFinished,omitempty"`

	// remoteDeletionPolicy says when the media, transcript and configuration are deleted at Speechmatics, which
	// otherwise keeps them for seven days: OnDeletion (the default) with this object, where a running job is cancelled and
	// one whose transcript is not stored is kept; AfterStored as soon as every transcript is stored; Never.
	// +kubebuilder:default=OnDeletion
	// +optional
	RemoteDeletionPolicy RemoteDeletionPolicy `json:"remoteDeletionPolicy,omitempty"`

	// ambiguousSubmissionPolicy says what happens when it cannot be found out whether a submission has arrived, because
	// the account, its host or its key was replaced meanwhile, or because Speechmatics has already forgotten it.
	// Usually it can be found out, and this field is not needed. Fail (the default) lets the job fail, although it may have
	// been paid for; Resubmit submits it again, so that it may be paid for twice. Immutable.
	// +kubebuilder:default=Fail
	// +optional
	AmbiguousSubmissionPolicy AmbiguousSubmissionPolicy `json:"ambiguousSubmissionPolicy,omitempty"`
}

// AccountKind is the kind of an account.
//
// +kubebuilder:validation:Enum=SpeechmaticsAccount;ClusterSpeechmaticsAccount
type AccountKind string

const (
	// NamespacedAccount is an account in the job's own namespace.
	NamespacedAccount AccountKind = "SpeechmaticsAccount"
	// ClusterAccount is an account for several namespaces, kept by the cluster's administrators.
	ClusterAccount AccountKind = "ClusterSpeechmaticsAccount"
)

// AccountReference names an account.
type AccountReference struct {
	// kind is SpeechmaticsAccount, in the job's namespace, or ClusterSpeechmaticsAccount.
	// +kubebuilder:default=SpeechmaticsAccount
	// +optional
	Kind AccountKind `json:"kind,omitempty"`

	// name is the account's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +required
	Name string `json:"name,omitempty"`
}

// MediaSource is where the media file comes from. Speechmatics recognises wav, mp3, aac, ogg, mpeg, amr, m4a, mp4 and
// flac by their content.
//
// +kubebuilder:validation:XValidation:rule="[has(self.url), has(self.urlFrom), has(self.configMap), has(self.secret)].filter(x, x).size() == 1",message="set exactly one of url, urlFrom, configMap and secret"
// +kubebuilder:validation:XValidation:rule="!has(self.authHeadersFrom) || has(self.url) || has(self.urlFrom)",message="authHeadersFrom goes with url or urlFrom: the headers are sent when the URL is fetched"
type MediaSource struct {
	// url is an http or https address that Speechmatics fetches the file from. Whoever may read the job sees it: an
	// address that is itself a secret (signed, or with a token) belongs in urlFrom.
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="url must be an absolute http or https URL; for files in the cluster use configMap or secret"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[a-z]+://[^/]*@')",message="url must not hold a user name or password; use authHeadersFrom or urlFrom"
	// +optional
	URL *string `json:"url,omitempty"`

	// urlFrom takes the address from a Secret of the type transcription-operator.io/media.
	// +optional
	URLFrom *SecretSource `json:"urlFrom,omitempty"`

	// authHeadersFrom takes HTTP headers, one "Name: value" a line, from a Secret of the type
	// transcription-operator.io/media. Speechmatics sends them when it fetches the file.
	// +optional
	AuthHeadersFrom *SecretSource `json:"authHeadersFrom,omitempty"`

	// configMap takes the file itself from a key of a ConfigMap in the job's namespace: a clip of at most 1 MiB. Texts are
	// refused, so that creating jobs is no way to read ConfigMaps.
	// +optional
	ConfigMap *ObjectKeyReference `json:"configMap,omitempty"`

	// secret takes the file itself from a key of a Secret in the job's namespace: a clip of at most 1 MiB. The Secret
	// must have the type transcription-operator.io/media.
	// +optional
	Secret *ObjectKeyReference `json:"secret,omitempty"`
}

// SecretSource takes a value from a Secret.
type SecretSource struct {
	// secretKeyRef names the Secret and the key.
	// +required
	SecretKeyRef ObjectKeyReference `json:"secretKeyRef,omitzero"`
}

// ObjectKeyReference names a key of a ConfigMap or Secret in the same namespace.
type ObjectKeyReference struct {
	// name is the object's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +required
	Name string `json:"name,omitempty"`

	// key is the key in the object's data.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	// +required
	Key string `json:"key,omitempty"`
}

// Tracking is passed through to the provider. The provider's field "reference" is not here: the operator uses it to find
// a job again.
type Tracking struct {
	// title is a title for the job.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Title *string `json:"title,omitempty"`

	// tags are free labels.
	// At most 32.
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=256
	// +listType=atomic
	// +optional
	Tags []string `json:"tags,omitzero"`

	// details is a free JSON object. At most 64 members, 64 KiB and 32 levels.
	// +kubebuilder:validation:Type=object
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:pruning:PreserveUnknownFields
	// +optional
	Details *apiextensionsv1.JSON `json:"details,omitempty"`
}

// TranscriptsSpec says which formats are wanted and where they are kept.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.configMap) && has(self.persistentVolumeClaim))",message="set configMap or persistentVolumeClaim, not both"
type TranscriptsSpec struct {
	// formats lists the formats to store: "json-v2", the provider's full document, "txt", plain text, "srt" and "vtt",
	// subtitles. The default is plain text alone, because etcd is small: an hour of speech is some 55 kB as txt, 120 kB as
	// srt or vtt and 2 MB as json-v2.
	// +kubebuilder:default={txt}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +listType=set
	// +optional
	Formats []TranscriptFormat `json:"formats,omitempty"`

	// configMap keeps the transcripts in ConfigMaps in the job's namespace, one for each: <name>-<format>, translations
	// <name>-<format>-<language>, with the key transcript.<extension> or transcript.<language>.<extension>, and .gz behind it
	// if it is compressed (from 32 KiB on). What is too large for one is split: -00, -01 and so on follow. status.transcripts
	// names them all. This is the default.
	// +optional
	ConfigMap *ConfigMapStore `json:"configMap,omitempty"`

	// persistentVolumeClaim keeps the transcripts as files on a volume: transcript.<extension>, translations
	// transcript.<language>.<extension>, in a folder of the attempt's own. status.transcripts has the paths.
	// +optional
	PersistentVolumeClaim *PersistentVolumeClaimStore `json:"persistentVolumeClaim,omitempty"`
}

// TranscriptFormat is a format of a transcript.
//
// +kubebuilder:validation:Enum=json-v2;txt;srt;vtt
type TranscriptFormat string

const (
	// FormatJSONv2 is the provider's full document: times, confidences, speakers.
	FormatJSONv2 TranscriptFormat = "json-v2"
	// FormatText is plain text.
	FormatText TranscriptFormat = "txt"
	// FormatSRT is subtitles in the SubRip format.
	FormatSRT TranscriptFormat = "srt"
	// FormatVTT is subtitles in the WebVTT format with the speakers' voices marked. The provider does not know it: it is
	// written here from the json-v2 document.
	FormatVTT TranscriptFormat = "vtt"
)

// RetentionPolicy says what becomes of the transcripts when the job is deleted.
//
// +kubebuilder:validation:Enum=Delete;Retain
type RetentionPolicy string

const (
	// RetentionDelete has the transcripts garbage-collected with the job.
	RetentionDelete RetentionPolicy = "Delete"
	// RetentionRetain leaves the transcripts in place.
	RetentionRetain RetentionPolicy = "Retain"
)

// ConfigMapStore keeps transcripts in ConfigMaps: one for each format, named <name>-<format>, translations
// <name>-<format>-<language>, and numbered parts -00, -01 and so on where one ConfigMap is too small. After a failed attempt, the beginning of the job's
// UID and the attempt's number come before the format. status.transcripts names them all. They are immutable and never written over an object that is not the job's own. From 32 KiB on the text is compressed with gzip.
type ConfigMapStore struct {
	// name is the first part of the ConfigMaps' names. Unset means the job's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=200
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +optional
	Name *string `json:"name,omitempty"`

	// retentionPolicy says whether the ConfigMaps are deleted with the job (Delete) or stay (Retain). Unset means
	// Delete; it must be set if ttlSecondsAfterFinished is.
	// +optional
	RetentionPolicy *RetentionPolicy `json:"retentionPolicy,omitempty"`
}

// PersistentVolumeClaimStore keeps transcripts as files on a volume that the webhook receiver mounts, under
// <namespace>/<directory>/<job name>/<job UID>-<attempt>/. Files stay when the job is deleted.
type PersistentVolumeClaimStore struct {
	// claimName is the name of a PersistentVolumeClaim in the webhook receiver's namespace. The receiver must be set up
	// to mount it (its flag --volume); a claim that it does not mount is reported before anything is submitted.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +required
	ClaimName string `json:"claimName,omitempty"`

	// directory is a folder below the namespace's own folder on the volume, for example "meetings/2026".
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$`
	// +optional
	Directory *string `json:"directory,omitempty"`
}

// RemoteDeletionPolicy says when a job is deleted at Speechmatics.
//
// +kubebuilder:validation:Enum=AfterStored;OnDeletion;Never
type RemoteDeletionPolicy string

const (
	// RemoteDeletionAfterStored deletes it as soon as every transcript is stored.
	RemoteDeletionAfterStored RemoteDeletionPolicy = "AfterStored"
	// RemoteDeletionOnDeletion deletes it with the TranscriptionJob: a running job is cancelled, a finished one is
	// deleted if its transcripts are stored, and kept, with an event, if they are not.
	RemoteDeletionOnDeletion RemoteDeletionPolicy = "OnDeletion"
	// RemoteDeletionNever leaves it to the provider's retention.
	RemoteDeletionNever RemoteDeletionPolicy = "Never"
)

// AmbiguousSubmissionPolicy says what happens when nobody can tell whether a submission has arrived.
//
// +kubebuilder:validation:Enum=Resubmit;Fail
type AmbiguousSubmissionPolicy string

const (
	// AmbiguousResubmit submits again: the job may be paid for twice.
	AmbiguousResubmit AmbiguousSubmissionPolicy = "Resubmit"
	// AmbiguousFail lets the job fail: it may have been paid for, and its transcript is lost.
	AmbiguousFail AmbiguousSubmissionPolicy = "Fail"
)

// TranscriptionJobStatus is the observed state of a TranscriptionJob.
type TranscriptionJobStatus struct {
	// observedGeneration is the metadata.generation that this status was computed from; -1 before the first time.
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// conditions tell the state: Complete, Failed and Finished (either of the two) say how it ended, FeaturesFailed that
	// something that was asked for beside the plain transcript is missing, TranscriptAtRisk that a transcript is at the
	// provider only and may soon be gone there, Suspended that the job is held back, Ready what it is doing (its reason is
	// the STATUS column), Stalled that it has failed, or is held until a person changes the object. All of them are always
	// present once the job has been taken up; FeaturesFailed is Unknown until there is something to know.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// accountRef is the account that the job was given to when it was taken up. It does not change.
	// +optional
	AccountRef *ResolvedAccountReference `json:"accountRef,omitempty"`

	// attempt is the number of the latest submission that is known to have been accepted, counted from 1.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Attempt *int32 `json:"attempt,omitempty"`

	// failedAttempts counts the attempts that have failed.
	// +kubebuilder:validation:Minimum=0
	// +optional
	FailedAttempts *int32 `json:"failedAttempts,omitempty"`

	// lastFailureTime is when the latest attempt failed. The next one waits from here.
	// +optional
	LastFailureTime *metav1.Time `json:"lastFailureTime,omitempty"`

	// remoteJob is the job at Speechmatics. Empty until the submission was accepted.
	// +optional
	RemoteJob *RemoteJob `json:"remoteJob,omitempty"`

	// notification is the latest notification that counted. The webhook receiver writes it.
	// +optional
	Notification *Notification `json:"notification,omitempty"`

	// document is what the json-v2 transcript tells about the job. The webhook receiver writes it.
	// +optional
	Document *DocumentFacts `json:"document,omitempty"`

	// transcripts are the transcripts that are stored durably. The webhook receiver writes them.
	// +listType=map
	// +listMapKey=format
	// +listMapKey=language
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Transcripts []StoredTranscript `json:"transcripts,omitempty"`

	// startTime is when the job was taken up, just before its first submission; a resumed job gets a new one.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// completionTime is when the job finished, either way.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
}

// ResolvedAccountReference is an account as it was found.
type ResolvedAccountReference struct {
	// kind of the account.
	// +required
	Kind AccountKind `json:"kind,omitempty"`

	// name of the account.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`

	// uid of the account: a namesake created later is another account.
	// +required
	UID types.UID `json:"uid,omitempty"` //nolint:kubeapilinter // controller-gen has no MinLength for types.UID; only the controller writes it.

	// baseURL is the address that the job was submitted to last.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	BaseURL *string `json:"baseURL,omitempty"`

	// keyFingerprint identifies the API key that the job was submitted with last, without revealing it. It tells whether
	// a key that replaced it is known to see the same jobs.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +optional
	KeyFingerprint *string `json:"keyFingerprint,omitempty"`
}

// RemoteState is the state of a job at Speechmatics, in the provider's words. Clients must tolerate values that are not
// listed here.
//
// +kubebuilder:validation:MaxLength=64
type RemoteState string

const (
	// RemoteRunning means queued, being fetched or being processed; the provider does not say which. A transient state.
	RemoteRunning RemoteState = "running"
	// RemoteDone means that the transcripts are ready. A final state until it is deleted or expires.
	RemoteDone RemoteState = "done"
	// RemoteRejected means that it could not be processed; errors say why. A final state until it expires.
	RemoteRejected RemoteState = "rejected"
	// RemoteDeleted means that somebody deleted it. A final state.
	RemoteDeleted RemoteState = "deleted"
	// RemoteExpired means that the provider's retention removed it. A final state.
	RemoteExpired RemoteState = "expired"
)

// RemoteJob is a job at Speechmatics.
type RemoteJob struct {
	// id is the provider's ID of the job.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	ID *string `json:"id,omitempty"`

	// baseURL is where the job lives; its ID means nothing at another address.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	BaseURL *string `json:"baseURL,omitempty"`

	// state is the state at Speechmatics when it was last seen: running, done, rejected, deleted or expired.
	// +optional
	State *RemoteState `json:"state,omitempty"`

	// createdAt is when the provider created the job, by its clock.
	// +optional
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// audioDuration is the length of the media as the provider measured it, in whole seconds ("15s").
	// +optional
	AudioDuration *metav1.Duration `json:"audioDuration,omitempty"`

	// language is the language that is transcribed: the one that was identified if the job's is auto, which is not known
	// before the end.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Language *string `json:"language,omitempty"`

	// errors are the latest messages that the provider attached to the job, shortened, with the queries of URLs removed.
	// A job may be done in spite of them: a notification that could not be delivered is listed here too.
	// +kubebuilder:validation:MaxItems=5
	// +listType=atomic
	// +optional
	Errors []RemoteError `json:"errors,omitempty"`
}

// RemoteError is a message that the provider attached to a job.
type RemoteError struct {
	// time is when it happened, by the provider's clock.
	// +optional
	Time *metav1.Time `json:"time,omitempty"`

	// message is the provider's message.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Message string `json:"message,omitempty"`
}

// NotificationOutcome is the outcome that a notification reports, in the provider's words.
//
// +kubebuilder:validation:MaxLength=32
type NotificationOutcome string

const (
	// OutcomeSuccess means that the job is done.
	OutcomeSuccess NotificationOutcome = "success"
	// OutcomeError means that processing failed.
	OutcomeError NotificationOutcome = "error"
	// OutcomeFetchError means that the media could not be fetched.
	OutcomeFetchError NotificationOutcome = "fetch_error"
	// OutcomeTrimError means that the audio could not be prepared.
	OutcomeTrimError NotificationOutcome = "trim_error"
)

// NotificationSource says who brought a notification.
//
// +kubebuilder:validation:Enum=Callback;Delivery
type NotificationSource string

const (
	// SourceCallback is the provider's own notification.
	SourceCallback NotificationSource = "Callback"
	// SourceDelivery is the controller's delivery of what a notification did not bring.
	SourceDelivery NotificationSource = "Delivery"
)

// Notification is what the webhook receiver was told last.
type Notification struct {
	// jobID is the provider's ID of the job that the notification is about.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +required
	JobID string `json:"jobID,omitempty"`

	// attempt is the attempt that the notification is about.
	// +kubebuilder:validation:Minimum=1
	// +required
	Attempt int32 `json:"attempt,omitempty"`

	// outcome is success, error, fetch_error, trim_error, or a word that only a newer provider knows; that one makes the
	// controller look.
	// +kubebuilder:validation:MinLength=1
	// +required
	Outcome NotificationOutcome `json:"outcome,omitempty"`

	// source says who brought it.
	// +required
	Source NotificationSource `json:"source,omitempty"`

	// receivedAt is when it was received.
	// +required
	ReceivedAt metav1.Time `json:"receivedAt,omitempty,omitzero"`

	// audioDuration is the length of the media, if the notification told it.
	// +optional
	AudioDuration *metav1.Duration `json:"audioDuration,omitempty"`
}

// Encoding is how the bytes of a stored transcript are encoded.
//
// +kubebuilder:validation:Enum=identity;gzip
type Encoding string

const (
	// EncodingIdentity stores the bytes as they are.
	EncodingIdentity Encoding = "identity"
	// EncodingGzip stores the bytes compressed (RFC 1952).
	EncodingGzip Encoding = "gzip"
)

// StoredTranscript is a transcript that is stored durably.
type StoredTranscript struct {
	// format of the transcript.
	// +required
	Format TranscriptFormat `json:"format,omitempty"`

	// language is the language it was translated to; empty for the transcript in the language that was spoken.
	// +kubebuilder:default=""
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Language string `json:"language"`

	// attempt that it belongs to.
	// +kubebuilder:validation:Minimum=1
	// +required
	Attempt int32 `json:"attempt,omitempty"`

	// jobID is the provider's ID of the job that it belongs to.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +required
	JobID string `json:"jobID,omitempty"`

	// configMapRef says which ConfigMap keeps it.
	// +optional
	ConfigMapRef *TranscriptConfigMapReference `json:"configMapRef,omitempty"`

	// persistentVolumeClaim says which file keeps it.
	// +optional
	PersistentVolumeClaim *TranscriptFileReference `json:"persistentVolumeClaim,omitempty"`

	// encoding of the stored bytes: identity, or gzip.
	// +required
	Encoding Encoding `json:"encoding,omitempty"`

	// parts is how many ConfigMaps it is split over; 1 unless it is large.
	// +kubebuilder:validation:Minimum=1
	// +required
	Parts int32 `json:"parts,omitempty"`

	// bytes is the size of the plain transcript in bytes, before it was compressed.
	// +kubebuilder:validation:Minimum=0
	// +required
	Bytes *int64 `json:"bytes,omitempty"`

	// sha256 is the SHA-256 of the plain transcript, in hexadecimal.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{64}$`
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +required
	SHA256 string `json:"sha256,omitempty"`
}

// TranscriptConfigMapReference names the ConfigMap of a transcript.
type TranscriptConfigMapReference struct {
	// name of the ConfigMap; with more than one part, what the parts' names begin with: -00, -01 and so on follow.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name,omitempty"`

	// key of the transcript in the ConfigMap's data, or binaryData if it is compressed.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Key string `json:"key,omitempty"`
}

// TranscriptFileReference names the file of a transcript.
type TranscriptFileReference struct {
	// claimName is the PersistentVolumeClaim, in the webhook receiver's namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	ClaimName string `json:"claimName,omitempty"`

	// path of the file from the root of the volume.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Path string `json:"path,omitempty"`
}
