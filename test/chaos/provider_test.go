// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// providerScenarios have the provider, or what is in front of it, misbehave.
func providerScenarios() []scenario {
	return []scenario{
		{
			name: "response-lost", fault: "answers lost after the job was accepted",
			story:  "the provider accepts jobs, and the connection ends without an answer, or in the middle of it; notifications tell of them",
			breaks: misbehaves(lostAnswers...),
		},
		{
			name: "response-lost-polled", fault: "answers lost after the job was accepted",
			story:  "as response-lost, and nobody is notified, so that the jobs have to be looked for",
			short:  1,
			system: unnotified(),
			breaks: misbehaves(lostAnswers...),
		},
		{
			name: "response-late", fault: "answers lost after the job was accepted",
			story: "the provider accepts jobs, and answers later than the manager waits",
			breaks: misbehaves(
				simulator.Fault{Kind: simulator.FaultResponseLate, Operation: simulator.OperationCreate, Delay: simulator.Duration(4 * time.Second), Probability: 0.7},
			),
		},
		{
			name: "response-replaced", fault: "5xx",
			story: "the provider accepts jobs, and a gateway answers 502, 503 or 504 in its place",
			breaks: misbehaves(
				simulator.Fault{Kind: simulator.FaultResponseReplaced, Operation: simulator.OperationCreate, Status: http.StatusGatewayTimeout, Body: simulator.BodyHTML, Probability: 0.4},
				simulator.Fault{Kind: simulator.FaultResponseReplaced, Operation: simulator.OperationCreate, Status: http.StatusServiceUnavailable, Probability: 0.4},
				simulator.Fault{Kind: simulator.FaultResponseReplaced, Status: http.StatusBadGateway, Body: simulator.BodyEmpty, Probability: 0.2},
			),
		},
		{
			name: "server-errors", fault: "5xx",
			story: "any request is answered 500, 502, 503 or 504, in each form that there is, and not handled",
			breaks: misbehaves(
				simulator.Fault{Kind: simulator.FaultError, Status: http.StatusInternalServerError, Probability: 0.15},
				simulator.Fault{Kind: simulator.FaultError, Status: http.StatusBadGateway, Body: simulator.BodyHTML, Probability: 0.15},
				simulator.Fault{Kind: simulator.FaultError, Status: http.StatusServiceUnavailable, Body: simulator.BodyText, RetryAfter: 1, Probability: 0.15},
				simulator.Fault{Kind: simulator.FaultError, Status: http.StatusGatewayTimeout, Body: simulator.BodyEmpty, Probability: 0.15},
			),
		},
		{
			name: "resets", fault: "connections reset in mid-body",
			story: "connections are reset while a request is being sent or an answer received",
			breaks: misbehaves(
				simulator.Fault{Kind: simulator.FaultRequestReset, Operation: simulator.OperationCreate, Probability: 0.3},
				simulator.Fault{Kind: simulator.FaultResponseReset, Probability: 0.3},
			),
		},
		{
			name: "too-many-requests", fault: "429",
			story: "any request is answered 429, without Retry-After or with it",
			breaks: misbehaves(
				simulator.Fault{Kind: simulator.FaultError, Status: http.StatusTooManyRequests, Body: simulator.BodyHTML, Probability: 0.2},
				simulator.Fault{Kind: simulator.FaultError, Status: http.StatusTooManyRequests, RetryAfter: 1, Probability: 0.2},
			),
		},
		{
			name: "pages", fault: "HTML in the API's place",
			story: "something in front of the provider answers 200, 201 or 404 with a page, before the provider or after it",
			breaks: misbehaves(
				simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationCreate, Status: http.StatusCreated, Body: simulator.BodyHTML, Probability: 0.25},
				simulator.Fault{Kind: simulator.FaultResponseReplaced, Operation: simulator.OperationCreate, Status: http.StatusOK, Body: simulator.BodyHTML, Probability: 0.25},
				simulator.Fault{Kind: simulator.FaultError, Status: http.StatusOK, Body: simulator.BodyHTML, Probability: 0.2},
				simulator.Fault{Kind: simulator.FaultError, Status: http.StatusNotFound, Body: simulator.BodyHTML, Probability: 0.3},
				simulator.Fault{Kind: simulator.FaultError, Status: http.StatusNotFound, Body: simulator.BodyText, Probability: 0.2},
			),
		},
		{
			name: "wrong-region", fault: "401, as from another region",
			story: "the key is refused for some seconds, and is as good as before afterwards",
			breaks: misbehaves(
				simulator.Fault{Kind: simulator.FaultError, Status: http.StatusUnauthorized, Body: simulator.BodyHTML},
			),
		},
		{
			name: "list-lag", fault: "jobs that appear late in lists",
			story: "new jobs are missing in lists for as long as the manager allows for, and answers to submissions are lost",
			system: func(r *run) harness.SystemOptions {
				lag := r.listLag()
				options := unnotified("--behaviour", "listLag="+lag.String())(r)
				options.Timings.ListLag = lag + 500*time.Millisecond
				return options
			},
			breaks: misbehaves(lostAnswers...),
		},
		{
			name: "outage", fault: "the provider is down",
			story:  "for some seconds nothing works at the provider: connections are refused, hang, or are answered 502 or 503",
			breaks: func(r *run) { r.outage(r.between(5*time.Second, 15*time.Second)) },
		},
		{
			name: "outage-of-minutes", fault: "the provider is down for minutes",
			story:  "as outage, for two minutes or more",
			breaks: func(r *run) { r.outage(r.between(2*time.Minute, 150*time.Second)) },
		},
		deletedByOthers(simulator.GoneAnswerNotFound, "are answered 404"),
		deletedByOthers(simulator.GoneAnswerGone, "are answered 410"),
		deletedByOthers(simulator.GoneAnswerShow, "are shown as deleted"),
		{
			name: "expired", fault: "jobs that vanish, expire, or are deleted by somebody else",
			story: "the first remote job of each expires as soon as it is done, and nobody is notified",
			breaks: misbehaves(
				simulator.Fault{Kind: simulator.FaultExpire, Reference: firstAttempts},
				simulator.Fault{Kind: simulator.FaultNotificationLost, Reference: firstAttempts},
			),
			endings:  []string{v1alpha1.ReasonRemoteJobLost},
			attempts: 2,
			checks:   (*run).checkLimits,
		},
		{
			name: "key-replaced", fault: "a key revoked and replaced",
			story:  "the key is revoked while jobs wait, are submitted, run and are collected; some seconds later there is another one",
			system: slowJobs,
			breaks: (*run).replaceKey,
		},
		{
			name: "foreign-jobs", fault: "thousands of jobs of somebody else in the same list",
			story:  "the project is full of others' jobs, more come, answers to submissions are lost, and nobody is notified",
			system: unnotified(),
			breaks: (*run).amongForeign,
		},
		{
			name: "clock-ahead", fault: "the provider's clock is 5 minutes off",
			story:  "the provider's clock is ahead, answers to submissions are lost, and nobody is notified",
			system: unnotified("--clock-offset=5m"),
			breaks: misbehaves(lostAnswers...),
		},
		{
			name: "clock-behind", fault: "the provider's clock is 5 minutes off",
			story:  "the provider's clock is behind, answers to submissions are lost, and nobody is notified",
			system: unnotified("--clock-offset=-5m"),
			breaks: misbehaves(lostAnswers...),
		},
	}
}

