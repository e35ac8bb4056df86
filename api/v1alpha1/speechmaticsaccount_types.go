// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// SpeechmaticsAccount is how jobs of its namespace reach Speechmatics: the region, the key and the limits.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=sma,categories=transcription
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Backend",type=string,JSONPath=`.spec.backend`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Running",type=integer,JSONPath=`.status.runningJobs`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waitingJobs`
// +kubebuilder:printcolumn:name="Held",type=string,JSONPath=`.status.conditions[?(@.type=="SubmissionsHeld")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Base-URL",type=string,priority=1,JSONPath=`.status.baseURL`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type SpeechmaticsAccount struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is how Speechmatics is reached. The API key's Secret is in the account's namespace.
	// +required
	Spec SpeechmaticsAccountSpec `json:"spec,omitzero"`

	// status is what the operator has seen of the account.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status SpeechmaticsAccountStatus `json:"status,omitempty,omitzero"`
}

// SpeechmaticsAccountList is a list of SpeechmaticsAccounts.
//
// +kubebuilder:object:root=true
type SpeechmaticsAccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SpeechmaticsAccount `json:"items"`
}

// ClusterSpeechmaticsAccount is how jobs of several namespaces reach Speechmatics. The API key's Secret is in the
// manager's namespace, so that the namespaces that use the account never see it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=csma,categories=transcription
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Backend",type=string,JSONPath=`.spec.backend`
// +kubebuilder:printcolumn:name="Region",type=string,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Running",type=integer,JSONPath=`.status.runningJobs`
// +kubebuilder:printcolumn:name="Waiting",type=integer,JSONPath=`.status.waitingJobs`
// +kubebuilder:printcolumn:name="Held",type=string,JSONPath=`.status.conditions[?(@.type=="SubmissionsHeld")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Base-URL",type=string,priority=1,JSONPath=`.status.baseURL`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type ClusterSpeechmaticsAccount struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard object metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty,omitzero"`

	// spec is how Speechmatics is reached, and by whom.
	// +required
	Spec ClusterSpeechmaticsAccountSpec `json:"spec,omitzero"`

	// status is what the operator has seen of the account.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status SpeechmaticsAccountStatus `json:"status,omitempty,omitzero"`
}

// ClusterSpeechmaticsAccountList is a list of ClusterSpeechmaticsAccounts.
//
// +kubebuilder:object:root=true
type ClusterSpeechmaticsAccountList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterSpeechmaticsAccount `json:"items"`
}

// ClusterSpeechmaticsAccountSpec is the desired state of a ClusterSpeechmaticsAccount.
type ClusterSpeechmaticsAccountSpec struct {
	SpeechmaticsAccountSpec `json:",inline"`

	// namespaceSelector selects the namespaces whose jobs may use the account, by their labels. Unset selects none; an
	// empty selector ({}) selects none either, so that nobody opens an account to all by leaving something out. To
	// select every namespace, ask for a label that all have: kubernetes.io/metadata.name with the operator Exists.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
}

