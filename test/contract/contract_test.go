// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package contract_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/transcription-operator/transcription-operator/internal/contract"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// scenarios are what the client and the simulator are put through. Each has a service of its own.
var scenarios = []struct {
	name    string
	options simulator.Options
	run     func(s *service)
}{
	{name: "life of a job", run: lifeOfAJob},
	{name: "life of a job, the vendor's way", options: simulator.Options{
		Behaviour: simulator.Behaviour{MediaType: simulator.MediaTypeVendor},
	}, run: lifeOfAJob},
	{name: "errors of every operation", run: errorsOfEveryOperation},
	{name: "refusals", run: refusals},
	{name: "all features", run: allFeatures},
	{name: "every option", run: everyOption},
	{name: "identification", run: identification},
	{name: "failed features", run: failedFeatures},
	{name: "waits", run: waits},
	{name: "waits in vain", options: simulator.Options{Speed: 0.001}, run: waitsInVain},
	{name: "notifications", run: notifications},
	{name: "failed notifications", run: failedNotifications},
	{name: "fetched", run: fetched},
	{name: "usage", options: simulator.Options{Clock: calendar}, run: usage},
	{name: "files", run: files},
	{name: "alignments", run: alignments},
	{name: "temporary keys", run: temporaryKeys},
	{name: "discovery", run: discovery},
	{name: "on an appliance", options: simulator.Options{Backend: simulator.BackendAppliance}, run: onAppliance},
	{name: "on a worker", options: simulator.Options{Backend: simulator.BackendWorker}, run: onWorker},
	{name: "limits", options: simulator.Options{Limits: simulator.Limits{
		ReadsPerSecond: 1, SubmissionsPerSecond: -1, RunningJobs: 1, UploadBytes: 10_000,
	}, Speed: 0.001}, run: limits},
}

// TestContract puts client and simulator through all that they can do. Whatever passes between them has to be what the provider specifies, and
// at the end all that the provider specifies has to have passed, but for what is listed in unseen.
func TestContract(t *testing.T) {
	spec, coverage := contract.Open(t), contract.NewCoverage()
	var ran atomic.Int64
	t.Run("scenarios", func(t *testing.T) {
		for _, scenario := range scenarios {
			t.Run(scenario.name, func(t *testing.T) {
				t.Parallel()
				ran.Add(1)
				scenario.run(serve(t, coverage, scenario.options))
			})
		}
	})
	if t.Failed() || int(ran.Load()) < len(scenarios) {
		t.Skip("not all scenarios have been seen to their end, so that what they leave out says nothing")
	}
	checkCoverage(t, spec.Expected(), coverage.Seen())
}

// checkCoverage compares what could be seen with what was.
func checkCoverage(t *testing.T, expected, seen []string) {
	t.Helper()
	for _, name := range expected {
		reason := unseenBecause(name)
		wasSeen := slices.Contains(seen, name)
		switch {
		case !wasSeen && reason == "":
			t.Errorf("never seen: %s", name)
		case wasSeen && reason != "":
			t.Errorf("%s was seen, and is listed as unseen: %s", name, reason)
		}
	}
}

// unseen is what is left out, with the reason. A * stands for any text.
var unseen = map[string]string{
	"GET /jobs/{jobid}/transcript 200 application/vnd.speechmatics.v2": "it stands beside the one with +json in one operation only",

	"GET /jobs/{jobid}/data 200 application/json":      "that an operation produces it is meant for errors",
	"GET /jobs/{jobid}/text 200 application/json":      "likewise",
	"GET /jobs/{jobid}/log 200 application/json":       "likewise",
	"GET /jobs/{jobid}/alignment 200 application/json": "likewise",

	"< JobDetails.lang":                              "the specification has it for version 1 of the API",
	"< RecognitionDisplay.direction=ltr":             "the simulator says it where it is not the usual direction",
	"< RecognitionResult.attaches_to=both":           "the simulator's marks are those that attach to one side",
	"< RecognitionResult.attaches_to=none":           "likewise",
	"< SpokenFormRecognitionResult.type=punctuation": "no entity of the simulator is spoken with a mark",

	"< JobInfo.text_name":                    "alignments have no transcript, and only notifications tell it",
	"< RecognitionMetadata.alignment_config": "likewise",

	"< LanguageIdentificationResult.error=UNEXPECTED_LANGUAGE": "the job is rejected then, and has no transcript",
	"< LanguageIdentificationResult.error=FILE_UNREADABLE":     "likewise",
	"< LanguageIdentificationResult.error=OTHER":               "likewise",
}

func unseenBecause(name string) string {
	for pattern, reason := range unseen {
		prefix, suffix, isPattern := strings.Cut(pattern, "*")
		if name == pattern || isPattern && strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			return reason
		}
	}
	return ""
}