// lostAnswers lose most answers to submissions that were accepted.
var lostAnswers = []simulator.Fault{
	{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate, Probability: 0.5},
	{Kind: simulator.FaultResponseReset, Operation: simulator.OperationCreate, Probability: 0.5},
}

// firstAttempts is the pattern of the references <uid>/<attempt>/<nonce> of first attempts.
const firstAttempts = "*/1/*"

// misbehaves has the provider misbehave for some seconds, in which jobs are created.
func misbehaves(faults ...simulator.Fault) func(*run) {
	return func(r *run) {
		r.create(r.few()) // some are under way already
		r.order(faults...)
		r.create(r.few())
		r.wait(r.between(2*time.Second, 4*time.Second))
		r.create(r.few())
		r.wait(r.between(2*time.Second, 4*time.Second))
		r.order()
	}
}

// few is a number of jobs.
func (r *run) few() int {
	if r.small {
		return 2 + r.random.IntN(3)
	}
	return 4 + r.random.IntN(8)
}

// order has the provider misbehave; nothing ends it. What was ordered before must have happened, or the run shows nothing.
func (r *run) order(faults ...simulator.Fault) {
	r.Helper()
	if r.replaceFaults(faults...) == 0 && r.ordered {
		r.Errorf("nothing of what was ordered has happened")
	}
	r.ordered = len(faults) > 0
}

// replaceFaults orders faults in place of those in force, and returns how often those have happened.
func (r *run) replaceFaults(faults ...simulator.Fault) int {
	r.Helper()
	happened := r.noteFaults()
	r.must(r.system.API.SetFaults(r.ctx, faults...))
	r.inForce = faults
	return happened
}

// noteFaults adds up, by kind, what has happened of the faults in force, and returns how much that is. It is called once before they end.
func (r *run) noteFaults() int {
	r.Helper()
	happened, err := r.system.API.FaultsHappened(r.ctx)
	r.must(err)
	sum := 0
	for i, f := range r.inForce {
		r.result.Faults[f.Kind] += happened[i]
		sum += happened[i]
	}
	return sum
}

// withoutLease is for systems with one manager, which need not wait for a lease.
func withoutLease() []string { return []string{"--leader-elect=false"} }

// listLag is how late jobs appear in lists.
func (r *run) listLag() time.Duration {
	if r.small {
		return 3 * time.Second
	}
	return 30 * time.Second
}

