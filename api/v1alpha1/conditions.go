// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// Types of the conditions of a TranscriptionJob. All of them are present once the job has been taken up. An account has
// ConditionReady, ConditionStalled and ConditionSubmissionsHeld.
const (
	// ConditionReady is True when the job is complete. While it is False, its reason says what the job is doing or
	// waiting for; this is the STATUS column.
	ConditionReady = "Ready"
	// ConditionComplete is True when every transcript that was asked for is stored durably. Final.
	ConditionComplete = "Complete"
	// ConditionFailed is True when the job has failed for good; its reason and message say why. Final.
	ConditionFailed = "Failed"
	// ConditionFinished is True as soon as the job is complete or failed, so that one `kubectl wait
	// --for=condition=Finished` serves either way. Final.
	ConditionFinished = "Finished"
	// ConditionSuspended is True while spec.suspend keeps the job from being submitted.
	ConditionSuspended = "Suspended"
	// ConditionFeaturesFailed is True when something that was asked for beside the plain transcript is missing, a summary
	// or a translation for example, although the job is done. Its message names each. It is Unknown, with the reason of Ready,
	// until a transcript tells.
	ConditionFeaturesFailed = "FeaturesFailed"
	// ConditionTranscriptAtRisk is True when a transcript that was paid for may soon be lost: it is at the provider only, and
	// the provider's retention is running out, or it has none. Its message says until when and what to do. It is False again as
	// soon as the transcripts are stored, or the job has finished some other way.
	ConditionTranscriptAtRisk = "TranscriptAtRisk"
	// ConditionStalled is True when nothing will happen until a person acts: the job has failed, or it is held. It is the
	// condition that kstatus reads as failed.
	ConditionStalled = "Stalled"
)

// Types of the conditions that only an account has.
const (
	// ConditionSubmissionsHeld is True while no jobs are submitted with the account: it is suspended, its key is refused, or
	// the provider refuses one submission after the other. Jobs that were submitted before are followed to their end as long as
	// the key is accepted.
	ConditionSubmissionsHeld = "SubmissionsHeld"
)

// Reasons of a job that goes its ordinary way.
const (
	// ReasonWaiting means that the job waits for its turn within the account's limits, or until the account has been tried.
	ReasonWaiting = "Waiting"
	// ReasonSuspended means that spec.suspend is set.
	ReasonSuspended = "Suspended"
	// ReasonSubmitting means that the job is being handed to the provider.
	ReasonSubmitting = "Submitting"
	// ReasonSubmissionUnknown means that the submission's answer did not arrive, so that the job may or may not be at the
	// provider. The controller looks for it there before it does anything else.
	ReasonSubmissionUnknown = "SubmissionUnknown"
	// ReasonRunning means that the provider works on the job.
	ReasonRunning = "Running"
	// ReasonCollecting means that the provider is done, and the transcripts are being fetched and stored.
	ReasonCollecting = "Collecting"
	// ReasonRetrying means that an attempt failed for a reason that may pass, and another one follows.
	ReasonRetrying = "Retrying"
	// ReasonComplete means that every transcript is stored.
	ReasonComplete = "Complete"
	// ReasonCompleteWithErrors means that every transcript is stored, and that the condition FeaturesFailed is True.
	ReasonCompleteWithErrors = "CompleteWithErrors"
)

