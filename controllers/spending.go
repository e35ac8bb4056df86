// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	programmetrics "github.com/transcription-operator/transcription-operator/internal/metrics"
)

// Models besides the API's.
const (
	modelDefault = "default"
	modelOther   = "other"
)

// spending counts what jobs cost, so that it can be held against the provider's bill. Both counts follow writes of the status that are made once
// a remote job, whatever the number of passes, managers and restarts.
type spending struct {
	submissions, audio *prometheus.CounterVec
	byNamespace        bool
}

func newSpending(set *programmetrics.Set, byNamespace bool) *spending {
	labels := []programmetrics.Label{labelAccountKind, labelAccountNamespace, labelAccount, labelModel, labelJobNamespace}
	return &spending{
		submissions: set.Counters("submissions_total",
			"Remote jobs that were recorded for an attempt of a TranscriptionJob. Surplus ones are not among them; they are counted when they are deleted or left.", labels...),
		audio: set.Counters("audio_seconds_total",
			"Seconds of audio of the remote jobs that Speechmatics has done, as far as it tells their durations: what it charges for.", labels...),
		byNamespace: byNamespace,
	}
}

// expect has the counts of an account begin with 0, so that its first job is a rise. By namespace that is not possible, since they are not known.
func (sp *spending) expect(account v1alpha1.Account) {
	if sp.byNamespace {
		return
	}
	for _, model := range labelModel.Values {
		labels := []string{string(account.AccountKind()), account.GetNamespace(), account.GetName(), model, ""}
		sp.submissions.WithLabelValues(labels...)
		sp.audio.WithLabelValues(labels...)
	}
}

// submitted counts a remote job that was recorded.
func (sp *spending) submitted(job *v1alpha1.TranscriptionJob, account *v1alpha1.ResolvedAccountReference) {
	sp.submissions.WithLabelValues(sp.labels(job, account)...).Inc()
}

// done counts the audio of which a status tells more than it did before.
func (sp *spending) done(job *v1alpha1.TranscriptionJob, before *v1alpha1.TranscriptionJobStatus) {
	if more := transcribed(&job.Status) - transcribed(before); more > 0 {
		sp.audio.WithLabelValues(sp.labels(job, job.Status.AccountRef)...).Add(more.Seconds())
	}
}

// transcribed is how much audio the present attempt's remote job has turned into text.
func transcribed(status *v1alpha1.TranscriptionJobStatus) time.Duration {
	remote := status.RemoteJob
	if remote == nil || valueOf(remote.State) != v1alpha1.RemoteDone || remote.AudioDuration == nil {
		return 0
	}
	return remote.AudioDuration.Duration
}

// labels are the values of the labels that a job is counted with.
func (sp *spending) labels(job *v1alpha1.TranscriptionJob, ref *v1alpha1.ResolvedAccountReference) []string {
	account := valueOf(ref)
	accountNamespace, namespace := "", ""
	if account.Kind == v1alpha1.NamespacedAccount {
		accountNamespace = job.Namespace
	}
	if sp.byNamespace {
		namespace = job.Namespace
	}
	return []string{string(account.Kind), accountNamespace, account.Name, modelOf(&job.Spec), namespace}
}

// forgetAccount drops the counts of an account that is gone: whoever creates and deletes accounts would otherwise fill the memory.
func (sp *spending) forgetAccount(gone prometheus.Labels) {
	sp.submissions.DeletePartialMatch(gone)
	sp.audio.DeletePartialMatch(gone)
}

// modelOf is the model that a job asks for, on which its price depends.
func modelOf(spec *v1alpha1.TranscriptionJobSpec) string {
	asked := map[string]any{}
	for member, model := range map[string]*v1alpha1.Model{"model": spec.Transcription.Model, "operating_point": spec.Transcription.OperatingPoint} {
		if model != nil {
			asked[member] = string(*model)
		}
	}
	if spec.ProviderConfig != nil {
		members, _ := decodeObject(spec.ProviderConfig.Raw) // with one that cannot be read, nothing is submitted
		over, _ := members["transcription_config"].(map[string]any)
		asked = mergePatch(asked, over)
	}
	for _, member := range []string{"model", "operating_point"} {
		if name, ok := asked[member].(string); ok {
			return knownModel(name)
		}
	}
	return modelDefault
}

// knownModel keeps the values of the label bounded.
func knownModel(name string) string {
	if slices.Contains(labelModel.Values, name) {
		return name
	}
	return modelOther
}