// slowJobs has jobs take three seconds, so that they can be met while they run.
func slowJobs(*run) harness.SystemOptions {
	return harness.SystemOptions{Receivers: 2, SimulatorArgs: []string{"--processing-base", "30s"}, ManagerArgs: withoutLease()}
}

// unnotified is a system whose jobs are polled; the arguments are the simulator's.
func unnotified(simulatorArgs ...string) func(*run) harness.SystemOptions {
	return func(*run) harness.SystemOptions {
		return harness.SystemOptions{Unnotified: true, SimulatorArgs: simulatorArgs, ManagerArgs: withoutLease()}
	}
}

// outage has the provider be down while jobs are in every state.
func (r *run) outage(d time.Duration) {
	r.Helper()
	kind := pick(r, simulator.OutageRefuse, simulator.OutageUnavailable, simulator.OutageHTML, simulator.OutageHang)
	r.Logf("outage %s of %s", kind, d)
	r.create(r.few())
	r.wait(r.between(200*time.Millisecond, 2*time.Second))
	r.must(r.system.API.Do(r.ctx, http.MethodPost, fmt.Sprintf("/admin/outage?kind=%s&for=%s", kind, d)))
	r.create(r.few())
	r.wait(d)
}

// deletedByOthers is the scenario of jobs that somebody else deletes, after which the provider answers about them in one of its ways.
func deletedByOthers(answer simulator.GoneAnswer, how string) scenario {
	return scenario{
		name: "deleted-by-others-" + string(answer), fault: "jobs that vanish, expire, or are deleted by somebody else",
		story:  "somebody else deletes jobs at the provider, while they run, when they are done, and when all is stored; afterwards they " + how,
		system: slowJobs,
		breaks: func(r *run) {
			r.must(r.system.API.SetBehaviour(r.ctx, simulator.Behaviour{DeletedJob: answer}))
			r.deleteRemoteJobs()
		},
		endings:  []string{v1alpha1.ReasonRemoteJobLost},
		attempts: 2,
		checks:   (*run).checkLimits,
	}
}

// deleteRemoteJobs deletes jobs at the provider at random moments, at most one of each object. Some objects allow no second attempt.
func (r *run) deleteRemoteJobs() {
	r.Helper()
	r.create(r.few())
	r.create(r.few(), func(j *v1alpha1.TranscriptionJob) { j.Spec.BackoffLimit = ptr.To[int32](0) })
	deleted := map[types.UID]bool{}
	for range 12 {
		r.wait(r.between(200*time.Millisecond, 700*time.Millisecond))
		ledger, err := r.system.API.Ledger(r.ctx)
		r.must(err)
		for _, entry := range ledger {
			reference, err := notification.ParseReference(entry.Reference)
			r.must(err)
			if deleted[reference.UID] || r.random.IntN(4) > 0 {
				continue
			}
			deleted[reference.UID] = true
			if err := r.system.API.Do(r.ctx, http.MethodPost, "/admin/jobs/"+entry.JobID+"/delete"); err != nil && !isConflict(err) {
				r.Fatal(err)
			}
		}
	}
	r.Logf("%d remote jobs were deleted", len(deleted))
}

// isConflict recognises the simulator's answer for a job that was deleted already.
func isConflict(err error) bool {
	return strings.Contains(err.Error(), http.StatusText(http.StatusConflict))
}

// checkLimits: a job that has failed because its remote jobs were lost has used all the attempts that it allows.
func (r *run) checkLimits(f *facts) {
	r.Helper()
	for _, object := range f.objects {
		allowed := ptr.Deref(object.Spec.BackoffLimit, 0) + 1
		failed := ptr.Deref(object.Status.FailedAttempts, 0)
		if readyReason(object) == v1alpha1.ReasonRemoteJobLost && failed != allowed {
			r.Errorf("%s gave up after %d of %d attempts: %s", object.Name, failed, allowed, describe(object))
		}
	}
}

// replaceKey revokes the key and, some seconds later, puts another one of the same project in its place.
func (r *run) replaceKey() {
	r.Helper()
	r.create(r.few())
	r.wait(r.between(500*time.Millisecond, 3*time.Second))
	r.create(r.few())
	r.must(r.system.RevokeKey(r.ctx))
	r.create(r.few())
	r.wait(r.between(2*time.Second, 6*time.Second))
	r.must(r.system.ReplaceKey(r.ctx))
	r.create(r.few())
}

// amongForeign fills the project with jobs of others, before and while ours are submitted.
func (r *run) amongForeign() {
	r.Helper()
	jobs := 20_000
	if r.small {
		jobs = 3000
	}
	r.must(r.system.API.AddForeign(r.ctx, jobs, time.Hour))
	r.order(simulator.Fault{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate, Probability: 0.6})
	for range 3 {
		r.create(r.few())
		r.wait(r.between(500*time.Millisecond, 2*time.Second))
		r.must(r.system.API.AddForeign(r.ctx, 300, time.Second))
	}
	r.order()
}