// SpeechmaticsAccountSpec is how Speechmatics is reached.
//
// +kubebuilder:validation:XValidation:rule="!has(self.region) || !has(self.backend) || self.backend == 'saas'",fieldPath=".region",message="region is for the backend saas: an installation on premises has a baseURL"
// +kubebuilder:validation:XValidation:rule="has(self.apiKeySecretRef) || (has(self.backend) && self.backend != 'saas')",fieldPath=".apiKeySecretRef",message="apiKeySecretRef is required for the backend saas"
// +kubebuilder:validation:XValidation:rule="!(has(self.insecureSkipTLSVerify) && self.insecureSkipTLSVerify) || (has(self.baseURL) && has(self.backend) && self.backend != 'saas')",fieldPath=".insecureSkipTLSVerify",message="insecureSkipTLSVerify is for an installation on premises: it needs a baseURL and a backend other than saas"
// +kubebuilder:validation:XValidation:rule="!(has(self.insecureSkipTLSVerify) && self.insecureSkipTLSVerify && has(self.caBundle))",fieldPath=".insecureSkipTLSVerify",message="set caBundle or insecureSkipTLSVerify, not both: with the certificates of caBundle the connection is verified"
// +kubebuilder:validation:XValidation:rule="!has(self.orphanPolicy) || self.orphanPolicy != 'Delete' || !has(self.backend) || self.backend == 'saas'",fieldPath=".orphanPolicy",message="orphanPolicy Delete is for the backend saas: installations on premises do not tell whose a job is"
// +kubebuilder:validation:XValidation:rule="has(self.region) != has(self.baseURL)",message="set exactly one of region and baseURL"
type SpeechmaticsAccountSpec struct {
	// region is the provider's region. A key belongs to one region: with another one it is refused.
	// +optional
	Region *Region `json:"region,omitempty"`

	// baseURL is the API's address including the version, for example "https://speech.example.com/v2", instead of a
	// region: a gateway, or an installation on premises. A SpeechmaticsAccount may only use addresses that the manager's
	// flag --allowed-base-urls lists; a ClusterSpeechmaticsAccount may use any.
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != '' && !self.contains('@') && !self.contains('?') && !self.contains('#')",message="baseURL must be an absolute http or https URL without user name, query and fragment"
	// +optional
	BaseURL *string `json:"baseURL,omitempty"`

	// backend says which of the provider's products answers, which decides what can be asked of it: "saas" is
	// Speechmatics' own service, "appliance" the virtual appliance, "worker" the batch container's HTTP mode.
	// +kubebuilder:default=saas
	// +optional
	Backend Backend `json:"backend,omitempty"`

	// apiKeySecretRef names the Secret and key that hold the API key: for a SpeechmaticsAccount in its own namespace, for
	// a ClusterSpeechmaticsAccount in the manager's. A new key is picked up within five minutes, or within seconds when the
	// old one is refused. Required for the backend saas; an installation on premises may do without a key.
	// +optional
	APIKeySecretRef *APIKeySecretReference `json:"apiKeySecretRef,omitempty"`

	// caBundle holds PEM certificates that the server's certificate is checked against, instead of the system's: for
	// installations with a certificate of their own. At most 128 KiB.
	// +kubebuilder:validation:XValidation:rule="self.size() <= 131072",message="caBundle is larger than 128 KiB"
	// +optional
	CABundle []byte `json:"caBundle,omitempty"` //nolint:kubeapilinter // controller-gen has no MaxLength for bytes; the rule above bounds them.

	// insecureSkipTLSVerify accepts any certificate of an installation on premises: whoever sits on the way can
	// read the key and the media. Prefer caBundle.
	// +optional
	InsecureSkipTLSVerify *bool `json:"insecureSkipTLSVerify,omitempty"`

	// limits keep the account's use within bounds. Accounts that share a host and key share them: the lowest wins. An account
	// without a key has its own.
	// +optional
	Limits *AccountLimits `json:"limits,omitempty"`

	// pollInterval is how often a running job is looked at where no notification is expected, for example "30s"; where
	// one is, far less often. Between one second and one hour. Unset means the manager's --poll-interval.
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="pollInterval must be between 1s and 1h"
	// +optional
	PollInterval *metav1.Duration `json:"pollInterval,omitempty"`

	// callbackURL is the public address of the webhook receiver that the provider notifies, for example
	// "https://transcripts.example.com". Unset means the manager's --callback-url; if there is none either, no
	// notification is asked for and the jobs are polled. An empty value ("") switches notifications off for this account.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self == '' || (isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != '' && !self.contains('@') && !self.contains('?') && !self.contains('#'))",message="callbackURL must be an absolute http or https URL without user name, query and fragment, or empty"
	// +optional
	CallbackURL *string `json:"callbackURL,omitempty"`

	// suspend stops submissions. Jobs that are already at Speechmatics are followed to their end.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// orphanPolicy says what becomes of orphans: jobs at Speechmatics that were submitted with this account, and whose
	// TranscriptionJob is gone without having cleaned up, as after its finalizer was removed by force. "Report" counts them in
	// status.orphanedJobs and tells about them by an event. "Delete" also deletes those that still run. A finished one is never
	// deleted, since it may be the only copy of its transcript, nor is any job that may be another cluster's. "Delete" is for the
	// backend saas: the others do not tell whose a job is, and no orphans are searched for there.
	// +kubebuilder:default=Report
	// +optional
	OrphanPolicy OrphanPolicy `json:"orphanPolicy,omitempty"`
}

