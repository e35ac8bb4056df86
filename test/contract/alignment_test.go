// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const spokenText = "Good morning,\nthis is the stand-up.\n"

// alignments aligns a text with media, both uploaded or both fetched, and tells of it in all ways there are.
func alignments(s *service) {
	url, statuses := s.callbacks()
	config := speechmatics.JobConfig{
		Type: speechmatics.JobAlignment, AlignmentConfig: &speechmatics.AlignmentConfig{Language: "en"},
		NotificationConfig: []speechmatics.NotificationConfig{
			{URL: url}, {URL: url, Contents: []string{"jobinfo", "text", "alignment"}},
			{URL: url, Contents: []string{"jobinfo"}},
		},
	}
	created, err := s.CreateJob(s.t.Context(), speechmatics.CreateJobRequest{
		Config: config, Media: upload(s.t, "standup.wav"),
		Text: &speechmatics.Media{Name: "standup.txt", Reader: strings.NewReader(spokenText), Size: int64(len(spokenText))},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.readAlignment(created.ID)
	expectNotifications(s.t, statuses, 3, "success")

	media := recording(s.t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".txt") {
			_, _ = w.Write([]byte(spokenText))
			return
		}
		_, _ = w.Write(media)
	}))
	s.t.Cleanup(server.Close)
	config.FetchData = &speechmatics.FetchData{URL: server.URL + "/standup.wav"}
	config.FetchText = &speechmatics.FetchData{URL: server.URL + "/standup.txt", AuthHeaders: []string{"Authorization: Bearer text"}}
	config.NotificationConfig = []speechmatics.NotificationConfig{{URL: url, Contents: []string{"alignment.word_start_and_end", "alignment.one_per_line"}}}
	s.readAlignment(s.submit(config))
	expectNotifications(s.t, statuses, 1, "success")
}

// readAlignment waits for the end of a job, and reads what there is of it.
func (s *service) readAlignment(id string) {
	s.t.Helper()
	if job := s.ended(id); job.Status != speechmatics.JobDone {
		s.t.Fatalf("the job is %s: %v", job.Status, job.Errors)
	}
	if got := s.all(s.Text(s.t.Context(), id)); string(got) != spokenText {
		s.t.Errorf("got the text %q", got)
	}
	for _, tags := range []speechmatics.AlignmentTags{"", speechmatics.TagsWordStartAndEnd, speechmatics.TagsOnePerLine} {
		if got := s.all(s.Alignment(s.t.Context(), id, tags)); !bytes.Contains(got, []byte("morning")) {
			s.t.Errorf("%s: got %q", tags, got)
		}
	}
	for job, err := range s.ListJobs(s.t.Context(), speechmatics.ListOptions{}) {
		if err != nil || job.ID == "" {
			s.t.Errorf("got %v, %v", job, err)
		}
	}
	wantStatus(s.t, s.fails(s.Transcript(s.t.Context(), id, speechmatics.FormatText)), http.StatusNotFound)
}
