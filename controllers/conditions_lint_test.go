// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// jobConditions are the conditions that a job has as soon as it was looked at.
var jobConditions = []string{
	v1alpha1.ConditionReady, v1alpha1.ConditionComplete, v1alpha1.ConditionFailed,
	v1alpha1.ConditionFinished, v1alpha1.ConditionSuspended, v1alpha1.ConditionStalled, v1alpha1.ConditionFeaturesFailed,
	v1alpha1.ConditionTranscriptAtRisk,
}

// lintConditions returns every rule that the conditions of a job break, in the manner of fluxcd's conditions/check. It holds
// after every scenario.
func lintConditions(job *v1alpha1.TranscriptionJob) []string {
	var broken []string
	report := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	is := map[string]bool{}
	byType := map[string]metav1.Condition{}
	for _, c := range job.Status.Conditions {
		if _, twice := byType[c.Type]; twice {
			report("condition %s is there twice", c.Type)
		}
		byType[c.Type] = c
		is[c.Type] = c.Status == metav1.ConditionTrue
		switch {
		case !slices.Contains(jobConditions, c.Type):
			report("condition %s is not one of a job's", c.Type)
		case c.Status != metav1.ConditionTrue && c.Status != metav1.ConditionFalse && c.Type != v1alpha1.ConditionFeaturesFailed:
			report("condition %s is %s: a job always knows", c.Type, c.Status)
		case c.ObservedGeneration != job.Generation:
			report("condition %s has observedGeneration %d, the job's is %d", c.Type, c.ObservedGeneration, job.Generation)
		case c.Reason == "" || strings.ContainsAny(c.Reason, " :."):
			report("condition %s has the reason %q, which is no constant", c.Type, c.Reason)
		case c.LastTransitionTime.IsZero():
			report("condition %s has no lastTransitionTime", c.Type)
		}
	}
	for _, kind := range jobConditions {
		if _, ok := byType[kind]; !ok {
			report("condition %s is missing", kind)
		}
	}
	if byType[v1alpha1.ConditionReady].Message == "" {
		report("Ready has no message")
	}
	if valueOf(job.Status.ObservedGeneration) != job.Generation {
		report("observedGeneration is %d, generation %d", valueOf(job.Status.ObservedGeneration), job.Generation)
	}
	lintCombinations(job, is, report)
	return broken
}

// lintCombinations are the rules on conditions that do not go together.
func lintCombinations(job *v1alpha1.TranscriptionJob, is map[string]bool, report func(string, ...any)) {
	ready := readyCondition(job.Status.Conditions)
	withErrors := ready != nil && ready.Reason == v1alpha1.ReasonCompleteWithErrors
	finished := is[v1alpha1.ConditionComplete] || is[v1alpha1.ConditionFailed]
	for _, rule := range []struct {
		broken bool
		what   string
	}{
		{is[v1alpha1.ConditionComplete] && is[v1alpha1.ConditionFailed], "a job is Complete and Failed"},
		{is[v1alpha1.ConditionFinished] != finished, "Finished is not Complete or Failed"},
		{is[v1alpha1.ConditionReady] != is[v1alpha1.ConditionComplete], "Ready is not Complete"},
		{is[v1alpha1.ConditionFailed] && !is[v1alpha1.ConditionStalled], "a failed job is not Stalled"},
		{is[v1alpha1.ConditionReady] && is[v1alpha1.ConditionStalled], "a job is Ready and Stalled"},
		{is[v1alpha1.ConditionSuspended] && finished, "a finished job is Suspended"},
		{is[v1alpha1.ConditionTranscriptAtRisk] && finished, "a finished job's transcript is at risk"},
		{
			is[v1alpha1.ConditionComplete] && is[v1alpha1.ConditionFeaturesFailed] != withErrors,
			"a complete job's reason does not go with FeaturesFailed",
		},
		{(job.Status.CompletionTime != nil) != finished, "completionTime does not go with Finished"},
	} {
		if rule.broken {
			report("%s", rule.what)
		}
	}
}

// kstatusOf is what kubectl, Flux, Argo CD and the like make of an object.
func kstatusOf(t *testing.T, of any) status.Status {
	t.Helper()
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(of)
	if err != nil {
		t.Fatal(err)
	}
	result, err := status.Compute(&unstructured.Unstructured{Object: object})
	if err != nil {
		t.Fatalf("kstatus cannot make anything of the object: %v", err)
	}
	return result.Status
}

// wantKstatus is what kstatus is to say of a job.
func wantKstatus(job *v1alpha1.TranscriptionJob) status.Status {
	ready, stalled := readyCondition(job.Status.Conditions), false
	for _, c := range job.Status.Conditions {
		stalled = stalled || (c.Type == v1alpha1.ConditionStalled && c.Status == metav1.ConditionTrue)
	}
	switch {
	case job.DeletionTimestamp != nil:
		return status.TerminatingStatus
	case stalled:
		return status.FailedStatus
	case ready != nil && ready.Status == metav1.ConditionTrue:
		return status.CurrentStatus
	default:
		return status.InProgressStatus
	}
}

// lintAccount returns every rule that the conditions of an account break.
func lintAccount(account v1alpha1.Account) []string {
	var broken []string
	observed := account.AccountStatus()
	ready, stalled := readyCondition(observed.Conditions), meta.FindStatusCondition(observed.Conditions, v1alpha1.ConditionStalled)
	switch {
	case ready == nil || stalled == nil || len(observed.Conditions) != 3:
		return []string{fmt.Sprintf("the conditions are %v, want Ready, Stalled and SubmissionsHeld", observed.Conditions)}
	case ready.Status == metav1.ConditionTrue && stalled.Status == metav1.ConditionTrue:
		broken = append(broken, "it is Ready and Stalled")
	case ready.Message == "" || ready.Reason == "":
		broken = append(broken, "Ready does not say why")
	}
	for _, c := range observed.Conditions {
		if c.ObservedGeneration != account.GetGeneration() {
			broken = append(broken, fmt.Sprintf("condition %s has observedGeneration %d, the account's is %d", c.Type, c.ObservedGeneration, account.GetGeneration()))
		}
	}
	if valueOf(observed.ObservedGeneration) != account.GetGeneration() {
		broken = append(broken, "observedGeneration is not the account's generation")
	}
	return broken
}

// wantAccountKstatus is what kstatus is to say of an account.
func wantAccountKstatus(account v1alpha1.Account) status.Status {
	switch conditions := account.AccountStatus().Conditions; {
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled):
		return status.FailedStatus
	case meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady):
		return status.CurrentStatus
	default:
		return status.InProgressStatus
	}
}
