// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseFault(t *testing.T) {
	for text, want := range map[string]Fault{
		"kind=error,operation=create,status=503,count=2": {Kind: FaultError, Operation: OperationCreate, Status: 503, Count: 2},
		"kind=latency, delay=1.5s,probability=0.5":       {Kind: FaultLatency, Delay: Duration(1500 * time.Millisecond), Probability: 0.5},
		"kind=reject,title=123,message=true":             {Kind: FaultReject, Title: "123", Message: "true"},
		`{"kind":"reject","message":"a, b = c"}`:         {Kind: FaultReject, Message: "a, b = c"},
	} {
		got, err := ParseFault(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", text, err, diff)
		}
	}
	for text, reason := range map[string]string{
		"":                           "without a kind",
		"error":                      "is not name=value",
		"kind=error,=3":              "is not name=value",
		"kind=error,times=3":         "unknown field",
		"kind=error,count=many":      "Fault.count",
		"kind=latency,delay=3":       "missing unit",
		"kind=latency":               "needs one",
		`{"kind":"error"} x`:         "after the value",
		`{"kind":"error","x":1}`:     "unknown field",
		"kind=error,body=html,kind=": "without a kind",
	} {
		if got, err := ParseFault(text); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %+v, %v, want %q", text, got, err, reason)
		}
	}
}

func TestParseBehaviour(t *testing.T) {
	got, err := ParseBehaviour("deletedJob=gone,serveLogs=true,defaultWait=-1ns")
	if want := (Behaviour{DeletedJob: GoneAnswerGone, ServeLogs: true, DefaultWait: -1}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ParseBehaviour(""); err != nil || got != (Behaviour{}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"deletedJob=perhaps", "jobInfo=short", "edgeErrors=text", "failureNotifications=x", "partNames=x", "x=1"} {
		if got, err := ParseBehaviour(text); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add("kind=error,operation=create,status=503")
	f.Add(`{"kind":"latency","delay":"1s"}`)
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := ParseFault(text)
		if err != nil {
			return
		}
		encoded, err := json.Marshal(fault)
		check(t, err)
		again, err := ParseFault(string(encoded))
		if err != nil || again != fault {
			t.Errorf("%q: %+v, again %+v, %v", text, fault, again, err)
		}
	})
}
