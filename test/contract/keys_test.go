// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// temporaryKeys works with keys that are made as they are needed, and that see one client's jobs only.
func temporaryKeys(s *service) {
	ofAll := s.done(english())
	keys, err := speechmatics.NewTemporaryKeys(apiKey, speechmatics.TemporaryKeysOptions{
		TTL: time.Minute, ClientRef: "client", URL: strings.TrimSuffix(s.base, "/v2") + "/v1/api_keys",
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(keys.CloseIdleConnections)
	s.Client = s.client(speechmatics.WithKeySource(keys))
	own := s.done(english())
	for job, err := range s.ListJobs(s.t.Context(), speechmatics.ListOptions{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if job.ID != own {
			s.t.Errorf("the key sees the job %s", job.ID)
		}
	}
	_, err = s.GetJob(s.t.Context(), ofAll)
	wantStatus(s.t, err, http.StatusNotFound)
	_, err = s.Usage(s.t.Context(), speechmatics.UsageQuery{})
	wantStatus(s.t, err, http.StatusForbidden)
}

// discovery asks what there is, which the specification says nothing of, in both spellings.
func discovery(s *service) {
	for _, spelling := range []simulator.DiscoveryIdentification{
		simulator.DiscoveryIdentificationLower, simulator.DiscoveryIdentificationCamel,
	} {
		if err := s.simulator.SetBehaviour(simulator.Behaviour{DiscoveryIdentification: spelling}); err != nil {
			s.t.Fatal(err)
		}
		features, err := s.Discover(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		if len(features.Languages) == 0 || len(features.Transcription) == 0 || len(features.Translation) == 0 || len(features.LanguageIdentification) == 0 {
			s.t.Errorf("something is missing: %+v", features)
		}
	}
}