// Reasons of a job that waits for something to be put right. It goes on by itself once that is done.
const (
	// ReasonAccountNotFound means that there is no such account.
	ReasonAccountNotFound = "AccountNotFound"
	// ReasonAccountNotReady means that the account's condition Ready is not True; it says why.
	ReasonAccountNotReady = "AccountNotReady"
	// ReasonAccountSuspended means that the account's spec.suspend is set.
	ReasonAccountSuspended = "AccountSuspended"
	// ReasonAccountNotPermitted means that the cluster account does not select the job's namespace, or that this
	// installation uses no cluster accounts.
	ReasonAccountNotPermitted = "AccountNotPermitted"
	// ReasonAccountReplaced means that the account that the job was given to is gone, and a namesake is in its place.
	ReasonAccountReplaced = "AccountReplaced"
	// ReasonMediaNotFound means that the ConfigMap, Secret or key of spec.media does not exist.
	ReasonMediaNotFound = "MediaNotFound"
	// ReasonInvalidMedia means that what spec.media names cannot be used: an empty file, a Secret of the wrong type, a
	// Secret that holds no URL.
	ReasonInvalidMedia = "InvalidMedia"
	// ReasonInvalidNotification means that what an entry of spec.notifications names cannot be used: a Secret or key that
	// does not exist, a Secret of the wrong type, a value that is no URL or holds no HTTP headers.
	ReasonInvalidNotification = "InvalidNotification"
	// ReasonVolumeNotMounted means that the webhook receiver does not mount the PersistentVolumeClaim.
	ReasonVolumeNotMounted = "VolumeNotMounted"
	// ReasonConfigMapConflict means that a ConfigMap of the transcript's name belongs to someone else.
	ReasonConfigMapConflict = "ConfigMapConflict"
	// ReasonTranscriptTooLarge means that the transcripts do not fit into ConfigMaps. They are still at the provider.
	ReasonTranscriptTooLarge = "TranscriptTooLarge"
	// ReasonSubmissionForbidden means that the provider refuses the job although it accepts the key: the contract does not
	// cover an option, or its credit is used up. It is tried again every few minutes.
	ReasonSubmissionForbidden = "SubmissionForbidden"
	// ReasonStoreForbidden means that the API server does not let the transcripts be stored: a quota, an admission policy.
	ReasonStoreForbidden = "StoreForbidden"
	// ReasonStoreUnavailable means that the webhook receiver cannot be reached, or cannot store anything right now.
	ReasonStoreUnavailable = "StoreUnavailable"
	// ReasonProviderUnavailable means that the provider cannot be reached or answers with errors.
	ReasonProviderUnavailable = "ProviderUnavailable"
	// ReasonUnexpectedAnswer means that the provider's answer is about another job, or says something that this version
	// does not know. Nothing is done on its account.
	ReasonUnexpectedAnswer = "UnexpectedAnswer"
	// ReasonCleanUpDelayed means that the object is being deleted, and is still there because what it has at the provider could
	// not be deleted yet, or because it is not known what that is.
	ReasonCleanUpDelayed = "CleanUpDelayed"
	// ReasonClaimedByAnotherObject means that the job's claim annotation belongs to another object: the job was restored
	// from a backup, or its manifest copied from another one. It is held, since the transcription may have been paid for
	// already, until a person removes the annotation transcription-operator.io/claim.
	ReasonClaimedByAnotherObject = "ClaimedByAnotherObject"
	// ReasonInvalidClaim means that the job's claim annotation cannot be read. It is held like one that is claimed by
	// another object.
	ReasonInvalidClaim = "InvalidClaim"
)

// Reasons of a job that has failed. They are final.
const (
	// ReasonSubmissionRefused means that the provider refused the submission: the configuration is invalid, the account
	// has no right to an option, the file is too large.
	ReasonSubmissionRefused = "SubmissionRefused"
	// ReasonInvalidConfiguration means that the job's configuration cannot work; nothing was submitted. What the schema can
	// check is refused when the job is created.
	ReasonInvalidConfiguration = "InvalidConfiguration"
	// ReasonTranscriptUnreadable means that the provider's json-v2 document cannot be read, and was asked for, or a rendering
	// of it. The document is stored as it came, and is not deleted at the provider after it.
	ReasonTranscriptUnreadable = "TranscriptUnreadable"
	// ReasonTranscriptNotStored means that the webhook receiver took the transcripts several times, and did not store all that
	// was asked for: it is of an older version than the manager.
	ReasonTranscriptNotStored = "TranscriptNotStored"
	// ReasonRejected means that the provider accepted the job and could not process it.
	ReasonRejected = "Rejected"
	// ReasonMediaFetchFailed means that the provider could not fetch the media's URL.
	ReasonMediaFetchFailed = "MediaFetchFailed"
	// ReasonRemoteJobLost means that the job is gone at the provider: deleted, expired or forgotten before its
	// transcripts were stored.
	ReasonRemoteJobLost = "RemoteJobLost"
	// ReasonDeadlineExceeded means that spec.activeDeadlineSeconds passed.
	ReasonDeadlineExceeded = "DeadlineExceeded"
	// ReasonSubmissionAmbiguous means that nobody can tell any more whether a submission arrived, and that
	// spec.ambiguousSubmissionPolicy is Fail.
	ReasonSubmissionAmbiguous = "SubmissionAmbiguous"
)