// OrphanPolicy says what becomes of jobs at Speechmatics whose TranscriptionJob is gone.
//
// +kubebuilder:validation:Enum=Report;Delete
type OrphanPolicy string

const (
	// OrphanReport counts them and tells about them.
	OrphanReport OrphanPolicy = "Report"
	// OrphanDelete deletes those that still run as well.
	OrphanDelete OrphanPolicy = "Delete"
)

// Region is a region of Speechmatics' service.
//
// +kubebuilder:validation:Enum=eu1;eu2;us1;us2;au1
type Region string

// Backend is a product that speaks the batch API.
//
// +kubebuilder:validation:Enum=saas;appliance;worker
type Backend string

const (
	// BackendSaaS is Speechmatics' own service.
	BackendSaaS Backend = "saas"
	// BackendAppliance is the virtual appliance.
	BackendAppliance Backend = "appliance"
	// BackendWorker is the batch container in its HTTP mode.
	BackendWorker Backend = "worker"
)

// APIKeySecretReference names the key of a Secret that holds an API key.
type APIKeySecretReference struct {
	// name of the Secret.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	// +required
	Name string `json:"name,omitempty"`

	// key in the Secret's data.
	// +kubebuilder:default=apiKey
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[-._a-zA-Z0-9]+$`
	// +optional
	Key string `json:"key,omitempty"`
}

// AccountLimits keep an account's use within bounds.
type AccountLimits struct {
	// runningJobs is how many jobs may be at Speechmatics at a time. The provider's own limit is 20000.
	// +kubebuilder:default=20000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	RunningJobs *int32 `json:"runningJobs,omitempty"`

	// submissionsPerSecond is how many jobs are submitted a second. The provider's own limit is 10.
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	SubmissionsPerSecond *int32 `json:"submissionsPerSecond,omitempty"`

	// requestsPerSecond is how many other requests are sent a second. The provider's own limit is 50.
	// +kubebuilder:default=50
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	RequestsPerSecond *int32 `json:"requestsPerSecond,omitempty"`
}

// SpeechmaticsAccountStatus is the observed state of an account.
type SpeechmaticsAccountStatus struct {
	// observedGeneration is the metadata.generation that this status was computed from; -1 before the first time.
	// +optional
	ObservedGeneration *int64 `json:"observedGeneration,omitempty"`

	// conditions tell the state: Ready says whether the key was tried and accepted, Stalled that a person has to act,
	// SubmissionsHeld that no jobs are submitted now, and why.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// baseURL is the address that is used.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	BaseURL *string `json:"baseURL,omitempty"`

	// lastCheckedTime is when the key was tried last.
	// +optional
	LastCheckedTime *metav1.Time `json:"lastCheckedTime,omitempty"`

	// runningJobs is how many of the account's jobs are at Speechmatics, counted every half minute.
	// +kubebuilder:validation:Minimum=0
	// +optional
	RunningJobs *int32 `json:"runningJobs,omitempty"`

	// waitingJobs is how many of the account's jobs are still to be submitted, counted every half minute.
	// +kubebuilder:validation:Minimum=0
	// +optional
	WaitingJobs *int32 `json:"waitingJobs,omitempty"`

	// orphanedJobs is how many jobs at Speechmatics this account has submitted whose TranscriptionJob is gone: running or
	// finished, and not left there on purpose by remoteDeletionPolicy Never. They are searched for every hour. Unset before the
	// first search, and for backends that do not tell whose a job is.
	// +kubebuilder:validation:Minimum=0
	// +optional
	OrphanedJobs *int32 `json:"orphanedJobs,omitempty"`

	// orphanSearch is what the search for orphaned jobs has found, and what it recognises them by.
	// +optional
	OrphanSearch *OrphanSearch `json:"orphanSearch,omitempty"`
}

// OrphanSearch is what the search for orphaned jobs has found, and what it recognises them by.
type OrphanSearch struct {
	// lastTime is when the last search ended.
	// +optional
	LastTime *metav1.Time `json:"lastTime,omitempty"`

	// jobIDs are the provider's IDs of the first few orphaned jobs.
	// +kubebuilder:validation:MaxItems=10
	// +kubebuilder:validation:items:MaxLength=256
	// +listType=atomic
	// +optional
	JobIDs []string `json:"jobIDs,omitempty"`

	// unprovenJobs is how many more jobs look like orphaned ones, but cannot be proven to be this account's: another cluster's
	// that has the same key, an earlier account's, or jobs of the minutes before the manager was restarted. Nobody touches them.
	// +kubebuilder:validation:Minimum=0
	// +optional
	UnprovenJobs *int32 `json:"unprovenJobs,omitempty"`

	// sparedBefore is the time before which nothing was submitted that orphanPolicy Delete may delete, because a job of before was
	// left to run on purpose: its remoteDeletionPolicy was changed to Never after it was submitted.
	// +optional
	SparedBefore *metav1.Time `json:"sparedBefore,omitempty"`

	// submitters are the latest runs of the manager that have submitted jobs with this account, the newest first. A job at
	// Speechmatics is known by one of them to be this account's.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=id
	// +optional
	Submitters []Submitter `json:"submitters,omitempty"`
}

// Submitter is a run of the manager.
type Submitter struct {
	// id of the run: random, in hexadecimal.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{32}$`
	// +kubebuilder:validation:MinLength=32
	// +kubebuilder:validation:MaxLength=32
	// +required
	ID string `json:"id,omitempty"`

	// lastTime is when the run last wrote this. What it has claimed since is not known to be this cluster's: a copy of
	// the cluster from a backup has this entry, too.
	// +required
	LastTime metav1.Time `json:"lastTime,omitempty,omitzero"`
}

