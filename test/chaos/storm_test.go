// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"net/http"
	"time"

	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// stormScenarios break everything that may break at the same time.
func stormScenarios() []scenario {
	return []scenario{
		{
			name: "storm", fault: "everything at once",
			story:  "the provider misbehaves in every way, notifications go astray, connections break, and processes are killed and stand still",
			breaks: (*run).storm,
		},
		{
			name: "storm-polled", fault: "everything at once",
			story: "as storm, and nobody is notified",
			system: func(*run) harness.SystemOptions {
				return harness.SystemOptions{Receivers: 2, Unnotified: true, ManagerArgs: withoutLease()}
			},
			breaks: (*run).storm,
		},
	}
}

// storm goes on for some time, in which jobs are created.
func (r *run) storm() {
	r.Helper()
	r.order(stormFaults...)
	gusts := 30
	if r.small {
		gusts = 10
	}
	for range gusts {
		if r.random.IntN(2) == 0 {
			r.create(r.few())
		}
		r.gust()
		r.wait(r.between(100*time.Millisecond, time.Second))
	}
	r.order()
}

// stormFaults leave enough alone that jobs get on.
var stormFaults = []simulator.Fault{
	{Kind: simulator.FaultLatency, Delay: simulator.Duration(200 * time.Millisecond), Probability: 0.2},
	{Kind: simulator.FaultError, Status: http.StatusServiceUnavailable, Probability: 0.05},
	{Kind: simulator.FaultError, Status: http.StatusBadGateway, Body: simulator.BodyHTML, Probability: 0.05},
	{Kind: simulator.FaultError, Status: http.StatusTooManyRequests, RetryAfter: 1, Probability: 0.03},
	{Kind: simulator.FaultError, Status: http.StatusNotFound, Body: simulator.BodyHTML, Probability: 0.05},
	{Kind: simulator.FaultError, Status: http.StatusUnauthorized, Body: simulator.BodyHTML, Probability: 0.02},
	{Kind: simulator.FaultRequestReset, Operation: simulator.OperationCreate, Probability: 0.1},
	{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate, Probability: 0.3},
	{Kind: simulator.FaultResponseLost, Probability: 0.05},
	{Kind: simulator.FaultResponseReset, Probability: 0.1},
	{Kind: simulator.FaultResponseReplaced, Status: http.StatusGatewayTimeout, Probability: 0.05},
	{Kind: simulator.FaultListLag, Delay: simulator.Duration(time.Second), Probability: 0.5},
	{Kind: simulator.FaultNotificationLost, Probability: 0.2},
	{Kind: simulator.FaultNotificationDoubled, Probability: 0.2},
	{Kind: simulator.FaultNotificationEarly, Probability: 0.1},
	{Kind: simulator.FaultNotificationLate, Delay: simulator.Duration(3 * time.Second), Probability: 0.2},
	{Kind: simulator.FaultNotificationReordered, Delay: simulator.Duration(time.Second), Probability: 0.2},
}

// gust breaks one thing for a moment.
func (r *run) gust() {
	r.Helper()
	for _, breaks := range []func(){
		func() { r.must(pick(r, r.programs()...).Kill()) },
		func() { pick(r, r.system.Provider, r.system.ManagerAPI, r.system.ReceiverAPI).Cut() },
		func() { r.standStill(pick(r, r.programs()...)) },
		func() { r.refuse(pick(r, r.system.Provider, r.system.ManagerAPI, r.system.ReceiverAPI)) },
	} {
		if r.random.IntN(4) == 0 {
			breaks()
		}
	}
}

// standStill stops a program for a while.
func (r *run) standStill(program *harness.Program) {
	r.Helper()
	r.must(program.Stop())
	r.wait(r.between(100*time.Millisecond, 2*time.Second))
	r.must(program.Continue())
}

// refuse refuses connections for a while.
func (r *run) refuse(proxy *harness.Proxy) {
	r.Helper()
	proxy.Refuse()
	r.wait(r.between(100*time.Millisecond, 2*time.Second))
	proxy.Pass()
}