// Reasons of the condition FeaturesFailed.
const (
	// ReasonNoFeatureErrors means that no feature has failed.
	ReasonNoFeatureErrors = "NoFeatureErrors"
	// ReasonTranslationFailed means that a translation is missing.
	ReasonTranslationFailed = "TranslationFailed"
	// ReasonSummarizationFailed means that the summary is missing.
	ReasonSummarizationFailed = "SummarizationFailed"
	// ReasonSentimentAnalysisFailed means that the sentiments are missing.
	ReasonSentimentAnalysisFailed = "SentimentAnalysisFailed"
	// ReasonTopicDetectionFailed means that the topics are missing.
	ReasonTopicDetectionFailed = "TopicDetectionFailed"
	// ReasonAutoChaptersFailed means that the chapters are missing.
	ReasonAutoChaptersFailed = "AutoChaptersFailed"
	// ReasonAudioEventsFailed means that the audio events are missing.
	ReasonAudioEventsFailed = "AudioEventsFailed"
	// ReasonLanguageIdentificationFailed means that the language could not be identified with certainty.
	ReasonLanguageIdentificationFailed = "LanguageIdentificationFailed"
	// ReasonSeveralFeaturesFailed means that more than one feature failed.
	ReasonSeveralFeaturesFailed = "SeveralFeaturesFailed"
)

// Reasons of the condition TranscriptAtRisk while it is True.
const (
	// ReasonRetentionEnding means that the last quarter of the provider's retention has begun.
	ReasonRetentionEnding = "RetentionEnding"
	// ReasonNotRetained means that the backend promises to keep the job for no time at all: the HTTP batch worker forgets it when
	// it is restarted.
	ReasonNotRetained = "NotRetained"
)

// Reasons of an account.
const (
	// ReasonKeyAccepted means that the provider accepted the key.
	ReasonKeyAccepted = "KeyAccepted"
	// ReasonReachable means that an installation on premises answers, and that there is no key to be tried.
	ReasonReachable = "Reachable"
	// ReasonKeyRequired means that the account has no key, and that one is asked for.
	ReasonKeyRequired = "KeyRequired"
	// ReasonKeyRefused means that the provider refused the key: it is wrong, revoked, or belongs to another region.
	ReasonKeyRefused = "KeyRefused"
	// ReasonSecretNotFound means that the Secret or its key does not exist.
	ReasonSecretNotFound = "SecretNotFound"
	// ReasonInvalidSecret means that the Secret's value cannot be an API key.
	ReasonInvalidSecret = "InvalidSecret"
	// ReasonBaseURLNotAllowed means that a SpeechmaticsAccount names an address that the administrator does not allow.
	ReasonBaseURLNotAllowed = "BaseURLNotAllowed"
	// ReasonInvalidAccount means that the account's spec cannot be used, for example because of a broken certificate.
	ReasonInvalidAccount = "InvalidAccount"
)

// Reasons of an account's condition SubmissionsHeld, besides ReasonSuspended and, while the account is not ready, that of its
// condition Ready.
const (
	// ReasonSubmissionsAccepted means that jobs are submitted.
	ReasonSubmissionsAccepted = "SubmissionsAccepted"
	// ReasonSubmissionsForbidden means that the provider has refused several jobs in a row with 402 or 403: the credit is used
	// up, or the contract covers none of them. One job is tried now and then until one is accepted.
	ReasonSubmissionsForbidden = "SubmissionsForbidden"
	// ReasonRateLimited means that the provider has refused several submissions in a row with 429: others use the same key,
	// or too many jobs are running. One job is tried now and then until one is accepted.
	ReasonRateLimited = "RateLimited"
)

// Names in the metadata of objects.
const (
	// RemoteJobFinalizer keeps a job until its remote job is taken care of.
	RemoteJobFinalizer = "transcription-operator.io/remote-job"
	// MediaSecretType is the type that a Secret must have for jobs to use it. Without it, whoever may create jobs could
	// send any Secret of the namespace to an address of his choice.
	MediaSecretType = "transcription-operator.io/media"
	// DefaultAccountName is the name of the account that is used if a job names none.
	DefaultAccountName = "default"
)

// Field managers of the status of TranscriptionJobs and accounts. Each owns its own fields.
const (
	// FieldManagerController owns the conditions and whatever is not the other two's.
	FieldManagerController = "controller"
	// FieldManagerSubmission owns attempt, remoteJob.id and remoteJob.baseURL. It records submissions and does nothing
	// else, so that no other apply can take back what was paid for. With the record it says that the job runs, in conditions and
	// remoteJob, which are the controller's from its next apply on.
	FieldManagerSubmission = "submission"
	// FieldManagerWebhookReceiver owns notification, document and transcripts.
	FieldManagerWebhookReceiver = "webhook-receiver"
	// FieldManagerOrphanSearch owns an account's orphanedJobs and orphanSearch.
	FieldManagerOrphanSearch = "orphan-search"
)