// Account is what the two kinds of account have in common.
//
// +kubebuilder:object:generate=false
type Account interface {
	metav1.Object
	runtime.Object

	// AccountKind is the kind, which an object read from the API server does not carry.
	AccountKind() AccountKind
	// AccountSpec is the part of the spec that both kinds have.
	AccountSpec() *SpeechmaticsAccountSpec
	// AccountStatus is the status.
	AccountStatus() *SpeechmaticsAccountStatus
}

var (
	_ Account = &SpeechmaticsAccount{}
	_ Account = &ClusterSpeechmaticsAccount{}
)

// AccountKind implements Account.
func (a *SpeechmaticsAccount) AccountKind() AccountKind { return NamespacedAccount }

// AccountSpec implements Account.
func (a *SpeechmaticsAccount) AccountSpec() *SpeechmaticsAccountSpec { return &a.Spec }

// AccountStatus implements Account.
func (a *SpeechmaticsAccount) AccountStatus() *SpeechmaticsAccountStatus { return &a.Status }

// AccountKind implements Account.
func (a *ClusterSpeechmaticsAccount) AccountKind() AccountKind { return ClusterAccount }

// AccountSpec implements Account.
func (a *ClusterSpeechmaticsAccount) AccountSpec() *SpeechmaticsAccountSpec {
	return &a.Spec.SpeechmaticsAccountSpec
}

// AccountStatus implements Account.
func (a *ClusterSpeechmaticsAccount) AccountStatus() *SpeechmaticsAccountStatus { return &a.Status }

// ResolvedReference is the reference to an account that jobs keep in their status.
func ResolvedReference(a Account) ResolvedAccountReference {
	return ResolvedAccountReference{Kind: a.AccountKind(), Name: a.GetName(), UID: a.GetUID()}
}
