// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxJobIDLength bounds the provider's ID of a job, in bytes. v1alpha1's fields have the same bound in characters.
const MaxJobIDLength = 256

// ValidJobID says whether s can be the provider's ID of a job. IDs are opaque: ten alphanumerics from the hosted service, UUIDs and
// small integers from appliances, hexadecimal digits from the HTTP batch worker, and nothing is promised. So whatever the client
// of the batch API accepts is an ID here, too: a job whose ID is recorded but cannot be delivered would never end. That is any
// text of at most MaxJobIDLength bytes without control characters that is one segment of a path; still, IDs never become part
// of a path or a name here.
func ValidJobID(s string) bool {
	return s != "" && len(s) <= MaxJobIDLength && s != "." && s != ".." && !strings.ContainsAny(s, `/\`) &&
		utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
