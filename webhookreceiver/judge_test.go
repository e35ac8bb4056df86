// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

const judgedUID = types.UID("6f1f0a5e-3a52-4c0e-9d2e-0123456789ab")

func claimOf(t *testing.T, uid types.UID, attempt int32, id string) string {
	t.Helper()
	at := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	annotation, err := notification.Claim{
		UID: uid, Attempt: attempt, Nonce: nonce, ClaimedAt: at, NotAfter: at.Add(time.Minute),
		AccountUID: uid, BaseURL: "https://example.com", KeyFingerprint: "x", JobID: id,
	}.Annotation()
	if err != nil {
		t.Fatal(err)
	}
	return annotation
}

func TestJudge(t *testing.T) {
	const other = types.UID("00000000-0000-4000-8000-000000000001")
	tests := map[string]struct {
		claim    string
		recorded int32 // status.attempt
		failed   int32
		id       string // status.remoteJob.id
		attempt  int32
		want     standing
	}{
		"nothing known":                         {attempt: 1, want: standing{counts: true}},
		"nothing known, second attempt":         {attempt: 2, want: standing{why: resultOtherAttempt}},
		"claimed":                               {claim: claimOf(t, judgedUID, 1, ""), attempt: 1, want: standing{counts: true}},
		"claimed and recorded":                  {claim: claimOf(t, judgedUID, 1, ""), recorded: 1, id: jobID, attempt: 1, want: standing{counts: true, recordedID: jobID}},
		"contradicts the record":                {claim: claimOf(t, judgedUID, 1, ""), recorded: 1, id: "x", attempt: 1, want: standing{why: resultOtherJob, recordedID: "x"}},
		"contradicts the claim's mirror":        {claim: claimOf(t, judgedUID, 1, "x"), attempt: 1, want: standing{why: resultOtherJob, recordedID: "x"}},
		"the record is newer than the mirror":   {claim: claimOf(t, judgedUID, 1, "x"), recorded: 1, id: jobID, attempt: 1, want: standing{counts: true, recordedID: jobID}},
		"late, of the failed attempt":           {claim: claimOf(t, judgedUID, 1, ""), recorded: 1, failed: 1, id: jobID, attempt: 1, want: standing{counts: true, recordedID: jobID}},
		"late, after the next claim":            {claim: claimOf(t, judgedUID, 2, ""), recorded: 1, failed: 1, id: jobID, attempt: 1, want: standing{why: resultOtherAttempt}},
		"next attempt, not recorded yet":        {claim: claimOf(t, judgedUID, 2, ""), recorded: 1, failed: 1, id: "x", attempt: 2, want: standing{counts: true}},
		"claim erased, recorded":                {recorded: 1, id: jobID, attempt: 1, want: standing{counts: true, recordedID: jobID}},
		"claim erased, next attempt under way":  {recorded: 1, failed: 1, id: "x", attempt: 2, want: standing{counts: true}},
		"claim erased, record lost":             {failed: 1, attempt: 2, want: standing{counts: true}},
		"claim erased, far ahead":               {recorded: 1, failed: 1, attempt: 3, want: standing{why: resultOtherAttempt}},
		"old claim restored, attempt after it":  {claim: claimOf(t, judgedUID, 1, ""), recorded: 1, failed: 1, id: "x", attempt: 2, want: standing{counts: true}},
		"claim copied from another object":      {claim: claimOf(t, other, 5, "x"), attempt: 1, want: standing{counts: true}},
		"claim that cannot be read":             {claim: "{", attempt: 1, want: standing{counts: true}},
		"record of another attempt contradicts": {claim: claimOf(t, judgedUID, 2, ""), recorded: 1, id: "x", attempt: 2, want: standing{counts: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{UID: judgedUID}}
			if tt.claim != "" {
				job.Annotations = map[string]string{notification.ClaimAnnotation: tt.claim}
			}
			if tt.recorded > 0 {
				job.Status.Attempt = &tt.recorded
			}
			if tt.failed > 0 {
				job.Status.FailedAttempts = &tt.failed
			}
			if tt.id != "" {
				job.Status.RemoteJob = &v1alpha1.RemoteJob{ID: &tt.id}
			}
			got := judge(job, tt.attempt, jobID)
			if !got.counts { // nothing else matters then
				tt.want.recordedID, got.recordedID = "", ""
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(standing{})); diff != "" {
				t.Errorf("judge() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	now := time.Unix(2000, 0)
	before := metav1.NewTime(time.Unix(1000, 0))
	length := &metav1.Duration{Duration: time.Minute}
	entry := func(format v1alpha1.TranscriptFormat, attempt int32, id string) v1alpha1.StoredTranscript {
		return v1alpha1.StoredTranscript{Format: format, Attempt: attempt, JobID: id, SHA256: "s", Bytes: ptr.To(int64(1))}
	}
	known := &v1alpha1.Notification{JobID: jobID, Attempt: 2, Outcome: "success", Source: v1alpha1.SourceCallback, ReceivedAt: before, AudioDuration: length}
	told := func(outcome v1alpha1.NotificationOutcome, i *jobInfo) *notice {
		return &notice{target: notification.Target{Attempt: 2}, jobID: jobID, outcome: outcome, source: v1alpha1.SourceDelivery, info: i}
	}
	tests := map[string]struct {
		status  v1alpha1.TranscriptionJobStatus
		notice  *notice
		stored  []v1alpha1.StoredTranscript
		formats []v1alpha1.StoredTranscript
		length  *metav1.Duration
		changed bool
	}{
		"the first": {v1alpha1.TranscriptionJobStatus{}, told("success", nil), []v1alpha1.StoredTranscript{entry("txt", 2, jobID)},
			[]v1alpha1.StoredTranscript{entry("txt", 2, jobID)}, nil, true},
		"another format": {v1alpha1.TranscriptionJobStatus{Notification: known, Transcripts: []v1alpha1.StoredTranscript{entry("txt", 2, jobID)}}, told("success", nil),
			[]v1alpha1.StoredTranscript{entry("srt", 2, jobID)}, []v1alpha1.StoredTranscript{entry("txt", 2, jobID), entry("srt", 2, jobID)}, length, true},
		"a duplicate": {v1alpha1.TranscriptionJobStatus{Notification: known, Transcripts: []v1alpha1.StoredTranscript{entry("txt", 2, jobID)}}, told("success", nil),
			[]v1alpha1.StoredTranscript{entry("txt", 2, jobID)}, []v1alpha1.StoredTranscript{entry("txt", 2, jobID)}, length, false},
		"an empty duplicate": {v1alpha1.TranscriptionJobStatus{Notification: known, Transcripts: []v1alpha1.StoredTranscript{entry("txt", 2, jobID)}}, told("success", nil),
			nil, []v1alpha1.StoredTranscript{entry("txt", 2, jobID)}, length, false},
		"another outcome": {v1alpha1.TranscriptionJobStatus{Notification: known}, told("error", nil), nil, nil, length, true},
		"the length": {v1alpha1.TranscriptionJobStatus{Notification: known}, told("success", &jobInfo{duration: time.Hour}), nil, nil,
			&metav1.Duration{Duration: time.Hour}, true},
		"entries of others": {v1alpha1.TranscriptionJobStatus{Notification: known, Transcripts: []v1alpha1.StoredTranscript{entry("txt", 1, jobID), entry("srt", 2, "x")}},
			told("success", nil), nil, nil, length, true},
		"another job's notification": {v1alpha1.TranscriptionJobStatus{Notification: &v1alpha1.Notification{JobID: "x", Attempt: 2, Outcome: "success", AudioDuration: length}},
			told("success", nil), nil, nil, nil, true},
		"a replaced entry": {v1alpha1.TranscriptionJobStatus{Notification: known, Transcripts: []v1alpha1.StoredTranscript{{Format: "txt", Attempt: 2, JobID: jobID}}},
			told("success", nil), []v1alpha1.StoredTranscript{entry("txt", 2, jobID)}, []v1alpha1.StoredTranscript{entry("txt", 2, jobID)}, length, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, changed := merge(&tt.status, &visit{notice: *tt.notice, stored: tt.stored}, now)
			if changed != tt.changed {
				t.Errorf("changed = %v, want %v", changed, tt.changed)
			}
			if diff := cmp.Diff(tt.formats, got.transcripts); diff != "" {
				t.Errorf("transcripts (-want +got):\n%s", diff)
			}
			want := v1alpha1.Notification{
				JobID: jobID, Attempt: 2, Outcome: tt.notice.outcome, Source: v1alpha1.SourceDelivery, ReceivedAt: metav1.NewTime(now), AudioDuration: tt.length,
			}
			if diff := cmp.Diff(want, got.notification); diff != "" {
				t.Errorf("notification (-want +got):\n%s", diff)
			}
		})
	}
}

// The first facts of a document that belong to the attempt and the provider's job stay, and no others.
func TestMergeDocuments(t *testing.T) {
	known := &v1alpha1.Notification{JobID: jobID, Attempt: 2, Outcome: "success"}
	facts := func(attempt int32, id, language string) *v1alpha1.DocumentFacts {
		return &v1alpha1.DocumentFacts{Attempt: attempt, JobID: id, Language: &language}
	}
	for name, tt := range map[string]struct {
		before, told, want *v1alpha1.DocumentFacts
		changed            bool
	}{
		"none":               {nil, nil, nil, false},
		"the first":          {nil, facts(2, jobID, "en"), facts(2, jobID, "en"), true},
		"a duplicate":        {facts(2, jobID, "en"), facts(2, jobID, "en"), facts(2, jobID, "en"), false},
		"other facts":        {facts(2, jobID, "en"), facts(2, jobID, "de"), facts(2, jobID, "en"), false},
		"none any more":      {facts(2, jobID, "en"), nil, facts(2, jobID, "en"), false},
		"another attempt's":  {facts(1, jobID, "en"), nil, nil, true},
		"another job's":      {facts(2, "x", "en"), facts(2, jobID, "de"), facts(2, jobID, "de"), true},
		"another job's only": {facts(2, "x", "en"), nil, nil, true},
	} {
		status := v1alpha1.TranscriptionJobStatus{Notification: known, Document: tt.before}
		v := &visit{notice: notice{target: notification.Target{Attempt: 2}, jobID: jobID, outcome: "success"}, document: tt.told}
		got, changed := merge(&status, v, time.Unix(2000, 0))
		if diff := cmp.Diff(tt.want, got.document); diff != "" || changed != tt.changed {
			t.Errorf("%s: changed = %v, want %v; document (-want +got):\n%s", name, changed, tt.changed, diff)
		}
	}
}
