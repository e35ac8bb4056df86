// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// backendOf is the product that an account reaches; the hosted service if it does not say.
func backendOf(spec *v1alpha1.SpeechmaticsAccountSpec) speechmatics.Backend {
	return cmp.Or(speechmatics.Backend(spec.Backend), speechmatics.SaaS)
}

// can is what the account's backend can do, by the documented table of package speechmatics.
func (p *provider) can() speechmatics.Capabilities { return p.backend.Capabilities() }

// backendNames name the backends for people.
var backendNames = map[speechmatics.Backend]string{
	speechmatics.SaaS:      "Speechmatics",
	speechmatics.Appliance: "the appliance",
	speechmatics.Worker:    "the HTTP batch worker",
}

// undeletableError means that a job stays where it is, because its backend has no way to delete jobs or to stop them.
// errors.Is(err, errors.ErrUnsupported) recognises it.
type undeletableError struct{ backend speechmatics.Backend }

func (e *undeletableError) Error() string {
	return fmt.Sprintf("%s has no way to delete jobs: there it stays until a restart or newer jobs push it out", backendNames[e.backend])
}

// Is recognises errors.ErrUnsupported.
func (e *undeletableError) Is(target error) bool { return target == errors.ErrUnsupported }

// mayDelete returns an error if the backend cannot delete jobs, so that nobody tries, or waits for a time when it can.
func (p *provider) mayDelete() error {
	if p.can().CanDelete {
		return nil
	}
	return &undeletableError{backend: p.backend}
}

// forgets says of a backend that does not remember its jobs what it forgets, and when.
func (p *provider) forgets() string {
	return backendNames[p.backend] + " forgets its jobs when it is restarted"
}

// takes checks that the account's backend takes what the job asks for beside its configuration. What it makes of the configuration
// is for the provider to say.
func (p *provider) takes(s *scope) error {
	if s.job.Spec.Processing == nil || p.can().TakesProcessingData {
		return nil
	}
	return &failure{reason: v1alpha1.ReasonInvalidConfiguration, message: fmt.Sprintf(
		"spec.processing is for installations on premises, and %s has the backend %q; leave it out in a new job, or name another account there in spec.accountRef",
		accountName(&p.account), p.backend)}
}

// processingData is spec.processing as the client sends it.
func processingData(spec *v1alpha1.ProcessingSpec) *speechmatics.ProcessingData {
	if spec == nil {
		return nil
	}
	return &speechmatics.ProcessingData{ParallelEngines: int(valueOf(spec.ParallelEngines)), UserID: valueOf(spec.UserID)}
}

// keyProblem says what an answer 401 or 403 means.
func (p *provider) keyProblem() string {
	if p.keyFingerprint == noKeyFingerprint {
		return fmt.Sprintf("a key is asked for, and %s has none", accountName(&p.account))
	}
	return "Speechmatics refused the key of " + accountName(&p.account)
}

// probe asks for the least that only an account which can be used is told: one job of the list. The HTTP batch worker is asked whether it is
// ready, which nothing but a worker answers; that all its engines are in use is no fault.
func (p *provider) probe(ctx context.Context, counted *metrics) error {
	if err := p.limits.request(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if p.backend == speechmatics.Worker {
		_, err := p.client.WorkerReady(ctx)
		counted.observeRequest(operationReady, err)
		return err
	}
	var first error
	for _, err := range p.client.ListJobs(ctx, speechmatics.ListOptions{PageSize: 1}) {
		first = err
		break
	}
	counted.observeRequest(operationList, first)
	return first
}

// readyURL is what probe asks a worker for, beside version 2 of the API.
func readyURL(baseURL string) string { return strings.TrimSuffix(baseURL, "/v2") + "/ready" }

// isNoWorker reports whether what a worker's probe came to is what something else would answer.
func isNoWorker(err error) bool {
	var (
		answer   *speechmatics.Error
		response *speechmatics.ResponseError
	)
	return errors.As(err, &response) || (errors.As(err, &answer) && !answer.Temporary())
}

// busyAnswer is the HTTP batch worker's refusal of a submission that has created nothing, because it has not enough free engines; nil if it
// is another refusal.
func (p *provider) busyAnswer(err error) *speechmatics.Error {
	var answer *speechmatics.Error
	if p.backend == speechmatics.Worker && errors.As(err, &answer) && answer.StatusCode == http.StatusServiceUnavailable {
		return answer
	}
	return nil
}

// noRoom is what becomes of a job that a worker has not enough free engines for: it waits, and nobody else is let in meanwhile. One that
// asks for more engines than there are would wait for ever, and keep the others out for as long.
func (r *JobReconciler) noRoom(ctx context.Context, s *scope, p *provider, busy *speechmatics.Error) error {
	asked := int(valueOf(valueOf(s.job.Spec.Processing).ParallelEngines))
	if asked > 1 {
		capacity, err := p.capacity(ctx, r.metrics)
		if err != nil {
			r.log(ctx).Info("The worker does not tell how many engines it has", "cause", err.Error())
		} else if asked > capacity.MaxEngines {
			return &failure{reason: v1alpha1.ReasonInvalidConfiguration, message: fmt.Sprintf(
				"spec.processing.parallelEngines is %d, and the worker of %s has %d engines; ask for fewer in a new job", asked, accountName(&p.account), capacity.MaxEngines)}
		}
	}
	p.limits.hold(max(busy.RetryAfter, r.options.RetryInterval), s.explain(busy))
	return pausef(v1alpha1.ReasonWaiting, r.options.RetryInterval, "%s", p.queue())
}

// capacity asks a worker how many engines it has.
func (p *provider) capacity(ctx context.Context, counted *metrics) (*speechmatics.WorkerCapacity, error) {
	if err := p.limits.followUp(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	capacity, err := p.client.WorkerCapacity(ctx)
	counted.observeRequest(operationReady, err)
	return capacity, err
}
