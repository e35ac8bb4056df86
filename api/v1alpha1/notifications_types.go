// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// NotificationSpec is an address of the user's own that the provider notifies when the job has ended: an entry of the
// provider's notification_config. The operator's own notification is another one, and comes first.
//
// +kubebuilder:validation:XValidation:rule="has(self.url) != has(self.urlFrom)",message="set exactly one of url and urlFrom"
type NotificationSpec struct {
	// url is the http or https address that Speechmatics calls; it adds the query parameters id and status. Whoever may
	// read the job sees it: an address that is itself a secret (signed, or with a token) belongs in urlFrom.
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="url must be an absolute http or https URL"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[a-z]+://[^/]*@')",message="url must not hold a user name or password; use authHeadersFrom or urlFrom"
	// +optional
	URL *string `json:"url,omitempty"`

	// urlFrom takes the address from a Secret of the type transcription-operator.io/media.
	// +optional
	URLFrom *SecretSource `json:"urlFrom,omitempty"`

	// contents lists what the call carries. One item is sent as the body itself, several as the parts of a multipart body;
	// an empty list ([]) sends no body. Unset means the provider's default: a multipart body with the json-v2 transcript as
	// the file data_file.
	// At most 16.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	Contents []NotificationContent `json:"contents,omitzero"`

	// method is the HTTP method: "post" or "put". Unset means the provider's default, post.
	// +optional
	Method *NotificationMethod `json:"method,omitempty"`

	// authHeadersFrom takes HTTP headers, one "Name: value" a line, from a Secret of the type
	// transcription-operator.io/media. Speechmatics sends them with the call. (The provider's auth_headers.)
	// +optional
	AuthHeadersFrom *SecretSource `json:"authHeadersFrom,omitempty"`
}

// NotificationContent is something that a notification carries: facts about the job ("jobinfo"), the transcript
// ("transcript" and "transcript.json-v2", "transcript.txt", "transcript.srt"), the media ("data"), or the text of a job of
// another type ("text").
//
// +kubebuilder:validation:Enum=jobinfo;transcript;transcript.json-v2;transcript.txt;transcript.srt;data;text
type NotificationContent string

// NotificationMethod is an HTTP method as the provider writes it.
//
// +kubebuilder:validation:Enum=post;put
type NotificationMethod string

// ProcessingSpec tells an installation on premises how to process the job (the header X-SM-Processing-Data).
type ProcessingSpec struct {
	// parallelEngines is how many engines work on the job at a time. Unset leaves it to the installation. (The provider's
	// parallel_engines.)
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1024
	// +optional
	ParallelEngines *int32 `json:"parallelEngines,omitempty"`

	// userID is the user ID of the job; the provider says no more of it. (The provider's user_id.)
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +optional
	UserID *string `json:"userID,omitempty"`
}
