// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package isolation has tests that attack: as somebody who may create TranscriptionJobs in one namespace and nothing else, as somebody on
// the internet, and as a provider that lies. The programs are the released ones, as processes, and the API server is a real one, with the
// roles that are installed. What each of them is to prevent is in docs/threat-model.md.
package isolation
