// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"net/http"
	"slices"
	"time"

	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// onAppliance is the life of a job on an appliance, which asks for no key.
func onAppliance(s *service) {
	s.Client = s.client(speechmatics.WithBackend(speechmatics.Appliance))
	s.lifeOnPremises()
	id := s.done(english())
	if len(s.all(s.Log(s.t.Context(), id))) == 0 {
		s.t.Error("the log is empty")
	}
	if err := s.DeleteJob(s.t.Context(), id, speechmatics.DeleteOptions{Force: true}); err != nil {
		s.t.Error(err)
	}
	_, err := s.GetJob(s.t.Context(), id)
	wantStatus(s.t, err, http.StatusNotFound)
}

// onWorker is the life of a job on an HTTP batch worker, which writes its answers in ways of its own, and can be busy.
func onWorker(s *service) {
	s.Client = s.client(speechmatics.WithBackend(speechmatics.Worker))
	for _, spelling := range []simulator.WorkerSpelling{simulator.WorkerSpellingProse, simulator.WorkerSpellingAPI} {
		if err := s.simulator.SetBehaviour(simulator.Behaviour{WorkerSpelling: spelling}); err != nil {
			s.t.Fatal(err)
		}
		s.lifeOnPremises()
	}
	if ready, err := s.WorkerReady(s.t.Context()); err != nil || !ready.Ready {
		s.t.Errorf("got %+v, %v", ready, err)
	}
	if capacity, err := s.WorkerCapacity(s.t.Context()); err != nil || capacity.MaxEngines != 4 {
		s.t.Errorf("got %+v, %v", capacity, err)
	}
	_, err := s.CreateJob(s.t.Context(), speechmatics.CreateJobRequest{
		Config: english(), Media: upload(s.t, "standup.wav"), ProcessingData: &speechmatics.ProcessingData{ParallelEngines: 8},
	})
	wantStatus(s.t, err, http.StatusServiceUnavailable)
	if !speechmatics.NotCreated(err) {
		s.t.Errorf("a busy worker creates no job: %v", err)
	}
	_, err = s.GetJob(s.t.Context(), someJob)
	wantStatus(s.t, err, http.StatusNotFound)
}

// lifeOnPremises submits a job with settings for its processing, reads it in every format, and finds it again.
func (s *service) lifeOnPremises() {
	s.t.Helper()
	began := time.Now()
	config := english()
	config.Tracking = &speechmatics.Tracking{Reference: "a/1/b"}
	created, err := s.CreateJob(s.t.Context(), speechmatics.CreateJobRequest{
		Config: config, Media: upload(s.t, "standup.wav"), ProcessingData: &speechmatics.ProcessingData{ParallelEngines: 2, UserID: "Åse"},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if job := s.ended(created.ID); job.Status != speechmatics.JobDone {
		s.t.Errorf("the job is %s", job.Status)
	}
	for _, format := range []speechmatics.TranscriptFormat{speechmatics.FormatJSONv2, speechmatics.FormatText, speechmatics.FormatSRT} {
		s.read(created.ID, format)
	}
	s.find("a/1/b", began, created.ID)
}

// find looks for a submission as one does whose outcome is unknown.
func (s *service) find(reference string, since time.Time, id string) {
	s.t.Helper()
	found, err := s.FindSubmissions(s.t.Context(), speechmatics.SubmissionQuery{Reference: reference, Since: since.Add(-time.Minute)})
	if err != nil {
		s.t.Fatal(err)
	}
	if !slices.ContainsFunc(found.Jobs, func(job *speechmatics.Job) bool { return job.ID == id }) {
		s.t.Errorf("the job is not found: %+v", found)
	}
}
