// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"net/http"
	"testing"
	"time"
)

// TestRememberTranscripts has jobs that were done be deleted, or expire: the API tells their transcripts no more, and the admin endpoint
// tells what the API did. Of a job that was never done, and without the option, it tells nothing.
func TestRememberTranscripts(t *testing.T) {
	t.Parallel()
	for name, remember := range map[string]bool{"with the option": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, Options{Speed: 1e6, RememberTranscripts: remember, Transcripts: textOf("a", "Nobody forgets me.\n")})
			deleted, expired, rejected := a.submit(plainConfig, "a.wav", wav(time.Second)), a.submit(plainConfig, "a.wav", wav(time.Second)), a.submit(plainConfig, "a.wav", []byte("no sound"))
			served := map[string]answer{}
			for _, format := range []string{"txt", "srt", "json-v2"} {
				for _, id := range []string{deleted, expired} {
					a.finished(id)
					served[id+format] = a.get("/v2/jobs/" + id + "/transcript?format=" + format)
				}
			}
			a.finished(rejected)
			a.do(http.MethodDelete, "/v2/jobs/"+deleted, nil)
			a.do(http.MethodDelete, "/v2/jobs/"+rejected, nil)
			a.do(http.MethodPost, "/admin/jobs/"+expired+"/expire", nil)
			for _, format := range []string{"txt", "srt", "json-v2"} {
				for _, id := range []string{deleted, expired} {
					if got := a.get("/v2/jobs/" + id + "/transcript?format=" + format); got.status == http.StatusOK {
						t.Errorf("the API tells the transcript of a job that is gone: %s", got.body)
					}
					got := a.get("/admin/jobs/" + id + "/transcript?format=" + format)
					switch want := served[id+format]; {
					case !remember && got.status != http.StatusNotFound:
						t.Errorf("without the option, %d: %s", got.status, got.body)
					case remember && (got.status != http.StatusOK || got.body != want.body):
						t.Errorf("%d, and of %s\n%s\nwant\n%s", got.status, format, got.body, want.body)
					}
				}
			}
			for _, path := range []string{rejected + "/transcript", "unknown/transcript"} {
				if got := a.get("/admin/jobs/" + path); got.status != http.StatusNotFound {
					t.Errorf("%s: %d: %s", path, got.status, got.body)
				}
			}
			if got := a.get("/admin/jobs/" + deleted + "/transcript?format=pdf"); got.status != http.StatusBadRequest {
				t.Errorf("an unknown format: %d: %s", got.status, got.body)
			}
		})
	}
}
