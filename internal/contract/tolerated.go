// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract

// undeclaredQuery are parameters of any operation's query that the specification does not list, with the reason why they may be sent.
var undeclaredQuery = map[string]string{
	"sm-sdk": "docs: the name and version of the library; the official ones send it with every request",
	"sm-app": "docs: attributes usage to an application",
}

// outside are paths that the specification is not about, with the reason why they may be asked for.
var outside = map[string]string{
	"/v1/discovery/features": "docs (discovery): what a contract includes; its document has no specification",
	"/v1/api_keys":           "docs (authentication): temporary keys, of another service with its own specification",
	"/healthz":               "the simulator's own",
	"/admin/":                "the simulator's own",
}

// tolerance is an answer that the specification does not have and that is given all the same.
type tolerance struct {
	operation string // empty: any
	status    int
	mediaType string // of the body; empty: any
	reason    string
}

// toleratedAnswers are all of them. Each has to be seen by the contract test, or it goes.
var toleratedAnswers = []tolerance{
	{status: 401, mediaType: "text/html", reason: "docs (troubleshooting): it can come from the servers before the API, as a page"},
	{status: 413, mediaType: "text/html", reason: "no status is documented for uploads of 1 GB and more, and a proxy's is this one"},
	{status: 502, reason: "not the API's, and normal for what stands in front of it"},
	{status: 504, reason: "likewise"},
	{status: 503, reason: "docs (troubleshooting): may be tried again at once"},
}

// toleratedFor returns the entry that an answer is tolerated by.
func toleratedFor(operation string, status int, mediaType string) *tolerance {
	for i := range toleratedAnswers {
		t := &toleratedAnswers[i]
		if (t.operation == "" || t.operation == operation) && t.status == status && (t.mediaType == "" || t.mediaType == mediaType) {
			return t
		}
	}
	return nil
}
