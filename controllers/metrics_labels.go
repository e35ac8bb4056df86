// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	programmetrics "github.com/transcription-operator/transcription-operator/internal/metrics"
)

// Operations of requests to the provider.
const (
	operationSubmit     = "submit"
	operationGet        = "get"
	operationList       = "list"
	operationTranscript = "transcript"
	operationDelete     = "delete"
	operationReady      = "ready"
)

// codeNone is the code of a request that was not answered.
const codeNone = "none"

// Origins of remote jobs whose object is gone.
const (
	originOwn      = "own"
	originUnproven = "unproven"
)

// Labels of the metrics.
var (
	labelOperation = programmetrics.Label{
		Name: "operation", Meaning: "what was asked for",
		Values: []string{operationSubmit, operationGet, operationList, operationTranscript, operationDelete, operationReady},
	}
	labelCode = programmetrics.Label{
		Name: "code", Meaning: "the HTTP status of the answer, three digits, `200` for every success, `" + codeNone + "` if there was no answer",
	}
	labelTurn = programmetrics.Label{
		Name: "kind", Meaning: "a submission, or any other request",
		Values: []string{turnSubmission, turnRequest},
	}
	labelSource = programmetrics.Label{
		Name: "source", Meaning: "a page of the provider's list, or a request about one job",
		Values: []string{sourceList, sourceGet},
	}
	labelFinalReason = programmetrics.Label{Name: "reason", Meaning: "the reason of the condition Ready, which is the column STATUS", Values: finalReasons}
	labelReason      = programmetrics.Label{
		Name: "reason", Meaning: "the reason of the condition Ready, which is the column STATUS; empty before the job was looked at",
		Values: slices.Concat([]string{""}, openReasons, finalReasons),
	}
	labelState = programmetrics.Label{
		Name:    "state",
		Meaning: "`pending`: not at the provider, as far as is known; `running`: there, or being collected; `stalled`: held until a person acts; `deleting`: waiting for its finalizer",
		Values:  jobStates,
	}
	labelOrigin = programmetrics.Label{
		Name: "origin", Meaning: "whether this cluster is proven to have submitted them",
		Values: []string{originOwn, originUnproven},
	}
	labelAccountKind = programmetrics.Label{
		Name: "account_kind", Meaning: "the account's kind; empty if a job's status does not tell its account any more",
		Values: []string{"", string(v1alpha1.NamespacedAccount), string(v1alpha1.ClusterAccount)},
	}
	labelAccountNamespace = programmetrics.Label{Name: "account_namespace", Meaning: "the account's namespace; empty for a cluster account"}
	labelAccount          = programmetrics.Label{Name: "account", Meaning: "the account's name; one that is deleted goes"}
	labelHeldReason       = programmetrics.Label{Name: "reason", Meaning: "the reason of the condition SubmissionsHeld", Values: heldReasons}
	labelModel            = programmetrics.Label{
		Name: "model", Meaning: "the model or operating point that was asked for: `default` if none was, `other` if `spec.providerConfig` names one that this version does not know",
		Values: []string{modelDefault, string(v1alpha1.ModelStandard), string(v1alpha1.ModelEnhanced), string(v1alpha1.ModelMelia1), modelOther},
	}
	labelJobNamespace = programmetrics.Label{Name: "job_namespace", Meaning: "the job's namespace; empty without `--metrics-job-namespaces`, since there may be many"}
)

// finalReasons are the reasons of Ready of a job that has finished.
var finalReasons = []string{
	v1alpha1.ReasonComplete, v1alpha1.ReasonCompleteWithErrors,
	v1alpha1.ReasonSubmissionRefused, v1alpha1.ReasonInvalidConfiguration, v1alpha1.ReasonTranscriptUnreadable, v1alpha1.ReasonTranscriptNotStored,
	v1alpha1.ReasonRejected, v1alpha1.ReasonMediaFetchFailed, v1alpha1.ReasonRemoteJobLost, v1alpha1.ReasonDeadlineExceeded, v1alpha1.ReasonSubmissionAmbiguous,
}

// heldReasons are those of an account's condition SubmissionsHeld.
var heldReasons = []string{
	v1alpha1.ReasonSubmissionsAccepted, v1alpha1.ReasonSuspended, v1alpha1.ReasonSubmissionsForbidden, v1alpha1.ReasonRateLimited,
	v1alpha1.ReasonKeyRequired, v1alpha1.ReasonKeyRefused, v1alpha1.ReasonSecretNotFound, v1alpha1.ReasonInvalidSecret,
	v1alpha1.ReasonBaseURLNotAllowed, v1alpha1.ReasonInvalidAccount, v1alpha1.ReasonProviderUnavailable,
}

// openReasons are those of a job that has not.
var openReasons = []string{
	v1alpha1.ReasonWaiting, v1alpha1.ReasonSuspended, v1alpha1.ReasonSubmitting, v1alpha1.ReasonSubmissionUnknown, v1alpha1.ReasonRunning,
	v1alpha1.ReasonCollecting, v1alpha1.ReasonRetrying,
	v1alpha1.ReasonAccountNotFound, v1alpha1.ReasonAccountNotReady, v1alpha1.ReasonAccountSuspended, v1alpha1.ReasonAccountNotPermitted,
	v1alpha1.ReasonAccountReplaced, v1alpha1.ReasonMediaNotFound, v1alpha1.ReasonInvalidMedia, v1alpha1.ReasonInvalidNotification,
	v1alpha1.ReasonVolumeNotMounted, v1alpha1.ReasonConfigMapConflict, v1alpha1.ReasonTranscriptTooLarge, v1alpha1.ReasonSubmissionForbidden,
	v1alpha1.ReasonStoreForbidden, v1alpha1.ReasonStoreUnavailable, v1alpha1.ReasonProviderUnavailable, v1alpha1.ReasonUnexpectedAnswer,
	v1alpha1.ReasonCleanUpDelayed, v1alpha1.ReasonClaimedByAnotherObject, v1alpha1.ReasonInvalidClaim,
}
